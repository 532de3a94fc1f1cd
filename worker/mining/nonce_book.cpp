// SPDX-License-Identifier: Apache-2.0
#include "worker/mining/nonce_book.h"

#include <algorithm>

#include "base/hash.h"

namespace sparkmill::mining {

namespace {

constexpr std::size_t kPages = 64;  // at five jobs a second: what pools remember, many times over

void add(std::map<std::uint64_t, std::uint64_t>& used, std::uint64_t first, std::uint64_t end) {
  auto next = used.upper_bound(first);
  if (next != used.begin()) {
    const auto before = std::prev(next);
    if (before->second >= first) {
      first = before->first;
      end = std::max(end, before->second);
      used.erase(before);
    }
  }
  while (next != used.end() && next->first <= end) {
    end = std::max(end, next->second);
    next = used.erase(next);
  }
  used.emplace(first, end);
}

}  // namespace

NonceBook::Page& NonceBook::page(const MiningJob& job) {
  Sha256 hash;
  const Hash32 key = hash.update(preimage(job)).update(job.seed).finish();
  const auto it = std::find_if(pages_.begin(), pages_.end(), [&key](const Page& p) { return p.header == key; });
  if (it != pages_.end()) return *it;
  pages_.push_front({key, {}});
  if (pages_.size() > kPages) pages_.pop_back();
  return pages_.front();
}

std::optional<NonceRange> NonceBook::take(const MiningJob& job, std::uint64_t count) {
  const std::lock_guard lock(mutex_);
  auto& used = page(job).used;
  const std::uint64_t end = job.nonces.first + job.nonces.count;
  std::uint64_t first = job.nonces.first;
  auto next = used.upper_bound(first);
  if (next != used.begin() && std::prev(next)->second > first) first = std::prev(next)->second;
  if (first >= end) return std::nullopt;
  std::uint64_t stop = std::min(end, first + std::min(count, end - first));
  if (next != used.end()) stop = std::min(stop, next->first);
  add(used, first, stop);
  return NonceRange{first, stop - first};
}

void NonceBook::put_back(const MiningJob& job, NonceRange piece) {
  if (piece.count == 0) return;
  const std::lock_guard lock(mutex_);
  auto& used = page(job).used;
  const std::uint64_t end = piece.first + piece.count;
  auto it = used.upper_bound(piece.first);
  if (it == used.begin()) return;
  --it;
  const auto [first, last] = *it;
  if (last < end) return;  // not what was given out
  used.erase(it);
  if (first < piece.first) used.emplace(first, piece.first);
  if (end < last) used.emplace(end, last);
}

}  // namespace sparkmill::mining

// SPDX-License-Identifier: Apache-2.0
// What every row shares: index sequences, header hash, the last fold, the comparison with a target, the search.
#include "kernels/tensority/tensority.h"

#include <algorithm>

#include "base/hash.h"

namespace sparkmill::tensority {
namespace {

constexpr std::uint64_t kNonceEnd = std::uint64_t{1} << 63;

bool less(const Hash32& a, const Hash32& b) {
  return std::lexicographical_compare(a.rbegin(), a.rend(), b.rbegin(), b.rend());
}

}  // namespace

std::array<std::array<std::uint8_t, 32>, kChains> sequences(const Hash32& header_hash) {
  std::array<std::array<std::uint8_t, 32>, kChains> s;
  for (std::size_t k = 0; k < kChains; ++k) s[k] = sha3_256(ByteView(header_hash).subspan(8 * k, 8));
  return s;
}

Hash32 header_hash(const Preimage& preimage, std::uint64_t nonce) {
  Preimage full = preimage;
  std::memcpy(full.data() + full.size() - sizeof nonce, &nonce, sizeof nonce);
  constexpr std::string_view kPrefix = "entryid:blockheader:";
  std::array<std::uint8_t, kPrefix.size() + 32> outer;
  std::memcpy(outer.data(), kPrefix.data(), kPrefix.size());
  const Hash32 inner = sha3_256(full);
  std::memcpy(outer.data() + kPrefix.size(), inner.data(), inner.size());
  return sha3_256(outer);
}

Hash32 finish(std::span<const std::uint8_t, kMatrixBytes> sum) {
  constexpr std::size_t kWords = 64;
  constexpr std::uint32_t kPrime = 0x01000193;
  std::array<std::uint32_t, kDim / 2 * kWords> w;
  const auto word = [&sum](std::size_t i, std::size_t j) {
    const std::uint8_t* d = sum.data() + i * kDim + j;
    return d[0] | std::uint32_t{d[kWords]} << 8 | std::uint32_t{d[2 * kWords]} << 16 |
           std::uint32_t{d[3 * kWords]} << 24;
  };
  for (std::size_t i = 0; i < kDim / 2; ++i) {
    for (std::size_t j = 0; j < kWords; ++j) w[i * kWords + j] = (word(i, j) * kPrime) ^ word(i + kDim / 2, j);
  }
  for (std::size_t left = kDim / 4 * kWords; left >= kWords; left /= 2) {
    for (std::size_t at = 0; at < left; ++at) w[at] = (w[at] * kPrime) ^ w[at + left];
  }
  return sha3_256({reinterpret_cast<const std::uint8_t*>(w.data()), kWords * sizeof(std::uint32_t)});
}

bool meets(const Hash32& result, const Hash32& target) { return !less(target, result); }

Done check(const SearchTask& task) {
  if (task.epoch == nullptr) return fail(Status::bad_argument, "tensority search: no epoch");
  if (task.first_nonce > kNonceEnd || task.count > kNonceEnd - task.first_nonce) {
    return fail(Status::bad_argument, "tensority search: nonces " + std::to_string(task.first_nonce) + " and " +
                                          std::to_string(task.count) +
                                          " more reach 2^63, beyond what a header can hold");
  }
  return done();
}

Result<SearchResult> Kernel::search(const SearchTask& task, const StopToken& stop) {
  SPARKMILL_TRY(check(task));
  SearchResult found;
  std::vector<Hash32> headers, results;
  while (found.count < task.count && found.hits.size() < kMaxHits && !stop.stop_requested()) {
    const auto size =
        static_cast<std::size_t>(std::min<std::uint64_t>(std::max<std::size_t>(batch(), 1), task.count - found.count));
    headers.resize(size);
    results.resize(size);
    const std::uint64_t first = task.first_nonce + found.count;
    for (std::size_t k = 0; k < size; ++k) headers[k] = header_hash(task.preimage, first + k);
    const Done hashed = hash(*task.epoch, headers, results, stop);
    if (hashed.status() == Status::cancelled) break;
    if (!hashed) return hashed.error();
    for (std::size_t k = 0; k < size && found.hits.size() < kMaxHits; ++k, ++found.count) {
      const Found one{first + k, results[k]};
      if (found.count == 0 || less(one.result, found.best.result)) found.best = one;
      if (meets(one.result, task.target)) found.hits.push_back(one);
    }
  }
  return found;
}

}  // namespace sparkmill::tensority

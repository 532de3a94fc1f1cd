// SPDX-License-Identifier: Apache-2.0
#include "kernels/backend/key_cache.h"

#include <algorithm>
#include <cstring>

namespace sparkmill::kernels {
namespace {

/// Never 0. Who makes keys collide slows his own stream down.
std::uint64_t tag_of(std::uint8_t kind, const std::uint8_t* key, std::size_t bytes) {
  constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15;
  std::uint64_t h = (kind + 1) * kOdd;
  for (std::size_t at = 0; at < bytes; at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, key + at, std::min<std::size_t>(8, bytes - at));
    h = (h ^ word) * kOdd;
    h ^= h >> 29;
  }
  return h | 1;
}

}  // namespace

bool KeyCache::Table::is_of(std::uint8_t its_kind, ByteView its_key) const {
  return kind == its_kind && key_bytes == its_key.size() && std::memcmp(key.data(), its_key.data(), key_bytes) == 0;
}

KeyCache::KeyCache(const Plan& plan)
    : plan_(plan),
      tags_(kSets * kWays),
      seen_(kSets * kWays),
      tables_(plan.tables),
      tag_of_(kSpan),
      seen_of_(kSpan),
      table_(kSpan),
      begin_(plan.tables + 1),
      plain_(kSpan),
      known_(kSpan) {
  candidates_.reserve(kSets * kWays);
  lot_.reserve(plan.lot);
  places_.reserve(plan.lot);
}

void KeyCache::assign(std::uint8_t kind, ByteView keys, std::size_t key_bytes, std::span<std::uint16_t> table,
                      const Make& make) {
  ++call_;
  candidates_.clear();
  for (std::size_t i = 0; i < table.size(); ++i) {
    const std::uint8_t* key = keys.data() + i * key_bytes;
    const std::uint64_t tag = tag_of_[i] = tag_of(kind, key, key_bytes);
    const std::size_t set = (tag >> 32) % kSets * kWays;
    table[i] = seen_of_[i] = kNone;
    std::size_t at = set;
    while (at < set + kWays && tags_[at] != tag) ++at;
    if (at < set + kWays) {
      Seen& seen = seen_[at];
      seen_of_[i] = static_cast<std::uint16_t>(at);
      if (seen.table != kNone) {
        Table& known = tables_[seen.table];
        if (!known.is_of(kind, {key, key_bytes})) continue;
        known.used = call_;
        table[i] = seen.table;
        continue;
      }
      if (seen.count != 0xffff) ++seen.count;
      if (seen.listed != call_ && candidates_.size() < candidates_.capacity()) {
        seen.listed = call_;
        candidates_.push_back({static_cast<std::uint16_t>(at), static_cast<std::uint16_t>(i), 0});
      }
      continue;
    }
    at = place(set / kWays);
    if (at == kNone) continue;
    if (seen_[at].table != kNone) tables_[seen_[at].table] = {};
    tags_[at] = tag;
    seen_[at] = {0, 1, kNone};
    seen_of_[i] = static_cast<std::uint16_t>(at);
  }
  if (candidates_.empty() || !make_tables(kind, keys, key_bytes, make)) return;
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (table[i] != kNone || seen_of_[i] == kNone || tags_[seen_of_[i]] != tag_of_[i]) continue;
    const std::uint16_t its = seen_[seen_of_[i]].table;
    if (its != kNone && tables_[its].is_of(kind, keys.subspan(i * key_bytes, key_bytes))) table[i] = its;
  }
}

KeyCache::Split KeyCache::split(std::uint8_t kind, ByteView keys, std::size_t key_bytes, std::size_t count,
                                const Make& make) {
  assign(kind, keys, key_bytes, std::span(table_).first(count), make);
  std::fill(begin_.begin(), begin_.end(), std::uint16_t{0});
  std::size_t plain = 0, known = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (table_[i] == kNone) {
      plain_[plain++] = static_cast<std::uint32_t>(i);
    } else {
      ++begin_[table_[i] + 1u];
      ++known;
    }
  }
  if (known != 0) {
    for (std::size_t t = 1; t < begin_.size(); ++t) begin_[t] = static_cast<std::uint16_t>(begin_[t] + begin_[t - 1]);
    for (std::size_t i = 0; i < count; ++i) {
      if (table_[i] != kNone) known_[begin_[table_[i]]++] = static_cast<std::uint32_t>(i);
    }
  }
  while (plain % plan_.side_by_side != 0 && known != 0) plain_[plain++] = known_[--known];
  return {std::span(plain_).first(plain), std::span(known_).first(known)};
}

std::size_t KeyCache::place(std::size_t set) {
  std::size_t in_reserve = kNone;
  for (std::size_t k = 0; k < kWays; ++k) {
    const std::size_t way = (next_[set] + k) % kWays, at = set * kWays + way;
    if (seen_[at].table == kNone) {
      next_[set] = static_cast<std::uint8_t>((way + 1) % kWays);
      return at;
    }
    if (in_reserve == kNone && tables_[seen_[at].table].used != call_) in_reserve = at;
  }
  return in_reserve;
}

std::uint16_t KeyCache::free_table() {
  std::size_t oldest = tables_.size();
  for (std::size_t t = 0; t < tables_.size(); ++t) {
    if (tables_[t].seen == kNone) return static_cast<std::uint16_t>(t);
    if (tables_[t].used == call_) continue;
    if (oldest == tables_.size() || call_ - tables_[t].used > call_ - tables_[oldest].used) oldest = t;
  }
  if (oldest == tables_.size()) return kNone;
  seen_[tables_[oldest].seen] = {};
  tables_[oldest] = {};
  return static_cast<std::uint16_t>(oldest);
}

bool KeyCache::make_tables(std::uint8_t kind, ByteView keys, std::size_t key_bytes, const Make& make) {
  std::erase_if(candidates_, [&](const Candidate& c) {  // others may have taken its place since
    return tags_[c.seen] != tag_of_[c.item] || seen_[c.seen].listed != call_;
  });
  for (Candidate& c : candidates_) c.count = seen_[c.seen].count;
  std::sort(candidates_.begin(), candidates_.end(), [](const Candidate& a, const Candidate& b) {
    return a.count != b.count ? a.count > b.count : a.item < b.item;
  });
  bool made = false;
  for (std::size_t first = 0; first < candidates_.size(); first += plan_.lot) {
    const std::size_t wanted = std::min(plan_.lot, candidates_.size() - first);
    std::size_t sights = 0;
    for (std::size_t k = first; k < first + wanted; ++k) sights += candidates_[k].count;
    if (sights < plan_.worth) break;
    lot_.clear();
    places_.clear();
    for (std::size_t k = first; k < first + wanted; ++k) {
      const Candidate& c = candidates_[k];
      if (seen_[c.seen].table != kNone) continue;  // lost its place and found it again within this call
      const std::uint16_t t = free_table();
      if (t == kNone) break;
      const ByteView key = keys.subspan(c.item * key_bytes, key_bytes);
      Table& its = tables_[t];
      its.used = call_;
      its.seen = c.seen;
      its.kind = kind;
      its.key_bytes = static_cast<std::uint8_t>(key_bytes);
      std::copy(key.begin(), key.end(), its.key.begin());
      seen_[c.seen].table = t;
      lot_.push_back(key);
      places_.push_back(t);
    }
    if (lot_.empty()) break;
    make(lot_, places_);
    made = true;
  }
  return made;
}

}  // namespace sparkmill::kernels

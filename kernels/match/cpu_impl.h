// SPDX-License-Identifier: Apache-2.0
// The body of the CPU rows, written once over a struct `V` that each cpu_<isa>.cpp defines before including it: vector
// types, a few 32-bit lane operations, and the two micro-kernels
//   V::plain(rows, stride, panel, words, v)   ham of V::kPlainRows rows x one panel
//   V::masked(rows, stride, panel, words, v)  ham | K << 16 of V::kMaskedRows rows x one panel
// Everything is in an unnamed namespace: each ISA gets its own copy and none can leak into baseline code.
#include "kernels/match/cpu_ops.h"

namespace sparkmill::match::cpu {
namespace {

using Lanes = V::U;

template <bool kMasked>
constexpr unsigned kRows = kMasked ? V::kMaskedRows : V::kPlainRows;

template <bool kMasked>
inline __attribute__((always_inline)) void micro_kernel(const std::uint8_t* rows, std::size_t stride,
                                                        const std::uint64_t* panel, std::size_t words,
                                                        Lanes (&v)[kRows<kMasked>]) {
  if constexpr (kMasked) {
    V::masked(rows, stride, panel, words, v);
  } else {
    V::plain(rows, stride, panel, words, v);
  }
}

/// Stores the decision bits of one row and panel into its 32 bytes of the tile's mask.
inline void put_mask(std::uint64_t* masks, std::size_t row, std::uint32_t panel, unsigned bits) {
  auto* bytes = reinterpret_cast<unsigned char*>(masks + row * 4) + panel * (V::kUsers / 8);
  bytes[0] = static_cast<unsigned char>(bits);
  if constexpr (V::kUsers == 16) bytes[1] = static_cast<unsigned char>(bits >> 8);
}

/// Prefetches the next tile's rows line by line, spread over the micro-tiles of this one: without it the first panel of
/// each tile waits for the third-level cache.
class Prefetcher {
 public:
  Prefetcher(const NextRows& next, std::size_t steps)
      : next_(next), each_((next.rows * std::size_t{next.bytes} / 64 + steps - 1) / steps) {}
  void step() {
    for (std::size_t k = 0; k < each_ && next_.rows > 0; ++k) {
      __builtin_prefetch(next_.row + offset_, 0, 2);
      offset_ += 64;
      if (offset_ < next_.bytes) continue;
      offset_ = 0;
      next_.row += next_.stride;
      --next_.rows;
    }
  }

 private:
  NextRows next_;
  std::size_t each_;
  std::size_t offset_ = 0;
};

/// One micro-tile with its epilogue. Rows from `live` on are padding and leave no trace.
template <bool kMasked, bool kDigest, bool kTail>
inline __attribute__((always_inline)) bool fused_group(const FusedTile& t, const std::uint8_t* rows, std::size_t row,
                                                       std::size_t live, std::uint32_t panel,
                                                       const std::uint64_t* users, Lanes& sums) {
  constexpr unsigned kCount = kRows<kMasked>;
  Lanes v[kCount];
  micro_kernel<kMasked>(rows, t.requests.stride, users, t.users.words, v);
  Lanes decision[kCount];
  const std::uint32_t* keys = kDigest ? t.keys + row : nullptr;
#pragma GCC unroll 8
  for (unsigned r = 0; r < kCount; ++r) {
    if constexpr (kDigest) {
      if (!kTail || r < live) sums = V::add(sums, V::bit_xor(v[r], V::set1(keys[r])));
    }
    decision[r] = kMasked ? V::madd16(v[r], V::set1(t.coefficients)) : v[r];
  }
  // Hits are rare: look at the best of all rows first (plain holds where ham <= limit, masked where score >= limit).
  Lanes best = decision[0];
#pragma GCC unroll 8
  for (unsigned r = 1; r < kCount; ++r) {
    best = kMasked ? V::max_signed(best, decision[r]) : V::min_signed(best, decision[r]);
  }
  const Lanes limit = V::set1(t.limit);
  if (__builtin_expect((kMasked ? V::at_least(best, limit) : V::at_least(limit, best)) == 0, 1)) return false;
  for (unsigned r = 0; r < kCount; ++r) {
    if (!kTail || r < live) {
      put_mask(t.masks, row + r, panel, kMasked ? V::at_least(decision[r], limit) : V::at_least(limit, decision[r]));
    }
  }
  return true;
}

/// How many requests go through all panels at a time: what is read of them stays in a quarter of the second-level cache
/// (1 MiB) however long the rows are; the panels stream past. All 256 up to n = 8192 plain and 4096 masked.
inline std::size_t rows_per_block(std::size_t bytes_per_row) {
  constexpr std::size_t kBytes = 256 * 1024;
  return (kBytes / bytes_per_row + 7) / 8 * 8;
}

template <bool kMasked, bool kDigest>
bool fused_tile(const FusedTile& t) {
  constexpr unsigned kCount = kRows<kMasked>;
  const std::size_t panel_words = t.users.panel_words(V::kUsers);
  const std::size_t whole = t.requests.rows / kCount * kCount;
  // The padded copy starts at the last multiple of the row group; a smaller micro-kernel may still find whole groups.
  const std::size_t padded_from = t.requests.rows / V::kRowGroup * V::kRowGroup;
  const std::size_t block = rows_per_block(kMasked ? t.requests.stride : t.requests.stride / 2);
  Prefetcher prefetcher(t.next, t.panels * (whole / kCount + 1));
  bool any = false;
  for (std::size_t first = 0; first < t.requests.rows; first += block) {
    const std::size_t last = first + block < whole ? first + block : whole;
    const bool tail = first + block >= t.requests.rows && whole != t.requests.rows;
    for (std::uint32_t p = 0; p < t.panels; ++p) {
      const std::uint64_t* users = t.users.data + p * panel_words;
      Lanes sums = kDigest && first > 0 ? V::load(t.sums + p * V::kUsers) : V::zero();
      for (std::size_t row = first; row < last; row += kCount) {
        prefetcher.step();
        any |= fused_group<kMasked, kDigest, false>(t, t.requests.first + row * t.requests.stride, row, kCount, p,
                                                    users, sums);
      }
      if (tail) {
        any |= fused_group<kMasked, kDigest, true>(t, t.requests.tail + (whole - padded_from) * t.requests.stride,
                                                   whole, t.requests.rows - whole, p, users, sums);
      }
      if constexpr (kDigest) V::store(t.sums + p * V::kUsers, sums);
    }
  }
  return any;
}

bool fused(const FusedTile& t) {
  if (t.users.masked) return t.keys != nullptr ? fused_tile<true, true>(t) : fused_tile<true, false>(t);
  return t.keys != nullptr ? fused_tile<false, true>(t) : fused_tile<false, false>(t);
}

template <bool kMasked>
void panel_scores(const Panels& users, const RequestRows& requests, std::uint32_t panel, std::uint32_t* out) {
  constexpr unsigned kCount = kRows<kMasked>;
  const std::uint64_t* data = users.data + panel * users.panel_words(V::kUsers);
  const std::uint32_t padded_from = requests.rows / V::kRowGroup * V::kRowGroup;
  const Lanes all = kMasked ? V::zero() : V::set1(static_cast<std::int32_t>(users.words * 64u << 16));
  for (std::uint32_t row = 0; row < requests.rows; row += kCount) {
    const bool whole = row + kCount <= requests.rows;
    const std::uint8_t* rows =
        whole ? requests.first + row * requests.stride : requests.tail + (row - padded_from) * requests.stride;
    Lanes v[kCount];
    micro_kernel<kMasked>(rows, requests.stride, data, users.words, v);
#pragma GCC unroll 8
    for (unsigned r = 0; r < kCount; ++r) {
      if (row + r < requests.rows) V::store(out + (row + r) * V::kUsers, V::bit_xor(v[r], all));
    }
  }
}

void scores(const Panels& users, const RequestRows& requests, std::uint32_t panel, std::uint32_t* v) {
  users.masked ? panel_scores<true>(users, requests, panel, v) : panel_scores<false>(users, requests, panel, v);
}

void column_sums(const std::uint32_t* v, const std::uint32_t* keys, std::uint32_t rows, std::uint32_t* sums) {
  Lanes total = V::zero();
  for (std::uint32_t r = 0; r < rows; ++r) {
    total = V::add(total, V::bit_xor(V::load(v + r * V::kUsers), V::set1(static_cast<std::int32_t>(keys[r]))));
  }
  V::store(sums, total);
}

void decide(const std::uint32_t* v, std::int32_t coefficients, std::int32_t threshold, std::uint32_t rows,
            std::uint32_t panel, std::uint64_t* masks) {
  const Lanes c = V::set1(coefficients);
  const Lanes t = V::set1(threshold);
  for (std::uint32_t r = 0; r < rows; ++r) {
    put_mask(masks, r, panel, V::at_least(V::madd16(V::load(v + r * V::kUsers), c), t));
  }
}

/// Where user u of a panel stands in each run of kUsers words.
constexpr unsigned slot(unsigned u) { return u / 2 + u % 2 * (V::kUsers / 2); }

void pack(const std::uint8_t* rows, std::size_t stride, std::uint32_t count, std::uint32_t words, bool masked,
          std::uint64_t* out) {
  const std::size_t step = V::kUsers * (masked ? 2u : 1u);
  const std::uint32_t panels = (count + V::kUsers - 1) / V::kUsers;
  for (std::uint32_t p = 0; p < panels; ++p) {
    std::uint64_t* panel = out + p * step * words;
    for (unsigned u = 0; u < V::kUsers; ++u) {
      const std::uint32_t user = p * V::kUsers + u;
      const auto* from = reinterpret_cast<const std::uint64_t*>(rows + user * stride);
      for (unsigned plane = 0; plane < (masked ? 2u : 1u); ++plane) {
        std::uint64_t* to = panel + plane * V::kUsers + slot(u);
        for (std::uint32_t w = 0; w < words; ++w) to[w * step] = user < count ? from[plane * words + w] : 0;
      }
    }
  }
}

constexpr Ops kOps{V::kIsa, V::kUsers, V::kRowGroup, pack, fused, scores, column_sums, decide};

}  // namespace
}  // namespace sparkmill::match::cpu

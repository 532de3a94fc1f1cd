// SPDX-License-Identifier: Apache-2.0
// The border between the baseline (cpu.cpp) and the files with wider instructions (cpu_<isa>.cpp): plain arrays only.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/secp256k1/number.h"

namespace sparkmill::secp256k1::cpu {

inline constexpr std::size_t kChunk = 256;  ///< items of one call; a multiple of all lane counts
inline constexpr unsigned kHalfBits = 130;  ///< of the halves into which the endomorphism splits a scalar
inline constexpr unsigned kWindowQ = 5;     ///< odd digits, so 16 multiples
inline constexpr unsigned kWindowG = 10;    ///< 512 multiples
inline constexpr unsigned kRowsQ = 1u << (kWindowQ - 1);
inline constexpr unsigned kRowsG = 1u << (kWindowG - 1);
inline constexpr std::size_t kDigitsQ = kHalfBits / kWindowQ;
inline constexpr std::size_t kDigitsG = kHalfBits / kWindowG;
inline constexpr unsigned kLowBits = 16;                  ///< below the evidence
inline constexpr unsigned kLowWeightQ[] = {0, 1, 6, 11};  ///< low digit i of Q counts 2^kLowWeightQ[i]
inline constexpr std::size_t kLowDigitsQ = 4;
inline constexpr unsigned kRowsTableQ = 2 * kRowsQ + 1;                 ///< Q's, lambda Q's, and 2 Q
inline constexpr unsigned kLowRowsG = 2u << (kLowBits - kWindowG - 1);  ///< 1023 G, 1024 G, each plus 2048 j G
inline constexpr unsigned kRowsTableG = 2 * kRowsG + kLowRowsG;         ///< G's, lambda G's, and these
inline constexpr std::size_t kRowWords = 8;                             ///< x and y of a point, a line of the cache

/// Tables of keys that come again: the odd multiples of 2^(35 j) Q and of the same times lambda for j < 4, affine, so
/// that the digits stand in 4 rows of 7 and their sum takes 30 doublings instead of 125. That of G is alike, by 40
/// bits.
inline constexpr std::size_t kTurnsQ = 7, kTurnsG = 4;  ///< digits of a row
inline constexpr std::size_t kTableQ = (kDigitsQ + kTurnsQ - 1) / kTurnsQ;
inline constexpr std::size_t kTableG = (kDigitsG + kTurnsG - 1) / kTurnsG;
/// Where the multiples of 2^(35 j) Q (2^(40 j) G) begin: behind the whole of the plain table, of `front` rows.
constexpr std::size_t first_row(std::size_t j, std::size_t multiples, std::size_t front) {
  return j == 0 ? 0 : front + (j - 1) * 2 * multiples;
}
inline constexpr std::size_t kKeyTableWords = first_row(kTableQ, kRowsQ, kRowsTableQ) * kRowWords;
inline constexpr std::size_t kAllRowsG = first_row(kTableG, kRowsG, kRowsTableG);

/// Digits of one number for each item, in the order of lanes: item i is lane i % lanes of group i / lanes.
template <std::size_t kDigits>
struct Digits {
  std::uint16_t row[kChunk * kDigits];           ///< [group][digit][lane]: (|digit| - 1) / 2
  std::uint32_t negative[kChunk / 8 * kDigits];  ///< [group][digit]: bit l is lane l's sign
};

/// A chunk: R = [u1]G + [u2]Q for each item, u1 and u2 as digits of halves, n = n1 + n2 lambda. Items from `count` to
/// the next multiple of the lanes are padding with any content within range.
struct Chunk {
  std::size_t count = 0;
  bool compressed = false;  ///< the root gives y, with the parity of key_odd
  bool compare = false;     ///< ECDSA: compare x with r instead of giving R
  bool evidence = false;    ///< then the digits are those of n >> 16, and the low ones follow
  bool known = false;       ///< every item, padding too, has key_table; then `key` is not read
  const std::uint64_t* key_table[kChunk];
  alignas(64) std::uint64_t key[8][kChunk];  ///< x, y (none when compressed), below p
  std::uint8_t key_odd[kChunk];
  alignas(64) std::uint64_t r[4][kChunk];         ///< below p
  alignas(64) std::uint64_t r_plus_n[4][kChunk];  ///< r again where r + N >= p
  Digits<kDigitsQ> q[2];
  Digits<kDigitsG> g[2];
  Digits<kLowDigitsQ> low_q;           ///< of u2 mod 2^16
  std::uint32_t low_none[kChunk / 8];  ///< [group]: bit l: digit 0 of lane l's low_q is 0, whatever its row says
  Digits<2> low_g;                     ///< of u1 mod 2^16: an odd multiple of G, and a row of kLowRowsG
  // Out.
  std::uint8_t decoded[kChunk];    ///< the key is a point; not written when known
  std::uint8_t exception[kChunk];  ///< an addition met its exception, or the result is infinity: nothing else counts
  std::uint8_t matches[kChunk];    ///< compare: x(R) = r or r + N
  alignas(64) std::uint64_t point[8][kChunk];  ///< without compare: R
  alignas(64) std::uint64_t pause[8][kChunk];  ///< with evidence: [u1 >> 16]G + [u2 >> 16]Q
};

struct Ops {
  const char* isa;
  std::size_t lanes;
  std::size_t workspace_bytes;
  /// `base_table`: kRowsTableG multiples of G, then the odd ones of 2^40 G, 2^80 G and 2^120 G and of these times
  /// lambda; kRowWords words each, aligned to 64 bytes.
  void (*run)(Chunk& chunk, const std::uint64_t* base_table, void* workspace);
  /// Makes the tables of the first `lanes` keys of the chunk, and says in `decoded` which are points; table[lane] has
  /// kKeyTableWords, aligned to 64 bytes. Lanes with the same key may share one.
  void (*make_key_tables)(Chunk& chunk, std::uint64_t* const* table, void* workspace);
};

const Ops& avx2_ops();
const Ops& avx512_ops();

}  // namespace sparkmill::secp256k1::cpu

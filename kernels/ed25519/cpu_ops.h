// SPDX-License-Identifier: Apache-2.0
// The border between the baseline (cpu.cpp) and the files with wider instructions (cpu_<isa>.cpp): plain arrays only.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sparkmill::ed25519::cpu {

inline constexpr std::size_t kChunk = 256;   ///< items of one call; a multiple of all lane counts
inline constexpr unsigned kWindowA = 5;      ///< bits of a signed digit of k: table of 0 .. 16 times -A
inline constexpr unsigned kWindowB = 9;      ///< of S: table of 0 .. 256 times B
inline constexpr std::size_t kDigitsA = 52;  ///< at most, in either schedule
inline constexpr std::size_t kDigitsB = 29;
inline constexpr std::size_t kTop = 256;  ///< bits a schedule covers
/// Below bit 16, with evidence: digits that are never negative and still within the tables.
inline constexpr unsigned kLowA = 4, kLowB = 8;

/// Tables of keys that come again: of 0 .. 16 times 2^(35 j) (-A) for j < 8, so that the digits of k stand in 8 rows of
/// 7 and their sum takes 30 doublings instead of 252. That of B is alike.
inline constexpr std::size_t kTurnsA = 7, kTurnsB = 4;  ///< digits of a row
inline constexpr std::size_t kRowsA = (kDigitsA + kTurnsA - 1) / kTurnsA;
inline constexpr std::size_t kRowsB = (kDigitsB + kTurnsB - 1) / kTurnsB;
inline constexpr std::size_t kEntriesA = (std::size_t{1} << (kWindowA - 1)) + 1;
inline constexpr std::size_t kEntriesB = (std::size_t{1} << (kWindowB - 1)) + 1;

/// At which bits the digits stand. Digits are in order of their bits.
struct Schedule {
  std::int8_t a[kTop];  ///< [bit]: number of the digit of k that is added there, or -1
  std::int8_t b[kTop];
  unsigned top;                  ///< bit of the highest digit
  int pause;                     ///< after this bit the sum is the evidence; -1: no evidence
  std::size_t low_a, low_b;      ///< digits below that bit
  std::size_t count_a, count_b;  ///< of all
};

/// A chunk in the order of lanes: item i is lane i % lanes of group i / lanes. Items from `count` to the next multiple
/// of the lanes are padding with any content.
struct Chunk {
  std::size_t count = 0;
  const Schedule* schedule = nullptr;
  bool cofactored = false;
  bool known = false;  ///< every item, padding too, has key_table; then `key` is not read
  const std::uint64_t* key_table[kChunk];
  std::int16_t a[kChunk * kDigitsA];         ///< digits of k, -16 .. 16: [group][digit][lane], a group's lie together
  std::int16_t b[kChunk * kDigitsB];         ///< digits of S, -256 .. 256
  alignas(64) std::uint64_t key[4][kChunk];  ///< A, little-endian words, all 256 bits
  alignas(64) std::uint64_t r[4][kChunk];    ///< R; read when cofactored
  // Out. Items whose A (or, cofactored, R) has no point get any bytes and `decoded` 0.
  alignas(64) std::uint64_t point[4][kChunk];     ///< enc(SB - kA); cofactored: 0 in all words when 8 (SB - R - kA) = 0
  alignas(64) std::uint64_t evidence[4][kChunk];  ///< enc of the sum after schedule->pause
  std::uint8_t a_decoded[kChunk];                 ///< not written when known
  std::uint8_t r_decoded[kChunk];                 ///< written when cofactored
};

/// A chunk of ECVRF proofs, in the same order of lanes: U = sB - cY, V = sH - c Gamma.
struct VrfChunk {
  std::size_t count = 0;
  bool elligator = false;                    ///< h[0] is the field element that ELL2 maps; else h is x and y
  alignas(64) std::uint64_t key[4][kChunk];  ///< Y
  alignas(64) std::uint64_t gamma[4][kChunk];
  alignas(64) std::uint64_t h[2][4][kChunk];  ///< what H is eight times of
  std::int16_t s[kChunk * kDigitsA];          ///< digits as in Chunk
  std::int16_t c[kChunk * kDigitsA];          ///< the first kDigitsC are read
  std::int16_t s_base[kChunk * kDigitsB];
  // Out.
  enum : std::size_t { kH, kEightGamma, kU, kV, kPoints };
  alignas(64) std::uint64_t point[kPoints][4][kChunk];  ///< encoded
  std::uint8_t key_decoded[kChunk], gamma_decoded[kChunk];
};
inline constexpr std::size_t kDigitsC = 26;  ///< of 128 bits

/// One message of many: SHA-512(R || A || M), or of M alone where r is null.
struct HashJob {
  const std::uint8_t* r;
  const std::uint8_t* a;
  const std::uint8_t* message;
  std::size_t bytes;        ///< of the message
  std::uint64_t digest[8];  ///< out: the words of the digest, big-endian bytes
};

struct Ops {
  const char* isa;
  std::size_t lanes;
  std::size_t side_by_side;  ///< items whose ladders run together
  std::size_t workspace_bytes;
  /// Makes the tables of multiples of B; `table` has base_table_bytes, aligned to 64.
  std::size_t base_table_bytes;
  void (*make_base_table)(std::uint64_t* table, void* workspace);
  /// Makes the tables of the first `lanes` keys of the chunk, and says in a_decoded which are points; table[lane] has
  /// key_table_bytes, aligned to 64. Lanes with the same key may share one.
  std::size_t key_table_bytes;
  void (*make_key_tables)(Chunk& chunk, std::uint64_t* const* table, void* workspace);
  void (*hash)(HashJob* jobs, std::size_t count);
  void (*verify)(Chunk& chunk, const std::uint64_t* base_table, void* workspace);
  /// x of the points encoded in `word`, below p, and which are points.
  void (*decode)(const std::uint64_t (*word)[kChunk], std::size_t count, std::uint64_t (*x)[kChunk],
                 std::uint8_t* good);
  std::size_t vrf_workspace_bytes;
  void (*vrf)(VrfChunk& chunk, const std::uint64_t* base_table, void* workspace);
};

const Ops& avx2_ops();
const Ops& avx512_ops();

}  // namespace sparkmill::ed25519::cpu

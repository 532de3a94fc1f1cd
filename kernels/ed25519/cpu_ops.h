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

/// At which bits the digits stand. Digits are in order of their bits.
struct Schedule {
  std::int8_t a[kTop];  ///< [bit]: number of the digit of k that is added there, or -1
  std::int8_t b[kTop];
  unsigned top;  ///< bit of the highest digit
  int pause;     ///< after this bit the sum is the evidence; -1: no evidence
};

/// A chunk in the order of lanes: item i is lane i % lanes of group i / lanes. Items from `count` to the next multiple
/// of the lanes are padding with any content.
struct Chunk {
  std::size_t count = 0;
  const Schedule* schedule = nullptr;
  bool cofactored = false;
  std::int16_t a[kChunk * kDigitsA];         ///< digits of k, -16 .. 16: [group][digit][lane], a group's lie together
  std::int16_t b[kChunk * kDigitsB];         ///< digits of S, -256 .. 256
  alignas(64) std::uint64_t key[4][kChunk];  ///< A, little-endian words, all 256 bits
  alignas(64) std::uint64_t r[4][kChunk];    ///< R; read when cofactored
  // Out. Items whose A (or, cofactored, R) has no point get any bytes and `decoded` 0.
  alignas(64) std::uint64_t point[4][kChunk];     ///< enc(SB - kA); cofactored: 0 in all words when 8 (SB - R - kA) = 0
  alignas(64) std::uint64_t evidence[4][kChunk];  ///< enc of the sum after schedule->pause
  std::uint8_t a_decoded[kChunk];
  std::uint8_t r_decoded[kChunk];  ///< written when cofactored
};

/// One message of many: SHA-512(R || A || M).
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
  std::size_t workspace_bytes;
  /// Makes the table of multiples of B; `table` has base_table_bytes, aligned to 64.
  std::size_t base_table_bytes;
  void (*make_base_table)(std::uint64_t* table, void* workspace);
  void (*hash)(HashJob* jobs, std::size_t count);
  void (*verify)(Chunk& chunk, const std::uint64_t* base_table, void* workspace);
};

const Ops& avx2_ops();
const Ops& avx512_ops();

}  // namespace sparkmill::ed25519::cpu

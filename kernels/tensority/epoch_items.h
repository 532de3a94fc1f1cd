// SPDX-License-Identifier: Apache-2.0
// Places of the seed stage's items, and sixteen seeds at once. Plain types only: a file with ISA flags must not
// instantiate library templates that baseline code could be linked to.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sparkmill::tensority {

inline constexpr unsigned kChunks = 128;
inline constexpr unsigned kItems = 1024;  ///< of a chunk
inline constexpr unsigned kItemWords = 32;
inline constexpr std::size_t kChunkBytes = std::size_t{kItems} * kItemWords * 4;  ///< two matrices

/// Where item i of a chunk starts in the chunk's two matrices: even items make the first, odd ones the second, two a
/// row.
constexpr std::size_t item_offset(unsigned i) {
  return i % 2 * (kChunkBytes / 2) + i / 4 * std::size_t{256} + i / 2 % 2 * std::size_t{128};
}

inline constexpr unsigned kLanes = 16;

/// A chunk of sixteen chains: fills lists[s] .. + kChunkBytes of each seed s (64-byte aligned; lanes may name the same
/// place if their words are the same) and leaves where the next chunk starts. words[k][s]: word k of seed s. About
/// 0.3 ms.
void fill_chunk_avx512(std::uint32_t (*words)[kLanes], std::int8_t* const* lists);

}  // namespace sparkmill::tensority

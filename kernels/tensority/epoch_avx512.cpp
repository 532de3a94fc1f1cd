// SPDX-License-Identifier: Apache-2.0
// Sixteen seeds side by side: a register holds one word of sixteen chains. Items are turned into rows of their seeds
// when they are stored, which is the form the list wants, and back when they are mixed in: cheaper than gathering 32
// words from sixteen places.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // g++ 12 trips over its own _mm512_undefined
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>

#include "kernels/tensority/epoch_items.h"
#include "kernels/tensority/salsa.h"

namespace sparkmill::tensority {
namespace {

using V = __m512i;

struct Ops {
  using Word = V;
  template <int kBits>
  static SPARKMILL_SALSA V step(V to, V a, V b) {
    return _mm512_xor_si512(to, _mm512_rol_epi32(_mm512_add_epi32(a, b), kBits));
  }
  static SPARKMILL_SALSA V add(V a, V b) { return _mm512_add_epi32(a, b); }
  static SPARKMILL_SALSA V exclusive_or(V a, V b) { return _mm512_xor_si512(a, b); }
};

/// Word k of lane s becomes word s of lane k.
SPARKMILL_SALSA void transpose(V* x) {
  V pairs[16], fours[16];
#pragma GCC unroll 8
  for (unsigned i = 0; i < 16; i += 2) {
    pairs[i] = _mm512_unpacklo_epi32(x[i], x[i + 1]);
    pairs[i + 1] = _mm512_unpackhi_epi32(x[i], x[i + 1]);
  }
#pragma GCC unroll 4
  for (unsigned i = 0; i < 16; i += 4) {
    fours[i] = _mm512_unpacklo_epi64(pairs[i], pairs[i + 2]);
    fours[i + 1] = _mm512_unpackhi_epi64(pairs[i], pairs[i + 2]);
    fours[i + 2] = _mm512_unpacklo_epi64(pairs[i + 1], pairs[i + 3]);
    fours[i + 3] = _mm512_unpackhi_epi64(pairs[i + 1], pairs[i + 3]);
  }
#pragma GCC unroll 4
  for (unsigned c = 0; c < 4; ++c) {  // quarter q of fours[4 g + c]: rows 4 g .. 4 g + 3 of column 4 q + c
    const V even_low = _mm512_shuffle_i32x4(fours[c], fours[4 + c], 0x88);
    const V even_high = _mm512_shuffle_i32x4(fours[8 + c], fours[12 + c], 0x88);
    const V odd_low = _mm512_shuffle_i32x4(fours[c], fours[4 + c], 0xdd);
    const V odd_high = _mm512_shuffle_i32x4(fours[8 + c], fours[12 + c], 0xdd);
    x[c] = _mm512_shuffle_i32x4(even_low, even_high, 0x88);
    x[4 + c] = _mm512_shuffle_i32x4(odd_low, odd_high, 0x88);
    x[8 + c] = _mm512_shuffle_i32x4(even_low, even_high, 0xdd);
    x[12 + c] = _mm512_shuffle_i32x4(odd_low, odd_high, 0xdd);
  }
}

constexpr std::size_t kHalf = 64;  // bytes of half an item: 16 words

void store_items(const V* x, unsigned item, std::int8_t* const* lists) {
  const std::size_t at = item_offset(item);
  for (unsigned half = 0; half < 2; ++half) {
    V words[16];
#pragma GCC unroll 16
    for (unsigned k = 0; k < 16; ++k) words[k] = x[16 * half + k];
    transpose(words);
#pragma GCC unroll 16
    for (unsigned s = 0; s < kLanes; ++s) _mm512_store_si512(lists[s] + at + half * kHalf, words[s]);
  }
}

/// x ^= the item that word 16 of each lane names.
void mix_in_items(V* x, const std::int8_t* const* lists) {
  alignas(64) std::uint32_t item[kLanes];
  _mm512_store_si512(item, _mm512_and_si512(x[16], _mm512_set1_epi32(kItems - 1)));
  const std::int8_t* from[kLanes];
  for (unsigned s = 0; s < kLanes; ++s) from[s] = lists[s] + item_offset(item[s]);
  for (unsigned half = 0; half < 2; ++half) {
    V words[16];
#pragma GCC unroll 16
    for (unsigned s = 0; s < kLanes; ++s) words[s] = _mm512_load_si512(from[s] + half * kHalf);
    transpose(words);
#pragma GCC unroll 16
    for (unsigned k = 0; k < 16; ++k) x[16 * half + k] = _mm512_xor_si512(x[16 * half + k], words[k]);
  }
}

}  // namespace

void fill_chunk_avx512(std::uint32_t (*words)[kLanes], std::int8_t* const* lists) {
  V x[kItemWords];
  for (unsigned k = 0; k < kItemWords; ++k) x[k] = _mm512_loadu_si512(words[k]);
  for (unsigned i = 0; i < kItems; ++i) {
    store_items(x, i, lists);
    Salsa<Ops>::mix(x);
  }
  for (unsigned i = 0; i < kItems; ++i) {
    mix_in_items(x, lists);
    Salsa<Ops>::mix(x);
  }
  for (unsigned k = 0; k < kItemWords; ++k) _mm512_storeu_si512(words[k], x[k]);
}

}  // namespace sparkmill::tensority

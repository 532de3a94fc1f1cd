// SPDX-License-Identifier: Apache-2.0
// AVX-512: 16 lanes of SHA-256, 8 of the others. Rotations are one instruction and every function of three words is
// one vpternlog; Keccak's 25 lanes fit in the 32 registers.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"  // g++ 12 means its own header's _mm512_undefined_epi32
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include "kernels/hash/cpu_impl.h"

namespace sparkmill::hashes::cpu {
namespace {

/// Rows of eight 64-bit words become columns.
SPARKMILL_INLINE void transpose8(__m512i (&r)[8], __m512i* out) {
  __m512i t[8], u[8];
  for (unsigned k = 0; k < 8; k += 2) {
    t[k] = _mm512_unpacklo_epi64(r[k], r[k + 1]);
    t[k + 1] = _mm512_unpackhi_epi64(r[k], r[k + 1]);
  }
  for (unsigned k = 0; k < 2; ++k) {
    u[k] = _mm512_shuffle_i64x2(t[k], t[k + 2], 0x88);
    u[k + 2] = _mm512_shuffle_i64x2(t[k], t[k + 2], 0xdd);
    u[k + 4] = _mm512_shuffle_i64x2(t[k + 4], t[k + 6], 0x88);
    u[k + 6] = _mm512_shuffle_i64x2(t[k + 4], t[k + 6], 0xdd);
  }
  for (unsigned k = 0; k < 2; ++k) {
    out[k] = _mm512_shuffle_i64x2(u[k], u[k + 4], 0x88);
    out[k + 4] = _mm512_shuffle_i64x2(u[k], u[k + 4], 0xdd);
    out[k + 2] = _mm512_shuffle_i64x2(u[k + 2], u[k + 6], 0x88);
    out[k + 6] = _mm512_shuffle_i64x2(u[k + 2], u[k + 6], 0xdd);
  }
}

/// Words first .. first + 7 of each lane's block.
SPARKMILL_INLINE void words8(const std::uint8_t* const* blocks, unsigned first, __m512i* out) {
  __m512i rows[8];
  for (unsigned lane = 0; lane < 8; ++lane) rows[lane] = _mm512_loadu_si512(blocks[lane] + first * 8);
  transpose8(rows, out);
}

struct Lanes64 {
  using T = __m512i;
  static constexpr unsigned lanes = 8;
  static SPARKMILL_INLINE T load(const std::uint64_t* p) { return _mm512_load_si512(p); }
  static SPARKMILL_INLINE void store(std::uint64_t* p, T v) { _mm512_store_si512(p, v); }
  static SPARKMILL_INLINE T set1(std::uint64_t v) { return _mm512_set1_epi64(static_cast<long long>(v)); }
  static SPARKMILL_INLINE T add(T a, T b) { return _mm512_add_epi64(a, b); }
  static SPARKMILL_INLINE T bit_xor(T a, T b) { return _mm512_xor_si512(a, b); }
  static SPARKMILL_INLINE T xor3(T a, T b, T c) { return _mm512_ternarylogic_epi64(a, b, c, 0x96); }
  static SPARKMILL_INLINE T choose(T e, T f, T g) { return _mm512_ternarylogic_epi64(e, f, g, 0xca); }
  static SPARKMILL_INLINE T majority(T a, T b, T c) { return _mm512_ternarylogic_epi64(a, b, c, 0xe8); }
  static SPARKMILL_INLINE T chi(T a, T b, T c) { return _mm512_ternarylogic_epi64(a, b, c, 0xd2); }
  template <int n>
  static SPARKMILL_INLINE T rotr(T x) {
    return _mm512_ror_epi64(x, n);
  }
  template <int n>
  static SPARKMILL_INLINE T rotl(T x) {
    return _mm512_rol_epi64(x, n);
  }
  template <int n>
  static SPARKMILL_INLINE T shr(T x) {
    return _mm512_srli_epi64(x, n);
  }
  static SPARKMILL_INLINE void blocks(const std::uint8_t* const* from, T (&w)[16]) {
    const T swap = _mm512_set4_epi32(0x08090a0b, 0x0c0d0e0f, 0x00010203, 0x04050607);
    words8(from, 0, w);
    words8(from, 8, w + 8);
    for (T& word : w) word = _mm512_shuffle_epi8(word, swap);
  }
  static SPARKMILL_INLINE void words17(const std::uint8_t* const* from, T* w) {
    words8(from, 0, w);
    words8(from, 8, w + 8);
    alignas(64) std::uint64_t last[8];
    for (unsigned lane = 0; lane < 8; ++lane) __builtin_memcpy(&last[lane], from[lane] + 128, 8);
    w[16] = load(last);
  }
};

struct Lanes32 {
  using T = __m512i;
  static constexpr unsigned lanes = 16;
  static SPARKMILL_INLINE T load(const std::uint32_t* p) { return _mm512_load_si512(p); }
  static SPARKMILL_INLINE void store(std::uint32_t* p, T v) { _mm512_store_si512(p, v); }
  static SPARKMILL_INLINE T set1(std::uint32_t v) { return _mm512_set1_epi32(static_cast<int>(v)); }
  static SPARKMILL_INLINE T add(T a, T b) { return _mm512_add_epi32(a, b); }
  static SPARKMILL_INLINE T xor3(T a, T b, T c) { return _mm512_ternarylogic_epi32(a, b, c, 0x96); }
  static SPARKMILL_INLINE T choose(T e, T f, T g) { return _mm512_ternarylogic_epi32(e, f, g, 0xca); }
  static SPARKMILL_INLINE T majority(T a, T b, T c) { return _mm512_ternarylogic_epi32(a, b, c, 0xe8); }
  template <int n>
  static SPARKMILL_INLINE T rotr(T x) {
    return _mm512_ror_epi32(x, n);
  }
  template <int n>
  static SPARKMILL_INLINE T shr(T x) {
    return _mm512_srli_epi32(x, n);
  }
  /// Pairs of words by two 8 x 8 transposes, one for each half of the lanes; then words of both halves side by side.
  static SPARKMILL_INLINE void blocks(const std::uint8_t* const* from, T (&w)[16]) {
    const T swap = _mm512_set4_epi32(0x0c0d0e0f, 0x08090a0b, 0x04050607, 0x00010203);
    const T even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const T odd = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
    T low[8], high[8];
    words8(from, 0, low);
    words8(from + 8, 0, high);
    for (unsigned k = 0; k < 8; ++k) {
      const T l = _mm512_shuffle_epi8(low[k], swap), h = _mm512_shuffle_epi8(high[k], swap);
      w[2 * k] = _mm512_permutex2var_epi32(l, even, h);
      w[2 * k + 1] = _mm512_permutex2var_epi32(l, odd, h);
    }
  }
};

constexpr Ops kOps = {
    "avx512", Lanes32::lanes, Lanes64::lanes, sha256_blocks<Lanes32>, sha512_blocks<Lanes64>, keccak_blocks<Lanes64>};

}  // namespace

const Ops& avx512_ops() { return kOps; }

}  // namespace sparkmill::hashes::cpu

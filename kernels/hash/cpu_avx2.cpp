// SPDX-License-Identifier: Apache-2.0
// AVX2: 8 lanes of SHA-256, 4 of the others. A rotation is two shifts and an or (whole bytes: one shuffle); Keccak's
// lanes do not fit in 16 registers and live in the first-level cache.
#include "kernels/hash/cpu_impl.h"

namespace sparkmill::hashes::cpu {
namespace {

/// Words first .. first + 3 of each lane's block, 4 x 4 transposed.
SPARKMILL_INLINE void words4(const std::uint8_t* const* blocks, unsigned first, __m256i* out) {
  __m256i r[4];
  for (unsigned lane = 0; lane < 4; ++lane)
    r[lane] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(blocks[lane] + first * 8));
  const __m256i t0 = _mm256_unpacklo_epi64(r[0], r[1]), t1 = _mm256_unpackhi_epi64(r[0], r[1]);
  const __m256i t2 = _mm256_unpacklo_epi64(r[2], r[3]), t3 = _mm256_unpackhi_epi64(r[2], r[3]);
  out[0] = _mm256_permute2x128_si256(t0, t2, 0x20), out[1] = _mm256_permute2x128_si256(t1, t3, 0x20);
  out[2] = _mm256_permute2x128_si256(t0, t2, 0x31), out[3] = _mm256_permute2x128_si256(t1, t3, 0x31);
}

struct Common {
  using T = __m256i;
  static SPARKMILL_INLINE T bit_xor(T a, T b) { return _mm256_xor_si256(a, b); }
  static SPARKMILL_INLINE T xor3(T a, T b, T c) { return _mm256_xor_si256(_mm256_xor_si256(a, b), c); }
  static SPARKMILL_INLINE T choose(T e, T f, T g) {
    return _mm256_xor_si256(g, _mm256_and_si256(e, _mm256_xor_si256(f, g)));
  }
  static SPARKMILL_INLINE T majority(T a, T b, T c) {
    return _mm256_or_si256(_mm256_and_si256(a, b), _mm256_and_si256(c, _mm256_or_si256(a, b)));
  }
  static SPARKMILL_INLINE T chi(T a, T b, T c) { return _mm256_xor_si256(a, _mm256_andnot_si256(b, c)); }
  static SPARKMILL_INLINE T bytes(T x, long long low, long long high) {
    return _mm256_shuffle_epi8(x, _mm256_setr_epi64x(low, high, low, high));
  }
};

struct Lanes64 : Common {
  static constexpr unsigned lanes = 4;
  static SPARKMILL_INLINE T load(const std::uint64_t* p) { return _mm256_load_si256(reinterpret_cast<const T*>(p)); }
  static SPARKMILL_INLINE void store(std::uint64_t* p, T v) { _mm256_store_si256(reinterpret_cast<T*>(p), v); }
  static SPARKMILL_INLINE T set1(std::uint64_t v) { return _mm256_set1_epi64x(static_cast<long long>(v)); }
  static SPARKMILL_INLINE T add(T a, T b) { return _mm256_add_epi64(a, b); }
  template <int n>
  static SPARKMILL_INLINE T rotr(T x) {
    if constexpr (n == 8) return bytes(x, 0x0007060504030201, 0x080f0e0d0c0b0a09);
    return _mm256_or_si256(_mm256_srli_epi64(x, n), _mm256_slli_epi64(x, 64 - n));
  }
  template <int n>
  static SPARKMILL_INLINE T rotl(T x) {
    if constexpr (n == 8 || n == 56) return rotr<64 - n>(x);
    return _mm256_or_si256(_mm256_slli_epi64(x, n), _mm256_srli_epi64(x, 64 - n));
  }
  template <int n>
  static SPARKMILL_INLINE T shr(T x) {
    return _mm256_srli_epi64(x, n);
  }
  static SPARKMILL_INLINE void blocks(const std::uint8_t* const* from, T (&w)[16]) {
    for (unsigned k = 0; k < 16; k += 4) words4(from, k, w + k);
    for (T& word : w) word = bytes(word, 0x0001020304050607, 0x08090a0b0c0d0e0f);
  }
  static SPARKMILL_INLINE void words17(const std::uint8_t* const* from, T* w) {
    for (unsigned k = 0; k < 16; k += 4) words4(from, k, w + k);
    alignas(32) std::uint64_t last[4];
    for (unsigned lane = 0; lane < 4; ++lane) __builtin_memcpy(&last[lane], from[lane] + 128, 8);
    w[16] = load(last);
  }
};

struct Lanes32 : Common {
  static constexpr unsigned lanes = 8;
  static SPARKMILL_INLINE T load(const std::uint32_t* p) { return _mm256_load_si256(reinterpret_cast<const T*>(p)); }
  static SPARKMILL_INLINE void store(std::uint32_t* p, T v) { _mm256_store_si256(reinterpret_cast<T*>(p), v); }
  static SPARKMILL_INLINE T set1(std::uint32_t v) { return _mm256_set1_epi32(static_cast<int>(v)); }
  static SPARKMILL_INLINE T add(T a, T b) { return _mm256_add_epi32(a, b); }
  template <int n>
  static SPARKMILL_INLINE T rotr(T x) {
    return _mm256_or_si256(_mm256_srli_epi32(x, n), _mm256_slli_epi32(x, 32 - n));
  }
  template <int n>
  static SPARKMILL_INLINE T shr(T x) {
    return _mm256_srli_epi32(x, n);
  }
  /// Pairs of words by transposes for each half of the lanes; then words of both halves side by side.
  static SPARKMILL_INLINE void blocks(const std::uint8_t* const* from, T (&w)[16]) {
    for (unsigned k = 0; k < 8; k += 4) {
      T low[4], high[4];
      words4(from, k, low);
      words4(from + 4, k, high);
      for (unsigned j = 0; j < 4; ++j) {
        // [even words of four lanes, odd words of them], bytes turned.
        const T order = _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7);
        const T l = _mm256_permutevar8x32_epi32(bytes(low[j], 0x0405060700010203, 0x0c0d0e0f08090a0b), order);
        const T h = _mm256_permutevar8x32_epi32(bytes(high[j], 0x0405060700010203, 0x0c0d0e0f08090a0b), order);
        w[2 * (k + j)] = _mm256_permute2x128_si256(l, h, 0x20);
        w[2 * (k + j) + 1] = _mm256_permute2x128_si256(l, h, 0x31);
      }
    }
  }
};

constexpr Ops kOps = {
    "avx2", Lanes32::lanes, Lanes64::lanes, sha256_blocks<Lanes32>, sha512_blocks<Lanes64>, keccak_blocks<Lanes64>};

}  // namespace

const Ops& avx2_ops() { return kOps; }

}  // namespace sparkmill::hashes::cpu

// SPDX-License-Identifier: Apache-2.0
// The compressions and the permutation over vectors of lanes, one body for every ISA. A file with ISA flags includes
// it and gives the vector operations; everything is in an unnamed namespace.
#pragma once

#include <immintrin.h>

#include "kernels/hash/constants.h"
#include "kernels/hash/cpu_ops.h"

#define SPARKMILL_INLINE inline __attribute__((always_inline))

namespace sparkmill::hashes::cpu {
namespace {

// V: T (the vector), lanes, load, store, set1, add, xor3(a, b, c), choose(e, f, g) = e ? f : g, majority,
// chi(a, b, c) = a ^ (~b & c), rotr<n>, rotl<n>, shr<n>, blocks(pointers, w): 16 big-endian words of each lane's block.

template <class V>
struct Sha256Steps {
  using T = typename V::T;
  static SPARKMILL_INLINE T upper0(T x) {
    return V::xor3(V::template rotr<2>(x), V::template rotr<13>(x), V::template rotr<22>(x));
  }
  static SPARKMILL_INLINE T upper1(T x) {
    return V::xor3(V::template rotr<6>(x), V::template rotr<11>(x), V::template rotr<25>(x));
  }
  static SPARKMILL_INLINE T lower0(T x) {
    return V::xor3(V::template rotr<7>(x), V::template rotr<18>(x), V::template shr<3>(x));
  }
  static SPARKMILL_INLINE T lower1(T x) {
    return V::xor3(V::template rotr<17>(x), V::template rotr<19>(x), V::template shr<10>(x));
  }
};

template <class V>
struct Sha512Steps {
  using T = typename V::T;
  static SPARKMILL_INLINE T upper0(T x) {
    return V::xor3(V::template rotr<28>(x), V::template rotr<34>(x), V::template rotr<39>(x));
  }
  static SPARKMILL_INLINE T upper1(T x) {
    return V::xor3(V::template rotr<14>(x), V::template rotr<18>(x), V::template rotr<41>(x));
  }
  static SPARKMILL_INLINE T lower0(T x) {
    return V::xor3(V::template rotr<1>(x), V::template rotr<8>(x), V::template shr<7>(x));
  }
  static SPARKMILL_INLINE T lower1(T x) {
    return V::xor3(V::template rotr<19>(x), V::template rotr<61>(x), V::template shr<6>(x));
  }
};

/// Round t on the eight variables that start at v[(8 - t) % 8]: they move instead of being moved. Message words are
/// made 16 rounds before they are used, in place.
template <class V, class Steps, unsigned kRound, bool kExtend>
SPARKMILL_INLINE void sha2_round(typename V::T (&v)[8], typename V::T (&w)[16], typename V::T constant) {
  using T = typename V::T;
  constexpr unsigned first = (64 * 2 - kRound) % 8;
  T &a = v[first], &b = v[(first + 1) % 8], &c = v[(first + 2) % 8], &d = v[(first + 3) % 8];
  T &e = v[(first + 4) % 8], &f = v[(first + 5) % 8], &g = v[(first + 6) % 8], &h = v[(first + 7) % 8];
  T& word = w[kRound % 16];
  if constexpr (kExtend) {
    word = V::add(V::add(word, Steps::lower0(w[(kRound + 1) % 16])),
                  V::add(w[(kRound + 9) % 16], Steps::lower1(w[(kRound + 14) % 16])));
  }
  const T t1 = V::add(V::add(V::add(h, constant), V::add(word, V::choose(e, f, g))), Steps::upper1(e));
  d = V::add(d, t1);
  h = V::add(t1, V::add(Steps::upper0(a), V::majority(a, b, c)));
}

#define SPARKMILL_SHA2_ROUND(t, k) sha2_round<V, Steps, t, (t >= 16)>(v, w, V::set1(k));

template <class V>
void sha256_blocks(std::uint32_t* state, const std::uint8_t* const* blocks) {
  using Steps = Sha256Steps<V>;
  typename V::T v[8], w[16];
  V::blocks(blocks, w);
  for (unsigned k = 0; k < 8; ++k) v[k] = V::load(state + k * V::lanes);
  SM_SHA256_ROUNDS(SPARKMILL_SHA2_ROUND)
  for (unsigned k = 0; k < 8; ++k) V::store(state + k * V::lanes, V::add(v[k], V::load(state + k * V::lanes)));
}

template <class V>
void sha512_blocks(std::uint64_t* state, const std::uint8_t* const* blocks) {
  using Steps = Sha512Steps<V>;
  typename V::T v[8], w[16];
  V::blocks(blocks, w);
  for (unsigned k = 0; k < 8; ++k) v[k] = V::load(state + k * V::lanes);
  SM_SHA512_ROUNDS(SPARKMILL_SHA2_ROUND)
  for (unsigned k = 0; k < 8; ++k) V::store(state + k * V::lanes, V::add(v[k], V::load(state + k * V::lanes)));
}

#undef SPARKMILL_SHA2_ROUND

/// One row of chi: five lanes of the new state from five turned ones.
template <class V>
SPARKMILL_INLINE void chi_row(typename V::T* to, typename V::T b0, typename V::T b1, typename V::T b2, typename V::T b3,
                              typename V::T b4) {
  to[0] = V::chi(b0, b1, b2), to[1] = V::chi(b1, b2, b3), to[2] = V::chi(b2, b3, b4);
  to[3] = V::chi(b3, b4, b0), to[4] = V::chi(b4, b0, b1);
}

template <class V>
SPARKMILL_INLINE void keccak_round(const typename V::T* a, typename V::T* out, std::uint64_t constant) {
  using T = typename V::T;
  const T c0 = V::xor3(V::xor3(a[0], a[5], a[10]), a[15], a[20]),
          c1 = V::xor3(V::xor3(a[1], a[6], a[11]), a[16], a[21]);
  const T c2 = V::xor3(V::xor3(a[2], a[7], a[12]), a[17], a[22]),
          c3 = V::xor3(V::xor3(a[3], a[8], a[13]), a[18], a[23]);
  const T c4 = V::xor3(V::xor3(a[4], a[9], a[14]), a[19], a[24]);
  const T r0 = V::template rotl<1>(c0), r1 = V::template rotl<1>(c1), r2 = V::template rotl<1>(c2);
  const T r3 = V::template rotl<1>(c3), r4 = V::template rotl<1>(c4);
  // theta adds two columns to each lane; rho turns it; pi says where it goes.
#define TURNED(k, left, right, by) V::template rotl<by>(V::xor3(a[k], c##left, r##right))
  chi_row<V>(out + 0, V::xor3(a[0], c4, r1), TURNED(6, 0, 2, 44), TURNED(12, 1, 3, 43), TURNED(18, 2, 4, 21),
             TURNED(24, 3, 0, 14));
  out[0] = V::bit_xor(out[0], V::set1(constant));
  chi_row<V>(out + 5, TURNED(3, 2, 4, 28), TURNED(9, 3, 0, 20), TURNED(10, 4, 1, 3), TURNED(16, 0, 2, 45),
             TURNED(22, 1, 3, 61));
  chi_row<V>(out + 10, TURNED(1, 0, 2, 1), TURNED(7, 1, 3, 6), TURNED(13, 2, 4, 25), TURNED(19, 3, 0, 8),
             TURNED(20, 4, 1, 18));
  chi_row<V>(out + 15, TURNED(4, 3, 0, 27), TURNED(5, 4, 1, 36), TURNED(11, 0, 2, 10), TURNED(17, 1, 3, 15),
             TURNED(23, 2, 4, 56));
  chi_row<V>(out + 20, TURNED(2, 1, 3, 62), TURNED(8, 2, 4, 55), TURNED(14, 3, 0, 39), TURNED(15, 4, 1, 41),
             TURNED(21, 0, 2, 2));
#undef TURNED
}

template <class V>
void keccak_blocks(std::uint64_t* state, const std::uint8_t* const* blocks) {
  static constexpr std::uint64_t kRounds[24] = {
#define ENTRY(round, constant) constant,
      SM_KECCAK_ROUNDS(ENTRY)
#undef ENTRY
  };
  using T = typename V::T;
  T a[25], b[25];
  V::words17(blocks, a);
  for (unsigned k = 0; k < 17; ++k) a[k] = V::bit_xor(a[k], V::load(state + k * V::lanes));
  for (unsigned k = 17; k < 25; ++k) a[k] = V::load(state + k * V::lanes);
  for (unsigned round = 0; round < 24; round += 2) {
    keccak_round<V>(a, b, kRounds[round]);
    keccak_round<V>(b, a, kRounds[round + 1]);
  }
  for (unsigned k = 0; k < 25; ++k) V::store(state + k * V::lanes, a[k]);
}

}  // namespace
}  // namespace sparkmill::hashes::cpu

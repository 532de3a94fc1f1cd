// SPDX-License-Identifier: Apache-2.0
// The mixing of the seed stage (Tensority page 1.2) over words of any width: one chain in plain registers, sixteen in
// vector registers. Included by one file of each; everything is inlined, so that no code is shared across ISA flags.
#pragma once

namespace sparkmill::tensority {
namespace {

#define SPARKMILL_SALSA inline __attribute__((always_inline))

/// `Ops` has Word, step<bits>(to, a, b) = to ^ rotl(a + b, bits), add and exclusive_or.
template <class Ops>
struct Salsa {
  using Word = typename Ops::Word;

  template <int kBits>
  static SPARKMILL_SALSA void step(Word* x, unsigned to, unsigned a, unsigned b) {
    x[to] = Ops::template step<kBits>(x[to], x[a], x[b]);
  }

  /// Half a double round: four quarter rounds side by side, so that four short chains run at once.
  static SPARKMILL_SALSA void columns(Word* x) {
    step<7>(x, 4, 0, 12), step<7>(x, 9, 5, 1), step<7>(x, 14, 10, 6), step<7>(x, 3, 15, 11);
    step<9>(x, 8, 4, 0), step<9>(x, 13, 9, 5), step<9>(x, 2, 14, 10), step<9>(x, 7, 3, 15);
    step<13>(x, 12, 8, 4), step<13>(x, 1, 13, 9), step<13>(x, 6, 2, 14), step<13>(x, 11, 7, 3);
    step<18>(x, 0, 12, 8), step<18>(x, 5, 1, 13), step<18>(x, 10, 6, 2), step<18>(x, 15, 11, 7);
  }
  static SPARKMILL_SALSA void rows(Word* x) {
    step<7>(x, 1, 0, 3), step<7>(x, 6, 5, 4), step<7>(x, 11, 10, 9), step<7>(x, 12, 15, 14);
    step<9>(x, 2, 1, 0), step<9>(x, 7, 6, 5), step<9>(x, 8, 11, 10), step<9>(x, 13, 12, 15);
    step<13>(x, 3, 2, 1), step<13>(x, 4, 7, 6), step<13>(x, 9, 8, 11), step<13>(x, 14, 13, 12);
    step<18>(x, 0, 3, 2), step<18>(x, 5, 4, 7), step<18>(x, 10, 9, 8), step<18>(x, 15, 14, 13);
  }

  /// b = salsa20/8(b xor with), 16 words each.
  static SPARKMILL_SALSA void block(Word* b, const Word* with) {
    Word x[16], in[16];
#pragma GCC unroll 16
    for (unsigned i = 0; i < 16; ++i) x[i] = in[i] = Ops::exclusive_or(b[i], with[i]);
    for (unsigned round = 0; round < 8; round += 2) {
      columns(x);
      rows(x);
    }
#pragma GCC unroll 16
    for (unsigned i = 0; i < 16; ++i) b[i] = Ops::add(in[i], x[i]);
  }

  /// mix of 32 words.
  static SPARKMILL_SALSA void mix(Word* x) {
    block(x, x + 16);
    block(x + 16, x);
  }
};

}  // namespace
}  // namespace sparkmill::tensority

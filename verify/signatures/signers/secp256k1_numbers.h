// SPDX-License-Identifier: Apache-2.0
// Multiples of secp256k1's generator for signers, by the oracle's arithmetic and one table a process: [n]G by 32
// additions, and inversions shared by many. Variable time.
#pragma once

#include <vector>

#include "base/bytes.h"
#include "base/hash.h"
#include "kernels/secp256k1/reference.h"

namespace sparkmill::signatures::secp256k1_numbers {

using Group = secp256k1::reference::Group<secp256k1::reference::Secp256k1>;
using Field = Group::F;
using Scalar = Group::S;
using Point = Group::Affine;

struct Multiple {
  Scalar n, inverse;  ///< a drawn number that is not 0, and 1 / n
  Point point;        ///< [n]G
};
/// Endless secrets with their points, made a number at a time.
class Multiples {
 public:
  /// `draw` outlives this.
  explicit Multiples(ChaChaWords& draw) : draw_(draw) {}
  Multiple next();

 private:
  void fill();
  ChaChaWords& draw_;
  std::vector<Multiple> made_;  ///< the next one last
};
/// Requires n that is not 0.
Point times_generator(const Scalar& n);

/// 32 bytes, big-endian, mod N.
Scalar scalar_of(ByteView bytes);
/// x(P) mod N.
Scalar x_as_scalar(const Point& p);
void append(const secp256k1::Words4& n, Bytes& out);
Bytes xy(const Point& p);                                 ///< X || Y
std::array<std::uint8_t, 33> compressed(const Point& p);  ///< 02 or 03 || X

}  // namespace sparkmill::signatures::secp256k1_numbers

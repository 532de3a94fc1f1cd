// SPDX-License-Identifier: Apache-2.0
#include "verify/signatures/signers/secp256k1_numbers.h"

#include <vector>

namespace sparkmill::signatures::secp256k1_numbers {
namespace {

constexpr std::size_t kRows = 32;      ///< bytes of a scalar
constexpr std::size_t kColumns = 256;  ///< values of a byte

/// [v 256^k]G at k * 256 + v; infinity at v = 0.
std::vector<Group::Point> make_table() {
  std::vector<Group::Point> table;
  table.reserve(kRows * kColumns);
  Group::Point unit = Group::point(Group::base());
  for (std::size_t k = 0; k < kRows; ++k) {
    Group::Point sum = Group::infinity();
    for (std::size_t v = 0; v < kColumns; ++v) {
      table.push_back(sum);
      sum = Group::add(sum, unit);
    }
    unit = sum;
  }
  return table;
}

}  // namespace

Point times_generator(const Scalar& n) {
  static const std::vector<Group::Point> table = make_table();
  Group::Point sum = Group::infinity();
  for (std::size_t k = 0; k < kRows; ++k) {
    const std::size_t v = n.number()[k / 8] >> (8 * (k % 8)) & 0xff;
    sum = Group::add(sum, table[k * kColumns + v]);
  }
  return Group::affine(sum);
}

Scalar scalar_of(ByteView bytes) { return Scalar::reduced(secp256k1::from_big_endian(bytes.data())); }

Scalar x_as_scalar(const Point& p) { return Scalar::reduced(p.x.number()); }

void append(const secp256k1::Words4& n, Bytes& out) {
  std::uint8_t bytes[32];
  secp256k1::to_big_endian(n, bytes);
  out.insert(out.end(), bytes, bytes + sizeof bytes);
}

Bytes xy(const Point& p) {
  Bytes out;
  append(p.x.number(), out);
  append(p.y.number(), out);
  return out;
}

std::array<std::uint8_t, 33> compressed(const Point& p) {
  std::array<std::uint8_t, 33> out{};
  out[0] = p.y.odd() ? 3 : 2;
  secp256k1::to_big_endian(p.x.number(), out.data() + 1);
  return out;
}

}  // namespace sparkmill::signatures::secp256k1_numbers

// SPDX-License-Identifier: Apache-2.0
// The oracle's integers over limbs so small that everything can be tried: long division's rare corrections among it.
#include <gtest/gtest.h>

#include "kernels/rsa/reference.h"

namespace sparkmill::rsa::test {
namespace {

using Toy = reference::Integers<std::uint8_t, std::uint32_t, 2>;

Toy::Number number(unsigned v) { return {static_cast<std::uint8_t>(v), static_cast<std::uint8_t>(v >> 8)}; }
unsigned value(const Toy::Number& n) { return n[0] | unsigned{n[1]} << 8; }

TEST(ToyIntegers, DividendsOfEveryShape) {
  for (unsigned n = 0x8000; n <= 0xffff; n += 509) {
    for (std::uint32_t high = 0; high < n; high += 1 + high % 7) {
      for (const unsigned low : {0u, 1u, 0x7fffu, 0x8000u, 0xff00u, 0xffffu, n - 1, high}) {
        const std::uint32_t a = high << 16 | low;
        const Toy::Product product = {static_cast<std::uint8_t>(a), static_cast<std::uint8_t>(a >> 8),
                                      static_cast<std::uint8_t>(a >> 16), static_cast<std::uint8_t>(a >> 24)};
        ASSERT_EQ(value(Toy::modulo(product, number(n))), a % n) << a << " mod " << n;
      }
    }
  }
}

TEST(ToyIntegers, EveryProductOfSomeModuli) {
  for (const unsigned n : {0x8000u, 0x8001u, 0x80ffu, 0xabcdu, 0xfffeu, 0xffffu}) {
    for (std::uint32_t a = 0; a < n; a += 3) {
      const std::uint32_t b = a * 40503u % n;
      ASSERT_EQ(value(Toy::multiply_modulo(number(a), number(b), number(n))), std::uint64_t{a} * b % n)
          << a << ", " << n;
      ASSERT_EQ(Toy::less(number(a), number(b)), a < b);
    }
  }
}

TEST(ToyIntegers, PowersOfEveryResidue) {
  for (const unsigned n : {0x8001u, 0xd431u, 0xffffu}) {
    for (std::uint32_t s = 0; s < n; ++s) {
      std::uint64_t want = s;
      for (unsigned k = 0; k < 15; ++k) want = want * want % n;
      ASSERT_EQ(value(Toy::square_modulo(number(s), 15, number(n))), want) << s << ", " << n;
    }
  }
}

}  // namespace
}  // namespace sparkmill::rsa::test

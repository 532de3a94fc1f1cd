// SPDX-License-Identifier: Apache-2.0
// Reduction mod L and the digits of scalars.
#include "kernels/ed25519/scalar.h"

namespace sparkmill::ed25519 {
namespace {

__extension__ using Wide = unsigned __int128;

constexpr std::uint64_t kOrder[5] = {0x5812631a5cf5d3ed, 0x14def9dea2f79cd6, 0, 0x1000000000000000, 0};
/// floor(2^512 / L)
constexpr std::uint64_t kReciprocal[5] = {0xed9ce5a30a2c131b, 0x2106215d086329a7, 0xffffffffffffffeb,
                                          0xffffffffffffffff, 0xf};

/// a -= b over n words; the borrow out.
std::uint64_t subtract(std::uint64_t* a, const std::uint64_t* b, unsigned n) {
  std::uint64_t borrow = 0;
  for (unsigned k = 0; k < n; ++k) {
    const Wide difference = Wide{a[k]} - b[k] - borrow;
    a[k] = static_cast<std::uint64_t>(difference);
    borrow = static_cast<std::uint64_t>(difference >> 64) & 1;
  }
  return borrow;
}

/// `width` bits from bit `at` on; bits above 255 are 0.
unsigned bits(const Words4& n, unsigned at, unsigned width) {
  if (at >= 256) return 0;
  std::uint64_t part = n[at / 64] >> (at % 64);
  if (at % 64 + width > 64 && at / 64 < 3) part |= n[at / 64 + 1] << (64 - at % 64);
  return static_cast<unsigned>(part) & ((1u << width) - 1);
}

/// Signed digits of n >> from, each of `width` bits, between -2^(width - 1) and 2^(width - 1).
void signed_digits(const Words4& n, unsigned from, unsigned width, unsigned count, std::int16_t* out,
                   std::size_t stride) {
  unsigned carry = 0;
  for (unsigned k = 0; k < count; ++k) {
    const unsigned digit = bits(n, from + k * width, width) + carry;
    carry = digit >> (width - 1) != 0 && digit != 1u << (width - 1) ? 1 : 0;
    out[k * stride] = static_cast<std::int16_t>(static_cast<int>(digit) - static_cast<int>(carry << width));
  }
}

}  // namespace

Words4 modulo_order(const std::uint64_t wide[8]) {
  // q = ((wide >> 192) * reciprocal) >> 320, at most 2 below the quotient.
  std::uint64_t product[10] = {};
  for (unsigned i = 0; i < 5; ++i) {
    std::uint64_t carry = 0;
    for (unsigned j = 0; j < 5; ++j) {
      const Wide sum = Wide{wide[3 + i]} * kReciprocal[j] + product[i + j] + carry;
      product[i + j] = static_cast<std::uint64_t>(sum);
      carry = static_cast<std::uint64_t>(sum >> 64);
    }
    product[i + 5] = carry;
  }
  std::uint64_t r[5] = {wide[0], wide[1], wide[2], wide[3], wide[4]}, part[5] = {};
  for (unsigned i = 0; i < 5; ++i) {
    std::uint64_t carry = 0;
    for (unsigned j = 0; i + j < 5; ++j) {
      const Wide sum = Wide{product[5 + i]} * kOrder[j] + part[i + j] + carry;
      part[i + j] = static_cast<std::uint64_t>(sum);
      carry = static_cast<std::uint64_t>(sum >> 64);
    }
  }
  subtract(r, part, 5);
  for (int turn = 0; turn < 2; ++turn) {
    std::uint64_t reduced[5] = {r[0], r[1], r[2], r[3], r[4]};
    if (subtract(reduced, kOrder, 5) != 0) break;
    for (unsigned k = 0; k < 5; ++k) r[k] = reduced[k];
  }
  return {r[0], r[1], r[2], r[3]};
}

bool below_order(const Words4& s) {
  std::uint64_t difference[4] = {s[0], s[1], s[2], s[3]};
  return subtract(difference, kOrder, 4) != 0;
}

namespace cpu {
namespace {

static_assert(1u << kLowA <= (1u << (kWindowA - 1)) && 1u << kLowB <= (1u << (kWindowB - 1)));
constexpr unsigned kShift = 16;
constexpr unsigned kScalarBits = 253;
constexpr unsigned plain_count(unsigned width) { return (kScalarBits + width) / width; }  // one bit for the carry
constexpr unsigned high_count(unsigned width) { return (kScalarBits - kShift + width) / width; }
static_assert(plain_count(kWindowA) <= kDigitsA && kShift / kLowA + high_count(kWindowA) <= kDigitsA);
static_assert(plain_count(kWindowB) <= kDigitsB && kShift / kLowB + high_count(kWindowB) <= kDigitsB);

void place(std::int8_t* at, unsigned width, unsigned low, bool evidence, unsigned& top) {
  int digit = 0;
  const unsigned from = evidence ? kShift : 0;
  for (unsigned bit = 0; bit < from; bit += low) at[bit] = static_cast<std::int8_t>(digit++);
  for (unsigned k = 0; k < (evidence ? high_count(width) : plain_count(width)); ++k) {
    const unsigned bit = from + k * width;
    at[bit] = static_cast<std::int8_t>(digit++);
    if (bit > top) top = bit;
  }
}

Schedule made(bool evidence) {
  Schedule s{};
  for (std::size_t k = 0; k < kTop; ++k) s.a[k] = s.b[k] = -1;
  place(s.a, kWindowA, kLowA, evidence, s.top);
  place(s.b, kWindowB, kLowB, evidence, s.top);
  s.pause = evidence ? static_cast<int>(kShift) : -1;
  s.low_a = evidence ? kShift / kLowA : 0;
  s.low_b = evidence ? kShift / kLowB : 0;
  s.count_a = s.low_a + (evidence ? high_count(kWindowA) : plain_count(kWindowA));
  s.count_b = s.low_b + (evidence ? high_count(kWindowB) : plain_count(kWindowB));
  return s;
}

void write_digits(const Words4& n, unsigned width, unsigned low, bool evidence, std::int16_t* out, std::size_t stride) {
  if (!evidence) return signed_digits(n, 0, width, plain_count(width), out, stride);
  for (unsigned k = 0; k < kShift / low; ++k) out[k * stride] = static_cast<std::int16_t>(bits(n, k * low, low));
  signed_digits(n, kShift, width, high_count(width), out + kShift / low * stride, stride);
}

}  // namespace

const Schedule& plain_schedule() {
  static const Schedule schedule = made(false);
  return schedule;
}
const Schedule& evidence_schedule() {
  static const Schedule schedule = made(true);
  return schedule;
}
void write_digits_a(const Words4& k, bool evidence, std::int16_t* out, std::size_t stride) {
  write_digits(k, kWindowA, kLowA, evidence, out, stride);
}
void write_digits_b(const Words4& s, bool evidence, std::int16_t* out, std::size_t stride) {
  write_digits(s, kWindowB, kLowB, evidence, out, stride);
}

}  // namespace cpu
}  // namespace sparkmill::ed25519

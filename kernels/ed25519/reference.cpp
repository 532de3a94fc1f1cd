// SPDX-License-Identifier: Apache-2.0
// The oracle: Ed25519 as reference.h writes it down, over five 51-bit limbs of plain 64-bit arithmetic.
#include "kernels/ed25519/reference.h"

#include "kernels/backend/cpu.h"
#include "kernels/ed25519/rows.h"
#include "kernels/ed25519/sha512.h"

namespace sparkmill::ed25519 {
namespace reference {
namespace {

__extension__ using Wide = unsigned __int128;
constexpr std::uint64_t kMask = (std::uint64_t{1} << 51) - 1;

/// One pass of carries; limbs below 2^63 come out below 2^51 + 2^17.
Field25519 carried(Field25519 a) {
  std::uint64_t carry = 0;
  for (std::uint64_t& limb : a.limb) {
    limb += carry;
    carry = limb >> 51;
    limb &= kMask;
  }
  a.limb[0] += 19 * carry;
  return a;
}

Field25519 field(const Number<32>& bytes) { return Field25519::from_bytes(bytes); }

}  // namespace

Field25519 Field25519::from_bytes(const Number<32>& bytes) {
  Field25519 out;
  for (std::size_t k = 0; k < 255; ++k) out.limb[k / 51] |= std::uint64_t{bit(bytes, k)} << (k % 51);
  return out;
}

Number<32> Field25519::to_bytes() const {
  Field25519 a = carried(carried(*this));  // below 2^255 + 19
  // a >= p exactly when a + 19 reaches 2^255; then a + 19 without that bit is a - p.
  std::uint64_t carry = 19;
  for (const std::uint64_t part : a.limb) carry = (part + carry) >> 51;
  a.limb[0] += 19 * carry;
  carry = 0;
  for (std::uint64_t& part : a.limb) {
    part += carry;
    carry = part >> 51;
    part &= kMask;
  }
  Number<32> out{};
  for (std::size_t k = 0; k < 255; ++k) {
    out[k / 8] |= static_cast<std::uint8_t>((a.limb[k / 51] >> (k % 51) & 1) << (k % 8));
  }
  return out;
}

Field25519 operator+(const Field25519& a, const Field25519& b) {
  Field25519 sum;
  for (std::size_t k = 0; k < 5; ++k) sum.limb[k] = a.limb[k] + b.limb[k];
  return carried(sum);
}

Field25519 operator-(const Field25519& a, const Field25519& b) {
  Field25519 difference;
  for (std::size_t k = 0; k < 5; ++k) {
    const std::uint64_t four_p = 4 * (kMask - (k == 0 ? 18 : 0));
    difference.limb[k] = a.limb[k] + four_p - b.limb[k];
  }
  return carried(difference);
}

Field25519 operator*(const Field25519& a, const Field25519& b) {
  std::array<Wide, 5> sum{};
  for (std::size_t i = 0; i < 5; ++i) {
    for (std::size_t j = 0; j < 5; ++j) {
      const std::uint64_t factor = i + j < 5 ? b.limb[j] : 19 * b.limb[j];  // 2^255 = 19
      sum[(i + j) % 5] += Wide{a.limb[i]} * factor;
    }
  }
  Field25519 out;
  Wide carry = 0;
  for (std::size_t k = 0; k < 5; ++k) {
    sum[k] += carry;
    carry = sum[k] >> 51;
    out.limb[k] = static_cast<std::uint64_t>(sum[k]) & kMask;
  }
  // The carry is below 2^62: by two steps, so that no limb overflows.
  const Wide low = out.limb[0] + 19 * carry;
  out.limb[0] = static_cast<std::uint64_t>(low) & kMask;
  out.limb[1] += static_cast<std::uint64_t>(low >> 51);
  return carried(out);
}

const Number<32>& Curve25519::prime() {
  static constexpr Number<32> value = {0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                       0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                       0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f};
  return value;
}
const Number<32>& Curve25519::order() {
  static constexpr Number<32> value = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
                                       0xa2, 0xde, 0xf9, 0xde, 0x14, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
                                       0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10};
  return value;
}
const Field25519& Curve25519::d() {
  static const Field25519 value =
      field({0xa3, 0x78, 0x59, 0x13, 0xca, 0x4d, 0xeb, 0x75, 0xab, 0xd8, 0x41, 0x41, 0x4d, 0x0a, 0x70, 0x00,
             0x98, 0xe8, 0x79, 0x77, 0x79, 0x40, 0xc7, 0x8c, 0x73, 0xfe, 0x6f, 0x2b, 0xee, 0x6c, 0x03, 0x52});
  return value;
}
const Field25519& Curve25519::sqrt_minus_one() {
  static const Field25519 value =
      field({0xb0, 0xa0, 0x0e, 0x4a, 0x27, 0x1b, 0xee, 0xc4, 0x78, 0xe4, 0x2f, 0xad, 0x06, 0x18, 0x43, 0x2f,
             0xa7, 0xd7, 0xfb, 0x3d, 0x99, 0x00, 0x4d, 0x2b, 0x0b, 0xdf, 0xc1, 0x4f, 0x80, 0x24, 0x83, 0x2b});
  return value;
}
const Field25519& Curve25519::base_x() {
  static const Field25519 value =
      field({0x1a, 0xd5, 0x25, 0x8f, 0x60, 0x2d, 0x56, 0xc9, 0xb2, 0xa7, 0x25, 0x95, 0x60, 0xc7, 0x2c, 0x69,
             0x5c, 0xdc, 0xd6, 0xfd, 0x31, 0xe2, 0xa4, 0xc0, 0xfe, 0x53, 0x6e, 0xcd, 0xd3, 0x36, 0x69, 0x21});
  return value;
}
const Field25519& Curve25519::base_y() {
  static const Field25519 value =
      field({0x58, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
             0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66});
  return value;
}

Number<32> challenge(ByteView r, ByteView a, ByteView message) {
  return modulo(sha512({r, a, message}), Curve25519::order());
}

}  // namespace reference

namespace {

using Group = reference::Group<reference::Curve25519>;

class ReferenceKernel final : public Kernel {
 public:
  Done verify_vartime(Policy policy, const kernels::SignatureBatch& batch, const kernels::SignatureResults& results,
                      const StopToken& stop) override {
    SPARKMILL_TRY(check(batch, results));
    for (std::size_t i = 0; i < batch.count; ++i) {
      if (stop.stop_requested()) return fail(Status::cancelled, "stopped");
      Group::Encoded a, r;
      Group::Scalar s;
      const ByteView key = batch.key(i, kKeyBytes), signature = batch.signature(i, kSignatureBytes);
      std::memcpy(a.data(), key.data(), 32);
      std::memcpy(r.data(), signature.data(), 32);
      std::memcpy(s.data(), signature.data() + 32, 32);
      const Group::Scalar k = reference::challenge(r, a, batch.message(i));
      results.valid[i] = Group::valid_vartime(policy, a, r, s, k) ? 1 : 0;
      if (results.evidence.empty()) continue;
      const auto point = Group::evidence_vartime(policy, a, s, k, kEvidenceShift);
      std::memcpy(results.evidence.data() + i * kEvidenceBytes, point.data(), kEvidenceBytes);
    }
    return done();
  }
  std::string row_id() const override { return "ed25519/reference"; }
};

Result<std::unique_ptr<kernels::Kernel>> make(const kernels::Device&) {
  return std::unique_ptr<kernels::Kernel>(std::make_unique<ReferenceKernel>());
}

}  // namespace

kernels::Row reference_row() {
  return {kernels::Family::ed25519, kernels::Backend::reference, "", 0, 1, kernels::probe_plain, make};
}

}  // namespace sparkmill::ed25519

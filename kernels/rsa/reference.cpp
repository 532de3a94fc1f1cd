// SPDX-License-Identifier: Apache-2.0
// The oracle: signature^65537 mod n by the integers of reference.h, and the bytes compared with EM.
#include "kernels/rsa/reference.h"

#include <algorithm>
#include <cstring>

#include "kernels/backend/cpu.h"
#include "kernels/rsa/encoding.h"
#include "kernels/rsa/rows.h"

namespace sparkmill::rsa {
namespace {

using Integers = reference::Integers2048;
using Number = Integers::Number;

Number number(ByteView big_endian) {
  Number n{};
  for (std::size_t k = 0; k < kModulusBytes; ++k) {
    n[k / 8] |= std::uint64_t{big_endian[kModulusBytes - 1 - k]} << (8 * (k % 8));
  }
  return n;
}

std::array<std::uint8_t, kModulusBytes> bytes(const Number& n) {
  std::array<std::uint8_t, kModulusBytes> big_endian;
  for (std::size_t k = 0; k < kModulusBytes; ++k) {
    big_endian[kModulusBytes - 1 - k] = static_cast<std::uint8_t>(n[k / 8] >> (8 * (k % 8)));
  }
  return big_endian;
}

class ReferenceKernel final : public Kernel {
 public:
  Done verify_vartime(Encoding encoding, const kernels::SignatureBatch& batch, const kernels::SignatureResults& results,
                      const StopToken& stop) override {
    SPARKMILL_TRY(check(encoding, batch, results));
    for (std::size_t i = 0; i < batch.count; ++i) {
      if (stop.stop_requested()) return fail(Status::cancelled, "stopped");
      const ByteView key = batch.key(i, kModulusBytes);
      const Number n = number(key), s = number(batch.signature(i, kSignatureBytes));
      const bool in_range = usable_modulus(key) && Integers::less(s, n);
      const Number middle = in_range ? Integers::square_modulo(s, 15, n) : Number{};
      results.valid[i] = 0;
      if (in_range) {
        const Number power = Integers::multiply_modulo(Integers::square_modulo(middle, 1, n), s, n);
        results.valid[i] = bytes(power) == encoded(encoding, batch.message(i)) ? 1 : 0;
      }
      if (results.evidence.empty()) continue;
      const auto evidence = bytes(middle);
      std::memcpy(results.evidence.data() + i * kEvidenceBytes, evidence.data(), kEvidenceBytes);
    }
    return done();
  }
  std::string row_id() const override { return "rsa/reference"; }
};

Result<std::unique_ptr<kernels::Kernel>> make(const kernels::Device&) {
  return std::unique_ptr<kernels::Kernel>(std::make_unique<ReferenceKernel>());
}

}  // namespace

kernels::Row reference_row() {
  return {kernels::Family::rsa, kernels::Backend::reference, "", 0, 1, kernels::probe_plain, make};
}

}  // namespace sparkmill::rsa

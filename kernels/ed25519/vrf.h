// SPDX-License-Identifier: Apache-2.0
// Many proofs of ECVRF-EDWARDS25519-SHA512 at once, a proof in each SIMD lane, beside the family's signatures: the same
// field, points and tables. Not a row of the registry: there is one form for each ISA of the processor, and where there
// is none verify/signatures decides proof by proof. Variable time: everything here is public.
//
// Cost of a proof: two decodings and the encoding of alpha to the curve (two more powers with TAI, one with ELL2), 377
// doublings, 132 additions, 48 for tables (kernels/ed25519/README.md counts them).
// Source: RFC 9381 5; RFC 9380 5.2, 5.3.1, 6.7.1, 6.8.2; the specification "Signatures and proofs" 5.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "base/stop.h"
#include "kernels/backend/signature_batch.h"

namespace sparkmill::ed25519 {

enum class VrfSuite : std::uint8_t { tai = 3, ell2 = 4 };  ///< suite_string
inline constexpr std::size_t kVrfKeyBytes = 32;
inline constexpr std::size_t kVrfProofBytes = 80;  ///< Gamma (32) | c (16, LE) | s (32, LE)
inline constexpr std::size_t kVrfOutputBytes = 64;
inline constexpr std::size_t kVrfEvidenceBytes = 64;  ///< enc(U) | enc(V)

struct VrfResults {
  std::span<std::uint8_t> valid;  ///< count bytes, 1 or 0
  /// Empty, or count x 64. Zeros where Y or Gamma is in no canonical form, 8 Y = 0 or s >= L.
  std::span<std::uint8_t> evidence;
  std::span<std::uint8_t> outputs;  ///< empty, or count x 64: beta; zeros where the proof is not valid
};

/// One instance serves one thread at a time; takes 1.5 MB when it is made.
class VrfKernel {
 public:
  virtual ~VrfKernel() = default;
  virtual std::string_view isa() const = 0;
  /// Keys of 32 bytes, proofs of 80 as signatures, alpha as message. No item changes another's bytes.
  /// Errors: those of kernels::check, bad_argument for outputs of another size, cancelled.
  virtual Done verify_vartime(VrfSuite suite, const kernels::SignatureBatch& batch, const VrfResults& results,
                              const StopToken& stop) = 0;
};

/// "avx512" or "avx2"; nullptr where this build or processor has it not. Aborts without memory, as `new` does.
std::unique_ptr<VrfKernel> make_vrf_kernel(std::string_view isa);
/// The widest of this processor, or nullptr.
std::unique_ptr<VrfKernel> make_vrf_kernel();

}  // namespace sparkmill::ed25519

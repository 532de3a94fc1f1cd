// SPDX-License-Identifier: Apache-2.0
// Enrolment: real-valued features -> trit templates by the integer path of "PCB double-blind matching" 1.1.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace sparkmill::templates {

/// K_proj = HKDF-SHA256(ikm = app secret, salt = epoch id, info = "pcb/proj/v1" | u32 field).
Hash32 projection_key(ByteView app_secret, const Id16& epoch, std::uint32_t field);

/// Projects d-dimensional features to n trits. Holds the expanded +-1 matrix (n * d bits); thread-safe after
/// construction.
class Enroller {
 public:
  /// Requires n a multiple of 64 in [64, 16384], 1 <= d <= 4096; `mean` has d values. Error: bad_argument.
  static Result<Enroller> make(const Hash32& key, std::uint32_t n, std::span<const float> mean);
  /// One template row (n/4 bytes) from d floats. Error: bad_input for a non-finite value or a zero vector after
  /// centring. Centring and normalising run in double in index order, so every build gives the same bits.
  Done enrol(std::span<const float> features, std::span<std::uint8_t> row) const;
  /// Step 2 alone: q_j = 8192 c_j rounded half to even, saturated to 16 bits. Same errors.
  Done quantise(std::span<const float> features, std::span<std::int16_t> q) const;
  /// The same from the quantised vector q (step 2 done): for vectors and tests.
  void enrol_quantised(std::span<const std::int16_t> q, std::span<std::uint8_t> row) const;
  std::uint32_t n() const { return n_; }
  std::uint32_t dimension() const { return static_cast<std::uint32_t>(mean_.size()); }

 private:
  Enroller() = default;
  std::uint32_t n_ = 0;
  std::vector<float> mean_;
  std::vector<std::int16_t> signs_;  ///< [k][j], +1 or -1; 16 bits wide so that the inner loop multiplies pairs
};

}  // namespace sparkmill::templates

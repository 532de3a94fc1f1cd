// SPDX-License-Identifier: Apache-2.0
// Real descriptors, and seeded synthetic populations of any size around them. Synthetic rows are always reported as
// such.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace sparkmill::templates {

/// Row-major float features with what is known about each row.
struct Features {
  struct Label {
    int person = -1;  ///< -1: unknown or synthetic
    int photo = -1;
    std::string variant;  ///< "orig", "dark", ...; "synthetic"
  };
  std::uint32_t dimension = 0;
  std::vector<float> values;
  std::vector<Label> labels;
  std::uint32_t count() const { return dimension == 0 ? 0 : static_cast<std::uint32_t>(values.size() / dimension); }
  std::span<const float> row(std::uint32_t i) const { return {values.data() + std::size_t{i} * dimension, dimension}; }
};

/// JSON of data/faces.json's shape, CSV (one row a line), or .npy (float32, C order, 2-d), told apart by content.
/// Error: bad_input naming file and place.
Result<Features> read_features(ByteView content, std::string_view name);

/// The committed real faces (data/faces.json embedded at build time).
const Features& real_faces();

std::vector<float> mean_of(const Features& features);

/// `count` synthetic impostors: independent Gaussian vectors with the mean and per-dimension spread of `like`, drawn
/// from ChaCha20(seed). Row r depends only on seed and r.
Features synthetic(const Features& like, const Hash32& seed, std::uint32_t first, std::uint32_t count);

/// A copy of one row with Gaussian noise of relative strength `amount` (of the row's centred norm), seeded: ringers,
/// re-takes.
std::vector<float> perturbed(std::span<const float> row, std::span<const float> mean, double amount,
                             const Hash32& seed);

}  // namespace sparkmill::templates

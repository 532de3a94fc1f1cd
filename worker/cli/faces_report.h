// SPDX-License-Identifier: Apache-2.0
// The honest report on the built-in real faces: what is found, what is missed, what passes wrongly, and what that says.
#pragma once

#include <string>
#include <vector>

#include "base/stop.h"
#include "worker/cli/offline.h"

namespace sparkmill::cli {

struct FacesSettings {
  std::uint32_t users = 131072;  ///< synthetic rows around the real ones
  std::string seed = "sparkmill";
  std::uint32_t n = 2048;
  bool quiet = false;
};

struct FacesReport {
  struct Calibration {
    std::uint64_t pairs = 0;         ///< synthetic impostor pairs measured, of rows that are not in the crowd
    double mean = 0;                 ///< of their scores, from a sample of 2^20 pairs
    double deviation = 0;            ///< likewise
    std::int32_t gaussian = 0;       ///< threshold a Gaussian tail would give
    std::int32_t threshold = 0;      ///< empirical quantile: the lowest whose count does not exceed the rate
    std::uint64_t at_threshold = 0;  ///< impostor pairs that reach it
  };
  struct Missed {
    int person = -1;
    std::string variant;
    std::int64_t score = 0;
  };
  Calibration calibration;
  std::uint32_t altered = 0;  ///< as shipped against altered, the same face
  std::uint32_t altered_found = 0;
  std::vector<Missed> missed;
  std::uint32_t different = 0;  ///< unordered pairs of faces of one photo: surely different people
  std::uint32_t different_passing = 0;
  std::uint32_t unknown = 0;  ///< unordered pairs of faces of different photos: may be one person
  std::uint32_t unknown_passing = 0;
  std::uint64_t crowd_pairs = 0;  ///< real rows against synthetic ones
  std::uint64_t crowd_passing = 0;
  double crowd_expected = 0;
};

/// Deterministic in the settings. Errors: cancelled; what the kernels report.
Result<FacesReport> make_faces_report(const FacesSettings& settings, Lanes& lanes, const StopToken& stop);
std::string faces_report_text(const FacesSettings& settings, const FacesReport& report);

}  // namespace sparkmill::cli

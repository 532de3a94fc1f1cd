// SPDX-License-Identifier: Apache-2.0
// What the rows on devices share on the host: how much to put into a launch, and how the results of a batch of nonces
// become a SearchResult.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>

#include "kernels/tensority/device.h"
#include "kernels/tensority/tensority.h"

namespace sparkmill::tensority {

/// Units (steps of a chain, or hashes) of the next launch, so that launches last about `seconds`: a stop request waits
/// for at most what is under way. Grows by at most a factor of four at a time, shrinks at once.
class Pace {
 public:
  Pace(std::uint64_t first, std::uint64_t most, double seconds) : most_(most), units_(first), seconds_(seconds) {}
  std::uint64_t units() const { return units_; }
  void took(std::uint64_t units, double seconds) {
    const double rate = static_cast<double>(units) / std::max(seconds, 1e-7);
    const double want = std::min(rate * seconds_, static_cast<double>(4 * units_));
    units_ = std::clamp<std::uint64_t>(static_cast<std::uint64_t>(want), 1, most_);
  }

 private:
  std::uint64_t most_, units_;
  double seconds_;
};

/// Where a device keeps an epoch: the place that has it (`there`), else the one not used last, emptied. `clock` is the
/// row's own; `Upload` has `seed` and `last_use` (0: empty).
template <class Upload>
struct Place {
  Upload* upload;
  bool there;
};
template <class Upload>
Place<Upload> place_of(Upload (&uploads)[2], const Hash32& seed, std::uint64_t& clock) {
  for (Upload& u : uploads) {
    if (u.last_use == 0 || u.seed != seed) continue;
    u.last_use = ++clock;
    return {&u, true};
  }
  Upload& to = uploads[uploads[1].last_use < uploads[0].last_use ? 1 : 0];
  to.last_use = 0;  // not to be found if the upload fails
  return {&to, false};
}

/// a as a number below b.
inline bool below(const Hash32& a, const Hash32& b) {
  sm_u64 x[4], y[4];
  std::memcpy(x, a.data(), 32);
  std::memcpy(y, b.data(), 32);
  return sm_compare(x, y) < 0;
}

/// Adds a batch to what a search found. `results` are those of the nonces first, first + 1, ...; `hits` the places of
/// those that meet the target, in order; `best` the place of the smallest. False: the list of hits is full, and `count`
/// and `best` speak of the nonces up to the last hit.
inline bool add_batch(std::uint64_t first, std::span<const Hash32> results, std::span<const std::uint32_t> hits,
                      std::uint32_t best, SearchResult& out) {
  std::size_t done = results.size();
  for (const std::uint32_t at : hits) {
    out.hits.push_back({first + at, results[at]});
    if (out.hits.size() < kMaxHits) continue;
    done = at + std::size_t{1};
    best = 0;
    for (std::uint32_t k = 1; k < done; ++k)
      if (below(results[k], results[best])) best = k;
    break;
  }
  if (out.count == 0 || below(results[best], out.best.result)) out.best = {first + best, results[best]};
  out.count += done;
  return out.hits.size() < kMaxHits;
}

}  // namespace sparkmill::tensority

// SPDX-License-Identifier: Apache-2.0
// Ringers: planted user rows whose result the node knows before the worker does. R just above the predicate's
// threshold catch skipped work, R just below it catch invented matches. Made by perturbing a request's features and
// enrolling them like everybody's, at secret random positions, fresh for each lease. Source: jobs and proofs 5.
#pragma once

#include <span>
#include <vector>

#include "verify/job/match_h.h"
#include "verify/template/enrol.h"
#include "verify/template/population.h"

namespace sparkmill::job {

inline constexpr std::uint32_t kRingersEachSide = 64;

/// One field of the population before planting. Pointers and views outlive the call of plant().
struct RingerField {
  const templates::Features* requests = nullptr;  ///< float features, one row a request
  const templates::Enroller* enroller = nullptr;  ///< the one that enrolled both sides
  std::span<const float> mean;                    ///< of that enroller
  ByteView request_rows;                          ///< enrolled, n/4 bytes a row
  ByteView user_rows;                             ///< enrolled, n/4 bytes a row
};

struct Ringer {
  std::uint32_t request = 0;
  std::uint32_t user = 0;  ///< index among the planted users
  bool above = false;      ///< the pair satisfies the predicate
  auto operator<=>(const Ringer&) const = default;
};

/// What the node keeps for a lease and never shows.
struct Ringers {
  std::uint32_t users = 0;   ///< rows with ringers
  std::vector<Ringer> list;  ///< ascending by user
};
/// u32 version = 1 | u32 users | u32 count | count * (u32 request | u32 user | u8 above).
Bytes encode(const Ringers& ringers);
/// Error: bad_input (layout, order, more than 2^16 ringers, users outside).
Result<Ringers> decode_ringers(ByteView bytes);
/// Old index of each planted row; kRingerRow where it is a ringer.
inline constexpr std::uint32_t kRingerRow = 0xffffffff;
std::vector<std::uint32_t> new_to_old(const Ringers& ringers);

struct Planted {
  std::vector<Bytes> user_rows;  ///< for each field: the users' rows with the ringers among them
  Ringers ringers;
};
/// Plants `each_side` rows above and as many below. All randomness comes from `seed`, which must be secret and fresh.
/// For each ringer a request is drawn and the strength of the noise bisected until the predicate tips; the last row
/// that holds (above) or the first that does not (below) is planted. Cost: about 20 enrolments a ringer and field.
/// Errors: bad_argument (counts and sizes that do not fit each other), bad_input (the predicate holds for no request
/// against itself, or never stops holding, so it has no threshold to plant at), too_large (over kMaxRows).
Result<Planted> plant(std::span<const RingerField> fields, const match::Predicate& predicate, const Hash32& seed,
                      std::uint32_t each_side = kRingersEachSide);

/// The pairs that are not with a ringer row, with the users' old indices, sorted by (i, j).
std::vector<match::Pair> strip(const Ringers& ringers, std::span<const match::Pair> pairs);
/// As final_pairs(work, answer), with the ringers taken out before LIMIT and the old indices given.
Result<std::vector<match::Pair>> final_pairs(const Work& work, ByteView answer, const Ringers& ringers);

/// Findings: "ringer_missing", "ringer_invented", "malformed". The details name no ringer: they reach the worker.
Finding check_ringers(const Ringers& ringers, ByteView answer);

}  // namespace sparkmill::job

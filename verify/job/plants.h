// SPDX-License-Identifier: Apache-2.0
// Planted items of a verify.batch job: signatures whose verdict the node knows before the worker does, at secret
// positions, from the same signers as the rest, of every kind that the form has. A planted item that the policy lets
// pass (an encoding that only some chains refuse) is kept and known as valid; the number of bad ones is what counts.
// Source: jobs and proofs 7.
#pragma once

#include "verify/job/job.h"
#include "verify/signatures/signers/signers.h"

namespace sparkmill::job {

/// Bad items: 64 for each 4,096 or part of it, as far as there is room for three good ones beside each.
std::uint32_t bad_items_for(std::uint32_t items);
inline constexpr std::uint32_t kMinPlantedItems = 64;

struct Plant {
  std::uint32_t index = 0;
  signatures::Flaw flaw = signatures::Flaw::key_bit;
  bool valid = false;  ///< under the form's policy
  auto operator<=>(const Plant&) const = default;
};

/// What the node keeps for a lease and never shows.
struct Plants {
  std::uint32_t items = 0;  ///< of the job
  std::vector<Plant> list;  ///< ascending by index
};
/// u32 version = 1 | u32 items | u32 count | count * (u32 index | u8 kind | u8 valid).
Bytes encode(const Plants& plants);
/// Error: bad_input (layout, order, positions outside).
Result<Plants> decode_plants(ByteView bytes);

struct PlantedBatch {
  signatures::ItemList items;
  Plants plants;
};
/// `items` signatures: bad_items_for(items) bad ones, and all others good: `real` (of the same form; may be empty) at
/// drawn places, then fresh ones. All randomness comes from `seed`, which must be secret and fresh. Verdicts of planted
/// items are those of the fastest CPU row.
/// Errors: bad_argument (fewer than kMinPlantedItems items, or `real` too long or of another form), internal (kinds
/// that the policy accepts throughout), cancelled, what the kernel reports.
Result<PlantedBatch> plant_batch(signatures::Signers& signers, const signatures::Items& real, std::uint32_t items,
                                 const Hash32& seed, const StopToken& stop = {});

/// Findings: "plant_missed" (a planted bad item called valid), "plant_refused" (a good one called invalid),
/// "malformed". The details name no item: they reach the worker.
Finding check_plants(const Plants& plants, ByteView answer);

/// The answer without the planted items, in the same layout. Error: bad_input.
Result<Bytes> strip_plants(const Plants& plants, ByteView answer);

}  // namespace sparkmill::job

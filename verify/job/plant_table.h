// SPDX-License-Identifier: Apache-2.0
// What planted items of every kind are kept as: u32 version = 1 | u32 items | u32 count | count * (u32 index | u8 kind
// | u8 verdict), ascending by index.
#pragma once

#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace sparkmill::job {

struct PlantEntry {
  std::uint32_t index = 0;
  std::uint8_t kind = 0;
  std::uint8_t verdict = 0;
};
struct PlantTable {
  std::uint32_t items = 0;  ///< of the job
  std::vector<PlantEntry> list;
};
Bytes encode_plant_table(const PlantTable& table);
/// Error: bad_input (layout, order, positions outside, more than `most_items`, verdicts above `highest`).
Result<PlantTable> decode_plant_table(ByteView bytes, std::uint32_t most_items, std::uint8_t highest);

}  // namespace sparkmill::job

// SPDX-License-Identifier: Apache-2.0
// What generated jobs of BTTC and BTN share: items with and without a flaw, judged as a job is judged, in drawn places.
// Private to verify/job.
#pragma once

#include <deque>

#include "base/hash.h"
#include "verify/job/block_plants.h"

namespace sparkmill::job {

template <class Item>
struct MadeItem {
  Item item;
  std::optional<BlockPlantKind> flaw;
  std::uint8_t verdict = 1;
};

/// Verdicts of a blob, one a byte: by the reference row of the chain's family, or by the fastest. Errors: those of open
/// and run.
Result<Bytes> judge_blob(Chain chain, const Bytes& blob, std::uint32_t count, bool reference, const StopToken& stop);

/// The kinds of the chain in turn, `good` ones once, until `bad` are bad; in a drawn order.
std::vector<BlockPlantKind> kinds_to_plant(Chain chain, std::uint32_t bad, ChaChaWords& draw);

/// Whether the verdict is the one that the kind must have. Error: internal, naming the kind.
Done expect_verdict(Chain chain, BlockPlantKind kind, std::uint8_t verdict);

template <class T>
void shuffle(std::vector<T>& list, ChaChaWords& draw) {
  for (std::size_t k = list.size(); k > 1; --k) std::swap(list[k - 1], list[draw.below(k)]);
}

/// Judges planted items by the reference row and good ones by the fastest, and shuffles them. `In` is the chain's list
/// with states and no items; `items` point into it or into memory that outlives the call.
template <class In, class Item>
Result<PlantedBlob> plant_items(Chain chain, In in, std::vector<MadeItem<Item>> made, ChaChaWords& draw,
                                const StopToken& stop) {
  for (const bool planted : {true, false}) {
    std::vector<MadeItem<Item>*> some;
    in.items.clear();
    for (MadeItem<Item>& m : made) {
      if (m.flaw.has_value() != planted) continue;
      some.push_back(&m);
      in.items.push_back(m.item);
    }
    if (some.empty()) continue;
    SPARKMILL_ASSIGN(const Bytes verdicts,
                     judge_blob(chain, encode_block_items(in), static_cast<std::uint32_t>(some.size()), planted, stop));
    for (std::size_t k = 0; k < some.size(); ++k) {
      some[k]->verdict = verdicts[k];
      if (planted) SPARKMILL_TRY(expect_verdict(chain, *some[k]->flaw, verdicts[k]));
      if (!planted && verdicts[k] != 1) {
        return fail(Status::internal, "planted items: a good one is " + std::string(block_reason(chain, verdicts[k])));
      }
    }
  }
  shuffle(made, draw);
  in.items.clear();
  PlantedBlob out;
  out.plants.chain = chain;
  out.plants.items = static_cast<std::uint32_t>(made.size());
  for (std::size_t k = 0; k < made.size(); ++k) {
    if (made[k].flaw) out.plants.list.push_back({static_cast<std::uint32_t>(k), *made[k].flaw, made[k].verdict});
    in.items.push_back(made[k].item);
  }
  out.blob = encode_block_items(in);
  return out;
}

}  // namespace sparkmill::job

// SPDX-License-Identifier: Apache-2.0
#include "verify/job/plants.h"

#include <algorithm>
#include <set>

#include "verify/job/items.h"
#include "verify/job/plant_table.h"
#include "verify/job/verify_batch.h"

namespace sparkmill::job {
namespace {

using signatures::Flaw;
using signatures::ItemList;
using signatures::Sample;
using signatures::Signers;

constexpr std::uint32_t kVersion = 1;
constexpr std::uint32_t kBadPer = 64;
constexpr std::uint32_t kItemsPer = 4096;
/// Rounds through all kinds without enough bad items, before the form is called unfit.
constexpr std::size_t kMaxRounds = 64;

struct Planted {
  Sample item;
  Plant plant;
};

/// Bad items of every kind in turn, until there are enough; with those that the policy lets pass.
Result<std::vector<Planted>> make_plants(Signers& signers, std::uint32_t wanted, const StopToken& stop) {
  const signatures::Form& form = signers.form();
  std::unique_ptr<kernels::Kernel> kernel;
  if (form.family) {
    SPARKMILL_ASSIGN(kernel, other_cpu_kernel(*form.family, {}));
  }
  std::vector<Planted> out;
  std::uint32_t bad = 0;
  for (std::size_t round = 0; bad < wanted; ++round) {
    if (round == kMaxRounds) return fail(Status::internal, "planted items: the policy accepts every kind");
    ItemList list(form);
    std::vector<Planted> made;
    for (const Flaw flaw : signers.flaws()) {
      SPARKMILL_ASSIGN(Sample item, signers.bad(flaw));
      SPARKMILL_TRY(list.add(item.key, item.signature, item.message));
      made.push_back({std::move(item), {0, flaw, false}});
    }
    Bytes valid(made.size());
    SPARKMILL_TRY(signatures::verify_on(form, list.view(), {valid, {}, {}, {}}, kernel.get(), stop));
    for (std::size_t k = 0; k < made.size(); ++k) {
      // Rounds after the first need no more of what the policy accepts.
      if (valid[k] != 0 && round > 0) continue;
      made[k].plant.valid = valid[k] != 0;
      bad += valid[k] == 0 ? 1 : 0;
      out.push_back(std::move(made[k]));
      if (bad == wanted) break;
    }
  }
  return out;
}

}  // namespace

std::uint32_t bad_items_for(std::uint32_t items) {
  return std::min((items + kItemsPer - 1) / kItemsPer * kBadPer, items / 4);
}

Bytes encode_plant_table(const PlantTable& table) {
  ByteWriter w;
  w.u32(kVersion).u32(table.items).u32(static_cast<std::uint32_t>(table.list.size()));
  for (const PlantEntry& e : table.list) w.u32(e.index).u8(e.kind).u8(e.verdict);
  return std::move(w).data();
}

Result<PlantTable> decode_plant_table(ByteView bytes, std::uint32_t most_items, std::uint8_t highest) {
  ByteReader r(bytes);
  const std::uint32_t version = r.u32();
  PlantTable out;
  out.items = r.u32();
  const std::uint32_t count = r.u32();
  if (r.failed() || version != kVersion || out.items > most_items || count > out.items ||
      r.left() != std::size_t{count} * 6) {
    return fail(Status::bad_input, "planted items: not the layout of version 1");
  }
  for (std::uint32_t k = 0; k < count; ++k) {
    PlantEntry entry;
    entry.index = r.u32();
    entry.kind = r.u8();
    entry.verdict = r.u8();
    if (entry.verdict > highest || entry.index >= out.items || (k > 0 && entry.index <= out.list.back().index)) {
      return fail(Status::bad_input, "planted items: entry " + std::to_string(k) + " is out of order or out of range");
    }
    out.list.push_back(entry);
  }
  return out;
}

Bytes encode(const Plants& plants) {
  PlantTable table{plants.items, {}};
  for (const Plant& p : plants.list) {
    table.list.push_back({p.index, static_cast<std::uint8_t>(p.flaw), static_cast<std::uint8_t>(p.valid ? 1 : 0)});
  }
  return encode_plant_table(table);
}

Result<Plants> decode_plants(ByteView bytes) {
  SPARKMILL_ASSIGN(const PlantTable table, decode_plant_table(bytes, kMaxBatchItems, 1));
  Plants out{table.items, {}};
  for (const PlantEntry& e : table.list) out.list.push_back({e.index, static_cast<Flaw>(e.kind), e.verdict == 1});
  return out;
}

Result<PlantedBatch> plant_batch(Signers& signers, const signatures::Items& real, std::uint32_t items,
                                 const Hash32& seed, const StopToken& stop) {
  if (items < kMinPlantedItems || items > kMaxBatchItems) {
    return fail(Status::bad_argument, "planted items: a job of " + std::to_string(items) + " items");
  }
  const signatures::Form& form = signers.form();
  SPARKMILL_ASSIGN(std::vector<Planted> plants, make_plants(signers, bad_items_for(items), stop));
  if (plants.size() + real.count > items) {
    return fail(Status::bad_argument, "planted items: no room for " + std::to_string(real.count) + " real ones");
  }
  ChaChaWords draw(Sha256().update("sparkmill/plants/v1").update(seed).finish());
  std::set<std::uint32_t> places;
  while (places.size() < plants.size() + real.count) places.insert(static_cast<std::uint32_t>(draw.below(items)));
  // Which of the places gets which item: a shuffle over both kinds.
  std::vector<std::uint32_t> order(places.begin(), places.end());
  for (std::size_t k = order.size(); k > 1; --k) std::swap(order[k - 1], order[draw.below(k)]);
  std::vector<std::int64_t> who(items, -1);  // planted items first, then real ones
  for (std::size_t k = 0; k < order.size(); ++k) who[order[k]] = static_cast<std::int64_t>(k);

  PlantedBatch out{ItemList(form), {items, {}}};
  const auto planted = static_cast<std::int64_t>(plants.size());
  for (std::uint32_t at = 0; at < items; ++at) {
    if (at % 256 == 0 && stop.stop_requested()) return fail(Status::cancelled, "stopped");
    if (who[at] >= planted) {
      const auto k = static_cast<std::size_t>(who[at] - planted);
      SPARKMILL_TRY(out.items.add(real.key(form, k), real.signature(form, k), real.message(k)));
      continue;
    }
    if (who[at] >= 0) {
      Planted& p = plants[static_cast<std::size_t>(who[at])];
      p.plant.index = at;
      out.plants.list.push_back(p.plant);
      SPARKMILL_TRY(out.items.add(p.item.key, p.item.signature, p.item.message));
      continue;
    }
    SPARKMILL_ASSIGN(const Sample item, signers.good());
    SPARKMILL_TRY(out.items.add(item.key, item.signature, item.message));
  }
  return out;
}

Finding check_plants(const Plants& plants, ByteView answer) {
  const auto verdicts = decode_batch_answer(answer, plants.items);
  if (!verdicts) return {"malformed", verdicts.error().message};
  std::size_t missed = 0, refused = 0;
  for (const Plant& p : plants.list) {
    const bool valid = (*verdicts)[p.index] != 0;
    missed += valid && !p.valid ? 1 : 0;
    refused += !valid && p.valid ? 1 : 0;
  }
  if (missed > 0) return {"plant_missed", std::to_string(missed) + " planted bad items were called valid"};
  if (refused > 0) return {"plant_refused", std::to_string(refused) + " planted valid items were called invalid"};
  return {};
}

Result<Bytes> strip_plants(const Plants& plants, ByteView answer) {
  SPARKMILL_ASSIGN(const Bytes verdicts, decode_batch_answer(answer, plants.items));
  return encode_verdict_bits(without_planted(verdicts, std::span(plants.list)));
}

}  // namespace sparkmill::job

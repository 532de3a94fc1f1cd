// SPDX-License-Identifier: Apache-2.0
#include "verify/job/block_plants.h"

#include <sodium.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "kernels/backend/discover.h"
#include "kernels/registry.h"
#include "kernels/tensority/epoch_cache.h"
#include "verify/chain/difficulty.h"
#include "verify/chain/header.h"
#include "verify/chain/seed_rule.h"
#include "verify/job/bytom_samples.h"
#include "verify/job/items.h"
#include "verify/job/plant_table.h"
#include "verify/job/plants.h"

namespace sparkmill::job {
namespace {

namespace bytom = blocks::bytom;
using Kind = BlockPlantKind;

constexpr BlockPlantRow kBytom[] = {
    {Kind::commitment_bit, "bit of R", "program_false"},
    {Kind::scalar_bit, "bit of S", "program_false"},
    {Kind::key_bit, "bit of the key", "verify_failed"},
    {Kind::wrong_key, "signed by another key", "program_false"},
    {Kind::wrong_message, "signature of another message", "program_false"},
    {Kind::scalar_plus_order, "S + L", "valid"},
    {Kind::scalar_top_bits, "top bits of S", "program_false"},
    {Kind::long_signature, "signature of 65 bytes", "program_false"},
    {Kind::no_arguments, "no arguments", "stack_underflow"},
    {Kind::swapped_arguments, "arguments swapped", "verify_failed"},
    {Kind::same_signature, "multisig: one signature twice", "program_false"},
    {Kind::other_script, "multisig: another script", "verify_failed"},
    {Kind::multisig_bit, "multisig: bit of a signature", "program_false"},
    {Kind::signature_order, "multisig: order of signatures", "program_false"},
    {Kind::asset_signature_bit, "bit of an asset's signature", "status_root"},
    {Kind::claimed_failure, "failure claimed", "status_root"},
    {Kind::transaction_root, "bit of the transaction root", "tx_root"},
    {Kind::status_root, "bit of the status root", "status_root"},
    {Kind::roots_swapped, "roots swapped", "tx_root"},
    {Kind::transactions_swapped, "transactions swapped", "tx_root"},
    {Kind::version, "version", "version"},
    {Kind::height, "height", "height"},
    {Kind::bits, "bits", "bits"},
    {Kind::previous, "bit of the parent's id", "previous"},
    {Kind::old_time, "time not above the median", "timestamp"},
    {Kind::future_time, "time too far ahead", "timestamp"},
    {Kind::work, "proof of work", "pow"},
    {Kind::coinbase_more, "coinbase too large", "coinbase"},
    {Kind::coinbase_less, "coinbase too small", "coinbase"},
    {Kind::coinbase_two_outputs, "coinbase with two outputs", "coinbase"},
    {Kind::coinbase_retired, "coinbase retired", "coinbase"},
    {Kind::coinbase_asset, "coinbase of another asset", "coinbase_asset"},
    {Kind::coinbase_data, "coinbase data too long", "coinbase_data"},
    {Kind::second_coinbase, "second coinbase", "coinbase"},
    {Kind::asset_more, "more of an asset than came", "unbalanced"},
    {Kind::asset_nowhere, "asset without source", "no_source"},
    {Kind::asset_overflow, "sum over 64 bits", "overflow"},
    {Kind::btm_more, "more BTM than came", "gas_math"},
    {Kind::no_fee, "no fee", "run_limit"},
    {Kind::low_fee, "low fee", "gas_credit"},
    {Kind::no_outputs, "no outputs", "no_results"},
    {Kind::transaction_version, "transaction version", "tx_version"},
    {Kind::time_range, "time range", "time_range"},
    {Kind::not_standard, "program not standard", "not_standard"},
    {Kind::duplicate_input, "output spent twice", "empty_input_id"},
    {Kind::cut, "cut", "decode"},
    {Kind::trailing, "bytes behind", "decode"},
    {Kind::flag, "flag", "decode"},
    {Kind::padded_number, "padded number", "valid"},
    {Kind::long_number, "number of eleven bytes", "decode"},
    {Kind::asset_version, "asset version", "unsupported"},
    {Kind::any_bit, "any bit", ""},
};

/// Kinds drawn more than once a round: without a hash nothing else tells that there is too little work in a header.
constexpr std::uint32_t kWorkPlants = 4;
/// Places that are asked for again when an item's flaw happens to break nothing.
constexpr int kMaxTries = 64;
constexpr std::string_view kValidWord = "valid";

template <class K>
Result<std::unique_ptr<kernels::Kernel>> kernel_of(kernels::Family family, bool reference, K*& typed) {
  std::unique_ptr<kernels::Kernel> made;
  if (reference) {
    const kernels::Row* row = nullptr;
    for (const kernels::Row& r : kernels::rows()) {
      if (r.family == family && r.backend == kernels::Backend::reference) row = &r;
    }
    if (row == nullptr) return fail(Status::internal, "a family without a reference row");
    SPARKMILL_ASSIGN(made, row->make(kernels::cpu_device()));
  } else {
    SPARKMILL_ASSIGN(made, other_cpu_kernel(family, {}));
  }
  typed = dynamic_cast<K*>(made.get());
  if (typed == nullptr) return fail(Status::internal, "a row makes a kernel of another family");
  return made;
}

/// Rows that judge.
struct Judges {
  static Result<Judges> make(bool reference) {
    Judges out;
    SPARKMILL_ASSIGN(out.owners[0], kernel_of(kernels::Family::hash, reference, out.engines.hash));
    SPARKMILL_ASSIGN(out.owners[1], kernel_of(kernels::Family::ed25519, reference, out.engines.signatures));
    SPARKMILL_ASSIGN(out.owners[2], kernel_of(kernels::Family::tensority, false, out.engines.pow));
    return out;
  }
  bytom::Engines engines;
  std::unique_ptr<kernels::Kernel> owners[3];
};

struct Made {
  BytomDraft draft;
  SampleBlock item;
  std::uint8_t verdict = 1;
};

/// Nonces for drafts with a seed: enough work, or for the flaw `work` too little.
Result<std::uint64_t> find_work(std::vector<Made*> drafts, tensority::Kernel& kernel, const StopToken& stop) {
  std::map<Hash32, std::vector<BytomDraft*>> by_seed;
  for (Made* made : drafts) {
    if (made->draft.context && made->draft.context->seed) by_seed[*made->draft.context->seed].push_back(&made->draft);
  }
  std::uint64_t hashes = 0;
  for (auto& [seed, list] : by_seed) {
    SPARKMILL_ASSIGN(const auto epoch, tensority::epochs().get(seed, stop));
    while (!list.empty()) {
      std::vector<Hash32> headers, results(list.size());
      for (const BytomDraft* d : list) headers.push_back(chain::header_hash(d->block.header));
      SPARKMILL_TRY(kernel.hash(*epoch, headers, results, stop));
      hashes += list.size();
      std::vector<BytomDraft*> left;
      for (std::size_t k = 0; k < list.size(); ++k) {
        chain::BlockHeader& h = list[k]->block.header;
        const bool enough = chain::meets(results[k], chain::target_from_bits(h.bits));
        if (enough == (list[k]->flaw != Kind::work)) continue;
        h.nonce = (h.nonce + 1) & chain::kMaxVarint63;
        left.push_back(list[k]);
      }
      list = std::move(left);
    }
  }
  return hashes;
}

/// The verdict bytes of items. `with_work`: proof of work, too.
Result<Bytes> judge_items(std::span<const SampleBlock* const> items, bool with_work, const Judges& judges,
                          const StopToken& stop) {
  Bytes verdicts(items.size());
  std::vector<bytom::Block> decoded;
  decoded.reserve(items.size());
  std::vector<bytom::Item> asked;
  std::vector<std::size_t> places;
  for (std::size_t k = 0; k < items.size(); ++k) {
    auto block = bytom::decode(items[k]->block);
    if (!block) {
      verdicts[k] = block_verdict(Chain::bytom, bytom::undecodable(block.error()).reason);
      continue;
    }
    decoded.push_back(std::move(*block));
    asked.push_back({&decoded.back(), items[k]->context});
    if (!with_work && asked.back().context) asked.back().context->seed.reset();
    places.push_back(k);
  }
  SPARKMILL_ASSIGN(const std::vector<bytom::Judged> judged, bytom::judge(asked, judges.engines, stop));
  for (std::size_t k = 0; k < judged.size(); ++k) {
    verdicts[places[k]] = block_verdict(Chain::bytom, judged[k].verdict.ok ? kValidWord : judged[k].verdict.reason);
  }
  return verdicts;
}

/// Every kind once before any comes twice; in a drawn order, until enough of them are bad.
std::vector<Kind> kinds_to_plant(std::uint32_t bad, ChaChaWords& draw) {
  std::vector<Kind> out;
  std::uint32_t counted = 0;
  for (bool first = true; counted < bad; first = false) {
    std::vector<Kind> round;
    for (const BlockPlantRow& row : kBytom) {
      if (!first && row.reason == kValidWord) continue;
      round.push_back(row.kind);
    }
    round.insert(round.end(), kWorkPlants - 1, Kind::work);
    for (std::size_t k = round.size(); k > 1; --k) std::swap(round[k - 1], round[draw.below(k)]);
    for (const Kind kind : round) {
      if (counted == bad) break;
      out.push_back(kind);
      counted += find_block_plant(kind)->reason == kValidWord ? 0 : 1;
    }
  }
  return out;
}

template <class T>
void shuffle(std::vector<T>& list, ChaChaWords& draw) {
  for (std::size_t k = list.size(); k > 1; --k) std::swap(list[k - 1], list[draw.below(k)]);
}

class Planter {
 public:
  Planter(std::span<const BlockItem> real, std::uint32_t items, const Hash32& seed, const StopToken& stop)
      : real_(real),
        items_(items),
        stop_(stop),
        draw_(Sha256().update("sparkmill/block-plants/v1").update(seed).finish()),
        sample_seed_(Sha256().update("sparkmill/sample-blocks/v1").update(seed).finish()) {}
  Result<PlantedBlocks> run();

 private:
  std::optional<Hash32> any_seed() { return seeds_[draw_.below(seeds_.size())]; }
  Done make_plants(BytomSamples& samples);
  Done make_good(BytomSamples& samples);
  Result<PlantedBlocks> place();

  std::span<const BlockItem> real_;
  const std::uint32_t items_;
  const StopToken& stop_;
  ChaChaWords draw_;
  const Hash32 sample_seed_;
  std::vector<Hash32> seeds_;
  std::vector<Made> plants_, good_;  ///< good_: real ones first
  std::uint64_t hashes_ = 0;
  Judges fast_;
};

Done Planter::make_plants(BytomSamples& samples) {
  SPARKMILL_ASSIGN(const Judges judges, Judges::make(true));
  std::vector<Made> open;
  for (const Kind kind : kinds_to_plant(bad_items_for(items_), draw_)) {
    Made made;
    made.draft.flaw = kind;
    open.push_back(std::move(made));
  }
  for (int tries = 0; !open.empty(); ++tries) {
    if (tries == kMaxTries) return fail(Status::internal, "planted blocks: a flaw that breaks nothing");
    std::vector<Made*> all;
    std::vector<const SampleBlock*> items;
    for (Made& made : open) {
      const Kind kind = *made.draft.flaw;
      const bool work = kind == Kind::work || draw_.below(kWorkPer) == 0;
      SPARKMILL_ASSIGN(made.draft, samples.draft(kind, work ? any_seed() : std::nullopt, stop_));
      all.push_back(&made);
      items.push_back(&made.item);
    }
    SPARKMILL_ASSIGN(const std::uint64_t hashes, find_work(all, *fast_.engines.pow, stop_));
    hashes_ += hashes;
    for (Made& made : open) made.item = {made.draft.context, samples.bytes(made.draft)};
    SPARKMILL_ASSIGN(const Bytes verdicts, judge_items(items, true, judges, stop_));
    std::vector<Made> again;
    for (std::size_t k = 0; k < open.size(); ++k) {
      const BlockPlantRow& row = *find_block_plant(*open[k].draft.flaw);
      open[k].verdict = verdicts[k];
      if (row.reason.empty() && verdicts[k] == block_verdict(Chain::bytom, kValidWord)) {
        again.push_back(std::move(open[k]));
        continue;
      }
      if (!row.reason.empty() && verdicts[k] != block_verdict(Chain::bytom, row.reason)) {
        return fail(Status::internal, "planted blocks: \"" + std::string(row.name) + "\" is " +
                                          std::string(block_reason(verdicts[k])) + ", not " + std::string(row.reason));
      }
      plants_.push_back(std::move(open[k]));
    }
    open = std::move(again);
  }
  return done();
}

Done Planter::make_good(BytomSamples& samples) {
  std::uint32_t with_work = 0;
  for (const BlockItem& item : real_) {
    Made made;
    made.item = {item.context, Bytes(item.block.begin(), item.block.end())};
    good_.push_back(std::move(made));
  }
  for (const auto* list : {&plants_, &good_}) {
    for (const Made& made : *list) with_work += made.item.context && made.item.context->seed ? 1 : 0;
  }
  const std::size_t wanted = items_ - plants_.size();
  while (good_.size() < wanted) {
    if (stop_.stop_requested()) return fail(Status::cancelled, "stopped");
    const bool work = with_work < items_ / kWorkPer;
    with_work += work ? 1 : 0;
    Made made;
    SPARKMILL_ASSIGN(made.draft, samples.draft(std::nullopt, work ? any_seed() : std::nullopt, stop_));
    good_.push_back(std::move(made));
  }
  std::vector<Made*> fresh;
  for (std::size_t k = real_.size(); k < good_.size(); ++k) fresh.push_back(&good_[k]);
  SPARKMILL_ASSIGN(const std::uint64_t hashes, find_work(fresh, *fast_.engines.pow, stop_));
  hashes_ += hashes;
  for (Made* made : fresh) {
    made->item = {made->draft.context, samples.bytes(made->draft)};
    made->draft = {};
  }
  std::vector<const SampleBlock*> items;
  for (const Made& made : good_) items.push_back(&made.item);
  // The hashes of fresh ones are known, and real ones were mined.
  SPARKMILL_ASSIGN(const Bytes verdicts, judge_items(items, false, fast_, stop_));
  for (std::size_t k = 0; k < verdicts.size(); ++k) {
    if (verdicts[k] == block_verdict(Chain::bytom, kValidWord)) continue;
    return fail(Status::internal, "planted blocks: " + std::string(k < real_.size() ? "real" : "good") + " block " +
                                      std::to_string(k) + " is " + std::string(block_reason(verdicts[k])));
  }
  return done();
}

/// Drawn places; what asks for work stands by seed in those that work fell to.
Result<PlantedBlocks> Planter::place() {
  std::vector<Made*> with, without;
  for (auto* list : {&plants_, &good_}) {
    for (Made& made : *list) (made.item.context && made.item.context->seed ? with : without).push_back(&made);
  }
  shuffle(with, draw_);
  shuffle(without, draw_);
  std::stable_sort(with.begin(), with.end(),
                   [](const Made* a, const Made* b) { return *a->item.context->seed < *b->item.context->seed; });
  std::set<std::uint32_t> work_places;
  while (work_places.size() < with.size()) work_places.insert(static_cast<std::uint32_t>(draw_.below(items_)));

  PlantedBlocks out;
  out.plants.items = items_;
  out.with_work = static_cast<std::uint32_t>(with.size());
  out.hashes = hashes_;
  auto next_with = with.begin(), next_without = without.begin();
  for (std::uint32_t at = 0; at < items_; ++at) {
    Made& made = work_places.count(at) != 0 ? **next_with++ : **next_without++;
    if (made.draft.flaw) out.plants.list.push_back({at, *made.draft.flaw, made.verdict});
    out.items.push_back(std::move(made.item));
  }
  return out;
}

Result<PlantedBlocks> Planter::run() {
  SPARKMILL_ASSIGN(fast_, Judges::make(false));
  seeds_ = {chain::initial_seed()};
  for (const BlockItem& item : real_) {
    if (!item.context || !item.context->seed) continue;
    if (std::find(seeds_.begin(), seeds_.end(), *item.context->seed) == seeds_.end()) {
      seeds_.push_back(*item.context->seed);
    }
  }
  BytomSamples samples(sample_seed_, *fast_.engines.hash);
  SPARKMILL_TRY(make_plants(samples));
  if (plants_.size() + real_.size() > items_) {
    return fail(Status::bad_argument, "planted blocks: no room for " + std::to_string(real_.size()) + " real ones");
  }
  SPARKMILL_TRY(make_good(samples));
  return place();
}

}  // namespace

std::span<const BlockPlantRow> block_plant_kinds(Chain chain) {
  return chain == Chain::bytom ? std::span<const BlockPlantRow>(kBytom) : std::span<const BlockPlantRow>();
}

const BlockPlantRow* find_block_plant(BlockPlantKind kind) {
  for (const BlockPlantRow& row : kBytom) {
    if (row.kind == kind) return &row;
  }
  return nullptr;
}

Bytes encode(const BlockPlants& plants) {
  PlantTable table{plants.items, {}};
  for (const BlockPlant& p : plants.list) {
    table.list.push_back({p.index, static_cast<std::uint8_t>(p.kind), p.verdict});
  }
  return encode_plant_table(table);
}

Result<BlockPlants> decode_block_plants(ByteView bytes) {
  SPARKMILL_ASSIGN(const PlantTable table, decode_plant_table(bytes, kMaxBlockItems, block_verdict(Chain::bytom, {})));
  BlockPlants out{table.items, {}};
  for (const PlantEntry& e : table.list) {
    const auto kind = static_cast<BlockPlantKind>(e.kind);
    if (find_block_plant(kind) == nullptr || e.verdict == 0) {
      return fail(Status::bad_input,
                  "planted blocks: kind " + std::to_string(e.kind) + ", verdict " + std::to_string(e.verdict));
    }
    out.list.push_back({e.index, kind, e.verdict});
  }
  return out;
}

Finding check_plants(const BlockPlants& plants, ByteView answer) {
  const auto verdicts = decode_verdict_bytes(answer, plants.items, block_verdict(Chain::bytom, {}), "verify.blocks");
  if (!verdicts) return {"malformed", verdicts.error().message};
  const std::uint8_t valid = block_verdict(Chain::bytom, kValidWord);
  std::size_t missed = 0, refused = 0, otherwise = 0;
  for (const BlockPlant& p : plants.list) {
    const std::uint8_t said = (*verdicts)[p.index];
    if (said == p.verdict) continue;
    ++(said == valid ? missed : p.verdict == valid ? refused : otherwise);
  }
  if (missed > 0) return {"plant_missed", std::to_string(missed) + " planted bad blocks were called valid"};
  if (refused > 0) return {"plant_refused", std::to_string(refused) + " planted valid blocks were called invalid"};
  if (otherwise > 0) return {"plant_reason", std::to_string(otherwise) + " planted bad blocks have another reason"};
  return {};
}

Result<Bytes> strip_plants(const BlockPlants& plants, ByteView answer) {
  SPARKMILL_ASSIGN(const Bytes verdicts,
                   decode_verdict_bytes(answer, plants.items, block_verdict(Chain::bytom, {}), "verify.blocks"));
  Bytes rest;
  auto planted = plants.list.begin();
  for (std::uint32_t at = 0; at < verdicts.size(); ++at) {
    if (planted != plants.list.end() && planted->index == at) {
      ++planted;
    } else {
      rest.push_back(verdicts[at]);
    }
  }
  return encode_verdict_bytes(rest);
}

Result<PlantedBlocks> plant_bytom_blocks(std::span<const BlockItem> real, std::uint32_t items, const Hash32& seed,
                                         const StopToken& stop) {
  if (items < kMinPlantedBlocks || items > kMaxBlockItems) {
    return fail(Status::bad_argument, "planted blocks: a job of " + std::to_string(items) + " items");
  }
  if (sodium_init() < 0) return fail(Status::internal, "libsodium could not start");
  return Planter(real, items, seed, stop).run();
}

}  // namespace sparkmill::job

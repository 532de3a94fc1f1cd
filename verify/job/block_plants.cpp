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
#include "verify/job/block_list.h"
#include "verify/job/bytom_samples.h"
#include "verify/job/chain_plants.h"
#include "verify/job/items.h"
#include "verify/job/plant_table.h"
#include "verify/job/plants.h"

namespace sparkmill::job {
namespace {

namespace bytom = blocks::bytom;
using Flaw = BlockPlantKind;

constexpr BlockPlantRow kBytom[] = {
    {Flaw::commitment_bit, "bit of R", "program_false"},
    {Flaw::scalar_bit, "bit of S", "program_false"},
    {Flaw::key_bit, "bit of the key", "verify_failed"},
    {Flaw::wrong_key, "signed by another key", "program_false"},
    {Flaw::wrong_message, "signature of another message", "program_false"},
    {Flaw::scalar_plus_order, "S + L", "valid"},
    {Flaw::scalar_top_bits, "top bits of S", "program_false"},
    {Flaw::long_signature, "signature of 65 bytes", "program_false"},
    {Flaw::no_arguments, "no arguments", "stack_underflow"},
    {Flaw::swapped_arguments, "arguments swapped", "verify_failed"},
    {Flaw::same_signature, "multisig: one signature twice", "program_false"},
    {Flaw::other_script, "multisig: another script", "verify_failed"},
    {Flaw::multisig_bit, "multisig: bit of a signature", "program_false"},
    {Flaw::signature_order, "multisig: order of signatures", "program_false"},
    {Flaw::asset_signature_bit, "bit of an asset's signature", "status_root"},
    {Flaw::claimed_failure, "failure claimed", "status_root"},
    {Flaw::transaction_root, "bit of the transaction root", "tx_root"},
    {Flaw::status_root, "bit of the status root", "status_root"},
    {Flaw::roots_swapped, "roots swapped", "tx_root"},
    {Flaw::transactions_swapped, "transactions swapped", "tx_root"},
    {Flaw::version, "version", "version"},
    {Flaw::height, "height", "height"},
    {Flaw::bits, "bits", "bits"},
    {Flaw::previous, "bit of the parent's id", "previous"},
    {Flaw::old_time, "time not above the median", "timestamp"},
    {Flaw::future_time, "time too far ahead", "timestamp"},
    {Flaw::work, "proof of work", "pow"},
    {Flaw::coinbase_more, "coinbase too large", "coinbase"},
    {Flaw::coinbase_less, "coinbase too small", "coinbase"},
    {Flaw::coinbase_two_outputs, "coinbase with two outputs", "coinbase"},
    {Flaw::coinbase_retired, "coinbase retired", "coinbase"},
    {Flaw::coinbase_asset, "coinbase of another asset", "coinbase_asset"},
    {Flaw::coinbase_data, "coinbase data too long", "coinbase_data"},
    {Flaw::second_coinbase, "second coinbase", "coinbase"},
    {Flaw::asset_more, "more of an asset than came", "unbalanced"},
    {Flaw::asset_nowhere, "asset without source", "no_source"},
    {Flaw::asset_overflow, "sum over 64 bits", "overflow"},
    {Flaw::btm_more, "more BTM than came", "gas_math"},
    {Flaw::no_fee, "no fee", "run_limit"},
    {Flaw::low_fee, "low fee", "gas_credit"},
    {Flaw::no_outputs, "no outputs", "no_results"},
    {Flaw::transaction_version, "transaction version", "tx_version"},
    {Flaw::time_range, "time range", "time_range"},
    {Flaw::not_standard, "program not standard", "not_standard"},
    {Flaw::duplicate_input, "output spent twice", "empty_input_id"},
    {Flaw::cut, "cut", "decode"},
    {Flaw::trailing, "bytes behind", "decode"},
    {Flaw::flag, "flag", "decode"},
    {Flaw::padded_number, "padded number", "valid"},
    {Flaw::long_number, "number of eleven bytes", "decode"},
    {Flaw::asset_version, "asset version", "unsupported"},
    {Flaw::any_bit, "any bit", ""},
};

constexpr BlockPlantRow kBttc[] = {
    {Flaw::bttc_commitment_bit, "bit of r", ""},
    {Flaw::bttc_scalar_bit, "bit of s", "below_threshold"},
    {Flaw::bttc_flipped_v, "other parity", "below_threshold"},
    {Flaw::bttc_high_s, "high s, canonical", "high_s"},
    {Flaw::bttc_high_s_walk, "high s", "below_threshold"},
    {Flaw::bttc_odd_v, "v nobody takes, canonical", "bad_v"},
    {Flaw::bttc_duplicate, "signer twice, canonical", "duplicate_signer"},
    {Flaw::bttc_duplicate_walk, "signer twice", "below_threshold"},
    {Flaw::bttc_order, "order of signers, canonical", "wrong_order"},
    {Flaw::bttc_order_walk, "order of signers", "below_threshold"},
    {Flaw::bttc_stranger, "stranger, canonical", "unknown_signer"},
    {Flaw::bttc_stranger_walk, "stranger", "below_threshold"},
    {Flaw::bttc_no_point, "r of no point", "bad_signature"},
    {Flaw::bttc_other_data, "vote for another checkpoint", "below_threshold"},
    {Flaw::bttc_root_bit, "bit of the root", "below_threshold"},
    {Flaw::bttc_left, "validator that left, canonical", "unknown_signer"},
    {Flaw::bttc_too_few, "too few votes", "too_few_signatures"},
    {Flaw::bttc_missing, "too few votes, canonical", "below_threshold"},
    {Flaw::bttc_stake, "too little stake", "below_threshold"},
    {Flaw::bttc_short, "data too short", "bad_length"},
    {Flaw::bttc_chain, "another chain", "wrong_chain"},
    {Flaw::bttc_gap, "gap behind the last one", "discontinuous"},
    {Flaw::bttc_backwards, "end before start", "bad_range"},
    {Flaw::bttc_span, "span too long, canonical", "bad_range"},
    {Flaw::bttc_padding, "address not padded, canonical", "bad_address_padding"},
    {Flaw::bttc_proposer, "unknown proposer, canonical", "unknown_proposer"},
    {Flaw::exit_cut, "exit: cut", "bad_payload"},
    {Flaw::exit_header, "exit: no such checkpoint", "unknown_header"},
    {Flaw::exit_span, "exit: block outside", "block_out_of_span"},
    {Flaw::exit_sibling_bit, "exit: bit of the block's path", "bad_block_proof"},
    {Flaw::exit_leaf, "exit: another leaf", "bad_block_proof"},
    {Flaw::exit_mask, "exit: branch mask", "bad_branch_mask"},
    {Flaw::exit_node_bit, "exit: bit of a trie node", "bad_receipt_proof"},
    {Flaw::exit_receipt_bit, "exit: bit of the receipt", "bad_receipt_proof"},
    {Flaw::exit_form, "exit: no receipt", "bad_receipt"},
    {Flaw::exit_log, "exit: no such log", "bad_log_index"},
    {Flaw::exit_replay, "exit: again", "already_processed"},
};

constexpr BlockPlantRow kBtn[] = {
    {Flaw::btn_header, "header", "bad_header"},
    {Flaw::btn_parent_bit, "bit of the parent", "wrong_parent"},
    {Flaw::btn_height, "height", "wrong_parent"},
    {Flaw::btn_few_draws, "too few draws", "committee_not_ready"},
    {Flaw::btn_draw_bits, "bits of draws", "committee_not_ready"},
    {Flaw::btn_clerk, "clerk without a draw", "clerk_not_in_committee"},
    {Flaw::btn_draw_reference, "another draw named", "bad_draw_reference"},
    {Flaw::btn_clerk_bit, "bit of the clerk's signature", "bad_clerk_signature"},
    {Flaw::btn_unsealed, "no seal", "unsealed"},
    {Flaw::btn_sealer, "sealer not registered", "unknown_sealer"},
    {Flaw::btn_own_seal, "clerk's own seal", "own_seal"},
    {Flaw::btn_seal_bit, "bit of the seal", "bad_seal"},
    {Flaw::btn_seal_round, "seal of a late round", "bad_seal"},
    {Flaw::btn_seal_other, "seal of another block", "bad_seal"},
    {Flaw::btn_seal_zeros, "seal without zeros", "seal_zeros"},
    {Flaw::btn_voter, "voter without a draw", "voter_not_in_committee"},
    {Flaw::btn_duplicate_vote, "vote twice", "duplicate_vote"},
    {Flaw::btn_vote_bit, "bit of a vote", "bad_vote"},
    {Flaw::btn_vote_other, "vote for another block", "bad_vote"},
    {Flaw::btn_vote_bare, "vote without height", "bad_vote"},
    {Flaw::btn_vote_missing, "vote missing", "votes_missing"},
    {Flaw::btn_same_hash, "equivocation: one hash", "same_hash"},
    {Flaw::btn_proof_bit, "equivocation: bit of a signature", "bad_signature"},
    {Flaw::btn_proof_role, "equivocation: two roles", "bad_signature"},
};

/// How often a round has this kind: openings look for skipped hashes, and each of these costs a second look by a slower
/// row, a second where that is the reference.
constexpr std::uint32_t kWorkPlants = 2;
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
        if (enough == (list[k]->flaw != Flaw::work)) continue;
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
  for (const Flaw kind : kinds_to_plant(Chain::bytom, block_plants_for(items_), draw_)) {
    Made made;
    made.draft.flaw = kind;
    open.push_back(std::move(made));
  }
  for (int tries = 0; !open.empty(); ++tries) {
    if (tries == kMaxTries) return fail(Status::internal, "planted blocks: a flaw that breaks nothing");
    std::vector<Made*> all;
    std::vector<const SampleBlock*> items;
    for (Made& made : open) {
      const Flaw kind = *made.draft.flaw;
      const bool work = kind == Flaw::work || draw_.below(kWorkPer) == 0;
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
      if (row.reason.empty() && verdicts[k] == kValid) {
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
    if (verdicts[k] == kValid) continue;
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
  switch (chain) {
    case Chain::bytom: return kBytom;
    case Chain::bttc: return kBttc;
    case Chain::btn: return kBtn;
  }
  return {};
}

const BlockPlantRow* find_block_plant(BlockPlantKind kind) {
  for (const Chain chain : {Chain::bytom, Chain::bttc, Chain::btn}) {
    for (const BlockPlantRow& row : block_plant_kinds(chain)) {
      if (row.kind == kind) return &row;
    }
  }
  return nullptr;
}

std::uint32_t block_plants_for(std::uint32_t items) { return bad_items_for(items); }

std::vector<Flaw> kinds_to_plant(Chain chain, std::uint32_t bad, ChaChaWords& draw) {
  std::vector<Flaw> out;
  std::uint32_t counted = 0;
  for (bool first = true; counted < bad; first = false) {
    std::vector<Flaw> round;
    for (const BlockPlantRow& row : block_plant_kinds(chain)) {
      if (!first && row.reason == kValidWord) continue;
      round.push_back(row.kind);
    }
    if (chain == Chain::bytom) round.insert(round.end(), kWorkPlants - 1, Flaw::work);
    shuffle(round, draw);
    for (const Flaw kind : round) {
      if (counted == bad) break;
      out.push_back(kind);
      counted += find_block_plant(kind)->reason == kValidWord ? 0 : 1;
    }
  }
  return out;
}

Done expect_verdict(Chain chain, BlockPlantKind kind, std::uint8_t verdict) {
  const BlockPlantRow& row = *find_block_plant(kind);
  if (row.reason.empty() ? verdict != kValid : verdict == block_verdict(chain, row.reason)) return done();
  return fail(Status::internal, "planted items: \"" + std::string(row.name) + "\" is " +
                                    std::string(block_reason(chain, verdict)) + ", not " + std::string(row.reason));
}

Result<Bytes> judge_blob(Chain chain, const Bytes& blob, std::uint32_t count, bool reference, const StopToken& stop) {
  MemoryBlobs blobs;
  const Job job = make_blocks_job({chain, count}, blobs.add(blob), true, 0);
  SPARKMILL_ASSIGN(const std::unique_ptr<Work> work, open(job, blobs, {}));
  kernels::Kernel* any = nullptr;
  SPARKMILL_ASSIGN(const auto kernel, kernel_of(work->family(), reference, any));
  std::vector<Bytes> results;
  for (const Slice& slice : work->slice(~std::uint64_t{0})) {
    SPARKMILL_ASSIGN(Bytes part, work->run(slice, *kernel, stop));
    results.push_back(std::move(part));
  }
  SPARKMILL_ASSIGN(const Outcome outcome, work->assemble(results));
  return decode_verdict_bytes(outcome.answer, count, highest_block_verdict(chain), kBlocksName);
}

Bytes encode(const BlockPlants& plants) {
  PlantTable table{plants.items, {}};
  for (const BlockPlant& p : plants.list) {
    table.list.push_back({p.index, static_cast<std::uint8_t>(p.kind), p.verdict});
  }
  return encode_plant_table(table);
}

namespace {

Chain chain_of(BlockPlantKind kind) {
  return kind >= Flaw::btn_header ? Chain::btn : kind >= Flaw::bttc_commitment_bit ? Chain::bttc : Chain::bytom;
}

Result<Bytes> verdicts_of(const BlockPlants& plants, ByteView answer) {
  return decode_verdict_bytes(answer, plants.items, highest_block_verdict(plants.chain), kBlocksName);
}

}  // namespace

Result<BlockPlants> decode_block_plants(ByteView bytes) {
  SPARKMILL_ASSIGN(const PlantTable table, decode_plant_table(bytes, kMaxBlockItems, 255));
  BlockPlants out;
  out.items = table.items;
  if (!table.list.empty()) out.chain = chain_of(static_cast<BlockPlantKind>(table.list[0].kind));
  for (const PlantEntry& e : table.list) {
    const auto kind = static_cast<BlockPlantKind>(e.kind);
    if (find_block_plant(kind) == nullptr || chain_of(kind) != out.chain || e.verdict == 0 ||
        e.verdict > highest_block_verdict(out.chain)) {
      return fail(Status::bad_input,
                  "planted blocks: kind " + std::to_string(e.kind) + ", verdict " + std::to_string(e.verdict));
    }
    out.list.push_back({e.index, kind, e.verdict});
  }
  return out;
}

Finding check_plants(const BlockPlants& plants, ByteView answer) {
  const auto verdicts = verdicts_of(plants, answer);
  if (!verdicts) return {"malformed", verdicts.error().message};
  std::size_t missed = 0, refused = 0, otherwise = 0;
  for (const BlockPlant& p : plants.list) {
    const std::uint8_t said = (*verdicts)[p.index];
    if (said == p.verdict) continue;
    ++(said == kValid ? missed : p.verdict == kValid ? refused : otherwise);
  }
  if (missed > 0) return {"plant_missed", std::to_string(missed) + " planted bad blocks were called valid"};
  if (refused > 0) return {"plant_refused", std::to_string(refused) + " planted valid blocks were called invalid"};
  if (otherwise > 0) return {"plant_reason", std::to_string(otherwise) + " planted bad blocks have another reason"};
  return {};
}

Result<Bytes> strip_plants(const BlockPlants& plants, ByteView answer) {
  SPARKMILL_ASSIGN(const Bytes verdicts, verdicts_of(plants, answer));
  return encode_verdict_bytes(without_planted(verdicts, std::span(plants.list)));
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

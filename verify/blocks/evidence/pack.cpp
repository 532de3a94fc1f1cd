// SPDX-License-Identifier: Apache-2.0
#include "verify/blocks/evidence/pack.h"

#include <deque>
#include <map>

#include "base/hash.h"
#include "verify/blocks/evidence/cases.h"
#include "verify/job/verify_blocks_btn.h"
#include "verify/job/verify_blocks_bttc.h"

namespace sparkmill::evidence {
namespace {

/// The index of a state among those known, by its bytes in a blob.
template <class Items, class State>
std::uint32_t share(Items& items, std::map<Hash32, std::uint32_t>& known, State state) {
  Items alone;
  alone.states.push_back(std::move(state));
  const auto [at, fresh] =
      known.try_emplace(sha256(job::encode_block_items(alone)), static_cast<std::uint32_t>(items.states.size()));
  if (fresh) items.states.push_back(std::move(alone.states.front()));
  return at->second;
}

}  // namespace

struct BlockPacker::Parts {
  std::deque<CheckpointCase> checkpoints;  ///< what views of the items point into, as the next three
  std::deque<ExitCase> exits;
  std::deque<BlockCase> blocks;
  std::deque<EquivocationCase> equivocations;
  job::BttcItems bttc;
  job::BtnItems btn;
  std::map<Hash32, std::uint32_t> states;

  void add_checkpoint(CheckpointCase read, const Options& options) {
    const CheckpointCase& c = checkpoints.emplace_back(std::move(read));
    const job::BttcValidators set{c.state.chain_id, c.state.epoch, c.state.staker_count, c.state.total_stake,
                                  c.validators};
    job::BttcCheckpoint item;
    item.state = share(bttc, states, job::BttcState(set));
    item.policy = options.canonical ? bttc::Policy::canonical : bttc::Policy::contract;
    item.rule = options.stake ? bttc::Rule::stake : bttc::Rule::count;
    item.last_end = c.state.last_end;
    item.data = c.data;
    item.signatures = c.signatures;
    bttc.items.emplace_back(std::move(item));
  }
  void add_exit(ExitCase read) {
    const ExitCase& c = exits.emplace_back(std::move(read));
    bttc.items.emplace_back(job::BttcExit{share(bttc, states, job::BttcState(c.state)), c.payload});
  }
  void add_block(BlockCase read) {
    const BlockCase& c = blocks.emplace_back(std::move(read));
    const job::BtnParams params{c.rules.draw,      c.rules.m2,  c.rules.wanted, c.rules.rule,
                                c.rules.vote_form, c.moduli[0], c.moduli[1]};
    btn.items.emplace_back(
        job::BtnBlock{share(btn, states, params), c.rules.parent_hash, c.rules.parent_height, c.block});
  }
  void add_equivocation(EquivocationCase read) {
    btn.items.emplace_back(equivocations.emplace_back(std::move(read)).item);
  }
};

BlockPacker::BlockPacker(System system, const Options& options)
    : system_(system), options_(options), parts_(std::make_unique<Parts>()) {}
BlockPacker::~BlockPacker() = default;

std::size_t BlockPacker::size() const { return parts_->bttc.items.size() + parts_->btn.items.size(); }

Done BlockPacker::add(const Json& item) {
  if (size() == job::kMaxBlockItems) {
    return fail(Status::too_large, "over " + std::to_string(job::kMaxBlockItems) + " items", "pack them in parts");
  }
  if (!item.is_object()) return fail(Status::bad_input, "the item is no object");
  try {
    const Fields outer(item, "item");
    const std::string kind = outer.text("kind");
    const Fields in(outer.at("in"), "in");
    if (system_ == System::bttc && kind == "checkpoint") {
      parts_->add_checkpoint(read_checkpoint(in), options_);
    } else if (system_ == System::bttc && kind == "exit") {
      parts_->add_exit(read_exit(in));
    } else if (system_ == System::btn && kind == "block") {
      parts_->add_block(read_btn_block(in));
    } else if (system_ == System::btn && kind == "equivocation") {
      parts_->add_equivocation(read_equivocation(in));
    } else {
      return fail(Status::bad_input, "kind '" + kind.substr(0, 40) + "' is no item of a job",
                  system_ == System::bttc ? "checkpoint or exit" : "block or equivocation");
    }
  } catch (const Malformed& e) {
    return fail(Status::bad_input, e.message);
  } catch (const OverLimit&) {
    return fail(Status::too_large, "over a limit of its kind");
  } catch (const Refused& e) {
    return fail(Status::bad_input, "refused without a check: " + std::string(e.reason));
  }
  return done();
}

Result<Bytes> BlockPacker::finish() const {
  if (size() == 0) return fail(Status::bad_input, "there are no items");
  return system_ == System::bttc ? job::encode_block_items(parts_->bttc) : job::encode_block_items(parts_->btn);
}

}  // namespace sparkmill::evidence

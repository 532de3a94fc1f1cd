// SPDX-License-Identifier: Apache-2.0
#include "verify/blocks/bytom_window.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "verify/blocks/bytom_epochs.h"

namespace sparkmill::blocks::bytom {
namespace {

/// A block on its way through the window. Does not move: the block's views point into `bytes`.
struct Slot {
  std::uint64_t number = 0;
  Bytes bytes;
  std::optional<Block> block;
  Context context;
  std::size_t weight = 0;
  Judged judged;
  bool ready = false;            ///< judged, waits for those before it
  std::optional<Error> failure;  ///< instead of a judgement; ends the run when its turn comes
};

/// What a block holds while it is in flight: its bytes, the decoded form, ids and facts.
std::size_t weight_of(const Slot& slot) {
  std::size_t sum = sizeof(Slot) + slot.bytes.size();
  if (!slot.block) return sum;
  constexpr std::size_t kHashesAnInput = 4;
  for (const Transaction& tx : slot.block->transactions) {
    sum += sizeof(Transaction) + sizeof(TransactionIds) + sizeof(TransactionFacts);
    sum += tx.inputs.size() * (sizeof(Input) + kHashesAnInput * sizeof(Hash32));
    sum += tx.outputs.size() * (sizeof(Output) + sizeof(Hash32));
  }
  return sum;
}

class Window {
 public:
  Window(const NextBlock& next, HeaderWalk& walk, State* state, bool real_state, const WindowOptions& options,
         const Deliver& deliver, const StopToken& stop)
      : next_(next),
        walk_(walk),
        state_(state),
        real_state_(real_state),
        options_(options),
        deliver_(deliver),
        stop_(stop),
        shelf_(options.epochs) {}

  /// One lane's share.
  Done work(const Engines& lane) {
    Engines engines = lane;
    engines.epochs = &shelf_;
    while (true) {
      SPARKMILL_ASSIGN(const std::vector<Slot*> bundle, take());
      if (bundle.empty()) return done();
      const Done judged = judge_bundle(bundle, engines);
      const Done handed = give_back(bundle, judged);
      if (!handed) return handed;
    }
  }

  WindowSummary summary() const { return summary_; }

 private:
  /// The next blocks to judge; none at the end. Waits while the window is full and others hold it. Reads two bundles
  /// before it takes one, as long as there is room: so the window fills while lanes are at work, and knows the seeds to
  /// come.
  Result<std::vector<Slot*>> take() {
    const std::size_t bundle = std::max<std::size_t>(options_.bundle, 1);
    std::size_t reads = 2 * bundle;
    std::unique_lock lock(mutex_);
    while (true) {
      if (stop_.stop_requested()) return stop_all(lock, fail(Status::cancelled, "stopped"));
      if (over_) return std::vector<Slot*>();
      if (reads > 0 && !at_end_ && !reading_ && (slots_.empty() || weight_ < options_.bytes)) {
        --reads;
        read_one(lock);
        continue;
      }
      const std::size_t waiting = slots_.size() - untaken_;
      // While another lane reads, half a bundle is left to grow.
      if (waiting >= bundle || (waiting != 0 && !reading_)) return first_waiting(std::min(waiting, bundle));
      if (at_end_ && !reading_ && slots_.empty()) {
        over_ = true;
        changed_.notify_all();
        if (read_error_) return std::exchange(read_error_, std::nullopt).value();
        return std::vector<Slot*>();
      }
      changed_.wait(lock);
    }
  }

  std::vector<Slot*> first_waiting(std::size_t count) {
    std::vector<Slot*> bundle;
    while (bundle.size() < count) bundle.push_back(slots_[untaken_++].get());
    return bundle;
  }

  /// Reads, decodes and links one block. Others judge and deliver meanwhile, however long the source takes: `lock` is
  /// open, reading_ keeps other readers away. An error ends the run behind the blocks that were read before.
  void read_one(std::unique_lock<std::mutex>& lock) {
    reading_ = true;
    lock.unlock();
    Result<std::unique_ptr<Slot>> slot = next_slot();
    lock.lock();
    reading_ = false;
    if (!slot) read_error_ = slot.error();
    if (!slot || *slot == nullptr) {
      at_end_ = true;
    } else {
      weight_ += (*slot)->weight;
      slots_.push_back(std::move(*slot));
    }
    changed_.notify_all();
  }

  /// nullptr at the end. By one thread at a time.
  Result<std::unique_ptr<Slot>> next_slot() {
    SPARKMILL_ASSIGN(std::optional<Bytes> bytes, next_());
    if (!bytes) return std::unique_ptr<Slot>();
    auto slot = std::make_unique<Slot>();
    slot->number = read_++;
    slot->bytes = std::move(*bytes);
    auto block = decode(slot->bytes);
    if (block) {
      slot->block = std::move(*block);
      const chain::BlockHeader& header = slot->block->header;
      slot->context = walk_.next(header.height);
      walk_.append(header, chain::header_hash(header));
      if (slot->context.seed) shelf_.expect(*slot->context.seed);
    } else {
      slot->judged.verdict = undecodable(block.error());
      walk_.forget();
    }
    slot->weight = weight_of(*slot);
    return slot;
  }

  Done judge_bundle(std::span<Slot* const> bundle, const Engines& engines) {
    std::vector<Item> items;
    std::vector<Slot*> whose;
    for (Slot* slot : bundle) {
      if (!slot->block) continue;
      items.push_back({&*slot->block, slot->context});
      whose.push_back(slot);
    }
    auto judged = judge(items, engines, stop_);
    if (!judged) return judged.error();
    for (std::size_t i = 0; i < whose.size(); ++i) {
      whose[i]->judged = std::move((*judged)[i]);
      if (whose[i]->context.seed) shelf_.done(*whose[i]->context.seed);
    }
    return done();
  }

  /// Delivers what is ready at the front; one thread at a time, the others go on judging.
  Done give_back(std::span<Slot* const> bundle, const Done& judged) {
    std::unique_lock lock(mutex_);
    if (judged.status() == Status::cancelled) return stop_all(lock, judged.error());
    if (!judged) {
      // In its turn: an invalid block further down may still end the run before it.
      bundle.front()->failure = judged.error();
      at_end_ = true;
    }
    for (Slot* slot : bundle) slot->ready = true;
    if (delivering_) return done();
    delivering_ = true;
    while (!over_ && !stop_.stop_requested() && !slots_.empty() && slots_.front()->ready) {
      const std::unique_ptr<Slot> slot = std::move(slots_.front());
      slots_.pop_front();
      --untaken_;
      if (slot->failure) {
        delivering_ = false;
        return stop_all(lock, std::move(*slot->failure));
      }
      lock.unlock();
      const Result<bool> more = hand_out(*slot);
      lock.lock();
      weight_ -= slot->weight;
      if (!more) {
        delivering_ = false;
        return stop_all(lock, more.error());
      }
      if (!*more) {
        summary_.ended_early = true;
        over_ = true;
      }
      changed_.notify_all();
    }
    delivering_ = false;
    return done();
  }

  /// False: the run ends here.
  Result<bool> hand_out(Slot& slot) {
    BlockVerdict& verdict = slot.judged.verdict;
    if (verdict.ok && state_ != nullptr) {
      SPARKMILL_ASSIGN(Verdict<> applied, state_->apply(*slot.block, slot.judged));
      verdict.facts.scope.state = real_state_;
      verdict.ok = applied.ok;
      verdict.reason = applied.reason;
      verdict.detail = std::move(applied.detail);
    }
    ++summary_.blocks;
    summary_.valid += verdict.ok ? 1 : 0;
    summary_.transactions += verdict.facts.transactions.size();
    summary_.signatures += verdict.facts.signatures;
    const bool wanted = deliver_({slot.number, slot.bytes.size(), slot.block ? &*slot.block : nullptr, slot.judged});
    return wanted && (verdict.ok || options_.go_on);
  }

  /// Under mutex_: nothing more is read, taken or delivered.
  Error stop_all(const std::unique_lock<std::mutex>&, Error error) {
    over_ = true;
    changed_.notify_all();
    return error;
  }

  const NextBlock& next_;
  HeaderWalk& walk_;
  State* const state_;
  const bool real_state_;
  const WindowOptions options_;
  const Deliver& deliver_;
  const StopToken stop_;
  EpochShelf shelf_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::unique_ptr<Slot>> slots_;  ///< in chain order; the first `untaken_` are with lanes or ready
  std::size_t untaken_ = 0;
  std::size_t weight_ = 0;
  std::uint64_t read_ = 0;  ///< by the thread that reads
  bool reading_ = false;
  bool at_end_ = false;
  bool over_ = false;
  bool delivering_ = false;
  std::optional<Error> read_error_;
  WindowSummary summary_;  ///< written by the thread that delivers
};

}  // namespace

Result<WindowSummary> judge_window(const NextBlock& next, HeaderWalk& walk, State* state, bool real_state, Lanes& lanes,
                                   const WindowOptions& options, const Deliver& deliver, const StopToken& stop) {
  Window window(next, walk, state, real_state, options, deliver, stop);
  SPARKMILL_TRY(lanes.run([&](const Engines& engines) { return window.work(engines); }));
  return window.summary();
}

namespace {

struct Made {
  std::unique_ptr<kernels::Kernel> kernel;
  std::string row;
};

Result<Made> make_kernel(kernels::Family family, const kernels::Device& device, const std::string& forced) {
  SPARKMILL_ASSIGN(const kernels::Choice choice, kernels::choose(family, device, forced));
  SPARKMILL_ASSIGN(std::unique_ptr<kernels::Kernel> kernel, kernels::make_tested(*choice.row, device));
  return Made{std::move(kernel), choice.row->id()};
}

}  // namespace

Result<std::unique_ptr<ThreadLanes>> ThreadLanes::make(const kernels::Device& device, std::size_t count,
                                                       const Rows& rows) {
  auto lanes = std::make_unique<ThreadLanes>();
  if (count == 0) count = std::max(device.lanes, 1u);
  for (std::size_t i = 0; i < count; ++i) {
    SPARKMILL_ASSIGN(Made hash, make_kernel(kernels::Family::hash, device, rows.hash));
    SPARKMILL_ASSIGN(Made signatures, make_kernel(kernels::Family::ed25519, device, rows.signatures));
    SPARKMILL_ASSIGN(Made second, make_kernel(kernels::Family::ed25519, device, "reference"));
    SPARKMILL_ASSIGN(Made work, make_kernel(kernels::Family::tensority, device, rows.work));
    lanes->rows_ = {hash.row, signatures.row, work.row};
    Lane& lane = lanes->lanes_.emplace_back();
    lane.hash = std::move(hash.kernel);
    lane.signatures = std::move(signatures.kernel);
    lane.second = std::move(second.kernel);
    lane.work = std::move(work.kernel);
    lane.engines.hash = dynamic_cast<hashes::Kernel*>(lane.hash.get());
    lane.engines.signatures = dynamic_cast<ed25519::Kernel*>(lane.signatures.get());
    lane.engines.second_signatures = dynamic_cast<ed25519::Kernel*>(lane.second.get());
    lane.engines.pow = dynamic_cast<tensority::Kernel*>(lane.work.get());
  }
  return lanes;
}

Done ThreadLanes::run(const std::function<Done(const Engines& engines)>& loop) {
  std::vector<Done> results(lanes_.size(), done());
  std::vector<std::thread> threads;
  for (std::size_t i = 1; i < lanes_.size(); ++i) {
    threads.emplace_back([&, i] { results[i] = loop(lanes_[i].engines); });
  }
  results[0] = loop(lanes_[0].engines);
  for (std::thread& thread : threads) thread.join();
  for (const Done& result : results) {
    if (!result) return result;
  }
  return done();
}

}  // namespace sparkmill::blocks::bytom

// SPDX-License-Identifier: Apache-2.0
#include "verify/signatures/pipeline.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "kernels/ed25519/ed25519.h"
#include "kernels/rsa/rsa.h"
#include "kernels/secp256k1/secp256k1.h"

namespace sparkmill::signatures {
namespace {

/// What reader, lanes and taker share. Chunks wander: free -> work -> ready -> free.
class Ring {
 public:
  Ring(const Form& form, std::size_t chunks) {
    for (std::size_t k = 0; k < chunks; ++k) free_.push_back(std::make_unique<Chunk>(form));
  }

  /// nullptr when everything ends early.
  std::unique_ptr<Chunk> take_free() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ended_early_ || !free_.empty(); });
    if (ended_early_) return nullptr;
    return pop(free_);
  }
  void give_work(std::unique_ptr<Chunk> chunk) {
    const std::lock_guard lock(mutex_);
    work_.emplace_back(read_++, std::move(chunk));
    changed_.notify_all();
  }
  /// No more work comes; an error here does not undo what was read before.
  void close(Done how) {
    const std::lock_guard lock(mutex_);
    read_ended_ = true;
    if (!how) reader_error_ = how.error();
    changed_.notify_all();
  }
  struct Numbered {
    std::uint64_t number = 0;
    std::unique_ptr<Chunk> chunk;
  };
  std::optional<Numbered> take_work() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ended_early_ || read_ended_ || !work_.empty(); });
    if (ended_early_ || work_.empty()) return std::nullopt;
    Numbered out{work_.front().first, std::move(work_.front().second)};
    work_.pop_front();
    return out;
  }
  void give_ready(Numbered done_one) {
    const std::lock_guard lock(mutex_);
    ready_.emplace(done_one.number, std::move(done_one.chunk));
    changed_.notify_all();
  }
  /// The chunk of that number; nullptr after the last one or when everything ends early.
  std::unique_ptr<Chunk> take_ready(std::uint64_t number) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ended_early_ || ready_.count(number) != 0 || (read_ended_ && number == read_); });
    if (ended_early_ || ready_.count(number) == 0) return nullptr;
    auto out = std::move(ready_.at(number));
    ready_.erase(number);
    return out;
  }
  void give_free(std::unique_ptr<Chunk> chunk) {
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(chunk));
    changed_.notify_all();
  }
  void end_early(Error error) {
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = std::move(error);
    ended_early_ = true;
    changed_.notify_all();
  }
  std::optional<Error> error() const { return error_ ? error_ : reader_error_; }

 private:
  static std::unique_ptr<Chunk> pop(std::vector<std::unique_ptr<Chunk>>& from) {
    auto out = std::move(from.back());
    from.pop_back();
    return out;
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::unique_ptr<Chunk>> free_;
  std::deque<std::pair<std::uint64_t, std::unique_ptr<Chunk>>> work_;
  std::map<std::uint64_t, std::unique_ptr<Chunk>> ready_;
  std::uint64_t read_ = 0;
  bool read_ended_ = false, ended_early_ = false;
  std::optional<Error> error_, reader_error_;
};

void read_all(Ring& ring, const NextItems& next, const PipelineSettings& settings, const StopToken& stop) {
  std::uint64_t first = 0;
  while (auto chunk = ring.take_free()) {
    if (stop.stop_requested()) return ring.end_early(fail(Status::cancelled, "stopped"));
    const Done got = next(chunk->items, settings.chunk_items, settings.chunk_bytes);
    const std::size_t count = chunk->items.count();
    chunk->first = first;
    first += count;
    if (count != 0) ring.give_work(std::move(chunk));
    if (!got || count == 0) return ring.close(got);
  }
}

void decide_all(Ring& ring, const Form& form, kernels::Kernel* kernel, const PipelineSettings& settings,
                const StopToken& stop) {
  while (auto work = ring.take_work()) {
    Chunk& chunk = *work->chunk;
    chunk.valid.assign(chunk.items.count(), 0);
    chunk.outputs.assign(settings.outputs ? chunk.items.count() * form.output_bytes : 0, 0);
    const Results results{chunk.valid, {}, chunk.outputs, {}};
    const Done decided = settings.decide ? settings.decide(form, chunk.items.view(), results, kernel, stop)
                                         : verify_on(form, chunk.items.view(), results, kernel, stop);
    if (!decided) return ring.end_early(decided.error());
    ring.give_ready(std::move(*work));
  }
}

}  // namespace

Result<StreamTotals> run_stream(const Form& form, const NextItems& next, const TakeChunk& take,
                                std::span<const std::unique_ptr<kernels::Kernel>> lanes,
                                const PipelineSettings& settings, const StopToken& stop) {
  // A lane decides one chunk while another waits for it; one is being read and one taken.
  Ring ring(form, 2 * lanes.size() + 2);
  std::vector<std::thread> threads;
  threads.emplace_back([&] { read_all(ring, next, settings, stop); });
  for (const auto& kernel : lanes) {
    threads.emplace_back([&, lane = kernel.get()] { decide_all(ring, form, lane, settings, stop); });
  }
  StreamTotals totals;
  for (std::uint64_t number = 0; auto chunk = ring.take_ready(number); ++number) {
    totals.items += chunk->items.count();
    totals.valid += static_cast<std::uint64_t>(std::count(chunk->valid.begin(), chunk->valid.end(), std::uint8_t{1}));
    if (const Done taken = take(*chunk); !taken) ring.end_early(taken.error());
    ring.give_free(std::move(chunk));
  }
  for (std::thread& thread : threads) thread.join();
  if (const auto error = ring.error()) return *error;
  return totals;
}

std::size_t liked_batch(const Form& form, kernels::Kernel* kernel) {
  if (!form.family || kernel == nullptr) return 1;
  switch (*form.family) {
    case kernels::Family::ed25519: return dynamic_cast<ed25519::Kernel&>(*kernel).batch();
    case kernels::Family::secp256k1: return dynamic_cast<secp256k1::Kernel&>(*kernel).batch();
    case kernels::Family::rsa: return dynamic_cast<rsa::Kernel&>(*kernel).batch();
    default: return 1;
  }
}

}  // namespace sparkmill::signatures

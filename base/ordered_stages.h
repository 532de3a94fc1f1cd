// SPDX-License-Identifier: Apache-2.0
// A stream of any length through three stages at the same time: one thread reads chunks, a thread a lane works on
// them, and the caller takes them in the order of reading. A fixed number of chunks goes round, and a limit of what
// they hold; when either is reached the reader waits.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/stop.h"

namespace sparkmill {

/// What reading one chunk gave.
struct ReadStep {
  std::size_t weight = 0;  ///< what the chunk holds, in the units of the limit; 0: nothing, it is dropped
  bool end = false;        ///< nothing comes after this chunk
  Done how = done();       ///< an error ends the run behind this chunk
};

/// The stages; each is called by one thread at a time, `work` by one for each lane. All may run at once.
template <class Chunk>
struct OrderedStages {
  std::function<std::unique_ptr<Chunk>()> make;
  std::function<ReadStep(Chunk& chunk)> read;
  std::function<Done(Chunk& chunk, std::size_t lane)> work;
  std::function<Done(const Chunk& chunk)> take;
};

namespace ordered_detail {

/// What reader, lanes and taker share. Chunks wander: free -> work -> ready -> free.
template <class Chunk>
class Ring {
 public:
  struct Numbered {
    std::uint64_t number = 0;
    std::size_t weight = 0;
    std::unique_ptr<Chunk> chunk;
  };

  Ring(const OrderedStages<Chunk>& stages, std::size_t chunks, std::size_t most) : chunks_(chunks), most_(most) {
    for (std::size_t k = 0; k < chunks; ++k) free_.push_back(stages.make());
  }

  /// nullptr when everything ends early.
  std::unique_ptr<Chunk> take_free() {
    std::unique_lock lock(mutex_);
    // One chunk always fits, however much it holds.
    changed_.wait(lock,
                  [&] { return ended_early_ || (!free_.empty() && (weight_ < most_ || free_.size() == chunks_)); });
    if (ended_early_) return nullptr;
    auto out = std::move(free_.back());
    free_.pop_back();
    return out;
  }
  void give_work(std::unique_ptr<Chunk> chunk, std::size_t weight) {
    const std::lock_guard lock(mutex_);
    weight_ += weight;
    work_.push_back({read_++, weight, std::move(chunk)});
    changed_.notify_all();
  }
  /// No more work comes; an error here does not undo what was read before.
  void close(const Done& how) {
    const std::lock_guard lock(mutex_);
    read_ended_ = true;
    if (!how) reader_error_ = how.error();
    changed_.notify_all();
  }
  std::optional<Numbered> take_work() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ended_early_ || read_ended_ || !work_.empty(); });
    if (ended_early_ || work_.empty()) return std::nullopt;
    std::optional<Numbered> out(std::move(work_.front()));
    work_.pop_front();
    return out;
  }
  void give_ready(Numbered done_one) {
    const std::lock_guard lock(mutex_);
    const std::uint64_t number = done_one.number;
    ready_.emplace(number, std::move(done_one));
    changed_.notify_all();
  }
  /// The chunk of that number; nothing after the last one or when everything ends early.
  std::optional<Numbered> take_ready(std::uint64_t number) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ended_early_ || ready_.count(number) != 0 || (read_ended_ && number == read_); });
    if (ended_early_ || ready_.count(number) == 0) return std::nullopt;
    std::optional<Numbered> out(std::move(ready_.at(number)));
    ready_.erase(number);
    return out;
  }
  void give_free(Numbered taken) {
    const std::lock_guard lock(mutex_);
    weight_ -= taken.weight;
    free_.push_back(std::move(taken.chunk));
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
  const std::size_t chunks_, most_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::unique_ptr<Chunk>> free_;
  std::deque<Numbered> work_;
  std::map<std::uint64_t, Numbered> ready_;
  std::uint64_t read_ = 0;
  std::size_t weight_ = 0;
  bool read_ended_ = false, ended_early_ = false;
  std::optional<Error> error_, reader_error_;
};

template <class Chunk>
void read_all(Ring<Chunk>& ring, const OrderedStages<Chunk>& stages, const StopToken& stop) {
  while (auto chunk = ring.take_free()) {
    if (stop.stop_requested()) return ring.end_early(fail(Status::cancelled, "stopped"));
    const ReadStep step = stages.read(*chunk);
    if (step.weight != 0) ring.give_work(std::move(chunk), step.weight);
    if (!step.how || step.end || step.weight == 0) return ring.close(step.how);
  }
}

template <class Chunk>
void work_all(Ring<Chunk>& ring, const OrderedStages<Chunk>& stages, std::size_t lane) {
  while (auto work = ring.take_work()) {
    if (const Done worked = stages.work(*work->chunk, lane); !worked) return ring.end_early(worked.error());
    ring.give_ready(std::move(*work));
  }
}

}  // namespace ordered_detail

/// Runs until the reader's end. What was read before an error of `read` is worked on and taken first; an error of
/// another stage, and a stop, end the run at once. `most`: the reader waits while chunks hold that much together.
/// Requires lanes >= 1. Errors: those of the stages; cancelled.
template <class Chunk>
Done run_ordered(const OrderedStages<Chunk>& stages, std::size_t lanes, std::size_t most, const StopToken& stop) {
  // A lane works on one chunk while another waits for it; one is being read and one taken.
  ordered_detail::Ring<Chunk> ring(stages, 2 * lanes + 2, most);
  std::vector<std::thread> threads;
  threads.emplace_back([&] { ordered_detail::read_all(ring, stages, stop); });
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    threads.emplace_back([&, lane] { ordered_detail::work_all(ring, stages, lane); });
  }
  for (std::uint64_t number = 0; auto ready = ring.take_ready(number); ++number) {
    if (const Done taken = stages.take(*ready->chunk); !taken) ring.end_early(taken.error());
    ring.give_free(std::move(*ready));
  }
  for (std::thread& thread : threads) thread.join();
  if (const auto error = ring.error()) return *error;
  return done();
}

}  // namespace sparkmill

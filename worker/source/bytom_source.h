// SPDX-License-Identifier: Apache-2.0
// Mining for a Bytom node: polls for work, submits blocks, keeps timestamps within the chain's rule.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include "base/clock.h"
#include "base/http/client.h"
#include "worker/source/backoff.h"
#include "worker/source/bytom_messages.h"
#include "worker/source/share_gate.h"

namespace sparkmill::mining {

struct BytomSettings {
  std::string url;    ///< http://host:9888 or https://
  std::string token;  ///< access token id:64hex; empty: none, enough on the node's own machine
  std::string ca_file;
  bool json = false;                  ///< get-work-json and submit-work-json instead of the binary form in hex
  std::uint64_t poll_ms = 500;        ///< between two looks at the node
  std::uint64_t refresh_ms = 30'000;  ///< after that long the same template is taken again with a newer timestamp
  std::uint64_t keep_ms = 30'000;     ///< work goes on that long when the node is silent
  std::optional<std::uint64_t> first_nonce;  ///< where this worker's 2^32 nonces start; none: drawn at random
};

struct BytomSeams {
  std::function<Result<http::Response>(const http::Request&)> call;  ///< empty: HTTP to settings.url
  const Clock* clock = &system_clock();
  std::function<double()> random;  ///< [0, 1); empty: the system's
};

class BytomSource final : public Source {
 public:
  /// Errors: bad_config naming the setting.
  static Result<std::unique_ptr<BytomSource>> make(BytomSettings settings, BytomSeams seams = {});
  ~BytomSource() override;

  Done start(Listener& listener) override;
  Result<std::uint64_t> submit(const Share& share) override;
  SourceReport report() const override;
  void stop() override;

  /// Instead of start(): no thread, the caller calls step() again and again.
  void attach(Listener& listener) { listener_ = &listener; }
  /// Submits what is queued, polls when it is time, and waits at most `wait_ms` for more.
  void step(unsigned wait_ms = 0);

 private:
  struct Queued {
    std::uint64_t ticket = 0;
    Share share;
    MiningJob job;
  };
  BytomSource(BytomSettings settings, BytomSeams seams);
  void poll();
  void poll_failed(const Error& error);
  void take_work(const bytom::Work& work);
  void publish(const bytom::Work& work, std::uint64_t timestamp, bool clean);
  void check_median(const bytom::Work& work);
  void submit_queued();
  void submit_one(const Queued& queued);
  void settle(const ShareAnswer& answer);
  void rest(unsigned wait_ms);
  void tell_report();

  const BytomSettings settings_;
  BytomSeams seams_;
  const Clock& clock_;
  StopSource stop_;
  Listener* listener_ = nullptr;
  std::thread thread_;

  // The thread of step() only.
  Backoff backoff_;
  std::optional<bytom::Work> work_;
  std::map<std::uint64_t, chain::BlockHeader> last_blocks_;  ///< by height, linked, below the work
  std::uint64_t timestamp_floor_ = 0;                        ///< of the current parent: one above the median
  std::uint64_t next_poll_ms_ = 0;
  std::uint64_t published_ms_ = 0;
  std::uint64_t heard_ms_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable woken_;
  bool poke_ = false;
  bool stopping_ = false;
  std::deque<MiningJob> jobs_;  ///< of the current parent, newest last; empty: no work
  std::deque<Queued> queue_;
  ShareGate gate_;
  std::uint64_t next_ticket_ = 1;
  std::uint64_t serial_ = 0;
  SourceReport report_;
};

}  // namespace sparkmill::mining

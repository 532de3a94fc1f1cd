// SPDX-License-Identifier: Apache-2.0
// The worker beside the local BOINC client: finds it, shows what it does in the state tree, lets the policy decide what
// our lanes leave to it, and records its finished results before the client forgets them. No client on this machine is
// the usual case: then it only looks again now and then, and says nothing. Source: BOINC page 1.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "boinc/rpc/client.h"
#include "boinc/rpc/password.h"
#include "worker/boinc/policy.h"
#include "worker/state/state.h"
#include "worker/store/store.h"

namespace sparkmill::worker::boinc {

struct CompanionSettings {
  PolicySettings policy;
  std::optional<::sparkmill::boinc::rpc::Address>
      address;  ///< not set: the client's socket if there is one, else port 31416
  ::sparkmill::boinc::rpc::Places places;
  unsigned poll_ms = 1'000;
  unsigned look_ms = 15'000;  ///< between two looks for a client that is not there
  unsigned reply_ms = 30'000;
};

/// Where it stands in the worker; all of it outlives the companion.
struct CompanionParts {
  Store& store;
  State& state;
  const Clock& clock;
  std::vector<kernels::Device> devices;
  std::function<void(const std::map<std::string, GiveWay>&)> give_way;
  /// Binds the key that our application made for itself to this worker (verify/unit/result.h); empty: nothing is bound.
  std::function<Bytes(const keys::PublicKey& app_pub)> sign_statement = {};
  keys::PublicKey worker_pub{};         ///< whose statements these are
  std::function<void()> finished = {};  ///< a result is in the project's hands
};

class Companion {
 public:
  Companion(CompanionSettings settings, CompanionParts parts);
  ~Companion();
  void start();
  void stop();  ///< gives everything back to us
  /// What the store counts has changed: the next look shows it. Any thread.
  void recount() { recount_ = true; }

 private:
  void loop();
  void tick();
  bool look_for_client(std::uint64_t now_ms);
  Done greet();
  Done poll(std::uint64_t now_ms);
  void lost(const Error& error, std::uint64_t now_ms);
  Done note_finished();
  void note(BoincRow row);
  void read_job_logs();
  void state_keys();
  void publish();

  CompanionSettings settings_;
  CompanionParts parts_;
  Policy policy_;
  StopSource stop_;
  std::unique_ptr<::sparkmill::boinc::rpc::Client> client_;
  View view_;
  std::vector<::sparkmill::boinc::rpc::Project> projects_;
  std::string state_ = "absent", detail_;
  unsigned failures_ = 0;
  std::uint64_t look_at_ms_ = 0, slow_at_ms_ = 0, logs_at_ms_ = 0;
  std::set<std::string> noted_;  ///< of results that are in the store as they are
  std::set<std::string> bound_;  ///< project folders whose key was looked at
  std::map<std::string, GiveWay> given_;
  BoincCounts counts_;
  std::atomic<bool> recount_{false};

  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace sparkmill::worker::boinc

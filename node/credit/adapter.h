// SPDX-License-Identifier: Apache-2.0
// Keeps the list of trusted BOINC projects and reads the exports of the foreign ones when they are due.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "base/http/client.h"
#include "base/stop.h"
#include "node/credit/projects.h"
#include "node/credit/stats_reader.h"
#include "node/ledger/ledger.h"
#include "node/server/node_time.h"

namespace sparkmill::node::credit {

struct AdapterOptions {
  std::filesystem::path file;  ///< the operator's list (projects.h)
  http::ClientOptions client;
  StatsLimits limits;
};

class Adapter {
 public:
  /// Reads the list and writes its rules into the ledger. Errors: those of Projects::load and set_credit_rules.
  static Result<std::unique_ptr<Adapter>> make(AdapterOptions options, Ledger& ledger, const NodeTime& time);
  ~Adapter();
  void start();
  void stop();

  /// Reads the list again; the old one stays in force when anything in the new one is wrong.
  Done reload();
  std::shared_ptr<const Projects> projects() const;
  /// The rules by project.
  std::map<std::string, CreditRule> rules() const;

  /// Reads one export now and credits what its bound accounts gained. Nothing is credited unless the whole file was
  /// read. Errors name the project's file or URL.
  Result<ExportReport> take_export(const Project& project);
  /// One look: reads the list again when its file changed, then every export that is due.
  void look();

 private:
  Adapter(AdapterOptions options, Ledger& ledger, const NodeTime& time);
  Done read(const Project& project, StatsReader& reader);
  void loop();

  AdapterOptions options_;
  Ledger& ledger_;
  const NodeTime& time_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Projects> projects_;
  std::mutex reload_mutex_;
  std::string stamp_;                              ///< of the list's file as last read
  std::map<std::string, std::uint64_t> retry_ms_;  ///< node time before which a failed project is left alone
  StopSource stop_;
  std::condition_variable wake_;
  std::thread thread_;
};

}  // namespace sparkmill::node::credit

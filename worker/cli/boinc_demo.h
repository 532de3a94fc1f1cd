// SPDX-License-Identifier: Apache-2.0
// `sparkmill run --boinc demo`: our project server and, where it is installed, the stock BOINC client, in folders and
// on ports of their own, beside the worker. A client that this machine runs anyway is not touched.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

#include "base/child.h"

namespace sparkmill::cli {

struct BoincDemoSettings {
  std::filesystem::path folder;  ///< project/ and client/ live here and stay
  std::uint16_t port = 8791;     ///< of the project; the client's GUI RPC is on the next one
  std::function<void(const std::string&)> say;
};

class BoincDemo {
 public:
  /// Makes what is missing, starts the server, gives it a small match in units, starts and attaches the client.
  /// Errors: not_found (a program of ours is not beside this one), locked or unreachable (a port is taken).
  static Result<std::unique_ptr<BoincDemo>> start(BoincDemoSettings settings);
  ~BoincDemo();  ///< ends client and server
  /// Nothing: boinc-client is not installed, only the server runs.
  const std::optional<std::filesystem::path>& client_folder() const { return client_folder_; }
  /// The project's list entry for a node that shall trust it (docs/boinc-credit.md).
  std::string trust() const;
  std::string client_address() const { return "127.0.0.1:" + std::to_string(settings_.port + 1); }

 private:
  explicit BoincDemo(BoincDemoSettings settings) : settings_(std::move(settings)) {}
  std::filesystem::path project() const { return settings_.folder / "project"; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(settings_.port) + "/"; }
  Done step(const std::vector<std::string>& command) const;
  Done make_app() const;
  Done make_templates() const;
  Done start_project();
  Done add_work() const;
  Result<std::string> account_key() const;
  Done start_client(const std::string& program, const std::string& key);

  const BoincDemoSettings settings_;
  std::optional<std::filesystem::path> client_folder_;
  std::string project_key_;               ///< signs its receipts, hex
  std::optional<Child> server_, client_;  // the client goes first
};

}  // namespace sparkmill::cli

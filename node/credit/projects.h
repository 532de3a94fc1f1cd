// SPDX-License-Identifier: Apache-2.0
// Which BOINC projects this node trusts, and how far (docs/boinc-credit.md): one JSON file of the operator,
//   {"projects": [
//     {"url": "https://ours.example/p/", "assimilator_key": "<64 hex>", "max_result_cobblestones": 1000,
//      "max_day_cobblestones": 1000000, "any_node": false},
//     {"url": "https://theirs.example/q/", "ownership_key": "<base64>", "stats":
//     "https://theirs.example/q/stats/user.gz",
//      "every_s": 86400, "weight_ppm": 1000000, "max_day_cobblestones": 10000, "generation": 1}]}
// A project is our own (assimilator_key) or foreign (ownership_key and stats), never both: its work would count twice.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/keys/keys.h"
#include "node/credit/ownership.h"
#include "node/ledger/boinc.h"

namespace sparkmill::node::credit {

struct Project {
  std::string url;  ///< master URL, canonical
  CreditRule rule;  ///< what the ledger keeps and applies
  // our own
  std::optional<keys::PublicKey> assimilator;
  bool any_node = false;  ///< receipts that name no node count too; then another node may count them as well
  // foreign
  std::optional<OwnershipKey> ownership;
  std::string stats;  ///< URL, or path of a file
  std::uint64_t every_s = 86'400;
  bool foreign() const { return ownership.has_value(); }
  bool remote() const { return stats.rfind("http://", 0) == 0 || stats.rfind("https://", 0) == 0; }
};

class Projects {
 public:
  /// Reads and checks the whole file. Error: bad_config naming the project and the member; a file that is not there or
  /// not readable keeps its own code.
  static Result<Projects> load(const std::filesystem::path& file);
  static Result<Projects> parse(std::string_view json, std::string_view what);
  const Project* find(std::string_view url) const;
  /// The project of our own whose assimilator has this key.
  const Project* find(const keys::PublicKey& assimilator) const;
  const std::vector<Project>& all() const { return list_; }

 private:
  std::vector<Project> list_;
};

}  // namespace sparkmill::node::credit

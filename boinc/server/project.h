// SPDX-License-Identifier: Apache-2.0
// What the work generator, the validator and the assimilator share: a folder `sparkmill/` inside a BOINC project.
//
//   project.json   settings (make_project())        project.key   signs units and receipts, mode 0600
//   boinc.db       units, draws, verdicts, receipts  inputs/       smk_in_<sha256>, shared by units
//   jobs/<id>/     job, manifest.json, create.sh, units/<name>.unit, results/<result>, answer
//   public/        receipts/<result>.receipt, days/<date>.{root,leaves}, draws.json: for a web server
//
// Every program opens it for one call and ends: nothing is cached between calls, SQLite orders what runs at once.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/keys/keys.h"
#include "base/sqlite.h"
#include "verify/unit/unit.h"

namespace sparkmill::boinc::server {

struct Settings {
  std::string url;                   ///< master URL: names the project in receipts
  keys::PublicKey node_pub{};        ///< node that credits the receipts; zero: any
  std::uint32_t openings_new = 32;   ///< tiles recomputed of a key's results
  std::uint32_t openings_known = 8;  ///< the same for keys with `known_after` accepted results and no refused one
  std::uint32_t known_after = 20;
  std::uint32_t hold_s = 24 * 3600;  ///< time between validation and receipt; a refused result voids what is held
};

class Project {
 public:
  /// Makes folder, key, settings and database; what is there already stays. Errors: bad_input (settings), io_error.
  static Result<std::unique_ptr<Project>> make(const std::filesystem::path& project, const Settings& settings,
                                               const Clock& clock);
  /// `project` is the BOINC project's folder. Errors: not_found with the command that makes it; refused (key rights).
  static Result<std::unique_ptr<Project>> open(const std::filesystem::path& project, const Clock& clock);
  /// The nearest folder above `file` that holds `sparkmill/project.json`. Error: not_found.
  static Result<std::filesystem::path> find_above(const std::filesystem::path& file);

  const Settings& settings() const { return settings_; }
  const keys::SigningKey& key() const { return key_; }
  sqlite::Database& db() { return *db_; }
  const Clock& clock() const { return clock_; }
  const std::filesystem::path& project_folder() const { return project_; }
  std::filesystem::path folder() const { return project_ / "sparkmill"; }
  std::filesystem::path job_folder(const Id16& job) const;
  std::filesystem::path unit_file(const unit::ResultName& name) const;
  std::filesystem::path input_file(const Hash32& hash) const { return folder() / "inputs" / unit::input_name(hash); }
  std::filesystem::path public_folder() const { return folder() / "public"; }

  /// Days since 1970, UTC.
  std::uint32_t today() const { return static_cast<std::uint32_t>(clock_.unix_ms() / 86'400'000); }
  /// S_day, made when first asked for and a week ahead, so that its hash can be published before. Throws
  /// sqlite::Failure.
  Hash32 day_secret(std::uint32_t day);

 private:
  Project(std::filesystem::path project, keys::SigningKey key, const Clock& clock)
      : project_(std::move(project)), key_(std::move(key)), clock_(clock) {}
  std::filesystem::path project_;
  keys::SigningKey key_;
  const Clock& clock_;
  Settings settings_;
  std::unique_ptr<sqlite::Database> db_;
};

/// "2026-11-21".
std::string date_text(std::uint32_t day);

/// Blobs from the project's inputs/, verified when read.
class InputFiles final : public job::BlobSource {
 public:
  explicit InputFiles(const Project& project) : project_(project) {}
  Result<job::Blob> get(const Hash32& hash) override;

 private:
  const Project& project_;
};

/// The unit file of a result, checked against the project's key. Errors: not_found (our own failure: the job's folder
/// is gone), corrupt, refused.
struct StoredUnit {
  unit::Unit unit;
  Hash32 id{};
};
Result<StoredUnit> load_unit(const Project& project, const unit::ResultName& name);

}  // namespace sparkmill::boinc::server

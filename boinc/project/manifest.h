// SPDX-License-Identifier: Apache-2.0
// Work on its way in: a JSON file of units with their input files, as the work generator writes it, and the folder in
// which a running server finds such files (docs/boinc-demo.md).
#pragma once

#include "boinc/project/books.h"

namespace sparkmill::boinc::project {

struct Manifest {
  struct Planned {
    UnitSpec unit;                               ///< nbytes and md5 of its inputs are not filled in yet
    std::vector<std::filesystem::path> sources;  ///< one for each input
  };
  std::vector<Planned> units;
  std::vector<std::string> cancel, reissue;  ///< names of units
};

/// `folder` is what relative paths of inputs count from. Errors: bad_input naming unit and member.
Result<Manifest> parse_manifest(std::string_view json, const std::filesystem::path& folder);

/// Stages the inputs and adds the units. Units that are there already are left as they are, so that a manifest that was
/// taken in half before a crash can be taken in again. Returns how many were new.
Result<std::size_t> take_in(const Manifest& manifest, const Downloads& downloads, Books& books);

/// The folder `work` of a project: *.json wait, done/ and refused/ (with a .txt that says why) are the past.
class Spool {
 public:
  explicit Spool(std::filesystem::path folder) : folder_(std::move(folder)) {}
  /// For the server: takes in everything that waits. Errors: only what a later look may cure (no_space, io_error).
  Done take_all(const Downloads& downloads, Books& books) const;
  /// For the command line: checks `manifest` and leaves it for the server, paths made absolute. Returns its name.
  Result<std::string> leave(const std::filesystem::path& manifest) const;
  /// `verb`: "cancel" or "reissue".
  Result<std::string> leave_names(const std::string& verb, const std::vector<std::string>& units) const;
  /// What became of it: nothing while it waits.
  std::optional<Done> fate(const std::string& name) const;

 private:
  Result<std::string> put(const std::string& json) const;
  std::filesystem::path folder_;
};

}  // namespace sparkmill::boinc::project

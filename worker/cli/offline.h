// SPDX-License-Identifier: Apache-2.0
// What the offline commands (enrol, match, verify) share: named template files, a match job over them, kernel lanes on
// all cores, Ctrl-C.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/stop.h"
#include "kernels/registry.h"
#include "verify/job/match_h.h"
#include "verify/template/population.h"
#include "verify/template/template_file.h"
#include "worker/cli/progress.h"

namespace sparkmill::cli {

/// Template files of both sides, mapped and checked; fields in the order of --requests.
struct Inputs {
  std::vector<std::string> names;  ///< field names
  std::vector<templates::TemplateFile> requests;
  std::vector<templates::TemplateFile> users;
  std::vector<Hash32> blobs;  ///< requests, users, requests, users ...
  job::MemoryBlobs source;
  std::uint32_t request_count() const { return requests.front().header.rows; }
  std::uint32_t user_count() const { return users.front().header.rows; }
};

/// Reads `face=A.pcbt,voice=VA.pcbt` for both sides; the same names must stand on both, in any order. A lone path
/// without a name is the field "face". Errors: bad_argument (options), bad_input, corrupt, not_found (files).
Result<std::unique_ptr<Inputs>> load_inputs(const std::string& requests, const std::string& users);

/// The match.h job of a predicate over these inputs. Salt and deadline are zero: the same inputs give the same job id
/// and so the same ties of LIMIT.
Result<job::Job> make_job(const Inputs& inputs, const match::Predicate& predicate);

/// The device a command computes on: the CPU, or the first that can run the row `backend`. Errors: bad_argument (no
/// such row), no_device.
Result<kernels::Device> device_for(kernels::Family family, const std::string& backend);

/// Kernels of one row, one a lane, each self-tested; runs slices on one thread a lane.
class Lanes final : public job::Executor {
 public:
  /// `backend` empty: the best row of the CPU. `threads` 0: as many lanes as the device has. Errors: bad_argument,
  /// no_device, self_test_failed.
  static Result<std::unique_ptr<Lanes>> make(const std::string& backend, unsigned threads,
                                             kernels::Family family = kernels::Family::match);
  Done run(const job::Work& work, std::span<const job::Slice> slices,
           const std::function<Done(const job::Slice&, Bytes)>& done, const StopToken& stop) override;
  std::string row_id() const { return choice_.row->id(); }
  const kernels::Device& device() const { return device_; }
  std::size_t count() const { return kernels_.size(); }

 private:
  Lanes() = default;
  kernels::Device device_;
  kernels::Choice choice_;
  std::vector<std::unique_ptr<kernels::Kernel>> kernels_;
};

/// Slices that keep every lane busy, finish within a fraction of a second on a CPU, and bound what is held at once.
std::vector<job::Slice> cut_for(const job::Work& work, const Lanes& lanes);

/// Runs the whole work with a progress line and rechecks every pair. Error: cancelled after Ctrl-C.
Result<job::Outcome> run_whole(const job::Work& work, Lanes& lanes, const StopToken& stop, bool quiet);

/// From now on SIGINT and SIGTERM set the returned token once; a second signal ends the process at once.
StopToken stop_on_signal();

/// Calls `part(begin, end)` on disjoint ranges that cover [0, count), on all cores. Returns the first error by range.
Done on_all_cores(std::uint32_t count, const std::function<Done(std::uint32_t, std::uint32_t)>& part);

/// Feature rows by path, or the built-in real set by the name "faces".
Result<templates::Features> load_features(const std::string& path);

/// A whole number option in [low, high]. Error: bad_argument naming the option.
Result<std::uint64_t> number_option(std::string_view name, const std::string& text, std::uint64_t low,
                                    std::uint64_t high);

}  // namespace sparkmill::cli

// SPDX-License-Identifier: Apache-2.0
// The work generator: one large job into units with everything a BOINC server wants to know of them.
#pragma once

#include "boinc/server/project.h"

namespace sparkmill::boinc::server {

struct WorkOptions {
  std::uint64_t unit_units =
      0;                     ///< aimed-at size of a unit in the kind's unit; 0: minutes of a core (kDefaultUnitSeconds)
  std::uint32_t quorum = 1;  ///< 1: the proof alone decides; 2: and two answers must agree
  std::uint32_t delay_bound_s = 7 * 86'400;
  std::string app = "sparkmill";
};
inline constexpr std::uint64_t kDefaultUnitSeconds = 600;

struct UnitFile {
  std::string name;       ///< physical: unique and immutable in the project
  std::string open_name;  ///< logical: what the application asks for
  std::filesystem::path path;
  std::uint64_t bytes = 0;
};
/// What create_work takes, and the manifest says. Bounds in bytes, operations, seconds.
struct UnitPlan {
  std::string name;
  std::uint32_t index = 0;
  std::vector<UnitFile> files;  ///< first the unit file
  std::uint64_t max_result_bytes = 0;
  double fpops_est = 0;
  double fpops_bound = 0;
  double memory_bound = 0;
  double disk_bound = 0;
  std::uint64_t units = 0;
  std::uint64_t credit_microcobble = 0;  ///< fixed, from operation counts
};
struct JobPlan {
  job::Job job;
  std::string kind;
  WorkOptions options;
  std::vector<UnitPlan> units;
};

/// Open names.
inline constexpr std::string_view kUnitOpenName = "unit";
inline constexpr std::string_view kResultOpenName = "result";
std::string input_open_name(std::size_t input);  ///< "in0", "in1" ..

/// Splits the job, writes its folder (job, units, inputs, manifest.json, create.sh) and both templates
/// (PROJECT/templates/smk_<job>_{in,out}.xml), records the units. A job that is here already is written again with the
/// same names and contents; what is recorded of it stays. Errors: those of job::split; duplicate (the same job with
/// another size of unit).
Result<JobPlan> create_job(Project& project, const job::Job& whole, job::BlobSource& blobs, const WorkOptions& options);

/// The texts of a job for a real BOINC server.
std::string input_template(const JobPlan& plan);
std::string output_template(const JobPlan& plan);
/// A shell script that stages the files and creates the work, to be run in the project's folder; it goes on where it
/// was interrupted.
std::string create_script(const JobPlan& plan);
std::string manifest_json(const JobPlan& plan);

}  // namespace sparkmill::boinc::server

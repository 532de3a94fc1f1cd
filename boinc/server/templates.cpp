// SPDX-License-Identifier: Apache-2.0
// What a real BOINC server reads about a job: templates, create_work calls; and the manifest for other programs.
// Source: BOINC page 2.4, 4; upstream's tools/create_work and bin/stage_file.
#include <cinttypes>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/hex.h"
#include "boinc/server/work.h"
#include "boinc/xml/write.h"

namespace sparkmill::boinc::server {
namespace {

// Bounds of a work unit's life (BOINC page 4.2): three failures of ours are no accident.
constexpr int kMaxErrors = 3;
constexpr int kMaxTotal = 12;
constexpr int kMaxSuccess = 6;

std::string number(double value) {
  char text[64];
  std::snprintf(text, sizeof text, "%.0f", value);
  return text;
}

/// Cobblestones with six decimals, exact.
std::string credit_text(std::uint64_t microcobble) {
  char text[64];
  std::snprintf(text, sizeof text, "%" PRIu64 ".%06" PRIu64, microcobble / 1'000'000, microcobble % 1'000'000);
  return text;
}

std::string template_stem(const JobPlan& plan) { return "smk_" + to_hex(plan.job.id); }

}  // namespace

std::string input_open_name(std::size_t input) { return "in" + std::to_string(input); }

std::string input_template(const JobPlan& plan) {
  xml::Writer w;
  const std::vector<UnitFile>& files = plan.units.front().files;
  w.open("input_template");
  for (std::size_t k = 0; k < files.size(); ++k) {
    // Inputs are shared by units: the file deleter must not take them away with the first.
    w.open("file_info").integer("number", static_cast<std::int64_t>(k)).flag("no_delete").close("file_info");
  }
  w.open("workunit");
  for (std::size_t k = 0; k < files.size(); ++k) {
    w.open("file_ref").integer("file_number", static_cast<std::int64_t>(k)).text("open_name", files[k].open_name);
    w.close("file_ref");
  }
  w.text("min_quorum", std::to_string(plan.options.quorum))
      .text("target_nresults", std::to_string(plan.options.quorum));
  w.integer("max_error_results", kMaxErrors).integer("max_total_results", kMaxTotal);
  w.integer("max_success_results", kMaxSuccess).integer("delay_bound", plan.options.delay_bound_s);
  w.close("workunit").close("input_template");
  return std::move(w).str();
}

std::string output_template(const JobPlan& plan) {
  std::uint64_t most = 0;
  for (const UnitPlan& unit : plan.units) most = std::max(most, unit.max_result_bytes);
  xml::Writer w;
  w.open("output_template").open("file_info");
  w.raw("<name><OUTFILE_0/></name>\n").flag("generated_locally").flag("upload_when_present");
  w.integer("max_nbytes", static_cast<std::int64_t>(most)).raw("<url><UPLOAD_URL/></url>\n").close("file_info");
  w.open("result").open("file_ref").raw("<file_name><OUTFILE_0/></file_name>\n").text("open_name", kResultOpenName);
  w.close("file_ref").close("result").close("output_template");
  return std::move(w).str();
}

std::string create_script(const JobPlan& plan) {
  const std::string stem = template_stem(plan);
  std::string s =
      "#!/bin/sh\n"
      "# Made by sparkmill-boinc-work: stages the files of a job and creates its work units. Run it in the project's\n"
      "# folder; what was created before is left alone, so that it can be run again.\n"
      "set -eu\n"
      "[ -x bin/create_work ] || { echo 'run this in the folder of the BOINC project' >&2; exit 2; }\n"
      "made=sparkmill/jobs/" +
      to_hex(plan.job.id) +
      "/created\n"
      "touch \"$made\"\n"
      "unit() {  # name, credit, fpops est, fpops bound, memory, disk, files (physical names) ...\n"
      "  name=$1 credit=$2 est=$3 bound=$4 memory=$5 disk=$6; shift 6\n"
      "  grep -qxF \"$name\" \"$made\" && return 0\n"
      "  for f in \"$@\"; do\n"
      "    case $f in *.unit) from=sparkmill/jobs/" +
      to_hex(plan.job.id) +
      "/units/$f ;; *) from=sparkmill/inputs/$f ;; esac\n"
      "    bin/stage_file --copy \"$from\"\n"
      "  done\n"
      "  bin/create_work --appname " +
      plan.options.app + " --wu_name \"$name\" --wu_template templates/" + stem +
      "_in.xml \\\n    --result_template templates/" + stem +
      "_out.xml --credit \"$credit\" --rsc_fpops_est \"$est\" --rsc_fpops_bound \"$bound\" \\\n"
      "    --rsc_memory_bound \"$memory\" --rsc_disk_bound \"$disk\" \"$@\"\n"
      "  echo \"$name\" >> \"$made\"\n"
      "}\n";
  for (const UnitPlan& u : plan.units) {
    s += "unit " + u.name + " " + credit_text(u.credit_microcobble) + " " + number(u.fpops_est) + " " +
         number(u.fpops_bound) + " " + number(u.memory_bound) + " " + number(u.disk_bound);
    for (const UnitFile& f : u.files) s += " " + f.name;
    s += "\n";
  }
  return s;
}

std::string manifest_json(const JobPlan& plan) {
  nlohmann::ordered_json out;
  out["version"] = 1;
  out["app"] = plan.options.app;
  out["job"] = to_hex(plan.job.id);
  out["kind"] = plan.kind;
  out["units"] = nlohmann::ordered_json::array();
  for (const UnitPlan& u : plan.units) {
    nlohmann::ordered_json unit;
    unit["name"] = u.name;
    unit["index"] = u.index;
    for (const UnitFile& f : u.files) {
      unit["files"].push_back(
          {{"name", f.name}, {"open_name", f.open_name}, {"path", f.path.string()}, {"bytes", f.bytes}});
    }
    unit["output"] = {{"open_name", kResultOpenName}, {"max_nbytes", u.max_result_bytes}};
    unit["command_line"] = "";
    unit["rsc_fpops_est"] = u.fpops_est;
    unit["rsc_fpops_bound"] = u.fpops_bound;
    unit["rsc_memory_bound"] = u.memory_bound;
    unit["rsc_disk_bound"] = u.disk_bound;
    unit["delay_bound"] = plan.options.delay_bound_s;
    unit["min_quorum"] = plan.options.quorum;
    unit["target_nresults"] = plan.options.quorum;
    unit["max_error_results"] = kMaxErrors;
    unit["max_total_results"] = kMaxTotal;
    unit["max_success_results"] = kMaxSuccess;
    unit["units"] = u.units;
    unit["credit"] = static_cast<double>(u.credit_microcobble) / 1e6;
    out["units"].push_back(std::move(unit));
  }
  return out.dump(1) + "\n";
}

}  // namespace sparkmill::boinc::server

// SPDX-License-Identifier: Apache-2.0
// `sparkmill devices`: what there is, and for each kernel row whether it runs there and why.
#include <cstdio>
#include <nlohmann/json.hpp>

#include "kernels/registry.h"
#include "worker/cli/args.h"
#include "worker/cli/command.h"

namespace sparkmill::cli {

namespace {

using kernels::Backend;
using kernels::Device;
using kernels::Row;

constexpr OwnOption kOwn[] = {
    {"json", "", "as JSON"},
    {"probe", "", "also run each row's known answers on the device"},
};
constexpr Usage kUsage{"devices", "", "Lists devices and kernel rows; a row that cannot run says why.", kOwn, 0, false};

struct RowReport {
  const Row* row;
  bool ok;
  std::string why;
  std::string note;  ///< how it runs here, where it had a choice
  bool self_test_failed;
};

/// Rows that could ever mean this device: a CUDA row says nothing about the CPU.
bool belongs(const Row& row, const Device& device) {
  if (device.backend != Backend::cpu) return row.backend == device.backend;
  return row.backend == Backend::cpu || row.backend == Backend::reference || row.backend == Backend::torch;
}

std::vector<RowReport> rows_of(const Device& device, bool probe) {
  std::vector<RowReport> out;
  for (const Row& row : kernels::rows()) {
    if (!belongs(row, device)) continue;
    const kernels::Probe p = row.probe(device);
    RowReport r{&row, p.ok, p.why, {}, false};
    // What a CUDA row will run is decided, and checked, when it is made.
    if (p.ok && (probe || row.backend == Backend::cuda)) {
      const auto made = probe ? kernels::make_tested(row, device) : row.make(device);
      r.ok = made.ok();
      r.self_test_failed = !made && made.error().code == Status::self_test_failed;
      r.why = made ? p.why + (probe ? ". Known answers: passed" : "") : made.error().message;
      if (made) r.note = (*made)->note();
    }
    out.push_back(std::move(r));
  }
  return out;
}

nlohmann::ordered_json device_json(const Device& d, const std::vector<RowReport>& rows) {
  const auto known = [](const std::string& s) { return s.empty() ? nlohmann::json(nullptr) : nlohmann::json(s); };
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const RowReport& r : rows)
    list.push_back({{"row", r.row->id()}, {"runs", r.ok}, {"why", r.why}, {"note", known(r.note)}});
  return {{"id", d.id},
          {"backend", kernels::name(d.backend)},
          {"name", known(d.name)},
          {"driver", known(d.driver)},
          {"pci", known(d.pci)},
          {"memory_bytes", d.memory_bytes == 0 ? nlohmann::json(nullptr) : nlohmann::json(d.memory_bytes)},
          {"lanes", d.lanes},
          {"rows", list}};
}

void print_device(const Device& d, const std::vector<RowReport>& rows) {
  std::string line = d.id + "  " + d.name;
  if (!d.driver.empty()) line += ", " + d.driver;
  if (d.memory_bytes != 0) line += ", " + std::to_string(d.memory_bytes >> 20) + " MiB";
  std::printf("%s, %u lanes\n", line.c_str(), d.lanes);
  for (const RowReport& r : rows) {
    const std::string why = r.note.empty() ? r.why : r.why + "; " + r.note;
    std::printf("  %-3s %-22s %s\n", r.ok ? "yes" : "no", r.row->id().c_str(), why.c_str());
  }
}

}  // namespace

int run_devices(std::span<const std::string> args) {
  const auto parsed = parse_args(kUsage, args);
  if (!parsed) return report("devices", parsed.error());
  if (parsed->help) return 0;
  std::vector<std::string> notes;
  const std::vector<Device> devices = kernels::discover_devices(&notes);
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  bool any = false;
  bool wrong = false;
  for (const Device& d : devices) {
    const std::vector<RowReport> rows = rows_of(d, parsed->has("probe"));
    for (const RowReport& r : rows) any = any || r.ok, wrong = wrong || r.self_test_failed;
    if (parsed->has("json")) {
      list.push_back(device_json(d, rows));
    } else {
      print_device(d, rows);
    }
  }
  nlohmann::ordered_json absent = nlohmann::ordered_json::array();
  for (const auto& a : kernels::absent_backends()) {
    absent.push_back({{"backend", a.backend}, {"why", a.why}});
    if (!parsed->has("json")) std::printf("%s: not in this build: %s\n", a.backend.c_str(), a.why.c_str());
  }
  if (parsed->has("json")) {
    const nlohmann::ordered_json all = {{"devices", list}, {"absent_backends", absent}, {"notes", notes}};
    std::printf("%s\n", all.dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
  } else {
    for (const std::string& note : notes) std::printf("note: %s\n", note.c_str());
  }
  if (wrong) return exit_code(Status::self_test_failed);
  return any ? 0 : exit_code(Status::no_device);
}

}  // namespace sparkmill::cli

// SPDX-License-Identifier: Apache-2.0
// `sparkmill vectors FILE...`: runs vector files through every kernel row, so that a user can prove that this build on
// this machine is right.
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "node/protocol/json_reader.h"
#include "worker/cli/args.h"
#include "worker/cli/command.h"
#include "worker/cli/table.h"
#include "worker/cli/vector_formats.h"

namespace sparkmill::cli {
namespace {

constexpr std::uint64_t kMaxFileBytes = 256ull << 20;
constexpr std::size_t kMaxFiles = 1024;
constexpr std::size_t kMaxDepth = 64;

constexpr OwnOption kOwn[] = {{"backend", "ROW", "only this kernel row, for example cpu/avx2"}};
constexpr Usage kUsage = {
    "vectors",
    "FILE...",
    "Runs files of known answers through every kernel row of this build and prints a table. Exit 11 "
    "when an answer is wrong, 13 when a file cannot be read, says nothing or the same thing twice.",
    kOwn,
    kMaxFiles,
    false};

/// A file that says nothing is no proof of anything.
Done check_any(const std::vector<VectorResult>& results) {
  const bool any = std::any_of(results.begin(), results.end(),
                               [](const VectorResult& r) { return r.passed + r.failed + r.skipped != 0; });
  return any ? done() : Done(fail(Status::bad_input, "no case is in it"));
}

Result<std::vector<VectorResult>> run_file(const std::string& path, const VectorContext& context) {
  SPARKMILL_ASSIGN(const Bytes content, read_file(path, kMaxFileBytes));
  try {
    SPARKMILL_TRY(protocol::check_json(text(content), path, kMaxDepth));
    const nlohmann::json root = nlohmann::json::parse(content.begin(), content.end());
    std::string known;
    for (const VectorFormat& format : vector_formats()) {
      if (root.is_object() && format.fits(root)) {
        auto results = format.run(root, context);
        const Done right = results ? check_any(*results) : Done(results.error());
        if (!right) return fail(right.error().code, path + ": " + right.error().message, right.error().hint);
        return results;
      }
      known += (known.empty() ? "" : ", ") + std::string(format.name) + " (" + std::string(format.about) + ")";
    }
    return fail(Status::bad_input, path + ": unknown format", "formats: " + known);
  } catch (const nlohmann::json::exception& e) {
    return fail(Status::bad_input, path + ": " + e.what());
  }
}

int run(const Args& args) {
  VectorContext context;
  context.backend = args.get("backend");
  const auto rows = kernels::rows();
  const bool known_row = std::any_of(rows.begin(), rows.end(), [&](const kernels::Row& row) {
    return kernels::find_row(row.family, context.backend) != nullptr;
  });
  if (!context.backend.empty() && !known_row) {
    std::string known;
    for (const kernels::Row& row : rows) known += (known.empty() ? "" : ", ") + row.id();
    return report("vectors",
                  fail(Status::bad_argument, "--backend: there is no row '" + context.backend + "'", "rows: " + known));
  }
  context.devices = kernels::discover_devices();
  std::vector<std::vector<std::string>> table{{"FILE", "ROW", "PASSED", "FAILED", "SKIPPED", "REASON"}};
  int exit = 0;
  unsigned failed = 0, passed = 0;
  for (const std::string& path : args.words) {
    const auto results = run_file(path, context);
    if (!results) {
      exit = report("vectors", results.error());
      continue;
    }
    for (const VectorResult& r : *results) {
      const std::string name = path.substr(path.rfind('/') + 1);
      table.push_back(
          {name, r.row, std::to_string(r.passed), std::to_string(r.failed), std::to_string(r.skipped), r.reason});
      failed += r.failed;
      passed += r.passed;
    }
  }
  if (table.size() > 1) std::fputs(table_text(table, {false, false, true, true, true}).c_str(), stdout);
  if (failed != 0) return exit_code(Status::mismatch);
  if (exit == 0 && passed == 0 && !context.backend.empty()) {
    return report("vectors", fail(Status::unsupported, "--backend: the row '" + context.backend + "' ran no case",
                                  "the table says why"));
  }
  return exit;
}

}  // namespace

int run_vectors(std::span<const std::string> args) {
  auto parsed = parse_args(kUsage, args);
  if (!parsed) return report("vectors", parsed.error());
  if (parsed->help) return 0;
  if (parsed->words.empty()) {
    return report("vectors", fail(Status::bad_argument, "no file is named", "sparkmill vectors tests/vectors/*.json"));
  }
  return run(*parsed);
}

}  // namespace sparkmill::cli

// SPDX-License-Identifier: Apache-2.0
// Formats of vector files: one row a format in a small table. A new family adds a file with its runner and a row.
#pragma once

#include <functional>
#include <initializer_list>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "kernels/registry.h"

namespace sparkmill::cli {

/// What one kernel row (or one host routine) made of a file.
struct VectorResult {
  std::string row;
  unsigned passed = 0;
  unsigned failed = 0;
  unsigned skipped = 0;
  std::string reason;  ///< why cases were skipped, or the first failures
};

/// Where vectors run; devices are found once.
struct VectorContext {
  std::vector<kernels::Device> devices;
  std::string backend;  ///< only this row; empty: all
};

struct VectorFormat {
  std::string_view name;
  std::string_view about;
  /// `root` is a JSON object.
  bool (*fits)(const nlohmann::json& root);
  /// Errors: bad_input naming the case. nlohmann exceptions are caught by the caller.
  Result<std::vector<VectorResult>> (*run)(const nlohmann::json& root, const VectorContext& context);
};
std::span<const VectorFormat> vector_formats();

// One runner a format.
Result<std::vector<VectorResult>> run_bytom_vectors(const nlohmann::json& root, const VectorContext& context);
Result<std::vector<VectorResult>> run_merkle_vectors(const nlohmann::json& root, const VectorContext& context);
Result<std::vector<VectorResult>> run_ed25519_vectors(const nlohmann::json& root, const VectorContext& context);
Result<std::vector<VectorResult>> run_bip340_vectors(const nlohmann::json& root, const VectorContext& context);
Result<std::vector<VectorResult>> run_ecdsa_vectors(const nlohmann::json& root, const VectorContext& context);
Result<std::vector<VectorResult>> run_ecrecover_vectors(const nlohmann::json& root, const VectorContext& context);
Result<std::vector<VectorResult>> run_ecvrf_vectors(const nlohmann::json& root, const VectorContext& context);
Result<std::vector<VectorResult>> run_hash_to_curve_vectors(const nlohmann::json& root, const VectorContext& context);
Result<std::vector<VectorResult>> run_musig2_vectors(const nlohmann::json& root, const VectorContext& context);
Result<std::vector<VectorResult>> run_btn_vectors(const nlohmann::json& root, const VectorContext& context);
Result<std::vector<VectorResult>> run_bttc_vectors(const nlohmann::json& root, const VectorContext& context);
Result<std::vector<VectorResult>> run_enrol_vectors(const nlohmann::json& root, const VectorContext& context);
Result<std::vector<VectorResult>> run_hash_vectors(const nlohmann::json& root, const VectorContext& context);
Result<std::vector<VectorResult>> run_match_vectors(const nlohmann::json& root, const VectorContext& context);

Result<std::vector<VectorResult>> run_match_job_vectors(const nlohmann::json& root, const VectorContext& context);
Result<std::vector<VectorResult>> run_rsa_draw_vectors(const nlohmann::json& root, const VectorContext& context);
Result<std::vector<VectorResult>> run_rsa_pkcs1_vectors(const nlohmann::json& root, const VectorContext& context);
Result<std::vector<VectorResult>> run_tensority_vectors(const nlohmann::json& root, const VectorContext& context);

/// Calls `run` for each row of the family on each device that it runs on; a row that runs nowhere, or is not in this
/// build, is `cases` skipped with the reason.
std::vector<VectorResult> on_rows(
    kernels::Family family, const VectorContext& context, unsigned cases,
    const std::function<VectorResult(kernels::Kernel& kernel, const std::string& name)>& run);

/// Counts one case and remembers the first failures.
void count_case(VectorResult& result, const std::string& name, const std::string& difference);

/// What a report calls a case: its number or name in the file, or its place, and why it is there.
std::string case_name(const nlohmann::json& c, std::size_t place);
/// Calls `one` for each member of root.at("cases"). Errors: those of `one` and of nlohmann, with the case's name.
Done each_case(const nlohmann::json& root,
               const std::function<Done(const nlohmann::json& c, const std::string& name)>& one);
/// The text at `key`, which must be one of `words`. Errors: bad_input.
Result<std::string> word_of(const nlohmann::json& c, const char* key, std::initializer_list<std::string_view> words);
/// Adds to the reason, after what is there.
void note(VectorResult& result, const std::string& words);

}  // namespace sparkmill::cli

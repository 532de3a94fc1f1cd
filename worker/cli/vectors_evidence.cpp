// SPDX-License-Identifier: Apache-2.0
// Vector files of consensus evidence: every case on every row of the system's signature family, hashes on the row of
// the same kind where there is one.
#include <nlohmann/json.hpp>

#include "verify/blocks/evidence/evidence.h"
#include "worker/cli/vector_formats.h"

namespace sparkmill::cli {
namespace {

using Json = nlohmann::json;
using evidence::System;
using kernels::Family;

/// The hash row of the processor that fits a signature row: its oracle for an oracle, else the best.
Result<std::unique_ptr<kernels::Kernel>> hash_kernel(const std::string& row) {
  kernels::Device cpu;
  cpu.id = "cpu";
  const bool oracle = row.find("/reference") != std::string::npos;
  SPARKMILL_ASSIGN(const kernels::Choice choice, kernels::choose(Family::hash, cpu, oracle ? "reference" : ""));
  return choice.row->make(cpu);
}

VectorResult run_cases(System system, kernels::Kernel& kernel, const std::string& row, const std::vector<Json>& cases) {
  VectorResult result{row, 0, 0, 0, {}};
  const auto hash = hash_kernel(row);
  if (!hash) return {row, 0, static_cast<unsigned>(cases.size()), 0, hash.error().message};
  const auto answers =
      evidence::answer(system, cases,
                       {dynamic_cast<hashes::Kernel*>(hash->get()), dynamic_cast<secp256k1::Kernel*>(&kernel),
                        dynamic_cast<rsa::Kernel*>(&kernel)},
                       {.sign = true}, StopToken());
  if (!answers) return {row, 0, static_cast<unsigned>(cases.size()), 0, answers.error().message};
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const evidence::Answer& a = (*answers)[i];
    if (a.error.code == Status::unsupported) {
      ++result.skipped;
      if (result.reason.empty()) result.reason = a.error.message;
      continue;
    }
    const std::string name = cases[i].at("kind").get<std::string>() + " " + cases[i].value("id", Json(i)).dump();
    count_case(result, name, evidence::difference(a, cases[i].at("expect")));
  }
  return result;
}

Result<std::vector<VectorResult>> run(System system, Family family, const Json& root, const VectorContext& context) {
  SPARKMILL_TRY(each_case(root, [&](const Json& c, const std::string&) -> Done {
    if (!c.at("kind").is_string()) return fail(Status::bad_input, "\"kind\" is no text");
    const Json& expect = c.at("expect");
    if (!expect.is_object() || expect.empty()) return fail(Status::bad_input, "\"expect\" names nothing to compare");
    return done();
  }));
  const auto cases = root.at("cases").get<std::vector<Json>>();
  return on_rows(
      family, context, static_cast<unsigned>(cases.size()),
      [&](kernels::Kernel& kernel, const std::string& name) { return run_cases(system, kernel, name, cases); });
}

}  // namespace

Result<std::vector<VectorResult>> run_bttc_vectors(const Json& root, const VectorContext& context) {
  return run(System::bttc, Family::secp256k1, root, context);
}
Result<std::vector<VectorResult>> run_btn_vectors(const Json& root, const VectorContext& context) {
  return run(System::btn, Family::rsa, root, context);
}

}  // namespace sparkmill::cli

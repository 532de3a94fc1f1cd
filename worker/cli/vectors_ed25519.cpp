// SPDX-License-Identifier: Apache-2.0
// Vector files of Ed25519: every case under every policy, on every row.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/hex.h"
#include "kernels/ed25519/ed25519.h"
#include "worker/cli/vector_formats.h"

namespace sparkmill::cli {
namespace {

using Json = nlohmann::json;

struct Case {
  std::string name;
  bool expected[ed25519::kPolicies.size()];
  bool packed;  ///< right length of key and signature; others are refused before any kernel sees them
};

/// The cases of a file, those of the right lengths packed for the kernels.
struct Cases {
  std::vector<Case> list;
  Bytes keys, signatures, messages;
  std::vector<std::uint64_t> offsets{0};
  std::set<std::string> others;  ///< columns of programs that are not ours
};

/// What each policy is expected to say. Files without columns are RFC 8032's own, valid for everybody; a file with
/// another verdict and no columns does not say enough.
Done read_expected(const Json& c, Cases& cases, Case& one) {
  const auto expect = c.find("expect");
  if (expect == c.end()) {
    if (c.contains("result")) return fail(Status::bad_input, "\"expect\" with a verdict by policy is missing");
    std::fill(std::begin(one.expected), std::end(one.expected), true);
    return done();
  }
  for (const auto& [policy, verdict] : expect->items()) {
    if (!ed25519::policy_named(policy)) cases.others.insert(policy);
  }
  for (std::size_t p = 0; p < ed25519::kPolicies.size(); ++p) {
    one.expected[p] = expect->at(std::string(name(ed25519::kPolicies[p]))).get<bool>();
  }
  // Wycheproof's own verdict is that of the policy `go`, the first.
  const auto result = c.find("result");
  if (result != c.end() && (*result == "valid") != one.expected[0]) {
    return fail(Status::bad_input, "result " + result->dump() + " contradicts the column go");
  }
  return done();
}

Result<Cases> read_cases(const Json& root) {
  Cases cases;
  SPARKMILL_TRY(each_case(root, [&](const Json& c, const std::string& name) -> Done {
    Case one{name, {}, false};
    const auto bytes = [&](const char* key) { return from_hex(c.at(key).get_ref<const std::string&>(), key); };
    SPARKMILL_ASSIGN(const Bytes key, bytes("pk"));
    SPARKMILL_ASSIGN(const Bytes signature, bytes("sig"));
    Bytes message;
    if (c.contains("msg_ascii")) {
      const auto& words = c.at("msg_ascii").get_ref<const std::string&>();
      message.assign(words.begin(), words.end());
    } else {
      SPARKMILL_ASSIGN(message, bytes("msg"));
    }
    if (const Done read = read_expected(c, cases, one); !read) return read.error();
    one.packed = key.size() == ed25519::kKeyBytes && signature.size() == ed25519::kSignatureBytes;
    if (one.packed) {
      cases.keys.insert(cases.keys.end(), key.begin(), key.end());
      cases.signatures.insert(cases.signatures.end(), signature.begin(), signature.end());
      cases.messages.insert(cases.messages.end(), message.begin(), message.end());
      cases.offsets.push_back(cases.messages.size());
    }
    cases.list.push_back(std::move(one));
    return done();
  }));
  return cases;
}

VectorResult run_cases(kernels::Kernel& kernel, const std::string& row, const Cases& cases) {
  VectorResult result{row, 0, 0, 0, {}};
  auto& verifier = dynamic_cast<ed25519::Kernel&>(kernel);
  const kernels::SignatureBatch batch{cases.offsets.size() - 1, cases.keys, cases.signatures, cases.messages,
                                      cases.offsets};
  Bytes valid(batch.count);
  for (std::size_t p = 0; p < ed25519::kPolicies.size(); ++p) {
    const Done ran = verifier.verify_vartime(ed25519::kPolicies[p], batch, {valid, {}}, StopToken());
    std::size_t at = 0;
    for (const Case& c : cases.list) {
      const bool got = c.packed && valid[at] != 0;
      at += c.packed ? 1 : 0;
      const std::string name = c.name + ", " + std::string(ed25519::name(ed25519::kPolicies[p]));
      count_case(result, name, !ran ? ran.error().message : got == c.expected[p] ? "" : got ? "accepted" : "refused");
    }
  }
  std::string others;
  for (const std::string& policy : cases.others)
    others += (others.empty() ? "not ours: " : ", ") + policy.substr(0, 40);
  note(result, others);
  return result;
}

}  // namespace

Result<std::vector<VectorResult>> run_ed25519_vectors(const Json& root, const VectorContext& context) {
  SPARKMILL_ASSIGN(const Cases cases, read_cases(root));
  const auto count = static_cast<unsigned>(cases.list.size() * ed25519::kPolicies.size());
  return on_rows(kernels::Family::ed25519, context, count,
                 [&](kernels::Kernel& kernel, const std::string& name) { return run_cases(kernel, name, cases); });
}

}  // namespace sparkmill::cli

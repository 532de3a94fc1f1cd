// SPDX-License-Identifier: Apache-2.0
// Vector files of Ed25519: every case under every policy, on every row.
#include <nlohmann/json.hpp>

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
};

std::string name_of(const Json& c, std::size_t at) {
  for (const char* key : {"tcId", "index", "number", "n"}) {
    if (c.contains(key)) return std::string(key) + " " + c.at(key).dump();
  }
  return "case " + std::to_string(at);
}

Result<Cases> read_cases(const Json& root) {
  Cases cases;
  for (const Json& c : root.at("cases")) {
    Case one{name_of(c, cases.list.size()), {}, false};
    const auto bytes = [&](const char* key) {
      return from_hex(c.at(key).get_ref<const std::string&>(), one.name + ": " + key);
    };
    SPARKMILL_ASSIGN(const Bytes key, bytes("pk"));
    SPARKMILL_ASSIGN(const Bytes signature, bytes("sig"));
    Bytes message;
    if (c.contains("msg_ascii")) {
      const auto& words = c.at("msg_ascii").get_ref<const std::string&>();
      message.assign(words.begin(), words.end());
    } else {
      SPARKMILL_ASSIGN(message, bytes("msg"));
    }
    for (std::size_t p = 0; p < ed25519::kPolicies.size(); ++p) {
      // Files without columns are RFC 8032's own: valid for everybody.
      one.expected[p] =
          !c.contains("expect") || c.at("expect").at(std::string(name(ed25519::kPolicies[p]))).get<bool>();
    }
    one.packed = key.size() == ed25519::kKeyBytes && signature.size() == ed25519::kSignatureBytes;
    if (one.packed) {
      cases.keys.insert(cases.keys.end(), key.begin(), key.end());
      cases.signatures.insert(cases.signatures.end(), signature.begin(), signature.end());
      cases.messages.insert(cases.messages.end(), message.begin(), message.end());
      cases.offsets.push_back(cases.messages.size());
    }
    cases.list.push_back(std::move(one));
  }
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

// SPDX-License-Identifier: Apache-2.0
// Vector files of secp256k1: Wycheproof's ECDSA (DER and r || s, with and without low s), recovery by caller, BIP-340;
// on every row.
#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "base/hex.h"
#include "verify/signatures/batch.h"
#include "worker/cli/vector_formats.h"

namespace sparkmill::cli {
namespace {

using Json = nlohmann::json;

Result<Bytes> hex_of(const Json& c, const char* key) { return from_hex(c.at(key).get_ref<const std::string&>(), key); }

/// One case under one form.
struct Case {
  std::string name;
  bool expected = false;
  std::string output;   ///< hex, where the file names one
  bool packed = false;  ///< sizes that the form has; others are refused before any kernel sees them
};
struct Cases {
  explicit Cases(const signatures::Form& form) : items(form) {}
  signatures::ItemList items;
  std::vector<Case> list;
  void add(Case one, ByteView key, ByteView signature, ByteView message) {
    one.packed = items.add(key, signature, message).ok();
    list.push_back(std::move(one));
  }
};

void run_cases(VectorResult& result, kernels::Kernel& kernel, const Cases& cases) {
  const signatures::Form& form = cases.items.form();
  const std::size_t count = cases.items.count();
  Bytes valid(count), outputs(count * form.output_bytes);
  const Done ran = signatures::verify_on(form, cases.items.view(), {valid, {}, outputs, {}}, &kernel, StopToken());
  std::size_t at = 0;
  for (const Case& c : cases.list) {
    const bool got = c.packed && valid[at] != 0;
    const std::string output =
        got ? to_hex(ByteView(outputs).subspan(at * form.output_bytes, form.output_bytes)) : std::string();
    at += c.packed ? 1 : 0;
    std::string difference;
    if (!ran) {
      difference = ran.error().message;
    } else if (got != c.expected) {
      difference = got ? "accepted" : "refused";
    } else if (!c.output.empty() && output != c.output) {
      difference = "gives " + output;
    }
    count_case(result, c.name + ", " + std::string(form.policy_name), difference);
  }
}

std::vector<VectorResult> run_all(const std::vector<Cases>& all, const VectorContext& context) {
  std::size_t count = 0;
  for (const Cases& cases : all) count += cases.list.size();
  return on_rows(kernels::Family::secp256k1, context, static_cast<unsigned>(count),
                 [&](kernels::Kernel& kernel, const std::string& name) {
                   VectorResult result{name, 0, 0, 0, {}};
                   for (const Cases& cases : all) run_cases(result, kernel, cases);
                   return result;
                 });
}

bool mentions(const Json& root, const char* member, std::string_view word) {
  const auto it = root.find(member);
  if (it == root.end()) return false;
  return it->is_string() ? it->get_ref<const std::string&>().find(word) != std::string::npos
                         : it->is_object() && it->contains(std::string(word));
}

Result<Bytes> digest_of(const Json& c) {
  SPARKMILL_ASSIGN(const Bytes message, hex_of(c, "msg"));
  const auto& sha = c.at("group").at("sha").get_ref<const std::string&>();
  if (sha != "SHA-256" && sha != "SHA3-256") return fail(Status::bad_input, "hash " + sha + " is not known here");
  const Hash32 digest = sha == "SHA-256" ? sha256(message) : sha3_256(message);
  return Bytes(digest.begin(), digest.end());
}

/// The integer v of a 32-byte word; numbers beyond 64 bits only need to stay too large.
Result<Hash32> v_of(const Json& v) {
  Hash32 word{};
  if (v.is_number_unsigned()) {
    auto n = v.get<std::uint64_t>();
    for (std::size_t k = 31; n != 0; --k, n >>= 8) word[k] = static_cast<std::uint8_t>(n);
    return word;
  }
  if (v.is_string()) {
    std::string hex = v.get<std::string>();
    if (hex.rfind("0x", 0) == 0) hex.erase(0, 2);
    if (hex.size() < 64) hex.insert(0, 64 - hex.size(), '0');
    return array_from_hex<32>(hex, "v");
  }
  if (!v.is_number_float() || v.get<double>() < 0x1p64) {
    return fail(Status::bad_input, "v is neither a whole number nor hex");
  }
  word.fill(0xff);
  return word;
}

}  // namespace

Result<std::vector<VectorResult>> run_ecdsa_vectors(const Json& root, const VectorContext& context) {
  const bool p1363 = mentions(root, "source", "p1363") || mentions(root, "notes", "SignatureSize");
  const bool low_s = mentions(root, "source", "bitcoin") || mentions(root, "notes", "SignatureMalleabilityBitcoin");
  const std::string policy = std::string("uncompressed") + (p1363 ? "" : "_der") + (low_s ? "_low_s" : "");
  SPARKMILL_ASSIGN(const signatures::Form* form, signatures::form_named("ecdsa", policy));
  std::vector<Cases> all(1, Cases(*form));
  SPARKMILL_TRY(each_case(root, [&](const Json& c, const std::string& name) -> Done {
    // "acceptable" is what lenient readers take: wrong here.
    SPARKMILL_ASSIGN(const std::string result, word_of(c, "result", {"valid", "invalid", "acceptable"}));
    SPARKMILL_ASSIGN(const Bytes key, hex_of(c, "pub_uncompressed"));
    SPARKMILL_ASSIGN(const Bytes signature, hex_of(c, "sig"));
    SPARKMILL_ASSIGN(const Bytes digest, digest_of(c));
    all[0].add({name, result == "valid", {}, false}, key, signature, digest);
    return done();
  }));
  return run_all(all, context);
}

Result<std::vector<VectorResult>> run_ecrecover_vectors(const Json& root, const VectorContext& context) {
  struct Column {
    const char* member;
    const char* policy;
  };
  static constexpr Column kColumns[] = {{"precompile_address", "evm_precompile"},
                                        {"eth_tx_ok", "ethereum_homestead"},
                                        {"tron_precompile_address", "tron_precompile"},
                                        {"tron_multisign_precompile_address", "tron_multisign"},
                                        {"tron_tx_address", "tron_transaction"}};
  std::vector<Cases> all;
  for (const Column& column : kColumns) {
    SPARKMILL_ASSIGN(const signatures::Form* form, signatures::form_named("ecdsa_recover", column.policy));
    Cases cases(*form);
    const bool flag = column.member == std::string_view("eth_tx_ok");
    SPARKMILL_TRY(each_case(root, [&](const Json& c, const std::string& name) -> Done {
      const Json& wanted = c.at(column.member);
      Case one{name, false, {}, false};
      if (flag) {
        one.expected = wanted.get<bool>();
      } else if (!wanted.is_null()) {
        one.expected = true;
        SPARKMILL_ASSIGN(const Bytes address, hex_of(c, column.member));
        if (address.size() != form->output_bytes) {
          return fail(Status::bad_input, std::string(column.member) + " has " + std::to_string(address.size()) +
                                             " bytes, not " + std::to_string(form->output_bytes));
        }
        one.output = to_hex(address);
      }
      const auto number = [&](const char* key) {
        return array_from_hex<32>(c.at(key).get_ref<const std::string&>(), key);
      };
      SPARKMILL_ASSIGN(const Hash32 digest, number("hash"));
      SPARKMILL_ASSIGN(const Hash32 r, number("r"));
      SPARKMILL_ASSIGN(const Hash32 s, number("s"));
      SPARKMILL_ASSIGN(const Hash32 v, v_of(c.at("v")));
      Bytes signature(r.begin(), r.end());
      signature.insert(signature.end(), s.begin(), s.end());
      const bool byte = form->signature_bytes == 65;
      const bool fits = !byte || std::all_of(v.begin(), v.end() - 1, [](std::uint8_t b) { return b == 0; });
      // A v that is no byte cannot be said to a caller that reads one: the short signature is refused by its size.
      if (fits) signature.insert(signature.end(), byte ? v.end() - 1 : v.begin(), v.end());
      cases.add(std::move(one), {}, signature, digest);
      return done();
    }));
    all.push_back(std::move(cases));
  }
  return run_all(all, context);
}

Result<std::vector<VectorResult>> run_bip340_vectors(const Json& root, const VectorContext& context) {
  SPARKMILL_ASSIGN(const signatures::Form* form, signatures::form_named("bip340", ""));
  std::vector<Cases> all(1, Cases(*form));
  SPARKMILL_TRY(each_case(root, [&](const Json& c, const std::string& name) -> Done {
    SPARKMILL_ASSIGN(const std::string result, word_of(c, "verification result", {"TRUE", "FALSE"}));
    SPARKMILL_ASSIGN(const Bytes key, hex_of(c, "public key"));
    SPARKMILL_ASSIGN(const Bytes signature, hex_of(c, "signature"));
    SPARKMILL_ASSIGN(const Bytes message, hex_of(c, "message"));
    all[0].add({name, result == "TRUE", {}, false}, key, signature, message);
    return done();
  }));
  return run_all(all, context);
}

}  // namespace sparkmill::cli

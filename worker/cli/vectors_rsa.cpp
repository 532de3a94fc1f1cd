// SPDX-License-Identifier: Apache-2.0
// Vector files of RSA-2048: draws (raw padding of the previous hash, with digest and score) and RSASSA-PKCS1-v1_5 with
// SHA-256. Every case on every row; what the key rules refuse before a kernel sees it is refused here.
#include <algorithm>
#include <bit>
#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "base/hex.h"
#include "kernels/rsa/rsa.h"
#include "worker/cli/vector_formats.h"

namespace sparkmill::cli {
namespace {

using Json = nlohmann::json;

constexpr const char* kHash = "SHA-256";

struct Case {
  std::string name;
  bool expected = false;
  bool packed = false;     ///< right sizes and e = 65537; others are refused
  bool skipped = false;    ///< right by the standard with an exponent that our key rule refuses
  std::string difference;  ///< what is wrong with digest or score, which no kernel computes
};

/// The cases of a file, those of the right sizes packed for the kernels.
struct Cases {
  rsa::Encoding encoding;
  std::vector<Case> list;
  Bytes keys, signatures, messages;
  std::vector<std::uint64_t> offsets{0};
};

/// An integer in hex, as files write it (DER puts a zero before a top bit), on 256 bytes; empty when it is larger.
Bytes modulus(Bytes n) {
  n.erase(n.begin(), std::find_if(n.begin(), n.end(), [](std::uint8_t b) { return b != 0; }));
  if (n.size() > rsa::kModulusBytes) return {};
  n.insert(n.begin(), rsa::kModulusBytes - n.size(), 0);
  return n;
}

/// 65537, as a number or in hex.
Result<bool> right_exponent(const Json& c) {
  const Json& e = c.at("e");
  if (e.is_number_unsigned()) return e.get<std::uint64_t>() == rsa::kExponent;
  SPARKMILL_ASSIGN(const Bytes bytes, from_hex(e.get_ref<const std::string&>(), "e"));
  if (bytes.empty()) return fail(Status::bad_input, "e is empty");
  std::uint64_t value = 0;
  for (const std::uint8_t b : bytes) {
    if (value >> 56 != 0) return false;
    value = value << 8 | b;
  }
  return value == rsa::kExponent;
}

/// "" where the digest of the signature and its score are those of the file, if it names them.
std::string score_difference(const Json& c, ByteView signature) {
  const auto named = c.find("sha256_of_sig");
  if (named == c.end() || named->is_null()) return {};
  const Hash32 digest = sha256(signature);
  if (to_hex(digest) != named->get_ref<const std::string&>()) return "the digest of the signature differs";
  unsigned zeros = 0;
  for (const std::uint8_t byte : digest) {
    zeros += static_cast<unsigned>(std::countl_zero(byte));
    if (byte != 0) break;
  }
  return c.at("leading_zero_bits") == zeros ? "" : "the score differs";
}

Result<Cases> read_cases(const Json& root, rsa::Encoding encoding) {
  const bool draw = encoding == rsa::Encoding::draw;
  Cases cases{encoding, {}, {}, {}, {}, {0}};
  SPARKMILL_TRY(each_case(root, [&](const Json& c, const std::string& name) -> Done {
    Case one;
    one.name = name;
    const auto bytes = [&](const char* key) { return from_hex(c.at(key).get_ref<const std::string&>(), key); };
    SPARKMILL_ASSIGN(const Bytes n_bytes, bytes("n"));
    SPARKMILL_ASSIGN(const Bytes signature, bytes("sig"));
    SPARKMILL_ASSIGN(Bytes message, bytes(!draw ? "msg" : c.contains("message") ? "message" : "prev_hash"));
    SPARKMILL_ASSIGN(const bool exponent, right_exponent(c));
    if (draw) {
      one.expected = c.at("valid").get<bool>();
    } else {
      // "acceptable" is what lenient readers take: wrong here.
      SPARKMILL_ASSIGN(const std::string result, word_of(c, "result", {"valid", "invalid", "acceptable"}));
      one.expected = result == "valid";
    }
    one.skipped = !draw && one.expected && !exponent;
    const std::string hash = c.contains("group") ? c.at("group").value("sha", kHash) : kHash;
    if (!draw && hash != kHash)
      return fail(Status::bad_input, "its hash is " + hash, "only " + std::string(kHash) + " is known");
    // A draw has a score; seals, votes and other messages have none.
    if (draw && one.expected && c.contains("prev_hash") && !c.at("sha256_of_sig").is_string()) {
      return fail(Status::bad_input, "a valid draw without sha256_of_sig");
    }
    if (draw) one.difference = score_difference(c, signature);
    if (!draw) {
      const Hash32 digest = sha256(message);
      message.assign(digest.begin(), digest.end());
    }
    const Bytes n = modulus(n_bytes);
    const bool encodable =
        draw ? !message.empty() && message.size() <= rsa::kMostDrawBytes : message.size() == rsa::kHashBytes;
    one.packed = exponent && !n.empty() && signature.size() == rsa::kSignatureBytes && encodable;
    if (one.packed) {
      cases.keys.insert(cases.keys.end(), n.begin(), n.end());
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
  const kernels::SignatureBatch batch{cases.offsets.size() - 1, cases.keys, cases.signatures, cases.messages,
                                      cases.offsets};
  Bytes valid(batch.count);
  const Done ran = dynamic_cast<rsa::Kernel&>(kernel).verify_vartime(cases.encoding, batch, {valid, {}}, StopToken());
  std::size_t at = 0;
  std::string skipped;
  for (const Case& c : cases.list) {
    const bool got = c.packed && valid[at] != 0;
    at += c.packed ? 1 : 0;
    if (c.skipped) {
      ++result.skipped;
      skipped = "the key rule wants e = 65537";
      continue;
    }
    const std::string verdict = got == c.expected ? c.difference : got ? "accepted" : "refused";
    count_case(result, c.name, ran ? verdict : ran.error().message);
  }
  note(result, skipped);
  return result;
}

Result<std::vector<VectorResult>> run(const Json& root, const VectorContext& context, rsa::Encoding encoding) {
  SPARKMILL_ASSIGN(const Cases cases, read_cases(root, encoding));
  return on_rows(kernels::Family::rsa, context, static_cast<unsigned>(cases.list.size()),
                 [&](kernels::Kernel& kernel, const std::string& name) { return run_cases(kernel, name, cases); });
}

}  // namespace

Result<std::vector<VectorResult>> run_rsa_draw_vectors(const Json& root, const VectorContext& context) {
  return run(root, context, rsa::Encoding::draw);
}

Result<std::vector<VectorResult>> run_rsa_pkcs1_vectors(const Json& root, const VectorContext& context) {
  return run(root, context, rsa::Encoding::pkcs1_sha256);
}

}  // namespace sparkmill::cli

// SPDX-License-Identifier: Apache-2.0
// Vector files of ECVRF-EDWARDS25519-SHA512, of hashing to edwards25519 and of MuSig2: host code and the lanes of
// ECVRF, no kernel row.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/hex.h"
#include "verify/signatures/batch.h"
#include "verify/signatures/ecvrf.h"
#include "verify/signatures/musig2.h"
#include "worker/cli/vector_formats.h"

namespace sparkmill::cli {
namespace {

using Json = nlohmann::json;

Result<Bytes> hex_of(const Json& c, const char* key) { return from_hex(c.at(key).get_ref<const std::string&>(), key); }

/// "0x1234" as 32 bytes little-endian.
Result<Hash32> number_of(const Json& value) {
  std::string hex = value.get<std::string>();
  if (hex.rfind("0x", 0) == 0) hex.erase(0, 2);
  if (hex.size() < 64) hex.insert(0, 64 - hex.size(), '0');
  SPARKMILL_ASSIGN(Hash32 out, array_from_hex<32>(hex, "coordinate"));
  std::reverse(out.begin(), out.end());
  return out;
}

/// What is wrong with one proof; empty: nothing.
Result<std::string> vrf_case(const Json& c, VectorResult& proved, const std::string& name) {
  SPARKMILL_ASSIGN(const std::string word, word_of(c, "suite", {"TAI", "ELL2"}));
  const auto suite = word == "TAI" ? signatures::VrfSuite::tai : signatures::VrfSuite::ell2;
  SPARKMILL_ASSIGN(const Bytes key, hex_of(c, "pk"));
  SPARKMILL_ASSIGN(const Bytes proof, hex_of(c, "pi"));
  SPARKMILL_ASSIGN(const Bytes alpha, hex_of(c, "alpha"));
  const bool expected = c.at("valid").get<bool>();
  // The key of a proof may be unknown; what a valid proof gives may not.
  const auto secret_text = c.find("sk");
  const bool has_secret = secret_text != c.end() && !secret_text->is_null();
  const auto beta = signatures::vrf_verify_vartime(suite, key, proof, alpha);
  if (expected && has_secret) {
    SPARKMILL_ASSIGN(const Bytes secret, hex_of(c, "sk"));
    const auto own = signatures::vrf_prove(suite, secret, alpha);
    const bool same = own && std::equal(own->begin(), own->end(), proof.begin(), proof.end());
    count_case(proved, name, same ? "" : own ? "another proof" : own.error().message);
  }
  if (beta.has_value() != expected) return std::string(beta ? "accepted" : "refused");
  if (beta) {
    SPARKMILL_ASSIGN(const Bytes wanted, hex_of(c, "beta"));
    if (!std::equal(beta->begin(), beta->end(), wanted.begin(), wanted.end())) return std::string("another beta");
  }
  return std::string();
}

/// The same of the lane-parallel form.
Result<std::string> vrf_lanes_case(const Json& c, ed25519::VrfKernel& kernel) {
  const auto suite = c.at("suite").get<std::string>() == "TAI" ? signatures::VrfSuite::tai : signatures::VrfSuite::ell2;
  SPARKMILL_ASSIGN(const Bytes key, hex_of(c, "pk"));
  SPARKMILL_ASSIGN(const Bytes proof, hex_of(c, "pi"));
  SPARKMILL_ASSIGN(const Bytes alpha, hex_of(c, "alpha"));
  const bool expected = c.at("valid").get<bool>();
  if (key.size() != signatures::kVrfKeyBytes || proof.size() != signatures::kVrfProofBytes) {
    return std::string(expected ? "refused for its size" : "");  // refused before it is packed
  }
  const std::uint64_t offsets[] = {0, alpha.size()};
  Bytes valid(1), beta(ed25519::kVrfOutputBytes);
  SPARKMILL_TRY(kernel.verify_vartime(suite, {1, key, proof, alpha, offsets}, {valid, {}, beta}, StopToken()));
  if ((valid[0] != 0) != expected) return std::string(expected ? "refused" : "accepted");
  if (!expected || !c.contains("beta") || !c.at("beta").is_string()) return std::string();
  SPARKMILL_ASSIGN(const Bytes wanted, hex_of(c, "beta"));
  return std::string(beta == wanted ? "" : "another beta");
}

/// The members of `list` at the numbers of `indices`.
template <class T>
Result<std::vector<T>> picked(const Json& list, const Json& indices, const char* what) {
  std::vector<T> out;
  for (const Json& index : indices) {
    SPARKMILL_ASSIGN(const T one, (array_from_hex<sizeof(T)>(
                                      list.at(index.get<std::size_t>()).template get_ref<const std::string&>(), what)));
    out.push_back(one);
  }
  return out;
}
template <class T>
Result<T> array_of(const Json& value, const char* what) {
  return array_from_hex<sizeof(T)>(value.get_ref<const std::string&>(), what);
}

using signatures::PlainKey;
using signatures::PublicNonce;
using signatures::Scalar32;

Result<std::vector<signatures::Tweak>> tweaks_of(const Json& part, const Json& c) {
  std::vector<signatures::Tweak> out;
  if (!c.contains("tweak_indices")) return out;
  SPARKMILL_ASSIGN(const auto values, picked<Scalar32>(part.at("tweaks"), c.at("tweak_indices"), "tweak"));
  for (std::size_t i = 0; i < values.size(); ++i) out.push_back({values[i], c.at("is_xonly").at(i).get<bool>()});
  return out;
}

std::string name_of(const char* part, const char* list, std::size_t at) {
  return std::string(part) + "." + list + "[" + std::to_string(at) + "]";
}
const Json& cases_of(const Json& part, const char* list) {
  static const Json none = Json::array();
  const auto it = part.find(list);
  return it == part.end() ? none : *it;
}

/// Lists of cases that nothing here reads.
void count_others(const Json& root, VectorResult& result) {
  constexpr std::string_view kSuffix = "test_cases";
  constexpr std::string_view kRead[] = {"valid_test_cases", "error_test_cases", "verify_fail_test_cases",
                                        "verify_error_test_cases", "sign_error_test_cases"};
  for (const auto& [part_name, part] : root.items()) {
    if (!part.is_object()) continue;
    for (const auto& [list, cases] : part.items()) {
      if (list.size() < kSuffix.size() || !std::string_view(list).ends_with(kSuffix)) continue;
      if (std::find(std::begin(kRead), std::end(kRead), list) == std::end(kRead)) {
        result.skipped += static_cast<unsigned>(cases.size());
      }
    }
  }
}

bool is_negative(const Error& error) { return error.code == Status::bad_input; }

Done key_aggregation(const Json& part, VectorResult& result) {
  for (const char* list : {"valid_test_cases", "error_test_cases"}) {
    std::size_t at = 0;
    for (const Json& c : cases_of(part, list)) {
      const std::string name = name_of("key_agg", list, at++);
      SPARKMILL_ASSIGN(const auto keys, picked<PlainKey>(part.at("pubkeys"), c.at("key_indices"), "pubkeys"));
      SPARKMILL_ASSIGN(const auto tweaks, tweaks_of(part, c));
      const auto key = signatures::aggregate_keys(keys, tweaks);
      if (!c.contains("expected")) {
        count_case(result, name, key ? "aggregated" : is_negative(key.error()) ? "" : key.error().message);
        continue;
      }
      SPARKMILL_ASSIGN(const Hash32 wanted, array_of<Hash32>(c.at("expected"), "expected"));
      count_case(result, name, !key ? key.error().message : key->x_only() == wanted ? "" : "another key");
    }
  }
  return done();
}

Done nonce_aggregation(const Json& part, VectorResult& result) {
  for (const char* list : {"valid_test_cases", "error_test_cases"}) {
    std::size_t at = 0;
    for (const Json& c : cases_of(part, list)) {
      const std::string name = name_of("nonce_agg", list, at++);
      SPARKMILL_ASSIGN(const auto nonces, picked<PublicNonce>(part.at("pnonces"), c.at("pnonce_indices"), "pnonces"));
      const auto sum = signatures::aggregate_nonces(nonces);
      if (!c.contains("expected")) {
        count_case(result, name, sum ? "aggregated" : is_negative(sum.error()) ? "" : sum.error().message);
        continue;
      }
      SPARKMILL_ASSIGN(const auto wanted, array_of<PublicNonce>(c.at("expected"), "expected"));
      count_case(result, name, !sum ? sum.error().message : *sum == wanted ? "" : "another nonce");
    }
  }
  return done();
}

/// Partial signatures of `sign_verify` and `tweak`: those expected verify, those that must fail do not.
Done partial_signatures(const char* part_name, const Json& part, VectorResult& result) {
  for (const char* list :
       {"valid_test_cases", "error_test_cases", "verify_fail_test_cases", "verify_error_test_cases"}) {
    std::size_t at = 0;
    for (const Json& c : cases_of(part, list)) {
      const std::string name = name_of(part_name, list, at++);
      SPARKMILL_ASSIGN(const auto keys, picked<PlainKey>(part.at("pubkeys"), c.at("key_indices"), "pubkeys"));
      SPARKMILL_ASSIGN(const auto nonces, picked<PublicNonce>(part.at("pnonces"), c.at("nonce_indices"), "pnonces"));
      SPARKMILL_ASSIGN(const auto tweaks, tweaks_of(part, c));
      const Json& text =
          part.contains("msg") ? part.at("msg") : part.at("msgs").at(c.at("msg_index").get<std::size_t>());
      SPARKMILL_ASSIGN(const Bytes message, from_hex(text.get_ref<const std::string&>(), "msg"));
      const auto signer = c.at("signer_index").get<std::size_t>();
      if (signer >= keys.size() || signer >= nonces.size()) return fail(Status::bad_input, name + ": signer_index");
      const bool right = c.contains("expected"), error = c.contains("error");
      Scalar32 partial{};
      if (right || c.contains("sig")) {
        SPARKMILL_ASSIGN(partial, array_of<Scalar32>(c.at(right ? "expected" : "sig"), "partial signature"));
      }
      const auto aggregate = signatures::aggregate_nonces(nonces);
      std::string difference;
      if (!aggregate) {
        difference = error ? "" : aggregate.error().message;
      } else {
        const signatures::Session session{*aggregate, keys, tweaks, message};
        const auto got = signatures::verify_partial(session, partial, nonces[signer], keys[signer]);
        if (error) {
          difference = got ? "no error" : is_negative(got.error()) ? "" : got.error().message;
        } else {
          difference = !got ? got.error().message : *got == right ? "" : *got ? "accepted" : "refused";
        }
      }
      count_case(result, name, difference);
    }
  }
  // What makes signing impossible beside the signer's own secrets makes verifying impossible as well.
  std::size_t at = 0;
  for (const Json& c : cases_of(part, "sign_error_test_cases")) {
    const std::string name = name_of(part_name, "sign_error_test_cases", at++);
    if (c.at("error").at("type") != "invalid_contribution") {
      ++result.skipped;
      continue;
    }
    SPARKMILL_ASSIGN(const auto keys, picked<PlainKey>(part.at("pubkeys"), c.at("key_indices"), "pubkeys"));
    SPARKMILL_ASSIGN(
        const auto nonce,
        array_of<PublicNonce>(part.at("aggnonces").at(c.at("aggnonce_index").get<std::size_t>()), "aggnonces"));
    const Json& text = part.at("msgs").at(c.at("msg_index").get<std::size_t>());
    SPARKMILL_ASSIGN(const Bytes message, from_hex(text.get_ref<const std::string&>(), "msg"));
    const auto got = signatures::aggregate_partials({nonce, keys, {}, message}, {});
    count_case(result, name, got ? "no error" : is_negative(got.error()) ? "" : got.error().message);
  }
  return done();
}

/// The aggregate signature of each case of `sig_agg`, and whether it verifies under the key.
Done aggregation(const Json& part, VectorResult& result, std::vector<std::pair<Bytes, Bytes>>& made) {
  SPARKMILL_ASSIGN(const Bytes message, hex_of(part, "msg"));
  for (const char* list : {"valid_test_cases", "error_test_cases"}) {
    std::size_t at = 0;
    for (const Json& c : cases_of(part, list)) {
      const std::string name = name_of("sig_agg", list, at++);
      SPARKMILL_ASSIGN(const auto keys, picked<PlainKey>(part.at("pubkeys"), c.at("key_indices"), "pubkeys"));
      SPARKMILL_ASSIGN(const auto partials, picked<Scalar32>(part.at("psigs"), c.at("psig_indices"), "psigs"));
      SPARKMILL_ASSIGN(const auto tweaks, tweaks_of(part, c));
      SPARKMILL_ASSIGN(const auto nonce, array_of<PublicNonce>(c.at("aggnonce"), "aggnonce"));
      const signatures::Session session{nonce, keys, tweaks, message};
      const auto signature = signatures::aggregate_partials(session, partials);
      if (!c.contains("expected")) {
        count_case(result, name, signature ? "aggregated" : is_negative(signature.error()) ? "" : "another error");
        continue;
      }
      SPARKMILL_ASSIGN(const Bytes wanted, hex_of(c, "expected"));
      const bool same = signature && std::equal(signature->begin(), signature->end(), wanted.begin(), wanted.end());
      count_case(result, name, same ? "" : signature ? "another signature" : signature.error().message);
      const auto key = signatures::aggregate_keys(keys, tweaks);
      if (!key) continue;
      const Hash32 x = key->x_only();
      made.emplace_back(Bytes(x.begin(), x.end()), wanted);
    }
  }
  return done();
}

}  // namespace

Result<std::vector<VectorResult>> run_ecvrf_vectors(const Json& root, const VectorContext&) {
  VectorResult verified{"ecvrf verify", 0, 0, 0, {}}, proved{"ecvrf prove", 0, 0, 0, {}};
  SPARKMILL_TRY(each_case(root, [&](const Json& c, const std::string& place) -> Done {
    const std::string name = c.at("suite").get<std::string>() + " " + place;
    SPARKMILL_ASSIGN(const std::string difference, vrf_case(c, proved, name));
    count_case(verified, name, difference);
    return done();
  }));
  std::vector<VectorResult> results{verified, proved};
  for (const char* isa : {"avx512", "avx2"}) {
    const auto kernel = ed25519::make_vrf_kernel(isa);
    if (kernel == nullptr) continue;
    VectorResult lanes{std::string("ecvrf verify ") + isa, 0, 0, 0, {}};
    SPARKMILL_TRY(each_case(root, [&](const Json& c, const std::string& place) -> Done {
      SPARKMILL_ASSIGN(const std::string difference, vrf_lanes_case(c, *kernel));
      count_case(lanes, c.at("suite").get<std::string>() + " " + place, difference);
      return done();
    }));
    results.push_back(std::move(lanes));
  }
  return results;
}

Result<std::vector<VectorResult>> run_hash_to_curve_vectors(const Json& root, const VectorContext&) {
  VectorResult points{"edwards25519", 0, 0, 0, {}}, expanded{"expand_message_xmd SHA-512", 0, 0, 0, {}};
  VectorResult others{"other suites", 0, 0, 0, "curves that no scheme of this build hashes to"};
  for (const auto& [suite, content] : root.at("suites").items()) {
    const bool xmd512 = suite.rfind("expand_message_xmd_SHA512", 0) == 0;
    if (content.contains("curve") && content.at("curve") == "edwards25519") {
      const auto dst = content.at("dst").get<std::string>();
      for (const Json& v : content.at("vectors")) {
        const auto message = v.at("msg").get<std::string>();
        SPARKMILL_ASSIGN(const Hash32 x, number_of(v.at("P").at("x")));
        SPARKMILL_ASSIGN(const Hash32 y, number_of(v.at("P").at("y")));
        const auto got =
            signatures::hash_to_edwards25519(view(message), view(dst), content.at("randomOracle").get<bool>());
        count_case(points, suite + " \"" + message.substr(0, 16) + "\"",
                   got.x == x && got.y == y ? "" : "another point");
      }
    } else if (xmd512) {
      const auto dst = content.at("DST").get<std::string>();
      for (const Json& v : content.at("tests")) {
        const auto message = v.at("msg").get<std::string>();
        SPARKMILL_ASSIGN(const Bytes wanted, hex_of(v, "uniform_bytes"));
        const Bytes got = signatures::expand_message_xmd_sha512(view(message), view(dst), wanted.size());
        count_case(expanded, suite + " \"" + message.substr(0, 16) + "\"", got == wanted ? "" : "other bytes");
      }
    } else {
      others.skipped += static_cast<unsigned>(content.at(content.contains("vectors") ? "vectors" : "tests").size());
    }
  }
  return std::vector<VectorResult>{points, expanded, others};
}

Result<std::vector<VectorResult>> run_musig2_vectors(const Json& root, const VectorContext& context) {
  VectorResult host{"musig2", 0, 0, 0, {}};
  std::vector<std::pair<Bytes, Bytes>> made;
  SPARKMILL_TRY(key_aggregation(root.at("key_agg"), host));
  SPARKMILL_TRY(nonce_aggregation(root.at("nonce_agg"), host));
  SPARKMILL_TRY(partial_signatures("sign_verify", root.at("sign_verify"), host));
  SPARKMILL_TRY(partial_signatures("tweak", root.at("tweak"), host));
  SPARKMILL_TRY(aggregation(root.at("sig_agg"), host, made));
  const Json& sort = root.at("key_sort");
  std::vector<PlainKey> keys;
  for (const Json& key : sort.at("pubkeys")) {
    SPARKMILL_ASSIGN(const PlainKey one, array_of<PlainKey>(key, "pubkeys"));
    keys.push_back(one);
  }
  signatures::sort_keys(keys);
  bool sorted = keys.size() == sort.at("sorted_pubkeys").size();
  for (std::size_t i = 0; sorted && i < keys.size(); ++i) {
    SPARKMILL_ASSIGN(const PlainKey one, array_of<PlainKey>(sort.at("sorted_pubkeys").at(i), "sorted_pubkeys"));
    sorted = keys[i] == one;
  }
  count_case(host, "key_sort", sorted ? "" : "another order");
  count_others(root, host);
  if (host.skipped != 0) note(host, "skipped: nonce_gen and secret nonces, this build does not sign");

  // The aggregate signatures under their keys, on every row.
  SPARKMILL_ASSIGN(const signatures::Form* form, signatures::form_named("bip340", ""));
  SPARKMILL_ASSIGN(const Bytes message, hex_of(root.at("sig_agg"), "msg"));
  signatures::ItemList items(*form);
  for (const auto& [key, signature] : made) SPARKMILL_TRY(items.add(key, signature, message));
  std::vector<VectorResult> out{host};
  for (VectorResult& row :
       on_rows(kernels::Family::secp256k1, context, static_cast<unsigned>(made.size()),
               [&](kernels::Kernel&kernel, const std::string&name) {
                 VectorResult result{name, 0, 0, 0, {}};
                 Bytes valid(items.count());
                 const Done ran = signatures::verify_on(*form, items.view(), {valid, {}, {}, {}}, &kernel, StopToken());
                 for (std::size_t i = 0; i < valid.size(); ++i) {
                   count_case(result, name_of("sig_agg", "aggregate", i),
                              !ran            ? ran.error().message
                              : valid[i] != 0 ? ""
                                              : "refused");
                 }
                 return result;
               })) {
    out.push_back(std::move(row));
  }
  return out;
}

}  // namespace sparkmill::cli

// SPDX-License-Identifier: Apache-2.0
// The table of vector formats, and the formats that run on the host alone.
#include "worker/cli/vector_formats.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/hex.h"
#include "verify/blocks/evidence/evidence.h"
#include "verify/template/enrol.h"
#include "verify/template/population.h"

namespace sparkmill::cli {

namespace {

using Json = nlohmann::json;

constexpr unsigned kNamedFailures = 3;

bool has_format(const Json& root, std::string_view name) {
  const auto it = root.find("format");
  return it != root.end() && it->is_string() && it->get_ref<const std::string&>() == name;
}

bool is_hashes(const Json& root) {
  const auto cases = root.find("cases");
  return cases != root.end() && cases->is_array() && !cases->empty() && cases->front().is_object() &&
         cases->front().contains("msg") && cases->front().contains("sha256");
}

bool is_tensority(const Json& root) { return root.contains("hash_vectors") && root.contains("stage_vectors"); }

/// Keys of 32 bytes and signatures; BLS files have both too, with longer keys.
bool is_ed25519(const Json& root) {
  const auto cases = root.find("cases");
  if (cases == root.end() || !cases->is_array() || cases->empty() || !cases->front().is_object()) return false;
  const Json& first = cases->front();
  const auto key = first.find("pk");
  return key != first.end() && key->is_string() && key->get_ref<const std::string&>().size() == 64 &&
         first.contains("sig") && (first.contains("msg") || first.contains("msg_ascii"));
}

/// The first case has all these members.
bool first_case_has(const Json& root, std::initializer_list<const char*> members) {
  const auto cases = root.find("cases");
  if (cases == root.end() || !cases->is_array() || cases->empty() || !cases->front().is_object()) return false;
  return std::all_of(members.begin(), members.end(), [&](const char* m) { return cases->front().contains(m); });
}
bool is_rsa_draw(const Json& root) {
  return first_case_has(root, {"n", "e", "sig", "prev_hash", "valid"}) ||
         first_case_has(root, {"n", "e", "sig", "message", "valid"});
}
bool is_rsa_pkcs1(const Json& root) {
  const auto algorithm = root.find("algorithm");
  return first_case_has(root, {"n", "e", "sig", "msg", "result"}) &&
         (algorithm == root.end() || *algorithm == "RSASSA-PKCS1-v1_5");
}

/// The first case is of one of the system's kinds; kinds of different systems may share a name, not their fields.
bool is_evidence(const Json& root, evidence::System system) {
  const auto cases = root.find("cases");
  return cases != root.end() && cases->is_array() && !cases->empty() && evidence::is_item(system, cases->front());
}

constexpr VectorFormat kFormats[] = {
    {"btn", "cases with kind, in, expect: draws, committees, blocks, frames of BTN",
     [](const Json& r) { return is_evidence(r, evidence::System::btn); }, run_btn_vectors},
    {"bttc", "cases with kind, in, expect: checkpoints, proofs, exits, events of BTTC",
     [](const Json& r) { return is_evidence(r, evidence::System::bttc); }, run_bttc_vectors},
    {"sparkmill/enrol/v1", "enrolment and synthetic rows",
     [](const Json& r) { return has_format(r, "sparkmill/enrol/v1"); }, run_enrol_vectors},
    {"sparkmill/match/v1", "match tiles on every kernel row",
     [](const Json& r) { return has_format(r, "sparkmill/match/v1"); }, run_match_vectors},
    {"sparkmill/match_job/v1", "match jobs, leaves, proofs on every kernel row",
     [](const Json& r) { return has_format(r, "sparkmill/match_job/v1"); }, run_match_job_vectors},
    {"tensority", "hash_vectors, stage_vectors, headers and targets of Bytom", is_tensority, run_tensority_vectors},
    {"ed25519", "cases with pk, sig and msg, and verdicts by policy", is_ed25519, run_ed25519_vectors},
    {"rsa2048 draws", "cases with n, e, sig, prev_hash (or message, 1 to 245 bytes) and valid", is_rsa_draw,
     run_rsa_draw_vectors},
    {"rsa2048 RSASSA-PKCS1-v1_5", "cases with n, e, sig, msg and result, of SHA-256", is_rsa_pkcs1,
     run_rsa_pkcs1_vectors},
    {"ecdsa", "cases with pub_uncompressed, sig, msg and result",
     [](const Json& r) {
       return first_case_has(r, {"pub_uncompressed", "sig", "msg", "result"});
     },
     run_ecdsa_vectors},
    {"ecrecover", "cases with hash, v, r, s and the addresses by caller",
     [](const Json& r) {
       return first_case_has(r, {"hash", "v", "r", "s", "precompile_address"});
     },
     run_ecrecover_vectors},
    {"bip340", "rows of BIP-340's table as cases",
     [](const Json& r) {
       return first_case_has(r, {"public key", "signature", "verification result"});
     },
     run_bip340_vectors},
    {"bip327", "key_agg, nonce_agg, sig_agg, sign_verify and tweak of MuSig2",
     [](const Json& r) { return r.contains("key_agg") && r.contains("sig_agg"); }, run_musig2_vectors},
    {"ecvrf", "cases with suite, pk, alpha, pi and valid",
     [](const Json& r) {
       return first_case_has(r, {"suite", "pk", "alpha", "pi", "valid"});
     },
     run_ecvrf_vectors},
    {"hash_to_curve", "suites of RFC 9380: edwards25519 and expand_message_xmd with SHA-512",
     [](const Json& r) { return r.contains("suites") && r.at("suites").is_object(); }, run_hash_to_curve_vectors},
    {"merkle", "cases with tree, leaf, proof and root",
     [](const Json& r) {
       return first_case_has(r, {"tree", "leaf", "proof", "root"});
     },
     run_merkle_vectors},
    {"bytom_blocks", "Bytom 1.x blocks with ids, verdicts and reasons, and windows of them",
     [](const Json& r) {
       return r.contains("windows") && first_case_has(r, {"name", "hex", "expect"});
     },
     run_bytom_vectors},
    {"hashes", "cases with msg and digests: SHA-2, SHA-3, Keccak", is_hashes, run_hash_vectors},
};

Result<Bytes> hex_of(const Json& c, const char* key) { return from_hex(c.at(key).get_ref<const std::string&>(), key); }

template <std::size_t N>
Result<std::array<std::uint8_t, N>> array_of(const Json& c, const char* key) {
  return array_from_hex<N>(c.at(key).get_ref<const std::string&>(), key);
}

/// What is wrong with one enrolment case; empty: nothing.
Result<std::string> enrol_case(const Json& c) {
  SPARKMILL_ASSIGN(const Hash32 key, array_of<32>(c, "key"));
  SPARKMILL_ASSIGN(const Bytes expected, hex_of(c, "row"));
  const auto n = c.at("n").get<std::uint32_t>();
  const auto q = c.at("q").get<std::vector<std::int16_t>>();
  const bool has_features = c.contains("features");
  const auto mean = has_features ? c.at("mean").get<std::vector<float>>() : std::vector<float>(q.size(), 0.0f);
  SPARKMILL_ASSIGN(const templates::Enroller enroller, templates::Enroller::make(key, n, mean));
  if (q.size() != mean.size()) return fail(Status::bad_input, "q and mean differ in length");
  Bytes row(n / 4);
  enroller.enrol_quantised(q, row);
  if (row != expected) return std::string("planes differ");
  if (!has_features) return std::string();
  SPARKMILL_ASSIGN(const Bytes secret, hex_of(c, "secret"));
  SPARKMILL_ASSIGN(const Id16 epoch, array_of<16>(c, "epoch"));
  if (templates::projection_key(secret, epoch, c.at("field").get<std::uint32_t>()) != key) {
    return std::string("projection key differs");
  }
  std::vector<std::int16_t> mine(q.size());
  SPARKMILL_TRY(enroller.quantise(c.at("features").get<std::vector<float>>(), mine));
  return std::string(mine == q ? "" : "quantised features differ");
}

Result<std::string> population_case(const Json& c) {
  SPARKMILL_ASSIGN(const Hash32 seed, array_of<32>(c, "seed"));
  SPARKMILL_ASSIGN(const Bytes expected, hex_of(c, "row"));
  const templates::Features f =
      templates::synthetic(templates::real_faces(), seed, c.at("index").get<std::uint32_t>(), 1);
  const ByteView mine(reinterpret_cast<const std::uint8_t*>(f.values.data()), f.values.size() * sizeof(float));
  return std::string(std::equal(mine.begin(), mine.end(), expected.begin(), expected.end()) ? "" : "row differs");
}

}  // namespace

std::span<const VectorFormat> vector_formats() { return kFormats; }

std::vector<VectorResult> on_rows(
    kernels::Family family, const VectorContext& context, unsigned cases,
    const std::function<VectorResult(kernels::Kernel& kernel, const std::string& name)>& run) {
  std::vector<VectorResult> results;
  const kernels::Row* only = context.backend.empty() ? nullptr : kernels::find_row(family, context.backend);
  if (only == nullptr && !context.backend.empty()) {
    return {{context.backend, 0, 0, cases, "no row of the family " + std::string(kernels::name(family))}};
  }
  for (const kernels::Row& row : kernels::rows()) {
    if (row.family != family || (only != nullptr && only != &row)) continue;
    std::string why;
    bool ran = false;
    for (const kernels::Device& device : context.devices) {
      const kernels::Probe probe = row.probe(device);
      if (!probe.ok) {
        why += (why.empty() ? "" : "; ") + device.id + ": " + probe.why;
        continue;
      }
      ran = true;
      const std::string name = row.id() + " on " + device.id;
      auto kernel = row.make(device);
      results.push_back(kernel ? run(**kernel, name) : VectorResult{name, 0, cases, 0, kernel.error().message});
    }
    if (!ran) results.push_back({row.id(), 0, 0, cases, why});
  }
  for (const kernels::AbsentBackend& absent : kernels::absent_backends()) {
    if (only == nullptr)
      results.push_back({std::string(kernels::name(family)) + "/" + absent.backend, 0, 0, cases, absent.why});
  }
  return results;
}

void note(VectorResult& result, const std::string& words) {
  if (!words.empty()) result.reason += (result.reason.empty() ? "" : "; ") + words;
}

void count_case(VectorResult& result, const std::string& name, const std::string& difference) {
  if (difference.empty()) {
    ++result.passed;
    return;
  }
  ++result.failed;
  if (result.failed <= kNamedFailures) note(result, name.substr(0, 80) + ": " + difference);
}

std::string case_name(const Json& c, std::size_t place) {
  std::string name = "case " + std::to_string(place);
  if (!c.is_object()) return name;
  for (const char* key : {"tcId", "index", "number", "n", "id"}) {
    // An index of a tree or a modulus in hex is no name.
    if (!c.contains(key) || c.contains("tree") || c.at(key).dump().size() > 12) continue;
    name = std::string(key) + " " + c.at(key).dump();
    break;
  }
  const auto own = c.find("name");
  if (own != c.end() && own->is_string()) name = own->get<std::string>();
  const auto why = c.find("why");
  if (why != c.end() && why->is_string()) name += ", " + why->get<std::string>();
  return name;
}

Done each_case(const Json& root, const std::function<Done(const Json& c, const std::string& name)>& one) {
  const Json& cases = root.at("cases");
  if (!cases.is_array()) return fail(Status::bad_input, "\"cases\" is no list");
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const std::string name = case_name(cases[i], i);
    Done ran = done();
    try {
      ran = cases[i].is_object() ? one(cases[i], name) : Done(fail(Status::bad_input, "not an object"));
    } catch (const Json::exception& e) {
      ran = fail(Status::bad_input, e.what());
    }
    if (!ran) return fail(ran.error().code, name.substr(0, 80) + ": " + ran.error().message, ran.error().hint);
  }
  return done();
}

Result<std::string> word_of(const Json& c, const char* key, std::initializer_list<std::string_view> words) {
  const auto& text = c.at(key).get_ref<const std::string&>();
  if (std::find(words.begin(), words.end(), text) != words.end()) return text;
  std::string known;
  for (const std::string_view word : words) known += (known.empty() ? "" : ", ") + std::string(word);
  return fail(Status::bad_input, std::string(key) + " is '" + text.substr(0, 40) + "'", "one of: " + known);
}

Result<std::vector<VectorResult>> run_enrol_vectors(const Json& root, const VectorContext&) {
  VectorResult rows{"enrol", 0, 0, 0, {}};
  VectorResult drawn{"synthetic", 0, 0, 0, {}};
  SPARKMILL_TRY(each_case(root, [&](const Json& c, const std::string& name) -> Done {
    SPARKMILL_ASSIGN(const std::string difference, enrol_case(c));
    count_case(rows, name, difference);
    return done();
  }));
  for (const Json& c : root.at("population")) {
    const std::string name = "row " + std::to_string(c.at("index").get<std::uint32_t>());
    auto difference = population_case(c);
    if (!difference) return fail(Status::bad_input, "population " + name + ": " + difference.error().message);
    count_case(drawn, name, *difference);
  }
  return std::vector<VectorResult>{rows, drawn};
}

}  // namespace sparkmill::cli

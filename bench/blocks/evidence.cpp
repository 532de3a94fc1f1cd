// SPDX-License-Identifier: Apache-2.0
// Evidence of BTTC and BTN: generated checkpoints as decoded values and as lines of JSON; exits and BTN blocks as the
// vector files have them, parsed and as lines. The peer is the same check on libsecp256k1 or OpenSSL; Keccak-256, which
// OpenSSL 3.0 does not have, is then that of the portable row.
#include <nlohmann/json.hpp>

#include "base/hex.h"
#include "bench/blocks/blocks.h"
#include "bench/blocks/peer_kernels.h"
#include "bench/blocks/whole.h"
#include "bench/kernels/signature_rows.h"
#include "node/protocol/json_reader.h"
#include "verify/blocks/bttc/checkpoint.h"
#include "verify/blocks/bttc/sign.h"
#include "verify/blocks/evidence/evidence.h"

extern "C" const unsigned char sparkmill_bench_bttc[], sparkmill_bench_bttc_end[];
extern "C" const unsigned char sparkmill_bench_btn[], sparkmill_bench_btn_end[];

namespace sparkmill::bench {
namespace {

using Json = nlohmann::json;
using evidence::System;
using kernels::Family;

constexpr std::size_t kValidators = 64;
constexpr std::size_t kSignatures = 2 * kValidators / 3 + 1;
constexpr std::size_t kCheckpoints = 48;
constexpr std::size_t kExits = 256;
constexpr std::size_t kBtnBlocks = 256;
constexpr std::size_t kPeerShare = 16;  ///< a peer does one item in so many

struct Rows {
  Best<hashes::Kernel> hash, portable_hash;
  Best<secp256k1::Kernel> secp;
  Best<rsa::Kernel> rsa;
  std::unique_ptr<secp256k1::Kernel> peer_secp = libsecp256k1();
  std::unique_ptr<rsa::Kernel> peer_rsa = openssl_rsa();
  std::unique_ptr<hashes::Kernel> peer_hash = openssl_hash();
  evidence::Kernels ours() const { return {hash.kernel, secp.kernel, rsa.kernel}; }
  evidence::Kernels theirs(System system) const {
    return {system == System::bttc ? portable_hash.kernel : peer_hash.get(), peer_secp.get(), peer_rsa.get()};
  }
};
Result<Rows*> rows() {
  static std::unique_ptr<Rows> made;
  if (made != nullptr) return made.get();
  auto out = std::make_unique<Rows>();
  SPARKMILL_ASSIGN(out->hash, best<hashes::Kernel>(Family::hash));
  SPARKMILL_ASSIGN(out->portable_hash, best<hashes::Kernel>(Family::hash, "reference"));
  SPARKMILL_ASSIGN(out->secp, best<secp256k1::Kernel>(Family::secp256k1));
  SPARKMILL_ASSIGN(out->rsa, best<rsa::Kernel>(Family::rsa));
  made = std::move(out);
  return made.get();
}

// -- items as JSON, whoever made them

/// Items, also as the lines of a file, and what each must be answered.
struct Items {
  System system = System::bttc;
  std::string unit;
  std::vector<Json> parsed;
  std::vector<std::string> lines;
  std::vector<Json> expected;
  std::vector<std::size_t> signatures;

  void add(const Json& item, const Json& expect, std::size_t inside) {
    parsed.push_back({{"kind", item.at("kind")}, {"in", item.at("in")}});
    lines.push_back(parsed.back().dump());
    expected.push_back(expect);
    signatures.push_back(inside);
  }
};

WholeLoad load_of(const Items& items, std::size_t count, bool as_lines, const evidence::Kernels& kernels,
                  std::vector<evidence::Answer>& answers) {
  double inside = 0;
  for (std::size_t i = 0; i < count; ++i) inside += static_cast<double>(items.signatures[i]);
  WholeLoad load;
  load.units = {{items.unit, static_cast<double>(count)}};
  if (inside != 0) load.units.emplace_back("signatures", inside);
  load.run = [=, &items, &answers]() -> Done {
    std::vector<Json> read;
    for (std::size_t i = 0; as_lines && i < count; ++i) {
      SPARKMILL_ASSIGN(Json item, protocol::parse_object(items.lines[i], "item", std::size_t{1} << 26));
      read.push_back(std::move(item));
    }
    const std::span<const Json> all = as_lines ? std::span<const Json>(read) : std::span(items.parsed).first(count);
    SPARKMILL_ASSIGN(answers, evidence::answer(items.system, all, kernels, {}, {}));
    return done();
  };
  load.right = [=, &items, &answers] {
    bool good = answers.size() == count;
    for (std::size_t i = 0; i < answers.size(); ++i)
      good &= evidence::difference(answers[i], items.expected[i]).empty();
    return good;
  };
  return load;
}

void run_items(benchmark::State& state, const std::string& id, const Result<Items>& items, bool as_lines,
               const std::string& peer) {
  const auto made = rows();
  if (!made) return give_up(state, id, made.error().message, false);
  if (!items) return give_up(state, id, items.error().message, false);
  std::vector<evidence::Answer> ours, theirs;
  std::vector<WholePeer> peers;
  const evidence::Kernels libraries = (*made)->theirs(items->system);
  const std::size_t share = std::max<std::size_t>(items->parsed.size() / kPeerShare, 1);
  if (items->system == System::btn || libraries.secp256k1 != nullptr) {
    peers.push_back({peer, load_of(*items, share, as_lines, libraries, theirs)});
  }
  run_whole(state, id, load_of(*items, items->parsed.size(), as_lines, (*made)->ours(), ours), peers);
}

// -- the vector files

/// `count` items of those cases that `choose` gives a number of signatures, over and over.
template <class Choose>
Result<Items> from_vectors(System system, const char* unit, std::string_view text, std::size_t count, Choose choose) {
  const Json file = Json::parse(text.begin(), text.end(), nullptr, false);
  if (!file.is_object()) return fail(Status::internal, "the vector file in this program is none");
  Items once;
  for (const Json& c : file.at("cases")) {
    if (const std::optional<std::size_t> inside = choose(c)) once.add(c, c.at("expect"), *inside);
  }
  if (once.parsed.empty()) return fail(Status::internal, "the vector file in this program has no such case");
  Items items;
  items.system = system;
  items.unit = unit;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t k = i % once.parsed.size();
    items.add(once.parsed[k], once.expected[k], once.signatures[k]);
  }
  return items;
}

std::string_view between(const unsigned char* begin, const unsigned char* end) {
  return {reinterpret_cast<const char*>(begin), static_cast<std::size_t>(end - begin)};
}

Result<Items> exits() {
  return from_vectors(System::bttc, "exits", between(sparkmill_bench_bttc, sparkmill_bench_bttc_end), kExits,
                      [](const Json& c) -> std::optional<std::size_t> {
                        if (c.at("kind") != "exit" || !c.at("expect").at("ok").get<bool>()) return std::nullopt;
                        return 0;
                      });
}
Result<Items> btn_blocks() {
  return from_vectors(System::btn, "blocks", between(sparkmill_bench_btn, sparkmill_bench_btn_end), kBtnBlocks,
                      [](const Json& c) -> std::optional<std::size_t> {
                        if (c.at("kind") != "block" || c.at("expect").at("state") != 3) return std::nullopt;
                        const Json& in = c.at("in");
                        return in.at("draws").size() + in.at("votes").size() + 2;
                      });
}

// -- checkpoints

/// Spans of one chain, each signed by just over two thirds of the validators.
struct Checkpoints {
  std::vector<bttc::Validator> validators;
  bttc::ValidatorSet set;
  std::vector<bttc::ChainState> states;
  std::vector<Bytes> data;
  std::vector<std::vector<bttc::SignatureWords>> signatures;
  std::vector<bttc::SignedData> items;
};

Result<std::unique_ptr<Checkpoints>> make_checkpoints(hashes::Kernel& hash) {
  auto out = std::make_unique<Checkpoints>();
  std::vector<bttc::Signer> signers;
  for (std::size_t i = 0; i < kValidators; ++i) {
    Hash32 secret{};
    secret[0] = 1;
    secret[31] = static_cast<std::uint8_t>(i);
    SPARKMILL_ASSIGN(bttc::Signer signer, bttc::Signer::from_secret(secret, hash));
    out->validators.push_back({signer.address(), 1000 + i, 10 * i, bttc::Standing::active, 0});
    signers.push_back(std::move(signer));
  }
  out->set = bttc::ValidatorSet(out->validators);
  for (std::size_t i = 0; i < kCheckpoints; ++i) {
    bttc::ChainState state;
    if (i != 0) state.last_end = 100 * i - 1;
    state.epoch = 5;
    state.staker_count = kValidators;
    for (const bttc::Validator& v : out->validators) state.total_stake += v.amount + v.delegated;
    state.validators = &out->set;
    const bttc::CheckpointFields fields{signers[0].address(), 100 * i,     100 * i + 99, Hash32{9}, Hash32{7},
                                        state.chain_id,       std::nullopt};
    out->states.push_back(state);
    out->data.push_back(bttc::checkpoint_data(fields));
    const Bytes vote = bttc::vote(out->data.back());
    const std::uint64_t offsets[] = {0, vote.size()};
    Hash32 digest{};
    SPARKMILL_TRY(hash.hash(hashes::Algorithm::keccak256, {vote, offsets}, digest, {}));
    std::vector<bttc::SignedVote> votes;
    for (std::size_t k = 0; k < kSignatures; ++k) {
      const bttc::Signer& signer = signers[(i + k) % kValidators];
      votes.push_back({signer.address(), signer.sign_hash(digest)});
    }
    out->signatures.push_back(bttc::contract_list(std::move(votes)));
  }
  for (std::size_t i = 0; i < kCheckpoints; ++i) out->items.push_back({out->data[i], out->signatures[i]});
  return out;
}

/// The same as items of a file.
Items as_items(const Checkpoints& from) {
  Items items;
  items.unit = "checkpoints";
  Json validators = Json::array();
  for (const bttc::Validator& v : from.validators) {
    validators.push_back({{"signer", to_hex(v.signer)},
                          {"amount", bttc::text(v.amount)},
                          {"delegated", bttc::text(v.delegated)},
                          {"status", "active"},
                          {"deactivation_epoch", 0}});
  }
  for (std::size_t i = 0; i < from.items.size(); ++i) {
    const bttc::ChainState& s = from.states[i];
    Json state{{"chain_id", s.chain_id},
               {"last_end", s.last_end ? Json(*s.last_end) : Json()},
               {"epoch", s.epoch},
               {"staker_count", s.staker_count},
               {"total_stake", bttc::text(s.total_stake)},
               {"validators", validators}};
    Json sigs = Json::array();
    for (const bttc::SignatureWords& w : from.signatures[i]) sigs.push_back({to_hex(w.r), to_hex(w.s), to_hex(w.v)});
    const Json accepted{{"ok", true}, {"reason", ""}, {"signed", kSignatures}};
    items.add({{"kind", "checkpoint"},
               {"in", {{"state", std::move(state)}, {"data", to_hex(from.data[i])}, {"sigs", std::move(sigs)}}}},
              {{"contract_count", accepted}, {"canonical_count", accepted}}, kSignatures);
  }
  return items;
}

WholeLoad load_of(const Checkpoints& all, std::size_t count, const bttc::Kernels& kernels,
                  std::vector<blocks::Verdict<bttc::CheckpointFacts>>& verdicts) {
  return {
      {{"checkpoints", static_cast<double>(count)}, {"signatures", static_cast<double>(count * kSignatures)}},
      [=, &all, &verdicts]() -> Done {
        verdicts.clear();
        const auto items = std::span(all.items).first(count);
        SPARKMILL_ASSIGN(const auto signers, bttc::recover_signers(items, kernels, {}));
        for (std::size_t i = 0; i < count; ++i) {
          verdicts.push_back(bttc::check_checkpoint(bttc::Policy::contract, bttc::Rule::count, all.states[i], items[i],
                                                    std::span(signers).subspan(i * kSignatures, kSignatures)));
        }
        return done();
      },
      [=, &verdicts] {
        bool good = verdicts.size() == count;
        for (const auto& v : verdicts) good &= v.ok && v.facts.signed_by == kSignatures;
        return good;
      }};
}

void run_checkpoints(benchmark::State& state, const std::string& id, bool as_lines) {
  const auto made = rows();
  if (!made) return give_up(state, id, made.error().message, false);
  static const auto all = make_checkpoints(*(*made)->hash.kernel);
  if (!all) return give_up(state, id, all.error().message, false);
  if (as_lines) return run_items(state, id, as_items(**all), true, "libsecp256k1");
  std::vector<blocks::Verdict<bttc::CheckpointFacts>> ours, theirs;
  std::vector<WholePeer> peers;
  if ((*made)->peer_secp != nullptr) {
    const bttc::Kernels kernels{*(*made)->portable_hash.kernel, *(*made)->peer_secp};
    peers.push_back({"libsecp256k1", load_of(**all, kCheckpoints / kPeerShare, kernels, theirs)});
  }
  run_whole(state, id, load_of(**all, kCheckpoints, {*(*made)->hash.kernel, *(*made)->secp.kernel}, ours), peers);
}

}  // namespace

void register_evidence() {
  const std::string bttc = "bttc/" + best_name(Family::secp256k1) + "/", btn = "btn/" + best_name(Family::rsa) + "/";
  const std::string inside = "signatures:" + std::to_string(kSignatures);
  if (bttc::signing_absent().empty()) {
    for (const bool as_lines : {false, true}) {
      const std::string id = bttc + (as_lines ? "checkpoint_lines/" : "checkpoints/") + inside;
      add_rows(id, [=](benchmark::State& state) { run_checkpoints(state, id, as_lines); });
    }
  }
  for (const bool as_lines : {false, true}) {
    const std::string form = as_lines ? "lines" : "parsed";
    const std::string exit_id = bttc + "exits/" + form, block_id = btn + "blocks/" + form;
    add_rows(exit_id, [=](benchmark::State& state) { run_items(state, exit_id, exits(), as_lines, "portable"); });
    add_rows(block_id, [=](benchmark::State& state) { run_items(state, block_id, btn_blocks(), as_lines, "openssl"); });
  }
}

}  // namespace sparkmill::bench

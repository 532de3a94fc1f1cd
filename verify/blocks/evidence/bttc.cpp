// SPDX-License-Identifier: Apache-2.0
// The kinds of BTTC: "Consensus evidence" 2.
#include "verify/blocks/bttc/event.h"
#include "verify/blocks/bttc/sign.h"
#include "verify/blocks/evidence/cases.h"

namespace sparkmill::evidence {
namespace {

using namespace bttc;

std::string hex(ByteView v) { return to_hex(v); }

Result<bttc::Kernels> both(const Kernels& kernels) {
  if (kernels.hash != nullptr && kernels.secp256k1 != nullptr) return bttc::Kernels{*kernels.hash, *kernels.secp256k1};
  return fail(Status::unsupported, "signatures of BTTC need kernels of the families hash and secp256k1");
}

Done hash_needed(const Kernels& kernels) {
  if (kernels.hash != nullptr) return done();
  return fail(Status::unsupported, "BTTC needs a kernel of the family hash");
}

Result<Hash32> keccak(ByteView message, const Run& run) {
  SPARKMILL_TRY(hash_needed(run.kernels));
  Hash32 digest{};
  const std::uint64_t offsets[] = {0, message.size()};
  SPARKMILL_TRY(run.kernels.hash->hash(hashes::Algorithm::keccak256, {message, offsets}, digest, run.stop));
  return digest;
}

// -- hashes that are signed

Done run_checkpoint_hash(std::span<Task*> tasks, const Run& run) {
  const auto cases = decode<CheckpointFields>(
      tasks,
      [](const Fields& f) {
        CheckpointFields c{
            f.array<20>("proposer"),     f.integer("start"),        f.integer("end"), f.array<32>("root_hash"),
            f.array<32>("account_hash"), f.integer("bor_chain_id"), std::nullopt};
        if (f.has("epoch")) c.epoch = f.integer("epoch");
        return c;
      },
      limit_verdict);
  for (std::size_t i = 0; i < cases.cases.size(); ++i) {
    const Bytes data = checkpoint_data(cases.cases[i]), voted = vote(data);
    SPARKMILL_ASSIGN(const Hash32 hash, keccak(voted, run));
    cases.tasks[i]->out = {{"data", hex(data)}, {"vote", hex(voted)}, {"hash", hex(hash)}};
  }
  return done();
}

Done run_checkpoint_sync_hash(std::span<Task*> tasks, const Run& run) {
  const auto cases = decode<CheckpointSync>(
      tasks,
      [](const Fields& f) {
        const auto chain = root_chain(f.text("root_chain"));
        if (!chain) throw Malformed{f.path("root_chain") + " is none of tron, eth, bsc"};
        return CheckpointSync{f.array<20>("proposer"), f.integer("start"), f.integer("end"), f.integer("number"),
                              *chain};
      },
      limit_verdict);
  for (std::size_t i = 0; i < cases.cases.size(); ++i) {
    const Bytes data = checkpoint_sync_data(cases.cases[i]);
    SPARKMILL_ASSIGN(const Hash32 hash, keccak(vote(data), run));
    cases.tasks[i]->out = {{"data", hex(data)}, {"hash", hex(hash)}};
  }
  return done();
}

Done run_sign(std::span<Task*> tasks, const Run& run) {
  SPARKMILL_TRY(hash_needed(run.kernels));
  return each(tasks, [&](const Fields& f, Task& task) {
    if (!run.options.sign) {
      task.error =
          fail(Status::refused, "an item that asks for a signature is no evidence", "sparkmill sign-checkpoint");
      return;
    }
    const auto signer = Signer::from_secret(f.array<32>("secret_key"), *run.kernels.hash);
    if (!signer) {
      task.error = signer.error();
      return;
    }
    const Signature s = signer->sign_hash(f.array<32>("hash"));
    task.out = {{"r", hex(s.r)}, {"s", hex(s.s)}, {"v", 27 + s.recovery_id}, {"address", hex(signer->address())}};
  });
}

// -- signers

struct RecoverCase {
  Hash32 hash;
  SignatureWords entry;
};

Done run_recover(std::span<Task*> tasks, const Run& run) {
  SPARKMILL_ASSIGN(const bttc::Kernels kernels, both(run.kernels));
  const auto cases = decode<RecoverCase>(
      tasks,
      [](const Fields& f) {
        return RecoverCase{f.array<32>("hash"), read_words(f.at("sig"), [&] { return f.path("sig"); })};
      },
      limit_verdict);
  std::vector<Hash32> hashes;
  std::vector<SignatureWords> entries;
  for (const RecoverCase& c : cases.cases) {
    hashes.push_back(c.hash);
    entries.push_back(c.entry);
  }
  SPARKMILL_ASSIGN(const std::vector<Recovered> signers, recover_signers(hashes, entries, kernels, run.stop));
  for (std::size_t i = 0; i < signers.size(); ++i) {
    const Recovered& s = signers[i];
    cases.tasks[i]->out = {{"contract", s.kind == Recovered::Kind::address ? hex(s.address)
                                        : s.kind == Recovered::Kind::zero  ? "zero"
                                                                           : "revert"}};
  }
  return done();
}

// -- checkpoints

std::string column(Policy policy, Rule rule) { return std::string(name(policy)) + "_" + std::string(name(rule)); }

template <class Make>
void answer_checkpoint(Task& task, const Options& options, Make make) {
  for (const Policy policy : kPolicies) {
    for (const Rule rule : kRules) {
      const blocks::Verdict<CheckpointFacts> v = make(policy, rule);
      Json& out = task.out[column(policy, rule)];
      out = {{"ok", v.ok}, {"reason", v.reason}, {"signed", v.facts.signed_by}};
      if (!v.detail.empty()) out["detail"] = v.detail;
      const bool decides = (policy == Policy::canonical) == options.canonical && (rule == Rule::stake) == options.stake;
      if (decides && !v.ok) refuse(task, v.reason);
    }
  }
}

Done run_checkpoint(std::span<Task*> tasks, const Run& run) {
  SPARKMILL_ASSIGN(const bttc::Kernels kernels, both(run.kernels));
  const auto cases = decode<CheckpointCase>(tasks, read_checkpoint, [&](Task& task) {
    answer_checkpoint(task, run.options, [](Policy, Rule) { return blocks::refused<CheckpointFacts>("limit"); });
  });
  std::vector<SignedData> items;
  std::vector<ValidatorSet> sets;
  for (const CheckpointCase& c : cases.cases) {
    items.push_back({c.data, c.signatures});
    sets.emplace_back(c.validators);
  }
  SPARKMILL_ASSIGN(const std::vector<Recovered> signers, recover_signers(items, kernels, run.stop));
  std::size_t at = 0;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const auto mine = std::span(signers).subspan(at, items[i].signatures.size());
    at += mine.size();
    ChainState state = cases.cases[i].state;
    state.validators = &sets[i];
    answer_checkpoint(*cases.tasks[i], run.options,
                      [&](Policy policy, Rule rule) { return check_checkpoint(policy, rule, state, items[i], mine); });
  }
  return done();
}

// -- roots and proofs

BlockFacts read_block(const Fields& f) {
  return {word_of(f.integer("number")), word_of(f.integer("time")), f.array<32>("tx_root"),
          f.array<32>("receipts_root")};
}

Done run_block_root(std::span<Task*> tasks, const Run& run) {
  SPARKMILL_TRY(hash_needed(run.kernels));
  const auto cases = decode<std::vector<BlockFacts>>(
      tasks,
      [](const Fields& f) {
        std::vector<BlockFacts> blocks;
        for (const Json& h : f.list("headers", kMaxSpanLeaves)) blocks.push_back(read_block({h, f.path("headers")}));
        if (blocks.empty()) throw Malformed{f.path("headers") + " is empty"};
        return blocks;
      },
      limit_verdict);
  for (std::size_t i = 0; i < cases.cases.size(); ++i) {
    SPARKMILL_ASSIGN(const std::vector<Hash32> leaves, block_leaves(cases.cases[i], *run.kernels.hash, run.stop));
    SPARKMILL_ASSIGN(const Hash32 root, block_root(leaves, *run.kernels.hash, run.stop));
    Json& out = cases.tasks[i]->out;
    out = {{"leaves", Json::array()}, {"root", hex(root)}};
    for (const Hash32& leaf : leaves) out["leaves"].push_back(hex(leaf));
  }
  return done();
}

/// 256 bits from decimal digits.
Word decimal_word(const Fields& f, const char* field) {
  const Json& j = f.at(field);
  const std::string text = j.is_number_unsigned() ? std::to_string(j.get<std::uint64_t>()) : f.text(field);
  Word out{};
  bool right = !text.empty() && text.size() <= 78;
  for (const char c : text) {
    unsigned carry = static_cast<unsigned>(c - '0');
    right = right && c >= '0' && c <= '9';
    for (std::size_t k = out.size(); k-- > 0;) {
      carry += out[k] * 10u;
      out[k] = static_cast<std::uint8_t>(carry);
      carry >>= 8;
    }
    right = right && carry == 0;
  }
  if (!right) throw Malformed{f.path(field) + " is no integer from 0 to 2^256 - 1"};
  return out;
}

Done run_account_root(std::span<Task*> tasks, const Run& run) {
  SPARKMILL_TRY(hash_needed(run.kernels));
  const auto cases = decode<std::vector<FeeAccount>>(
      tasks,
      [](const Fields& f) {
        std::vector<FeeAccount> accounts;
        for (const Json& a : f.list("accounts", kMaxSpanLeaves)) {
          const Fields one(a, f.path("accounts"));
          accounts.push_back({one.array<20>("user"), decimal_word(one, "fee")});
        }
        if (accounts.empty()) throw Malformed{f.path("accounts") + " is empty"};
        return accounts;
      },
      limit_verdict);
  for (std::size_t i = 0; i < cases.cases.size(); ++i) {
    SPARKMILL_ASSIGN(const Hash32 root, account_root(cases.cases[i], *run.kernels.hash, run.stop));
    cases.tasks[i]->out = {{"root", hex(root)}};
  }
  return done();
}

struct BlockProofCase {
  BlockProof proof;
  Bytes siblings;
};

Done run_block_proof(std::span<Task*> tasks, const Run& run) {
  SPARKMILL_TRY(hash_needed(run.kernels));
  const auto cases = decode<BlockProofCase>(
      tasks,
      [](const Fields& f) {
        return BlockProofCase{
            {read_block(f.object("header")), f.integer("start"), f.integer("end"), f.array<32>("root"), {}},
            f.bytes("proof", kMaxPayloadBytes)};
      },
      limit_verdict);
  std::vector<BlockProof> proofs;
  for (const BlockProofCase& c : cases.cases) {
    proofs.push_back(c.proof);
    proofs.back().siblings = c.siblings;
  }
  SPARKMILL_ASSIGN(const auto verdicts, check_block_proofs(proofs, *run.kernels.hash, run.stop));
  for (std::size_t i = 0; i < verdicts.size(); ++i) set_verdict(*cases.tasks[i], verdicts[i].ok, verdicts[i].reason);
  return done();
}

struct TrieCase {
  Hash32 root;
  Bytes key, value, nodes;
};

Done run_mpt(std::span<Task*> tasks, const Run& run) {
  SPARKMILL_TRY(hash_needed(run.kernels));
  const auto cases = decode<TrieCase>(
      tasks,
      [](const Fields& f) {
        return TrieCase{f.array<32>("root"), f.bytes("key", kMaxPayloadBytes), f.bytes("value", kMaxPayloadBytes),
                        f.bytes("nodes", kMaxPayloadBytes)};
      },
      limit_verdict);
  std::vector<TrieProof> proofs;
  for (const TrieCase& c : cases.cases) proofs.push_back({c.root, c.key, c.value, c.nodes});
  SPARKMILL_ASSIGN(const auto verdicts, check_trie_proofs(proofs, *run.kernels.hash, run.stop));
  for (std::size_t i = 0; i < verdicts.size(); ++i) set_verdict(*cases.tasks[i], verdicts[i].ok, verdicts[i].reason);
  return done();
}

void set_exit(Task& task, const blocks::Verdict<ExitFacts>& v) {
  set_verdict(task, v.ok, v.reason);
  const bool known = v.facts.exit_id != Hash32{};
  task.out["exit_hash"] = known ? hex(v.facts.exit_id) : "";
  if (!v.detail.empty()) task.out["detail"] = v.detail;
}

Done run_exit(std::span<Task*> tasks, const Run& run) {
  SPARKMILL_TRY(hash_needed(run.kernels));
  const auto cases =
      decode<ExitCase>(tasks, read_exit, [](Task& task) { set_exit(task, blocks::refused<ExitFacts>("limit")); });
  std::vector<ExitItem> items;
  for (const ExitCase& c : cases.cases) items.push_back({&c.state, c.payload});
  SPARKMILL_ASSIGN(const auto verdicts, check_exits(items, *run.kernels.hash, run.stop));
  for (std::size_t i = 0; i < verdicts.size(); ++i) set_exit(*cases.tasks[i], verdicts[i]);
  return done();
}

// -- events

EventRecord read_record(const Fields& f) {
  EventRecord r;
  r.root_chain = f.text("root_chain");
  r.id = f.integer("id");
  r.block_number = f.integer("block_number");
  r.log_index = f.integer("log_index");
  r.bor_chain_id = f.text("bor_chain_id");
  r.contract = f.array<20>("contract");
  r.data = f.bytes("data", kMaxEventBytes);
  r.tx_hash = f.array<32>("tx_hash");
  return r;
}

Done run_state_synced_log(std::span<Task*> tasks, const Run&) {
  return each(tasks, [](const Fields& f, Task& task) {
    const EventRecord record = read_record(f.object("record"));
    std::vector<Hash32> topics;
    for (const Json& t : f.list("topics", 4)) topics.push_back(Fields::hex_array<32>(t, f.path("topics")));
    const Bytes data = f.bytes("log_data", kMaxEventBytes + 96);
    const auto v = check_state_synced(record, f.array<20>("state_sender"), {f.array<20>("emitter"), topics, data});
    set_verdict(task, v.ok, v.reason);
  });
}

Done run_event_records(std::span<Task*> tasks, const Run&) {
  return each(tasks, [](const Fields& f, Task& task) {
    const Fields s = f.object("state");
    EventState state;
    state.bor_chain_id = s.text("bor_chain_id");
    state.last_local_id = s.integer("last_local_id");
    for (const Json& pair : s.list("seen", kMaxStates)) {
      const auto chain = pair.is_array() && pair.size() == 2 && pair[0].is_string()
                             ? root_chain(pair[0].get_ref<const std::string&>())
                             : std::nullopt;
      if (!chain) throw Malformed{s.path("seen") + ": expected pairs of a root chain and an id"};
      const Json id = {{"id", pair[1]}};
      state.seen.insert({*chain, Fields(id, s.path("seen")).integer("id")});
    }
    for (const Json& j : s.list("sequences", kMaxStates)) {
      const Json one = {{"sequence", j}};
      state.sequences.insert(read_amount(Fields(one, s.path("sequences")), "sequence"));
    }
    Json results = Json::array();
    for (const Json& j : f.list("records", kMaxStates)) {
      const EventRecord record = read_record({j, f.path("records")});
      const auto v = check_event(state, record);
      if (v.ok) {
        mark_event(state, record, v.facts);
        results.push_back({{"ok", true}, {"local_id", v.facts.local_id}, {"sequence", text(v.facts.sequence)}});
      } else {
        results.push_back({{"ok", false}, {"reason", v.reason}});
        if (task.ok) refuse(task, v.reason);
      }
    }
    task.out = {{"results", std::move(results)}};
  });
}

Done run_bor_record(std::span<Task*> tasks, const Run&) {
  return each(tasks, [](const Fields& f, Task& task) {
    const EventRecord record = read_record(f.object("record"));
    const auto v =
        check_bor_record(record, f.integer("last_id"), f.text("chain_id"), f.integer("time"), f.integer("to"));
    set_verdict(task, v.ok, v.reason);
    task.out["rlp"] = hex(encode_bor_record(record));
  });
}

constexpr KindRow kKinds[] = {
    {"checkpoint_hash", "proposer", run_checkpoint_hash},
    {"checkpoint_sync_hash", "proposer", run_checkpoint_sync_hash},
    {"sign", "secret_key", run_sign},
    {"recover", "sig", run_recover},
    {"checkpoint", "state", run_checkpoint},
    {"block_root", "headers", run_block_root},
    {"account_root", "accounts", run_account_root},
    {"block_proof", "header", run_block_proof},
    {"mpt", "nodes", run_mpt},
    {"exit", "payload", run_exit},
    {"state_synced_log", "log_data", run_state_synced_log},
    {"event_records", "records", run_event_records},
    {"bor_record", "record", run_bor_record},
};

}  // namespace

std::span<const KindRow> bttc_kinds() { return kKinds; }

}  // namespace sparkmill::evidence

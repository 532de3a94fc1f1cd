// SPDX-License-Identifier: Apache-2.0
// Verdicts of many blocks: hashes a depth at a time, signatures a round at a time, then every block for itself (Bytom
// blocks 9). Programs are replayed on a table of answers: the first round takes every signature for valid and so learns
// what is asked; a round after that is only needed where a CHECKMULTISIG met a signature that is not its key's.
#include <algorithm>
#include <map>

#include "base/hex.h"
#include "kernels/tensority/epoch_cache.h"
#include "verify/blocks/bytom.h"
#include "verify/blocks/bytom_transaction.h"
#include "verify/chain/difficulty.h"
#include "verify/chain/params.h"
#include "verify/job/tensority_search.h"
#include "verify/merkle/trees.h"

namespace sparkmill::blocks::bytom {
namespace {

constexpr std::uint64_t kFirstSubsidy = 41'250'000'000;
constexpr std::uint64_t kGenesisSubsidy = 140'700'041'250'000'000;
constexpr std::uint64_t kHalving = 840'000;
/// Pairs of a CHECKMULTISIG that are asked for at once; a larger one goes on a signature a round.
constexpr std::size_t kPairsAhead = 256;

Triple triple_of(ByteView key, ByteView message, ByteView signature) {
  Triple t;
  std::copy(key.begin(), key.end(), t.key.begin());
  std::copy(message.begin(), message.end(), t.message.begin());
  std::copy(signature.begin(), signature.end(), t.signature.begin());
  return t;
}

/// Triples packed as kernels want them.
class Packed {
 public:
  void add(const Triple& t) {
    keys_.insert(keys_.end(), t.key.begin(), t.key.end());
    signatures_.insert(signatures_.end(), t.signature.begin(), t.signature.end());
    messages_.insert(messages_.end(), t.message.begin(), t.message.end());
    offsets_.push_back(messages_.size());
  }
  Result<Bytes> run(ed25519::Kernel& kernel, const StopToken& stop) const {
    Bytes valid(offsets_.size() - 1);
    SPARKMILL_TRY(kernel.verify_vartime(ed25519::Policy::bytom_legacy,
                                        {valid.size(), keys_, signatures_, messages_, offsets_}, {valid, {}}, stop));
    return valid;
  }

 private:
  Bytes keys_, signatures_, messages_;
  std::vector<std::uint64_t> offsets_{0};
};

/// Every question of every block, asked once.
class Answers {
 public:
  enum class State : std::uint8_t { wanted, valid, invalid };
  using Known = std::map<Triple, State>;  // ordered: its cost does not depend on what an attacker chooses
  using Entry = Known::value_type;

  /// Where the answer stands or will stand; it stays there.
  const Entry* find(const Triple& t) {
    const auto [at, fresh] = known_.try_emplace(t, State::wanted);
    if (fresh) wanted_.push_back(&*at);
    return &*at;
  }
  bool complete() const { return wanted_.empty(); }

  Done answer(const Engines& engines, const StopToken& stop) {
    Packed batch;
    for (const Entry* entry : wanted_) batch.add(entry->first);
    SPARKMILL_ASSIGN(const Bytes valid, batch.run(*engines.signatures, stop));
    Packed again;
    for (std::size_t i = 0; i < wanted_.size(); ++i) {
      wanted_[i]->second = valid[i] != 0 ? State::valid : State::invalid;
      if (valid[i] == 0) again.add(wanted_[i]->first);
    }
    if (engines.second_signatures != nullptr) {
      SPARKMILL_ASSIGN(const Bytes second, again.run(*engines.second_signatures, stop));
      if (std::count(second.begin(), second.end(), 0) != static_cast<std::ptrdiff_t>(second.size())) {
        return fail(Status::mismatch,
                    "a signature that " + engines.signatures->row_id() + " refuses is valid by " +
                        engines.second_signatures->row_id(),
                    "force another row for ed25519 and report this");
      }
    }
    wanted_.clear();
    return done();
  }

 private:
  Known known_;
  std::vector<Entry*> wanted_;
};

/// The questions of one block in one round. `ahead`: a CHECKMULTISIG that meets an unanswered pair asks for all that
/// its walk can still come to, so that one more round is enough.
class Asker final : public SignatureOracle {
 public:
  Asker(Answers& answers, bool ahead) : answers_(answers), ahead_(ahead) {}

  bool valid(Op op, ByteView key, ByteView message, ByteView signature) override {
    if (signature.size() != 64) return false;
    ++asked_;
    const Answers::Entry* entry = answers_.find(triple_of(key, message, signature));
    if (entry->second != Answers::State::wanted) return entry->second == Answers::State::valid;
    guesses_.push_back(entry);
    if (ahead_ && op == Op::checkmultisig) ask_band();
    return true;
  }
  void multisig(std::span<const ByteView> keys, ByteView message, std::span<const ByteView> signatures) override {
    keys_ = keys;
    message_ = message;
    signatures_ = signatures;
  }
  /// Taken for valid before they were answered.
  std::vector<const Answers::Entry*> guesses() && { return std::move(guesses_); }
  std::uint64_t asked() const { return asked_; }

 private:
  /// Key k can meet signature s only when s <= k and as many keys are left behind it as signatures.
  void ask_band() {
    const std::size_t band = keys_.size() - signatures_.size() + 1;
    if (signatures_.size() * band > kPairsAhead) return;
    for (std::size_t s = 0; s < signatures_.size(); ++s) {
      if (signatures_[s].size() != 64) continue;
      for (std::size_t k = s; k < s + band; ++k) (void)answers_.find(triple_of(keys_[k], message_, signatures_[s]));
    }
  }

  Answers& answers_;
  const bool ahead_;
  std::vector<const Answers::Entry*> guesses_;
  std::uint64_t asked_ = 0;
  std::span<const ByteView> keys_, signatures_;  ///< of the CHECKMULTISIG that asks
  ByteView message_;
};

/// Answers of all rounds written into the facts. A round takes every question for one that is answered with valid;
/// where it was right, its facts stand.
Done judge_transactions(std::span<const Item> items, std::vector<Judged>& out, const Engines& engines,
                        const StopToken& stop) {
  Answers answers;
  std::vector<std::size_t> open(items.size());
  for (std::size_t i = 0; i < open.size(); ++i) open[i] = i;
  for (unsigned round = 0; !open.empty(); ++round) {
    std::vector<std::pair<std::size_t, std::vector<const Answers::Entry*>>> guessed;
    for (const std::size_t i : open) {
      if (stop.stop_requested()) return fail(Status::cancelled, "stopped");
      const Block& block = *items[i].block;
      Facts& facts = out[i].verdict.facts;
      facts.transactions.clear();
      Asker asker(answers, round > 0);
      for (std::size_t t = 0; t < block.transactions.size(); ++t) {
        facts.transactions.push_back(
            judge_transaction(block.transactions[t], out[i].ids.transactions[t], block.header.height, t == 0, asker));
      }
      facts.signatures = asker.asked();
      guessed.emplace_back(i, std::move(asker).guesses());
    }
    if (!answers.complete()) SPARKMILL_TRY(answers.answer(engines, stop));
    open.clear();
    for (const auto& [i, guesses] : guessed) {
      const bool right = std::all_of(guesses.begin(), guesses.end(),
                                     [](const Answers::Entry* e) { return e->second == Answers::State::valid; });
      if (!right) open.push_back(i);
    }
  }
  return done();
}

class DefaultEpochs final : public EpochSource {
 public:
  Result<std::shared_ptr<const tensority::Epoch>> get(const Hash32& seed, const StopToken& stop) override {
    return tensority::epochs().get(seed, stop);
  }
};

std::optional<Hash32> seed_of(const Item& item) { return item.context ? item.context->seed : std::nullopt; }

Done judge_work(std::span<const Item> items, std::vector<Judged>& out, const Engines& engines, const StopToken& stop) {
  std::map<Hash32, std::vector<std::size_t>> by_seed;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (const auto seed = seed_of(items[i])) by_seed[*seed].push_back(i);
  }
  if (by_seed.empty()) return done();
  if (engines.pow == nullptr) return fail(Status::bad_argument, "blocks: proof of work is asked for and has no kernel");
  DefaultEpochs standard;
  EpochSource& source = engines.epochs != nullptr ? *engines.epochs : standard;
  const std::string row = engines.pow->row_id();
  for (const auto& [seed, list] : by_seed) {
    SPARKMILL_ASSIGN(const auto epoch, source.get(seed, stop));
    std::vector<Hash32> headers, results(list.size());
    for (const std::size_t i : list) headers.push_back(out[i].ids.id);
    SPARKMILL_TRY(engines.pow->hash(*epoch, headers, results, stop));
    for (std::size_t k = 0; k < list.size(); ++k) {
      const chain::Target target = chain::target_from_bits(items[list[k]].block->header.bits);
      const bool met = chain::meets(results[k], target);
      out[list[k]].verdict.facts.pow_ok = met;
      if (met) continue;
      SPARKMILL_ASSIGN(const Hash32 second, job::recompute(*epoch, headers[k], std::span(&row, 1)));
      if (second != results[k]) {
        return fail(Status::mismatch, "the Tensority hash of block " + to_hex(headers[k]) + " is another one by " + row,
                    "force another row for tensority and report this");
      }
    }
  }
  return done();
}

constexpr std::string_view kPassed = "{}";
constexpr std::string_view kFailed = R"({"status_fail":true})";

Done status_roots(std::vector<Judged>& out, hashes::Kernel& hash, const StopToken& stop) {
  std::vector<ByteView> leaves;
  std::vector<std::size_t> offsets{0};
  for (const Judged& judged : out) {
    for (const TransactionFacts& t : judged.verdict.facts.transactions) {
      leaves.push_back(view(t.status_fail ? kFailed : kPassed));
    }
    offsets.push_back(leaves.size());
  }
  SPARKMILL_ASSIGN(const std::vector<Hash32> roots, merkle::bytom_roots(leaves, offsets, hash, stop));
  for (std::size_t i = 0; i < out.size(); ++i) out[i].verdict.facts.status_root = roots[i];
  return done();
}

struct Refusal {
  std::string_view reason;
  std::string detail;
};

std::string against(std::uint64_t is, std::uint64_t should) {
  return std::to_string(is) + " instead of " + std::to_string(should);
}

Scope scope_of(const chain::BlockHeader& h, const std::optional<Context>& c) {
  Scope scope{true, false, false, false, false, false};
  if (!c) return scope;
  const bool genesis = h.height == 0 && !c->parent_height;
  scope.links = genesis || (c->parent_id && c->parent_height);
  scope.bits = genesis || c->bits;
  scope.time = genesis || c->median_time;
  scope.work = genesis || c->seed;
  return scope;
}

/// Bytom blocks 9, step 1.
std::optional<Refusal> against_chain(const chain::BlockHeader& h, const Context& c, const std::optional<bool>& pow_ok) {
  if (h.height == 0 && !c.parent_height) return std::nullopt;
  if (h.version != chain::kBlockVersion) return Refusal{"version", against(h.version, chain::kBlockVersion)};
  if (c.parent_height && h.height != *c.parent_height + 1) {
    return Refusal{"height", against(h.height, *c.parent_height + 1)};
  }
  if (c.bits && h.bits != *c.bits) return Refusal{"bits", against(h.bits, *c.bits)};
  if (c.parent_id && h.previous != *c.parent_id) {
    return Refusal{"previous", to_hex(h.previous) + " instead of " + to_hex(*c.parent_id)};
  }
  if (h.timestamp > c.now && h.timestamp - c.now > chain::bytom_params().max_ahead) {
    return Refusal{"timestamp", std::to_string(h.timestamp) + " is too far ahead of " + std::to_string(c.now)};
  }
  if (c.median_time && h.timestamp <= *c.median_time) {
    return Refusal{"timestamp", std::to_string(h.timestamp) + " is not above the median " +
                                    std::to_string(*c.median_time) + " of the eleven before"};
  }
  if (!pow_ok.value_or(true)) return Refusal{"pow", "the Tensority hash is above the target"};
  return std::nullopt;
}

/// Steps 2 and 3. Sums fees and gas on the way.
std::optional<Refusal> against_body(const Block& block, Facts& facts) {
  std::optional<Refusal> first;
  for (std::size_t t = 0; t < facts.transactions.size(); ++t) {
    const TransactionFacts& tx = facts.transactions[t];
    facts.fees += tx.fee;
    if (tx.gas_valid) facts.gas_used += tx.gas_used;
    if (first) continue;
    if (!tx.gas_valid && tx.reason != "undecided") first = {tx.reason, "transaction " + std::to_string(t)};
    if (facts.gas_used > kMaxBlockGas) first = {"block_gas", against(facts.gas_used, kMaxBlockGas) + " at most"};
  }
  if (first) return first;
  if (block.transactions.empty()) return Refusal{"coinbase", "no transaction"};
  const std::vector<Output>& outputs = block.transactions[0].outputs;
  if (outputs.size() != 1) return Refusal{"coinbase", std::to_string(outputs.size()) + " outputs in transaction 0"};
  if (outputs[0].retired()) return Refusal{"coinbase", "transaction 0 retires its output"};
  const std::uint64_t due = subsidy(block.header.height) + facts.fees;
  if (outputs[0].amount != due) return Refusal{"coinbase", "transaction 0 pays " + against(outputs[0].amount, due)};
  return std::nullopt;
}

std::optional<Refusal> first_wrong(const Item& item, Judged& judged) {
  Facts& facts = judged.verdict.facts;
  const chain::BlockHeader& h = item.block->header;
  std::optional<Refusal> wrong;
  if (item.context) wrong = against_chain(h, *item.context, facts.pow_ok);
  const std::optional<Refusal> body = against_body(*item.block, facts);
  if (!wrong) wrong = body;
  if (!wrong && h.transaction_merkle_root != facts.tx_root) {
    wrong = {"tx_root", to_hex(h.transaction_merkle_root) + " instead of " + to_hex(facts.tx_root)};
  }
  const auto undecided = std::find_if(facts.transactions.begin(), facts.transactions.end(),
                                      [](const TransactionFacts& t) { return t.reason == "undecided"; });
  if (!wrong && undecided != facts.transactions.end()) {
    wrong = {"undecided", "transaction " + std::to_string(undecided - facts.transactions.begin()) +
                              " uses an opcode that is not known here"};
  }
  if (!wrong && h.transaction_status_hash != facts.status_root) {
    wrong = {"status_root", to_hex(h.transaction_status_hash) + " instead of " + to_hex(facts.status_root)};
  }
  return wrong;
}

/// One signature at a time, each kept.
class Trier final : public SignatureOracle {
 public:
  Trier(ed25519::Kernel& kernel, Trial& trial) : kernel_(kernel), trial_(trial) {}
  bool valid(Op op, ByteView key, ByteView message, ByteView signature) override {
    Trial::Try one{op, Bytes(key.begin(), key.end()), Bytes(message.begin(), message.end()),
                   Bytes(signature.begin(), signature.end()), false};
    if (signature.size() == 64 && error.ok()) {
      Packed batch;
      batch.add(triple_of(key, message, signature));
      const auto valid = batch.run(kernel_, StopToken());
      if (valid) one.ok = (*valid)[0] != 0;
      if (!valid) error = valid.error();
    }
    trial_.tries.push_back(std::move(one));
    return trial_.tries.back().ok;
  }
  Done error = done();

 private:
  ed25519::Kernel& kernel_;
  Trial& trial_;
};

}  // namespace

std::string_view name(Op op) { return op == Op::checksig ? "CHECKSIG" : "CHECKMULTISIG"; }

std::uint64_t subsidy(std::uint64_t height) {
  if (height == 0) return kGenesisSubsidy;
  const std::uint64_t halvings = height / kHalving;
  return halvings < 64 ? kFirstSubsidy >> halvings : 0;
}

BlockVerdict undecodable(const Error& error) {
  const std::string_view reason = error.code == Status::unsupported ? "unsupported"
                                  : error.code == Status::too_large ? "limit"
                                                                    : "decode";
  return refused<Facts>(reason, error.message);
}

Result<std::vector<Judged>> judge(std::span<const Item> items, const Engines& engines, const StopToken& stop) {
  if (engines.hash == nullptr || engines.signatures == nullptr) {
    return fail(Status::bad_argument, "blocks: a kernel for hashes or signatures is missing");
  }
  std::vector<const Block*> blocks;
  for (const Item& item : items) blocks.push_back(item.block);
  SPARKMILL_ASSIGN(std::vector<BlockIds> all, ids(blocks, *engines.hash, stop));
  std::vector<Judged> out(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    Facts& facts = out[i].verdict.facts;
    facts.height = blocks[i]->header.height;
    facts.id = all[i].id;
    facts.tx_root = all[i].tx_root;
    facts.scope = scope_of(blocks[i]->header, items[i].context);
    out[i].ids = std::move(all[i]);
  }
  SPARKMILL_TRY(judge_work(items, out, engines, stop));
  SPARKMILL_TRY(judge_transactions(items, out, engines, stop));
  SPARKMILL_TRY(status_roots(out, *engines.hash, stop));
  for (std::size_t i = 0; i < items.size(); ++i) {
    std::optional<Refusal> wrong = first_wrong(items[i], out[i]);
    BlockVerdict& verdict = out[i].verdict;
    verdict.ok = !wrong;
    if (wrong) verdict.reason = wrong->reason;
    if (wrong) verdict.detail = std::move(wrong->detail);
  }
  return out;
}

Result<Trial> try_input(const Block& block, const BlockIds& ids, std::size_t tx, std::size_t input,
                        ed25519::Kernel& engine) {
  if (tx >= block.transactions.size() || input >= block.transactions[tx].inputs.size() ||
      block.transactions[tx].inputs[input].type == InputType::coinbase) {
    return fail(Status::bad_argument,
                "blocks: transaction " + std::to_string(tx) + " has no program at input " + std::to_string(input));
  }
  const Transaction& transaction = block.transactions[tx];
  const Input& in = transaction.inputs[input];
  Trial trial;
  Trier oracle(engine, trial);
  const RunResult ran = run_program({block.header.height, transaction.version, ids.transactions[tx].sighashes[input]},
                                    in.vm_version, in.program, in.arguments, kMaxGas, oracle);
  if (!oracle.error) return oracle.error.error();
  trial.ok = ran.passed();
  trial.reason = ran.reason;
  return trial;
}

}  // namespace sparkmill::blocks::bytom

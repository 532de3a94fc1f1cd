// SPDX-License-Identifier: Apache-2.0
// Vector files of Bytom blocks: everything the file tells about a case is computed and compared; windows go through the
// sliding window. On every row of the families ed25519 and hash, the other kernels being the best of the processor.
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/hex.h"
#include "verify/blocks/bytom_state.h"
#include "verify/blocks/bytom_window.h"
#include "worker/cli/vector_formats.h"

namespace sparkmill::cli {
namespace {

using Json = nlohmann::json;
namespace bytom = blocks::bytom;

struct Case {
  std::string name;
  const Json* json;
  Bytes bytes;
  Result<bytom::Block> block = fail(Status::internal, "not decoded");
  std::optional<bytom::Context> context;
};

/// The set that a case names.
class NamedCoins final : public bytom::CoinSource {
 public:
  static Result<NamedCoins> of(const Json& list) {
    NamedCoins out;
    for (const auto& [id, coin] : list.items()) {
      SPARKMILL_ASSIGN(const Hash32 key, array_from_hex<32>(id, "utxo"));
      out.coins_[key] = {coin.at("coinbase").get<bool>(), coin.at("height").get<std::uint64_t>(),
                         coin.at("spent").get<bool>()};
    }
    return out;
  }
  Done find(std::span<const Hash32> ids, std::span<std::optional<bytom::Coin>> out) override {
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const auto at = coins_.find(ids[i]);
      if (at != coins_.end()) out[i] = at->second;
    }
    return done();
  }

 private:
  std::map<Hash32, bytom::Coin> coins_;
};

/// First difference only; later ones follow from it.
class Compare {
 public:
  void same(const std::string& what, const std::string& is, const std::string& should) {
    if (difference_.empty() && is != should) difference_ = what + " is " + is + ", not " + should;
  }
  void same(const std::string& what, std::uint64_t is, std::uint64_t should) {
    same(what, std::to_string(is), std::to_string(should));
  }
  /// Compares where the file says anything.
  void hash(const Json& j, const char* key, const Hash32& is, const std::string& at = {}) {
    if (j.contains(key)) same(at + key, to_hex(is), j.at(key).get<std::string>());
  }
  void flag(const Json& j, const char* key, bool is, const std::string& at = {}) {
    if (j.contains(key) && !j.at(key).is_null()) same(at + key, is ? 1u : 0u, j.at(key).get<bool>() ? 1u : 0u);
  }
  void number(const Json& j, const char* key, std::uint64_t is, const std::string& at = {}) {
    if (!j.contains(key) || j.at(key).is_null()) return;
    const Json& should = j.at(key);
    same(at + key, std::to_string(is), should.is_string() ? should.get<std::string>() : should.dump());
  }
  void bytes(const Json& j, const char* key, ByteView is, const std::string& at = {}) {
    if (j.contains(key)) same(at + key, to_hex(is), j.at(key).get<std::string>());
  }
  void reason(const Json& j, const char* key, std::string_view is, const std::string& at = {}) {
    same(at + key, std::string(is), j.value(key, std::string()));
  }
  const std::string& difference() const { return difference_; }

 private:
  std::string difference_;
};

/// A number, or decimal digits in a text.
Result<std::uint64_t> number_of(const Json& j, const char* key) {
  if (j.is_number_unsigned()) return j.get<std::uint64_t>();
  const auto& text = j.get_ref<const std::string&>();
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size()) return value;
  return fail(Status::bad_input, std::string(key) + " '" + text.substr(0, 40) + "' is no number below 2^64");
}

Result<std::optional<bytom::Context>> context_of(const Json& c) {
  const auto found = c.find("context");
  if (found == c.end() || found->is_null()) return std::optional<bytom::Context>();
  if (!found->is_object()) return fail(Status::bad_input, "\"context\" is no object");
  bytom::Context out;
  const auto hash = [&](const char* key, std::optional<Hash32>& to) -> Done {
    if (!found->contains(key)) return done();
    SPARKMILL_ASSIGN(to, array_from_hex<32>(found->at(key).get_ref<const std::string&>(), key));
    return done();
  };
  SPARKMILL_TRY(hash("parent_id", out.parent_id));
  SPARKMILL_TRY(hash("seed", out.seed));
  const auto number = [&](const char* key, std::optional<std::uint64_t>& to) -> Done {
    if (!found->contains(key)) return done();
    SPARKMILL_ASSIGN(to, number_of(found->at(key), key));
    return done();
  };
  SPARKMILL_TRY(number("parent_height", out.parent_height));
  SPARKMILL_TRY(number("bits", out.bits));
  SPARKMILL_TRY(number("median_time", out.median_time));
  return std::optional(out);
}

Result<std::vector<Case>> read_cases(const Json& root) {
  std::vector<Case> cases;
  SPARKMILL_TRY(each_case(root, [&](const Json& c, const std::string&) -> Done {
    Case& one = cases.emplace_back();
    one.name = c.at("name").get<std::string>();  // as windows name it
    one.json = &c;
    SPARKMILL_ASSIGN(one.bytes, from_hex(c.at("hex").get_ref<const std::string&>(), "hex"));
    SPARKMILL_ASSIGN(one.context, context_of(c));
    // Without what the header is checked against, a check of the body would pass for one of all.
    const bool whole = one.context && one.context->parent_id && one.context->parent_height && one.context->bits &&
                       one.context->seed && one.context->median_time;
    if (c.at("expect").value("scope", "") == "full" && !whole) {
      return fail(Status::bad_input,
                  "scope is \"full\", and \"context\" does not name all five of parent_id, "
                  "parent_height, bits, seed and median_time");
    }
    return done();
  }));
  for (Case& one : cases) one.block = bytom::decode(one.bytes);  // views into bytes that no longer move
  return cases;
}

void compare_inputs(Compare& compare, const Json& list, const bytom::Transaction& tx, const bytom::TransactionIds& ids,
                    const std::string& at) {
  compare.same(at + "inputs", tx.inputs.size(), list.size());
  for (std::size_t i = 0; i < std::min(list.size(), tx.inputs.size()); ++i) {
    const Json& should = list.at(i);
    const bytom::Input& input = tx.inputs[i];
    const std::string here = at + "input " + std::to_string(i) + " ";
    compare.same(here + "type", std::string(name(input.type)), should.at("type").get<std::string>());
    compare.hash(should, "id", ids.table[i], here);
    compare.hash(should, "asset", input.asset, here);
    compare.number(should, "amount", input.amount, here);
    compare.bytes(should, "program", input.program, here);
    compare.bytes(should, "arbitrary", input.data, here);
    compare.hash(should, "spent_output_id", ids.spent[i], here);
    compare.hash(should, "sighash", ids.sighashes[i], here);
  }
}

void compare_outputs(Compare& compare, const Json& list, const bytom::Transaction& tx, const bytom::TransactionIds& ids,
                     const std::string& at) {
  compare.same(at + "outputs", tx.outputs.size(), list.size());
  for (std::size_t i = 0; i < std::min(list.size(), tx.outputs.size()); ++i) {
    const Json& should = list.at(i);
    const bytom::Output& output = tx.outputs[i];
    const std::string here = at + "output " + std::to_string(i) + " ";
    compare.same(here + "type", output.retired() ? "retirement" : "output", should.at("type").get<std::string>());
    compare.hash(should, "id", ids.outputs[i], here);
    compare.hash(should, "asset", output.asset, here);
    compare.number(should, "amount", output.amount, here);
    compare.bytes(should, "program", output.program, here);
  }
}

void compare_transactions(Compare& compare, const Json& list, const bytom::Block& block, const bytom::Judged& judged) {
  compare.same("transactions", block.transactions.size(), list.size());
  for (std::size_t t = 0; t < std::min(list.size(), block.transactions.size()); ++t) {
    const Json& should = list.at(t);
    const bytom::TransactionFacts& facts = judged.verdict.facts.transactions[t];
    const bytom::TransactionIds& ids = judged.ids.transactions[t];
    const std::string at = "transaction " + std::to_string(t) + " ";
    compare.hash(should, "id", ids.id, at);
    compare.hash(should, "mux_id", ids.mux, at);
    compare.number(should, "size", facts.size, at);
    compare_inputs(compare, should.at("inputs"), block.transactions[t], ids, at);
    compare_outputs(compare, should.at("outputs"), block.transactions[t], ids, at);
    if (facts.reason == "undecided") continue;
    compare.flag(should, "gas_valid", facts.gas_valid, at);
    compare.flag(should, "status_fail", facts.status_fail, at);
    compare.reason(should, "reason", facts.reason, at);
    compare.number(should, "gas_used", facts.gas_used, at);
    compare.number(should, "fee", facts.fee, at);
  }
}

/// Every program run alone: its result, and the signatures in the order of trying.
Done compare_programs(Compare& compare, const Json& expect, const bytom::Block& block, const bytom::BlockIds& ids,
                      ed25519::Kernel& kernel) {
  std::size_t next = 0;
  const Json none = Json::array();
  const Json& list = expect.contains("signatures") ? expect.at("signatures") : none;
  bool undecided = false;
  for (std::size_t t = 0; t < block.transactions.size(); ++t) {
    for (std::size_t i = 0; i < block.transactions[t].inputs.size(); ++i) {
      const Json& input = expect.at("transactions").at(t).at("inputs").at(i);
      if (!input.contains("program_ok")) continue;
      SPARKMILL_ASSIGN(const bytom::Trial trial, bytom::try_input(block, ids, t, i, kernel));
      const std::string at = "transaction " + std::to_string(t) + " input " + std::to_string(i) + " ";
      for (const bytom::Trial::Try& one : trial.tries) {
        const std::string here = at + "signature " + std::to_string(next) + " ";
        if (next >= list.size()) {
          compare.same(here + "exists", "yes", "no");
          return done();
        }
        const Json& should = list.at(next++);
        compare.number(should, "tx", t, here);
        compare.number(should, "input", i, here);
        compare.same(here + "op", std::string(name(one.op)), should.at("op").get<std::string>());
        compare.bytes(should, "pubkey", one.key, here);
        compare.bytes(should, "message", one.message, here);
        compare.bytes(should, "signature", one.signature, here);
        compare.flag(should, "ok", one.ok, here);
      }
      undecided = undecided || trial.reason == "undecided";
      if (trial.reason == "undecided") continue;
      compare.flag(input, "program_ok", trial.ok, at);
      compare.reason(input, "program_reason", trial.reason, at);
    }
  }
  if (!undecided) compare.same("signatures", next, list.size());
  return done();
}

Done compare_state(Compare& compare, const Json& should, const Case& c, const bytom::Judged& judged) {
  SPARKMILL_ASSIGN(NamedCoins coins, NamedCoins::of(should.at("utxo")));
  bytom::State state(coins);
  SPARKMILL_ASSIGN(const auto verdict, state.apply(*c.block, judged));
  compare.same("stateful verdict", verdict.ok ? "valid" : "invalid", should.at("verdict").get<std::string>());
  compare.reason(should, "reason", verdict.reason, "stateful ");
  return done();
}

Result<std::string> difference_of(const Case& c, const bytom::Judged* judged, ed25519::Kernel& kernel) {
  const Json& expect = c.json->at("expect");
  Compare compare;
  const bytom::BlockVerdict verdict = judged != nullptr ? judged->verdict : bytom::undecodable(c.block.error());
  // What the reference decodes and then cannot judge is refused here while decoding: only the reason counts.
  if (verdict.reason != "unsupported") {
    compare.same("decode", c.block ? "ok" : "error", expect.at("decode").get<std::string>());
  }
  if (judged != nullptr) {
    compare.hash(expect, "block_id", verdict.facts.id);
    compare.flag(expect, "canonical", c.block->canonical);
    compare.same("canonical by encoding", bytom::encode(*c.block) == c.bytes ? 1u : 0u, c.block->canonical ? 1u : 0u);
    if (verdict.facts.pow_ok) compare.flag(expect, "pow_ok", *verdict.facts.pow_ok);
    compare.hash(expect, "tx_merkle_root", verdict.facts.tx_root);
    if (expect.contains("transactions")) {
      compare_transactions(compare, expect.at("transactions"), *c.block, *judged);
      SPARKMILL_TRY(compare_programs(compare, expect, *c.block, judged->ids, kernel));
    }
    if (verdict.reason != "undecided") compare.hash(expect, "tx_status_root", verdict.facts.status_root);
  }
  if (verdict.reason != "undecided") {
    compare.same("verdict", verdict.ok ? "valid" : "invalid", expect.at("verdict").get<std::string>());
    compare.reason(expect, "reason", verdict.reason);
  }
  if (judged != nullptr && expect.contains("stateful") && verdict.ok) {
    SPARKMILL_TRY(compare_state(compare, expect.at("stateful"), c, *judged));
  }
  return compare.difference();
}

/// Lanes for a window: one, with the kernels at hand.
class OneLane final : public bytom::Lanes {
 public:
  explicit OneLane(const bytom::Engines& engines) : engines_(engines) {}
  Done run(const std::function<Done(const bytom::Engines&)>& loop) override { return loop(engines_); }

 private:
  bytom::Engines engines_;
};

/// The blocks of a window in order; without headers before the first one, as the file gives none but its context.
Result<std::string> window_difference(const Json& window, const std::vector<Case>& cases,
                                      const bytom::Engines& engines) {
  SPARKMILL_ASSIGN(NamedCoins coins, NamedCoins::of(window.at("initial_utxo")));
  bytom::State state(coins);
  std::vector<const Case*> order;
  for (const Json& name : window.at("blocks")) {
    for (const Case& c : cases) {
      if (c.name == name.get_ref<const std::string&>()) order.push_back(&c);
    }
  }
  if (order.size() != window.at("blocks").size() || order.empty()) return std::string("names a case that is not there");
  std::size_t at = 0;
  const auto next = [&]() -> Result<std::optional<Bytes>> {
    return at < order.size() ? std::optional(order[at++]->bytes) : std::nullopt;
  };
  bytom::HeaderWalk walk;
  if (order[0]->block && order[0]->context && order[0]->context->seed) {
    walk.set_seed(order[0]->block->header.height, *order[0]->context->seed);
  }
  Compare compare;
  const Json& verdicts = window.at("verdicts");
  std::size_t delivered = 0;
  const auto deliver = [&](const bytom::Delivery& d) {
    const std::string is = d.judged.verdict.ok ? "valid" : std::string(d.judged.verdict.reason);
    if (is != "undecided") {
      compare.same("block " + std::to_string(d.number), is,
                   d.number < verdicts.size() ? verdicts.at(d.number).get<std::string>() : "nothing");
    }
    ++delivered;
    return true;
  };
  OneLane lane(engines);
  SPARKMILL_ASSIGN(const auto summary, bytom::judge_window(next, walk, &state, true, lane, {}, deliver));
  if (summary.valid == summary.blocks || !compare.difference().empty()) {
    compare.same("verdicts", delivered, verdicts.size());
  }
  return compare.difference();
}

VectorResult run_all(const Json& root, const std::vector<Case>& cases, const bytom::Engines& engines,
                     const std::string& row) {
  VectorResult result{row, 0, 0, 0, {}};
  std::vector<bytom::Item> items;
  for (const Case& c : cases) {
    if (c.block) items.push_back({&*c.block, c.context});
  }
  const auto judged = bytom::judge(items, engines);
  std::size_t at = 0;
  for (const Case& c : cases) {
    const bytom::Judged* one = c.block && judged ? &(*judged)[at++] : nullptr;
    if (c.block && !judged) {
      count_case(result, c.name, judged.error().message);
      continue;
    }
    const auto difference = difference_of(c, one, *engines.signatures);
    count_case(result, c.name, difference ? *difference : difference.error().message);
    if (one != nullptr && one->verdict.reason == "undecided") {
      --result.passed;
      ++result.skipped;
      result.reason += (result.reason.empty() ? "" : "; ") + c.name + ": undecided";
    }
  }
  for (const Json& window : root.value("windows", Json::array())) {
    const std::string name = "window " + window.at("name").get<std::string>();
    const auto difference = window_difference(window, cases, engines);
    count_case(result, name, difference ? *difference : difference.error().message);
  }
  return result;
}

}  // namespace

Result<std::vector<VectorResult>> run_bytom_vectors(const Json& root, const VectorContext& context) {
  SPARKMILL_ASSIGN(const std::vector<Case> cases, read_cases(root));
  const auto count = static_cast<unsigned>(cases.size() + (root.contains("windows") ? root.at("windows").size() : 0));
  if (context.devices.empty()) return fail(Status::no_device, "no device");
  SPARKMILL_ASSIGN(const auto best, bytom::ThreadLanes::make(context.devices.front(), 1, {}));
  std::vector<VectorResult> all;
  const auto run_rows = [&](kernels::Family family, auto replace) {
    if (!context.backend.empty() && kernels::find_row(family, context.backend) == nullptr) return;
    const auto results = on_rows(family, context, count, [&](kernels::Kernel& kernel, const std::string& name) {
      VectorResult result;
      const Done ran = best->run([&](bytom::Engines engines) {
        replace(engines, kernel);
        result = run_all(root, cases, engines, name);
        return done();
      });
      return ran ? result : VectorResult{name, 0, count, 0, ran.error().message};
    });
    all.insert(all.end(), results.begin(), results.end());
  };
  run_rows(kernels::Family::ed25519, [](bytom::Engines& engines, kernels::Kernel& kernel) {
    engines.signatures = dynamic_cast<ed25519::Kernel*>(&kernel);
  });
  run_rows(kernels::Family::hash, [](bytom::Engines& engines, kernels::Kernel& kernel) {
    engines.hash = dynamic_cast<hashes::Kernel*>(&kernel);
  });
  if (all.empty()) all.push_back({context.backend, 0, 0, count, "no row of the families ed25519 and hash"});
  return all;
}

}  // namespace sparkmill::cli

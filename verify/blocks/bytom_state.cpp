// SPDX-License-Identifier: Apache-2.0
#include "verify/blocks/bytom_state.h"

#include <algorithm>
#include <set>

#include "base/hex.h"

namespace sparkmill::blocks::bytom {
namespace {

/// What a transaction does to the set: of a failed one only the BTM part.
struct Effects {
  std::vector<Hash32> spends;  ///< distinct
  std::vector<Hash32> makes;
};

Effects effects(const Transaction& tx, const TransactionIds& ids, bool failed) {
  Effects out;
  std::set<Hash32> seen;
  for (std::size_t i = 0; i < tx.inputs.size(); ++i) {
    const Input& input = tx.inputs[i];
    if (input.type != InputType::spend || (failed && input.asset != kBtm)) continue;
    if (seen.insert(ids.spent[i]).second) out.spends.push_back(ids.spent[i]);
  }
  for (std::size_t i = 0; i < tx.outputs.size(); ++i) {
    const Output& output = tx.outputs[i];
    if (output.retired() || (failed && output.asset != kBtm)) continue;
    out.makes.push_back(ids.outputs[i]);
  }
  return out;
}

}  // namespace

Done AssumedCoins::find(std::span<const Hash32> ids, std::span<std::optional<Coin>> out) {
  std::fill_n(out.begin(), ids.size(), Coin{});
  return done();
}

Result<Verdict<>> State::apply(const Block& block, const Judged& judged) {
  const auto& facts = judged.verdict.facts.transactions;
  std::vector<Effects> all;
  std::set<Hash32> made;
  std::vector<Hash32> outside;
  for (std::size_t t = 0; t < block.transactions.size(); ++t) {
    all.push_back(effects(block.transactions[t], judged.ids.transactions[t], facts[t].status_fail));
    for (const Hash32& id : all.back().spends) {
      if (!changes_.contains(id) && !made.contains(id)) outside.push_back(id);
    }
    made.insert(all.back().makes.begin(), all.back().makes.end());
  }
  std::vector<std::optional<Coin>> found(outside.size());
  SPARKMILL_TRY(before_.find(outside, found));
  std::map<Hash32, Coin> now;  // this block's changes, on top of those before
  for (std::size_t i = 0; i < outside.size(); ++i) {
    if (found[i]) now[outside[i]] = *found[i];
  }
  const std::uint64_t height = block.header.height;
  for (std::size_t t = 0; t < all.size(); ++t) {
    for (const Hash32& id : all[t].spends) {
      const std::string what = "transaction " + std::to_string(t) + " spends " + to_hex(id);
      auto coin = now.find(id);
      if (coin == now.end()) {
        const auto before = changes_.find(id);
        if (before == changes_.end()) return refused("missing", what + ", which does not exist");
        coin = now.emplace(*before).first;
      }
      if (coin->second.spent) return refused("spent", what + ", which is spent already");
      if (coin->second.coinbase && coin->second.height + kCoinbaseMaturity > height) {
        return refused("immature", what + " of block " + std::to_string(coin->second.height) + ", which needs " +
                                       std::to_string(kCoinbaseMaturity) + " blocks upon it");
      }
      coin->second.spent = true;
    }
    for (const Hash32& id : all[t].makes) now[id] = {t == 0, height, false};
  }
  for (const auto& [id, coin] : now) changes_[id] = coin;
  return accepted();
}

}  // namespace sparkmill::blocks::bytom

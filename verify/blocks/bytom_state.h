// SPDX-License-Identifier: Apache-2.0
// The UTXO set's part of the verdict (Bytom blocks 10): does an id exist, unspent, mature. The set itself is the
// caller's; here is what blocks change, in chain order.
#pragma once

#include <map>

#include "verify/blocks/bytom.h"

namespace sparkmill::blocks::bytom {

/// Blocks that must lie on an output of transaction 0 before it may be spent.
inline constexpr std::uint64_t kCoinbaseMaturity = 100;

struct Coin {
  bool coinbase = false;
  std::uint64_t height = 0;  ///< of the block that made it
  bool spent = false;
  friend bool operator==(const Coin&, const Coin&) = default;
};

/// The set as it stood before the first block.
class CoinSource {
 public:
  virtual ~CoinSource() = default;
  /// out[i] = the coin of ids[i], none if it never existed. One call a block.
  virtual Done find(std::span<const Hash32> ids, std::span<std::optional<Coin>> out) = 0;
};

/// For those who have no set: every id from before is taken for an old, unspent coin, so that what remains to be found
/// is an output spent twice, or too early, within these blocks.
class AssumedCoins final : public CoinSource {
 public:
  Done find(std::span<const Hash32> ids, std::span<std::optional<Coin>> out) override;
};

class State {
 public:
  explicit State(CoinSource& before) : before_(before) {}
  /// Applies a block that `judged` found valid, or says why not and changes nothing. Reasons: "missing", "spent",
  /// "immature". Error: what the source reports.
  Result<Verdict<>> apply(const Block& block, const Judged& judged);
  /// Every id that the blocks made or spent, with what became of it.
  const std::map<Hash32, Coin>& changes() const { return changes_; }
  /// The same, forgotten here: for callers who have written them to their set.
  std::map<Hash32, Coin> take_changes() { return std::exchange(changes_, {}); }

 private:
  CoinSource& before_;
  std::map<Hash32, Coin> changes_;
};

}  // namespace sparkmill::blocks::bytom

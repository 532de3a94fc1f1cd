// SPDX-License-Identifier: Apache-2.0
// Fresh Bytom blocks: own keys, standard programs, real roots, every rule kept; or one thing done to them. Signing is
// not in constant time: these keys hold nothing. Source: "Bytom blocks" 2 to 9.
#pragma once

#include <deque>

#include "base/hash.h"
#include "verify/job/block_plants.h"

namespace sparkmill::job {

/// A block that still lacks its nonce.
struct BytomDraft {
  BytomDraft() = default;
  BytomDraft(BytomDraft&&) = default;  // elements of a deque stay where they are
  BytomDraft& operator=(BytomDraft&&) = default;
  BytomDraft(const BytomDraft&) = delete;
  BytomDraft& operator=(const BytomDraft&) = delete;
  ~BytomDraft() = default;
  blocks::bytom::Block block;  ///< views point into `held`
  std::deque<Bytes> held;
  std::optional<blocks::bytom::Context> context;
  std::optional<BlockPlantKind> flaw;
};

/// Not thread-safe; `hash` is the caller's and stays alive.
class BytomSamples {
 public:
  BytomSamples(const Hash32& seed, hashes::Kernel& hash);
  /// With `flaw`, all but what work() and bytes do. `work_seed`: its proof of work will be asked for. Error: what the
  /// kernel reports.
  Result<BytomDraft> draft(std::optional<BlockPlantKind> flaw, const std::optional<Hash32>& work_seed,
                           const StopToken& stop);
  /// The bytes of a draft whose header is complete, with what the flaw does to them.
  Bytes bytes(const BytomDraft& draft);

 private:
  struct Key {
    std::array<std::uint8_t, 32> pub{};
    std::array<std::uint8_t, 64> secret{};
  };
  /// What opens an input, and which keys must sign.
  struct Lock {
    enum class Form : std::uint8_t { none, single, script, issuance } form = Form::none;
    std::vector<const Key*> signers;
    Bytes script;  ///< redeem script
    bool fails = false;
  };
  enum class Shape : std::uint8_t { pay, multisig, asset, issue, failing };
  struct Plan;

  ByteView hold(BytomDraft& d, Bytes bytes) const;
  Hash32 hash32();
  Bytes drawn(std::size_t size);
  /// Every input has its own, so that none shows by standing alone that something was done to it.
  const Key& new_key();
  static Bytes program_of(ByteView hash);
  Bytes multisig_script(const std::vector<const Key*>& signers);
  Shape any_shape();
  Lock single() { return {Lock::Form::single, {&new_key()}, {}, false}; }
  void add_input(BytomDraft& d, Plan& p, std::size_t tx, const Hash32& asset, std::uint64_t amount, Lock lock);
  void add_outputs(BytomDraft& d, std::size_t tx, const Hash32& asset, std::uint64_t amount, std::uint64_t most);
  void add_transaction(BytomDraft& d, Plan& p, Shape shape);
  void add_coinbase(BytomDraft& d, Plan& p);
  void bend(BytomDraft& d, Plan& p);  ///< before ids
  void bend_coinbase(BytomDraft& d);
  void bend_arguments(BlockPlantKind flaw, const Lock& lock, std::vector<Bytes>& arguments);
  void bend_header(BytomDraft& d);  ///< after roots
  static Bytes sign(const Key& key, const Hash32& message);
  std::vector<Bytes> arguments_of(const Lock& lock, const Hash32& sighash);

  ChaChaWords draw_;
  hashes::Kernel& hash_;
  std::deque<Key> keys_;
};

}  // namespace sparkmill::job

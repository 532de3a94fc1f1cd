// SPDX-License-Identifier: Apache-2.0
// The batch that the secp256k1 benchmarks run, and what other libraries say of its first items.
#pragma once

#include <optional>

#include "kernels/secp256k1/secp256k1.h"

namespace sparkmill::bench {

enum class Mode { ecdsa, ecdsa_compressed, bip340, recover };
inline constexpr Mode kModes[] = {Mode::ecdsa, Mode::ecdsa_compressed, Mode::bip340, Mode::recover};
const char* name(Mode mode);

/// Messages of 32 bytes, every key `times` times, spread over the batch; one signature in 16 with a wrong message
/// (recovery: then another key comes out).
class SecpWork {
 public:
  SecpWork(Mode mode, std::size_t count, std::size_t times = 1);
  static bool wrong(std::size_t i) { return i % 16 == 5; }
  /// The next `count` items, so that the keys of a small batch are new to the kernel.
  Done run(secp256k1::Kernel& kernel, std::size_t count, bool with_evidence);
  /// Whether the last run of `count` items gave what it must.
  bool right(std::size_t count) const;

  static constexpr std::size_t kPeerItems = 64;
  /// A peer on the first kPeerItems, keys parsed from their bytes; whether all answers are as expected. Nothing where
  /// the peer is not part of this build or has no such mode.
  std::optional<bool> libsecp256k1() const;
  std::optional<bool> openssl() const;

 private:
  std::size_t key_bytes() const;
  std::size_t signature_bytes() const { return mode_ == Mode::recover ? 65 : 64; }

  Mode mode_;
  Bytes keys_, signatures_, messages_;  // keys of a recovery: what must come out
  std::vector<std::uint64_t> offsets_;
  Bytes valid_, evidence_, recovered_;
  std::size_t first_ = 0;  ///< of the last batch
};

}  // namespace sparkmill::bench

// SPDX-License-Identifier: Apache-2.0
// Files of Bytom blocks (docs/blocks.md): a line a block in hex, or packed; a block at a time, whatever the file's
// size.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "verify/blocks/bytom_headers.h"
#include "verify/blocks/bytom_state.h"
#include "worker/cli/input.h"

namespace sparkmill::cli {

/// "SMBLOCK1", then for each block u32 little-endian length and its bytes.
inline constexpr std::string_view kPackedBlocks = "SMBLOCK1";

class BlockFile {
 public:
  /// Reads from `input`, which must outlive it. Errors: those of the input.
  static Result<std::unique_ptr<BlockFile>> open(Input& input);
  /// The next block; none at the end. Errors: bad_input naming file and line (or block), too_large, io_error.
  Result<std::optional<Bytes>> next();
  /// Reads the headers (01) that stand before the first whole block and what a text file says of the seed, and tells
  /// the walk; `seed`, where given, wins. Called once, before next(). Errors: as next().
  Done prime(blocks::bytom::HeaderWalk& walk, const std::optional<Hash32>& seed);
  std::uint64_t headers() const { return headers_; }  ///< that prime() took

 private:
  explicit BlockFile(Input& input) : input_(input) {}
  Result<std::optional<Bytes>> next_packed();
  Result<std::optional<Bytes>> next_line();
  /// As many bytes as there are, `into.size()` at most.
  Result<std::size_t> read(std::span<std::uint8_t> into);
  std::string here() const;

  Input& input_;
  bool packed_ = false;
  std::uint64_t number_ = 0, headers_ = 0;
  std::optional<Hash32> seed_;
  std::optional<Bytes> first_;  ///< the block that ended prime()
  bool primed_ = false;
};

/// A set of coins: a line "ID HEIGHT coinbase|plain [spent]" each, '#' begins a comment.
class CoinFile final : public blocks::bytom::CoinSource {
 public:
  /// Errors: not_found, bad_input naming the line.
  static Result<std::unique_ptr<CoinFile>> load(const std::string& path);
  Done find(std::span<const Hash32> ids, std::span<std::optional<blocks::bytom::Coin>> out) override;
  std::size_t size() const { return coins_.size(); }

 private:
  std::map<Hash32, blocks::bytom::Coin> coins_;
};

}  // namespace sparkmill::cli

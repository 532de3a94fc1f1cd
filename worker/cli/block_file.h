// SPDX-License-Identifier: Apache-2.0
// Files of Bytom blocks (docs/blocks.md): a line a block in hex, or packed; a block at a time, whatever the file's
// size.
#pragma once

#include <atomic>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "verify/blocks/bytom_headers.h"
#include "verify/blocks/bytom_state.h"

namespace sparkmill::cli {

/// "SMBLOCK1", then for each block u32 little-endian length and its bytes.
inline constexpr std::string_view kPackedBlocks = "SMBLOCK1";

class BlockFile {
 public:
  /// "-": stdin. Errors: not_found, io_error.
  static Result<std::unique_ptr<BlockFile>> open(const std::string& path);
  /// The next block; none at the end. Errors: bad_input naming file and line (or block), too_large, io_error.
  Result<std::optional<Bytes>> next();
  /// Reads the headers (01) that stand before the first whole block and what a text file says of the seed, and tells
  /// the walk; `seed`, where given, wins. Called once, before next(). Errors: as next().
  Done prime(blocks::bytom::HeaderWalk& walk, const std::optional<Hash32>& seed);
  std::uint64_t bytes_read() const { return read_.load(std::memory_order_relaxed); }  ///< from any thread
  std::uint64_t bytes_total() const { return total_; }                                ///< 0: not known
  std::uint64_t headers() const { return headers_; }                                  ///< that prime() took

 private:
  struct Close {
    void operator()(std::FILE* f) const {
      if (f != stdin) std::fclose(f);
    }
  };
  BlockFile() = default;
  Result<std::optional<Bytes>> next_packed();
  Result<std::optional<Bytes>> next_line();
  /// A line without its end; false at the end of the file.
  Result<bool> read_line(std::string& line);
  Result<std::size_t> read(void* to, std::size_t size);
  std::string here() const;

  std::string path_;
  std::unique_ptr<std::FILE, Close> file_;
  bool packed_ = false;
  std::string ahead_;  ///< what was read to tell the form
  std::atomic<std::uint64_t> read_ = 0;
  std::uint64_t total_ = 0, number_ = 0, headers_ = 0;
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

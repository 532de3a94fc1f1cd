// SPDX-License-Identifier: Apache-2.0
#include "worker/cli/block_file.h"

#include <charconv>

#include "base/file.h"
#include "base/hex.h"

namespace sparkmill::cli {
namespace {

namespace bytom = blocks::bytom;

constexpr std::size_t kMaxLine = 2 * bytom::kMaxBlockBytes + 64;
constexpr std::uint64_t kMaxCoinFile = std::uint64_t{4} << 30;
constexpr std::uint8_t kHeaderOnly = 0x01;
constexpr std::string_view kSeedWord = "seed ";

std::string_view trimmed(std::string_view line) {
  line = line.substr(0, line.find('#'));
  const std::size_t first = line.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return line.substr(first, line.find_last_not_of(" \t\r") - first + 1);
}

}  // namespace

Result<std::unique_ptr<BlockFile>> BlockFile::open(Input& input) {
  std::unique_ptr<BlockFile> out(new BlockFile(input));
  SPARKMILL_ASSIGN(const ByteView start, input.look(kPackedBlocks.size()));
  out->packed_ = text(start) == kPackedBlocks;
  if (out->packed_) {
    std::uint8_t magic[kPackedBlocks.size()];
    SPARKMILL_TRY(out->read(magic));
  }
  return out;
}

std::string BlockFile::here() const {
  return packed_ ? input_.name() + ": block " + std::to_string(number_) : input_.here();
}

Result<std::size_t> BlockFile::read(std::span<std::uint8_t> into) {
  std::size_t got = 0;
  while (got < into.size()) {
    SPARKMILL_ASSIGN(const std::size_t some, input_.read(into.subspan(got)));
    if (some == 0) break;
    got += some;
  }
  return got;
}

Result<std::optional<Bytes>> BlockFile::next_line() {
  std::string line;
  while (true) {
    SPARKMILL_ASSIGN(const bool more, input_.line(line, kMaxLine));
    if (!more) return std::optional<Bytes>();
    const std::string_view words = trimmed(line);
    if (words.empty()) continue;
    if (words.starts_with(kSeedWord)) {
      if (primed_)
        return fail(Status::bad_input, here() + ": a seed behind the first block", "it belongs to the front");
      SPARKMILL_ASSIGN(seed_, array_from_hex<32>(words.substr(kSeedWord.size()), here() + ": seed"));
      continue;
    }
    SPARKMILL_ASSIGN(Bytes bytes, from_hex(words, here()));
    return std::optional(std::move(bytes));
  }
}

Result<std::optional<Bytes>> BlockFile::next_packed() {
  ++number_;
  std::uint8_t prefix[4];
  SPARKMILL_ASSIGN(const std::size_t got, read(prefix));
  if (got == 0) return std::optional<Bytes>();
  if (got < sizeof prefix) return fail(Status::bad_input, here() + ": the file ends within a length");
  const std::uint32_t size = ByteReader(prefix).u32();
  if (size > bytom::kMaxBlockBytes) {
    return fail(Status::too_large, here() + ": " + std::to_string(size) + " bytes, over the limit of " +
                                       std::to_string(bytom::kMaxBlockBytes));
  }
  // Grows with what is really there: a length alone reserves nothing.
  Bytes bytes;
  constexpr std::size_t kStep = 64 * 1024;
  while (bytes.size() < size) {
    const std::size_t at = bytes.size();
    const std::size_t some = std::min<std::size_t>(kStep, size - at);
    bytes.resize(at + some);
    SPARKMILL_ASSIGN(const std::size_t part, read(std::span(bytes).subspan(at)));
    if (part < some) return fail(Status::bad_input, here() + ": the file ends within the block");
  }
  return std::optional(std::move(bytes));
}

Result<std::optional<Bytes>> BlockFile::next() {
  if (first_) return std::exchange(first_, std::nullopt);
  return packed_ ? next_packed() : next_line();
}

Done BlockFile::prime(bytom::HeaderWalk& walk, const std::optional<Hash32>& seed) {
  std::optional<Bytes> bytes;
  while (true) {
    SPARKMILL_ASSIGN(bytes, next());
    if (!bytes || bytes->empty() || bytes->front() != kHeaderOnly) break;
    const auto header = chain::parse_header(*bytes);
    if (!header)
      return fail(Status::bad_input, here() + ": " + header.error().message, "headers come before the blocks");
    walk.append(*header, chain::header_hash(*header));
    ++headers_;
  }
  primed_ = true;
  const std::optional<Hash32> known = seed ? seed : seed_;
  if (bytes && known) {
    const auto block = bytom::decode(*bytes);
    if (block) walk.set_seed(block->header.height, *known);
  }
  first_ = std::move(bytes);
  return done();
}

Result<std::unique_ptr<CoinFile>> CoinFile::load(const std::string& path) {
  SPARKMILL_ASSIGN(const std::string text, read_text_file(path, kMaxCoinFile));
  auto out = std::make_unique<CoinFile>();
  std::size_t number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = trimmed(std::string_view(text).substr(at, end - at));
    at = end + 1;
    ++number;
    if (line.empty()) continue;
    const std::string here = path + ": line " + std::to_string(number);
    const auto word = [&line] {
      const std::size_t size = std::min(line.find(' '), line.size());
      const std::string_view first = line.substr(0, size);
      line = trimmed(line.substr(size));
      return first;
    };
    SPARKMILL_ASSIGN(const Hash32 id, array_from_hex<32>(word(), here));
    bytom::Coin coin;
    const std::string_view height = word();
    const auto parsed = std::from_chars(height.data(), height.data() + height.size(), coin.height);
    const std::string_view kind = word(), spent = word();
    if (parsed.ec != std::errc() || parsed.ptr != height.data() + height.size() ||
        (kind != "coinbase" && kind != "plain") || (!spent.empty() && spent != "spent") || !line.empty()) {
      return fail(Status::bad_input, here + ": not 'ID HEIGHT coinbase|plain [spent]'");
    }
    coin.coinbase = kind == "coinbase";
    coin.spent = !spent.empty();
    if (!out->coins_.emplace(id, coin).second) return fail(Status::bad_input, here + ": an id that was there before");
  }
  return out;
}

Done CoinFile::find(std::span<const Hash32> ids, std::span<std::optional<bytom::Coin>> out) {
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto at = coins_.find(ids[i]);
    if (at != coins_.end()) out[i] = at->second;
  }
  return done();
}

}  // namespace sparkmill::cli

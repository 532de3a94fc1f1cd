// SPDX-License-Identifier: Apache-2.0
// Block headers of Bytom, and of our node, which uses the same form: preimage, hash and serialised form (Tensority page
// 4.1 to 4.3).
#pragma once

#include <array>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace sparkmill::chain {

inline constexpr std::uint64_t kBlockVersion = 1;
/// Integers of the serialised form are below 2^63. A larger nonce hashes well but no node can store the block.
inline constexpr std::uint64_t kMaxVarint63 = (std::uint64_t{1} << 63) - 1;
/// 1 kind, 5 integers of at most 9 bytes, 1 length, 3 hashes.
inline constexpr std::size_t kMaxSerialisedHeader = 1 + 5 * 9 + 1 + 3 * 32;
inline constexpr std::size_t kNonceOffset = 128;

struct BlockHeader {
  std::uint64_t version = kBlockVersion;
  std::uint64_t height = 0;
  Hash32 previous{};
  std::uint64_t timestamp = 0;  ///< Bytom: Unix seconds; our node: Unix milliseconds
  Hash32 transaction_merkle_root{};
  Hash32 transaction_status_hash{};
  std::uint64_t bits = 0;
  std::uint64_t nonce = 0;
  friend bool operator==(const BlockHeader&, const BlockHeader&) = default;
};

/// What is hashed: eight fields, integers u64 little-endian, bits before nonce.
using Preimage = std::array<std::uint8_t, 136>;
Preimage preimage(const BlockHeader& header);

/// SHA3-256("entryid:blockheader:" | SHA3-256(preimage)): the block's id, and what Tensority takes.
Hash32 header_hash(const BlockHeader& header);

/// 01 | version | height | previous | timestamp | 40 | merkle root | status hash | nonce | bits, integers as LEB128,
/// nonce before bits. Error: bad_input naming a field that is not below 2^63.
Result<Bytes> serialise(const BlockHeader& header);

/// The inverse. Strict: shortest integers only, all below 2^63, nothing behind the header; so what parses comes out of
/// serialise() the same. Error: bad_input naming the field and its offset.
Result<BlockHeader> parse_header(ByteView bytes);
/// From hex digits. `what` names the input in errors.
Result<BlockHeader> header_from_hex(std::string_view hex, std::string_view what = "header");

}  // namespace sparkmill::chain

// SPDX-License-Identifier: Apache-2.0
// RLP, the encoding of Ethereum's tries, receipts and exit payloads. The reader takes the one shortest form of each
// item and nothing else; it copies nothing and allocates only what the caller bounds.
// Source: Ethereum yellow paper, appendix B; "Consensus evidence" 2.6 (canonical form everywhere).
#pragma once

#include <optional>
#include <vector>

#include "base/bytes.h"

namespace sparkmill::rlp {

/// One item within the bytes it was read from.
struct Item {
  bool list = false;
  ByteView payload;  ///< the string, or the items of the list back to back
  ByteView whole;    ///< with its header
};

/// Deepest nesting of lists that `well_formed` follows.
inline constexpr std::size_t kMaxDepth = 32;

/// Takes the first item off `in`. False, and `in` unchanged: nothing there, cut, or not the shortest form.
bool take(ByteView& in, Item& item);
/// Exactly one item and nothing behind it.
bool parse(ByteView in, Item& item);
/// The items of a list, whatever is inside them; nullopt when one is malformed or there are more than `most`.
std::optional<std::vector<Item>> children(const Item& list, std::size_t most);
/// True when every item inside, at any depth up to kMaxDepth, has its shortest form.
bool well_formed(const Item& item);
/// Bytes of an integer without leading zeros (0 is empty), at most 32, as a big-endian word; nullopt for anything else.
std::optional<Hash32> word(const Item& item);
/// As word, and below 2^64.
std::optional<std::uint64_t> integer(const Item& item);

/// Appends a string in its shortest form.
void put(Bytes& out, ByteView string);
void put(Bytes& out, std::uint64_t integer);
/// The list whose items are `payload`.
Bytes list(ByteView payload);

}  // namespace sparkmill::rlp

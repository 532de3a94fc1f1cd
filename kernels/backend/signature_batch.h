// SPDX-License-Identifier: Apache-2.0
// What every signature family takes and gives: a batch of packed items in, a verdict byte for each item out. A wrong
// signature is a result; only a batch that contradicts its own sizes is an error, and the error names the item.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace sparkmill::kernels {

/// Item i is key i, signature i and messages[message_offsets[i] .. message_offsets[i + 1]). The caller keeps the
/// memory.
struct SignatureBatch {
  std::size_t count = 0;
  ByteView keys;        ///< count x key_bytes of the family, packed
  ByteView signatures;  ///< count x signature_bytes of the family, packed
  ByteView messages;    ///< all messages, back to back; a message may be empty where the family allows it
  std::span<const std::uint64_t> message_offsets;  ///< count + 1, never falling, the last at most messages.size()

  ByteView key(std::size_t i, std::size_t key_bytes) const { return keys.subspan(i * key_bytes, key_bytes); }
  ByteView signature(std::size_t i, std::size_t bytes) const { return signatures.subspan(i * bytes, bytes); }
  ByteView message(std::size_t i) const {
    return messages.subspan(message_offsets[i], message_offsets[i + 1] - message_offsets[i]);
  }
};

/// Where a family writes. Memory of the caller, none of it overlapping the batch.
struct SignatureResults {
  std::span<std::uint8_t> valid;  ///< count bytes: 1 valid, 0 not
  std::span<std::uint8_t>
      evidence;  ///< empty: not wanted; else count x evidence_bytes of the family (jobs-and-proofs 7)
};

/// Sizes of a family's items.
struct SignatureShape {
  std::string_view family;    ///< for messages, e.g. "ed25519"
  std::size_t key_bytes = 0;  ///< 0: the family has no keys in this mode (recovery); `keys` must then be empty
  std::size_t signature_bytes = 0;
  std::size_t evidence_bytes = 0;  ///< 0: no evidence in this mode
  std::size_t message_bytes = 0;   ///< exact length of every message; 0: any length
};

/// The start of every row: all sizes agree, offsets never fall, messages have the family's length.
/// Errors: bad_argument for spans of the caller that do not fit `count`; bad_input naming the item whose message lies
/// outside or has the wrong length. Cost: a few operations an item. A batch of 0 items is right.
Done check(const SignatureBatch& batch, const SignatureResults& results, const SignatureShape& shape);

}  // namespace sparkmill::kernels

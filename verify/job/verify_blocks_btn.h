// SPDX-License-Identifier: Apache-2.0
// BTN in the job kind `verify.blocks` (chain 3): blocks with draws, seal and votes, and equivocations. Parameters and
// registered keys that blocks share stand once in the blob.
// Behind the head: u32 states | states * state | count * item. State: u8 tag = 1 | u32 m1 | u32 max round | u32 m2 |
// u64 wanted | u8 rule (0 unanimous, 1 two thirds) | u8 vote form | u32 n | n * primary modulus[256] | u32 m | m *
// secondary modulus[256]. Item: u8 tag; 1, a block: u32 state | parent hash[32] | u64 parent height | len header | len
// clerk's signature | u32 n | n * (u32 round | len key | len signature) draws | u8 sealed | [one such record] | u32 m |
// m * (len key | len signature) votes; 2, an equivocation: u8 type ('V', 'B') | len key | u64 height | hash a[32] | len
// signature a | hash b[32] | len signature b. A key or signature that has not 256 bytes is invalid, not malformed.
// Points of T: s^(2^15) mod n, 256 bytes, of each signature that the rules ask for (keys that are registered, rounds
// that may be), in the order draws, clerk, seal, votes; own is zeros.
// Source: "Consensus evidence" 3; docs/formats.md.
#pragma once

#include <variant>

#include "verify/blocks/btn/seal.h"
#include "verify/job/verify_blocks.h"

namespace sparkmill::job {

struct BtnParams {
  btn::DrawRules draw;
  std::uint32_t m2 = 0;
  std::uint64_t wanted = 0;
  btn::VoteRule rule = btn::VoteRule::unanimous;
  btn::VoteForm vote_form = btn::VoteForm::height;
  std::vector<btn::Modulus> primary, secondary;
};
/// Views of `block` point into the blob, or into memory of the caller.
struct BtnBlock {
  std::uint32_t state = 0;
  Hash32 parent_hash{};
  std::uint64_t parent_height = 0;
  btn::Block block;
};
using BtnItem = std::variant<BtnBlock, btn::Equivocation>;

struct BtnItems {
  std::vector<BtnParams> states;
  std::vector<BtnItem> items;
};
/// Requires that items name states that are there.
Bytes encode_block_items(const BtnItems& items);
/// Errors: bad_input naming state or item and field: cut off, tag, numbers, a state that is not there, a registered key
/// that is even or has not 2,048 bits, over a limit (1,024 draws, 4,096 votes and keys of a role, 1 MiB of header, 4
/// KiB of key or signature, 65,536 states); unsupported (another chain).
Result<BtnItems> decode_btn_items(ByteView blob);

}  // namespace sparkmill::job

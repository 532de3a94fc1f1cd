// SPDX-License-Identifier: Apache-2.0
#include "verify/job/bttc_exits.h"

#include <algorithm>
#include <bit>

#include "kernels/hash/hash.h"
#include "verify/blocks/bttc/rlp.h"
#include "verify/blocks/bttc/span_root.h"

namespace sparkmill::job {
namespace {

using Flaw = BlockPlantKind;
namespace rlp = sparkmill::rlp;

constexpr std::uint64_t kHeaderStep = 10'000;
constexpr std::size_t kBloomBytes = 256, kWordBytes = 32;
constexpr std::uint8_t kLeafWithoutPath = 0x20;

Bytes joined(std::initializer_list<ByteView> parts) {
  ByteWriter w;
  for (const ByteView part : parts) w.bytes(part);
  return std::move(w).data();
}
void flip(Bytes& bytes, std::size_t from, std::size_t to, ChaChaWords& draw) {
  bytes[from + draw.below(to - from)] ^= static_cast<std::uint8_t>(1u << draw.below(8));
}

}  // namespace

Hash32 BttcExits::hash32() {
  Hash32 out{};
  for (std::uint8_t& b : out) b = static_cast<std::uint8_t>(draw_.u32());
  return out;
}

Bytes BttcExits::drawn(std::size_t size) {
  Bytes out(size);
  for (std::uint8_t& b : out) b = static_cast<std::uint8_t>(draw_.u32());
  return out;
}

Result<Hash32> BttcExits::keccak(ByteView message, const StopToken& stop) {
  const std::uint64_t offsets[] = {0, message.size()};
  Hash32 out{};
  SPARKMILL_TRY(hash_.hash(hashes::Algorithm::keccak256, {message, offsets}, out, stop));
  return out;
}

Bytes BttcExits::log(std::size_t data_bytes) {
  Bytes topics;
  for (std::uint64_t left = 1 + draw_.below(4); left > 0; --left) rlp::put(topics, hash32());
  Bytes parts;
  rlp::put(parts, drawn(20));
  parts = joined({parts, rlp::list(topics)});
  rlp::put(parts, drawn(data_bytes));
  return rlp::list(parts);
}

/// Sixteen children, some of them not there, and no value.
Bytes BttcExits::branch(std::uint8_t child, const Hash32& to) {
  Bytes items;
  for (std::uint8_t k = 0; k < 16; ++k) {
    const bool there = draw_.below(4) != 0;
    const Hash32 other = hash32();
    rlp::put(items, k == child ? ByteView(to) : there ? ByteView(other) : ByteView());
  }
  rlp::put(items, ByteView());
  return rlp::list(items);
}

Result<BttcExit> BttcExits::make(std::optional<Flaw> flaw, std::uint32_t state, const StopToken& stop) {
  // The receipt with its logs.
  Bytes logs;
  const std::uint64_t count = 1 + draw_.below(3);
  for (std::uint64_t k = 0; k < count; ++k) logs = joined({logs, log(kWordBytes * (1 + draw_.below(4)))});
  Bytes fields;
  rlp::put(fields, std::uint64_t{1});
  rlp::put(fields, 21'000 + draw_.below(1'000'000));
  rlp::put(fields, drawn(kBloomBytes - (flaw == Flaw::exit_form ? 1 : 0)));
  Bytes receipt = rlp::list(joined({fields, rlp::list(logs)}));
  const std::uint64_t log_index = draw_.below(count) + (flaw == Flaw::exit_log ? count : 0);

  // Its place: two branches and a leaf.
  const auto index = static_cast<std::uint8_t>(1 + draw_.below(127));  // its own RLP
  Bytes leaf;
  rlp::put(leaf, ByteView(&kLeafWithoutPath, 1));
  rlp::put(leaf, receipt);
  leaf = rlp::list(leaf);
  SPARKMILL_ASSIGN(const Hash32 leaf_hash, keccak(leaf, stop));
  const Bytes lower = branch(index & 15, leaf_hash);
  SPARKMILL_ASSIGN(const Hash32 lower_hash, keccak(lower, stop));
  Bytes upper = branch(index >> 4, lower_hash);
  SPARKMILL_ASSIGN(const Hash32 receipts_root, keccak(upper, stop));
  if (flaw == Flaw::exit_node_bit) {
    const auto at = std::search(upper.begin(), upper.end(), lower_hash.begin(), lower_hash.end());
    const auto from = static_cast<std::size_t>(at - upper.begin());
    flip(upper, from, from + lower_hash.size(), draw_);
  }
  const Bytes nodes = rlp::list(joined({upper, lower, leaf}));
  if (flaw == Flaw::exit_receipt_bit) flip(receipt, receipt.size() - kWordBytes, receipt.size(), draw_);

  // Its block, under the root of a span.
  bttc::StoredCheckpoint span;
  span.start = 1'000'000 + draw_.below(50'000'000);
  span.end = span.start + 255 + draw_.below(800);
  const unsigned depth = static_cast<unsigned>(std::bit_width(span.end - span.start));
  const std::uint64_t place = draw_.below(span.end - span.start + 1);
  bttc::BlockFacts block;
  block.number = bttc::word_of(span.start + place + (flaw == Flaw::exit_span ? span.end - span.start + 1 : 0));
  std::uint64_t time = 1'600'000'000 + draw_.below(100'000'000);
  block.time = bttc::word_of(time);
  block.transactions_root = hash32();
  block.receipts_root = receipts_root;
  SPARKMILL_ASSIGN(const std::vector<Hash32> leaves, bttc::block_leaves({&block, 1}, hash_, stop));
  span.root = leaves[0];
  Bytes siblings;
  for (unsigned level = 0; level < depth; ++level) {
    const Hash32 other = hash32();
    siblings.insert(siblings.end(), other.begin(), other.end());
    const bool right = (place >> level & 1) != 0;
    SPARKMILL_ASSIGN(span.root, keccak(right ? joined({other, span.root}) : joined({span.root, other}), stop));
  }
  if (flaw == Flaw::exit_sibling_bit) flip(siblings, 0, siblings.size(), draw_);
  if (flaw == Flaw::exit_leaf) time += 1 + draw_.below(1'000);
  const std::uint64_t header = kHeaderStep * (state_.headers.size() + 1);
  state_.headers[header] = span;
  if (flaw == Flaw::exit_replay) {
    const std::uint8_t nibbles[] = {static_cast<std::uint8_t>(index >> 4), static_cast<std::uint8_t>(index & 15)};
    SPARKMILL_ASSIGN(const Hash32 id, keccak(joined({block.number, nibbles, bttc::word_of(log_index)}), stop));
    state_.processed.insert(id);
  } else {
    state_.processed.insert(hash32());  // of others
  }

  const auto number = bttc::number(block.number);
  const std::uint8_t mask[] = {static_cast<std::uint8_t>(flaw == Flaw::exit_mask ? 0x20 << draw_.below(2) : 0), index};
  Bytes payload;
  rlp::put(payload, flaw == Flaw::exit_header ? header + 1 + draw_.below(kHeaderStep - 1) : header);
  rlp::put(payload, siblings);
  rlp::put(payload, *number);
  rlp::put(payload, time);
  rlp::put(payload, block.transactions_root);
  rlp::put(payload, block.receipts_root);
  rlp::put(payload, receipt);
  rlp::put(payload, nodes);
  rlp::put(payload, ByteView(mask));
  rlp::put(payload, log_index);
  payload = rlp::list(payload);
  if (flaw == Flaw::exit_cut) payload.pop_back();
  return BttcExit{state, held_.emplace_back(std::move(payload))};
}

}  // namespace sparkmill::job

// SPDX-License-Identifier: Apache-2.0
// Bytes from other chains: RLP items, event records, trie proofs, exit payloads. Nothing crashes, what parses has one
// form, and nothing is accepted that was not put under a root. Input: u8 what, then the bytes.
#include <cstdlib>
#include <memory>

#include "kernels/registry.h"
#include "verify/blocks/bttc/event.h"
#include "verify/blocks/bttc/exit.h"
#include "verify/blocks/bttc/rlp.h"
#include "verify/blocks/message_list.h"

namespace {

using namespace sparkmill;
using namespace sparkmill::bttc;

void demand(bool holds) {
  if (!holds) std::abort();
}

hashes::Kernel& hash() {
  static const std::unique_ptr<kernels::Kernel> kernel = [] {
    kernels::Device cpu;
    cpu.id = "cpu";
    return std::move(*kernels::find_row(kernels::Family::hash, "reference")->make(cpu));
  }();
  return dynamic_cast<hashes::Kernel&>(*kernel);
}

Hash32 keccak(ByteView message) {
  blocks::MessageList list;
  list.add({message});
  return list.hash(hashes::Algorithm::keccak256, hash(), StopToken())->front();
}

/// Writes an item again from its parts.
Bytes rewritten(const rlp::Item& item) {
  if (!item.list) {
    Bytes out;
    rlp::put(out, item.payload);
    return out;
  }
  Bytes payload;
  const auto items = rlp::children(item, item.payload.size());
  demand(items.has_value());
  for (const rlp::Item& inner : *items) {
    const Bytes one = rewritten(inner);
    payload.insert(payload.end(), one.begin(), one.end());
  }
  return rlp::list(payload);
}

void fuzz_rlp(ByteView in) {
  rlp::Item item;
  ByteView rest = in;
  if (!rlp::take(rest, item)) return demand(rest.size() == in.size());
  demand(item.whole.size() + rest.size() == in.size());
  if (!rlp::well_formed(item)) return;
  const Bytes again = rewritten(item);
  demand(std::equal(again.begin(), again.end(), item.whole.begin(), item.whole.end()));
}

void fuzz_record(ByteView in) {
  const auto record = decode_bor_record(in);
  if (!record) return demand(!record.error().message.empty());
  const Bytes again = encode_bor_record(*record);
  demand(std::equal(again.begin(), again.end(), in.begin(), in.end()));
}

/// The root is the hash of the first node, so the walk goes on for as long as the nodes fit each other.
void fuzz_trie(ByteView in) {
  if (in.size() < 2) return;
  const std::size_t key = in[0] % 5u, value = in[1];
  if (in.size() < 2 + key + value) return;
  TrieProof proof{{}, in.subspan(2, key), in.subspan(2 + key, value), in.subspan(2 + key + value)};
  rlp::Item all;
  if (rlp::parse(proof.nodes, all)) {
    const auto nodes = rlp::children(all, kMaxTrieNodes);
    if (nodes && !nodes->empty()) proof.root = keccak((*nodes)[0].whole);
  }
  const auto verdicts = check_trie_proofs({&proof, 1}, hash(), StopToken());
  demand(verdicts.ok() && (*verdicts)[0].ok == (*verdicts)[0].reason.empty());
  proof.root[0] ^= 1;
  demand(!(*check_trie_proofs({&proof, 1}, hash(), StopToken()))[0].ok);
}

void fuzz_exit(ByteView in) {
  ExitState state;
  state.headers[780000] = {{}, 3521783, 3521790};
  state.headers[10000] = {{}, 0, 0};
  const ByteView payloads[] = {in, in};
  const auto verdicts = check_exits(state, payloads, hash(), StopToken());
  demand(verdicts.ok());
  for (const auto& v : *verdicts) demand(!v.ok && !v.reason.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView in(data + 1, size - 1);
  switch (data[0] % 4) {
    case 0: fuzz_rlp(in); break;
    case 1: fuzz_record(in); break;
    case 2: fuzz_trie(in); break;
    case 3: fuzz_exit(in); break;
  }
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
#include "verify/blocks/bttc/event.h"

#include "verify/blocks/bttc/rlp.h"

namespace sparkmill::bttc {
namespace {

using blocks::refused;

/// Keccak-256 of "StateSynced(uint256,address,bytes)".
constexpr Hash32 kStateSynced = {0x10, 0x3f, 0xed, 0x9d, 0xb6, 0x5e, 0xac, 0x19, 0xc4, 0xd8, 0x70,
                                 0xf4, 0x9a, 0xb7, 0x52, 0x0f, 0xe0, 0x3b, 0x99, 0xf1, 0x83, 0x8e,
                                 0x59, 0x96, 0xca, 0xf4, 0x7e, 0x9e, 0x43, 0x30, 0x83, 0x92};
constexpr Amount kLogsOfBlock = 100'000;
constexpr Amount kChains = 100;

/// ABI bytes as the only argument: offset 32, length, data padded with zeros to whole words.
Bytes abi_bytes(ByteView data) {
  Bytes out;
  const auto append = [&](ByteView v) { out.insert(out.end(), v.begin(), v.end()); };
  append(word_of(32));
  append(word_of(data.size()));
  append(data);
  out.resize((out.size() + 31) / 32 * 32);
  return out;
}

Amount sequence_of(const EventRecord& record, RootChain chain) {
  return (Amount{record.block_number} * kLogsOfBlock + record.log_index) * kChains + static_cast<Amount>(chain);
}

Error malformed(const char* what) { return fail(Status::bad_input, std::string("event record: ") + what); }

}  // namespace

blocks::Verdict<> check_state_synced(const EventRecord& record, const Address& state_sender, const EventLog& log) {
  if (record.data.size() > kMaxEventBytes || log.data.size() > kMaxEventBytes + 96) return refused("limit");
  if (log.emitter != state_sender) return refused("bad_emitter");
  if (log.topics.size() != 3 || log.topics[0] != kStateSynced) return refused("bad_topics");
  if (log.topics[1] != word_of(record.id)) return refused("wrong_id");
  if (log.topics[2] != word_of(record.contract)) return refused("wrong_receiver");
  const Bytes expected = abi_bytes(record.data);
  if (!std::equal(expected.begin(), expected.end(), log.data.begin(), log.data.end())) return refused("wrong_data");
  return blocks::accepted();
}

blocks::Verdict<EventFacts> check_event(const EventState& state, const EventRecord& record) {
  const auto chain = root_chain(record.root_chain);
  if (!chain) return refused<EventFacts>("unknown_root_chain");
  if (state.seen.contains({*chain, record.id})) return refused<EventFacts>("known_event_id");
  if (record.bor_chain_id != state.bor_chain_id) return refused<EventFacts>("wrong_chain");
  const EventFacts facts{state.last_local_id + 1, sequence_of(record, *chain)};
  if (state.sequences.contains(facts.sequence)) return refused<EventFacts>("known_sequence", text(facts.sequence));
  return blocks::accepted(facts);
}

void mark_event(EventState& state, const EventRecord& record, const EventFacts& facts) {
  const auto chain = root_chain(record.root_chain);
  if (!chain) return;
  state.seen.insert({*chain, record.id});
  state.sequences.insert(facts.sequence);
  state.last_local_id = facts.local_id;
}

Bytes encode_bor_record(const EventRecord& record) {
  Bytes payload;
  rlp::put(payload, record.id);
  rlp::put(payload, record.contract);
  rlp::put(payload, record.data);
  rlp::put(payload, record.tx_hash);
  rlp::put(payload, record.log_index);
  rlp::put(payload, view(record.bor_chain_id));
  return rlp::list(payload);
}

Result<EventRecord> decode_bor_record(ByteView bytes) {
  if (bytes.size() > kMaxEventBytes + 256) return fail(Status::too_large, "event record: over 1 MiB");
  rlp::Item all;
  const auto fields = rlp::parse(bytes, all) ? rlp::children(all, 6) : std::nullopt;
  if (!fields || fields->size() != 6) return malformed("not a list of six items in RLP's shortest form");
  const auto& f = *fields;
  EventRecord record;
  const auto id = rlp::integer(f[0]), log_index = rlp::integer(f[4]);
  if (!id || !log_index) return malformed("id and log index are integers below 2^64");
  for (const std::size_t k : {1, 2, 3, 5}) {
    if (f[k].list) return malformed("a list where a string belongs");
  }
  if (f[1].payload.size() != record.contract.size() || f[3].payload.size() != record.tx_hash.size()) {
    return malformed("a receiver has 20 bytes and a transaction hash 32");
  }
  if (f[2].payload.size() > kMaxEventBytes || f[5].payload.size() > kMaxChainIdText) {
    return fail(Status::too_large, "event record: at most 1 MiB of data and 78 digits of chain id");
  }
  record.id = *id;
  record.log_index = *log_index;
  std::copy(f[1].payload.begin(), f[1].payload.end(), record.contract.begin());
  record.data.assign(f[2].payload.begin(), f[2].payload.end());
  std::copy(f[3].payload.begin(), f[3].payload.end(), record.tx_hash.begin());
  record.bor_chain_id = sparkmill::text(f[5].payload);
  return record;
}

blocks::Verdict<> check_bor_record(const EventRecord& record, std::uint64_t last_id, std::string_view chain_id,
                                   std::uint64_t time, std::uint64_t before) {
  if (last_id == ~std::uint64_t{0} || record.id != last_id + 1) {
    return refused("wrong_id", "after " + std::to_string(last_id));
  }
  if (record.bor_chain_id != chain_id) return refused("wrong_chain");
  if (time >= before) return refused("too_late");
  return blocks::accepted();
}

}  // namespace sparkmill::bttc

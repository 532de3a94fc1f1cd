// SPDX-License-Identifier: Apache-2.0
// Events that travel from a root chain to BTTC's execution chain, and the three guards against their replay: by source
// id, by position, and by the running number on the execution chain.
//
// Source: "Consensus evidence" 2.7.
#pragma once

#include <set>
#include <string>
#include <utility>

#include "base/result.h"
#include "verify/blocks/bttc/checkpoint.h"

namespace sparkmill::bttc {

inline constexpr std::size_t kMaxEventBytes = 1u << 20;
inline constexpr std::size_t kMaxChainIdText = 78;  ///< digits of a 256-bit number

/// One StateSynced event as validators vote on it.
struct EventRecord {
  std::string root_chain;  ///< "tron", "eth", "bsc"; any other is unknown
  std::uint64_t id = 0;    ///< given by the root chain's contract
  std::uint64_t block_number = 0;
  std::uint64_t log_index = 0;
  std::string bor_chain_id;  ///< decimal
  Address contract{};        ///< receiver
  Bytes data;
  Hash32 tx_hash{};
};

/// A log as the root chain wrote it.
struct EventLog {
  Address emitter{};
  std::span<const Hash32> topics;
  ByteView data;
};
/// The record's log, in its one canonical encoding. Reasons: limit, bad_emitter, bad_topics, wrong_id, wrong_receiver,
/// wrong_data.
blocks::Verdict<> check_state_synced(const EventRecord& record, const Address& state_sender, const EventLog& log);

/// What was accepted before; the caller keeps it.
struct EventState {
  std::string bor_chain_id;
  std::uint64_t last_local_id = 0;
  std::set<std::pair<RootChain, std::uint64_t>> seen;
  std::set<Amount> sequences;
};
struct EventFacts {
  std::uint64_t local_id = 0;  ///< of an accepted record: last + 1
  Amount sequence =
      0;  ///< (block * 100000 + log index) * 100 + root chain; an index from 100000 on meets the next block
  friend bool operator==(const EventFacts&, const EventFacts&) = default;
};
/// Reasons in order: unknown_root_chain, known_event_id, wrong_chain, known_sequence.
blocks::Verdict<EventFacts> check_event(const EventState& state, const EventRecord& record);
/// Adds an accepted record to the state; records are taken in the order of the chain.
void mark_event(EventState& state, const EventRecord& record, const EventFacts& facts);

/// The record on the execution chain: RLP [id, receiver, data, transaction hash, log index, chain id as text].
Bytes encode_bor_record(const EventRecord& record);
/// Errors: bad_input for any other form; too_large over kMaxEventBytes. Root chain and block number are not in it.
Result<EventRecord> decode_bor_record(ByteView bytes);
/// Accepted when it follows `last_id` on this chain and its time lies before that of the block one sprint back.
/// Reasons: wrong_id, wrong_chain, too_late.
blocks::Verdict<> check_bor_record(const EventRecord& record, std::uint64_t last_id, std::string_view chain_id,
                                   std::uint64_t time, std::uint64_t before);

}  // namespace sparkmill::bttc

// SPDX-License-Identifier: Apache-2.0
#include "verify/blocks/bttc/exit.h"

#include "verify/blocks/bttc/rlp.h"
#include "verify/blocks/message_list.h"

namespace sparkmill::bttc {
namespace {

using blocks::refused;
using Verdict = blocks::Verdict<ExitFacts>;

constexpr std::size_t kFields = 10;
constexpr std::size_t kBloomBytes = 256;
constexpr std::size_t kMaxTopics = 4;

struct Payload {
  Word header_number{}, log_index{};
  BlockFacts block;
  ByteView block_proof, receipt, receipt_proof, branch_mask;
};

bool read_root(const rlp::Item& item, Hash32& out) {
  if (item.payload.size() != out.size()) return false;
  std::copy(item.payload.begin(), item.payload.end(), out.begin());
  return true;
}

bool read_word(const rlp::Item& item, Word& out) {
  const auto word = rlp::word(item);
  if (word) out = *word;
  return word.has_value();
}

bool list_of_lists(ByteView bytes) {
  rlp::Item all;
  if (!rlp::parse(bytes, all) || !all.list || !rlp::well_formed(all)) return false;
  for (ByteView rest = all.payload; !rest.empty();) {
    rlp::Item item;
    if (!rlp::take(rest, item) || !item.list) return false;
  }
  return true;
}

/// nullopt: bad_payload.
std::optional<Payload> read_payload(ByteView bytes) {
  rlp::Item all;
  if (!rlp::parse(bytes, all)) return std::nullopt;
  const auto fields = rlp::children(all, kFields);
  if (!fields || fields->size() != kFields) return std::nullopt;
  for (const rlp::Item& field : *fields) {
    if (field.list) return std::nullopt;
  }
  const auto& f = *fields;
  Payload p;
  p.block_proof = f[1].payload;
  p.receipt = f[6].payload;
  p.receipt_proof = f[7].payload;
  p.branch_mask = f[8].payload;
  const bool fits = read_word(f[0], p.header_number) && read_word(f[2], p.block.number) &&
                    read_word(f[3], p.block.time) && read_root(f[4], p.block.transactions_root) &&
                    read_root(f[5], p.block.receipts_root) && list_of_lists(p.receipt_proof) &&
                    read_word(f[9], p.log_index);
  return fits ? std::optional(p) : std::nullopt;
}

/// 00 and the one RLP form of an index below 2^32: other first bytes once let one log be claimed many times.
bool good_branch_mask(ByteView mask) {
  if (mask.size() < 2 || mask[0] != 0) return false;
  rlp::Item item;
  if (!rlp::parse(mask.subspan(1), item)) return false;
  const auto index = rlp::integer(item);
  return index && *index >> 32 == 0;
}

bool good_log(const rlp::Item& log) {
  const auto parts = rlp::children(log, 3);
  if (!parts || parts->size() != 3) return false;
  const auto& p = *parts;
  if (p[0].list || p[0].payload.size() != sizeof(Address) || p[2].list) return false;
  const auto topics = rlp::children(p[1], kMaxTopics);
  return topics && std::all_of(topics->begin(), topics->end(), [](const rlp::Item& topic) {
           return !topic.list && topic.payload.size() == sizeof(Hash32);
         });
}

/// How many logs the receipt holds; nullopt: bad_receipt. A typed receipt has its type, below 0x80, in front.
std::optional<std::size_t> count_logs(ByteView receipt) {
  if (!receipt.empty() && receipt[0] < 0x80) receipt = receipt.subspan(1);
  rlp::Item all;
  if (!rlp::parse(receipt, all)) return std::nullopt;
  const auto fields = rlp::children(all, 4);
  if (!fields || fields->size() != 4) return std::nullopt;
  const auto& f = *fields;
  const bool status = !f[0].list && (f[0].payload.empty() || f[0].payload.size() == sizeof(Hash32) ||
                                     (f[0].payload.size() == 1 && f[0].payload[0] == 1));
  if (!status || !rlp::word(f[1]) || f[2].list || f[2].payload.size() != kBloomBytes) return std::nullopt;
  const auto logs = rlp::children(f[3], kMaxLogs);
  if (!logs || !std::all_of(logs->begin(), logs->end(), good_log)) return std::nullopt;
  return logs->size();
}

/// One payload on its way through the checks; refused as soon as `verdict` has a reason.
struct Exit {
  Payload payload;
  const ExitState* state = nullptr;
  const StoredCheckpoint* checkpoint = nullptr;
  Verdict verdict;
  std::vector<Hash32> trail;
  bool refused() const { return !verdict.reason.empty(); }
};

Exit begin(const ExitState& state, ByteView bytes) {
  Exit exit;
  exit.state = &state;
  if (bytes.size() > kMaxPayloadBytes) {
    exit.verdict = refused<ExitFacts>("limit", std::to_string(bytes.size()) + " bytes, at most 1 MiB");
    return exit;
  }
  const auto payload = read_payload(bytes);
  if (!payload) {
    exit.verdict = refused<ExitFacts>("bad_payload");
    return exit;
  }
  exit.payload = *payload;
  const auto header = number(payload->header_number);
  const auto stored = header ? state.headers.find(*header) : state.headers.end();
  if (stored == state.headers.end()) {
    exit.verdict = refused<ExitFacts>("unknown_header");
  } else {
    exit.checkpoint = &stored->second;
  }
  return exit;
}

void add_trails(std::span<Exit* const> whose, const Trails& trails) {
  for (std::size_t k = 0; k < whose.size(); ++k) {
    whose[k]->trail.insert(whose[k]->trail.end(), trails[k].begin(), trails[k].end());
  }
}

Done check_blocks(std::span<Exit> exits, hashes::Kernel& hash, const StopToken& stop) {
  std::vector<BlockProof> proofs;
  std::vector<Exit*> whose;
  for (Exit& e : exits) {
    if (e.refused()) continue;
    proofs.push_back(
        {e.payload.block, e.checkpoint->start, e.checkpoint->end, e.checkpoint->root, e.payload.block_proof});
    whose.push_back(&e);
  }
  Trails trails(proofs.size());
  SPARKMILL_ASSIGN(const std::vector<blocks::Verdict<>> verdicts, check_block_proofs(proofs, hash, stop, &trails));
  add_trails(whose, trails);
  for (std::size_t k = 0; k < whose.size(); ++k) {
    if (!verdicts[k].ok) {
      whose[k]->verdict = refused<ExitFacts>(verdicts[k].reason, verdicts[k].detail);
    } else if (!good_branch_mask(whose[k]->payload.branch_mask)) {
      whose[k]->verdict = refused<ExitFacts>("bad_branch_mask");
    }
  }
  return done();
}

Done check_receipts(std::span<Exit> exits, hashes::Kernel& hash, const StopToken& stop) {
  std::vector<TrieProof> proofs;
  std::vector<Exit*> whose;
  for (Exit& e : exits) {
    if (e.refused()) continue;
    const Payload& p = e.payload;
    proofs.push_back({p.block.receipts_root, p.branch_mask.subspan(1), p.receipt, p.receipt_proof});
    whose.push_back(&e);
  }
  Trails trails(proofs.size());
  SPARKMILL_ASSIGN(const std::vector<blocks::Verdict<>> verdicts, check_trie_proofs(proofs, hash, stop, &trails));
  add_trails(whose, trails);
  for (std::size_t k = 0; k < whose.size(); ++k) {
    Exit& e = *whose[k];
    if (!verdicts[k].ok) {
      e.verdict =
          refused<ExitFacts>("bad_receipt_proof", std::string(verdicts[k].reason) + " at " + verdicts[k].detail);
      continue;
    }
    const auto logs = count_logs(e.payload.receipt);
    const auto index = number(e.payload.log_index);
    if (!logs) {
      e.verdict = refused<ExitFacts>("bad_receipt");
    } else if (!index || *index >= *logs) {
      e.verdict = refused<ExitFacts>("bad_log_index", "the receipt has " + std::to_string(*logs) + " logs");
    }
  }
  return done();
}

/// Keccak-256(block number | nibbles of the key, a byte each | log index).
Bytes exit_id_text(const Payload& p) {
  Bytes text(p.block.number.begin(), p.block.number.end());
  for (const std::uint8_t byte : p.branch_mask.subspan(1)) {
    text.push_back(byte >> 4);
    text.push_back(byte & 15);
  }
  text.insert(text.end(), p.log_index.begin(), p.log_index.end());
  return text;
}

constexpr std::string_view kReplay = "already_processed";

}  // namespace

Result<std::vector<Verdict>> check_exits(const ExitState& state, std::span<const ByteView> payloads,
                                         hashes::Kernel& hash, const StopToken& stop) {
  std::vector<ExitItem> items;
  items.reserve(payloads.size());
  for (const ByteView payload : payloads) items.push_back({&state, payload});
  return check_exits(items, hash, stop);
}

Result<std::vector<Verdict>> check_exits(std::span<const ExitItem> items, hashes::Kernel& hash, const StopToken& stop,
                                         Trails* trails) {
  std::vector<Exit> exits;
  exits.reserve(items.size());
  for (const ExitItem& item : items) exits.push_back(begin(*item.state, item.payload));
  SPARKMILL_TRY(check_blocks(exits, hash, stop));
  SPARKMILL_TRY(check_receipts(exits, hash, stop));
  blocks::MessageList ids;
  for (const Exit& e : exits) {
    if (!e.refused()) ids.add({exit_id_text(e.payload)});
  }
  SPARKMILL_ASSIGN(const std::vector<Hash32> digests, ids.hash(hashes::Algorithm::keccak256, hash, stop));
  std::vector<Verdict> verdicts;
  if (trails != nullptr) trails->clear();
  std::size_t next = 0;
  for (std::size_t i = 0; i < exits.size(); ++i) {
    Exit& e = exits[i];
    if (!e.refused()) {
      const ExitFacts facts{digests[next++]};
      e.trail.push_back(facts.exit_id);
      const bool replay = items[i].state->processed.contains(facts.exit_id);
      e.verdict = replay ? Verdict{false, kReplay, {}, facts} : Verdict{true, {}, {}, facts};
    }
    if (trails != nullptr) trails->push_back(std::move(e.trail));
    verdicts.push_back(std::move(e.verdict));
  }
  return verdicts;
}

void mark_exits(ExitState& state, std::span<Verdict> verdicts) {
  for (Verdict& v : verdicts) {
    if (v.ok && !state.processed.insert(v.facts.exit_id).second) v = {false, kReplay, {}, v.facts};
  }
}

}  // namespace sparkmill::bttc

// SPDX-License-Identifier: Apache-2.0
// Ids, sighashes and roots of many blocks (Bytom blocks 4 to 6): five depths, each of them one or two batches of
// SHA3-256 over all blocks.
#include <algorithm>
#include <map>

#include "verify/blocks/bytom.h"
#include "verify/blocks/bytom_wire.h"
#include "verify/merkle/trees.h"

namespace sparkmill::blocks::bytom {
namespace {

constexpr std::uint8_t kTrue[] = {0x51};  // the program of every mux

/// Messages of one depth and where their digests go.
class Depth {
 public:
  Depth(hashes::Kernel& hash, const StopToken& stop) : hash_(hash), stop_(stop) {}

  void add(ByteView message, Hash32& out) {
    put_bytes(messages_, message);
    offsets_.push_back(messages_.size());
    out_.push_back(&out);
  }
  /// SHA3("entryid:" | type | ":" | SHA3(body)): the outer hash of all runs after the inner one of all.
  void add_entry(std::string_view type, ByteView body, Hash32& out) {
    entries_.push_back({type, out_.size()});
    add(body, out);
  }
  Done run() {
    SPARKMILL_TRY(digest());
    Bytes outer;
    std::vector<std::uint64_t> offsets{0};
    std::vector<Hash32*> to;
    for (const Entry& entry : entries_) {
      put_bytes(outer, view("entryid:"));
      put_bytes(outer, view(entry.type));
      outer.push_back(':');
      put_bytes(outer, *out_[entry.at]);
      offsets.push_back(outer.size());
      to.push_back(out_[entry.at]);
    }
    messages_ = std::move(outer);
    offsets_ = std::move(offsets);
    out_ = std::move(to);
    SPARKMILL_TRY(digest());
    messages_.clear();
    offsets_.assign(1, 0);
    out_.clear();
    entries_.clear();
    return done();
  }

 private:
  struct Entry {
    std::string_view type;
    std::size_t at;
  };
  Done digest() {
    if (out_.empty()) return done();
    Bytes digests(out_.size() * sizeof(Hash32));
    SPARKMILL_TRY(hash_.hash(hashes::Algorithm::sha3_256, {messages_, offsets_}, digests, stop_));
    for (std::size_t i = 0; i < out_.size(); ++i) {
      std::memcpy(out_[i]->data(), digests.data() + i * sizeof(Hash32), sizeof(Hash32));
    }
    return done();
  }

  hashes::Kernel& hash_;
  const StopToken& stop_;
  Bytes messages_;
  std::vector<std::uint64_t> offsets_{0};
  std::vector<Hash32*> out_;
  std::vector<Entry> entries_;
};

void put_source(Bytes& out, const Hash32& ref, const Hash32& asset, std::uint64_t amount, std::uint64_t position) {
  put_bytes(out, ref);
  put_bytes(out, asset);
  put_le64(out, amount);
  put_le64(out, position);
}

void ask_output(Depth& depth, const Hash32& ref, const Hash32& asset, std::uint64_t amount, std::uint64_t position,
                std::uint64_t vm_version, ByteView program, Hash32& out) {
  Bytes body;
  put_source(body, ref, asset, amount, position);
  put_program(body, vm_version, program);
  depth.add_entry("output1", body, out);
}

void ask_spent(Depth& depth, const Transaction& tx, TransactionIds& ids) {
  for (std::size_t i = 0; i < tx.inputs.size(); ++i) {
    const Input& input = tx.inputs[i];
    if (input.type == InputType::spend) {
      ask_output(depth, input.source, input.asset, input.amount, input.position, input.vm_version, input.program,
                 ids.spent[i]);
    }
    if (input.type == InputType::issuance) depth.add(input.data, ids.entries[i]);  // hash of the nonce
  }
}

void ask_inputs(Depth& depth, const Transaction& tx, TransactionIds& ids) {
  for (std::size_t i = 0; i < tx.inputs.size(); ++i) {
    const Input& input = tx.inputs[i];
    Bytes body;
    switch (input.type) {
      case InputType::spend: depth.add_entry("spend1", ids.spent[i], ids.entries[i]); break;
      case InputType::issuance:
        put_bytes(body, ids.entries[i]);
        put_bytes(body, input.asset);
        put_le64(body, input.amount);
        depth.add_entry("issuance1", body, ids.entries[i]);
        break;
      case InputType::coinbase:
        put_string(body, input.data);
        depth.add_entry("coinbase1", body, ids.entries[i]);
        break;
    }
  }
}

/// The last input of an id has its entry; a coinbase claims the first place.
void fill_table(const Transaction& tx, TransactionIds& ids) {
  std::map<Hash32, std::size_t> place;
  for (std::size_t i = 0; i < tx.inputs.size(); ++i) place[ids.entries[i]] = i;
  for (const auto& [id, i] : place) {
    if (tx.inputs[i].type != InputType::coinbase) ids.table[i] = id;
  }
  for (const auto& [id, i] : place) {
    if (tx.inputs[i].type == InputType::coinbase) ids.table[0] = id;
  }
}

void ask_mux(Depth& depth, const Transaction& tx, TransactionIds& ids) {
  Bytes body;
  put_varint(body, tx.inputs.size());
  for (std::size_t i = 0; i < tx.inputs.size(); ++i) {
    put_source(body, ids.entries[i], tx.inputs[i].asset, tx.inputs[i].amount, 0);
  }
  put_program(body, 1, kTrue);
  depth.add_entry("mux1", body, ids.mux);
}

void ask_outputs(Depth& depth, const Transaction& tx, TransactionIds& ids) {
  for (std::size_t i = 0; i < tx.outputs.size(); ++i) {
    const Output& output = tx.outputs[i];
    if (!output.retired()) {
      ask_output(depth, ids.mux, output.asset, output.amount, i, 1, output.program, ids.outputs[i]);
      continue;
    }
    Bytes body;
    put_source(body, ids.mux, output.asset, output.amount, i);
    depth.add_entry("retirement1", body, ids.outputs[i]);
  }
}

void ask_transaction(Depth& depth, const Transaction& tx, TransactionIds& ids) {
  Bytes body;
  put_le64(body, tx.version);
  put_le64(body, tx.time_range);
  put_varint(body, ids.outputs.size());
  for (const Hash32& output : ids.outputs) put_bytes(body, output);
  depth.add_entry("txheader", body, ids.id);
}

void ask_sighashes(Depth& depth, TransactionIds& ids) {
  for (std::size_t i = 0; i < ids.table.size(); ++i) {
    Bytes body(ids.table[i].begin(), ids.table[i].end());
    put_bytes(body, ids.id);
    depth.add(body, ids.sighashes[i]);
  }
}

}  // namespace

Result<std::vector<BlockIds>> ids(std::span<const Block* const> blocks, hashes::Kernel& hash, const StopToken& stop) {
  std::vector<BlockIds> out(blocks.size());
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    out[b].id = chain::header_hash(blocks[b]->header);
    for (const Transaction& tx : blocks[b]->transactions) {
      TransactionIds& t = out[b].transactions.emplace_back();
      for (auto* list : {&t.entries, &t.table, &t.spent, &t.sighashes}) list->resize(tx.inputs.size());
      t.outputs.resize(tx.outputs.size());
    }
  }
  Depth depth(hash, stop);
  const auto each = [&](auto ask) {
    for (std::size_t b = 0; b < blocks.size(); ++b) {
      for (std::size_t t = 0; t < out[b].transactions.size(); ++t) {
        ask(blocks[b]->transactions[t], out[b].transactions[t]);
      }
    }
    return depth.run();
  };
  SPARKMILL_TRY(each([&](const auto& tx, auto& t) { ask_spent(depth, tx, t); }));
  SPARKMILL_TRY(each([&](const auto& tx, auto& t) { ask_inputs(depth, tx, t); }));
  SPARKMILL_TRY(each([&](const auto& tx, auto& t) {
    fill_table(tx, t);
    ask_mux(depth, tx, t);
  }));
  SPARKMILL_TRY(each([&](const auto& tx, auto& t) { ask_outputs(depth, tx, t); }));
  SPARKMILL_TRY(each([&](const auto& tx, auto& t) { ask_transaction(depth, tx, t); }));
  SPARKMILL_TRY(each([&](const auto&, auto& t) { ask_sighashes(depth, t); }));
  std::vector<std::vector<Hash32>> leaves(blocks.size());
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    for (const TransactionIds& t : out[b].transactions) leaves[b].push_back(t.id);
  }
  SPARKMILL_ASSIGN(const auto roots, merkle::roots(merkle::Tree::bytom_sha3_256, leaves, hash, stop));
  for (std::size_t b = 0; b < blocks.size(); ++b) out[b].tx_root = roots[b].hash;
  return out;
}

}  // namespace sparkmill::blocks::bytom

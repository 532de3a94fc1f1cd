// SPDX-License-Identifier: Apache-2.0
// Wire form of blocks and transactions (Bytom blocks 1 to 3). Counts reserve nothing: every element takes bytes that
// are there, and the first one that does not ends the reading.
#include <algorithm>
#include <utility>

#include "base/hash.h"
#include "verify/blocks/bytom.h"
#include "verify/blocks/bytom_wire.h"

namespace sparkmill::blocks::bytom {
namespace {

constexpr std::uint8_t kHeaderOnly = 0x01;
constexpr std::uint8_t kFullBlock = 0x03;
constexpr std::uint8_t kTransaction = 0x07;
constexpr std::uint64_t kMax31 = (std::uint64_t{1} << 31) - 1;

/// The first thing that is wrong, shared by a reader and those inside it.
struct Trouble {
  const std::uint8_t* start;
  std::size_t at = 0;
  std::string what;
  Status status = Status::ok;
  bool canonical = true;
  /// Set where the bytes can be read on and cannot be judged: then a later byte may still be plainly wrong.
  std::string unsupported;
};

/// Reads field after field and never past its own end; after the first trouble everything is zero and empty.
class Reader {
 public:
  Reader(ByteView in, Trouble& trouble) : in_(in), trouble_(&trouble) {}

  bool ok() const { return trouble_->status == Status::ok; }
  bool empty() const { return in_.empty(); }
  const std::uint8_t* where() const { return in_.data(); }

  void wrong(std::string what) {
    if (!ok()) return;
    trouble_->at = static_cast<std::size_t>(in_.data() - trouble_->start);
    trouble_->what = std::move(what);
    trouble_->status = Status::bad_input;
    in_ = {};
  }
  /// Refused when the rest turns out to be readable.
  void unsupported(std::string what) {
    if (!ok() || !trouble_->unsupported.empty()) return;
    trouble_->at = static_cast<std::size_t>(in_.data() - trouble_->start);
    trouble_->unsupported = std::move(what);
  }
  void end() {
    if (ok() && !empty()) wrong("bytes follow it");
    if (!ok() || trouble_->unsupported.empty()) return;
    trouble_->what = trouble_->unsupported;
    trouble_->status = Status::unsupported;
  }
  ByteView bytes(std::uint64_t n, const char* field) {
    if (n > in_.size()) wrong(std::string("the bytes end within ") + field);
    if (!ok()) return {};
    const ByteView out = in_.first(static_cast<std::size_t>(n));
    in_ = in_.subspan(static_cast<std::size_t>(n));
    return out;
  }
  std::uint8_t byte(const char* field) {
    const ByteView one = bytes(1, field);
    return one.empty() ? 0 : one[0];
  }
  /// Unsigned LEB128, padded forms included.
  std::uint64_t varint(const char* field, std::uint64_t limit = chain::kMaxVarint63) {
    std::uint64_t value = 0;
    for (unsigned k = 0; k < 10; ++k) {
      const std::uint8_t b = byte(field);
      if (!ok()) return 0;
      if (k == 9 && b > 1) break;
      value |= std::uint64_t{b & 0x7fu} << (7 * k);
      if ((b & 0x80) != 0) continue;
      if (k > 0 && b == 0) trouble_->canonical = false;
      if (value > limit) {
        wrong(std::string(field) + " is over its limit of " + std::to_string(limit));
        return 0;
      }
      return value;
    }
    wrong(std::string(field) + " has more than ten bytes or 64 bits");
    return 0;
  }
  std::uint32_t count(const char* field) { return static_cast<std::uint32_t>(varint(field, kMax31)); }
  ByteView string(const char* field) { return bytes(count(field), field); }
  Hash32 hash(const char* field) {
    Hash32 out{};
    const ByteView raw = bytes(out.size(), field);
    std::copy(raw.begin(), raw.end(), out.begin());
    return out;
  }
  Arguments list(const char* field) {
    Arguments out;
    out.count = count(field);
    const std::uint8_t* const begin = where();
    for (std::uint32_t k = 0; k < out.count && ok(); ++k) string(field);
    if (!ok()) return {};
    out.wire = {begin, static_cast<std::size_t>(where() - begin)};
    return out;
  }
  /// An extensible string: a reader over its content.
  Reader inner(const char* field) { return {string(field), *trouble_}; }
  /// What is left over: a suffix.
  ByteView rest() { return std::exchange(in_, ByteView{}); }

 private:
  ByteView in_;
  Trouble* trouble_;
};

void must_be_one(Reader& in, std::uint64_t version, const char* field) {
  if (version != 1) in.wrong(std::string(field) + " is " + std::to_string(version) + ", not 1");
}

/// Of other versions the strings are opaque.
bool known_version(Reader& in, std::uint64_t asset_version) {
  if (asset_version != 1) in.unsupported("asset version " + std::to_string(asset_version) + ": only 1 can be judged");
  return asset_version == 1;
}

void read_issuance(Input& input, Reader& commitment, Reader& witness) {
  input.data = commitment.string("nonce");
  input.asset = commitment.hash("asset");
  input.amount = commitment.varint("amount");
  input.definition = witness.string("asset definition");
  input.vm_version = witness.varint("VM version");
  input.program = witness.string("issuance program");
  input.arguments = witness.list("arguments");
  if (witness.ok() && input.asset != asset_id(input.vm_version, input.program, input.definition)) {
    witness.wrong("the asset is not the one of its definition and program");
  }
}

void read_spend(Input& input, Reader& commitment, Reader& witness) {
  Reader spend = commitment.inner("spend commitment");
  input.source = spend.hash("source");
  input.asset = spend.hash("asset");
  input.amount = spend.varint("amount");
  input.position = spend.varint("position");
  input.vm_version = spend.varint("VM version");
  must_be_one(spend, input.vm_version, "VM version");
  input.program = spend.string("program");
  input.spend_suffix = spend.rest();
  input.arguments = witness.list("arguments");
}

Input read_input(Reader& in) {
  Input input;
  if (!known_version(in, in.varint("asset version"))) {
    in.string("input commitment");
    in.string("input witness");
    return input;
  }
  Reader commitment = in.inner("input commitment");
  const std::uint8_t type = commitment.byte("input type");
  if (type > static_cast<std::uint8_t>(InputType::coinbase)) commitment.wrong("input type " + std::to_string(type));
  // The witness lies behind the commitment, so errors in the latter must be found first.
  input.type = static_cast<InputType>(type);
  if (input.type == InputType::coinbase) {
    input.data = commitment.string("coinbase data");
    input.vm_version = 1;
  }
  Reader after = in;
  Reader witness = after.inner("input witness");
  if (input.type == InputType::issuance) read_issuance(input, commitment, witness);
  if (input.type == InputType::spend) read_spend(input, commitment, witness);
  input.commitment_suffix = commitment.rest();
  input.witness_suffix = witness.rest();
  in = after;
  return input;
}

Output read_output(Reader& in, bool& witness_empty) {
  Output output;
  if (!known_version(in, in.varint("asset version"))) {
    in.string("output commitment");
    in.string("output witness");
    return output;
  }
  Reader commitment = in.inner("output commitment");
  output.asset = commitment.hash("asset");
  output.amount = commitment.varint("amount");
  must_be_one(commitment, commitment.varint("VM version"), "VM version");
  output.program = commitment.string("program");
  output.suffix = commitment.rest();
  witness_empty = in.string("output witness").empty();
  return output;
}

Transaction read_transaction(Reader& in, Trouble& trouble) {
  Transaction tx;
  const std::uint8_t* const begin = in.where();
  if (const std::uint8_t flag = in.byte("transaction flag"); flag != kTransaction) {
    in.wrong("transaction flag " + std::to_string(flag) + ", not 7");
  }
  tx.version = in.varint("transaction version");
  tx.time_range = in.varint("time range");
  std::size_t coinbases = 0;
  for (std::uint32_t left = in.count("number of inputs"); left > 0 && in.ok(); --left) {
    tx.inputs.push_back(read_input(in));
    coinbases += tx.inputs.back().type == InputType::coinbase ? 1 : 0;
    if (coinbases > 1) in.unsupported("a second coinbase input in a transaction");
  }
  for (std::uint32_t left = in.count("number of outputs"); left > 0 && in.ok(); --left) {
    bool witness_empty = true;
    tx.outputs.push_back(read_output(in, witness_empty));
    trouble.canonical = trouble.canonical && witness_empty;
  }
  if (in.ok() && coinbases > 0 && tx.outputs.empty()) in.wrong("a coinbase input and no output");
  if (!in.ok()) return {};
  for (Input& input : tx.inputs) {
    if (input.type != InputType::coinbase) continue;
    input.asset = tx.outputs[0].asset;
    input.amount = tx.outputs[0].amount;
  }
  tx.size = static_cast<std::uint64_t>(in.where() - begin);
  return tx;
}

chain::BlockHeader read_header(Reader& in, Trouble& trouble) {
  chain::BlockHeader h;
  h.version = in.varint("version");
  h.height = in.varint("height");
  h.previous = in.hash("previous block");
  h.timestamp = in.varint("timestamp");
  Reader roots = in.inner("block commitment");
  h.transaction_merkle_root = roots.hash("transaction root");
  h.transaction_status_hash = roots.hash("status root");
  trouble.canonical = trouble.canonical && roots.empty();
  h.nonce = in.varint("nonce");
  h.bits = in.varint("bits");
  return h;
}

Error error_of(const Trouble& trouble, const char* what) {
  return fail(trouble.status, std::string(what) + ": byte " + std::to_string(trouble.at) + ": " + trouble.what);
}

Done size_fits(ByteView bytes, const char* what) {
  if (bytes.size() <= kMaxBlockBytes) return done();
  return fail(Status::too_large, std::string(what) + ": " + std::to_string(bytes.size()) +
                                     " bytes, over the limit of " + std::to_string(kMaxBlockBytes));
}

void put_list(Bytes& out, const Arguments& list) {
  put_varint(out, list.count);
  for (const ByteView item : list.items()) put_string(out, item);
}

void put_input(Bytes& out, const Input& input) {
  Bytes commitment{static_cast<std::uint8_t>(input.type)};
  Bytes witness;
  switch (input.type) {
    case InputType::issuance:
      put_string(commitment, input.data);
      put_bytes(commitment, input.asset);
      put_varint(commitment, input.amount);
      put_string(witness, input.definition);
      put_varint(witness, input.vm_version);
      put_string(witness, input.program);
      put_list(witness, input.arguments);
      break;
    case InputType::spend: {
      Bytes spend;
      put_bytes(spend, input.source);
      put_bytes(spend, input.asset);
      put_varint(spend, input.amount);
      put_varint(spend, input.position);
      put_varint(spend, input.vm_version);
      put_string(spend, input.program);
      put_bytes(spend, input.spend_suffix);
      put_string(commitment, spend);
      put_list(witness, input.arguments);
      break;
    }
    case InputType::coinbase: put_string(commitment, input.data); break;
  }
  put_bytes(commitment, input.commitment_suffix);
  put_bytes(witness, input.witness_suffix);
  put_varint(out, 1);
  put_string(out, commitment);
  put_string(out, witness);
}

void put_output(Bytes& out, const Output& output) {
  Bytes commitment;
  put_bytes(commitment, output.asset);
  put_varint(commitment, output.amount);
  put_varint(commitment, 1);
  put_string(commitment, output.program);
  put_bytes(commitment, output.suffix);
  put_varint(out, 1);
  put_string(out, commitment);
  put_varint(out, 0);  // witness
}

void put_transaction(Bytes& out, const Transaction& tx) {
  out.push_back(kTransaction);
  put_varint(out, tx.version);
  put_varint(out, tx.time_range);
  put_varint(out, tx.inputs.size());
  for (const Input& input : tx.inputs) put_input(out, input);
  put_varint(out, tx.outputs.size());
  for (const Output& output : tx.outputs) put_output(out, output);
}

}  // namespace

std::string_view name(InputType type) {
  switch (type) {
    case InputType::issuance: return "issuance";
    case InputType::spend: return "spend";
    case InputType::coinbase: return "coinbase";
  }
  return "?";
}

std::vector<ByteView> Arguments::items(std::uint32_t most) const {
  std::vector<ByteView> out;
  Trouble trouble{wire.data(), 0, {}, Status::ok, true, {}};
  Reader in(wire, trouble);
  for (std::uint32_t k = 0; k < std::min(count, most) && in.ok(); ++k) out.push_back(in.string("argument"));
  return out;
}

Hash32 asset_id(std::uint64_t vm_version, ByteView program, ByteView definition) {
  Bytes text;
  put_program(text, vm_version, program);
  put_bytes(text, sha3_256(definition));
  return sha3_256(text);
}

Result<Block> decode(ByteView bytes) {
  SPARKMILL_TRY(size_fits(bytes, "block"));
  Trouble trouble{bytes.data(), 0, {}, Status::ok, true, {}};
  Reader in(bytes, trouble);
  Block block;
  const std::uint8_t flag = in.byte("block flag");
  if (flag != kHeaderOnly && flag != kFullBlock) in.wrong("block flag " + std::to_string(flag) + ", not 1 or 3");
  block.header = read_header(in, trouble);
  if (flag == kFullBlock) {
    for (std::uint32_t left = in.count("number of transactions"); left > 0 && in.ok(); --left) {
      block.transactions.push_back(read_transaction(in, trouble));
    }
  }
  in.end();
  if (!in.ok()) return error_of(trouble, "block");
  block.canonical = trouble.canonical && flag == kFullBlock;
  return block;
}

Result<Transaction> decode_transaction(ByteView bytes) {
  SPARKMILL_TRY(size_fits(bytes, "transaction"));
  Trouble trouble{bytes.data(), 0, {}, Status::ok, true, {}};
  Reader in(bytes, trouble);
  Transaction tx = read_transaction(in, trouble);
  in.end();
  if (!in.ok()) return error_of(trouble, "transaction");
  return tx;
}

Bytes encode(const Block& block) {
  const chain::BlockHeader& h = block.header;
  Bytes out{kFullBlock};
  put_varint(out, h.version);
  put_varint(out, h.height);
  put_bytes(out, h.previous);
  put_varint(out, h.timestamp);
  put_varint(out, 64);
  put_bytes(out, h.transaction_merkle_root);
  put_bytes(out, h.transaction_status_hash);
  put_varint(out, h.nonce);
  put_varint(out, h.bits);
  put_varint(out, block.transactions.size());
  for (const Transaction& tx : block.transactions) put_transaction(out, tx);
  return out;
}

Bytes encode(const Transaction& transaction) {
  Bytes out;
  put_transaction(out, transaction);
  return out;
}

}  // namespace sparkmill::blocks::bytom

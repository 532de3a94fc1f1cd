// SPDX-License-Identifier: Apache-2.0
#include "verify/job/bytom_samples.h"

#include <sodium.h>

#include <algorithm>

#include "verify/blocks/bytom_wire.h"
#include "verify/chain/difficulty.h"
#include "verify/chain/params.h"
#include "verify/merkle/trees.h"
#include "verify/signatures/signers/ed25519_numbers.h"
#include "verify/signatures/signers/signers_impl.h"

namespace sparkmill::job {
namespace {

namespace bytom = blocks::bytom;
using Flaw = BlockPlantKind;
using signatures::flip_bit;

constexpr std::uint64_t kCoin = 100'000'000;
constexpr std::uint64_t kGasPrice = 200;
constexpr std::uint64_t kLeastFee = 8'000'000;
/// Enough for the program of one P2WPKH input, not for the bytes of any transaction.
constexpr std::uint64_t kLowFee = kGasPrice * 1'580;
constexpr std::uint64_t kFirstHeight = 150'000;  // above the last rule that a height switches on
constexpr std::uint64_t kHeights = 500'000;
constexpr std::uint64_t kFirstTime = 1'524'549'600, kSpacing = 150;
constexpr std::string_view kPassed = "{}";
constexpr std::string_view kFailed = R"({"status_fail":true})";

/// Targets that most hashes meet: 3/4 and 7/8 of all.
std::uint64_t easy_bits(bool easier) {
  chain::Target target;
  target.value[31] = easier ? 0xe0 : 0xc0;
  return chain::bits_from_target(target);
}

Bytes joined(std::initializer_list<ByteView> parts) {
  ByteWriter w;
  for (const ByteView part : parts) w.bytes(part);
  return std::move(w).data();
}

Bytes p2wsh(ByteView script) {
  const std::uint8_t head[] = {0x00, 0x20};
  return joined({head, sha3_256(script)});
}

bool of_header(Flaw flaw) { return flaw >= Flaw::version && flaw <= Flaw::work; }

}  // namespace

/// How a draft's inputs are opened, and where its flaw goes.
struct BytomSamples::Plan {
  std::vector<std::vector<Lock>> locks;  ///< by transaction and input
  std::uint64_t fees = 0;
  std::size_t bent = 0;        ///< transaction
  std::size_t bent_input = 0;  ///< of it
  std::uint64_t bent_fee = 0;  ///< of it
};

BytomSamples::BytomSamples(const Hash32& seed, hashes::Kernel& hash) : draw_(seed), hash_(hash) {}

ByteView BytomSamples::hold(BytomDraft& d, Bytes bytes) const { return d.held.emplace_back(std::move(bytes)); }

Hash32 BytomSamples::hash32() {
  Hash32 out{};
  for (std::uint8_t& b : out) b = static_cast<std::uint8_t>(draw_.u32());
  return out;
}

Bytes BytomSamples::drawn(std::size_t size) {
  Bytes out(size);
  for (std::uint8_t& b : out) b = static_cast<std::uint8_t>(draw_.u32());
  return out;
}

const BytomSamples::Key& BytomSamples::new_key() {
  Key& key = keys_.emplace_back();
  const Hash32 secret = hash32();
  crypto_sign_seed_keypair(key.pub.data(), key.secret.data(), secret.data());
  return key;
}

Bytes BytomSamples::program_of(ByteView hash) {
  const std::uint8_t head[] = {0x00, 0x14};
  return joined({ByteView(head), hash});
}

/// TXSIGHASH keys m n CHECKMULTISIG: the signers, and a key that does not sign.
Bytes BytomSamples::multisig_script(const std::vector<const Key*>& signers) {
  std::vector<const Key*> keys = signers;
  keys.insert(keys.begin() + static_cast<std::ptrdiff_t>(draw_.below(keys.size() + 1)), &new_key());
  Bytes out{0xae};
  for (const Key* key : keys) {
    out.push_back(0x20);
    blocks::bytom::put_bytes(out, key->pub);
  }
  out.push_back(static_cast<std::uint8_t>(0x50 + signers.size()));
  out.push_back(static_cast<std::uint8_t>(0x50 + keys.size()));
  out.push_back(0xad);
  return out;
}

Bytes BytomSamples::sign(const Key& key, const Hash32& message) {
  Bytes out(64);
  crypto_sign_detached(out.data(), nullptr, message.data(), message.size(), key.secret.data());
  return out;
}

BytomSamples::Shape BytomSamples::any_shape() {
  // Payments are half of it.
  constexpr Shape kShapes[] = {Shape::pay,      Shape::pay,   Shape::pay,   Shape::pay,
                               Shape::multisig, Shape::asset, Shape::issue, Shape::failing};
  return kShapes[draw_.below(std::size(kShapes))];
}

void BytomSamples::add_input(BytomDraft& d, Plan& p, std::size_t tx, const Hash32& asset, std::uint64_t amount,
                             Lock lock) {
  bytom::Input& input = d.block.transactions[tx].inputs.emplace_back();
  input.asset = asset;
  input.amount = amount;
  if (lock.form == Lock::Form::issuance) {
    input.type = bytom::InputType::issuance;
    input.data = hold(d, drawn(8));
    input.definition = hold(d, drawn(24 + draw_.below(40)));
    input.program = hold(d, lock.script);
    input.asset = bytom::asset_id(1, input.program, input.definition);
  } else {
    input.source = hash32();
    input.position = draw_.below(3);
    input.program =
        hold(d, lock.form == Lock::Form::script ? p2wsh(lock.script) : program_of(ripemd160(lock.signers[0]->pub)));
  }
  p.locks[tx].push_back(std::move(lock));
}

/// `amount` in 1 to `most` parts, to keys and scripts.
void BytomSamples::add_outputs(BytomDraft& d, std::size_t tx, const Hash32& asset, std::uint64_t amount,
                               std::uint64_t most) {
  for (std::uint64_t left = 1 + draw_.below(most); left > 0; --left) {
    const std::uint64_t part = left == 1 ? amount : 1 + draw_.below(amount / left);
    amount -= part;
    Bytes program = draw_.below(4) == 0 ? p2wsh(drawn(40)) : program_of(drawn(20));
    d.block.transactions[tx].outputs.push_back({asset, part, hold(d, std::move(program)), {}});
  }
}

void BytomSamples::add_transaction(BytomDraft& d, Plan& p, Shape shape) {
  const std::size_t tx = d.block.transactions.size();
  d.block.transactions.emplace_back();
  p.locks.emplace_back();
  const std::uint64_t fee = kLeastFee + draw_.below(kLeastFee);
  std::uint64_t btm = 0;
  for (std::uint64_t left = shape == Shape::pay ? 1 + draw_.below(3) : 1; left > 0; --left) {
    const std::uint64_t amount = kCoin + draw_.below(60 * kCoin);
    Lock lock = single();
    if (shape == Shape::multisig) {
      lock.form = Lock::Form::script;
      lock.signers.push_back(&new_key());
      lock.script = multisig_script(lock.signers);
    }
    add_input(d, p, tx, bytom::kBtm, amount, std::move(lock));
    btm += amount;
  }
  if (shape == Shape::asset || shape == Shape::issue || shape == Shape::failing) {
    const std::uint64_t amount = 1'000 + draw_.below(1'000'000'000);
    Lock lock = single();
    lock.fails = shape == Shape::failing;
    if (shape == Shape::issue) {
      lock.form = Lock::Form::issuance;
      lock.script = multisig_script(lock.signers);
    }
    add_input(d, p, tx, hash32(), amount, std::move(lock));
    const Hash32 asset = d.block.transactions[tx].inputs.back().asset;
    add_outputs(d, tx, asset, amount, 2);
    if (draw_.below(4) == 0) d.block.transactions[tx].outputs.back().program = hold(d, {0x6a});
  }
  add_outputs(d, tx, bytom::kBtm, btm - fee, 3);
  p.fees += fee;
  if (tx == p.bent) p.bent_fee = fee;
}

void BytomSamples::add_coinbase(BytomDraft& d, Plan& p) {
  bytom::Transaction& tx = d.block.transactions[0];
  const std::uint64_t height = d.block.header.height;
  bytom::Input& input = tx.inputs.emplace_back();
  input.type = bytom::InputType::coinbase;
  std::string text(1, '\0');
  text += std::to_string(height);
  input.data = hold(d, Bytes(text.begin(), text.end()));
  tx.outputs.push_back({bytom::kBtm, bytom::subsidy(height) + p.fees, hold(d, program_of(drawn(20))), {}});
  p.locks[0].emplace_back();
  bend_coinbase(d);
  input.asset = tx.outputs[0].asset;
  input.amount = tx.outputs[0].amount;
}

void BytomSamples::bend_coinbase(BytomDraft& d) {
  bytom::Transaction& tx = d.block.transactions[0];
  bytom::Output& output = tx.outputs[0];
  switch (d.flaw.value_or(Flaw::cut)) {
    case Flaw::coinbase_more: output.amount += 1 + draw_.below(1'000); break;
    case Flaw::coinbase_less: output.amount -= 1 + draw_.below(1'000); break;
    case Flaw::coinbase_two_outputs: tx.outputs.push_back({bytom::kBtm, 0, hold(d, program_of(drawn(20))), {}}); break;
    case Flaw::coinbase_retired: output.program = hold(d, {0x6a}); break;
    case Flaw::coinbase_asset: output.asset = hash32(); break;
    case Flaw::coinbase_data: tx.inputs[0].data = hold(d, drawn(129 + draw_.below(8))); break;
    default: break;
  }
}

void BytomSamples::bend(BytomDraft& d, Plan& p) {
  bytom::Transaction& tx = d.block.transactions[p.bent];
  bytom::Output& last = tx.outputs.back();
  switch (*d.flaw) {
    case Flaw::second_coinbase: {
      // In front: a coinbase input takes place 0 in the table of ids, wherever it stands.
      bytom::Input input;
      input.type = bytom::InputType::coinbase;
      input.data = hold(d, drawn(7));
      input.asset = tx.outputs[0].asset;
      input.amount = tx.outputs[0].amount;
      tx.inputs.insert(tx.inputs.begin(), input);
      p.locks[p.bent].insert(p.locks[p.bent].begin(), Lock{});
      break;
    }
    case Flaw::asset_more: tx.outputs[0].amount += 1 + draw_.below(1'000); break;
    case Flaw::asset_nowhere: last.asset = hash32(); break;
    case Flaw::asset_overflow: {
      const Hash32 asset = tx.inputs.back().asset;
      constexpr std::uint64_t kHalf = std::uint64_t{1} << 62;
      tx.inputs.back().amount = kHalf + draw_.below(kHalf);
      add_input(d, p, p.bent, asset, kHalf + draw_.below(kHalf), single());
      break;
    }
    case Flaw::btm_more: last.amount += p.bent_fee + 1 + draw_.below(1'000); break;
    case Flaw::no_fee: last.amount += p.bent_fee; break;
    case Flaw::low_fee: last.amount += p.bent_fee - kLowFee; break;
    case Flaw::no_outputs: tx.outputs.clear(); break;
    case Flaw::transaction_version: tx.version = 2 + draw_.below(3); break;
    case Flaw::time_range: tx.time_range = d.block.header.height - 1 - draw_.below(500); break;
    case Flaw::not_standard: last.program = hold(d, joined({Bytes{0x00, 0x13}, drawn(19)})); break;
    case Flaw::duplicate_input: {
      const bytom::Input again = tx.inputs[0];
      tx.inputs.push_back(again);
      p.locks[p.bent].push_back(p.locks[p.bent][0]);
      break;
    }
    default: break;
  }
}

std::vector<Bytes> BytomSamples::arguments_of(const Lock& lock, const Hash32& sighash) {
  std::vector<Bytes> out;
  // The walk goes up through keys and signatures alike, and the script holds its signers in this order.
  for (const Key* key : lock.signers) out.push_back(sign(*key, sighash));
  if (lock.fails) flip_bit(out[0], 0, 32, draw_);
  if (lock.form == Lock::Form::script) out.push_back(lock.script);
  if (lock.form == Lock::Form::single) out.emplace_back(lock.signers[0]->pub.begin(), lock.signers[0]->pub.end());
  return out;
}

void BytomSamples::bend_arguments(Flaw flaw, const Lock& lock, std::vector<Bytes>& arguments) {
  Bytes& first = arguments[0];
  switch (flaw) {
    case Flaw::commitment_bit:
    case Flaw::asset_signature_bit: flip_bit(first, 0, 32, draw_); break;
    case Flaw::multisig_bit: flip_bit(arguments[draw_.below(lock.signers.size())], 0, 63, draw_); break;
    case Flaw::scalar_bit: flip_bit(first, 32, 63, draw_); break;
    case Flaw::key_bit: flip_bit(arguments[1], 0, 32, draw_); break;
    case Flaw::wrong_message: first = sign(*lock.signers[0], hash32()); break;
    case Flaw::scalar_plus_order: signatures::ed25519_numbers::add_order(first.data() + 32); break;
    case Flaw::scalar_top_bits: first[63] |= static_cast<std::uint8_t>(0x20u << draw_.below(3)); break;
    case Flaw::long_signature: first.push_back(static_cast<std::uint8_t>(draw_.u32())); break;
    case Flaw::no_arguments: arguments.clear(); break;
    case Flaw::swapped_arguments:
    case Flaw::signature_order: std::swap(arguments[0], arguments[1]); break;
    case Flaw::same_signature: arguments[1] = first; break;
    case Flaw::other_script: flip_bit(arguments.back(), 2, 34, draw_); break;
    default: break;
  }
}

void BytomSamples::bend_header(BytomDraft& d) {
  chain::BlockHeader& h = d.block.header;
  Bytes bytes;
  switch (*d.flaw) {
    case Flaw::transaction_root:
      h.transaction_merkle_root[draw_.below(32)] ^= static_cast<std::uint8_t>(1u << draw_.below(8));
      break;
    case Flaw::status_root:
      h.transaction_status_hash[draw_.below(32)] ^= static_cast<std::uint8_t>(1u << draw_.below(8));
      break;
    case Flaw::roots_swapped: std::swap(h.transaction_merkle_root, h.transaction_status_hash); break;
    case Flaw::transactions_swapped: std::swap(d.block.transactions[1], d.block.transactions[2]); break;
    case Flaw::version: h.version = 2 + draw_.below(3); break;
    case Flaw::height: d.context->parent_height = h.height + (draw_.below(2) == 0 ? 0 : 1 + draw_.below(300)); break;
    case Flaw::bits: h.bits = easy_bits(h.bits != easy_bits(true)); break;
    case Flaw::previous: h.previous[draw_.below(32)] ^= static_cast<std::uint8_t>(1u << draw_.below(8)); break;
    case Flaw::old_time: h.timestamp = *d.context->median_time - draw_.below(2 * kSpacing); break;
    case Flaw::future_time:
      d.context->now = h.timestamp - chain::bytom_params().max_ahead - 1 - draw_.below(kSpacing);
      break;
    default: break;
  }
}

Result<BytomDraft> BytomSamples::draft(std::optional<Flaw> flaw, const std::optional<Hash32>& work_seed,
                                       const StopToken& stop) {
  BytomDraft d;
  d.flaw = flaw;
  chain::BlockHeader& h = d.block.header;
  h.height = kFirstHeight + draw_.below(kHeights);
  h.previous = hash32();
  h.timestamp = kFirstTime + h.height * kSpacing + draw_.below(kSpacing);
  h.bits = easy_bits(draw_.below(2) == 0);
  h.nonce = draw_.u64() >> 1;
  if (work_seed || draw_.below(8) != 0 || (flaw && of_header(*flaw))) {
    bytom::Context& c = d.context.emplace();
    c.parent_id = h.previous;
    c.parent_height = h.height - 1;
    c.bits = h.bits;
    c.median_time = h.timestamp - 1 - draw_.below(8 * kSpacing);
    c.seed = work_seed;
    c.now = h.timestamp + draw_.below(2 * kSpacing);
  }

  Plan p;
  d.block.transactions.emplace_back();
  p.locks.emplace_back();
  const std::size_t count = 1 + draw_.below(4) + (flaw == Flaw::transactions_swapped ? 1 : 0);
  Shape bent = any_shape();
  if (flaw) {
    p.bent = 1 + draw_.below(count);
    const BlockPlantRow& row = *find_block_plant(*flaw);
    if (row.kind <= Flaw::swapped_arguments || row.kind >= Flaw::btm_more || row.kind == Flaw::second_coinbase ||
        row.kind == Flaw::asset_nowhere) {
      bent = Shape::pay;
    }
    if (row.kind >= Flaw::same_signature && row.kind <= Flaw::signature_order) bent = Shape::multisig;
    if (row.kind == Flaw::asset_signature_bit || row.kind == Flaw::asset_more || row.kind == Flaw::asset_overflow) {
      bent = Shape::asset;
    }
    if (row.kind >= Flaw::cut) bent = any_shape();
  }
  for (std::size_t tx = 1; tx <= count; ++tx) add_transaction(d, p, tx == p.bent ? bent : any_shape());
  add_coinbase(d, p);
  if (flaw) bend(d, p);

  const bytom::Block* const block = &d.block;
  SPARKMILL_ASSIGN(const auto ids, bytom::ids({&block, 1}, hash_, stop));
  p.bent_input = draw_.below(std::max<std::size_t>(1, p.locks[p.bent].size()));
  if (flaw == Flaw::asset_signature_bit) p.bent_input = 1;
  std::vector<ByteView> status;
  for (std::size_t t = 0; t < d.block.transactions.size(); ++t) {
    bool failed = false;
    for (std::size_t i = 0; i < p.locks[t].size(); ++i) {
      const Lock& lock = p.locks[t][i];
      if (lock.form == Lock::Form::none) continue;
      const Hash32& sighash = ids[0].transactions[t].sighashes[i];
      std::vector<Bytes> arguments = arguments_of(lock, sighash);
      failed = failed || lock.fails;
      if (flaw && t == p.bent && i == p.bent_input) {
        if (flaw == Flaw::wrong_key) arguments[0] = sign(new_key(), sighash);
        bend_arguments(*flaw, lock, arguments);
      }
      Bytes wire;
      for (const Bytes& argument : arguments) bytom::put_string(wire, argument);
      d.block.transactions[t].inputs[i].arguments = {hold(d, std::move(wire)),
                                                     static_cast<std::uint32_t>(arguments.size())};
    }
    if (flaw == Flaw::claimed_failure && t == p.bent) failed = !failed;
    status.push_back(view(failed ? kFailed : kPassed));
  }
  const std::size_t offsets[] = {0, status.size()};
  SPARKMILL_ASSIGN(const std::vector<Hash32> roots, merkle::bytom_roots(status, offsets, hash_, stop));
  h.transaction_merkle_root = ids[0].tx_root;
  h.transaction_status_hash = roots[0];
  if (flaw) bend_header(d);
  return d;
}

Bytes BytomSamples::bytes(const BytomDraft& draft) {
  Bytes out = bytom::encode(draft.block);
  if (!draft.flaw) return out;
  constexpr std::size_t kVersionAt = 1;
  const auto version = out.begin() + static_cast<std::ptrdiff_t>(kVersionAt);
  switch (*draft.flaw) {
    case Flaw::cut: out.resize(out.size() - 1 - draw_.below(40)); break;
    case Flaw::trailing: bytom::put_bytes(out, drawn(1 + draw_.below(40))); break;
    case Flaw::flag: out[0] = static_cast<std::uint8_t>(out[0] ^ (4u << draw_.below(6))); break;
    case Flaw::padded_number:
      *version |= 0x80;
      out.insert(version + 1, 0);
      break;
    case Flaw::long_number: {
      *version |= 0x80;
      Bytes more(9, 0x80);
      more.push_back(0);
      out.insert(version + 1, more.begin(), more.end());
      break;
    }
    case Flaw::asset_version: {
      // The first place that names BTM is the output of the coinbase: version, length, asset.
      const auto asset = std::search(out.begin(), out.end(), bytom::kBtm.begin(), bytom::kBtm.end());
      *(asset - 2) = 2;
      break;
    }
    case Flaw::any_bit: flip_bit(out, 0, out.size(), draw_); break;
    default: break;
  }
  return out;
}

}  // namespace sparkmill::job

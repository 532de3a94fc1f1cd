// SPDX-License-Identifier: Apache-2.0
// Checkpoints and exits from their fields.
#include "verify/blocks/evidence/cases.h"

namespace sparkmill::evidence {

using namespace bttc;

Amount read_amount(const Fields& f, const char* field) {
  const Json& j = f.at(field);
  std::optional<Amount> value;
  if (j.is_number_unsigned()) value = j.get<std::uint64_t>();
  if (j.is_string()) value = amount(j.get_ref<const std::string&>());
  if (!value || *value > kMaxAmount) throw Malformed{f.path(field) + " is no integer from 0 to 2^110"};
  return *value;
}

SignatureWords read_words(const Json& list, const std::function<std::string()>& what) {
  SignatureWords out;
  const bool three = list.is_array() && list.size() == 3;
  if (three && Fields::plain_hex(list[0], out.r) && Fields::plain_hex(list[1], out.s) &&
      Fields::plain_hex(list[2], out.v)) {
    return out;
  }
  if (!three) throw Malformed{what() + " is no list of three words"};
  return {Fields::hex_array<32>(list[0], what()), Fields::hex_array<32>(list[1], what()),
          Fields::hex_array<32>(list[2], what())};
}

namespace {

Standing standing(const Fields& f) {
  const std::string text = f.text("status");
  return text == "active" ? Standing::active : text == "locked" ? Standing::locked : Standing::inactive;
}

}  // namespace

CheckpointCase read_checkpoint(const Fields& f) {
  CheckpointCase c;
  const Fields s = f.object("state");
  for (const Json& v : s.list("validators", kMaxValidators)) {
    const Fields one(v, s, "validators", c.validators.size());
    c.validators.push_back({one.array<20>("signer"), read_amount(one, "amount"), read_amount(one, "delegated"),
                            standing(one), one.integer("deactivation_epoch")});
  }
  c.state.chain_id = s.integer("chain_id");
  if (s.has("last_end")) c.state.last_end = s.integer("last_end");
  c.state.epoch = s.integer("epoch");
  c.state.staker_count = s.integer("staker_count");
  c.state.total_stake = read_amount(s, "total_stake");
  c.data = f.bytes("data", kMaxDataBytes);
  for (const Json& sig : f.list("sigs", kMaxSignatures)) {
    c.signatures.push_back(
        read_words(sig, [&] { return f.path("sigs") + "[" + std::to_string(c.signatures.size()) + "]"; }));
  }
  return c;
}

ExitCase read_exit(const Fields& f) {
  ExitCase c;
  const Json& headers = f.at("headers");
  if (!headers.is_object()) throw Malformed{f.path("headers") + " is no object"};
  for (const auto& [number, stored] : headers.items()) {
    const Fields one(stored, f.path("headers") + "." + number);
    const Json key = {{"n", number}};
    c.state.headers[Fields(key, f.path("headers")).integer("n")] = {one.array<32>("root"), one.integer("start"),
                                                                    one.integer("end")};
  }
  for (const Json& id : f.list("processed", kMaxStates)) {
    c.state.processed.insert(Fields::hex_array<32>(id, f.path("processed")));
  }
  c.payload = f.bytes("payload", kMaxPayloadBytes);
  return c;
}

}  // namespace sparkmill::evidence

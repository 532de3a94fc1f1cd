// SPDX-License-Identifier: Apache-2.0
// Draws, blocks and equivocations from their fields.
#include "verify/blocks/evidence/cases.h"

namespace sparkmill::evidence {

using namespace btn;

OwnedDraw read_draw(const Fields& f) {
  return {f.bytes("n", kMaxKeyText), read_u32(f, "round"), f.bytes("sig", kMaxKeyText)};
}

std::vector<OwnedDraw> read_draws(const Fields& f) {
  std::vector<OwnedDraw> draws;
  for (const Json& d : f.list("draws", kMaxDraws)) {
    draws.push_back(read_draw({d, f, "draws", draws.size()}));
  }
  return draws;
}

namespace {

KeySet read_keys(const Fields& f, const char* field, std::vector<Modulus>& keys) {
  for (const Json& j : f.list(field, kMaxVotes)) keys.push_back(Fields::hex_array<256>(j, f.path(field)));
  auto set = KeySet::make(keys);
  if (!set) throw Malformed{f.path(field) + ": " + set.error().message};
  return std::move(*set);
}

void read_params(const Fields& p, BlockCase& c) {
  c.sets = std::make_unique<std::array<KeySet, 2>>();
  (*c.sets)[0] = read_keys(p, "primary", c.moduli[0]);
  (*c.sets)[1] = read_keys(p, "secondary", c.moduli[1]);
  c.rules.primary = &(*c.sets)[0];
  c.rules.secondary = &(*c.sets)[1];
  c.rules.draw = {read_u32(p, "m1"), read_u32(p, "max_round")};
  c.rules.m2 = read_u32(p, "m2");
  c.rules.wanted = p.integer("wanted");
  const std::string rule = p.text("rule");
  if (rule != "unanimous" && rule != "two_thirds")
    throw Malformed{p.path("rule") + " is none of unanimous, two_thirds"};
  c.rules.rule = rule == "unanimous" ? VoteRule::unanimous : VoteRule::two_thirds;
  c.rules.vote_form = p.integer("vote_form", 1) == 0 ? VoteForm::bare : VoteForm::height;
  c.rules.parent_hash = p.array<32>("parent_hash");
  c.rules.parent_height = p.integer("parent_height");
}

}  // namespace

BlockCase read_btn_block(const Fields& f) {
  BlockCase c;
  read_params(f.object("params"), c);
  c.header = f.bytes("header", kMaxHeaderBytes);
  c.clerk_signature = f.bytes("clerk_sig", kMaxKeyText);
  c.owned = read_draws(f);
  const std::size_t draws = c.owned.size();
  const bool sealed = f.has("seal");
  if (sealed) c.owned.push_back(read_draw(f.object("seal")));
  for (const Json& v : f.list("votes", kMaxVotes)) {
    const Fields one(v, f, "votes", c.block.votes.size());
    c.owned.push_back({one.bytes("n", kMaxKeyText), 0, one.bytes("sig", kMaxKeyText)});
    c.block.votes.emplace_back();
  }
  // Bytes stay where they are when the case moves, since vectors keep their memory.
  c.block.header = c.header;
  c.block.clerk_signature = c.clerk_signature;
  for (std::size_t i = 0; i < draws; ++i) c.block.draws.push_back(c.owned[i].view());
  if (sealed) c.block.seal = c.owned[draws].view();
  for (std::size_t i = 0; i < c.block.votes.size(); ++i) {
    const OwnedDraw& v = c.owned[draws + (sealed ? 1 : 0) + i];
    c.block.votes[i] = {v.n, v.signature};
  }
  return c;
}

EquivocationCase read_equivocation(const Fields& f) {
  EquivocationCase c{f.bytes("n", kMaxKeyText), f.bytes("sig_a", kMaxKeyText), f.bytes("sig_b", kMaxKeyText), {}};
  const std::string type = f.text("type");
  if (type != "V" && type != "B") throw Refused{"bad_type"};
  c.item = {type == "V" ? EquivocationType::vote : EquivocationType::clerk,
            c.n,
            f.integer("height"),
            f.array<32>("hash_a"),
            f.array<32>("hash_b"),
            c.signature_a,
            c.signature_b};
  return c;
}

}  // namespace sparkmill::evidence

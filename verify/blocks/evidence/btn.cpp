// SPDX-License-Identifier: Apache-2.0
// The kinds of BTN: "Consensus evidence" 3.
#include <algorithm>
#include <numeric>

#include "verify/blocks/btn/frame.h"
#include "verify/blocks/btn/seal.h"
#include "verify/blocks/evidence/fields.h"

namespace sparkmill::evidence {
namespace {

using namespace btn;

constexpr std::uint64_t kMaxU32 = 0xffffffff;
constexpr std::size_t kMaxKeyText = 4096;     ///< bytes of a key or signature in a text; right ones have 256
constexpr std::size_t kMaxChunks = 1u << 22;  ///< pieces of a stream
constexpr std::size_t kMaxRanked = 1u << 20;

Result<btn::Kernels> both(const Kernels& kernels) {
  if (kernels.hash != nullptr && kernels.rsa != nullptr) return btn::Kernels{*kernels.rsa, *kernels.hash};
  return fail(Status::unsupported, "signatures of BTN need kernels of the families rsa and hash");
}

std::uint32_t u32(const Fields& f, const char* field) { return static_cast<std::uint32_t>(f.integer(field, kMaxU32)); }

/// A draw or vote that owns its bytes.
struct OwnedDraw {
  Bytes n;
  std::uint32_t round = 0;
  Bytes signature;
  Draw view() const { return {n, round, signature}; }
};
OwnedDraw read_draw(const Fields& f) {
  return {f.bytes("n", kMaxKeyText), u32(f, "round"), f.bytes("sig", kMaxKeyText)};
}

std::vector<OwnedDraw> read_draws(const Fields& f) {
  std::vector<OwnedDraw> draws;
  for (const Json& d : f.list("draws", kMaxDraws)) {
    draws.push_back(read_draw({d, f, "draws", draws.size()}));
  }
  return draws;
}

/// {"order": [indices]}
template <class T>
void set_order(Task& task, const std::vector<T>& list) {
  std::vector<std::size_t> order(list.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return before(list[a], list[b]); });
  task.out = {{"order", order}};
}

Done run_leading_zeros(std::span<Task*> tasks, const Run&) {
  return each(tasks, [](const Fields& f, Task& task) { task.out = {{"zeros", leading_zeros(f.array<32>("hash"))}}; });
}

Done run_zeros_for(std::span<Task*> tasks, const Run&) {
  return each(tasks, [](const Fields& f, Task& task) {
    task.out = {{"z", zeros_for(f.integer("nodes"), f.integer("wanted"))}};
  });
}

struct DrawCase {
  OwnedDraw draw;
  Hash32 previous;
  DrawRules rules;
};

Done run_draw(std::span<Task*> tasks, const Run& run) {
  SPARKMILL_ASSIGN(const btn::Kernels kernels, both(run.kernels));
  const auto cases = decode<DrawCase>(
      tasks,
      [](const Fields& f) {
        return DrawCase{read_draw(f), f.array<32>("prev_hash"), {u32(f, "m1"), u32(f, "max_round")}};
      },
      limit_verdict);
  SignatureTable table;
  for (const DrawCase& c : cases.cases) {
    table.add(c.draw.n, draw_message(c.previous, c.draw.round), c.draw.signature);
  }
  SPARKMILL_ASSIGN(const std::vector<Checked> checked, table.run(kernels, run.stop));
  for (std::size_t i = 0; i < checked.size(); ++i) {
    const auto v = check_draw(cases.cases[i].rules, cases.cases[i].draw.round, checked[i]);
    set_verdict(*cases.tasks[i], v.ok, v.reason);
    if (!v.facts.signed_well) continue;
    cases.tasks[i]->out["digest"] = to_hex(v.facts.digest);
    cases.tasks[i]->out["zeros"] = v.facts.zeros;
  }
  return done();
}

struct ListCase {
  std::vector<OwnedDraw> owned;
  std::vector<Draw> draws;
  DrawList list;
};

ListCase read_list(const Fields& f) {
  ListCase c;
  c.owned = read_draws(f);
  for (const OwnedDraw& d : c.owned) c.draws.push_back(d.view());
  c.list.previous = f.array<32>("prev_hash");
  c.list.rules.m1 = u32(f, "m1");
  c.list.rules.max_round = f.has("max_round") ? u32(f, "max_round") : static_cast<std::uint32_t>(kMaxU32);
  c.list.wanted = f.has("wanted") ? f.integer("wanted") : 0;
  return c;
}

Done run_draw_priority(std::span<Task*> tasks, const Run& run) {
  SPARKMILL_ASSIGN(const btn::Kernels kernels, both(run.kernels));
  const auto cases = decode<ListCase>(tasks, read_list, limit_verdict);
  SignatureTable table;
  for (const ListCase& c : cases.cases) {
    for (const Draw& d : c.draws) table.add(d.n, draw_message(c.list.previous, d.round), d.signature);
  }
  SPARKMILL_ASSIGN(const std::vector<Checked> checked, table.run(kernels, run.stop));
  std::size_t at = 0;
  for (std::size_t i = 0; i < cases.cases.size(); ++i) {
    std::vector<DrawRank> ranks;
    for (const Draw& d : cases.cases[i].draws) {
      const Checked& c = checked[at++];
      if (!c.valid) refuse(*cases.tasks[i], "bad_signature");
      ranks.push_back({d.round, c.zeros, c.digest});
    }
    set_order(*cases.tasks[i], ranks);
  }
  return done();
}

void set_committee(Task& task, const Committee& c) {
  Json members = Json::array();
  for (const CommitteeMember& m : c.members) members.push_back(to_hex(m.id));
  task.out = {{"ok", c.ready()}, {"members", std::move(members)}, {"closing_round", c.closing_round}};
  if (!c.ready()) refuse(task, "committee_not_ready");
}

Done run_committee(std::span<Task*> tasks, const Run& run) {
  SPARKMILL_ASSIGN(const btn::Kernels kernels, both(run.kernels));
  const auto cases = decode<ListCase>(tasks, read_list, [](Task& task) {
    set_committee(task, {});
    refuse(task, "limit");
  });
  std::vector<DrawList> lists;
  for (const ListCase& c : cases.cases) {
    lists.push_back(c.list);
    lists.back().draws = c.draws;
  }
  SPARKMILL_ASSIGN(const std::vector<Committee> found, committees(lists, kernels, run.stop));
  for (std::size_t i = 0; i < found.size(); ++i) set_committee(*cases.tasks[i], found[i]);
  return done();
}

KeySet read_keys(const Fields& f, const char* field) {
  std::vector<Modulus> keys;
  for (const Json& j : f.list(field, kMaxVotes)) keys.push_back(Fields::hex_array<256>(j, f.path(field)));
  auto set = KeySet::make(keys);
  if (!set) throw Malformed{f.path(field) + ": " + set.error().message};
  return std::move(*set);
}

struct BlockCase {
  std::unique_ptr<std::array<KeySet, 2>> sets;  ///< stays where it is when the case moves
  BlockRules rules;
  std::vector<OwnedDraw> owned;  ///< draws, then the seal, then votes
  Bytes header, clerk_signature;
  Block block;
};

void read_params(const Fields& p, BlockCase& c) {
  c.sets = std::make_unique<std::array<KeySet, 2>>();
  (*c.sets)[0] = read_keys(p, "primary");
  (*c.sets)[1] = read_keys(p, "secondary");
  c.rules.primary = &(*c.sets)[0];
  c.rules.secondary = &(*c.sets)[1];
  c.rules.draw = {u32(p, "m1"), u32(p, "max_round")};
  c.rules.m2 = u32(p, "m2");
  c.rules.wanted = p.integer("wanted");
  const std::string rule = p.text("rule");
  if (rule != "unanimous" && rule != "two_thirds")
    throw Malformed{p.path("rule") + " is none of unanimous, two_thirds"};
  c.rules.rule = rule == "unanimous" ? VoteRule::unanimous : VoteRule::two_thirds;
  c.rules.vote_form = p.integer("vote_form", 1) == 0 ? VoteForm::bare : VoteForm::height;
  c.rules.parent_hash = p.array<32>("parent_hash");
  c.rules.parent_height = p.integer("parent_height");
}

BlockCase read_block(const Fields& f) {
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

void set_block(Task& task, const blocks::Verdict<BlockFacts>& v) {
  task.out = {{"state", v.facts.state}, {"reason", v.reason}};
  if (!v.detail.empty()) task.out["detail"] = v.detail;
  if (!v.ok) refuse(task, v.reason);
}

Done run_block(std::span<Task*> tasks, const Run& run) {
  SPARKMILL_ASSIGN(const btn::Kernels kernels, both(run.kernels));
  const auto cases =
      decode<BlockCase>(tasks, read_block, [](Task& task) { set_block(task, blocks::refused<BlockFacts>("limit")); });
  std::vector<BlockItem> items;
  for (const BlockCase& c : cases.cases) items.push_back({&c.rules, &c.block});
  SPARKMILL_ASSIGN(const auto verdicts, check_blocks(items, kernels, run.stop));
  for (std::size_t i = 0; i < verdicts.size(); ++i) set_block(*cases.tasks[i], verdicts[i]);
  return done();
}

Done run_block_priority(std::span<Task*> tasks, const Run&) {
  return each(tasks, [](const Fields& f, Task& task) {
    std::vector<BlockRank> ranks;
    for (const Json& j : f.list("blocks", kMaxRanked)) {
      const Fields b(j, f.path("blocks") + "[" + std::to_string(ranks.size()) + "]");
      ranks.push_back({u32(b, "seal_round"), u32(b, "seal_zeros"), u32(b, "draw_round"), u32(b, "draw_zeros"),
                       b.array<32>("draw_digest"), b.array<32>("block_hash")});
    }
    set_order(task, ranks);
  });
}

struct EquivocationCase {
  Bytes n, signature_a, signature_b;
  Equivocation item;
};

Done run_equivocation(std::span<Task*> tasks, const Run& run) {
  SPARKMILL_ASSIGN(const btn::Kernels kernels, both(run.kernels));
  const auto cases = decode<EquivocationCase>(
      tasks,
      [](const Fields& f) {
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
      },
      limit_verdict);
  std::vector<Equivocation> items;
  for (const EquivocationCase& c : cases.cases) items.push_back(c.item);
  SPARKMILL_ASSIGN(const auto verdicts, check_equivocations(items, kernels, run.stop));
  for (std::size_t i = 0; i < verdicts.size(); ++i) set_verdict(*cases.tasks[i], verdicts[i].ok, verdicts[i].reason);
  return done();
}

Done run_frame(std::span<Task*> tasks, const Run&) {
  return each(tasks, [](const Fields& f, Task& task) {
    FrameReader reader(f.has("flag") ? u32(f, "flag") : kFrameFlag);
    std::vector<Command> commands;
    for (const Json& chunk : f.list("chunks", kMaxChunks)) {
      const Json one = {{"chunk", chunk}};
      reader.feed(Fields(one, f.path("chunks")).bytes("chunk", std::size_t{1} << 26), commands);
    }
    Json list = Json::array();
    for (const Command& c : commands) {
      list.push_back({{"name", c.name}, {"param_text", c.param_text}, {"param", name(c.param)}});
    }
    task.out = {{"commands", std::move(list)}, {"end", reader.end()}};
    if (!reader.end().empty()) refuse(task, reader.end());
  });
}

constexpr KindRow kKinds[] = {
    {"leading_zeros", "hash", run_leading_zeros},
    {"zeros_for", "nodes", run_zeros_for},
    {"draw", "sig", run_draw},
    {"draw_priority", "draws", run_draw_priority},
    {"committee", "draws", run_committee},
    {"block", "clerk_sig", run_block},
    {"block_priority", "blocks", run_block_priority},
    {"equivocation", "n", run_equivocation},
    {"frame", "chunks", run_frame},
};

}  // namespace

std::span<const KindRow> btn_kinds() { return kKinds; }

}  // namespace sparkmill::evidence

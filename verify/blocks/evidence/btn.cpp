// SPDX-License-Identifier: Apache-2.0
// The kinds of BTN: "Consensus evidence" 3.
#include <algorithm>
#include <numeric>

#include "verify/blocks/btn/frame.h"
#include "verify/blocks/evidence/cases.h"

namespace sparkmill::evidence {
namespace {

using namespace btn;

constexpr std::size_t kMaxChunks = 1u << 22;  ///< pieces of a stream
constexpr std::size_t kMaxRanked = 1u << 20;

Result<btn::Kernels> both(const Kernels& kernels) {
  if (kernels.hash != nullptr && kernels.rsa != nullptr) return btn::Kernels{*kernels.rsa, *kernels.hash};
  return fail(Status::unsupported, "signatures of BTN need kernels of the families rsa and hash");
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
        return DrawCase{read_draw(f), f.array<32>("prev_hash"), {read_u32(f, "m1"), read_u32(f, "max_round")}};
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
  c.list.rules.m1 = read_u32(f, "m1");
  c.list.rules.max_round = f.has("max_round") ? read_u32(f, "max_round") : static_cast<std::uint32_t>(kMaxU32);
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

void set_block(Task& task, const blocks::Verdict<BlockFacts>& v) {
  task.out = {{"state", v.facts.state}, {"reason", v.reason}};
  if (!v.detail.empty()) task.out["detail"] = v.detail;
  if (!v.ok) refuse(task, v.reason);
}

Done run_block(std::span<Task*> tasks, const Run& run) {
  SPARKMILL_ASSIGN(const btn::Kernels kernels, both(run.kernels));
  const auto cases = decode<BlockCase>(tasks, read_btn_block,
                                       [](Task& task) { set_block(task, blocks::refused<BlockFacts>("limit")); });
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
      ranks.push_back({read_u32(b, "seal_round"), read_u32(b, "seal_zeros"), read_u32(b, "draw_round"),
                       read_u32(b, "draw_zeros"), b.array<32>("draw_digest"), b.array<32>("block_hash")});
    }
    set_order(task, ranks);
  });
}

Done run_equivocation(std::span<Task*> tasks, const Run& run) {
  SPARKMILL_ASSIGN(const btn::Kernels kernels, both(run.kernels));
  const auto cases = decode<EquivocationCase>(tasks, read_equivocation, limit_verdict);
  std::vector<Equivocation> items;
  for (const EquivocationCase& c : cases.cases) items.push_back(c.item);
  SPARKMILL_ASSIGN(const auto verdicts, check_equivocations(items, kernels, run.stop));
  for (std::size_t i = 0; i < verdicts.size(); ++i) set_verdict(*cases.tasks[i], verdicts[i].ok, verdicts[i].reason);
  return done();
}

Done run_frame(std::span<Task*> tasks, const Run&) {
  return each(tasks, [](const Fields& f, Task& task) {
    FrameReader reader(f.has("flag") ? read_u32(f, "flag") : kFrameFlag);
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

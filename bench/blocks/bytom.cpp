// SPDX-License-Identifier: Apache-2.0
// Bytom blocks: judged without and with their proof of work, their ids and roots alone, and the sliding window on one
// lane and on two. The peer judges with libsodium and OpenSSL in place of our kernels.
#include <thread>

#include "bench/blocks/blocks.h"
#include "bench/blocks/chain.h"
#include "bench/blocks/peer_kernels.h"
#include "bench/blocks/whole.h"
#include "bench/kernels/signature_rows.h"
#include "bench/measure.h"
#include "bench/report.h"
#include "kernels/backend/discover.h"

namespace sparkmill::bench {
namespace {

namespace bytom = blocks::bytom;
using kernels::Family;

/// Blocks that are judged at once: up to some 4,000 inputs.
std::size_t blocks_of(std::size_t spends) { return spends > 100 ? 4 : 16; }
constexpr std::size_t kWorkBlocks = 4;
constexpr std::size_t kPeerBlocks = 1;
constexpr std::size_t kWindowBlocks = 64;
constexpr std::size_t kWindowWorkBlocks = 32;
constexpr std::uint64_t kNoSeed = 1030;  ///< heights whose seed is not known, for one epoch at least

/// Best rows of the processor.
struct Rows {
  Best<hashes::Kernel> hash;
  Best<ed25519::Kernel> signatures;
  Best<tensority::Kernel> work;
  bytom::Engines engines() const { return {hash.kernel, signatures.kernel, nullptr, work.kernel, nullptr}; }
};
Result<Rows*> rows() {
  static std::unique_ptr<Rows> made;
  if (made != nullptr) return made.get();
  auto out = std::make_unique<Rows>();
  SPARKMILL_ASSIGN(out->hash, best<hashes::Kernel>(Family::hash));
  SPARKMILL_ASSIGN(out->signatures, best<ed25519::Kernel>(Family::ed25519));
  SPARKMILL_ASSIGN(out->work, best<tensority::Kernel>(Family::tensority));
  made = std::move(out);
  return made.get();
}

/// Blocks, decoded, with what the headers before say.
struct Chain {
  std::vector<Bytes> bytes;
  std::vector<bytom::Block> blocks;
  std::vector<bytom::Item> items;
  std::size_t spends = 0;
};
Result<std::unique_ptr<Chain>> chain_of(const ChainShape& shape) {
  SPARKMILL_ASSIGN(const Rows* made, rows());
  auto chain = std::make_unique<Chain>();
  chain->spends = shape.spends;
  SPARKMILL_ASSIGN(chain->bytes, make_chain(shape, made->engines()));
  bytom::HeaderWalk walk;
  for (const Bytes& bytes : chain->bytes) {
    SPARKMILL_ASSIGN(bytom::Block block, bytom::decode(bytes));
    chain->blocks.push_back(std::move(block));
  }
  for (const bytom::Block& block : chain->blocks) {
    chain->items.push_back({&block, walk.next(block.header.height)});
    walk.append(block.header, chain::header_hash(block.header));
  }
  return chain;
}

/// Everything is valid, and the proof of work was looked at or not.
bool right(const std::vector<bytom::Judged>& judged, std::size_t count, bool work) {
  bool good = judged.size() == count;
  for (const bytom::Judged& j : judged) good &= j.verdict.ok && j.verdict.facts.scope.work == work;
  return good;
}

void run_judge(benchmark::State& state, const std::string& id, std::size_t spends, bool work) {
  const auto made = rows();
  if (!made) return give_up(state, id, made.error().message, false);
  // Block 0 has no spends: it stands in front and is not among the items.
  const auto chain = chain_of({(work ? kWorkBlocks : blocks_of(spends)) + 1, spends, work ? 0 : kNoSeed});
  if (!chain) return give_up(state, id, chain.error().message, false);
  const auto items = std::span<const bytom::Item>((*chain)->items).subspan(1);
  const auto load = [&](std::size_t count, const bytom::Engines& engines, std::vector<bytom::Judged>& judged) {
    const auto n = static_cast<double>(count);
    return WholeLoad{{{"blocks", n}, {"inputs", n * static_cast<double>(spends)}},
                     [=, &judged]() -> Done {
                       SPARKMILL_ASSIGN(judged, bytom::judge(items.first(count), engines));
                       return done();
                     },
                     [=, &judged] { return right(judged, count, work); }};
  };
  const auto hash = openssl_hash();
  const auto sodium = sodium_ed25519();
  std::vector<bytom::Judged> ours, theirs;
  std::vector<WholePeer> peers;
  if (!work) peers.push_back({"libraries", load(kPeerBlocks, {hash.get(), sodium.get()}, theirs)});
  run_whole(state, id, load(items.size(), (*made)->engines(), ours), peers);
}

void run_ids(benchmark::State& state, const std::string& id, std::size_t spends) {
  const auto made = rows();
  if (!made) return give_up(state, id, made.error().message, false);
  const auto chain = chain_of({blocks_of(spends), spends, kNoSeed});
  if (!chain) return give_up(state, id, chain.error().message, false);
  std::vector<const bytom::Block*> blocks;
  for (const bytom::Block& block : (*chain)->blocks) blocks.push_back(&block);
  const auto load = [&](std::size_t count, hashes::Kernel& hash, std::vector<bytom::BlockIds>& ids) {
    const auto n = static_cast<double>(count);
    return WholeLoad{{{"blocks", n}, {"transactions", n * static_cast<double>(spends + 1)}},
                     [=, &hash, &ids, &blocks]() -> Done {
                       SPARKMILL_ASSIGN(ids, bytom::ids(std::span(blocks).first(count), hash, {}));
                       return done();
                     },
                     [=, &ids, &blocks] {
                       bool good = ids.size() == count;
                       for (std::size_t i = 0; i < ids.size(); ++i) {
                         good &= ids[i].tx_root == blocks[i]->header.transaction_merkle_root;
                       }
                       return good;
                     }};
  };
  const auto openssl = openssl_hash();
  std::vector<bytom::BlockIds> ours, theirs;
  run_whole(state, id, load(blocks.size(), *(*made)->hash.kernel, ours),
            {{"openssl", load(kPeerBlocks, *openssl, theirs)}});
}

/// Wall time of the window over the chain; lanes run on the cores given. 0: something was not valid.
double window_seconds(const Chain& chain, bytom::Lanes& lanes, std::span<const unsigned> cores, bool work) {
  double seconds = 0;
  // Threads that the lanes start may use the cores of the thread that starts them.
  std::thread([&] {
    pin_to(cores);
    std::size_t at = 0;
    bool good = true;
    const auto next = [&]() -> Result<std::optional<Bytes>> {
      return at < chain.bytes.size() ? std::optional(chain.bytes[at++]) : std::nullopt;
    };
    const auto deliver = [&](const bytom::Delivery& d) {
      good &= d.judged.verdict.facts.scope.work == work;
      return true;
    };
    bytom::HeaderWalk walk;
    bytom::AssumedCoins coins;
    bytom::State state(coins);
    const double start = wall_seconds();
    const auto summary = bytom::judge_window(next, walk, &state, false, lanes, {}, deliver);
    seconds = wall_seconds() - start;
    if (!summary || summary->valid != chain.bytes.size() || !good) seconds = 0;
  }).join();
  return seconds;
}

void run_window(benchmark::State& state, const std::string& id, bool work, std::vector<unsigned> two_cores) {
  const auto chain = chain_of({work ? kWindowWorkBlocks : kWindowBlocks, 100, work ? 0 : kNoSeed});
  if (!chain) return give_up(state, id, chain.error().message, false);
  auto one = bytom::ThreadLanes::make(kernels::cpu_device(), 1, {});
  if (!one) return give_up(state, id, one.error().message, false);
  auto two = bytom::ThreadLanes::make(kernels::cpu_device(), 2, {});
  if (!two) return give_up(state, id, two.error().message, false);
  std::vector<double> one_s, two_s;
  for (auto _ : state) {
    one_s.push_back(window_seconds(**chain, **one, std::span(two_cores).first(1), work));
    two_s.push_back(window_seconds(**chain, **two, two_cores, work));
    state.SetIterationTime(two_s.back());
    if (one_s.back() <= 0 || two_s.back() <= 0) return give_up(state, id, "a block was refused", true);
  }
  const auto n = static_cast<double>((*chain)->bytes.size());
  state.counters["blocks_per_s"] = n / median(two_s);
  state.counters["one_lane_blocks_per_s"] = n / median(one_s);
  state.counters["speedup"] = median(one_s) / median(two_s);
}

}  // namespace

void register_bytom(const std::vector<unsigned>& cores) {
  const std::string family = "bytom/" + best_name(Family::ed25519) + "/";
  for (const std::size_t spends : {4u, 100u, 1000u}) {
    const std::string inputs = "inputs:" + std::to_string(spends);
    for (const bool work : {false, true}) {
      if (work && spends == 4) continue;
      const std::string id = family + (work ? "with_work/" : "body/") + inputs;
      add_rows(id, [=](benchmark::State& state) { run_judge(state, id, spends, work); });
    }
    const std::string id = family + "ids/" + inputs;
    add_rows(id, [=](benchmark::State& state) { run_ids(state, id, spends); });
  }
  if (cores.size() < 2) return;
  const std::vector<unsigned> two{cores.back(), cores[cores.size() - 2]};
  for (const bool work : {false, true}) {
    const std::string id = family + (work ? "window_with_work" : "window") + "/two_lanes";
    add_rows(id, [=](benchmark::State& state) { run_window(state, id, work, two); });
    Report::instance().expect({id + "/speedup", 1.8, true});
  }
}

}  // namespace sparkmill::bench

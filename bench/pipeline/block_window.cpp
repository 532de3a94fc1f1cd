// SPDX-License-Identifier: Apache-2.0
// Bytom blocks a second through the sliding window, on one lane and on more: a generated chain from block 0 on, whose
// target everything meets, with coinbase, several epochs and P2WPKH spends, fully checked but for the coins from
// before. JSON on stdout.
//   sparkmill_block_window [blocks = 600] [spends a block = 4] [most lanes = 2]
#include <sodium.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "base/hash.h"
#include "kernels/registry.h"
#include "verify/blocks/bytom_window.h"

using namespace sparkmill;
namespace bytom = blocks::bytom;

namespace {

constexpr std::uint64_t kEverything = 0x2100000000ffffff;
constexpr std::uint64_t kFee = 10'000'000;
constexpr std::uint64_t kCoin = 1'000'000'000;

double now_s() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

int fail_with(const Error& error) {
  std::fprintf(stderr, "sparkmill_block_window: %s\n", error.message.c_str());
  return exit_code(error.code);
}

/// Parts of transactions that views point into.
struct Purse {
  std::array<std::uint8_t, 32> key{};
  std::array<std::uint8_t, 64> secret{};
  Bytes program{0x00, 0x14};

  Purse() {
    const std::array<std::uint8_t, 32> seed{7};
    crypto_sign_seed_keypair(key.data(), secret.data(), seed.data());
    const auto hash = ripemd160(key);
    program.insert(program.end(), hash.begin(), hash.end());
  }
  bytom::Transaction spend(std::uint64_t number) const {
    bytom::Transaction tx;
    bytom::Input& input = tx.inputs.emplace_back();
    std::memcpy(input.source.data(), &number, sizeof number);
    input.asset = bytom::kBtm;
    input.amount = kCoin;
    input.program = program;
    tx.outputs.push_back({bytom::kBtm, kCoin - kFee, program, {}});
    return tx;
  }
};

/// One block as bytes, signed and with its roots.
Result<Bytes> make_block(const Purse& purse, const chain::BlockHeader& header, std::size_t spends,
                         const bytom::Engines& engines) {
  bytom::Block block;
  block.header = header;
  const Bytes height{0x00, static_cast<std::uint8_t>(header.height), static_cast<std::uint8_t>(header.height >> 8)};
  bytom::Transaction& coinbase = block.transactions.emplace_back();
  coinbase.inputs.push_back({bytom::InputType::coinbase, bytom::kBtm, 0, {}, 0, 1, {}, height, {}, {}, {}, {}, {}});
  coinbase.outputs.push_back({bytom::kBtm, bytom::subsidy(header.height) + spends * kFee, purse.program, {}});
  for (std::size_t k = 0; k < spends; ++k) block.transactions.push_back(purse.spend(header.height << 20 | k));
  const bytom::Block* const unsigned_block = &block;
  SPARKMILL_ASSIGN(const auto ids, bytom::ids({&unsigned_block, 1}, *engines.hash, {}));
  std::vector<Bytes> arguments(spends);
  for (std::size_t k = 0; k < spends; ++k) {
    Bytes& list = arguments[k];
    list.assign(1 + 64, 64);
    crypto_sign_detached(&list[1], nullptr, ids[0].transactions[k + 1].sighashes[0].data(), 32, purse.secret.data());
    list.push_back(32);
    list.insert(list.end(), purse.key.begin(), purse.key.end());
    block.transactions[k + 1].inputs[0].arguments = {list, 2};
  }
  // The roots are those that the verdict names.
  for (int twice = 0; twice < 2; ++twice) {
    const Bytes bytes = bytom::encode(block);
    SPARKMILL_ASSIGN(const bytom::Block decoded, bytom::decode(bytes));
    const bytom::Item item{&decoded, std::nullopt};
    SPARKMILL_ASSIGN(const auto judged, bytom::judge({&item, 1}, engines));
    if (judged[0].verdict.ok) return bytes;
    block.header.transaction_merkle_root = judged[0].verdict.facts.tx_root;
    block.header.transaction_status_hash = judged[0].verdict.facts.status_root;
  }
  return fail(Status::internal, "a generated block is not valid");
}

Result<std::vector<Bytes>> make_chain(std::size_t count, std::size_t spends, bytom::Lanes& lanes) {
  std::vector<Bytes> out;
  const Purse purse;
  SPARKMILL_TRY(lanes.run([&](const bytom::Engines& engines) -> Done {
    chain::BlockHeader header;
    header.bits = kEverything;
    header.timestamp = 1'524'549'600;
    while (out.size() < count) {
      SPARKMILL_ASSIGN(Bytes bytes, make_block(purse, header, header.height == 0 ? 0 : spends, engines));
      SPARKMILL_ASSIGN(const bytom::Block block, bytom::decode(bytes));
      header.previous = chain::header_hash(block.header);
      ++header.height;
      header.timestamp += 150;
      out.push_back(std::move(bytes));
    }
    return done();
  }));
  return out;
}

int measure(std::size_t count, std::size_t spends, std::size_t most_lanes) {
  const kernels::Device cpu = kernels::discover_devices().front();
  auto one = bytom::ThreadLanes::make(cpu, 1, {});
  if (!one) return fail_with(one.error());
  const auto chain = make_chain(count, spends, **one);
  if (!chain) return fail_with(chain.error());
  std::size_t bytes = 0;
  for (const Bytes& block : *chain) bytes += block.size();
  std::printf("{\"blocks\":%zu,\"bytes\":%zu,\"spends_a_block\":%zu,\"work\":\"%s\",\"signatures\":\"%s\",\"runs\":[",
              count, bytes, spends, (*one)->rows().work.c_str(), (*one)->rows().signatures.c_str());
  for (std::size_t lanes = 1; lanes <= most_lanes; ++lanes) {
    auto runner = bytom::ThreadLanes::make(cpu, lanes, {});
    if (!runner) return fail_with(runner.error());
    std::size_t at = 0;
    bool all_checked = true;
    const auto next = [&]() -> Result<std::optional<Bytes>> {
      return at < chain->size() ? std::optional((*chain)[at++]) : std::nullopt;
    };
    const auto deliver = [&](const bytom::Delivery& d) {
      all_checked = all_checked && d.judged.verdict.facts.scope.chain();
      return true;
    };
    bytom::HeaderWalk walk;
    bytom::AssumedCoins coins;
    bytom::State state(coins);
    const double start = now_s();
    const auto summary = bytom::judge_window(next, walk, &state, false, **runner, {}, deliver);
    const double seconds = now_s() - start;
    if (!summary) return fail_with(summary.error());
    if (summary->valid != count || !all_checked) return fail_with(fail(Status::mismatch, "a block was refused"));
    std::printf("%s{\"lanes\":%zu,\"seconds\":%.3f,\"blocks_a_second\":%.1f,\"signatures_a_second\":%.0f}",
                lanes == 1 ? "" : ",", lanes, seconds, static_cast<double>(count) / seconds,
                static_cast<double>(summary->signatures) / seconds);
  }
  std::printf("]}\n");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const auto argument = [&](int i, long otherwise) { return argc > i ? std::atol(argv[i]) : otherwise; };
  const long count = argument(1, 600), spends = argument(2, 4), lanes = argument(3, 2);
  if (sodium_init() < 0 || count < 1 || count > 2000 || spends < 0 || spends > 4000 || lanes < 1 || lanes > 256) {
    std::fprintf(stderr, "usage: sparkmill_block_window [blocks 1..2000] [spends a block 0..4000] [most lanes]\n");
    return 2;
  }
  return measure(static_cast<std::size_t>(count), static_cast<std::size_t>(spends), static_cast<std::size_t>(lanes));
}

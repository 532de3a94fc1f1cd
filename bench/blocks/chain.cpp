// SPDX-License-Identifier: Apache-2.0
#include "bench/blocks/chain.h"

#include <sodium.h>

#include "base/hash.h"

namespace sparkmill::bench {
namespace {

namespace bytom = blocks::bytom;

constexpr std::uint64_t kEverything = 0x2100000000ffffff;
constexpr std::uint64_t kFee = 10'000'000;
constexpr std::uint64_t kCoin = 1'000'000'000;

/// Parts of transactions that views point into.
struct Purse {
  std::array<std::uint8_t, 32> key{};
  std::array<std::uint8_t, 64> secret{};
  Bytes program{0x00, 0x14};

  explicit Purse(std::uint64_t number) {
    std::array<std::uint8_t, 32> seed{7};
    std::memcpy(&seed[8], &number, sizeof number);
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

/// One block as bytes, signed and with its roots; a purse an input.
Result<Bytes> make_block(std::span<const Purse> purses, const chain::BlockHeader& header, std::size_t spends,
                         const bytom::Engines& engines) {
  bytom::Block block;
  block.header = header;
  const Bytes height{0x00, static_cast<std::uint8_t>(header.height), static_cast<std::uint8_t>(header.height >> 8)};
  bytom::Transaction& coinbase = block.transactions.emplace_back();
  coinbase.inputs.push_back({bytom::InputType::coinbase, bytom::kBtm, 0, {}, 0, 1, {}, height, {}, {}, {}, {}, {}});
  coinbase.outputs.push_back({bytom::kBtm, bytom::subsidy(header.height) + spends * kFee, purses.front().program, {}});
  for (std::size_t k = 0; k < spends; ++k) block.transactions.push_back(purses[k].spend(header.height << 20 | k));
  const bytom::Block* const unsigned_block = &block;
  SPARKMILL_ASSIGN(const auto ids, bytom::ids({&unsigned_block, 1}, *engines.hash, {}));
  std::vector<Bytes> arguments(spends);
  for (std::size_t k = 0; k < spends; ++k) {
    Bytes& list = arguments[k];
    list.assign(1 + 64, 64);
    crypto_sign_detached(&list[1], nullptr, ids[0].transactions[k + 1].sighashes[0].data(), 32,
                         purses[k].secret.data());
    list.push_back(32);
    list.insert(list.end(), purses[k].key.begin(), purses[k].key.end());
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

}  // namespace

Result<std::vector<Bytes>> make_chain(const ChainShape& shape, const bytom::Engines& engines) {
  std::vector<Purse> purses;
  while (purses.size() < std::max<std::size_t>(shape.spends, 1)) purses.emplace_back(purses.size());
  std::vector<Bytes> out;
  chain::BlockHeader header;
  header.height = shape.first_height;
  header.bits = kEverything;
  header.timestamp = 1'524'549'600;
  while (out.size() < shape.blocks) {
    SPARKMILL_ASSIGN(Bytes bytes, make_block(purses, header, header.height == 0 ? 0 : shape.spends, engines));
    SPARKMILL_ASSIGN(const bytom::Block block, bytom::decode(bytes));
    header.previous = chain::header_hash(block.header);
    ++header.height;
    header.timestamp += 150;
    out.push_back(std::move(bytes));
  }
  return out;
}

}  // namespace sparkmill::bench

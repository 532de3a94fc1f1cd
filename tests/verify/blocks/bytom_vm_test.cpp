// SPDX-License-Identifier: Apache-2.0
// Gas and results of standard programs at their limits (Bytom blocks 7), with signatures answered by the test.
#include "verify/blocks/bytom_vm.h"

#include <gtest/gtest.h>

#include <set>

#include "base/hash.h"
#include "verify/blocks/bytom_wire.h"

namespace sparkmill::blocks::bytom {
namespace {

/// Valid: the pairs that the test names, as first bytes of key and signature.
class Pairs final : public SignatureOracle {
 public:
  Pairs(std::initializer_list<std::pair<int, int>> good) : good_(good) {}
  bool valid(Op, ByteView key, ByteView, ByteView signature) override {
    asked.emplace_back(key[0], signature[0]);
    return good_.contains(asked.back());
  }
  std::vector<std::pair<int, int>> asked;

 private:
  std::set<std::pair<int, int>> good_;
};

Bytes key_of(int k) { return Bytes(32, static_cast<std::uint8_t>(k)); }
Bytes signature_of(int s) { return Bytes(64, static_cast<std::uint8_t>(s)); }

/// The wire form of a list, kept alive.
struct List {
  explicit List(std::vector<Bytes> items) : count(static_cast<std::uint32_t>(items.size())) {
    for (const Bytes& item : items) put_string(wire, item);
  }
  Arguments arguments() const { return {wire, count}; }
  Bytes wire;
  std::uint32_t count;
};

Bytes p2wpkh(ByteView key) {
  Bytes out{0x00, 0x14};
  put_bytes(out, ripemd160(key));
  return out;
}

Bytes p2wsh(ByteView redeem) {
  Bytes out{0x00, 0x20};
  put_bytes(out, sha3_256(redeem));
  return out;
}

Bytes multisig(int m, int n) {
  Bytes out{0xae};
  for (int k = 1; k <= n; ++k) put_string(out, key_of(k));
  out.push_back(static_cast<std::uint8_t>(0x50 + m));
  out.push_back(static_cast<std::uint8_t>(0x50 + n));
  out.push_back(0xad);
  return out;
}

RunResult run(const Bytes& program, const List& list, std::int64_t gas, SignatureOracle& oracle,
              const RunContext& context = {}) {
  return run_program(context, 1, program, list.arguments(), gas, oracle);
}

TEST(BytomVm, P2wpkhCostsWhatTheChainCharges) {
  const List list({signature_of(1), key_of(1)});
  Pairs good{{1, 1}};
  const RunResult ran = run(p2wpkh(key_of(1)), list, 10'000, good);
  EXPECT_EQ(ran.reason, "");
  EXPECT_EQ(10'000 - ran.gas_left, 1409);
  EXPECT_TRUE(run(p2wpkh(key_of(1)), list, 1552, good).passed());
  EXPECT_EQ(run(p2wpkh(key_of(1)), list, 1551, good).reason, "run_limit");
  Pairs none{};
  EXPECT_EQ(run(p2wpkh(key_of(1)), list, 10'000, none).reason, "program_false");
  EXPECT_EQ(run(p2wpkh(key_of(2)), list, 10'000, good).reason, "verify_failed");
  EXPECT_EQ(run(p2wpkh(key_of(1)), List({}), 10'000, good).reason, "stack_underflow");
  EXPECT_EQ(run_program({}, 2, p2wpkh(key_of(1)), list.arguments(), 10'000, good).reason, "unsupported_vm");
}

TEST(BytomVm, MultisigCosts) {
  for (int n = 1; n <= 16; ++n) {
    Pairs good{{1, 1}};
    const RunResult bare = run(multisig(1, n), List({signature_of(1)}), 200'000, good);
    EXPECT_EQ(bare.reason, "");
    EXPECT_EQ(200'000 - bare.gas_left, 267 + 1025 * n) << n;
    const Bytes redeem = multisig(1, n);
    const RunResult hashed = run(p2wsh(redeem), List({signature_of(1), redeem}), 200'000, good);
    EXPECT_EQ(hashed.reason, "");
    EXPECT_EQ(200'000 - hashed.gas_left,
              267 + 1025 * n + 102 + std::max<std::int64_t>(64, static_cast<std::int64_t>(redeem.size())))
        << n;
  }
  const Bytes redeem = multisig(2, 3);
  const List list({signature_of(1), signature_of(3), redeem});
  Pairs good{{1, 1}, {3, 3}};
  EXPECT_EQ(4187, [&] {
    std::int64_t least = 3500;
    while (!run(p2wsh(redeem), list, least, good).passed()) ++least;
    return least;
  }());
}

TEST(BytomVm, MultisigWalksFromTheEnd) {
  const Bytes program = multisig(2, 3);
  Pairs skips_the_middle{{1, 1}, {3, 3}};
  EXPECT_TRUE(run(program, List({signature_of(1), signature_of(3)}), 9000, skips_the_middle).passed());
  EXPECT_EQ(skips_the_middle.asked, (std::vector<std::pair<int, int>>{{3, 3}, {2, 1}, {1, 1}}));
  Pairs wrong_order{{1, 1}, {3, 3}};
  EXPECT_EQ(run(program, List({signature_of(3), signature_of(1)}), 9000, wrong_order).reason, "program_false");
  Pairs twice{{3, 3}};
  EXPECT_EQ(run(program, List({signature_of(3), signature_of(3)}), 9000, twice).reason, "program_false");
  Pairs extra{{2, 2}, {3, 3}};
  EXPECT_TRUE(run(program, List({signature_of(1), signature_of(2), signature_of(3)}), 9000, extra).passed());
  Bytes none_of_one = multisig(1, 1);
  none_of_one[none_of_one.size() - 3] = 0x00;
  EXPECT_EQ(run(none_of_one, List({}), 9000, extra).reason, "bad_value");
}

TEST(BytomVm, ProgramsThatEndHeightAndUnknownOpcodes) {
  Pairs none{};
  const List nothing({});
  EXPECT_TRUE(run({0x51}, nothing, 10, none).passed());
  EXPECT_EQ(run({0x51}, nothing, 9, none).reason, "run_limit");
  EXPECT_EQ(run({0x00}, nothing, 100, none).reason, "program_false");
  EXPECT_EQ(run({}, nothing, 100, none).reason, "program_false");
  EXPECT_EQ(run({0x02, 0x01}, nothing, 100, none).reason, "short_program");
  EXPECT_EQ(run({0x4e, 0xff, 0xff, 0xff, 0xff}, nothing, 100, none).reason, "short_program");
  EXPECT_EQ(run({0x6a}, nothing, 100, none).reason, "return");
  EXPECT_EQ(run({0x51, 0x50}, nothing, 100, none).reason, "disallowed_opcode");
  EXPECT_EQ(run({0x51, 0x95}, nothing, 100, none).reason, "undecided");
  // 1000 > height, else the program fails.
  const Bytes until_1000{0x02, 0xe8, 0x03, 0xcd, 0xa0, 0x69, 0x51};
  EXPECT_TRUE(run(until_1000, nothing, 100, none, {999, 1, {}}).passed());
  EXPECT_EQ(run(until_1000, nothing, 100, none, {1000, 1, {}}).reason, "verify_failed");
  // Inside CHECKPREDICATE an undefined opcode does nothing, an unknown one stays undecided.
  const auto predicate = [](std::uint8_t op) { return Bytes{0x00, 0x02, 0x51, op, 0x00, 0xc0}; };
  EXPECT_TRUE(run(predicate(0x50), nothing, 1000, none).passed());
  EXPECT_EQ(run(predicate(0x95), nothing, 1000, none).reason, "undecided");
  EXPECT_EQ(run(predicate(0x6a), nothing, 1000, none).reason, "program_false");
}

TEST(BytomVm, Numbers) {
  Pairs none{};
  const auto run_on = [&](Bytes program, std::int64_t gas = 1000) { return run(program, List({}), gas, none).reason; };
  const Bytes max{0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f};
  const auto with_max = [&](const Bytes& tail) {
    Bytes out = max;
    put_bytes(out, tail);
    return out;
  };
  EXPECT_EQ(run_on({0x53, 0x52, 0x93, 0x55, 0x9c}), "");               // 3 + 2 = 5
  EXPECT_EQ(run_on({0x53, 0x52, 0x94, 0x51, 0x9c}), "");               // 3 - 2 = 1
  EXPECT_EQ(run_on({0x52, 0x53, 0x94, 0x4f, 0x9c}), "");               // 2 - 3 = -1
  EXPECT_EQ(run_on({0x4f, 0x51, 0x93, 0x00, 0x87}), "");               // -1 + 1 is the empty string
  EXPECT_EQ(run_on({0x02, 0x01, 0x00, 0x51, 0x9c}), "");               // 01 00 is 1, too,
  EXPECT_EQ(run_on({0x02, 0x01, 0x00, 0x51, 0x87}), "program_false");  // but not the same string
  EXPECT_EQ(run_on({0x4f, 0x51, 0x9f}), "");                           // -1 < 1
  EXPECT_EQ(run_on({0x51, 0x51, 0x9f}), "program_false");              // 1 < 1
  EXPECT_EQ(run_on({0x51, 0x51, 0xa1}), "");                           // 1 <= 1
  EXPECT_EQ(run_on({0x51, 0x51, 0xa2}), "");                           // 1 >= 1
  EXPECT_EQ(run_on({0x51, 0x52, 0xa2}), "program_false");              // 1 >= 2
  EXPECT_EQ(run_on({0x51, 0x52, 0x9e}), "");                           // 1 != 2
  EXPECT_EQ(run_on({0x51, 0x52, 0x9d}), "verify_failed");
  EXPECT_EQ(run_on({0x51, 0x52, 0x52, 0x9d}), "");
  EXPECT_EQ(run_on({0x51, 0x00, 0x75}), "");
  EXPECT_EQ(run_on({0x75}), "stack_underflow");
  EXPECT_EQ(run_on(with_max({0x51, 0x93})), "range");
  EXPECT_EQ(run_on(with_max({0x4f, 0x94})), "range");
  EXPECT_EQ(run_on({0x09, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0x51, 0x93}), "bad_value");
}

TEST(BytomVm, NestsNoDeeperThanGasAllows) {
  // A predicate that duplicates and runs itself until the gas is gone.
  const Bytes inner{0x76, 0x4f, 0x7c, 0x00, 0xc0};
  Bytes program;
  put_string(program, inner);
  put_bytes(program, inner);
  Pairs none{};
  const RunResult ran = run(program, List({}), kMaxGas, none);
  EXPECT_EQ(ran.reason, "program_false");
}

TEST(BytomVm, StandardPrograms) {
  const Bytes hash20(20, 7), hash32(32, 7);
  const auto with = [](Bytes head, const Bytes& tail) {
    put_bytes(head, tail);
    return head;
  };
  EXPECT_TRUE(is_standard(with({0x00, 0x14}, hash20)));
  EXPECT_TRUE(is_standard(with({0x00, 0x20}, hash32)));
  EXPECT_TRUE(is_standard(with({0x51, 0x14}, hash20)));
  EXPECT_TRUE(is_standard(Bytes{0x51}));
  EXPECT_TRUE(is_standard(Bytes{0x6a}));
  EXPECT_FALSE(is_standard(Bytes{}));
  EXPECT_FALSE(is_standard(Bytes{0x52}));
  EXPECT_FALSE(is_standard(Bytes{0x51, 0x61}));
  EXPECT_FALSE(is_standard(with({0x61, 0x14}, hash20)));
  EXPECT_FALSE(is_standard(with({0x00, 0x15}, Bytes(21, 7))));
  EXPECT_FALSE(is_standard(with({0x00, 0x14}, Bytes(19, 7))));
  EXPECT_FALSE(is_standard(with({0x00, 0x14}, Bytes(21, 7))));
  EXPECT_EQ(expanded(with({0x51, 0x14}, hash20)), with({0x51, 0x14}, hash20));
  EXPECT_EQ(expanded(with({0x00, 0x14}, hash20)).size(), 27u - 0u);
  EXPECT_EQ(expanded(with({0x00, 0x20}, hash32)).size(), 48u);
}

}  // namespace
}  // namespace sparkmill::blocks::bytom

// SPDX-License-Identifier: Apache-2.0
// Codec and verdicts on the vector file: cuts, each field changed, batches of any make-up. What the file expects of
// every id and number is compared by `sparkmill vectors` (tests/e2e/offline.py runs it).
#include <gtest/gtest.h>

#include "tests/verify/blocks/bytom_support.h"
#include "verify/blocks/bytom_transaction.h"

namespace sparkmill {
namespace {

using namespace testing;

TEST(BytomCodec, EveryCutIsAnErrorThatNamesItsPlace) {
  const Bytes whole = block_bytes("issuance_1of1");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto block = bytom::decode(ByteView(whole).first(size));
    ASSERT_FALSE(block.ok()) << size;
    EXPECT_EQ(block.status(), Status::bad_input);
    EXPECT_NE(block.error().message.find("byte "), std::string::npos);
  }
  EXPECT_TRUE(bytom::decode(whole).ok());
}

TEST(BytomCodec, TransactionsAloneComeOutAsTheyWentIn) {
  for (const auto& c : bytom_vectors()["cases"]) {
    const Bytes bytes = bytes_of(c);
    const auto block = bytom::decode(bytes);
    if (!block || !block->canonical) continue;
    EXPECT_EQ(bytom::encode(*block), bytes) << c["name"];
    for (const bytom::Transaction& tx : block->transactions) {
      const Bytes alone = bytom::encode(tx);
      EXPECT_EQ(alone.size(), tx.size) << c["name"];
      const auto again = bytom::decode_transaction(alone);
      ASSERT_TRUE(again.ok()) << c["name"];
      EXPECT_EQ(bytom::encode(*again), alone);
      Bytes longer = alone;
      longer.push_back(0);
      EXPECT_FALSE(bytom::decode_transaction(longer).ok());
    }
  }
}

TEST(BytomCodec, RefusesWhatTheReferenceCrashesOn) {
  const Bytes bytes = block_bytes("p2wpkh_1in_2out");
  const auto block = bytom::decode(bytes);
  ASSERT_TRUE(block.ok());
  bytom::Block other = *block;
  other.transactions[0].inputs.push_back(other.transactions[0].inputs[0]);
  EXPECT_EQ(verdict_of(bytom::encode(other)), "unsupported");
  other = *block;
  other.transactions[0].outputs.clear();
  EXPECT_EQ(verdict_of(bytom::encode(other)), "decode");
  Bytes version_2 = bytom::encode(block->transactions[1]);
  ASSERT_EQ(version_2[4], 1);  // flag, version, time range, one input, its asset version
  version_2[4] = 2;
  EXPECT_EQ(bytom::decode_transaction(version_2).status(), Status::unsupported);
  // Bytes that the reference cannot read are an error of decoding, whatever stands before them.
  Bytes cut = version_2;
  cut.pop_back();
  EXPECT_EQ(bytom::decode_transaction(cut).status(), Status::bad_input);
  Bytes longer = version_2;
  longer.push_back(0);
  EXPECT_EQ(bytom::decode_transaction(longer).status(), Status::bad_input);
  EXPECT_EQ(bytom::decode(Bytes(bytom::kMaxBlockBytes + 1)).status(), Status::too_large);
}

TEST(BytomJudge, VerdictsDoNotDependOnTheBatch) {
  std::vector<Bytes> bytes;
  std::vector<bytom::Block> blocks;
  std::vector<bytom::Item> items;
  std::vector<std::string> expected;
  for (const auto& c : bytom_vectors()["cases"]) bytes.push_back(bytes_of(c));
  blocks.reserve(bytes.size());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto& c = bytom_vectors()["cases"][i];
    auto block = bytom::decode(bytes[i]);
    ASSERT_EQ(block.ok(), c["expect"]["decode"] == "ok") << c["name"];
    if (!block) continue;
    blocks.push_back(std::move(*block));
    std::optional<bytom::Context> context = context_of(c);
    if (context) context->seed.reset();  // work has tests of its own
    items.push_back({&blocks.back(), context});
    const auto& expect = c["expect"];
    std::string word = expect["verdict"] == "valid" ? "valid" : expect["reason"].get<std::string>();
    expected.push_back(word == "pow" ? "valid" : word);
  }
  for (const std::size_t step : {std::size_t{1}, std::size_t{7}, items.size()}) {
    for (std::size_t at = 0; at < items.size(); at += step) {
      const auto some = std::span(items).subspan(at, std::min(step, items.size() - at));
      const auto judged = judge(some);
      ASSERT_EQ(judged.size(), some.size());
      for (std::size_t k = 0; k < some.size(); ++k) {
        const auto& verdict = judged[k].verdict;
        EXPECT_EQ(verdict.ok ? "valid" : std::string(verdict.reason), expected[at + k]) << at + k;
        EXPECT_FALSE(verdict.facts.scope.work && verdict.facts.height != 0);
      }
    }
  }
}

/// Changes one thing of a valid block, keeps the roots in step where `mend`, and says what the verdict is.
std::string after(const std::string& name, const std::function<void(bytom::Block&)>& change, bool mend = true) {
  const auto& c = bytom_case(name);
  const Bytes bytes = bytes_of(c);
  auto block = bytom::decode(bytes);
  if (!block) return "not decoded";
  change(*block);
  const Bytes changed = bytom::encode(*block);
  auto again = bytom::decode(changed);
  if (!again) return std::string(bytom::undecodable(again.error()).reason);
  if (mend) {
    const bytom::Item item{&*again, std::nullopt};
    const auto judged = judge({&item, 1});
    again->header.transaction_merkle_root = judged[0].verdict.facts.tx_root;
    again->header.transaction_status_hash = judged[0].verdict.facts.status_root;
  }
  auto context = context_of(c);
  context->seed.reset();
  return verdict_of(bytom::encode(*again), context);
}

TEST(BytomJudge, EachFieldChanged) {
  const std::string name = "p2wpkh_1in_2out";
  const auto header = [&](auto change) { return after(name, [&](bytom::Block& b) { change(b.header); }); };
  EXPECT_EQ(after(name, [](bytom::Block&) {}), "valid");
  EXPECT_EQ(header([](auto& h) { h.version = 2; }), "version");
  EXPECT_EQ(header([](auto& h) { h.version = 0; }), "version");
  EXPECT_EQ(header([](auto& h) { ++h.height; }), "height");
  EXPECT_EQ(header([](auto& h) { ++h.bits; }), "bits");
  EXPECT_EQ(header([](auto& h) { h.previous[31] ^= 1; }), "previous");
  EXPECT_EQ(header([](auto& h) { h.timestamp = 0; }), "timestamp");
  EXPECT_EQ(after(
                name, [](auto& b) { b.header.transaction_merkle_root[0] ^= 1; }, false),
            "tx_root");
  EXPECT_EQ(after(
                name, [](auto& b) { b.header.transaction_status_hash[0] ^= 1; }, false),
            "status_root");

  const auto spend = [&](auto change) { return after(name, [&](bytom::Block& b) { change(b.transactions[1]); }); };
  EXPECT_EQ(spend([](auto& t) { t.version = 2; }), "tx_version");
  EXPECT_EQ(spend([](auto& t) { t.time_range = 264; }), "time_range");
  // The signature covers all of these.
  EXPECT_EQ(spend([](auto& t) { t.time_range = 265; }), "program_false");
  EXPECT_EQ(spend([](auto& t) { t.inputs[0].source[0] ^= 1; }), "program_false");
  EXPECT_EQ(spend([](auto& t) { ++t.inputs[0].position; }), "program_false");
  EXPECT_EQ(spend([](auto& t) { ++t.inputs[0].amount; }), "program_false");
  EXPECT_EQ(spend([](auto& t) { --t.outputs[1].amount; }), "program_false");
  EXPECT_EQ(spend([](auto& t) { std::swap(t.outputs[0], t.outputs[1]); }), "program_false");
  EXPECT_EQ(spend([](auto& t) { t.outputs[0].amount += 1'000'000'000'000; }), "gas_math");
  EXPECT_EQ(spend([](auto& t) { t.outputs[0].asset[0] ^= 1; }), "no_source");
  EXPECT_EQ(spend([](auto& t) { t.inputs[0].asset[0] ^= 1; }), "no_source");
  EXPECT_EQ(spend([](auto& t) { t.outputs.clear(); }), "no_results");
  EXPECT_EQ(spend([](auto& t) { t.inputs[0].program = ByteView(bytom::kBtm).first(1); }), "not_standard");
  EXPECT_EQ(spend([](auto& t) { t.inputs[0].arguments = {}; }), "stack_underflow");

  const auto first = [&](auto change) { return after(name, [&](bytom::Block& b) { change(b.transactions[0]); }); };
  EXPECT_EQ(first([](auto& t) { ++t.outputs[0].amount; }), "coinbase");
  EXPECT_EQ(first([](auto& t) { t.outputs[0].asset[0] ^= 1; }), "coinbase_asset");
  EXPECT_EQ(first([](auto& t) { t.inputs[0].data = {}; }), "valid");
  static const Bytes kLong(129, 1);
  EXPECT_EQ(first([](auto& t) { t.inputs[0].data = ByteView(kLong).first(128); }), "valid");
  EXPECT_EQ(first([](auto& t) { t.inputs[0].data = kLong; }), "coinbase_data");
  EXPECT_EQ(after(name, [](auto& b) { b.transactions.clear(); }), "coinbase");
  EXPECT_EQ(after(name, [](auto& b) { std::swap(b.transactions[0], b.transactions[1]); }), "coinbase");
}

TEST(BytomJudge, UnknownPartsOfTheChainAreNotChecked) {
  const auto& c = bytom_case("solonet_257");
  const Bytes bytes = bytes_of(c);
  const auto block = bytom::decode(bytes);
  bytom::Context context;
  context.bits = block->header.bits;
  const bytom::Item items[] = {{&*block, std::nullopt}, {&*block, context}, {&*block, context_of(c)}};
  const auto judged = judge(items);
  for (const auto& one : judged) EXPECT_TRUE(one.verdict.ok) << one.verdict.reason;
  EXPECT_TRUE(judged[0].verdict.facts.scope.body && !judged[0].verdict.facts.scope.chain());
  EXPECT_TRUE(judged[1].verdict.facts.scope.bits && !judged[1].verdict.facts.scope.work);
  EXPECT_TRUE(judged[2].verdict.facts.scope.chain() && judged[2].verdict.facts.pow_ok == true);
}

TEST(BytomJudge, AKernelThatLiesAboutASignatureIsFoundOut) {
  class Liar final : public ed25519::Kernel {
   public:
    std::string row_id() const override { return "ed25519/liar"; }
    Done verify_vartime(ed25519::Policy, const kernels::SignatureBatch&, const kernels::SignatureResults& results,
                        const StopToken&) override {
      std::fill(results.valid.begin(), results.valid.end(), std::uint8_t{0});
      return done();
    }
  };
  const Bytes bytes = block_bytes("p2wpkh_1in_2out");
  const auto block = bytom::decode(bytes);
  const bytom::Item item{&*block, std::nullopt};
  Liar liar;
  const Done ran = lanes(1).run([&](bytom::Engines engines) -> Done {
    engines.signatures = &liar;
    return bytom::judge({&item, 1}, engines).ok() ? done() : Done(fail(Status::mismatch, ""));
  });
  EXPECT_EQ(ran.status(), Status::mismatch);
}

TEST(BytomJudge, Subsidy) {
  EXPECT_EQ(bytom::subsidy(0), 140'700'041'250'000'000u);
  EXPECT_EQ(bytom::subsidy(1), 41'250'000'000u);
  EXPECT_EQ(bytom::subsidy(839'999), 41'250'000'000u);
  EXPECT_EQ(bytom::subsidy(840'000), 20'625'000'000u);
  EXPECT_EQ(bytom::subsidy(chain::kMaxVarint63), 0u);
}

}  // namespace
}  // namespace sparkmill

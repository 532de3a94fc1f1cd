// SPDX-License-Identifier: Apache-2.0
// Bytom blocks and transactions: what decodes comes out again, ids and verdicts of anything are found without harm, and
// no answer about a signature changes what was decoded. Input: a byte that answers signatures, then a block; the same
// bytes are read as a transaction, too.
#include <cstdio>
#include <cstdlib>

#include "kernels/registry.h"
#include "verify/blocks/bytom_state.h"

namespace {

using namespace sparkmill;
namespace bytom = blocks::bytom;

void demand(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

/// Every signature is valid, or none, or those with an odd first byte.
class Answers final : public ed25519::Kernel {
 public:
  std::uint8_t mode = 0;
  std::string row_id() const override { return "ed25519/fuzz"; }
  Done verify_vartime(ed25519::Policy, const kernels::SignatureBatch& batch, const kernels::SignatureResults& results,
                      const StopToken&) override {
    for (std::size_t i = 0; i < batch.count; ++i) {
      results.valid[i] = mode % 3 == 2 ? batch.signatures[64 * i] & 1 : mode % 3;
    }
    return done();
  }
};

std::unique_ptr<kernels::Kernel> hash_row() {
  const kernels::Device cpu = kernels::discover_devices().front();
  return std::move(*kernels::find_row(kernels::Family::hash, "cpu/avx2")->make(cpu));
}

void judge(const bytom::Block& block, std::uint8_t mode) {
  static const std::unique_ptr<kernels::Kernel> hash = hash_row();
  static Answers answers;
  answers.mode = mode;
  const bytom::Engines engines{dynamic_cast<hashes::Kernel*>(hash.get()), &answers, nullptr, nullptr, nullptr};
  const bytom::Item item{&block, std::nullopt};
  const auto judged = bytom::judge({&item, 1}, engines);
  demand(judged.ok(), "a decoded block has a verdict");
  const bytom::Judged& one = judged->front();
  demand(one.verdict.ok == one.verdict.reason.empty(), "a refusal has a reason, and nothing else has");
  demand(one.verdict.facts.transactions.size() == block.transactions.size(), "every transaction is judged");
  for (const bytom::TransactionFacts& t : one.verdict.facts.transactions) {
    demand(t.status_fail == !t.reason.empty() && (t.gas_valid || t.status_fail), "status and reason agree");
  }
  if (!one.verdict.ok) return;
  bytom::AssumedCoins coins;
  bytom::State state(coins);
  demand(state.apply(block, one).ok(), "a valid block meets the state");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView in(data + 1, size - 1);
  if (const auto tx = bytom::decode_transaction(in)) {
    const Bytes written = bytom::encode(*tx);
    const auto again = bytom::decode_transaction(written);
    demand(again.ok() && bytom::encode(*again) == written, "an encoded transaction decodes to itself");
  }
  const auto block = bytom::decode(in);
  if (!block) {
    demand(!block.error().message.empty() && !bytom::undecodable(block.error()).ok, "an error says what is wrong");
    return 0;
  }
  const Bytes written = bytom::encode(*block);
  demand(block->canonical == std::equal(written.begin(), written.end(), in.begin(), in.end()),
         "canonical says whether the bytes come out again");
  const auto again = bytom::decode(written);
  demand(again.ok() && again->canonical && bytom::encode(*again) == written, "an encoded block decodes to itself");
  judge(*block, data[0]);
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
// Items of consensus evidence as JSON text: each gets an answer that parses, or an error with words; alone and beside
// itself it gets the same. Signatures are decided by stand-ins, so that the time goes into the decoders.
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "kernels/registry.h"
#include "verify/blocks/evidence/evidence.h"

namespace {

using namespace sparkmill;
using nlohmann::json;

void demand(bool holds) {
  if (!holds) std::abort();
}

/// Half of all signatures recover to a key made of the digest.
class Recoverer final : public secp256k1::Kernel {
 public:
  Done verify_vartime(secp256k1::Check, const kernels::SignatureBatch&, const kernels::SignatureResults&,
                      const StopToken&) override {
    return fail(Status::unsupported, "not asked for");
  }
  Done recover_vartime(secp256k1::RecoverRule, const kernels::SignatureBatch& batch,
                       const kernels::SignatureResults& results, std::span<std::uint8_t> keys,
                       const StopToken&) override {
    SPARKMILL_TRY(secp256k1::check_recover(batch, results, keys));
    for (std::size_t i = 0; i < batch.count; ++i) {
      results.valid[i] = batch.signature(i, secp256k1::kRecoverableBytes)[0] % 2;
      const ByteView digest = batch.message(i);
      std::copy(digest.begin(), digest.end(), keys.begin() + static_cast<std::ptrdiff_t>(64 * i));
    }
    return done();
  }
};
class Verifier final : public rsa::Kernel {
 public:
  Done verify_vartime(rsa::Encoding encoding, const kernels::SignatureBatch& batch,
                      const kernels::SignatureResults& results, const StopToken&) override {
    SPARKMILL_TRY(rsa::check(encoding, batch, results));
    for (std::size_t i = 0; i < batch.count; ++i) {
      results.valid[i] = batch.signature(i, rsa::kSignatureBytes)[255] % 8 != 0;
    }
    return done();
  }
};

struct Rows {
  std::unique_ptr<kernels::Kernel> hash;
  Recoverer recoverer;
  Verifier verifier;
  Rows() {
    kernels::Device cpu;
    cpu.id = "cpu";
    hash = std::move(*kernels::find_row(kernels::Family::hash, "reference")->make(cpu));
  }
  evidence::Kernels view() { return {dynamic_cast<hashes::Kernel*>(hash.get()), &recoverer, &verifier}; }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Rows rows;
  const json item = json::parse(data, data + size, nullptr, false);
  if (item.is_discarded()) return 0;
  const std::vector<json> twice{item, item};
  for (const auto system : {evidence::System::bttc, evidence::System::btn}) {
    const auto one = evidence::answer(system, std::span(twice).first(1), rows.view(), {}, StopToken());
    const auto two = evidence::answer(system, twice, rows.view(), {.canonical = true, .stake = true}, StopToken());
    demand(one.ok() && two.ok() && one->size() == 1 && two->size() == 2);
    const evidence::Answer& a = (*one)[0];
    demand(a.read() || !a.error.message.empty());
    demand(a.json == (*two)[0].json && a.json == (*two)[1].json);
    if (a.read()) demand(json::parse(a.json).is_object());
    if (a.read() && !a.ok) demand(!a.reason.empty());
  }
  return 0;
}

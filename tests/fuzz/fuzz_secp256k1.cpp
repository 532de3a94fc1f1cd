// SPDX-License-Identifier: Apache-2.0
// Keys, signatures and digests of any bytes: the CPU rows of this processor give the oracle's verdict,
// evidence and recovered key. Input: question, key, signature, message.
#include <algorithm>
#include <cstdlib>
#include <memory>

#include "kernels/registry.h"
#include "kernels/secp256k1/known.h"

namespace {

using namespace sparkmill;
using namespace sparkmill::secp256k1;

void demand(bool holds) {
  if (!holds) std::abort();
}

struct Answer {
  std::uint8_t valid = 9;
  std::array<std::uint8_t, kEvidenceBytes> evidence{};
  std::array<std::uint8_t, kPublicKeyBytes> public_key{};
  bool operator==(const Answer&) const = default;
};

Answer ask(kernels::Kernel& row, Question question, const kernels::SignatureBatch& batch, bool evidence) {
  Kernel& kernel = dynamic_cast<Kernel&>(row);
  Answer a;
  const kernels::SignatureResults results{{&a.valid, 1},
                                          evidence ? std::span<std::uint8_t>(a.evidence) : std::span<std::uint8_t>()};
  if (question == Question::recover_in_range || question == Question::recover_unranged) {
    const RecoverRule rule = question == Question::recover_in_range ? RecoverRule::in_range : RecoverRule::unranged;
    demand(kernel.recover_vartime(rule, batch, results, a.public_key, StopToken()).ok());
  } else {
    demand(kernel.verify_vartime(kChecks[static_cast<std::size_t>(question)], batch, results, StopToken()).ok());
  }
  return a;
}

std::vector<std::unique_ptr<kernels::Kernel>> make_rows() {
  std::vector<std::unique_ptr<kernels::Kernel>> list;  // the oracle first
  for (const char* id : {"reference", "cpu/avx512", "cpu/avx2"}) {
    const kernels::Row* row = kernels::find_row(kernels::Family::secp256k1, id);
    kernels::Device cpu;
    cpu.id = "cpu";
    if (row == nullptr || !row->probe(cpu).ok) continue;
    list.push_back(std::move(*row->make(cpu)));
  }
  return list;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  static const auto rows = make_rows();
  const Question question = kQuestions[data[0] % std::size(kQuestions)];
  const bool recovers = question == Question::recover_in_range || question == Question::recover_unranged;
  const std::size_t key_size = recovers ? 0 : key_bytes(kChecks[static_cast<std::size_t>(question)]);
  const std::size_t signature_size = recovers ? kRecoverableBytes : kSignatureBytes;
  ByteView input(data + 1, size - 1);
  if (input.size() < key_size + signature_size) return 0;
  const ByteView key = input.first(key_size), signature = input.subspan(key_size, signature_size);
  Bytes message(input.begin() + static_cast<std::ptrdiff_t>(key_size + signature_size), input.end());
  if (question != Question::bip340) message.resize(kDigestBytes);
  const std::uint64_t offsets[] = {0, message.size()};
  const kernels::SignatureBatch batch{1, key, signature, message, offsets};
  for (const bool evidence : {true, false}) {
    const Answer want = ask(*rows[0], question, batch, evidence);
    for (const auto& row : rows) demand(ask(*row, question, batch, evidence) == want);
  }
  return 0;
}

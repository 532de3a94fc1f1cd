// SPDX-License-Identifier: Apache-2.0
// The self-test of the family.
#include "kernels/secp256k1/known.h"

#include <string>

#include "base/hex.h"
#include "kernels/secp256k1/vectors.h"

namespace sparkmill::secp256k1 {
namespace {

/// The known answers to one question, packed.
struct Packed {
  std::vector<const KnownAnswer*> answers;
  Bytes keys, signatures, messages, evidence, public_keys;
  std::vector<std::uint64_t> offsets{0};

  explicit Packed(Question question) {
    for (const KnownAnswer& k : kKnownAnswers) {
      if (k.question != question) continue;
      answers.push_back(&k);
      append(keys, k.key);
      append(signatures, k.signature);
      append(messages, k.message);
      append(evidence, k.evidence);
      append(public_keys, k.public_key);
      offsets.push_back(messages.size());
    }
  }
  kernels::SignatureBatch batch() const { return {answers.size(), keys, signatures, messages, offsets}; }

 private:
  static void append(Bytes& to, std::string_view hex) {
    const Bytes bytes = from_hex(hex).value();
    to.insert(to.end(), bytes.begin(), bytes.end());
  }
};

bool same(ByteView got, ByteView want, std::size_t at, std::size_t bytes) {
  const ByteView a = got.subspan(at * bytes, bytes), b = want.subspan(at * bytes, bytes);
  return std::equal(a.begin(), a.end(), b.begin());
}

}  // namespace

std::span<const KnownAnswer> known_answers() { return kKnownAnswers; }

Done check_known_answers(std::string_view row_id, Kernel& kernel) {
  for (const Question question : kQuestions) {
    const Packed packed(question);
    const std::size_t count = packed.answers.size();
    const bool recovers = question == Question::recover_in_range || question == Question::recover_unranged;
    Bytes valid(count), evidence(count * kEvidenceBytes), public_keys(recovers ? count * kPublicKeyBytes : 0);
    const kernels::SignatureResults results{valid, evidence};
    if (recovers) {
      const RecoverRule rule = question == Question::recover_in_range ? RecoverRule::in_range : RecoverRule::unranged;
      SPARKMILL_TRY(kernel.recover_vartime(rule, packed.batch(), results, public_keys, StopToken()));
    } else {
      const Check which = question == Question::ecdsa              ? Check::ecdsa
                          : question == Question::ecdsa_compressed ? Check::ecdsa_compressed
                                                                   : Check::bip340;
      SPARKMILL_TRY(kernel.verify_vartime(which, packed.batch(), results, StopToken()));
    }
    for (std::size_t i = 0; i < count; ++i) {
      const char* wrong = nullptr;
      if ((valid[i] != 0) != packed.answers[i]->valid) wrong = "verdict";
      if (!same(evidence, packed.evidence, i, kEvidenceBytes)) wrong = "evidence";
      if (recovers && !same(public_keys, packed.public_keys, i, kPublicKeyBytes)) wrong = "recovered key";
      if (wrong == nullptr) continue;
      return fail(Status::self_test_failed,
                  "row " + std::string(row_id) + ", known answer \"" + std::string(packed.answers[i]->name) +
                      "\": the " + wrong + " is wrong",
                  "this device or its driver computes wrong results; it must not be used");
    }
  }
  return done();
}

}  // namespace sparkmill::secp256k1

// SPDX-License-Identifier: Apache-2.0
// The self-test of the family.
#include "kernels/rsa/known.h"

#include <algorithm>
#include <string>
#include <vector>

#include "kernels/rsa/vectors.h"

namespace sparkmill::rsa {

std::span<const KnownAnswer> known_answers() { return kKnownAnswers; }

Done check_known_answers(std::string_view row_id, Kernel& kernel) {
  for (const Encoding encoding : kEncodings) {
    Bytes keys, signatures, messages;
    std::vector<std::uint64_t> offsets{0};
    std::vector<const KnownAnswer*> items;
    for (const KnownAnswer& k : kKnownAnswers) {
      if (k.encoding != encoding) continue;
      items.push_back(&k);
      keys.insert(keys.end(), k.key.begin(), k.key.end());
      signatures.insert(signatures.end(), k.signature.begin(), k.signature.end());
      messages.insert(messages.end(), k.message.begin(), k.message.end());
      offsets.push_back(messages.size());
    }
    Bytes valid(items.size()), evidence(items.size() * kEvidenceBytes);
    const kernels::SignatureBatch batch{items.size(), keys, signatures, messages, offsets};
    SPARKMILL_TRY(kernel.verify_vartime(encoding, batch, {valid, evidence}, StopToken()));
    for (std::size_t i = 0; i < items.size(); ++i) {
      const bool same = std::equal(items[i]->evidence.begin(), items[i]->evidence.end(),
                                   evidence.begin() + static_cast<std::ptrdiff_t>(i * kEvidenceBytes));
      if (valid[i] == (items[i]->valid ? 1 : 0) && same) continue;
      return fail(Status::self_test_failed,
                  "row " + std::string(row_id) + ", known answer \"" + std::string(items[i]->name) + "\": the " +
                      (same ? "verdict" : "evidence") + " is wrong",
                  "this device or its driver computes wrong results; it must not be used");
    }
  }
  return done();
}

}  // namespace sparkmill::rsa

// SPDX-License-Identifier: Apache-2.0
// The checks of a batch of signatures that all rows of all families share.
#include "kernels/backend/signature_batch.h"

#include <string>

namespace sparkmill::kernels {
namespace {

/// True when `bytes` is exactly count x each, without overflow.
bool fits(std::size_t bytes, std::size_t count, std::size_t each) {
  if (each == 0) return bytes == 0;
  return bytes % each == 0 && bytes / each == count;
}

Error wrong_span(std::string_view family, std::string_view what, std::size_t bytes, std::size_t count,
                 std::size_t each) {
  return fail(Status::bad_argument, std::string(family) + ": " + std::to_string(bytes) + " bytes of " +
                                        std::string(what) + " do not fit " + std::to_string(count) + " items of " +
                                        std::to_string(each) + " bytes");
}

}  // namespace

Done check(const SignatureBatch& batch, const SignatureResults& results, const SignatureShape& shape) {
  const std::string family(shape.family);
  if (!fits(batch.keys.size(), batch.count, shape.key_bytes))
    return wrong_span(family, "keys", batch.keys.size(), batch.count, shape.key_bytes);
  if (!fits(batch.signatures.size(), batch.count, shape.signature_bytes))
    return wrong_span(family, "signatures", batch.signatures.size(), batch.count, shape.signature_bytes);
  if (results.valid.size() != batch.count)
    return wrong_span(family, "room for verdicts", results.valid.size(), batch.count, 1);
  if (!results.evidence.empty() && !fits(results.evidence.size(), batch.count, shape.evidence_bytes))
    return wrong_span(family, "room for evidence", results.evidence.size(), batch.count, shape.evidence_bytes);
  const auto offsets = batch.message_offsets;
  if (offsets.empty() ? batch.count != 0 : offsets.size() - 1 != batch.count) {
    return fail(Status::bad_argument, family + ": " + std::to_string(offsets.size()) + " message offsets for " +
                                          std::to_string(batch.count) + " items; one more than items is needed");
  }
  for (std::size_t i = 0; i < batch.count; ++i) {
    const std::uint64_t from = offsets[i], to = offsets[i + 1];
    if (from > to || to > batch.messages.size()) {
      return fail(Status::bad_input,
                  family + ": item " + std::to_string(i) + ": its message, bytes " + std::to_string(from) + " to " +
                      std::to_string(to) + ", does not lie within the " + std::to_string(batch.messages.size()) +
                      " bytes of messages",
                  "offsets must not fall and must end within the messages");
    }
    if (shape.message_bytes != 0 && to - from != shape.message_bytes) {
      return fail(Status::bad_input, family + ": item " + std::to_string(i) + ": its message has " +
                                         std::to_string(to - from) + " bytes, it must have " +
                                         std::to_string(shape.message_bytes));
    }
  }
  return done();
}

}  // namespace sparkmill::kernels

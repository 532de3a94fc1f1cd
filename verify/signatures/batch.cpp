// SPDX-License-Identifier: Apache-2.0
#include "verify/signatures/batch.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "verify/signatures/translate.h"

namespace sparkmill::signatures {
namespace {

std::string of(const Form& form) { return std::string(form.scheme_name) + "/" + std::string(form.policy_name); }

/// count x each, or none of it when `each` is 0.
Done fits(const Form& form, std::string_view what, std::size_t bytes, std::size_t count, std::size_t each) {
  const bool right = each == 0 ? bytes == 0 : bytes % each == 0 && bytes / each == count;
  if (right) return done();
  return fail(Status::bad_argument, of(form) + ": " + std::to_string(bytes) + " bytes of " + std::string(what) +
                                        " do not fit " + std::to_string(count) + " items of " + std::to_string(each) +
                                        " bytes");
}

std::string takes(std::uint64_t bytes, const std::string& lengths) {
  return " has " + std::to_string(bytes) + " bytes, it must have " + lengths;
}
std::string wrong_signature(std::uint64_t bytes) {
  return bytes <= kMaxSignatureBytes ? "" : takes(bytes, "at most " + std::to_string(kMaxSignatureBytes) + " bytes");
}

/// Offsets count + 1, rising, within `bytes`; `wrong` says what is wrong with a part of this length, if anything.
template <class Wrong>
Done ranges(const Form& form, std::string_view what, std::span<const std::uint64_t> offsets, std::size_t count,
            std::size_t bytes, const Wrong& wrong) {
  const std::string name(what);
  if (offsets.empty() ? count != 0 : offsets.size() - 1 != count) {
    return fail(Status::bad_argument, of(form) + ": " + std::to_string(offsets.size()) + " " + name + " offsets for " +
                                          std::to_string(count) + " items; one more than items is needed");
  }
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t from = offsets[i], to = offsets[i + 1];
    const std::string item = of(form) + ": item " + std::to_string(i) + ": its " + name;
    if (from > to || to > bytes) {
      return fail(Status::bad_input, item + " does not lie within the " + std::to_string(bytes) + " bytes given");
    }
    const std::string why = wrong(to - from);
    if (!why.empty()) return fail(Status::bad_input, item + why);
  }
  return done();
}

Done check_results(const Form& form, const Items& items, const Results& results) {
  if (results.valid.size() != items.count) return fits(form, "room for verdicts", results.valid.size(), items.count, 1);
  if (!results.evidence.empty()) {
    if (form.evidence_bytes == 0) return fail(Status::bad_argument, of(form) + " has no evidence");
    SPARKMILL_TRY(fits(form, "room for evidence", results.evidence.size(), items.count, form.evidence_bytes));
  }
  if (!results.outputs.empty()) {
    SPARKMILL_TRY(fits(form, "room for outputs", results.outputs.size(), items.count, form.output_bytes));
  }
  if (!results.public_keys.empty()) {
    const std::size_t each = form.has_public_keys() ? 64 : 0;
    SPARKMILL_TRY(fits(form, "room for public keys", results.public_keys.size(), items.count, each));
  }
  return done();
}

std::span<std::uint8_t> cut(Bytes& bytes, std::size_t begin, std::size_t end, std::size_t each) {
  if (bytes.empty()) return {};
  return std::span(bytes).subspan(begin * each, (end - begin) * each);
}

}  // namespace

ByteView Items::signature(const Form& form, std::size_t i) const {
  if (form.signature_bytes != 0) return signatures.subspan(i * form.signature_bytes, form.signature_bytes);
  return signatures.subspan(signature_offsets[i], signature_offsets[i + 1] - signature_offsets[i]);
}

Items Items::part(const Form& form, std::size_t begin, std::size_t end) const {
  Items out = *this;
  out.count = end - begin;
  out.keys = keys.subspan(begin * form.key_bytes, out.count * form.key_bytes);
  if (form.signature_bytes != 0) {
    out.signatures = signatures.subspan(begin * form.signature_bytes, out.count * form.signature_bytes);
  } else {
    out.signature_offsets = signature_offsets.subspan(begin, out.count + 1);
  }
  out.message_offsets = message_offsets.subspan(begin, out.count + 1);
  return out;
}

Done check(const Form& form, const Items& items) {
  SPARKMILL_TRY(fits(form, "keys", items.keys.size(), items.count, form.key_bytes));
  if (form.signature_bytes != 0) {
    SPARKMILL_TRY(fits(form, "signatures", items.signatures.size(), items.count, form.signature_bytes));
  } else {
    SPARKMILL_TRY(
        ranges(form, "signature", items.signature_offsets, items.count, items.signatures.size(), wrong_signature));
  }
  const auto wrong_message = [&](std::uint64_t bytes) {
    return form.takes_message_of(bytes) ? std::string() : takes(bytes, form.message_lengths());
  };
  return ranges(form, "message", items.message_offsets, items.count, items.messages.size(), wrong_message);
}

Done ItemList::add(ByteView key, ByteView signature, ByteView message) {
  const auto wrong = [](std::string_view what, std::size_t got, std::size_t expected) {
    return fail(Status::bad_input,
                std::string(what) + ": " + std::to_string(got) + " bytes, expected " + std::to_string(expected));
  };
  const auto over = [](std::string_view what, std::size_t got, std::size_t limit) {
    return fail(Status::too_large, std::string(what) + ": " + std::to_string(got) + " bytes, at most " +
                                       std::to_string(limit) + " are allowed");
  };
  const Form& form = *form_;
  if (key.size() != form.key_bytes) return wrong("key", key.size(), form.key_bytes);
  if (form.signature_bytes != 0 && signature.size() != form.signature_bytes) {
    return wrong("signature", signature.size(), form.signature_bytes);
  }
  if (signature.size() > kMaxSignatureBytes) return over("signature", signature.size(), kMaxSignatureBytes);
  if (message.size() > kMaxMessageBytes) return over("message", message.size(), kMaxMessageBytes);
  if (!form.takes_message_of(message.size())) {
    return fail(Status::bad_input,
                "message: " + std::to_string(message.size()) + " bytes, expected " + form.message_lengths());
  }
  keys_.insert(keys_.end(), key.begin(), key.end());
  signatures_.insert(signatures_.end(), signature.begin(), signature.end());
  messages_.insert(messages_.end(), message.begin(), message.end());
  signature_offsets_.push_back(signatures_.size());
  message_offsets_.push_back(messages_.size());
  return done();
}

void ItemList::clear() {
  keys_.clear();
  signatures_.clear();
  messages_.clear();
  signature_offsets_.assign(1, 0);
  message_offsets_.assign(1, 0);
}

Items ItemList::view() const {
  Items out;
  out.count = count();
  out.keys = keys_;
  out.signatures = signatures_;
  if (form_->signature_bytes == 0) out.signature_offsets = signature_offsets_;
  out.messages = messages_;
  out.message_offsets = message_offsets_;
  return out;
}

Done verify_on(const Form& form, const Items& items, const Results& results, kernels::Kernel* kernel,
               const StopToken& stop) {
  SPARKMILL_TRY(check(form, items));
  SPARKMILL_TRY(check_results(form, items, results));
  const translate::Call call{form, items, results, kernel, stop};
  switch (form.scheme) {
    case Scheme::ed25519: return translate::ed25519(call);
    case Scheme::ecdsa: return translate::ecdsa(call);
    case Scheme::ecdsa_recover:
    case Scheme::ecdsa_address: return translate::recover(call);
    case Scheme::bip340: return translate::bip340(call);
    case Scheme::musig2: return translate::musig2(call);
    case Scheme::rsa2048: return translate::rsa2048(call);
    case Scheme::ecvrf: return translate::ecvrf(call);
  }
  return fail(Status::internal, "a scheme without code");
}

Result<Verdicts> verify(const Form& form, const Items& items, const Wanted& wanted, Lanes& lanes,
                        const StopToken& stop) {
  SPARKMILL_TRY(check(form, items));
  Verdicts out;
  out.count = items.count;
  Bytes valid(items.count);
  if (wanted.evidence) out.evidence.resize(items.count * form.evidence_bytes);
  if (wanted.outputs) out.outputs.resize(items.count * form.output_bytes);
  if (wanted.public_keys && form.has_public_keys()) out.public_keys.resize(items.count * 64);
  const std::size_t slices = (items.count + kSliceItems - 1) / kSliceItems;
  SPARKMILL_TRY(lanes.run(
      slices,
      [&](std::size_t slice, kernels::Kernel* kernel) -> Done {
        const std::size_t begin = slice * kSliceItems, end = std::min(begin + kSliceItems, items.count);
        const Results results{cut(valid, begin, end, 1), cut(out.evidence, begin, end, form.evidence_bytes),
                              cut(out.outputs, begin, end, form.output_bytes), cut(out.public_keys, begin, end, 64)};
        return verify_on(form, items.part(form, begin, end), results, kernel, stop);
      },
      stop));
  out.bitmap = bitmap_of(valid);
  out.valid_count = static_cast<std::size_t>(std::count(valid.begin(), valid.end(), std::uint8_t{1}));
  return out;
}

Bytes bitmap_of(ByteView valid) {
  Bytes out((valid.size() + 7) / 8);
  for (std::size_t i = 0; i < valid.size(); ++i) {
    out[i / 8] = static_cast<std::uint8_t>(out[i / 8] | (valid[i] != 0 ? 1 : 0) << (i % 8));
  }
  return out;
}

}  // namespace sparkmill::signatures

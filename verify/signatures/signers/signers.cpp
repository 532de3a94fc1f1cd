// SPDX-License-Identifier: Apache-2.0
#include "verify/signatures/signers/signers.h"

#include <sodium.h>

#include <algorithm>
#include <string>

#include "verify/signatures/ecdsa.h"
#include "verify/signatures/signers/ed25519_numbers.h"
#include "verify/signatures/signers/signers_impl.h"

namespace sparkmill::signatures {
namespace {

struct Range {
  std::size_t from, to;
};
/// R, r, Gamma; an RSA signature has an upper half.
Range point_of(const Form& form) { return form.scheme == Scheme::rsa2048 ? Range{0, 128} : Range{0, 32}; }
/// S, s.
Range scalar_of(const Form& form) {
  if (form.scheme == Scheme::rsa2048) return {128, 256};
  return form.scheme == Scheme::ecvrf ? Range{48, 80} : Range{32, 64};
}
constexpr Range kVrfChallenge{32, 48};

void fill(Bytes& bytes, Range range, ChaChaWords* draw) {
  for (std::size_t k = range.from; k < range.to; ++k) {
    bytes[k] = draw == nullptr ? std::uint8_t{0} : static_cast<std::uint8_t>(draw->u32());
  }
}

}  // namespace

void flip_bit(Bytes& bytes, std::size_t from, std::size_t to, ChaChaWords& draw) {
  const std::uint64_t bit = draw.below(8 * (to - from));
  bytes[from + bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
}

BaseSigners::BaseSigners(const Form& form, const SignerSettings& settings)
    : form_(form), message_bytes_(settings.message_bytes), flaws_(flaws_of(form)), draw_(settings.seed) {
  if (form.message_bytes != 0) message_bytes_ = form.message_bytes;
  if (message_bytes_ == std::size_t{0}) {
    without(Flaw::message_bit);
    without(Flaw::wrong_message);
  }
}

Bytes BaseSigners::random(std::size_t size) {
  Bytes out(size);
  fill(out, {0, size}, &draw_);
  return out;
}

Bytes BaseSigners::message() { return random(message_bytes_ ? *message_bytes_ : usual_length()); }

Result<Sample> BaseSigners::bad(Flaw flaw) {
  SPARKMILL_ASSIGN(Sample item, make(flaw, message()));
  // DER is bent as numbers, and encoded again.
  const bool der = form_.signature_bytes == 0 && flaw != Flaw::odd_der;
  if (der) {
    const auto plain = parse_der(item.signature);
    if (!plain) return fail(Status::internal, "signers: DER that we cannot read");
    item.signature.assign(plain->begin(), plain->end());
  }
  SPARKMILL_TRY(bend(flaw, item));
  if (der) item.signature = encode_der(item.signature);
  return item;
}

/// What needs no signing.
Done BaseSigners::bend(Flaw flaw, Sample& item) {
  const std::size_t listed = keys_in_message(), head = listed == 0 ? 0 : 2;
  Bytes& keys = listed == 0 ? item.key : item.message;
  const Range key{head, listed == 0 ? item.key.size() : head + listed};
  const Range message{head + listed, item.message.size()};
  const Range point = point_of(form_), scalar = scalar_of(form_);
  switch (flaw) {
    case Flaw::key_bit: flip_bit(keys, key.from, key.to, draw_); break;
    case Flaw::signature_bit: flip_bit(item.signature, point.from, point.to, draw_); break;
    case Flaw::scalar_bit: flip_bit(item.signature, scalar.from, scalar.to, draw_); break;
    case Flaw::challenge_bit: flip_bit(item.signature, kVrfChallenge.from, kVrfChallenge.to, draw_); break;
    case Flaw::message_bit: flip_bit(item.message, message.from, message.to, draw_); break;
    case Flaw::wrong_message: {
      const Bytes own = item.message;
      while (item.message == own) fill(item.message, message, &draw_);
      break;
    }
    case Flaw::wrong_key: {
      // The key of another item; there are few keys of RSA and few committees.
      const Bytes own = keys;
      while (std::equal(own.begin() + static_cast<std::ptrdiff_t>(key.from),
                        own.begin() + static_cast<std::ptrdiff_t>(key.to),
                        keys.begin() + static_cast<std::ptrdiff_t>(key.from))) {
        SPARKMILL_ASSIGN(const Sample other, make(Flaw::wrong_key, item.message));
        const Bytes& from = listed == 0 ? other.key : other.message;
        std::copy_n(from.begin() + static_cast<std::ptrdiff_t>(key.from), key.to - key.from,
                    keys.begin() + static_cast<std::ptrdiff_t>(key.from));
      }
      break;
    }
    case Flaw::zero_scalar: fill(item.signature, scalar, nullptr); break;
    case Flaw::scalar_plus_order:
      if (form_.scheme == Scheme::ed25519 || form_.scheme == Scheme::ecvrf) {
        ed25519_numbers::add_order(item.signature.data() + scalar.from);
      }
      break;
    default: break;
  }
  return done();
}

Result<std::unique_ptr<Signers>> make_signers(const Form& form, const SignerSettings& settings) {
  if (sodium_init() < 0) return fail(Status::internal, "libsodium does not start");
  if (settings.message_bytes && form.message_bytes == 0 &&
      (*settings.message_bytes < form.least_message_bytes || *settings.message_bytes > form.most_message_bytes)) {
    return fail(Status::bad_argument,
                "messages of " + std::to_string(*settings.message_bytes) + " bytes: " + std::string(form.scheme_name) +
                    "/" + std::string(form.policy_name) + " takes " + std::to_string(form.least_message_bytes) +
                    " to " + std::to_string(form.most_message_bytes));
  }
  switch (form.scheme) {
    case Scheme::ed25519: return ed25519_signers(form, settings);
    case Scheme::ecdsa:
    case Scheme::ecdsa_recover:
    case Scheme::ecdsa_address: return ecdsa_signers(form, settings);
    case Scheme::bip340:
    case Scheme::musig2: return schnorr_signers(form, settings);
    case Scheme::rsa2048: return rsa_signers(form, settings);
    case Scheme::ecvrf: return ecvrf_signers(form, settings);
  }
  return fail(Status::internal, "a scheme without signers");
}

}  // namespace sparkmill::signatures

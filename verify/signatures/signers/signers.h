// SPDX-License-Identifier: Apache-2.0
// Fresh signatures of a form: good ones and, made the same way, ones with every flaw of the table. What a node gives
// out as generated work with the planted items among it, what `verify-batch --generate` writes, what tests use.
//
// Every item has a key of its own where keys are cheap, so that no key shows by standing alone that its item was
// planted. RSA keys are made once a process (a good part of a second each); MuSig2 committees serve some items each, as
// votes come. Signing takes variable time: these keys sign nothing else.
// Source: jobs and proofs 7; "Signatures and proofs" 1 to 5; BIP-340; BIP-327; RFC 8032; RFC 9381.
#pragma once

#include <memory>
#include <optional>

#include "base/hash.h"
#include "verify/signatures/batch.h"
#include "verify/signatures/signers/flaws.h"

namespace sparkmill::signatures {

struct Sample {
  Bytes key, signature, message;
};

struct SignerSettings {
  Hash32 seed{};
  /// Of every message, where the form leaves it open (MuSig2: behind the keys); nothing: lengths as the form's callers
  /// have them.
  std::optional<std::size_t> message_bytes;
};

/// Not thread-safe. All draws come from the seed, but for RSA keys: same form and settings, same items in the same
/// order of calls. Errors of all: internal (a library refuses).
class Signers {
 public:
  virtual ~Signers() = default;
  virtual const Form& form() const = 0;
  virtual Result<Sample> good() = 0;
  /// The flaws that this form has with these messages (an empty message has no bits).
  virtual std::span<const Flaw> flaws() const = 0;
  /// A fresh item with this flaw. Requires one of flaws().
  virtual Result<Sample> bad(Flaw flaw) = 0;
};

/// Every form has signers. Errors: bad_argument (message_bytes that the form does not take), internal (libsodium does
/// not start, OpenSSL makes no key).
Result<std::unique_ptr<Signers>> make_signers(const Form& form, const SignerSettings& settings);

}  // namespace sparkmill::signatures

// SPDX-License-Identifier: Apache-2.0
// RSA-2048 signatures by OpenSSL.
#pragma once

#include <memory>

#include "base/bytes.h"
#include "base/result.h"

namespace sparkmill::signatures {

class RsaSigner {
 public:
  static Result<RsaSigner> make();
  RsaSigner(RsaSigner&&) noexcept;
  ~RsaSigner();
  const Bytes& modulus() const { return modulus_; }  ///< 256 bytes
  /// `digest_info`: RSASSA-PKCS1-v1_5 of a SHA-256 hash; else block type 1 without it.
  Result<Bytes> sign(ByteView hash, bool digest_info) const;

 private:
  RsaSigner();
  struct State;
  std::unique_ptr<State> state_;
  Bytes modulus_;
};

}  // namespace sparkmill::signatures

// SPDX-License-Identifier: Apache-2.0
// RSA-2048 keys that sign, by OpenSSL.
#pragma once

#include <memory>
#include <span>

#include "base/bytes.h"
#include "base/result.h"

namespace sparkmill::signatures {

/// Of what EMSA-PKCS1-v1_5 puts in front of a SHA-256 hash.
inline constexpr std::uint8_t kSha256DigestInfo[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                                     0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};

class RsaKey {
 public:
  /// e = 65537. Takes 0.1 s. Error: internal.
  static Result<RsaKey> make();
  RsaKey(RsaKey&&) noexcept;
  ~RsaKey();
  const Bytes& modulus() const { return modulus_; }  ///< 256 bytes
  /// em^d mod n. Requires 256 bytes, as a number below n. Error: internal.
  Result<Bytes> sign_encoded(ByteView em) const;
  /// 00 01 FF .. FF 00 | message, signed: a BTN draw, seal or vote. Requires 1 to 245 bytes.
  Result<Bytes> sign(ByteView message) const;

 private:
  RsaKey();
  struct State;
  std::unique_ptr<State> state_;
  Bytes modulus_;
};

/// Some keys, made once a process. Thread-safe. Error: internal.
Result<std::span<const RsaKey>> process_rsa_keys();

/// 00 01 FF .. FF 00 | message, 256 bytes. Requires at most 245 bytes.
Bytes rsa_block_type_1(ByteView message);

}  // namespace sparkmill::signatures

// SPDX-License-Identifier: Apache-2.0
// Key files and role keys (jobs-and-proofs 1). One 32-byte seed a file; each role has its own Ed25519 key by
// HKDF-SHA256(seed, info = "sparkmill/key/v1/" | role). One role never signs for another, and no raw message is ever
// signed: each signature covers a domain string first.
//
// Key file, 120 bytes, mode 0600, little-endian:
//   0 "SMKY" | 4 u16 version = 1 | 6 u8 wrapped (0, 1) | 7 u8 0 | 8 salt[16] | 24 u64 Argon2id passes |
//   32 u64 Argon2id memory in bytes | 40 nonce[24] | 64 payload[48] | 112 first 8 bytes of SHA-256(bytes 0..111)
// Not wrapped: payload = seed | 16 zeros, and salt, passes, memory, nonce are zero.
// Wrapped: payload = crypto_secretbox(seed) under Argon2id(passphrase, salt); passes 1..16, memory 8 KiB..1 GiB.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace sparkmill::keys {

using PublicKey = std::array<std::uint8_t, 32>;
using Signature = std::array<std::uint8_t, 64>;

/// The fixed list of roles.
inline constexpr std::string_view kRoles[] = {"envelope", "request", "receipt", "vrf", "seal", "bls"};

/// A role's signing key in locked memory. Not copyable; never printed.
class SigningKey {
 public:
  ~SigningKey();
  SigningKey(SigningKey&&) noexcept;
  SigningKey& operator=(SigningKey&&) noexcept;
  SigningKey(const SigningKey&) = delete;
  const PublicKey& public_key() const { return public_; }
  /// Ed25519 over `domain` | `message` (the domain is ASCII, e.g. "sparkmill/envelope/v1"). Constant time.
  Signature sign(std::string_view domain, ByteView message) const;

 private:
  friend class KeyFile;
  SigningKey() = default;
  std::uint8_t* secret_ = nullptr;  // sodium_malloc
  PublicKey public_{};
};

/// Strict Ed25519 (libsodium: S < L, small-order A and R refused) over `domain` | `message`. Variable time, public
/// data.
bool verify(const PublicKey& key, std::string_view domain, ByteView message, const Signature& signature);

/// The seed of one identity, in locked memory.
class KeyFile {
 public:
  /// Makes a fresh seed and writes it with mode 0600; refuses to replace a file. `passphrase` empty: not wrapped.
  static Result<KeyFile> create(const std::filesystem::path& path, std::string_view passphrase = {});
  /// Errors: not_found; refused when group or others may read it (hint: chmod 600); bad_input for a damaged file;
  /// refused for a wrong or missing passphrase.
  static Result<KeyFile> load(const std::filesystem::path& path, std::string_view passphrase = {});
  /// For tests and for tools that derive keys: takes the seed as given.
  static KeyFile from_seed(const Hash32& seed);
  ~KeyFile();
  KeyFile(KeyFile&&) noexcept;
  KeyFile& operator=(KeyFile&&) noexcept;
  KeyFile(const KeyFile&) = delete;
  /// Roles: "envelope", "request", "receipt", "vrf", "seal", "bls"; others abort (a programming error).
  SigningKey role(std::string_view role) const;

 private:
  KeyFile() = default;
  std::uint8_t* seed_ = nullptr;  // sodium_malloc
};

}  // namespace sparkmill::keys

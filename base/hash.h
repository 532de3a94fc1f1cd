// SPDX-License-Identifier: Apache-2.0
// SHA-256 (FIPS 180-4), SHA3-256 (FIPS 202), MD5, RIPEMD-160, HMAC and HKDF (RFC 2104, RFC 5869) and the ChaCha20
// stream (RFC 8439), by OpenSSL and libsodium.
#pragma once

#include <memory>

#include "base/bytes.h"

namespace sparkmill {

/// Incremental SHA-256. Variable length, constant time in the content.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  Sha256& update(ByteView bytes);
  Sha256& update(std::string_view bytes) { return update(view(bytes)); }
  /// The digest; the object starts afresh.
  Hash32 finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

Hash32 sha256(ByteView bytes);
/// SHA3-256 (pad byte 0x06: not Keccak-256).
Hash32 sha3_256(ByteView bytes);
/// MD5 (RFC 1321). Broken; only where BOINC's protocols demand it.
Id16 md5(ByteView bytes);
/// RIPEMD-160 (Dobbertin, Bosselaers, Preneel 1996): Bytom's address hash, over the key itself.
std::array<std::uint8_t, 20> ripemd160(ByteView bytes);
Hash32 hmac_sha256(ByteView key, ByteView message);
/// HKDF-SHA256, extract then expand; `out` at most 255 * 32 bytes.
void hkdf_sha256(ByteView ikm, ByteView salt, ByteView info, std::span<std::uint8_t> out);

/// Fills `out` with the ChaCha20 key stream from byte `offset` on.
/// The nonce is the 96-bit little-endian integer `nonce` (RFC 8439 layout, block counter from 0).
/// Requires offset + out.size() <= 2^38 bytes.
void chacha20_stream(const Hash32& key, std::uint64_t nonce, std::uint64_t offset, std::span<std::uint8_t> out);

/// Endless ChaCha20 words in order, for seeded draws.
class ChaChaWords {
 public:
  explicit ChaChaWords(const Hash32& key, std::uint64_t nonce = 0) : key_(key), nonce_(nonce) {}
  std::uint32_t u32();
  std::uint64_t u64() {
    std::uint64_t lo = u32();
    return lo | std::uint64_t{u32()} << 32;
  }
  /// Uniform in [0, bound): u64 words, rejection-sampled: a word >= floor(2^64 / bound) * bound is dropped. Requires
  /// bound >= 1.
  std::uint64_t below(std::uint64_t bound);

 private:
  Hash32 key_;
  std::uint64_t nonce_;
  std::uint64_t offset_ = 0;
  std::array<std::uint8_t, 1024> buffer_{};
  std::size_t used_ = sizeof buffer_;
};

/// Operating-system randomness.
void random_bytes(std::span<std::uint8_t> out);
template <std::size_t N>
std::array<std::uint8_t, N> random_array() {
  std::array<std::uint8_t, N> a{};
  random_bytes(a);
  return a;
}

}  // namespace sparkmill

// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sodium.h>

#include <algorithm>
#include <cstdlib>

namespace sparkmill {

struct Sha256::State {
  EVP_MD_CTX* ctx = EVP_MD_CTX_new();
  bool chosen = false;
  /// Naming the digest again would look it up again: 270 ns a hash of 32 bytes instead of 80.
  void restart() { chosen = EVP_DigestInit_ex(ctx, chosen ? nullptr : EVP_sha256(), nullptr) == 1; }
  ~State() { EVP_MD_CTX_free(ctx); }
};

Sha256::Sha256() : state_(std::make_unique<State>()) { state_->restart(); }
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

Sha256& Sha256::update(ByteView bytes) {
  EVP_DigestUpdate(state_->ctx, bytes.data(), bytes.size());
  return *this;
}

Hash32 Sha256::finish() {
  Hash32 out{};
  unsigned len = 0;
  EVP_DigestFinal_ex(state_->ctx, out.data(), &len);
  state_->restart();
  return out;
}

Hash32 sha256(ByteView bytes) {
  // One context a thread: fetching a digest afresh costs more than hashing a Merkle node.
  thread_local Sha256 hasher;
  return hasher.update(bytes).finish();
}

namespace {

/// One digest of one thread: naming it again for each message would look it up again, which costs more than a short
/// message.
class Digest {
 public:
  explicit Digest(const EVP_MD* method) : chosen_(EVP_DigestInit_ex(context_, method, nullptr) == 1) {}
  ~Digest() { EVP_MD_CTX_free(context_); }
  Digest(const Digest&) = delete;
  Digest& operator=(const Digest&) = delete;
  /// False when OpenSSL has no such digest or no memory.
  bool operator()(ByteView bytes, std::span<std::uint8_t> out) {
    unsigned size = 0;
    return chosen_ && EVP_DigestInit_ex(context_, nullptr, nullptr) == 1 &&
           EVP_DigestUpdate(context_, bytes.data(), bytes.size()) == 1 &&
           EVP_DigestFinal_ex(context_, out.data(), &size) == 1 && size == out.size();
  }

 private:
  EVP_MD_CTX* context_ = EVP_MD_CTX_new();
  bool chosen_;
};

}  // namespace

Hash32 sha3_256(ByteView bytes) {
  thread_local Digest digest(EVP_sha3_256());
  Hash32 out{};
  if (!digest(bytes, out)) std::abort();  // only when OpenSSL has no SHA-3 or no memory
  return out;
}

Id16 md5(ByteView bytes) {
  Id16 out{};
  unsigned size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), out.data(), &size, EVP_md5(), nullptr) != 1 || size != out.size()) {
    std::abort();  // only when OpenSSL was built without MD5
  }
  return out;
}

std::array<std::uint8_t, 20> ripemd160(ByteView bytes) {
  thread_local Digest digest(EVP_ripemd160());
  std::array<std::uint8_t, 20> out{};
  if (!digest(bytes, out)) std::abort();  // only with an OpenSSL 3.0 before 3.0.7, or one built without it
  return out;
}

Hash32 hmac_sha256(ByteView key, ByteView message) {
  Hash32 out{};
  unsigned len = 0;
  static constexpr std::uint8_t kEmpty = 0;
  HMAC(EVP_sha256(), key.empty() ? &kEmpty : key.data(), static_cast<int>(key.size()),
       message.empty() ? &kEmpty : message.data(), message.size(), out.data(), &len);
  return out;
}

void hkdf_sha256(ByteView ikm, ByteView salt, ByteView info, std::span<std::uint8_t> out) {
  if (out.size() > 255 * 32) std::abort();
  const Hash32 zero{};
  Hash32 prk = hmac_sha256(salt.empty() ? ByteView(zero) : salt, ikm);
  Hash32 block{};
  std::size_t at = 0;
  for (std::uint8_t i = 1; at < out.size(); ++i) {
    ByteWriter w;
    if (i > 1) w.bytes(block);
    w.bytes(info).u8(i);
    block = hmac_sha256(prk, w.data());
    std::size_t n = std::min<std::size_t>(32, out.size() - at);
    std::memcpy(out.data() + at, block.data(), n);
    at += n;
  }
  sodium_memzero(prk.data(), prk.size());
  sodium_memzero(block.data(), block.size());
}

void chacha20_stream(const Hash32& key, std::uint64_t nonce, std::uint64_t offset, std::span<std::uint8_t> out) {
  if (out.empty()) return;
  std::array<std::uint8_t, crypto_stream_chacha20_ietf_NONCEBYTES> n{};
  std::memcpy(n.data(), &nonce, sizeof nonce);
  auto counter = static_cast<std::uint32_t>(offset / 64);
  const std::size_t skip = offset % 64;
  std::size_t at = 0;
  if (skip != 0) {
    std::array<std::uint8_t, 64> block{};
    crypto_stream_chacha20_ietf_xor_ic(block.data(), block.data(), block.size(), n.data(), counter++, key.data());
    at = std::min(out.size(), block.size() - skip);
    std::memcpy(out.data(), block.data() + skip, at);
  }
  if (at == out.size()) return;
  std::memset(out.data() + at, 0, out.size() - at);
  crypto_stream_chacha20_ietf_xor_ic(out.data() + at, out.data() + at, out.size() - at, n.data(), counter, key.data());
}

std::uint32_t ChaChaWords::u32() {
  if (used_ == buffer_.size()) {
    chacha20_stream(key_, nonce_, offset_, buffer_);
    offset_ += buffer_.size();
    used_ = 0;
  }
  std::uint32_t v = 0;
  std::memcpy(&v, buffer_.data() + used_, sizeof v);
  used_ += sizeof v;
  return v;
}

std::uint64_t ChaChaWords::below(std::uint64_t bound) {
  const std::uint64_t excess = (0 - bound) % bound;  // 2^64 mod bound
  for (;;) {
    std::uint64_t v = u64();
    if (v <= ~excess) return v % bound;
  }
}

void random_bytes(std::span<std::uint8_t> out) { randombytes_buf(out.data(), out.size()); }

}  // namespace sparkmill

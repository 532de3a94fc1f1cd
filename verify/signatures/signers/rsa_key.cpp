// SPDX-License-Identifier: Apache-2.0
#include "verify/signatures/signers/rsa_key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <vector>

#include "kernels/rsa/rsa.h"

namespace sparkmill::signatures {
namespace {

constexpr std::size_t kProcessKeys = 4;

Result<std::vector<RsaKey>> make_keys() {
  std::vector<RsaKey> keys;
  for (std::size_t k = 0; k < kProcessKeys; ++k) {
    SPARKMILL_ASSIGN(RsaKey key, RsaKey::make());
    keys.push_back(std::move(key));
  }
  return keys;
}

}  // namespace

struct RsaKey::State {
  EVP_PKEY* key = nullptr;
  ~State() { EVP_PKEY_free(key); }
};

RsaKey::RsaKey() : state_(std::make_unique<State>()) {}
RsaKey::RsaKey(RsaKey&&) noexcept = default;
RsaKey::~RsaKey() = default;

Result<RsaKey> RsaKey::make() {
  RsaKey out;
  out.state_->key = EVP_RSA_gen(8 * rsa::kModulusBytes);
  BIGNUM* n = nullptr;
  out.modulus_.resize(rsa::kModulusBytes);
  const bool made = out.state_->key != nullptr &&
                    EVP_PKEY_get_bn_param(out.state_->key, OSSL_PKEY_PARAM_RSA_N, &n) == 1 &&
                    BN_bn2binpad(n, out.modulus_.data(), static_cast<int>(rsa::kModulusBytes)) ==
                        static_cast<int>(rsa::kModulusBytes);
  BN_free(n);
  if (!made) return fail(Status::internal, "OpenSSL makes no RSA key");
  return out;
}

Result<Bytes> RsaKey::sign_encoded(ByteView em) const {
  Bytes out(rsa::kSignatureBytes);
  std::size_t size = out.size();
  EVP_PKEY_CTX* ctx = EVP_PKEY_CTX_new(state_->key, nullptr);
  const bool made = ctx != nullptr && EVP_PKEY_sign_init(ctx) == 1 &&
                    EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING) == 1 &&
                    EVP_PKEY_sign(ctx, out.data(), &size, em.data(), em.size()) == 1 && size == out.size();
  EVP_PKEY_CTX_free(ctx);
  if (!made) return fail(Status::internal, "OpenSSL makes no RSA signature");
  return out;
}

Result<Bytes> RsaKey::sign(ByteView message) const { return sign_encoded(rsa_block_type_1(message)); }

Result<std::span<const RsaKey>> process_rsa_keys() {
  static const Result<std::vector<RsaKey>> keys = make_keys();
  if (!keys) return keys.error();
  return std::span<const RsaKey>(*keys);
}

Bytes rsa_block_type_1(ByteView message) {
  Bytes em(rsa::kModulusBytes, 0xff);
  em[0] = 0;
  em[1] = 1;
  em[em.size() - message.size() - 1] = 0;
  std::copy(message.begin(), message.end(), em.end() - static_cast<std::ptrdiff_t>(message.size()));
  return em;
}

}  // namespace sparkmill::signatures

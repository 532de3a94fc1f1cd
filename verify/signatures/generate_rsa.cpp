// SPDX-License-Identifier: Apache-2.0
#include "verify/signatures/generate_rsa.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

namespace sparkmill::signatures {

struct RsaSigner::State {
  EVP_PKEY* key = nullptr;
  ~State() { EVP_PKEY_free(key); }
};

RsaSigner::RsaSigner() : state_(std::make_unique<State>()) {}
RsaSigner::RsaSigner(RsaSigner&&) noexcept = default;
RsaSigner::~RsaSigner() = default;

Result<RsaSigner> RsaSigner::make() {
  RsaSigner out;
  out.state_->key = EVP_RSA_gen(2048);
  BIGNUM* n = nullptr;
  out.modulus_.resize(256);
  const bool made = out.state_->key != nullptr &&
                    EVP_PKEY_get_bn_param(out.state_->key, OSSL_PKEY_PARAM_RSA_N, &n) == 1 &&
                    BN_bn2binpad(n, out.modulus_.data(), 256) == 256;
  BN_free(n);
  if (!made) return fail(Status::internal, "OpenSSL makes no RSA key");
  return out;
}

Result<Bytes> RsaSigner::sign(ByteView hash, bool digest_info) const {
  Bytes out(256);
  std::size_t size = out.size();
  EVP_PKEY_CTX* ctx = EVP_PKEY_CTX_new(state_->key, nullptr);
  const bool made = ctx != nullptr && EVP_PKEY_sign_init(ctx) == 1 &&
                    EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
                    (!digest_info || EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1) &&
                    EVP_PKEY_sign(ctx, out.data(), &size, hash.data(), hash.size()) == 1 && size == out.size();
  EVP_PKEY_CTX_free(ctx);
  if (!made) return fail(Status::internal, "OpenSSL makes no RSA signature");
  return out;
}

}  // namespace sparkmill::signatures

// SPDX-License-Identifier: Apache-2.0
#include "bench/blocks/peer_kernels.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <sodium.h>

#include <algorithm>
#include <vector>

#include "kernels/rsa/encoding.h"

#if defined(SPARKMILL_HAVE_LIBSECP256K1)
#include <secp256k1.h>
#include <secp256k1_extrakeys.h>
#include <secp256k1_recovery.h>
#include <secp256k1_schnorrsig.h>
#endif

namespace sparkmill::bench {
namespace {

class OpensslHash final : public hashes::Kernel {
 public:
  ~OpensslHash() override { EVP_MD_CTX_free(context_); }
  Done hash(hashes::Algorithm a, const hashes::Batch& batch, std::span<std::uint8_t> out, const StopToken&) override {
    const EVP_MD* method = a == hashes::Algorithm::sha256   ? EVP_sha256()
                           : a == hashes::Algorithm::sha512 ? EVP_sha512()
                                                            : EVP_sha3_256();
    const std::size_t each = hashes::digest_bytes(a);
    bool good = true;
    for (std::size_t i = 0; i < batch.count(); ++i) {
      const ByteView message = batch.message(i);
      good &= EVP_DigestInit_ex(context_, method, nullptr) == 1 &&
              EVP_DigestUpdate(context_, message.data(), message.size()) == 1 &&
              EVP_DigestFinal_ex(context_, out.data() + i * each, nullptr) == 1;
    }
    return good ? done() : Done(fail(Status::internal, "OpenSSL does not hash"));
  }

 private:
  EVP_MD_CTX* context_ = EVP_MD_CTX_new();
};

class SodiumEd25519 final : public ed25519::Kernel {
 public:
  Done verify_vartime(ed25519::Policy, const kernels::SignatureBatch& batch, const kernels::SignatureResults& results,
                      const StopToken&) override {
    for (std::size_t i = 0; i < batch.count; ++i) {
      const ByteView message = batch.message(i);
      results.valid[i] = crypto_sign_verify_detached(batch.signature(i, 64).data(), message.data(), message.size(),
                                                     batch.key(i, 32).data()) == 0;
    }
    return done();
  }
};

#if defined(SPARKMILL_HAVE_LIBSECP256K1)

secp256k1_context* secp_context() {
  static secp256k1_context* context = secp256k1_context_create(SECP256K1_CONTEXT_VERIFY);
  return context;
}

class Libsecp256k1 final : public secp256k1::Kernel {
 public:
  Done verify_vartime(secp256k1::Check which, const kernels::SignatureBatch& batch,
                      const kernels::SignatureResults& results, const StopToken&) override {
    if (which != secp256k1::Check::bip340) return fail(Status::unsupported, "not needed by any benchmark");
    for (std::size_t i = 0; i < batch.count; ++i) {
      const ByteView message = batch.message(i);
      secp256k1_xonly_pubkey key;
      results.valid[i] = secp256k1_xonly_pubkey_parse(secp_context(), &key, batch.key(i, 32).data()) == 1 &&
                         secp256k1_schnorrsig_verify(secp_context(), batch.signature(i, 64).data(), message.data(),
                                                     message.size(), &key) == 1;
    }
    return done();
  }
  Done recover_vartime(secp256k1::RecoverRule, const kernels::SignatureBatch& batch,
                       const kernels::SignatureResults& results, std::span<std::uint8_t> public_keys,
                       const StopToken&) override {
    for (std::size_t i = 0; i < batch.count; ++i) {
      const std::uint8_t* signature = batch.signature(i, 65).data();
      secp256k1_ecdsa_recoverable_signature parsed;
      secp256k1_pubkey key;
      std::uint8_t out[65];
      std::size_t length = sizeof out;
      const bool good =
          secp256k1_ecdsa_recoverable_signature_parse_compact(secp_context(), &parsed, signature, signature[64]) == 1 &&
          secp256k1_ecdsa_recover(secp_context(), &key, &parsed, batch.message(i).data()) == 1 &&
          secp256k1_ec_pubkey_serialize(secp_context(), out, &length, &key, SECP256K1_EC_UNCOMPRESSED) == 1;
      results.valid[i] = good;
      if (good) std::copy_n(out + 1, 64, public_keys.data() + i * 64);
      if (!good) std::fill_n(public_keys.data() + i * 64, 64, std::uint8_t{0});
    }
    return done();
  }
};

#endif

struct Free {
  void operator()(BIGNUM* n) const { BN_free(n); }
  void operator()(EVP_PKEY* k) const { EVP_PKEY_free(k); }
  void operator()(EVP_PKEY_CTX* c) const { EVP_PKEY_CTX_free(c); }
  void operator()(OSSL_PARAM_BLD* b) const { OSSL_PARAM_BLD_free(b); }
  void operator()(OSSL_PARAM* p) const { OSSL_PARAM_free(p); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

class OpensslRsa final : public rsa::Kernel {
 public:
  Done verify_vartime(rsa::Encoding encoding, const kernels::SignatureBatch& batch,
                      const kernels::SignatureResults& results, const StopToken&) override {
    for (std::size_t i = 0; i < batch.count; ++i) {
      const auto em = rsa::encoded(encoding, batch.message(i));
      results.valid[i] = recovers(batch.key(i, rsa::kModulusBytes), batch.signature(i, rsa::kSignatureBytes), em);
    }
    return done();
  }

 private:
  static bool recovers(ByteView modulus, ByteView signature, ByteView em) {
    const Owned<OSSL_PARAM_BLD> build(OSSL_PARAM_BLD_new());
    const Owned<BIGNUM> n(BN_bin2bn(modulus.data(), static_cast<int>(modulus.size()), nullptr)), e(BN_new());
    BN_set_word(e.get(), rsa::kExponent);
    OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_N, n.get());
    OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_E, e.get());
    const Owned<OSSL_PARAM> parameters(OSSL_PARAM_BLD_to_param(build.get()));
    const Owned<EVP_PKEY_CTX> maker(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr));
    EVP_PKEY* raw = nullptr;
    EVP_PKEY_fromdata_init(maker.get());
    EVP_PKEY_fromdata(maker.get(), &raw, EVP_PKEY_PUBLIC_KEY, parameters.get());
    const Owned<EVP_PKEY> key(raw);
    const Owned<EVP_PKEY_CTX> context(EVP_PKEY_CTX_new(key.get(), nullptr));
    std::uint8_t out[rsa::kModulusBytes];
    std::size_t bytes = sizeof out;
    return EVP_PKEY_verify_recover_init(context.get()) == 1 &&
           EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_NO_PADDING) == 1 &&
           EVP_PKEY_verify_recover(context.get(), out, &bytes, signature.data(), signature.size()) == 1 &&
           bytes == em.size() && std::equal(em.begin(), em.end(), out);
  }
};

}  // namespace

std::unique_ptr<hashes::Kernel> openssl_hash() { return std::make_unique<OpensslHash>(); }
std::unique_ptr<ed25519::Kernel> sodium_ed25519() { return std::make_unique<SodiumEd25519>(); }
std::unique_ptr<rsa::Kernel> openssl_rsa() { return std::make_unique<OpensslRsa>(); }

#if defined(SPARKMILL_HAVE_LIBSECP256K1)

std::unique_ptr<secp256k1::Kernel> libsecp256k1() { return std::make_unique<Libsecp256k1>(); }

bool libsecp256k1_weighted_sum(ByteView keys, ByteView coefficients, std::span<std::uint8_t, 32> x) {
  const std::size_t count = keys.size() / 33;
  std::vector<secp256k1_pubkey> points(count);
  std::vector<const secp256k1_pubkey*> views;
  for (std::size_t i = 0; i < count; ++i) {
    if (secp256k1_ec_pubkey_parse(secp_context(), &points[i], &keys[i * 33], 33) != 1 ||
        secp256k1_ec_pubkey_tweak_mul(secp_context(), &points[i], &coefficients[i * 32]) != 1) {
      return false;
    }
    views.push_back(&points[i]);
  }
  secp256k1_pubkey sum;
  secp256k1_xonly_pubkey only;
  return secp256k1_ec_pubkey_combine(secp_context(), &sum, views.data(), views.size()) == 1 &&
         secp256k1_xonly_pubkey_from_pubkey(secp_context(), &only, nullptr, &sum) == 1 &&
         secp256k1_xonly_pubkey_serialize(secp_context(), x.data(), &only) == 1;
}

#else

std::unique_ptr<secp256k1::Kernel> libsecp256k1() { return nullptr; }
bool libsecp256k1_weighted_sum(ByteView, ByteView, std::span<std::uint8_t, 32>) { return false; }

#endif

}  // namespace sparkmill::bench

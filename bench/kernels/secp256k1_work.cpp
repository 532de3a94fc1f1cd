// SPDX-License-Identifier: Apache-2.0
#include "bench/kernels/secp256k1_work.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <algorithm>

#include "kernels/secp256k1/reference.h"

#if defined(SPARKMILL_HAVE_LIBSECP256K1)
#include <secp256k1.h>
#include <secp256k1_extrakeys.h>
#include <secp256k1_recovery.h>
#include <secp256k1_schnorrsig.h>
#endif

namespace sparkmill::bench {
namespace {

using secp256k1::Scalar;
using secp256k1::to_big_endian;
using Group = secp256k1::reference::Group<secp256k1::reference::Secp256k1>;

void append(Bytes& to, const secp256k1::Words4& n) {
  to.resize(to.size() + 32);
  to_big_endian(n, to.data() + to.size() - 32);
}

}  // namespace

const char* name(Mode mode) {
  switch (mode) {
    case Mode::ecdsa: return "ecdsa";
    case Mode::ecdsa_compressed: return "ecdsa_compressed";
    case Mode::bip340: return "bip340";
    case Mode::recover: return "recover";
  }
  return "?";
}

SecpWork::SecpWork(Mode mode, std::size_t count, std::size_t times)
    : mode_(mode), valid_(count), evidence_(count * secp256k1::kEvidenceBytes), recovered_(count * 64) {
  // Secrets and nonces are runs of consecutive numbers: one addition each.
  const Group::Point base = Group::point(Group::base());
  const Scalar one = Scalar::one();
  Scalar d = Scalar::reduced({0x123456789, 7, 77, 777}), k = Scalar::reduced({0x987654321, 3, 33, 333});
  Group::Point key = Group::combine_vartime(d.number(), base, {}, base);
  const Scalar first = d;
  const Group::Point first_key = key;
  Group::Point nonce = Group::combine_vartime(k.number(), base, {}, base);
  offsets_.push_back(0);
  for (std::size_t i = 0; i < count; ++i) {
    const Group::Affine q = Group::affine(key), r = Group::affine(nonce);
    Bytes message(32, 0x5a);
    std::copy_n(reinterpret_cast<const std::uint8_t*>(&i), sizeof i, message.begin());
    if (mode == Mode::ecdsa_compressed) keys_.push_back(q.y.odd() ? 3 : 2);
    append(keys_, q.x.number());
    if (mode == Mode::ecdsa || mode == Mode::recover) append(keys_, q.y.number());
    append(signatures_, r.x.number());
    if (mode == Mode::bip340) {
      const Scalar e = Scalar::reduced(
          secp256k1::reference::bip340_challenge(ByteView(signatures_).last(32), ByteView(keys_).last(32), message));
      const Scalar signed_k = r.y.odd() ? Scalar::zero() - k : k;
      append(signatures_, (signed_k + e * (q.y.odd() ? Scalar::zero() - d : d)).number());
    } else {
      const Scalar z = Scalar::reduced(secp256k1::from_big_endian(message.data()));
      append(signatures_, ((z + Scalar::reduced(r.x.number()) * d) * k.inverse()).number());
      if (mode == Mode::recover) signatures_.push_back(r.y.odd() ? 1 : 0);
    }
    if (wrong(i)) message[20] ^= 1;
    messages_.insert(messages_.end(), message.begin(), message.end());
    offsets_.push_back(messages_.size());
    nonce = Group::add(Group::point(r), base);
    k = k + one;
    if ((i + 1) % (count / times) == 0) {
      d = first;
      key = first_key;
    } else {
      d = d + one;
      key = Group::add(Group::point(q), base);
    }
  }
}

std::size_t SecpWork::key_bytes() const {
  return mode_ == Mode::ecdsa_compressed ? 33 : mode_ == Mode::bip340 ? 32 : 64;
}

Done SecpWork::run(secp256k1::Kernel& kernel, std::size_t count, bool with_evidence) {
  const bool recovers = mode_ == Mode::recover;
  first_ = first_ + 2 * count > valid_.size() ? 0 : first_ + count;
  const kernels::SignatureBatch batch{
      count, recovers ? ByteView() : ByteView(keys_).subspan(first_ * key_bytes(), count * key_bytes()),
      ByteView(signatures_).subspan(first_ * signature_bytes(), count * signature_bytes()), messages_,
      std::span(offsets_).subspan(first_, count + 1)};
  const kernels::SignatureResults results{
      std::span(valid_).subspan(first_, count),
      with_evidence ? std::span(evidence_).first(count * secp256k1::kEvidenceBytes) : std::span<std::uint8_t>()};
  if (recovers) {
    return kernel.recover_vartime(secp256k1::RecoverRule::in_range, batch, results,
                                  std::span(recovered_).subspan(first_ * 64, count * 64), StopToken());
  }
  const secp256k1::Check which = mode_ == Mode::ecdsa    ? secp256k1::Check::ecdsa
                                 : mode_ == Mode::bip340 ? secp256k1::Check::bip340
                                                         : secp256k1::Check::ecdsa_compressed;
  return kernel.verify_vartime(which, batch, results, StopToken());
}

bool SecpWork::right(std::size_t count) const {
  for (std::size_t i = first_; i < first_ + count; ++i) {
    if (mode_ == Mode::recover) {
      const auto at = static_cast<std::ptrdiff_t>(i * 64);
      const bool same = std::equal(recovered_.begin() + at, recovered_.begin() + at + 64, keys_.begin() + at);
      if (valid_[i] != 1 || same == wrong(i)) return false;
    } else if (valid_[i] != (wrong(i) ? 0 : 1)) {
      return false;
    }
  }
  return true;
}

std::optional<bool> SecpWork::libsecp256k1() const {
#if defined(SPARKMILL_HAVE_LIBSECP256K1)
  static secp256k1_context* context = secp256k1_context_create(SECP256K1_CONTEXT_VERIFY);
  bool good = true;
  for (std::size_t i = 0; i < kPeerItems; ++i) {
    const std::uint8_t* key = &keys_[i * key_bytes()];
    const std::uint8_t *signature = &signatures_[i * signature_bytes()], *message = &messages_[i * 32];
    secp256k1_pubkey parsed;
    if (mode_ == Mode::recover) {
      secp256k1_ecdsa_recoverable_signature s;
      std::uint8_t out[65];
      std::size_t length = sizeof out;
      good &= secp256k1_ecdsa_recoverable_signature_parse_compact(context, &s, signature, signature[64]) == 1 &&
              secp256k1_ecdsa_recover(context, &parsed, &s, message) == 1 &&
              secp256k1_ec_pubkey_serialize(context, out, &length, &parsed, SECP256K1_EC_UNCOMPRESSED) == 1 &&
              std::equal(out + 1, out + 65, key) != wrong(i);
    } else if (mode_ == Mode::bip340) {
      secp256k1_xonly_pubkey x;
      good &= (secp256k1_xonly_pubkey_parse(context, &x, key) == 1 &&
               secp256k1_schnorrsig_verify(context, signature, message, 32, &x) == 1) != wrong(i);
    } else {
      std::uint8_t bytes[65] = {4};
      std::copy_n(key, key_bytes(), bytes + (mode_ == Mode::ecdsa ? 1 : 0));
      secp256k1_ecdsa_signature s;
      const bool read = secp256k1_ec_pubkey_parse(context, &parsed, bytes, mode_ == Mode::ecdsa ? 65 : 33) == 1 &&
                        secp256k1_ecdsa_signature_parse_compact(context, &s, signature) == 1;
      secp256k1_ecdsa_signature_normalize(context, &s, &s);  // it refuses high s
      good &= (read && secp256k1_ecdsa_verify(context, &s, message, &parsed) == 1) != wrong(i);
    }
  }
  return good;
#else
  return std::nullopt;
#endif
}

std::optional<bool> SecpWork::openssl() const {
  if (mode_ != Mode::ecdsa) return std::nullopt;
  bool good = true;
  for (std::size_t i = 0; i < kPeerItems; ++i) {
    std::uint8_t bytes[65] = {4};
    std::copy_n(&keys_[i * 64], 64, bytes + 1);
    OSSL_PARAM_BLD* build = OSSL_PARAM_BLD_new();
    OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "secp256k1", 0);
    OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, bytes, sizeof bytes);
    OSSL_PARAM* parameters = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX* maker = EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr);
    EVP_PKEY* key = nullptr;
    EVP_PKEY_fromdata_init(maker);
    EVP_PKEY_fromdata(maker, &key, EVP_PKEY_PUBLIC_KEY, parameters);
    ECDSA_SIG* signature = ECDSA_SIG_new();
    ECDSA_SIG_set0(signature, BN_bin2bn(&signatures_[i * 64], 32, nullptr),
                   BN_bin2bn(&signatures_[i * 64 + 32], 32, nullptr));
    std::uint8_t* der = nullptr;
    const int length = i2d_ECDSA_SIG(signature, &der);
    EVP_PKEY_CTX* context = EVP_PKEY_CTX_new(key, nullptr);
    good &= (length > 0 && EVP_PKEY_verify_init(context) == 1 &&
             EVP_PKEY_verify(context, der, static_cast<std::size_t>(length), &messages_[i * 32], 32) == 1) != wrong(i);
    EVP_PKEY_CTX_free(context);
    OPENSSL_free(der);
    ECDSA_SIG_free(signature);
    EVP_PKEY_free(key);
    EVP_PKEY_CTX_free(maker);
    OSSL_PARAM_free(parameters);
    OSSL_PARAM_BLD_free(build);
  }
  return good;
}

}  // namespace sparkmill::bench

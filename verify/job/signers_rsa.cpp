// SPDX-License-Identifier: Apache-2.0
// Signers with RSA-2048 keys, by OpenSSL's numbers: draws (block type 1, no DigestInfo) and PKCS #1 v1.5 with SHA-256.
#include <openssl/bn.h>

#include <algorithm>
#include <mutex>

#include "kernels/rsa/rsa.h"
#include "verify/job/signers_impl.h"

namespace sparkmill::job {
namespace {

using signatures::Form;

/// Keys take a good part of a second each; one set serves all jobs of a process, from the system's randomness.
constexpr std::size_t kKeys = 4;
constexpr int kBytes = static_cast<int>(rsa::kModulusBytes);
constexpr std::uint8_t kDigestInfo[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                        0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* p) const {
    Free(p);
  }
};
using Number = std::unique_ptr<BIGNUM, Freed<BN_free>>;
using Context = std::unique_ptr<BN_CTX, Freed<BN_CTX_free>>;

struct Key {
  Number n, p, q, dp, dq, q_inverse;
};

Bytes bytes_of(const Number& n) {
  Bytes out(rsa::kModulusBytes);
  BN_bn2binpad(n.get(), out.data(), kBytes);
  return out;
}
Number number(ByteView bytes) { return Number(BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr)); }

Number prime(const Number& e, BN_CTX* context) {
  for (;;) {
    Number p(BN_new());
    BN_generate_prime_ex2(p.get(), 1024, 0, nullptr, nullptr, nullptr, context);
    BN_set_bit(p.get(), 0);
    Number less(BN_dup(p.get()));
    BN_sub_word(less.get(), 1);
    Number rest(BN_new());
    BN_mod(rest.get(), less.get(), e.get(), context);
    if (BN_is_zero(rest.get()) == 0) return p;
  }
}

Key make_key() {
  const Context context(BN_CTX_new());
  Number e(BN_new());
  BN_set_word(e.get(), 65'537);
  for (;;) {
    Key key{Number(BN_new()), prime(e, context.get()), prime(e, context.get()), {}, {}, {}};
    BN_mul(key.n.get(), key.p.get(), key.q.get(), context.get());
    if (BN_num_bits(key.n.get()) != 8 * kBytes || BN_cmp(key.p.get(), key.q.get()) == 0) continue;
    const auto exponent = [&](const Number& of) {
      Number less(BN_dup(of.get()));
      BN_sub_word(less.get(), 1);
      return Number(BN_mod_inverse(nullptr, e.get(), less.get(), context.get()));
    };
    key.dp = exponent(key.p);
    key.dq = exponent(key.q);
    key.q_inverse.reset(BN_mod_inverse(nullptr, key.q.get(), key.p.get(), context.get()));
    return key;
  }
}

std::span<const Key> process_keys() {
  static const std::vector<Key> keys = [] {
    std::vector<Key> made;
    for (std::size_t k = 0; k < kKeys; ++k) made.push_back(make_key());
    return made;
  }();
  return keys;
}

class RsaSigners final : public Signers {
 public:
  RsaSigners(const Form& form, const Hash32& seed) : form_(form), draw_(seed) {}
  const Form& form() const override { return form_; }
  std::span<const PlantKind> kinds() const override { return kKinds; }
  SampleItem good() override { return sign(any_key(), digest(), form_.policy_name == "draw"); }
  SampleItem bad(PlantKind kind) override;

 private:
  static constexpr PlantKind kKinds[] = {PlantKind::key_bit,      PlantKind::signature_bit, PlantKind::scalar_bit,
                                         PlantKind::message_bit,  PlantKind::wrong_key,     PlantKind::wrong_message,
                                         PlantKind::plus_modulus, PlantKind::other_padding};
  const Key& any_key() { return process_keys()[draw_.below(kKeys)]; }
  Bytes digest() {
    Bytes out(form_.message_bytes != 0 ? form_.message_bytes : rsa::kHashBytes);
    for (std::uint8_t& b : out) b = static_cast<std::uint8_t>(draw_.u32());
    return out;
  }
  /// 00 01 FF .. 00 | [DigestInfo] | message, to the power d by the Chinese remainders.
  SampleItem sign(const Key& key, Bytes message, bool plain) {
    Bytes em(rsa::kModulusBytes, 0xff);
    const std::size_t tail = message.size() + (plain ? 0 : sizeof kDigestInfo);
    em[0] = 0;
    em[1] = 1;
    em[em.size() - tail - 1] = 0;
    auto at = em.end() - static_cast<std::ptrdiff_t>(tail);
    if (!plain) at = std::copy(std::begin(kDigestInfo), std::end(kDigestInfo), at);
    std::copy(message.begin(), message.end(), at);
    const Number m = number(em);
    Number a(BN_new()), b(BN_new()), h(BN_new());
    BN_mod_exp(a.get(), m.get(), key.dp.get(), key.p.get(), context_.get());
    BN_mod_exp(b.get(), m.get(), key.dq.get(), key.q.get(), context_.get());
    BN_mod_sub(h.get(), a.get(), b.get(), key.p.get(), context_.get());
    BN_mod_mul(h.get(), h.get(), key.q_inverse.get(), key.p.get(), context_.get());
    BN_mul(h.get(), h.get(), key.q.get(), context_.get());
    BN_add(h.get(), h.get(), b.get());
    return {bytes_of(key.n), bytes_of(h), std::move(message)};
  }

  const Form& form_;
  ChaChaWords draw_;
  Context context_{BN_CTX_new()};
};

SampleItem RsaSigners::bad(PlantKind kind) {
  const bool draw = form_.policy_name == "draw";
  if (kind == PlantKind::other_padding) return sign(any_key(), digest(), !draw);
  SampleItem item = good();
  switch (kind) {
    case PlantKind::key_bit: flip_bit(item.key, 0, item.key.size(), draw_); break;
    case PlantKind::signature_bit: flip_bit(item.signature, 0, 128, draw_); break;
    case PlantKind::scalar_bit: flip_bit(item.signature, 128, 256, draw_); break;
    case PlantKind::message_bit: flip_bit(item.message, 0, item.message.size(), draw_); break;
    case PlantKind::wrong_key:
      for (const Bytes own = item.key; item.key == own;) item.key = bytes_of(any_key().n);
      break;
    case PlantKind::wrong_message: item.message = digest(); break;
    case PlantKind::plus_modulus: {
      // Where the sum has a bit too many, another message is signed.
      for (;;) {
        Number sum = number(item.signature);
        BN_add(sum.get(), sum.get(), number(item.key).get());
        if (BN_num_bits(sum.get()) <= 8 * kBytes) {
          item.signature = bytes_of(sum);
          break;
        }
        item = good();
      }
      break;
    }
    default: break;
  }
  return item;
}

}  // namespace

std::unique_ptr<Signers> rsa_signers(const Form& form, const Hash32& seed) {
  return std::make_unique<RsaSigners>(form, seed);
}

}  // namespace sparkmill::job

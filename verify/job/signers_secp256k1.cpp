// SPDX-License-Identifier: Apache-2.0
// Signers on secp256k1, by OpenSSL's curve arithmetic: ECDSA in all encodings and callers' forms, and BIP-340.
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>

#include <algorithm>
#include <utility>

#include "verify/job/signers_impl.h"
#include "verify/signatures/ecdsa.h"

namespace sparkmill::job {
namespace {

using signatures::Caller;
using signatures::Form;
using signatures::Scheme;
using Bytes32 = std::array<std::uint8_t, 32>;

/// A key costs as much as a signature here.
constexpr std::size_t kKeys = 16;
constexpr int kNumberBytes = 32;
constexpr std::size_t kHalf = 32;  ///< of a plain signature

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* p) const {
    Free(p);
  }
};
using Number = std::unique_ptr<BIGNUM, Freed<BN_free>>;
using Point = std::unique_ptr<EC_POINT, Freed<EC_POINT_free>>;

class Secp256k1Signers final : public Signers {
 public:
  Secp256k1Signers(const Form& form, const Hash32& seed) : form_(form), draw_(seed) {
    if (form.scheme == Scheme::bip340) {
      kinds_ = {PlantKind::key_bit,   PlantKind::signature_bit, PlantKind::scalar_bit,  PlantKind::message_bit,
                PlantKind::wrong_key, PlantKind::wrong_message, PlantKind::zero_scalar, PlantKind::flipped_v};
    } else {
      kinds_ = {PlantKind::signature_bit, PlantKind::scalar_bit, PlantKind::message_bit,      PlantKind::wrong_message,
                PlantKind::zero_scalar,   PlantKind::high_s,     PlantKind::scalar_plus_order};
      if (form.key_bytes != 0) kinds_.insert(kinds_.end(), {PlantKind::key_bit, PlantKind::wrong_key});
      if (recovers()) kinds_.insert(kinds_.end(), {PlantKind::flipped_v, PlantKind::odd_v});
    }
    order_.reset(BN_dup(EC_GROUP_get0_order(group_.get())));
    for (std::size_t k = 0; k < kKeys; ++k) {
      keys_.push_back({below_order(), {}});
      keys_.back().point = times_base(keys_.back().secret);
    }
  }
  const Form& form() const override { return form_; }
  std::span<const PlantKind> kinds() const override { return kinds_; }
  SampleItem good() override {
    const Key& key = any_key();
    return form_.scheme == Scheme::bip340 ? sign_bip340(key, digest(), false) : sign_ecdsa(key, digest(), Twist::none);
  }
  SampleItem bad(PlantKind kind) override;

 private:
  enum class Twist { none, high_s, plus_order, flipped_v, odd_v };
  struct Key {
    Number secret;
    std::array<std::uint8_t, 64> point{};  ///< X || Y
  };

  bool recovers() const { return form_.scheme == Scheme::ecdsa_recover || form_.scheme == Scheme::ecdsa_address; }
  Caller caller() const { return static_cast<Caller>(form_.policy); }
  static Number number(ByteView bytes) {
    return Number(BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr));
  }
  static Bytes32 bytes_of(const Number& n) {
    Bytes32 out{};
    BN_bn2binpad(n.get(), out.data(), kNumberBytes);
    return out;
  }
  Bytes random(std::size_t size) {
    Bytes out(size);
    for (std::uint8_t& b : out) b = static_cast<std::uint8_t>(draw_.u32());
    return out;
  }
  Number below_order() {
    for (;;) {
      Number n = number(random(kNumberBytes));
      if (BN_is_zero(n.get()) == 0 && BN_cmp(n.get(), order_.get()) < 0) return n;
    }
  }
  std::array<std::uint8_t, 64> times_base(const Number& n) {
    std::array<std::uint8_t, 65> encoded{};
    EC_POINT_mul(group_.get(), point_.get(), n.get(), nullptr, nullptr, context_.get());
    EC_POINT_point2oct(group_.get(), point_.get(), POINT_CONVERSION_UNCOMPRESSED, encoded.data(), encoded.size(),
                       context_.get());
    std::array<std::uint8_t, 64> out{};
    std::copy(encoded.begin() + 1, encoded.end(), out.begin());
    return out;
  }
  Number product(const Number& a, const Number& b) {
    Number out(BN_new());
    BN_mod_mul(out.get(), a.get(), b.get(), order_.get(), context_.get());
    return out;
  }
  Number sum(const Number& a, const Number& b) {
    Number out(BN_new());
    BN_mod_add(out.get(), a.get(), b.get(), order_.get(), context_.get());
    return out;
  }
  Number inverse(const Number& a) { return Number(BN_mod_inverse(nullptr, a.get(), order_.get(), context_.get())); }
  Number negated(const Number& a) {
    Number out(BN_new());
    BN_sub(out.get(), order_.get(), a.get());
    return out;
  }
  const Key& any_key() { return keys_[draw_.below(keys_.size())]; }
  Bytes digest() { return random(form_.message_bytes != 0 ? form_.message_bytes : 32 + draw_.below(65)); }

  Bytes key_bytes(const Key& key) const {
    const ByteView x = ByteView(key.point).first(32);
    const bool odd = (key.point[63] & 1) != 0;
    ByteWriter w;
    if (form_.scheme == Scheme::ecdsa_recover) return {};
    if (form_.scheme == Scheme::ecdsa_address) {
      if (form_.key_bytes == 21) w.u8(0x41);
      w.bytes(signatures::address_of(key.point));
    } else if (form_.key_bytes == 33) {
      w.u8(odd ? 3 : 2).bytes(x);
    } else if (form_.key_bytes == 32) {
      w.bytes(x);
    } else {
      if (form_.key_bytes == 65) w.u8(4);
      w.bytes(key.point);
    }
    return std::move(w).data();
  }
  Bytes v_bytes(unsigned v) const {
    Bytes out(form_.signature_bytes - 64);
    out.back() = static_cast<std::uint8_t>(v);
    return out;
  }
  Bytes signature_bytes(const Number& r, const Number& s, unsigned v) const {
    ByteWriter w;
    w.bytes(bytes_of(r)).bytes(bytes_of(s));
    if (recovers()) w.bytes(v_bytes(v));
    Bytes plain = std::move(w).data();
    return form_.signature_bytes == 0 ? signatures::encode_der(plain) : plain;
  }
  SampleItem sign_ecdsa(const Key& key, Bytes message, Twist twist);
  SampleItem sign_bip340(const Key& key, Bytes message, bool odd);

  const Form& form_;
  ChaChaWords draw_;
  std::vector<PlantKind> kinds_;
  std::unique_ptr<EC_GROUP, Freed<EC_GROUP_free>> group_{EC_GROUP_new_by_curve_name(NID_secp256k1)};
  std::unique_ptr<BN_CTX, Freed<BN_CTX_free>> context_{BN_CTX_new()};
  Point point_{EC_POINT_new(group_.get())};
  Number order_;
  std::vector<Key> keys_;
};

SampleItem Secp256k1Signers::sign_ecdsa(const Key& key, Bytes message, Twist twist) {
  for (;;) {
    const Number k = below_order();
    const auto commitment = times_base(k);
    const Number r = number(ByteView(commitment).first(32));
    if (BN_is_zero(r.get()) != 0 || BN_cmp(r.get(), order_.get()) >= 0) continue;  // needs another recovery id
    bool odd = (commitment[63] & 1) != 0;
    Number s;
    if (twist == Twist::plus_order) {
      // A small s, and the digest that it signs: then s + N fits 32 bytes, too.
      s = number(random(15));
      if (BN_is_zero(s.get()) != 0) continue;
      message = Bytes(32);
      const Bytes32 z = bytes_of(sum(product(s, k), negated(product(r, key.secret))));
      std::copy(z.begin(), z.end(), message.begin());
      BN_add(s.get(), s.get(), order_.get());
    } else {
      const Number z = number(message);
      s = product(inverse(k), sum(z, product(r, key.secret)));
      if (BN_is_zero(s.get()) != 0) continue;
      if (signatures::is_low_s(bytes_of(s)) == (twist == Twist::high_s)) {
        s = negated(s);
        odd = !odd;
      }
    }
    unsigned v = 27u + (odd != (twist == Twist::flipped_v) ? 1u : 0u);
    if (twist == Twist::odd_v) {
      v = caller() == Caller::ethereum_transaction ? 2 : caller() == Caller::tron_transaction ? 40 : 29;
    }
    return {key_bytes(key), signature_bytes(r, s, v), std::move(message)};
  }
}

SampleItem Secp256k1Signers::sign_bip340(const Key& key, Bytes message, bool odd) {
  Number k = below_order();
  const auto commitment = times_base(k);
  if (((commitment[63] & 1) != 0) != odd) k = negated(k);
  Number d(BN_dup(key.secret.get()));
  if ((key.point[63] & 1) != 0) d = negated(d);
  const Hash32 tag = sha256(view("BIP0340/challenge"));
  const ByteView r = ByteView(commitment).first(32);
  const Hash32 e_bytes =
      Sha256().update(tag).update(tag).update(r).update(ByteView(key.point).first(32)).update(message).finish();
  Number e = number(e_bytes);
  BN_nnmod(e.get(), e.get(), order_.get(), context_.get());
  ByteWriter w;
  w.bytes(r).bytes(bytes_of(sum(k, product(e, d))));
  return {key_bytes(key), std::move(w).data(), std::move(message)};
}

SampleItem Secp256k1Signers::bad(PlantKind kind) {
  const Key& key = any_key();
  const bool bip340 = form_.scheme == Scheme::bip340;
  switch (kind) {
    case PlantKind::high_s: return sign_ecdsa(key, digest(), Twist::high_s);
    case PlantKind::scalar_plus_order: return sign_ecdsa(key, digest(), Twist::plus_order);
    case PlantKind::odd_v: return sign_ecdsa(key, digest(), Twist::odd_v);
    case PlantKind::flipped_v:
      return bip340 ? sign_bip340(key, digest(), true) : sign_ecdsa(key, digest(), Twist::flipped_v);
    default: break;
  }
  SampleItem item = good();
  // DER is bent as numbers, and encoded again.
  Bytes plain = item.signature;
  if (form_.signature_bytes == 0) {
    const auto parsed = signatures::parse_der(item.signature);
    if (parsed) plain.assign(parsed->begin(), parsed->end());
  }
  switch (kind) {
    case PlantKind::key_bit: flip_bit(item.key, 0, item.key.size(), draw_); break;
    case PlantKind::signature_bit: flip_bit(plain, 0, kHalf, draw_); break;
    case PlantKind::scalar_bit: flip_bit(plain, kHalf, 2 * kHalf, draw_); break;
    case PlantKind::zero_scalar:
      std::fill(plain.begin() + static_cast<std::ptrdiff_t>(kHalf),
                plain.begin() + static_cast<std::ptrdiff_t>(2 * kHalf), std::uint8_t{0});
      break;
    case PlantKind::message_bit: flip_bit(item.message, 0, item.message.size(), draw_); break;
    case PlantKind::wrong_message: item.message = random(item.message.size()); break;
    case PlantKind::wrong_key:
      for (const Bytes own = item.key; item.key == own;) item.key = key_bytes(any_key());
      break;
    default: break;
  }
  item.signature = form_.signature_bytes == 0 ? signatures::encode_der(plain) : std::move(plain);
  return item;
}

}  // namespace

std::unique_ptr<Signers> secp256k1_signers(const Form& form, const Hash32& seed) {
  return std::make_unique<Secp256k1Signers>(form, seed);
}

}  // namespace sparkmill::job

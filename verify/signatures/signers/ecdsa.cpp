// SPDX-License-Identifier: Apache-2.0
// Signers of ECDSA on secp256k1, in all encodings and callers' forms.
#include "verify/signatures/ecdsa.h"

#include "verify/signatures/signers/secp256k1_numbers.h"
#include "verify/signatures/signers/signers_impl.h"

namespace sparkmill::signatures {
namespace {

using namespace secp256k1_numbers;
using secp256k1::Words4;

/// r, s and the parity of R, as numbers: what is encoded need not be below N.
struct Parts {
  Words4 r{}, s{};
  unsigned recovery_id = 0;
  Point key;
};

/// N + n. Requires n below 2^128, so that the sum fits.
Words4 plus_order(const Words4& n) {
  Words4 out{};
  secp256k1::add_words(out, n, Scalar::modulus());
  return out;
}

class EcdsaSigners final : public BaseSigners {
 public:
  EcdsaSigners(const Form& form, const SignerSettings& settings) : BaseSigners(form, settings), multiples_(draw()) {}

 protected:
  std::size_t usual_length() override { return 32; }
  Result<Sample> make(Flaw flaw, Bytes message) override;

 private:
  Scalar scalar() { return scalar_of(random(32)); }  // 0 with probability 2^-256
  /// Below 2^120, so that N added to it stays below p.
  Words4 small() {
    const auto bytes = drawn<15>();
    Bytes32 wide{};
    std::copy(bytes.begin(), bytes.end(), wide.begin() + 17);
    return secp256k1::from_big_endian(wide.data());
  }
  Parts sign(Flaw flaw, Bytes& digest);
  Parts with_chosen_x(Flaw flaw, ByteView digest);
  Bytes key_bytes(const Point& q) const;
  Bytes signature_bytes(const Parts& parts, Flaw flaw);

  Multiples multiples_;
};

/// The usual way; x(R) >= N has probability 2^-128 and is not looked for.
Parts EcdsaSigners::sign(Flaw flaw, Bytes& digest) {
  const Multiple key = multiples_.next(), nonce = multiples_.next();
  const Scalar d = key.n, k = nonce.n, r = x_as_scalar(nonce.point);
  Parts out{r.number(), {}, nonce.point.y.odd() ? 1u : 0u, key.point};
  if (flaw == Flaw::scalar_plus_order) {
    // A small s, and the digest that it signs: then s + N fits 32 bytes, too.
    const Words4 s = small();
    digest.clear();
    append((Scalar::reduced(s) * k - r * d).number(), digest);
    out.s = plus_order(s);
    return out;
  }
  Scalar s = nonce.inverse * (scalar_of(digest) + r * d);
  Bytes plain;
  append(s.number(), plain);
  if (is_low_s(plain) == (flaw == Flaw::high_s)) {
    s = Scalar::zero() - s;
    out.recovery_id ^= 1;
  }
  out.s = s.number();
  return out;
}

/// R is chosen, s too; the key follows from them: Q = [s / r]R - [z / r]G. Nobody knows its secret.
Parts EcdsaSigners::with_chosen_x(Flaw flaw, ByteView digest) {
  const bool odd = draw().below(2) == 1;
  Words4 r{};
  std::optional<Point> commitment;
  while (!commitment) {
    r = small();
    commitment = Group::lift_x(Field::reduced(flaw == Flaw::large_x ? plus_order(r) : r), odd);
  }
  Scalar s = scalar();
  Bytes plain;
  append(s.number(), plain);
  if (!is_low_s(plain)) s = Scalar::zero() - s;
  const Scalar inverse = Scalar::reduced(r).inverse(), u1 = Scalar::zero() - scalar_of(digest) * inverse;
  const Group::Point q = Group::combine_vartime(u1.number(), Group::point(Group::base()), (s * inverse).number(),
                                                Group::point(*commitment));
  const unsigned id = (odd ? 1u : 0u) | (flaw == Flaw::large_x ? 2u : 0u);
  return {flaw == Flaw::large_x ? r : plus_order(r), s.number(), id, Group::affine(q)};
}

Bytes EcdsaSigners::key_bytes(const Point& q) const {
  Bytes out;
  if (form().scheme == Scheme::ecdsa_recover) return out;
  if (form().scheme == Scheme::ecdsa_address) {
    if (form().key_bytes == 21) out.push_back(0x41);
    const auto address = address_of(xy(q));
    out.insert(out.end(), address.begin(), address.end());
    return out;
  }
  if (form().key_bytes == 33) {
    const auto bytes = compressed(q);
    return {bytes.begin(), bytes.end()};
  }
  out = xy(q);
  if (form().key_bytes == 65) out.insert(out.begin(), 4);
  return out;
}

Bytes EcdsaSigners::signature_bytes(const Parts& parts, Flaw flaw) {
  Bytes out;
  append(parts.r, out);
  append(parts.s, out);
  if (form().signature_bytes == 0) {
    out = encode_der(out);
    if (flaw != Flaw::odd_der) return out;
    switch (draw().below(3)) {  // 30 length 02 length r 02 length s
      case 0: out.push_back(0); break;
      case 1: out.insert(out.begin() + 1, 0x81); break;
      default:  // a zero byte in front of r
        out.insert(out.begin() + 4, 0);
        ++out[1];
        ++out[3];
    }
    return out;
  }
  if (!form().has_public_keys()) return out;
  unsigned v = 27 + (flaw == Flaw::flipped_v ? parts.recovery_id ^ 1 : parts.recovery_id);
  if (flaw == Flaw::odd_v) {
    const auto caller = static_cast<Caller>(form().policy);
    v = caller == Caller::ethereum_transaction ? 2 : caller == Caller::tron_transaction ? 40 : 29;
  }
  out.resize(form().signature_bytes);
  out.back() = static_cast<std::uint8_t>(v);
  return out;
}

Result<Sample> EcdsaSigners::make(Flaw flaw, Bytes message) {
  const bool chosen = flaw == Flaw::large_x || flaw == Flaw::r_plus_order;
  const Parts parts = chosen ? with_chosen_x(flaw, message) : sign(flaw, message);
  return Sample{key_bytes(parts.key), signature_bytes(parts, flaw), std::move(message)};
}

}  // namespace

std::unique_ptr<Signers> ecdsa_signers(const Form& form, const SignerSettings& settings) {
  return std::make_unique<EcdsaSigners>(form, settings);
}

}  // namespace sparkmill::signatures

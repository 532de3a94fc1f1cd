// SPDX-License-Identifier: Apache-2.0
// Over the group of the secp256k1 oracle.
#include "verify/signatures/musig2.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "base/hash.h"
#include "kernels/secp256k1/reference.h"

namespace sparkmill::signatures {
namespace {

using secp256k1::Words4;
using Group = secp256k1::reference::Group<secp256k1::reference::Secp256k1>;
using Field = Group::F;
using Scalar = Group::S;
using Point = Group::Point;

constexpr Words4 kZero{}, kOne{1, 0, 0, 0};

/// BIP-340's hash with a tag.
Hash32 tagged(std::string_view tag, std::initializer_list<ByteView> parts) {
  const Hash32 prefix = sha256(view(tag));
  thread_local Sha256 hash;  // a new one costs more than such a hash
  hash.update(prefix).update(prefix);
  for (const ByteView part : parts) hash.update(part);
  return hash.finish();
}
Scalar scalar_of(const Hash32& hash) { return Scalar::reduced(secp256k1::from_big_endian(hash.data())); }

Point base() { return Group::point(Group::base()); }
Point times(const Scalar& n, const Point& p) { return Group::combine_vartime(n.number(), p, kZero, p); }
bool odd_y(const Point& p) { return Group::affine(p).y.odd(); }

/// cpoint: 33 bytes.
std::optional<Point> decode(ByteView bytes) {
  const auto point = Group::compressed_key(bytes[0], secp256k1::from_big_endian(bytes.data() + 1));
  if (!point) return std::nullopt;
  return Group::point(*point);
}
/// cpoint_ext: also infinity, as 33 zeros.
std::optional<Point> decode_extended(ByteView bytes) {
  if (std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t b) { return b == 0; })) return Group::infinity();
  return decode(bytes);
}
/// cbytes_ext.
void encode_extended(const Point& p, std::uint8_t* out) {
  std::memset(out, 0, 33);
  if (Group::is_infinity(p)) return;
  const auto affine = Group::affine(p);
  out[0] = affine.y.odd() ? 3 : 2;
  secp256k1::to_big_endian(affine.x.number(), out + 1);
}
Hash32 x_of(const Point& p) {
  Hash32 out{};
  secp256k1::to_big_endian(Group::affine(p).x.number(), out.data());
  return out;
}

Error bad_signer(std::size_t signer, std::string_view what) {
  return fail(Status::bad_input, "signer " + std::to_string(signer) + ": " + std::string(what));
}

/// The factors a_i of one list of keys.
class Coefficients {
 public:
  explicit Coefficients(std::span<const PlainKey> keys) {
    Sha256 list;
    const Hash32 prefix = sha256(view("KeyAgg list"));
    list.update(prefix).update(prefix);
    for (const PlainKey& key : keys) {
      list.update(key);
      if (!second_ && key != keys.front()) second_ = key;
    }
    list_ = list.finish();
  }
  Scalar of(const PlainKey& key) const {
    if (second_ && key == *second_) return Scalar::one();
    return scalar_of(tagged("KeyAgg coefficient", {list_, key}));
  }

 private:
  Hash32 list_{};
  std::optional<PlainKey> second_;  ///< the first key that differs from the first one
};

/// KeyAggContext of BIP-327.
struct Context {
  Point q = Group::infinity();
  bool negated = false;
  Scalar tweak = Scalar::zero();
};

Result<Context> aggregate(std::span<const PlainKey> keys, std::span<const Tweak> tweaks) {
  if (keys.empty() || keys.size() > kMaxSigners) {
    return fail(Status::bad_input,
                std::to_string(keys.size()) + " signers; 1 to " + std::to_string(kMaxSigners) + " are possible");
  }
  const Coefficients coefficients(keys);
  Context c;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const auto point = decode(keys[i]);
    if (!point) return bad_signer(i, "its public key is no point");
    c.q = Group::add(c.q, times(coefficients.of(keys[i]), *point));
  }
  if (Group::is_infinity(c.q)) return fail(Status::bad_input, "the keys add up to infinity");
  for (std::size_t i = 0; i < tweaks.size(); ++i) {
    const Words4 t = secp256k1::from_big_endian(tweaks[i].value.data());
    if (!secp256k1::less(t, Scalar::modulus())) {
      return fail(Status::bad_input, "tweak " + std::to_string(i) + " is not below the group order");
    }
    if (tweaks[i].x_only && odd_y(c.q)) {
      c.q = Group::negate(c.q);
      c.negated = !c.negated;
      c.tweak = Scalar::zero() - c.tweak;
    }
    c.q = Group::combine_vartime(t, base(), kOne, c.q);
    if (Group::is_infinity(c.q)) {
      return fail(Status::bad_input, "tweak " + std::to_string(i) + " takes the key to infinity");
    }
    c.tweak = c.tweak + Scalar::reduced(t);
  }
  return c;
}

/// Products a P of many lists on a kernel. Requires that add() is called list by list.
class Products {
 public:
  void add(std::span<const PlainKey> keys) {
    const Coefficients coefficients(keys);
    for (const PlainKey& key : keys) {
      const Words4 x = secp256k1::from_big_endian(key.data() + 1);
      const bool plain = (key[0] == 2 || key[0] == 3) && Group::in_range(x);
      const std::size_t at = signatures_.size();
      signatures_.resize(at + secp256k1::kRecoverableBytes);
      const Scalar factor = coefficients.of(key);
      secp256k1::to_big_endian(x, &signatures_[at]);
      secp256k1::to_big_endian((factor * Scalar::reduced(x)).number(), &signatures_[at + 32]);
      signatures_[at + 64] = plain ? static_cast<std::uint8_t>(key[0] - 2) : std::uint8_t{255};  // a verdict 0
    }
  }
  std::size_t count() const { return signatures_.size() / secp256k1::kRecoverableBytes; }
  Done run(secp256k1::Kernel& kernel, const StopToken& stop) {
    const Bytes digests(count() * secp256k1::kDigestBytes);
    std::vector<std::uint64_t> offsets(count() + 1);
    for (std::size_t i = 0; i < offsets.size(); ++i) offsets[i] = i * secp256k1::kDigestBytes;
    valid_.assign(count(), 0);
    points_.assign(count() * secp256k1::kPublicKeyBytes, 0);
    return kernel.recover_vartime(secp256k1::RecoverRule::in_range, {count(), {}, signatures_, digests, offsets},
                                  {valid_, {}}, points_, stop);
  }
  /// Nothing where the kernel had none: no point, or x(P) or a out of its range.
  std::optional<Point> at(std::size_t i) const {
    if (valid_[i] == 0) return std::nullopt;
    const std::uint8_t* xy = &points_[i * secp256k1::kPublicKeyBytes];
    return Group::point({Field::reduced(secp256k1::from_big_endian(xy)),
                         Field::reduced(secp256k1::from_big_endian(xy + sizeof(Scalar32)))});
  }

 private:
  Bytes signatures_, valid_, points_;
};

/// The sum of the products [first, first + keys); where one is missing, the portable code decides.
std::optional<Hash32> sum_of(const Products& products, std::size_t first, std::span<const PlainKey> keys) {
  Point sum = Group::infinity();
  for (std::size_t k = 0; k < keys.size(); ++k) {
    const auto one = products.at(first + k);
    if (!one) {
      const auto slow = aggregate_keys(keys);
      return slow ? std::optional(slow->x_only()) : std::nullopt;
    }
    sum = Group::add(sum, *one);
  }
  return Group::is_infinity(sum) ? std::nullopt : std::optional(x_of(sum));
}

/// GetSessionValues.
struct Values {
  Context key;
  Scalar b = Scalar::zero();
  Point r = Group::infinity();
  Scalar e = Scalar::zero();
  bool flipped() const { return odd_y(key.q); }  ///< g is -1
};

Result<Values> values_of(const Session& session) {
  Values v;
  SPARKMILL_ASSIGN(v.key, aggregate(session.keys, session.tweaks));
  const ByteView nonce(session.aggregate_nonce);
  const auto r1 = decode_extended(nonce.first(33)), r2 = decode_extended(nonce.subspan(33));
  if (!r1 || !r2) return fail(Status::bad_input, "the aggregate nonce is no pair of points");
  const Hash32 x = x_of(v.key.q);
  v.b = scalar_of(tagged("MuSig/noncecoef", {nonce, x, session.message}));
  v.r = Group::combine_vartime(kOne, *r1, v.b.number(), *r2);
  if (Group::is_infinity(v.r)) v.r = base();
  v.e = scalar_of(tagged("BIP0340/challenge", {x_of(v.r), x, session.message}));
  return v;
}

}  // namespace

Hash32 AggregateKey::x_only() const {
  Hash32 x{};
  std::memcpy(x.data(), point.data() + 1, x.size());
  return x;
}

void sort_keys(std::span<PlainKey> keys) { std::sort(keys.begin(), keys.end()); }

Result<AggregateKey> aggregate_keys(std::span<const PlainKey> keys, std::span<const Tweak> tweaks) {
  SPARKMILL_ASSIGN(const Context c, aggregate(keys, tweaks));
  AggregateKey out;
  encode_extended(c.q, out.point.data());
  out.negated = c.negated;
  secp256k1::to_big_endian(c.tweak.number(), out.tweak.data());
  return out;
}

Result<std::vector<std::optional<Hash32>>> aggregate_x_only(std::span<const std::vector<PlainKey>> lists,
                                                            secp256k1::Kernel& kernel, const StopToken& stop) {
  constexpr std::size_t kKeysAtOnce = 8192;  // bounds the memory, and fills any device
  std::vector<std::optional<Hash32>> out;
  out.reserve(lists.size());
  while (out.size() < lists.size()) {
    Products products;
    std::size_t end = out.size();
    for (; end < lists.size() && products.count() < kKeysAtOnce; ++end) {
      if (lists[end].size() <= kMaxSigners && !lists[end].empty()) products.add(lists[end]);
    }
    SPARKMILL_TRY(products.run(kernel, stop));
    for (std::size_t first = 0; out.size() < end;) {
      const std::vector<PlainKey>& keys = lists[out.size()];
      const bool possible = keys.size() <= kMaxSigners && !keys.empty();
      out.push_back(possible ? sum_of(products, first, keys) : std::nullopt);
      if (possible) first += keys.size();
    }
  }
  return out;
}

Scalar32 key_coefficient(std::span<const PlainKey> keys, const PlainKey& key) {
  Scalar32 out{};
  secp256k1::to_big_endian(Coefficients(keys).of(key).number(), out.data());
  return out;
}

Result<PublicNonce> aggregate_nonces(std::span<const PublicNonce> nonces) {
  PublicNonce out{};
  for (std::size_t half = 0; half < 2; ++half) {
    Point sum = Group::infinity();
    for (std::size_t i = 0; i < nonces.size(); ++i) {
      const auto point = decode(ByteView(nonces[i]).subspan(half * 33, 33));
      if (!point) return bad_signer(i, "its public nonce is no pair of points");
      sum = Group::add(sum, *point);
    }
    encode_extended(sum, out.data() + half * 33);
  }
  return out;
}

Result<bool> verify_partial(const Session& session, ByteView partial, const PublicNonce& nonce, const PlainKey& key) {
  if (partial.size() != sizeof(Scalar32)) return fail(Status::bad_argument, "a partial signature has 32 bytes");
  if (std::find(session.keys.begin(), session.keys.end(), key) == session.keys.end()) {
    return fail(Status::bad_input, "the signer's public key must be included in the list of keys");
  }
  SPARKMILL_ASSIGN(const Values v, values_of(session));
  const auto r1 = decode(ByteView(nonce).first(33)), r2 = decode(ByteView(nonce).subspan(33));
  if (!r1 || !r2) return fail(Status::bad_input, "the signer's public nonce is no pair of points");
  const auto p = decode(key);
  if (!p) return fail(Status::bad_input, "the signer's public key is no point");
  const Words4 s = secp256k1::from_big_endian(partial.data());
  if (!secp256k1::less(s, Scalar::modulus())) return false;
  Point r = Group::combine_vartime(kOne, *r1, v.b.number(), *r2);
  if (odd_y(v.r)) r = Group::negate(r);
  Scalar factor = v.e * Coefficients(session.keys).of(key);
  if (v.flipped() != v.key.negated) factor = Scalar::zero() - factor;
  const Point expected = Group::add(r, times(factor, *p));
  const Point got = Group::combine_vartime(s, base(), kZero, base());
  return Group::is_infinity(Group::add(got, Group::negate(expected)));
}

Result<std::array<std::uint8_t, 64>> aggregate_partials(const Session& session, std::span<const Scalar32> partials) {
  SPARKMILL_ASSIGN(const Values v, values_of(session));
  Scalar sum = v.e * v.key.tweak;
  if (v.flipped()) sum = Scalar::zero() - sum;
  for (std::size_t i = 0; i < partials.size(); ++i) {
    const Words4 s = secp256k1::from_big_endian(partials[i].data());
    if (!secp256k1::less(s, Scalar::modulus())) return bad_signer(i, "its partial signature is not below the order");
    sum = sum + Scalar::reduced(s);
  }
  std::array<std::uint8_t, 64> out{};
  const Hash32 x = x_of(v.r);
  std::memcpy(out.data(), x.data(), x.size());
  secp256k1::to_big_endian(sum.number(), out.data() + 32);
  return out;
}

Bytes musig2_message(std::span<const PlainKey> keys, ByteView message) {
  ByteWriter out;
  out.u16(static_cast<std::uint16_t>(keys.size()));
  for (const PlainKey& key : keys) out.bytes(key);
  return std::move(out.bytes(message)).data();
}

}  // namespace sparkmill::signatures

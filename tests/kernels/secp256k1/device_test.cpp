// SPDX-License-Identifier: Apache-2.0
// The arithmetic that devices run (kernels/secp256k1/device.h), compiled for the host, against OpenSSL's numbers and
// libsecp256k1's points: field, scalars, digits, every exceptional case of the group law, whole batches in all modes.
// Built a second time with SPARKMILL_PTX, its batches run what nvcc made of the CUDA kernels instead.
#include <gtest/gtest.h>
#include <openssl/bn.h>
#include <secp256k1.h>
#include <secp256k1_extrakeys.h>
#include <secp256k1_recovery.h>
#include <secp256k1_schnorrsig.h>

#include <cstring>
#include <memory>
#include <optional>

#include "base/hash.h"
#include "base/hex.h"
#include "kernels/secp256k1/device_batch.h"

#if defined(SPARKMILL_PTX)
#include "kernels/secp256k1/cuda_launch.h"

// The CUDA kernels as backend/ptx_to_cpp.py translates them.
extern "C" {
extern thread_local struct { std::uint32_t tid, ctaid, ntid; } ptx_thread;
void ptx_scalars(const void* args);
void ptx_challenges(const void* args);
void ptx_points(const void* args);
void ptx_finish(const void* args);
}
#endif

namespace sparkmill::secp256k1::test {
namespace {

// ---- numbers by OpenSSL ----

struct FreeNumber {
  void operator()(BIGNUM* n) const { BN_free(n); }
};
using Number = std::unique_ptr<BIGNUM, FreeNumber>;

BN_CTX* context() {
  static BN_CTX* c = BN_CTX_new();
  return c;
}
Number number(const Hash32& bytes) { return Number(BN_bin2bn(bytes.data(), 32, nullptr)); }
Number number(std::string_view hex) {
  BIGNUM* n = nullptr;
  BN_hex2bn(&n, std::string(hex).c_str());
  return Number(n);
}
const BIGNUM* prime() {
  static const Number p = number("FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFC2F");
  return p.get();
}
const BIGNUM* order() {
  static const Number n = number("FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141");
  return n.get();
}
/// Big-endian, of 0 <= n < 2^256.
Hash32 bytes_of(const BIGNUM* n) {
  Hash32 out;
  EXPECT_EQ(BN_bn2binpad(n, out.data(), 32), 32);
  return out;
}
template <class Operation>
Hash32 modular(Operation operation, const Hash32& a, const Hash32& b, const BIGNUM* modulus) {
  Number r(BN_new());
  EXPECT_EQ(operation(r.get(), number(a).get(), number(b).get(), modulus, context()), 1);
  return bytes_of(r.get());
}
Hash32 product(const Hash32& a, const Hash32& b, const BIGNUM* m) { return modular(BN_mod_mul, a, b, m); }
Hash32 sum(const Hash32& a, const Hash32& b, const BIGNUM* m) { return modular(BN_mod_add, a, b, m); }
Hash32 difference(const Hash32& a, const Hash32& b, const BIGNUM* m) { return modular(BN_mod_sub, a, b, m); }
Hash32 inverse(const Hash32& a, const BIGNUM* m) {
  const Number r(BN_mod_inverse(nullptr, number(a).get(), m, context()));
  return bytes_of(r.get());
}
Hash32 shifted(const Hash32& a, int bits) {
  Number r(BN_new());
  BN_rshift(r.get(), number(a).get(), bits);
  return bytes_of(r.get());
}
Hash32 hash32(std::string_view hex) { return bytes_of(number(hex).get()); }

Hash32 bytes_of(const sm_k1_num& a) {
  Hash32 out;
  sm_k1_store(out.data(), a);
  return out;
}
sm_k1_num words_of(const Hash32& a) { return sm_k1_load(a.data()); }
Hash32 frozen(const sm_k1_num& a) { return bytes_of(sm_k1_frozen(a)); }

Hash32 random_hash(ChaChaWords& words) {
  Hash32 h;
  for (auto& byte : h) byte = static_cast<std::uint8_t>(words.u32());
  return h;
}
const Hash32& zero() {
  static const Hash32 h{};
  return h;
}
Hash32 small(unsigned n) {
  Hash32 h{};
  h[30] = static_cast<std::uint8_t>(n >> 8);
  h[31] = static_cast<std::uint8_t>(n);
  return h;
}

/// Random values, and all near 0, N, p and 2^256, and words of ones and zeros.
std::vector<Hash32> values() {
  ChaChaWords words(sha256(view("values")));
  std::vector<Hash32> list;
  for (int k = 0; k < 24; ++k) list.push_back(random_hash(words));
  for (int k = 0; k < 24; ++k) {
    Hash32 h;
    for (std::size_t at = 0; at < 32; at += 4) {
      const std::uint8_t fill = words.below(2) == 0 ? 0x00 : 0xff;
      std::fill_n(h.begin() + static_cast<std::ptrdiff_t>(at), 4, fill);
    }
    list.push_back(h);
  }
  const Number top = number("FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF");
  for (const BIGNUM* middle : {order(), prime(), static_cast<const BIGNUM*>(top.get())}) {
    for (const int step : {-977, -2, -1, 0, 1, 2, 976, 977, 978}) {
      const Number n(BN_dup(middle));
      if (step < 0) BN_sub_word(n.get(), static_cast<BN_ULONG>(-step));
      if (step > 0) BN_add_word(n.get(), static_cast<BN_ULONG>(step));
      if (BN_num_bits(n.get()) <= 256) list.push_back(bytes_of(n.get()));
    }
  }
  for (const unsigned n : {0u, 1u, 2u, 976u, 977u, 978u}) list.push_back(small(n));
  return list;
}

TEST(DeviceField, AsOpensslsNumbers) {
  const auto list = values();
  const Hash32 half = inverse(small(2), prime());
  for (const Hash32& a : list) {
    const sm_k1_num x = words_of(a);
    const Hash32 residue = sum(a, zero(), prime());
    EXPECT_EQ(frozen(x), residue);
    EXPECT_EQ(frozen(sm_k1_sqr(x)), product(a, a, prime()));
    EXPECT_EQ(frozen(sm_k1_half(x)), product(a, half, prime()));
    EXPECT_EQ(sm_k1_is_zero(x) != 0, residue == zero());
    EXPECT_EQ(sm_k1_is_large(x) != 0, residue != a);
    if (residue != zero()) {
      EXPECT_EQ(frozen(sm_k1_power(x, 1)), inverse(residue, prime()));
    }
    for (const Hash32& b : list) {
      const sm_k1_num y = words_of(b);
      EXPECT_EQ(frozen(sm_k1_mul(x, y)), product(a, b, prime()));
      EXPECT_EQ(frozen(sm_k1_add(x, y)), sum(a, b, prime()));
      EXPECT_EQ(frozen(sm_k1_sub(x, y)), difference(a, b, prime()));
    }
  }
}

/// What CUDA takes in their place, its instructions in C.
TEST(DeviceField, RowsAsPlainProducts) {
  const auto list = values();
  for (const Hash32& a : list) {
    sm_u32 plain[16], rows[16];
    sm_k1_square(words_of(a), plain);
    sm_k1_square_rows(words_of(a), rows);
    EXPECT_EQ(0, std::memcmp(plain, rows, sizeof plain));
    for (const Hash32& b : list) {
      sm_k1_product(words_of(a), words_of(b), plain);
      sm_k1_product_rows(words_of(a), words_of(b), rows);
      EXPECT_EQ(0, std::memcmp(plain, rows, sizeof plain));
      EXPECT_EQ(frozen(sm_k1_reduce_rows(rows)), product(a, b, prime()));
      std::copy_n(words_of(a).v, 8, rows);  // any sixteen words
      std::copy_n(words_of(b).v, 8, rows + 8);
      EXPECT_EQ(frozen(sm_k1_reduce_rows(rows)), frozen(sm_k1_reduce(rows)));
    }
  }
}

TEST(DeviceField, SquareRoots) {
  ChaChaWords words(sha256(view("roots")));
  for (int k = 0; k < 20; ++k) {
    const Hash32 root = sum(random_hash(words), zero(), prime()), square = product(root, root, prime());
    const Hash32 found = frozen(sm_k1_power(words_of(square), 0));
    EXPECT_TRUE(found == root || found == difference(zero(), root, prime()));
    // -1 is no square, so of a and -a one is.
    const Hash32 none = frozen(sm_k1_power(words_of(difference(zero(), square, prime())), 0));
    EXPECT_EQ(product(none, none, prime()), square);
  }
}

TEST(DeviceScalars, AsOpensslsNumbers) {
  const auto list = values();
  for (const Hash32& raw : list) {
    const Hash32 a = sum(raw, zero(), order());
    EXPECT_EQ(bytes_of(sm_k1_mod_order(words_of(raw))), a);
    EXPECT_EQ(sm_k1_below_order(words_of(raw)) != 0, raw == a);
    if (a != zero()) {
      EXPECT_EQ(bytes_of(sm_k1_inverse_order(words_of(a))), inverse(a, order()));
    }
    for (const Hash32& b : list)  // also of factors that are not reduced
      EXPECT_EQ(bytes_of(sm_k1_mul_order(words_of(raw), words_of(b))), product(raw, b, order()));
  }
}

const Hash32& lambda() {
  static const Hash32 l = hash32("5363AD4CC05C30E0A5261C028812645A122E22EA20816678DF02967C1B23BD72");
  return l;
}
Hash32 power_of_two(unsigned n) {
  Hash32 h{};
  h[31 - n / 8] = static_cast<std::uint8_t>(1u << (n % 8));
  return h;
}
/// Scalars at the edges of windows, halves and of the lattice of lambda.
std::vector<Hash32> edge_scalars() {
  const Hash32 minus_one = difference(zero(), small(1), order());
  std::vector<Hash32> list{zero(),
                           small(1),
                           small(2),
                           small(5),
                           small(16),
                           small(17),
                           small(512),
                           small(513),
                           small(0xffff),
                           minus_one,
                           difference(zero(), small(2), order()),
                           lambda(),
                           difference(zero(), lambda(), order()),
                           difference(minus_one, lambda(), order()),
                           power_of_two(16),
                           power_of_two(128),
                           difference(power_of_two(128), small(1), order()),
                           product(power_of_two(128), small(5), order()),
                           shifted(minus_one, 1),
                           power_of_two(255)};
  return list;
}

TEST(DeviceScalars, SplitIsSmallAndAddsUp) {
  ChaChaWords words(sha256(view("split")));
  auto list = edge_scalars();
  for (int k = 0; k < 2000; ++k) {
    Hash32 h = random_hash(words);
    if (k % 2 != 0) h = shifted(h, static_cast<int>(words.below(256)));
    list.push_back(sum(h, zero(), order()));
  }
  for (const Hash32& k : list) {
    sm_u32 k1[5], k2[5];
    const sm_u32 negative = sm_k1_split(words_of(k), k1, k2);
    EXPECT_EQ(k1[4], 0u);
    EXPECT_EQ(k2[4], 0u);
    const auto signed_scalar = [](const sm_u32* w, bool minus) {
      const Hash32 h = bytes_of(sm_k1_words(w[0], w[1], w[2], w[3], 0, 0, 0, 0));
      return minus ? difference(zero(), h, order()) : h;
    };
    EXPECT_EQ(sum(signed_scalar(k1, (negative & 1u) != 0),
                  product(signed_scalar(k2, (negative & 2u) != 0), lambda(), order()), order()),
              k);
  }
}

// ---- points by libsecp256k1 ----

secp256k1_context* library() {
  static secp256k1_context* c = secp256k1_context_create(SECP256K1_CONTEXT_SIGN | SECP256K1_CONTEXT_VERIFY);
  return c;
}
using Point = std::optional<secp256k1_pubkey>;  // none: infinity

Point times_base(const Hash32& k) {
  secp256k1_pubkey p;
  if (secp256k1_ec_pubkey_create(library(), &p, k.data()) == 0) return std::nullopt;
  return p;
}
Point times(const Hash32& k, Point p) {
  if (!p || k == zero() || secp256k1_ec_pubkey_tweak_mul(library(), &*p, k.data()) == 0) return std::nullopt;
  return p;
}
Point plus(const Point& a, const Point& b) {
  if (!a) return b;
  if (!b) return a;
  const secp256k1_pubkey* both[] = {&*a, &*b};
  secp256k1_pubkey r;
  if (secp256k1_ec_pubkey_combine(library(), &r, both, 2) == 0) return std::nullopt;
  return r;
}
Point of_scalars(const Hash32& u1, const Hash32& u2, const Point& q) { return plus(times_base(u1), times(u2, q)); }
Bytes encoded(const Point& p, bool compressed) {
  std::size_t size = compressed ? 33 : 65;
  Bytes out(size);
  if (p) {
    secp256k1_ec_pubkey_serialize(library(), out.data(), &size, &*p,
                                  compressed ? SECP256K1_EC_COMPRESSED : SECP256K1_EC_UNCOMPRESSED);
  }
  return out;
}
Bytes xy(const Point& p) {
  const Bytes all = encoded(p, false);
  return {all.begin() + 1, all.end()};
}
Hash32 x_of(const Point& p) {
  const Bytes all = encoded(p, true);
  Hash32 x;
  std::copy(all.begin() + 1, all.end(), x.begin());
  return x;
}
Point from_compressed(unsigned parity, const Hash32& x) {
  Bytes key{static_cast<std::uint8_t>(2 + parity)};
  key.insert(key.end(), x.begin(), x.end());
  secp256k1_pubkey p;
  if (secp256k1_ec_pubkey_parse(library(), &p, key.data(), key.size()) == 0) return std::nullopt;
  return p;
}

const std::vector<sm_u32>& base_table() {
  static const std::vector<sm_u32> table = device_base_table();
  return table;
}
sm_k1_affine affine(const Point& p) {
  const Bytes both = xy(p);
  return {sm_k1_load(both.data()), sm_k1_load(both.data() + 32)};
}
Bytes compressed(const sm_k1_point& p) {
  Bytes out(33);
  if (sm_k1_is_zero(p.z)) return out;
  const sm_k1_num inverse = sm_k1_power(p.z, 1), square = sm_k1_sqr(inverse);
  sm_k1_store(out.data() + 1, sm_k1_frozen(sm_k1_mul(p.x, square)));
  out[0] = static_cast<std::uint8_t>(2 + (sm_k1_frozen(sm_k1_mul(p.y, sm_k1_mul(square, inverse))).v[0] & 1));
  return out;
}

TEST(DevicePoints, BaseTable) {
  ASSERT_EQ(base_table().size(), std::size_t{SM_K1_BASE_WORDS});
  for (const unsigned half : {0u, 1u}) {
    for (const unsigned k : {1u, 2u, 3u, 16u, 255u, 511u, 512u}) {
      const Hash32 scalar = half == 0 ? small(k) : product(small(k), power_of_two(128), order());
      const sm_k1_affine want = affine(times_base(scalar));
      const sm_u32* entry = base_table().data() + std::size_t{16} * (half * SM_K1_BASE_ENTRIES + k - 1);
      EXPECT_EQ(0, std::memcmp(entry, want.x.v, 32)) << half << ", " << k;
      EXPECT_EQ(0, std::memcmp(entry + 8, want.y.v, 32)) << half << ", " << k;
    }
  }
}

/// Keys that meet the tables of G on the way: the climb runs into p = q, p = -q and infinity.
TEST(DevicePoints, EveryExceptionalCaseOfTheClimb) {
  const auto scalars = edge_scalars();
  const Hash32 two128 = power_of_two(128);
  std::vector<Point> keys;
  for (const Hash32& k : {small(1), small(2), lambda(), two128}) {
    keys.push_back(times_base(k));
    keys.push_back(times_base(difference(zero(), k, order())));
  }
  keys.push_back(times_base(hash32("1234567890ABCDEF1234567890ABCDEF1234567890ABCDEF1234567890ABCDEF")));
#if defined(SPARKMILL_CHECKED)
  const std::size_t stride = 7;
#else
  const std::size_t stride = 1;
#endif
  std::size_t turn = 0, infinities = 0;
  for (const Point& key : keys) {
    sm_k1_affine table[SM_K1_TABLE];
    const sm_k1_num scale = sm_k1_multiples(affine(key), table);
    for (const Hash32& u1 : scalars) {
      for (const Hash32& u2 : scalars) {
        if (turn++ % stride != 0) continue;
        sm_k1_point p;
        p.x = p.y = p.z = sm_k1_small(0);
        sm_k1_digits digits;
        sm_k1_make_digits(words_of(u1), words_of(u2), 0, 0, &digits);
        sm_k1_point whole = sm_k1_climb(p, &digits, 25, 0, table, scale, base_table().data());
        whole.z = sm_k1_mul(whole.z, scale);
        const Bytes want = encoded(of_scalars(u1, u2, key), true);
        infinities += want[0] == 0;
        ASSERT_EQ(compressed(whole), want) << to_hex(u1) << " " << to_hex(u2) << " " << to_hex(encoded(key, true));

        sm_k1_make_digits(words_of(u1), words_of(u2), 16, 0, &digits);
        p = sm_k1_climb(p, &digits, 25, 0, table, scale, base_table().data());
        sm_k1_point paused = p;
        paused.z = sm_k1_mul(p.z, scale);
        ASSERT_EQ(compressed(paused), encoded(of_scalars(shifted(u1, 16), shifted(u2, 16), key), true));
        sm_k1_make_digits(words_of(u1), words_of(u2), 0, 1, &digits);
        p = sm_k1_climb(p, &digits, 3, 1, table, scale, base_table().data());
        p.z = sm_k1_mul(p.z, scale);
        ASSERT_EQ(compressed(p), want) << "in two climbs";
      }
    }
  }
  EXPECT_GT(infinities, 5u);
}

// ---- batches: the three launches one after the other ----

struct Item {
  Bytes key, signature, message;
};
struct Results {
  Bytes valid, evidence, recovered;
};

Results run(sm_u32 flags, const std::vector<Item>& items) {
  Bytes keys, signatures, messages;
  std::vector<std::uint64_t> offsets{0};
  for (const Item& i : items) {
    keys.insert(keys.end(), i.key.begin(), i.key.end());
    signatures.insert(signatures.end(), i.signature.begin(), i.signature.end());
    messages.insert(messages.end(), i.message.begin(), i.message.end());
    offsets.push_back(messages.size());
  }
  const auto count = static_cast<sm_u32>(items.size());
  const auto step = static_cast<sm_u32>(chunk_threads(count));
  Results r{Bytes(count, 9), Bytes(std::size_t{33} * count, 9), Bytes(std::size_t{64} * count, 9)};
  std::vector<sm_u32> scratch(std::size_t{SM_K1_SCRATCH_WORDS} * count);
  keys.push_back(0);  // never an empty pointer
  messages.push_back(0);
#if defined(SPARKMILL_PTX)
  const device::Args args{
      keys.data(), signatures.data(), messages.data(), offsets.data(),     base_table().data(), count, flags,
      step,        scratch.data(),    r.valid.data(),  r.recovered.data(), r.evidence.data()};
  const auto launch = [&args](void (*kernel)(const void*), sm_u32 threads, sm_u32 block) {
    for (sm_u32 i = 0; i < (threads + block - 1) / block * block; ++i) {
      ptx_thread = {i % block, i / block, block};
      kernel(&args);
    }
  };
  (flags & SM_K1_MODE) == SM_K1_BIP340 ? launch(ptx_challenges, count, 128) : launch(ptx_scalars, step, 32);
  launch(ptx_points, count, 128);
  if (needs_finish(flags)) launch(ptx_finish, step, 32);
#else
  if ((flags & SM_K1_MODE) == SM_K1_BIP340) {
    for (sm_u32 i = 0; i < count; ++i)
      sm_k1_challenge(keys.data(), signatures.data(), messages.data(), offsets.data(), count, i, scratch.data(),
                      r.valid.data());
  } else {
    for (sm_u32 i = 0; i < step; ++i)
      sm_k1_scalars(signatures.data(), messages.data(), count, flags, i, step, scratch.data(), r.valid.data());
  }
  for (sm_u32 i = 0; i < count; ++i)
    sm_k1_points(keys.data(), signatures.data(), base_table().data(), count, flags, i, scratch.data(), r.valid.data());
  if (needs_finish(flags)) {
    for (sm_u32 i = 0; i < step; ++i)
      sm_k1_finish(signatures.data(), count, flags, i, step, scratch.data(), r.valid.data(), r.recovered.data(),
                   r.evidence.data());
  }
#endif
  return r;
}

/// Verdict, evidence and key by libsecp256k1's points and OpenSSL's numbers, straight from the definitions.
struct Expected {
  bool valid = false;
  Bytes evidence = Bytes(33), recovered = Bytes(64);
};
bool is_below(const Hash32& a, const BIGNUM* m) { return BN_cmp(number(a).get(), m) < 0; }
Hash32 part(const Bytes& from, std::size_t at) {
  Hash32 h;
  std::copy_n(from.begin() + static_cast<std::ptrdiff_t>(at), 32, h.begin());
  return h;
}
Point parsed(const Bytes& key) {
  secp256k1_pubkey p;
  if (secp256k1_ec_pubkey_parse(library(), &p, key.data(), key.size()) == 0) return std::nullopt;
  return p;
}
Expected expected_ecdsa(const Item& item, const Point& key) {
  Expected e;
  const Hash32 r = part(item.signature, 0), s = part(item.signature, 32), z = part(item.message, 0);
  if (!key || !is_below(r, order()) || !is_below(s, order()) || r == zero() || s == zero()) return e;
  const Hash32 w = inverse(s, order()), u1 = product(z, w, order()), u2 = product(r, w, order());
  const Point point = of_scalars(u1, u2, key);
  e.valid = point && sum(x_of(point), zero(), order()) == r;
  e.evidence = encoded(of_scalars(shifted(u1, 16), shifted(u2, 16), key), true);
  return e;
}
Expected expected_bip340(const Item& item) {
  Expected e;
  const Hash32 r = part(item.signature, 0), s = part(item.signature, 32), x = part(item.key, 0);
  const Point key = from_compressed(1, x);  // -P
  if (!key || !is_below(r, prime()) || !is_below(s, order())) return e;
  const Hash32 tag = sha256(view("BIP0340/challenge"));
  const Hash32 digest = Sha256().update(tag).update(tag).update(r).update(x).update(item.message).finish();
  const Hash32 challenge = sum(digest, zero(), order());
  const Point point = of_scalars(s, challenge, key);
  e.valid = point && encoded(point, true)[0] == 2 && x_of(point) == r;
  e.evidence = encoded(of_scalars(shifted(s, 16), shifted(challenge, 16), key), true);
  return e;
}
Expected expected_recovery(const Item& item, RecoverRule rule) {
  Expected e;
  Hash32 r = part(item.signature, 0), s = part(item.signature, 32), x = r;
  const unsigned recid = item.signature[64];
  const bool in_range = is_below(r, order()) && is_below(s, order()) && r != zero() && s != zero();
  if (recid > 3 || (rule == RecoverRule::in_range && !in_range)) return e;
  if (!is_below(r, prime())) return e;
  r = sum(r, zero(), order());
  s = sum(s, zero(), order());
  if (r == zero()) return e;
  if ((recid & 2) != 0) {
    Number larger(BN_new());
    BN_add(larger.get(), number(x).get(), order());
    if (BN_cmp(larger.get(), prime()) >= 0) return e;
    x = bytes_of(larger.get());
  }
  const Point commitment = from_compressed(recid & 1, x);
  if (!commitment) return e;
  const Hash32 w = inverse(r, order());
  const Hash32 u1 = product(difference(zero(), part(item.message, 0), order()), w, order());
  const Hash32 u2 = product(s, w, order());
  const Point key = of_scalars(u1, u2, commitment);
  e.valid = key.has_value();
  if (key) e.recovered = xy(key);
  e.evidence = encoded(of_scalars(shifted(u1, 16), shifted(u2, 16), commitment), true);
  return e;
}

void expect(sm_u32 flags, const std::vector<Item>& items, const std::vector<Expected>& want) {
  const Results got = run(flags | SM_K1_EVIDENCE, items), plain = run(flags, items);
  for (std::size_t i = 0; i < items.size(); ++i) {
    const auto slice = [i](const Bytes& all, std::size_t each) {
      return to_hex(ByteView(all).subspan(i * each, each));
    };
    const std::string label = "item " + std::to_string(i) + ", key " + to_hex(items[i].key) + ", signature " +
                              to_hex(items[i].signature) + ", message " + to_hex(items[i].message);
    EXPECT_EQ(got.valid[i], want[i].valid) << label;
    EXPECT_EQ(plain.valid[i], want[i].valid) << label << ", without evidence";
    EXPECT_EQ(slice(got.evidence, 33), to_hex(want[i].evidence)) << label;
    if ((flags & SM_K1_MODE) == SM_K1_RECOVER) {
      EXPECT_EQ(slice(got.recovered, 64), to_hex(want[i].recovered)) << label;
      EXPECT_EQ(slice(plain.recovered, 64), to_hex(want[i].recovered)) << label;
    }
  }
}

/// A valid signature whose u1, u2 and key are chosen: r = x(u1 G + u2 Q), s = r / u2, z = u1 s.
Item with_scalars(const Hash32& u1, const Hash32& u2, const Point& key) {
  Hash32 r = sum(x_of(of_scalars(u1, u2, key)), zero(), order());
  if (r == zero()) r = small(7);  // the sum is infinity: no signature
  const Hash32 s = product(r, inverse(u2, order()), order()), z = product(u1, s, order());
  Item item;
  item.key = xy(key);
  item.signature.assign(r.begin(), r.end());
  item.signature.insert(item.signature.end(), s.begin(), s.end());
  item.message.assign(z.begin(), z.end());
  return item;
}
/// The least x at or above N that is a coordinate: its signatures have r = x - N.
Point point_beyond_order() {
  for (unsigned n = 1;; ++n) {
    Number x(BN_dup(order()));
    BN_add_word(x.get(), n);
    const Point p = from_compressed(0, bytes_of(x.get()));
    if (p) return p;
  }
}
void flip(Bytes& bytes, ChaChaWords& words) {
  bytes[words.below(bytes.size())] ^= static_cast<std::uint8_t>(1u << words.below(8));
}
void set_part(Bytes& bytes, std::size_t at, const Hash32& value) {
  std::copy(value.begin(), value.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at));
}
/// Values at the edges of N and p.
std::vector<Hash32> edges() {
  std::vector<Hash32> list{zero(), small(1), Hash32{}};
  list.back().fill(0xff);
  for (const BIGNUM* m : {order(), prime()}) {
    for (const int step : {-1, 0, 1}) {
      const Number n(BN_dup(m));
      step < 0 ? BN_sub_word(n.get(), 1) : BN_add_word(n.get(), static_cast<BN_ULONG>(step));
      list.push_back(bytes_of(n.get()));
    }
  }
  return list;
}

std::vector<Item> ecdsa_items() {
  ChaChaWords words(sha256(view("ecdsa")));
  std::vector<Item> items;
  for (int k = 0; k < 40; ++k) {
    Item item = with_scalars(random_hash(words), random_hash(words), times_base(random_hash(words)));
    if (k % 5 == 1) flip(item.key, words);
    if (k % 5 == 2) flip(item.signature, words);
    if (k % 5 == 3) flip(item.message, words);
    if (k % 5 == 4) {  // the other s is accepted as well
      const Hash32 s = part(item.signature, 32);
      set_part(item.signature, 32, difference(zero(), s, order()));
    }
    items.push_back(item);
  }
  const Hash32 minus_one = difference(zero(), small(1), order());
  for (const Point& key : {times_base(small(1)), times_base(minus_one), times_base(lambda())}) {
    for (const Hash32& u1 : {zero(), small(1), small(16), minus_one, lambda()}) {
      for (const Hash32& u2 : {small(1), small(16), minus_one, lambda()}) items.push_back(with_scalars(u1, u2, key));
    }
  }
  for (const Hash32& edge : edges()) {
    for (const std::size_t at : {0u, 32u}) {
      Item item = items.front();
      set_part(item.signature, at, edge);
      items.push_back(item);
      item = items.front();
      set_part(item.key, at, edge);
      items.push_back(item);
    }
    Item item = items.front();
    set_part(item.message, 0, edge);
    items.push_back(item);
  }
  // x(R) at or above N: Q = (R - u1 G) / u2.
  const Point beyond = point_beyond_order();
  const Hash32 u1 = random_hash(words), u2 = random_hash(words);
  const Point key = times(inverse(u2, order()), plus(beyond, times_base(difference(zero(), u1, order()))));
  items.push_back(with_scalars(u1, u2, key));
  EXPECT_TRUE(expected_ecdsa(items.back(), key).valid);
  return items;
}

TEST(DeviceBatches, Ecdsa) {
  auto items = ecdsa_items();
  std::vector<Expected> want;
  std::size_t valid = 0;
  for (const Item& i : items) {
    Bytes key{4};
    key.insert(key.end(), i.key.begin(), i.key.end());
    want.push_back(expected_ecdsa(i, parsed(key)));
    valid += want.back().valid;
  }
  EXPECT_GT(valid, 40u);
  EXPECT_LT(valid, items.size() - 20);
  expect(device_flags(Check::ecdsa, false), items, want);
}

TEST(DeviceBatches, EcdsaCompressed) {
  auto items = ecdsa_items();
  std::vector<Expected> want;
  for (std::size_t k = 0; k < items.size(); ++k) {
    Bytes& key = items[k].key;
    const std::uint8_t parity = key[63] & 1;
    key.resize(32);
    key.insert(key.begin(), static_cast<std::uint8_t>(k % 11 == 10 ? k % 8 : 2 + parity));
    want.push_back(expected_ecdsa(items[k], key[0] == 2 || key[0] == 3 ? parsed(key) : std::nullopt));
  }
  expect(device_flags(Check::ecdsa_compressed, false), items, want);
}

TEST(DeviceBatches, Bip340) {
  ChaChaWords words(sha256(view("bip340")));
  std::vector<Item> items;
  for (unsigned k = 0; k < 60; ++k) {
    const Hash32 secret = random_hash(words);
    secp256k1_keypair pair;
    ASSERT_EQ(secp256k1_keypair_create(library(), &pair, secret.data()), 1);
    secp256k1_xonly_pubkey key;
    ASSERT_EQ(secp256k1_keypair_xonly_pub(library(), &key, nullptr, &pair), 1);
    Item item;
    item.message.resize(k < 40 ? 7 * k : k, static_cast<std::uint8_t>(k));
    item.key.resize(32);
    item.signature.resize(64);
    secp256k1_xonly_pubkey_serialize(library(), item.key.data(), &key);
    ASSERT_EQ(secp256k1_schnorrsig_sign_custom(library(), item.signature.data(), item.message.data(),
                                               item.message.size(), &pair, nullptr),
              1);
    if (k % 6 == 1) flip(item.key, words);
    if (k % 6 == 2) flip(item.signature, words);
    if (k % 6 == 3) item.message.push_back(0);
    items.push_back(item);
  }
  // R of odd y whose x is right: P = G, R = k G, s = k + e. Only the parity refuses it.
  Item odd = items.front();
  ChaChaWords more(sha256(view("odd")));
  for (;;) {
    const Hash32 k = random_hash(more);
    const Point r = times_base(k);
    if (encoded(r, true)[0] != 3) continue;
    const Hash32 x = x_of(times_base(small(1))), rx = x_of(r), tag = sha256(view("BIP0340/challenge"));
    const Hash32 e = Sha256().update(tag).update(tag).update(rx).update(x).finish();
    const Hash32 s = sum(k, e, order());  // y(G) is even
    odd.key.assign(x.begin(), x.end());
    odd.message.clear();
    set_part(odd.signature, 0, rx);
    set_part(odd.signature, 32, s);
    break;
  }
  items.push_back(odd);
  for (const Hash32& edge : edges()) {
    for (const std::size_t at : {0u, 32u}) {
      Item item = items.front();
      set_part(item.signature, at, edge);
      items.push_back(item);
    }
    Item item = items.front();
    set_part(item.key, 0, edge);
    items.push_back(item);
  }
  std::vector<Expected> want;
  std::size_t valid = 0;
  for (const Item& i : items) {
    want.push_back(expected_bip340(i));
    secp256k1_xonly_pubkey x;
    const bool peer =
        secp256k1_xonly_pubkey_parse(library(), &x, i.key.data()) != 0 &&
        secp256k1_schnorrsig_verify(library(), i.signature.data(), i.message.data(), i.message.size(), &x) != 0;
    EXPECT_EQ(want.back().valid, peer);
    valid += peer;
  }
  EXPECT_GT(valid, 25u);
  EXPECT_FALSE(want[60].valid);
  expect(device_flags(Check::bip340, false), items, want);
}

TEST(DeviceBatches, Recover) {
  ChaChaWords words(sha256(view("recover")));
  std::vector<Item> items;
  const auto add = [&](const Hash32& r, const Hash32& s, unsigned recid, const Hash32& z) {
    Item item;
    item.signature.assign(r.begin(), r.end());
    item.signature.insert(item.signature.end(), s.begin(), s.end());
    item.signature.push_back(static_cast<std::uint8_t>(recid));
    item.message.assign(z.begin(), z.end());
    items.push_back(item);
  };
  for (unsigned k = 0; k < 80; ++k) {  // half of all r are coordinates
    add(random_hash(words), random_hash(words), k % 8 == 7 ? k % 7 : k % 2, random_hash(words));
  }
  const Hash32 good = x_of(times_base(small(1)));
  for (const Hash32& edge : edges()) {
    for (const unsigned recid : {0u, 1u, 2u, 3u}) add(edge, random_hash(words), recid, random_hash(words));
    add(good, edge, 0, random_hash(words));
    add(good, random_hash(words), 1, edge);
    add(good, edge, 1, zero());
  }
  // Infinity: R = G, s = z.
  add(good, small(5), 0, small(5));
  const Hash32 beyond = difference(x_of(point_beyond_order()), zero(), order());
  for (const unsigned recid : {0u, 1u, 2u, 3u}) add(beyond, random_hash(words), recid, random_hash(words));
  // r at or above N, which only `unranged` takes.
  for (const unsigned recid : {0u, 1u, 2u}) add(x_of(point_beyond_order()), random_hash(words), recid, small(9));
  for (const RecoverRule rule : {RecoverRule::in_range, RecoverRule::unranged}) {
    std::vector<Expected> want;
    std::size_t valid = 0;
    for (const Item& i : items) {
      want.push_back(expected_recovery(i, rule));
      valid += want.back().valid;
      if (rule != RecoverRule::in_range) continue;
      secp256k1_ecdsa_recoverable_signature signature;
      secp256k1_pubkey key;
      const bool peer = i.signature[64] <= 3 &&
                        secp256k1_ecdsa_recoverable_signature_parse_compact(library(), &signature, i.signature.data(),
                                                                            i.signature[64]) != 0 &&
                        secp256k1_ecdsa_recover(library(), &key, &signature, i.message.data()) != 0;
      EXPECT_EQ(want.back().valid, peer);
      if (peer) {
        EXPECT_EQ(want.back().recovered, xy(key));
      }
    }
    EXPECT_GT(valid, 30u);
    EXPECT_LT(valid, items.size() - 20);
    expect(device_flags(rule, false), items, want);
  }
}

/// What an item gets does not depend on who shares its inversion.
TEST(DeviceBatches, NeighboursNeverMatter) {
  const auto items = ecdsa_items();
  const sm_u32 flags = device_flags(Check::ecdsa, true);
  const Results all = run(flags, items);
  for (const std::size_t from : {0u, 3u, 40u, 100u}) {
    for (const std::size_t size : {1u, 2u, 15u, 16u, 17u, 33u}) {
      const auto first = items.begin() + static_cast<std::ptrdiff_t>(from);
      const Results some = run(flags, {first, first + static_cast<std::ptrdiff_t>(size)});
      EXPECT_TRUE(std::equal(some.valid.begin(), some.valid.end(), all.valid.begin() + static_cast<long>(from)));
      EXPECT_TRUE(
          std::equal(some.evidence.begin(), some.evidence.end(), all.evidence.begin() + static_cast<long>(33 * from)));
    }
  }
}

}  // namespace
}  // namespace sparkmill::secp256k1::test

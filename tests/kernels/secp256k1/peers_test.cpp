// SPDX-License-Identifier: Apache-2.0
// Random and mutated signatures against libsecp256k1, in every mode that it has; keys, verdicts, recovered keys.
#include <secp256k1.h>
#include <secp256k1_extrakeys.h>
#include <secp256k1_recovery.h>
#include <secp256k1_schnorrsig.h>

#include <algorithm>
#include <cstdlib>

#include "tests/kernels/secp256k1/sample.h"

namespace sparkmill::secp256k1::test {
namespace {

#if defined(SPARKMILL_CHECKED)
constexpr std::size_t kRandom = 300;
#else
constexpr std::size_t kRandom = 3000;
#endif
/// SPARKMILL_SECP256K1_RANDOM=1000000 is the long form, for the CPU rows and GPUs; PoCL would take hours.
std::size_t random_count() {
  const char* text = std::getenv("SPARKMILL_SECP256K1_RANDOM");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : kRandom;
}

secp256k1_context* context() {
  static secp256k1_context* c = secp256k1_context_create(SECP256K1_CONTEXT_SIGN | SECP256K1_CONTEXT_VERIFY);
  return c;
}
Bytes serialized(const secp256k1_pubkey& key, unsigned flags) {
  Bytes out(65);
  std::size_t length = out.size();
  secp256k1_ec_pubkey_serialize(context(), out.data(), &length, &key, flags);
  out.resize(length);
  return out;
}
bool parsed(secp256k1_pubkey& key, ByteView bytes) {
  return secp256k1_ec_pubkey_parse(context(), &key, bytes.data(), bytes.size()) == 1;
}

/// As items of our own: the key in the form of `which`, 65 bytes of signature for a recovery.
enum class Kind { ecdsa, ecdsa_compressed, bip340, recover };

bool peer_verifies(Kind kind, const Item& i) {
  if (kind == Kind::bip340) {
    secp256k1_xonly_pubkey key;
    return secp256k1_xonly_pubkey_parse(context(), &key, i.key.data()) == 1 &&
           secp256k1_schnorrsig_verify(context(), i.signature.data(), i.message.data(), i.message.size(), &key) == 1;
  }
  Bytes bytes = i.key;
  if (kind == Kind::ecdsa) bytes.insert(bytes.begin(), 4);
  secp256k1_pubkey key;
  secp256k1_ecdsa_signature signature;
  if (!parsed(key, bytes) || secp256k1_ecdsa_signature_parse_compact(context(), &signature, i.signature.data()) != 1) {
    return false;
  }
  secp256k1_ecdsa_signature_normalize(context(), &signature, &signature);  // it refuses high s, the equation does not
  return secp256k1_ecdsa_verify(context(), &signature, i.message.data(), &key) == 1;
}
/// X || Y, or zeros.
Bytes peer_recovers(const Item& i) {
  Bytes none(kPublicKeyBytes);
  secp256k1_ecdsa_recoverable_signature signature;
  secp256k1_pubkey key;
  if (i.signature[64] > 3 || secp256k1_ecdsa_recoverable_signature_parse_compact(
                                 context(), &signature, i.signature.data(), i.signature[64]) != 1) {
    return none;
  }
  if (secp256k1_ecdsa_recover(context(), &key, &signature, i.message.data()) != 1) return none;
  const Bytes out = serialized(key, SECP256K1_EC_UNCOMPRESSED);
  return Bytes(out.begin() + 1, out.end());
}

/// Valid items, of which about half get one change; of the first half of them by 20 keys, which get tables on CPU rows.
std::vector<Item> mutated(Kind kind, std::uint64_t first, std::size_t count) {
  ChaChaWords words(sha256(view("peers of secp256k1")), first);
  std::vector<Item> items;
  const auto flip = [&](std::span<std::uint8_t> bytes) {
    if (!bytes.empty()) bytes[words.below(bytes.size())] ^= static_cast<std::uint8_t>(1u << words.below(8));
  };
  for (std::size_t i = 0; i < count; ++i) {
    const Bytes fresh = bytes_of(random_scalar(words).number());
    const Bytes secret = i < count / 2 ? bytes_of(scalar(77777 + i % 20).number()) : fresh;
    Item item;
    item.message.resize(kind == Kind::bip340 && words.below(3) == 0 ? words.below(200) : 32);
    for (std::uint8_t& byte : item.message) byte = static_cast<std::uint8_t>(words.u32());
    secp256k1_pubkey key;
    EXPECT_EQ(secp256k1_ec_pubkey_create(context(), &key, secret.data()), 1);
    if (kind == Kind::bip340) {
      secp256k1_keypair pair;
      EXPECT_EQ(secp256k1_keypair_create(context(), &pair, secret.data()), 1);
      item.signature.resize(64);
      secp256k1_schnorrsig_sign_custom(context(), item.signature.data(), item.message.data(), item.message.size(),
                                       &pair, nullptr);
      const Bytes out = serialized(key, SECP256K1_EC_COMPRESSED);
      item.key.assign(out.begin() + 1, out.end());
    } else {
      secp256k1_ecdsa_recoverable_signature signature;
      secp256k1_ecdsa_sign_recoverable(context(), &signature, item.message.data(), secret.data(), nullptr, nullptr);
      int id = 0;
      item.signature.resize(65);
      secp256k1_ecdsa_recoverable_signature_serialize_compact(context(), item.signature.data(), &id, &signature);
      item.signature[64] = static_cast<std::uint8_t>(id);
      if (words.below(2) == 1) {  // the twin with high s
        const Scalar s = Scalar::reduced(from_big_endian(item.signature.data() + 32));
        to_big_endian((Scalar::zero() - s).number(), item.signature.data() + 32);
        item.signature[64] ^= 1;
      }
      if (kind != Kind::recover) item.signature.resize(64);
      if (kind == Kind::ecdsa_compressed) item.key = serialized(key, SECP256K1_EC_COMPRESSED);
      if (kind == Kind::ecdsa) {
        const Bytes out = serialized(key, SECP256K1_EC_UNCOMPRESSED);
        item.key.assign(out.begin() + 1, out.end());
      }
    }
    switch (words.below(9)) {
      case 0: flip(std::span(item.signature).first(32)); break;
      case 1: flip(std::span(item.signature).subspan(32)); break;
      case 2: flip(item.key); break;
      case 3: flip(item.message); break;
      case 4:
        std::fill(item.signature.begin(), item.signature.begin() + 4 + words.below(60), words.below(2) ? 0 : 0xff);
      default: break;
    }
    items.push_back(std::move(item));
  }
  return items;
}

bool too_slow(const Runner& r) { return random_count() > kRandom && r.label.find("opencl") != std::string::npos; }

class PeersOf : public testing::TestWithParam<std::pair<Kind, Check>> {};
TEST_P(PeersOf, RandomAndMutatedAsLibsecp256k1) {
  const auto [kind, which] = GetParam();
  const std::size_t total = random_count();
  std::size_t valid = 0;
  for (std::size_t first = 0; first < total; first += 4096) {
    const auto items = mutated(kind, first, std::min<std::size_t>(4096, total - first));
    Bytes want;
    for (const Item& i : items) want.push_back(peer_verifies(kind, i) ? 1 : 0);
    valid += static_cast<std::size_t>(std::count(want.begin(), want.end(), 1));
    for (Runner& r : runners()) {
      if (too_slow(r)) continue;
      EXPECT_EQ(run(*r.kernel, which, items, false).valid, want) << r.label << " from " << first;
    }
    const auto few = std::span(items).first(std::min<std::size_t>(items.size(), first == 0 ? 40 : 0));
    expect_as_oracle(which, few);
  }
  EXPECT_GT(valid, total / 4);
  EXPECT_LT(valid, total * 2 / 3);
}
INSTANTIATE_TEST_SUITE_P(Modes, PeersOf,
                         testing::Values(std::pair(Kind::ecdsa, Check::ecdsa),
                                         std::pair(Kind::ecdsa_compressed, Check::ecdsa_compressed),
                                         std::pair(Kind::bip340, Check::bip340)));

TEST(Peers, RandomAndMutatedRecoveriesAsLibsecp256k1) {
  const std::size_t total = random_count();
  std::size_t valid = 0;
  for (std::size_t first = 0; first < total; first += 4096) {
    const auto items = mutated(Kind::recover, first, std::min<std::size_t>(4096, total - first));
    Bytes want, keys;
    for (const Item& i : items) {
      const Bytes key = peer_recovers(i);
      want.push_back(key != Bytes(kPublicKeyBytes) ? 1 : 0);
      keys.insert(keys.end(), key.begin(), key.end());
    }
    valid += static_cast<std::size_t>(std::count(want.begin(), want.end(), 1));
    for (Runner& r : runners()) {
      if (too_slow(r)) continue;
      const Verdicts got = run(*r.kernel, RecoverRule::in_range, items, false);
      EXPECT_EQ(got.valid, want) << r.label << " from " << first;
      EXPECT_EQ(got.public_keys, keys) << r.label << " from " << first;
    }
  }
  EXPECT_GT(valid, total / 2);
  EXPECT_LT(valid, total);
}

}  // namespace
}  // namespace sparkmill::secp256k1::test

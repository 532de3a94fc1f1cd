// SPDX-License-Identifier: Apache-2.0
// Every row on every device: the vector files under every policy, torsion and every odd encoding against the oracle,
// random and mutated signatures against libsodium and OpenSSL where their rules are ours, sizes of batches, errors.
#include <openssl/evp.h>
#include <sodium.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/hex.h"
#include "tests/kernels/ed25519/sample.h"

namespace sparkmill::ed25519::test {
namespace {

using Json = nlohmann::json;

#if defined(SPARKMILL_CHECKED)
constexpr std::size_t kRandom = 500;
#else
constexpr std::size_t kRandom = 10000;
#endif
/// SPARKMILL_ED25519_RANDOM=1000000 is the long form, for the CPU rows and GPUs; PoCL would take hours.
std::size_t random_count() {
  const char* text = std::getenv("SPARKMILL_ED25519_RANDOM");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : kRandom;
}

std::vector<std::string> g_failures;
std::vector<Runner>& runners() {
  static std::vector<Runner> list = make_runners(g_failures);
  return list;
}
Runner& oracle() {
  static Runner r = reference_runner();
  return r;
}

/// All rows give the oracle's bytes; the oracle is asked once.
void expect_as_oracle(std::span<const Item> items, std::span<const Policy> policies = kPolicies) {
  for (const Policy policy : policies) {
    const Verdicts want = run(*oracle().kernel, policy, items);
    for (Runner& r : runners()) {
      const Verdicts got = run(*r.kernel, policy, items);
      for (std::size_t i = 0; i < items.size(); ++i) {
        ASSERT_EQ(got.valid[i], want.valid[i]) << r.label << ", " << name(policy) << ", item " << i << ", key "
                                               << to_hex(items[i].key) << ", signature " << to_hex(items[i].signature);
      }
      ASSERT_EQ(got.evidence, want.evidence) << r.label << ", " << name(policy);
      ASSERT_EQ(run(*r.kernel, policy, items, false).valid, want.valid) << r.label << " without evidence";
    }
  }
}

TEST(Rows, EveryRowThatCanRunPassesItsSelfTest) {
  EXPECT_FALSE(runners().empty());
  for (const std::string& failure : g_failures) ADD_FAILURE() << failure;
}

class VectorFile : public testing::TestWithParam<const char*> {};

TEST_P(VectorFile, EveryRowAndPolicy) {
  const auto content = read_file(std::string(SPARKMILL_SOURCE_DIR "/tests/vectors/") + GetParam() + ".json", 1 << 20);
  ASSERT_TRUE(content);
  const Json root = Json::parse(content->begin(), content->end());
  std::vector<Item> items;
  std::vector<const Json*> cases;
  for (const Json& c : root.at("cases")) {
    const Bytes signature = *from_hex(c.at("sig").get<std::string>());
    if (signature.size() != 64) {
      EXPECT_FALSE(c.at("expect").at("go").get<bool>());  // refused before it is packed
      continue;
    }
    Item item;
    item.key = *array_from_hex<32>(c.at("pk").get<std::string>());
    std::copy(signature.begin(), signature.end(), item.signature.begin());
    if (c.contains("msg_ascii")) {
      const auto message = c.at("msg_ascii").get<std::string>();
      item.message.assign(message.begin(), message.end());
    } else {
      item.message = *from_hex(c.at("msg").get<std::string>());
    }
    items.push_back(std::move(item));
    cases.push_back(&c);
  }
  ASSERT_FALSE(items.empty());
  const auto test = [&](Runner& r) {
    for (const Policy policy : kPolicies) {
      const Verdicts got = run(*r.kernel, policy, items, false);
      for (std::size_t i = 0; i < items.size(); ++i) {
        const bool want =
            !cases[i]->contains("expect") || cases[i]->at("expect").at(std::string(name(policy))).get<bool>();
        EXPECT_EQ(got.valid[i], want) << r.label << ", " << name(policy) << ", " << cases[i]->dump().substr(0, 300);
      }
    }
  };
  test(oracle());
  for (Runner& r : runners()) test(r);
}
INSTANTIATE_TEST_SUITE_P(Files, VectorFile,
                         testing::Values("rfc8032_ed25519", "wycheproof_ed25519", "ed25519_speccheck", "cctv_ed25519"));

TEST(Torsion, EveryPairOnAAndR) {
  ChaChaWords words(sha256(view("torsion")));
  std::vector<Item> items;
  for (unsigned a = 0; a < 8; ++a) {
    for (unsigned r = 0; r < 8; ++r) items.push_back(signed_with_torsion(words, a, r, Bytes(a + 8 * r, 0x55)));
  }
  expect_as_oracle(items);
  // Not all the same: cofactored rules take them all, the others what cancels.
  const Bytes zip = run(*oracle().kernel, Policy::zip215, items).valid,
              go = run(*oracle().kernel, Policy::go, items).valid;
  EXPECT_EQ(std::count(zip.begin(), zip.end(), 1), 64);
  EXPECT_GE(std::count(go.begin(), go.end(), 1), 1);
  EXPECT_LE(std::count(go.begin(), go.end(), 1), 24);
}

/// Every encoding with an exception: y near 0, p and 2^255, small order, either sign.
std::vector<Hash32> odd_encodings() {
  std::vector<Hash32> list;
  Hash32 near{};
  for (unsigned y = 0; y < 4; ++y) near[0] = static_cast<std::uint8_t>(y), list.push_back(near);
  near.fill(0xff);
  near[31] = 0x7f;
  for (unsigned low = 0xea; low <= 0xff; ++low) near[0] = static_cast<std::uint8_t>(low), list.push_back(near);
  for (unsigned n = 0; n < 8; ++n) list.push_back(Group::encode(torsion(n)));
  const std::size_t plain = list.size();
  for (std::size_t k = 0; k < plain; ++k) {
    list.push_back(list[k]);
    list.back()[31] ^= 0x80;
  }
  return list;
}

TEST(Degenerate, OddEncodingsOfAAndR) {
  const auto odd = odd_encodings();
  ChaChaWords words(sha256(view("odd encodings")));
  std::vector<Item> items;
  for (const Hash32& key : odd) {
    for (const unsigned pick : {0u, 1u, 2u, 3u}) {
      Item item;
      item.key = key;
      const Hash32& r = odd[pick == 0 ? words.below(odd.size()) : 0];
      item.message = Bytes(words.below(40), static_cast<std::uint8_t>(pick));
      Group::Scalar s{};
      Hash32 commitment = r;
      if (pick == 1) commitment = key;
      if (pick >= 2) {  // R = sB plus torsion: a small-order key leaves a small-order difference
        s = random_scalar(words);
        commitment = Group::encode(
            Group::add(Group::multiply_vartime(s, Group::base()), torsion(static_cast<unsigned>(words.below(8)))));
      }
      std::copy(commitment.begin(), commitment.end(), item.signature.begin());
      std::copy(s.begin(), s.end(), item.signature.begin() + 32);
      items.push_back(item);
    }
  }
  expect_as_oracle(items);
}

TEST(Degenerate, RangeOfS) {
  ChaChaWords words(sha256(view("range of S")));
  const Item good = signed_with_torsion(words, 0, 0, Bytes(33, 7));
  Hash32 valid{};
  std::copy(good.signature.begin() + 32, good.signature.end(), valid.begin());
  std::vector<Hash32> values{Hash32{}, valid};
  const auto plus = [](Hash32 a, const Hash32& b) {
    unsigned carry = 0;
    for (std::size_t k = 0; k < 32; ++k) {
      carry += a[k] + b[k];
      a[k] = static_cast<std::uint8_t>(carry);
      carry >>= 8;
    }
    return a;
  };
  const Hash32& order = reference::Curve25519::order();
  Hash32 one{};
  one[0] = 1;
  values.push_back(order);
  values.push_back(reference::minus(order, 1));
  values.push_back(plus(order, one));
  values.push_back(reference::minus(plus(order, order), 1));
  values.push_back(plus(order, order));
  Hash32 sum = valid;
  for (int k = 0; k < 15; ++k) values.push_back(sum = plus(sum, order));  // S + L up to S + 15 L
  for (unsigned bit = 248; bit < 256; ++bit) {
    Hash32 top{};
    top[31] = static_cast<std::uint8_t>(1u << (bit - 248));
    values.push_back(top);
    values.push_back(reference::minus(top, 1));
    Hash32 set = valid;
    set[31] |= top[31];
    values.push_back(set);
  }
  values.push_back(reference::minus(Hash32{}, 1));
  std::vector<Item> items;
  for (const Hash32& s : values) {
    items.push_back(good);
    std::copy(s.begin(), s.end(), items.back().signature.begin() + 32);
  }
  expect_as_oracle(items);
  EXPECT_EQ(run(*oracle().kernel, Policy::bytom_legacy, items).valid[7], 1);  // S + L
  EXPECT_EQ(run(*oracle().kernel, Policy::go, items).valid[7], 0);
}

Item sodium_signed(std::uint64_t seed_number, Bytes message) {
  unsigned char seed[32] = {}, secret[64];
  std::memcpy(seed, &seed_number, sizeof seed_number);
  Item item;
  crypto_sign_seed_keypair(item.key.data(), secret, seed);
  crypto_sign_detached(item.signature.data(), nullptr, message.data(), message.size(), secret);
  item.message = std::move(message);
  return item;
}

/// Valid items of mixed lengths by `keys` keys, of which two in three get one change.
std::vector<Item> mutated(std::uint64_t first, std::size_t count, std::size_t keys = 997) {
  ChaChaWords words(sha256(view("mutated")), first);
  std::vector<Item> items;
  const auto flip = [&](std::span<std::uint8_t> bytes) {
    if (!bytes.empty()) bytes[words.below(bytes.size())] ^= static_cast<std::uint8_t>(1u << words.below(8));
  };
  for (std::size_t i = 0; i < count; ++i) {
    Bytes message(words.below(3) == 0 ? words.below(400) : 32);
    for (std::uint8_t& byte : message) byte = static_cast<std::uint8_t>(words.u32());
    Item item = sodium_signed((first + i) % keys, std::move(message));
    switch (words.below(9)) {
      case 0: flip(std::span(item.signature).first(32)); break;
      case 1: flip(std::span(item.signature).last(32)); break;
      case 2: flip(item.key); break;
      case 3: flip(item.message); break;
      case 4: item.message.push_back(0); break;
      case 5: item.key = sodium_signed(words.u64(), {}).key; break;
      default: break;
    }
    items.push_back(std::move(item));
  }
  return items;
}

bool openssl_valid(const Item& i) {
  EVP_PKEY* key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, i.key.data(), i.key.size());
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  const bool ok =
      key != nullptr && EVP_DigestVerifyInit(context, nullptr, nullptr, nullptr, key) == 1 &&
      EVP_DigestVerify(context, i.signature.data(), i.signature.size(), i.message.data(), i.message.size()) == 1;
  EVP_MD_CTX_free(context);
  EVP_PKEY_free(key);
  return ok;
}
bool sodium_valid(const Item& i) {
  return crypto_sign_verify_detached(i.signature.data(), i.message.data(), i.message.size(), i.key.data()) == 0;
}

TEST(Peers, RandomAndMutatedAsOpensslAndLibsodium) {
  ASSERT_GE(sodium_init(), 0);
  std::size_t valid = 0;
  const std::size_t total = random_count();
  for (std::size_t first = 0; first < total; first += 4096) {
    // 997 keys are too many to come again soon, 30 are not: they get tables on CPU rows.
    const auto items = mutated(first, std::min<std::size_t>(4096, total - first), first % 8192 == 0 ? 997 : 30);
    Bytes openssl, sodium;
    for (const Item& i : items) {
      openssl.push_back(openssl_valid(i) ? 1 : 0);
      sodium.push_back(sodium_valid(i) ? 1 : 0);
      valid += openssl.back();
    }
    for (Runner& r : runners()) {
      if (total > kRandom && r.label.find("opencl") != std::string::npos) continue;
      EXPECT_EQ(run(*r.kernel, Policy::go, items, false).valid, openssl) << r.label << " from " << first;
      EXPECT_EQ(run(*r.kernel, Policy::dalek_strict, items, false).valid, sodium) << r.label << " from " << first;
    }
  }
  EXPECT_GT(valid, total / 4);
  EXPECT_LT(valid, total / 2);
}

TEST(Peers, RandomAndMutatedAsTheOracle) {
  expect_as_oracle(mutated(1u << 20, 200));
  expect_as_oracle(mutated(1u << 20, 60, 3));
}

TEST(Batches, EverySizeGivesTheSameBytes) {
  const auto items = mutated(5, 700);
  for (Runner& r : runners()) {
    for (const Policy policy : {Policy::go, Policy::zip215}) {
      const Verdicts all = run(*r.kernel, policy, items);
      for (const std::size_t size :
           {0u, 1u, 2u, 3u, 4u, 5u, 7u, 8u, 9u, 15u, 16u, 17u, 31u, 33u, 63u, 255u, 256u, 257u, 511u, 513u}) {
        const std::size_t from = size % 97;
        const Verdicts part = run(*r.kernel, policy, std::span(items).subspan(from, size));
        EXPECT_TRUE(std::equal(part.valid.begin(), part.valid.end(), all.valid.begin() + static_cast<long>(from)))
            << r.label << ", " << size;
        EXPECT_TRUE(std::equal(part.evidence.begin(), part.evidence.end(),
                               all.evidence.begin() + static_cast<long>(from * kEvidenceBytes)))
            << r.label << ", " << size;
      }
    }
  }
}

/// Keys of which some come hundreds of times, so that CPU rows make tables of them and keep these from batch to batch:
/// honest ones, with torsion, of small order, in odd encodings of one point, and ones that no point has.
TEST(RepeatedKeys, EveryKindOfKeyGivesTheOraclesBytes) {
  ChaChaWords words(sha256(view("repeated keys")));
  std::vector<Item> kinds;
  for (unsigned t = 0; t < 8; ++t) kinds.push_back(signed_with_torsion(words, t, t % 3, Bytes(t, 1)));
  for (const Hash32& key : odd_encodings()) {
    Item item = kinds[words.below(8)];
    item.key = key;
    if (words.below(2) == 0) std::copy(key.begin(), key.end(), item.signature.begin());
    if (words.below(2) == 0) std::fill(item.signature.begin() + 32, item.signature.end(), std::uint8_t{0});
    kinds.push_back(std::move(item));
  }
  for (std::uint64_t seed = 0; seed < 12; ++seed) kinds.push_back(sodium_signed(seed, Bytes(32, 2)));
  for (int k = 0; k < 4; ++k) {  // most are no points
    kinds.push_back(kinds[8]);
    for (std::uint8_t& byte : kinds.back().key) byte = static_cast<std::uint8_t>(words.u32());
  }
  for (const Policy policy : kPolicies) {
    const Verdicts want = run(*oracle().kernel, policy, kinds);
    for (Runner& r : runners()) {
      if (r.label.find("cpu") == std::string::npos) continue;  // no other row keeps anything
      for (int round = 0; round < 3; ++round) {
        std::vector<Item> items;
        std::vector<std::size_t> kind_of;
        while (items.size() < 1500) {
          // Of few kinds in the first round, of all in the last; flaws among them.
          kind_of.push_back(words.below(round == 0 ? 9 : round == 1 ? 40 : kinds.size()));
          items.push_back(kinds[kind_of.back()]);
          if (words.below(4) != 0) continue;
          items.push_back(items.back());
          items.back().signature[words.below(64)] ^= 1;
          kind_of.push_back(kinds.size());
        }
        const Verdicts got = run(*r.kernel, policy, items), plain = run(*r.kernel, policy, items, false);
        EXPECT_EQ(plain.valid, got.valid) << r.label << ", " << name(policy);
        for (std::size_t i = 0; i < items.size(); ++i) {
          if (kind_of[i] == kinds.size()) continue;
          ASSERT_EQ(got.valid[i], want.valid[kind_of[i]])
              << r.label << ", " << name(policy) << ", kind " << kind_of[i] << ", key " << to_hex(items[i].key);
          ASSERT_TRUE(std::equal(want.evidence.begin() + static_cast<long>(kind_of[i] * kEvidenceBytes),
                                 want.evidence.begin() + static_cast<long>((kind_of[i] + 1) * kEvidenceBytes),
                                 got.evidence.begin() + static_cast<long>(i * kEvidenceBytes)))
              << r.label << ", " << name(policy) << ", kind " << kind_of[i];
        }
      }
    }
  }
}

TEST(Batches, MessagesOfEveryLengthAcrossBlocks) {
  std::vector<Item> items;
  for (std::size_t length = 0; length < 400; ++length) items.push_back(sodium_signed(length, Bytes(length, 0xa5)));
  items.push_back(sodium_signed(1, Bytes(100000, 3)));
  for (Runner& r : runners()) {
    EXPECT_EQ(run(*r.kernel, Policy::go, items, false).valid, Bytes(items.size(), 1)) << r.label;
  }
}

TEST(Batches, MalformedOnesAreErrorsThatNameTheItem) {
  const auto items = mutated(9, 10);
  for (Runner& r : runners()) {
    Packed packed(items);
    Bytes valid(10);
    const auto status = [&](const kernels::SignatureBatch& batch, std::span<std::uint8_t> evidence = {}) {
      return r.kernel->verify_vartime(Policy::go, batch, {valid, evidence}, StopToken());
    };
    EXPECT_TRUE(status(packed.batch()));
    auto batch = packed.batch();
    batch.keys = batch.keys.first(319);
    EXPECT_EQ(status(batch).status(), Status::bad_argument);
    batch = packed.batch();
    batch.signatures = batch.signatures.first(576);
    EXPECT_EQ(status(batch).status(), Status::bad_argument);
    batch = packed.batch();
    batch.message_offsets = batch.message_offsets.first(10);
    EXPECT_EQ(status(batch).status(), Status::bad_argument);
    Bytes evidence(319);
    EXPECT_EQ(status(packed.batch(), evidence).status(), Status::bad_argument);
    packed.offsets[4] = packed.offsets[5] + 1;
    const Done falling = status(packed.batch());
    ASSERT_EQ(falling.status(), Status::bad_input);
    EXPECT_NE(falling.error().message.find("item 4"), std::string::npos) << falling.error().message;
    packed = Packed(items);
    packed.offsets[10] = packed.messages.size() + 1;
    const Done beyond = status(packed.batch());
    ASSERT_EQ(beyond.status(), Status::bad_input);
    EXPECT_NE(beyond.error().message.find("item 9"), std::string::npos) << beyond.error().message;
  }
}

TEST(Batches, AStopEndsThem) {
  const auto items = mutated(3, 600);
  const Packed packed(items);
  Bytes valid(600);
  StopSource stop;
  stop.request_stop();
  for (Runner& r : runners()) {
    EXPECT_EQ(r.kernel->verify_vartime(Policy::go, packed.batch(), {valid, {}}, stop.token()).status(),
              Status::cancelled);
  }
}

}  // namespace
}  // namespace sparkmill::ed25519::test

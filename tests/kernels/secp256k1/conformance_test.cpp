// SPDX-License-Identifier: Apache-2.0
// Every row on every device: the vector files, equations chosen so that the ladders meet every exception of the group
// law, ranges, keys that are none, sizes of batches, errors; all against the oracle.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/hex.h"
#include "kernels/hash/hash.h"
#include "kernels/secp256k1/known.h"
#include "tests/kernels/secp256k1/sample.h"

namespace sparkmill::secp256k1::test {
namespace {

using Json = nlohmann::json;

#if defined(SPARKMILL_CHECKED)
constexpr std::size_t kEach = 6;  // equations of each odd key or nonce
#else
constexpr std::size_t kEach = 20;
#endif

TEST(Rows, EveryRowThatCanRunPassesItsSelfTest) {
  EXPECT_TRUE(check_known_answers("secp256k1/reference", *oracle().kernel));
  EXPECT_FALSE(runners().empty());
  for (const std::string& failure : failures()) ADD_FAILURE() << failure;
}

Json cases_of(const std::string& name) {
  const auto content = read_file(SPARKMILL_SOURCE_DIR "/tests/vectors/" + name + ".json", 1 << 20);
  EXPECT_TRUE(content);
  return Json::parse(content->begin(), content->end()).at("cases");
}
Bytes hex_of(const Json& c, const char* key) { return *from_hex(c.at(key).get_ref<const std::string&>()); }

/// The oracle and all rows give these verdicts.
void expect_verdicts(Check which, std::span<const Item> items, const Bytes& want, const std::vector<Json>& cases) {
  const auto test = [&](Runner& r) {
    const Verdicts got = run(*r.kernel, which, items, false);
    for (std::size_t i = 0; i < items.size(); ++i)
      EXPECT_EQ(got.valid[i], want[i]) << r.label << ", " << cases[i].dump().substr(0, 300);
  };
  test(oracle());
  for (Runner& r : runners()) test(r);
}

TEST(VectorFiles, Bip340) {
  std::vector<Item> items;
  std::vector<Json> cases;
  Bytes want;
  for (const Json& c : cases_of("bip340_schnorr")) {
    items.push_back({hex_of(c, "public key"), hex_of(c, "signature"), hex_of(c, "message")});
    want.push_back(c.at("verification result") == "TRUE" ? 1 : 0);
    cases.push_back(c);
  }
  ASSERT_EQ(items.size(), 16u);
  expect_verdicts(Check::bip340, items, want, cases);
}

/// r || s of a strict DER signature; nothing for another encoding or for integers of more than 32 bytes.
std::optional<Bytes> from_der(ByteView der) {
  if (der.size() < 8 || der[0] != 0x30 || der[1] != der.size() - 2 || der[1] > 0x7f) return std::nullopt;
  std::size_t at = 2;
  Bytes out;
  for (int part = 0; part < 2; ++part) {
    if (at + 2 > der.size() || der[at] != 2) return std::nullopt;
    const std::size_t length = der[at + 1];
    at += 2;
    if (length == 0 || length > 33 || at + length > der.size()) return std::nullopt;
    ByteView n = der.subspan(at, length);
    at += length;
    if (n[0] >= 0x80 || (length > 1 && n[0] == 0 && n[1] < 0x80)) return std::nullopt;
    if (n[0] == 0) n = n.subspan(1);
    if (n.size() > 32) return std::nullopt;
    out.resize(out.size() + 32 - n.size());
    out.insert(out.end(), n.begin(), n.end());
  }
  return at == der.size() ? std::optional(out) : std::nullopt;
}

class Wycheproof : public testing::TestWithParam<const char*> {};
TEST_P(Wycheproof, EveryCase) {
  const std::string name = std::string("wycheproof_ecdsa_secp256k1_") + GetParam();
  const bool packed = name.find("p1363") != std::string::npos, low_s = name.find("bitcoin") != std::string::npos;
  std::vector<Item> items;
  std::vector<Json> cases;
  Bytes want;
  for (const Json& c : cases_of(name)) {
    const bool valid = c.at("result") == "valid";
    const Bytes raw = hex_of(c, "sig");
    const std::optional<Bytes> signature =
        packed ? (raw.size() == 64 ? std::optional(raw) : std::nullopt) : from_der(raw);
    bool refused = !signature;
    if (signature && low_s) {  // of that file alone: s <= N / 2
      Words4 rest;
      subtract_words(rest, ModN::kModulus, from_big_endian(signature->data() + 32));
      refused = less(rest, from_big_endian(signature->data() + 32));
    }
    if (refused) {
      EXPECT_FALSE(valid) << c.dump();
      continue;
    }
    const Bytes key = hex_of(c, "pub_uncompressed"), message = hex_of(c, "msg");
    const Hash32 digest = c.at("group").at("sha") == "SHA3-256" ? sha3_256(message) : sha256(message);
    items.push_back({Bytes(key.begin() + 1, key.end()), *signature, Bytes(digest.begin(), digest.end())});
    want.push_back(valid ? 1 : 0);
    cases.push_back(c);
  }
  ASSERT_GT(items.size(), 100u);
  expect_verdicts(Check::ecdsa, items, want, cases);
  for (Item& item : items) item = compressed(item);
  expect_verdicts(Check::ecdsa_compressed, items, want, cases);
}
INSTANTIATE_TEST_SUITE_P(Files, Wycheproof, testing::Values("sha256", "sha256_bitcoin", "sha256_p1363", "sha3_256"));

/// Last 20 bytes of Keccak-256(X || Y).
std::string address(ByteView key) {
  static const auto owner = std::move(*kernels::find_row(kernels::Family::hash, "reference")->make({}));
  const std::uint64_t offsets[] = {0, key.size()};
  Hash32 hash{};
  EXPECT_TRUE(dynamic_cast<hashes::Kernel&>(*owner).hash(hashes::Algorithm::keccak256, {key, offsets}, hash, {}));
  return to_hex(ByteView(hash).last(20));
}

TEST(VectorFiles, Recovery) {
  const Json all = cases_of("ecrecover_secp256k1");
  ASSERT_EQ(all.size(), 147u);
  for (const RecoverRule rule : {RecoverRule::in_range, RecoverRule::unranged}) {
    std::vector<Item> items;
    std::vector<Json> want;
    for (const Json& c : all) {
      int v = c.at("v").get<int>();
      const bool evm = rule == RecoverRule::in_range;
      const Json& address = c.at(evm ? "precompile_address" : "tron_tx_address");
      if (!evm && v < 27) v += 27;
      if (evm ? v != 27 && v != 28 : v < 27 || v > 34) {
        EXPECT_TRUE(address.is_null()) << c.dump();
        continue;
      }
      Item item{{}, hex_of(c, "r"), hex_of(c, "hash")};
      const Bytes s = hex_of(c, "s");
      item.signature.insert(item.signature.end(), s.begin(), s.end());
      item.signature.push_back(static_cast<std::uint8_t>((v - 27) % 4));
      items.push_back(item);
      want.push_back(address);
    }
    const Verdicts got = expect_as_oracle(rule, items);
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (got.valid[i] == 0) {
        // java-tron hashes nothing at all for infinity; that address is its caller's affair.
        const std::string of_nothing = "41" + address({});
        EXPECT_TRUE(want[i].is_null() || want[i] == of_nothing) << i << want[i];
        continue;
      }
      const std::string found = address(ByteView(got.public_keys).subspan(i * 64, 64));
      EXPECT_EQ(want[i], (rule == RecoverRule::in_range ? "" : "41") + found) << i;
    }
  }
}

/// Scalars that make digits, halves of the endomorphism and additions meet.
std::vector<Scalar> odd_scalars(ChaChaWords& words) {
  std::vector<Scalar> list;
  for (const std::uint64_t n : {1u, 2u, 3u, 31u, 32u, 65535u, 65536u, 65537u}) list.push_back(scalar(n));
  list.push_back(lambda());
  list.push_back(lambda() * lambda());
  list.push_back(lambda() * scalar(3));
  list.push_back(scalar(2).inverse());
  list.push_back(random_scalar(words));
  const std::size_t plain = list.size();
  for (std::size_t k = 0; k < plain; ++k) list.push_back(Scalar::zero() - list[k]);
  return list;
}

TEST(Exceptions, EcdsaOfChosenEquations) {
  ChaChaWords words(sha256(view("chosen equations")));
  const auto scalars = odd_scalars(words);
  std::vector<Group::Affine> keys;
  for (const Scalar& d : scalars) keys.push_back(Group::affine(times(d, base())));
  std::vector<Item> items;
  for (const Group::Affine& q : keys) {
    for (std::size_t k = 0; k < kEach; ++k) {
      const Scalar u1 = k == 0 ? Scalar::zero() : scalars[words.below(scalars.size())];
      items.push_back(ecdsa_of(u1, scalars[words.below(scalars.size())], q, random_scalar(words)));
      if (words.below(5) == 0) items.back().message = bytes_of(ModN::kModulus);  // u1 = 0 again, by a digest of N
    }
  }
  const Verdicts v = expect_as_oracle(Check::ecdsa, items);
  EXPECT_GT(std::count(v.valid.begin(), v.valid.end(), 1), static_cast<long>(items.size() / 2));
  EXPECT_LT(std::count(v.valid.begin(), v.valid.end(), 1), static_cast<long>(items.size()));
  for (Item& item : items) item = compressed(item);
  EXPECT_EQ(expect_as_oracle(Check::ecdsa_compressed, items).valid, v.valid);
}

TEST(Exceptions, EcdsaAtInfinity) {
  ChaChaWords words(sha256(view("infinity")));
  std::vector<Item> items;
  for (std::size_t k = 0; k < 20; ++k) {
    // u1 = -u2 d: the sum is infinity at the end; with evidence the part above bit 16 is not.
    const Scalar d = random_scalar(words), u2 = k < 10 ? random_scalar(words) : scalar(k << 16 | k % 2);
    items.push_back(ecdsa_of(Scalar::zero() - u2 * d, u2, Group::affine(times(d, base())), random_scalar(words)));
  }
  const Verdicts v = expect_as_oracle(Check::ecdsa, items);
  EXPECT_EQ(v.valid, Bytes(items.size(), 0));
}

TEST(Exceptions, XOfRAboveTheOrder) {
  ChaChaWords words(sha256(view("x above the order")));
  std::vector<Item> items, recoveries;
  Words4 x = ModN::kModulus;
  while (items.size() < 20) {
    add_words(x, x, {1, 0, 0, 0});
    const auto point = Group::lift_x(FieldElement::reduced(x), items.size() % 2 == 1);
    if (!point) continue;
    const Scalar u1 = random_scalar(words), u2 = random_scalar(words);
    const auto minus = Group::negate(times(u1, base()));
    const auto q = Group::affine(times(u2.inverse(), Group::add(Group::point(*point), minus)));
    Item item = ecdsa_of(u1, u2, q, scalar(1));
    items.push_back(item);
    Item recovery{{}, item.signature, item.message};
    for (std::uint8_t id = 0; id < 5; ++id) {
      recovery.signature.resize(64);
      recovery.signature.push_back(id);
      recoveries.push_back(recovery);
    }
  }
  const Verdicts v = expect_as_oracle(Check::ecdsa, items);
  EXPECT_EQ(v.valid, Bytes(items.size(), 1));
  const Verdicts r = expect_as_oracle(RecoverRule::in_range, recoveries);
  expect_as_oracle(RecoverRule::unranged, recoveries);
  for (std::size_t i = 0; i < items.size(); ++i) {
    EXPECT_EQ(Bytes(r.public_keys.begin() + static_cast<long>((5 * i + 2 + i % 2) * 64),
                    r.public_keys.begin() + static_cast<long>((5 * i + 3 + i % 2) * 64)),
              items[i].key);
  }
}

TEST(Exceptions, Bip340OfSmallKeysAndNonces) {
  ChaChaWords words(sha256(view("small keys")));
  const auto scalars = odd_scalars(words);
  std::vector<Item> items;
  for (const Scalar& d : scalars) {
    for (std::size_t k = 0; k < 12; ++k) {
      Item item = bip340_signed(d, scalars[words.below(scalars.size())], Bytes(words.below(70), 7));
      if (k % 4 == 1) item.signature[63] ^= 1;
      if (k % 4 == 2) {  // s = e d: infinity, and its neighbour G
        const Scalar e =
            Scalar::reduced(reference::bip340_challenge(ByteView(item.signature).first(32), item.key, item.message));
        const Group::Affine p = Group::affine(times(d, base()));
        Scalar s = e * (p.y.odd() ? Scalar::zero() - d : d);
        if (words.below(2) == 1) s = s + scalar(1);
        to_big_endian(s.number(), item.signature.data() + 32);
      }
      items.push_back(item);
    }
  }
  const Verdicts v = expect_as_oracle(Check::bip340, items);
  EXPECT_GE(std::count(v.valid.begin(), v.valid.end(), 1), static_cast<long>(items.size() / 2));
  EXPECT_LT(std::count(v.valid.begin(), v.valid.end(), 1), static_cast<long>(items.size() * 2 / 3));
}

TEST(Exceptions, RecoveryOfChosenEquations) {
  ChaChaWords words(sha256(view("chosen recoveries")));
  auto scalars = odd_scalars(words);
  std::vector<Item> items;
  for (const Scalar& nonce : scalars) {
    for (std::size_t k = 0; k < kEach; ++k) {
      const Scalar u1 = k == 0 ? Scalar::zero() : scalars[words.below(scalars.size())];
      const Scalar u2 = k == 1 ? Scalar::zero() : scalars[words.below(scalars.size())];
      items.push_back(recovery_of(k == 2 ? Scalar::zero() - u2 * nonce : u1, u2, nonce));  // k = 2: infinity
      if (k == 3) items.back().signature[64] ^= 1;
      if (k == 4) items.back().signature[64] = static_cast<std::uint8_t>(words.below(256));
    }
  }
  const Verdicts ranged = expect_as_oracle(RecoverRule::in_range, items),
                 all = expect_as_oracle(RecoverRule::unranged, items);
  EXPECT_GT(std::count(all.valid.begin(), all.valid.end(), 1), std::count(ranged.valid.begin(), ranged.valid.end(), 1));
  EXPECT_LT(std::count(all.valid.begin(), all.valid.end(), 1), static_cast<long>(items.size()));
}

/// Numbers around 0, N, p and 2^256.
std::vector<Words4> odd_numbers() {
  std::vector<Words4> list;
  const Words4 zero{};
  for (const Words4& middle : {zero, ModN::kModulus, ModP::kModulus}) {
    for (std::uint64_t off = 0; off < 4; ++off) {
      Words4 n;
      add_words(n, middle, {off, 0, 0, 0});
      list.push_back(n);
      subtract_words(n, middle, {off + 1, 0, 0, 0});
      list.push_back(n);
    }
  }
  Words4 half = shifted_right(ModN::kModulus, 1);
  list.push_back(half);
  add_words(half, half, {1, 0, 0, 0});
  list.push_back(half);
  return list;
}

TEST(Ranges, RAndSAndCoordinates) {
  ChaChaWords words(sha256(view("ranges")));
  const Scalar d = random_scalar(words);
  const Item good = ecdsa_signed(d, random_scalar(words), {1, 2, 3, 4});
  const Item schnorr = bip340_signed(d, random_scalar(words), Bytes(32, 3));
  const Item recovery = recovery_of(random_scalar(words), random_scalar(words), random_scalar(words));
  std::vector<Item> ecdsa{good}, pressed{compressed(good)}, bip340{schnorr}, recoveries{recovery};
  const auto put = [](std::vector<Item>& list, const Item& from, Bytes Item::*part, std::size_t at, const Words4& n) {
    list.push_back(from);
    to_big_endian(n, (list.back().*part).data() + at);
  };
  for (const Words4& n : odd_numbers()) {
    for (const std::size_t at : {std::size_t{0}, std::size_t{32}}) {
      put(ecdsa, good, &Item::signature, at, n);
      put(ecdsa, good, &Item::key, at, n);
      put(bip340, schnorr, &Item::signature, at, n);
      put(recoveries, recovery, &Item::signature, at, n);
    }
    put(ecdsa, good, &Item::message, 0, n);
    put(recoveries, recovery, &Item::message, 0, n);
    for (const std::uint8_t head : {std::uint8_t{2}, std::uint8_t{3}}) {
      put(pressed, pressed[0], &Item::key, 1, n);
      pressed.back().key[0] = head;
    }
    put(bip340, schnorr, &Item::key, 0, n);
    for (std::uint8_t id = 0; id < 4; ++id) {
      put(recoveries, recovery, &Item::signature, 0, n);
      recoveries.back().signature[64] = id;
    }
  }
  for (unsigned head = 0; head < 256; ++head) {
    pressed.push_back(pressed[0]);
    pressed.back().key[0] = static_cast<std::uint8_t>(head);
  }
  // x = r + p would decode when coordinates were taken mod p: y with x = 1 exists on this curve.
  EXPECT_TRUE(Group::lift_x(FieldElement::one(), false));
  EXPECT_EQ(expect_as_oracle(Check::ecdsa, ecdsa).valid[0], 1);
  EXPECT_EQ(expect_as_oracle(Check::ecdsa_compressed, pressed).valid[0], 1);
  EXPECT_EQ(expect_as_oracle(Check::bip340, bip340).valid[0], 1);
  EXPECT_EQ(expect_as_oracle(RecoverRule::in_range, recoveries).valid[0], 1);
  expect_as_oracle(RecoverRule::unranged, recoveries);
}

/// Valid items, of which two in three get one change.
std::vector<Item> mutated(std::string_view seed, std::size_t count, bool schnorr) {
  ChaChaWords words(sha256(view(seed)));
  std::vector<Item> items;
  const auto flip = [&](std::span<std::uint8_t> bytes) {
    if (!bytes.empty()) bytes[words.below(bytes.size())] ^= static_cast<std::uint8_t>(1u << words.below(8));
  };
  for (std::size_t i = 0; i < count; ++i) {
    const Scalar secret = random_scalar(words), nonce = random_scalar(words);
    Item item = schnorr ? bip340_signed(secret, nonce, Bytes(words.below(100), static_cast<std::uint8_t>(i)))
                        : ecdsa_signed(secret, nonce, random_scalar(words).number());
    switch (words.below(7)) {
      case 0: flip(std::span(item.signature).first(32)); break;
      case 1: flip(std::span(item.signature).last(32)); break;
      case 2: flip(item.key); break;
      case 3: flip(item.message); break;
      default: break;
    }
    items.push_back(std::move(item));
  }
  return items;
}

TEST(Batches, EverySizeGivesTheSameBytes) {
  const auto items = mutated("every size", 520, false);
  const Verdicts want = run(*oracle().kernel, Check::ecdsa, items);
  for (Runner& r : runners()) {
    EXPECT_EQ(run(*r.kernel, Check::ecdsa, items), want) << r.label;
    for (const std::size_t size :
         {0u, 1u, 2u, 3u, 4u, 5u, 7u, 8u, 9u, 15u, 16u, 17u, 33u, 127u, 255u, 256u, 257u, 420u}) {
      const std::size_t from = size % 97;
      const Verdicts part = run(*r.kernel, Check::ecdsa, std::span(items).subspan(from, size));
      EXPECT_TRUE(std::equal(part.valid.begin(), part.valid.end(), want.valid.begin() + static_cast<long>(from)))
          << r.label << ", " << size;
      EXPECT_TRUE(std::equal(part.evidence.begin(), part.evidence.end(),
                             want.evidence.begin() + static_cast<long>(from * kEvidenceBytes)))
          << r.label << ", " << size;
    }
  }
}

/// Keys of which some come hundreds of times, so that CPU rows make tables of them and keep these from batch to batch:
/// random ones, ones for which additions meet their exceptions, and ones that are no points.
TEST(RepeatedKeys, EveryKindOfKeyGivesTheOraclesBytes) {
  for (const Check which : kChecks) {
    ChaChaWords words(sha256(view("repeated keys")));
    const bool schnorr = which == Check::bip340;
    std::vector<Item> kinds = mutated("repeated", 12, schnorr);
    const auto scalars = odd_scalars(words);
    for (const Scalar& d : scalars) {
      for (int k = 0; k < 2; ++k) {
        const Scalar& other = scalars[words.below(scalars.size())];
        kinds.push_back(schnorr ? bip340_signed(d, other, Bytes(32, 7))
                                : ecdsa_of(other, scalars[words.below(scalars.size())], Group::affine(times(d, base())),
                                           random_scalar(words)));
      }
    }
    for (int k = 0; k < 3; ++k) {
      kinds.push_back(kinds[8]);
      if (k == 0) std::fill(kinds.back().key.begin(), kinds.back().key.end(), std::uint8_t{0xff});
      if (k != 0) kinds.back().key[words.below(kinds.back().key.size())] ^= static_cast<std::uint8_t>(1u << k);
    }
    if (which == Check::ecdsa_compressed) {
      for (Item& item : kinds) item = compressed(item);
      kinds.push_back(kinds[3]);
      kinds.back().key[0] = 4;
    }
    const Verdicts want = run(*oracle().kernel, which, kinds);
    for (Runner& r : runners()) {
      if (r.label.find("cpu") == std::string::npos) continue;  // no other row keeps anything
      for (int round = 0; round < 3; ++round) {
        std::vector<Item> items;
        std::vector<std::size_t> kind_of;
        while (items.size() < 1200) {
          // Of few kinds in the first round, of all in the last.
          kind_of.push_back(words.below(round == 0 ? 9 : round == 1 ? 30 : kinds.size()));
          items.push_back(kinds[kind_of.back()]);
        }
        const Verdicts got = run(*r.kernel, which, items);
        EXPECT_EQ(run(*r.kernel, which, items, false).valid, got.valid) << r.label << ", " << name(which);
        for (std::size_t i = 0; i < items.size(); ++i) {
          const auto at = static_cast<long>(i * kEvidenceBytes), from = static_cast<long>(kind_of[i] * kEvidenceBytes);
          ASSERT_EQ(got.valid[i], want.valid[kind_of[i]])
              << r.label << ", " << name(which) << ", kind " << kind_of[i] << ", key " << to_hex(items[i].key);
          ASSERT_TRUE(std::equal(want.evidence.begin() + from, want.evidence.begin() + from + kEvidenceBytes,
                                 got.evidence.begin() + at))
              << r.label << ", " << name(which) << ", kind " << kind_of[i];
        }
      }
    }
  }
}

TEST(Batches, Bip340MessagesOfAnyLength) {
  auto items = mutated("any length", 60, true);
  const Scalar one = scalar(1);
  for (std::size_t length : {0u, 1u, 23u, 24u, 55u, 56u, 87u, 88u, 64u, 128u, 10000u})
    items.push_back(bip340_signed(one, scalar(5), Bytes(length, 0xa5)));
  const Verdicts v = expect_as_oracle(Check::bip340, items);
  EXPECT_EQ(std::count(v.valid.end() - 11, v.valid.end(), 1), 11);
}

TEST(Batches, MalformedOnesAreErrorsThatNameTheItem) {
  const auto items = mutated("malformed", 10, false);
  std::vector<Runner*> all{&oracle()};
  for (Runner& r : runners()) all.push_back(&r);
  for (Runner* r : all) {
    Packed packed(items);
    Bytes valid(10);
    const auto status = [&](const kernels::SignatureBatch& batch, std::span<std::uint8_t> evidence = {}) {
      return r->kernel->verify_vartime(Check::ecdsa, batch, {valid, evidence}, StopToken());
    };
    EXPECT_TRUE(status(packed.batch()));
    auto batch = packed.batch();
    batch.keys = batch.keys.first(639);
    EXPECT_EQ(status(batch).status(), Status::bad_argument);
    Bytes evidence(10 * 32);
    EXPECT_EQ(status(packed.batch(), evidence).status(), Status::bad_argument);
    EXPECT_EQ(r->kernel->verify_vartime(Check::bip340, packed.batch(), {valid, {}}, StopToken()).status(),
              Status::bad_argument);
    packed.messages.push_back(0);
    packed.offsets[10] += 1;
    const Done longer = status(packed.batch());
    ASSERT_EQ(longer.status(), Status::bad_input);
    EXPECT_NE(longer.error().message.find("item 9"), std::string::npos) << longer.error().message;
    Bytes room(64);
    const std::vector<Item> one{recovery_of(scalar(1), scalar(1), scalar(2))};
    const Packed recovery(one);
    const auto recover = [&](std::span<std::uint8_t> keys) {
      return r->kernel->recover_vartime(RecoverRule::in_range, recovery.batch(), {std::span(valid).first(1), {}}, keys,
                                        StopToken());
    };
    EXPECT_TRUE(recover(room));
    EXPECT_EQ(recover(std::span(room).first(63)).status(), Status::bad_argument);
  }
}

TEST(Batches, AStopEndsThem) {
  const auto items = mutated("stop", 300, false);
  const Packed packed(items);
  Bytes valid(300);
  StopSource stop;
  stop.request_stop();
  for (Runner& r : runners()) {
    EXPECT_EQ(r.kernel->verify_vartime(Check::ecdsa, packed.batch(), {valid, {}}, stop.token()).status(),
              Status::cancelled);
  }
}

}  // namespace
}  // namespace sparkmill::secp256k1::test

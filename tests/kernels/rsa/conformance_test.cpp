// SPDX-License-Identifier: Apache-2.0
// Every row on every device: the vector files, every byte of EM wrong, edges of n and the signature against the oracle,
// random and mutated signatures against OpenSSL, sizes of batches, errors.
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/hex.h"
#include "tests/kernels/rsa/sample.h"

namespace sparkmill::rsa::test {
namespace {

using Json = nlohmann::json;

#if defined(SPARKMILL_CHECKED)
constexpr std::size_t kRandom = 300;
#else
constexpr std::size_t kRandom = 4000;
#endif
/// SPARKMILL_RSA_RANDOM=1000000 is the long form, for the CPU rows and GPUs; PoCL would take hours.
std::size_t random_count() {
  const char* text = std::getenv("SPARKMILL_RSA_RANDOM");
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
const std::vector<PrivateKey>& keys() {
  static const std::vector<PrivateKey> list = [] {
    std::vector<PrivateKey> made;
    for (unsigned k = 0; k < 5; ++k) made.push_back(PrivateKey::make(k));
    return made;
  }();
  return list;
}

/// All rows give the oracle's bytes; the oracle is asked once.
void expect_as_oracle(Encoding encoding, std::span<const Item> items) {
  const Verdicts want = run(*oracle().kernel, encoding, items);
  for (Runner& r : runners()) {
    const Verdicts got = run(*r.kernel, encoding, items);
    for (std::size_t i = 0; i < items.size(); ++i) {
      ASSERT_EQ(got.valid[i], want.valid[i]) << r.label << ", " << name(encoding) << ", item " << i << ", key "
                                             << to_hex(items[i].key) << ", signature " << to_hex(items[i].signature);
      const auto at = [i](const Bytes& evidence) {
        return to_hex(ByteView(evidence).subspan(i * kEvidenceBytes, kEvidenceBytes));
      };
      ASSERT_EQ(at(got.evidence), at(want.evidence)) << r.label << ", item " << i << ", key " << to_hex(items[i].key)
                                                     << ", signature " << to_hex(items[i].signature);
    }
    ASSERT_EQ(run(*r.kernel, encoding, items, false).valid, want.valid) << r.label << " without evidence";
  }
}

TEST(Rows, EveryRowThatCanRunPassesItsSelfTest) {
  EXPECT_FALSE(runners().empty());
  for (const std::string& failure : g_failures) ADD_FAILURE() << failure;
}

struct FileCase {
  Item item;
  bool valid;
  std::string text;
};
/// Items of a file, those of the right sizes; others are refused before they are packed.
std::vector<FileCase> file_cases(const std::string& file, Encoding encoding) {
  const auto content = read_file(SPARKMILL_SOURCE_DIR "/tests/vectors/" + file, 1 << 20);
  EXPECT_TRUE(content);
  const Json root = Json::parse(content->begin(), content->end());
  std::vector<FileCase> list;
  for (const Json& c : root.at("cases")) {
    Bytes n = *from_hex(c.at("n").get<std::string>());
    const Bytes signature = *from_hex(c.at("sig").get<std::string>());
    if (n.size() == kModulusBytes + 1 && n.front() == 0) n.erase(n.begin());
    const bool draw = encoding == Encoding::draw;
    const bool valid = draw ? c.at("valid").get<bool>() : c.at("result") == "valid" && c.at("e") == "010001";
    const Hash32 digest = draw ? *array_from_hex<32>(c.at("prev_hash").get<std::string>())
                               : sha256(*from_hex(c.at("msg").get<std::string>()));
    if (n.size() != kModulusBytes || signature.size() != kSignatureBytes) {
      EXPECT_FALSE(valid);
      continue;
    }
    FileCase one{{}, valid, c.dump().substr(0, 200)};
    std::copy(n.begin(), n.end(), one.item.key.begin());
    std::copy(signature.begin(), signature.end(), one.item.signature.begin());
    one.item.message.assign(digest.begin(), digest.end());
    list.push_back(std::move(one));
  }
  return list;
}

class VectorFile : public testing::TestWithParam<std::pair<const char*, Encoding>> {};
TEST_P(VectorFile, EveryRow) {
  const Encoding encoding = GetParam().second;
  const auto list = file_cases(GetParam().first, encoding);
  ASSERT_GT(list.size(), 50u);
  std::vector<Item> items;
  for (const FileCase& c : list) items.push_back(c.item);
  const auto test = [&](Runner& r) {
    const Verdicts got = run(*r.kernel, encoding, items, false);
    for (std::size_t i = 0; i < items.size(); ++i) EXPECT_EQ(got.valid[i], list[i].valid) << r.label << list[i].text;
  };
  test(oracle());
  for (Runner& r : runners()) test(r);
  expect_as_oracle(encoding, items);
}
INSTANTIATE_TEST_SUITE_P(Files, VectorFile,
                         testing::Values(std::pair("rsa2048_draw.json", Encoding::draw),
                                         std::pair("wycheproof_rsa2048_sha256_pkcs1.json", Encoding::pkcs1_sha256)));

TEST(Oracle, EvidenceIsThePowerByOpenssl) {
  ChaChaWords words(sha256(view("evidence")));
  std::vector<Item> items;
  for (const PrivateKey& key : keys()) items.push_back(key.item(Encoding::draw, random_message(words)));
  const Verdicts got = run(*oracle().kernel, Encoding::draw, items);
  Big exponent(BN_new());
  BN_set_word(exponent.get(), 1u << 15);
  for (std::size_t i = 0; i < items.size(); ++i) {
    const Block want = block(power(big(items[i].signature), exponent, big(items[i].key)));
    EXPECT_EQ(to_hex(ByteView(got.evidence).subspan(i * kEvidenceBytes, kEvidenceBytes)), to_hex(want));
    EXPECT_EQ(got.valid[i], 1);
  }
}

TEST(Padding, EveryByteOfEmWrong) {
  ChaChaWords words(sha256(view("padding")));
  for (const Encoding encoding : kEncodings) {
    const Bytes message = random_message(words);
    std::vector<Item> items;
    for (std::size_t k = 0; k<kModulusBytes; k += k> 8 && k < 190 ? 3 : 1) {
      Block em = encoded(encoding, message);
      em[k] ^= static_cast<std::uint8_t>(k == 0 ? 1 : 1u << words.below(8));
      items.push_back({keys()[k % 5].n, keys()[k % 5].sign(em), message});
    }
    const Bytes valid = run(*oracle().kernel, encoding, items).valid;
    EXPECT_EQ(std::count(valid.begin(), valid.end(), 1), 0);
    items.push_back(keys()[0].item(encoding, message));
    EXPECT_EQ(run(*oracle().kernel, encoding, items).valid.back(), 1);
    expect_as_oracle(encoding, items);
  }
}

TEST(Padding, DrawsOfEveryLength) {
  ChaChaWords words(sha256(view("lengths")));
  std::vector<Item> items;
  for (std::size_t bytes = 1; bytes <= kMostDrawBytes; bytes += bytes < 45 ? 1 : 20)
    items.push_back(keys()[bytes % 5].item(Encoding::draw, random_message(words, bytes)));
  const std::size_t right = items.size();
  for (std::size_t i = 0; i + 1 < right; i += 5) {  // the signature of another length's message
    items.push_back(items[i]);
    items.back().message.push_back(0);
    items.push_back(items[i]);
    items.back().message.insert(items.back().message.begin(), 0);
  }
  const Bytes valid = run(*oracle().kernel, Encoding::draw, items).valid;
  for (std::size_t i = 0; i < items.size(); ++i) EXPECT_EQ(valid[i], i < right ? 1 : 0) << i;
  expect_as_oracle(Encoding::draw, items);
}

/// Moduli of every awkward shape; most are no products of two primes, and all must be computed with all the same.
std::vector<Block> odd_moduli(ChaChaWords& words) {
  std::vector<Block> list{keys()[0].n, keys()[1].n};
  Block ones;
  ones.fill(0xff);
  list.push_back(ones);                   // 2^2048 - 1
  list.push_back(minus(ones, small(2)));  // 2^2048 - 3
  Block top{};
  top[0] = 0x80;
  list.push_back(plus(top, small(1)));  // 2^2047 + 1
  list.push_back(plus(top, small(255)));
  for (unsigned k = 0; k < 6; ++k) {  // runs of ones and zeros, random ends
    Block n;
    for (std::size_t at = 0; at < kModulusBytes; ++at) n[at] = at / (5 + 13 * k) % 2 == 0 ? 0xff : 0x00;
    n[kModulusBytes - 1] = static_cast<std::uint8_t>(words.u32() | 1);
    list.push_back(n);
  }
  for (unsigned k = 0; k < 6; ++k) {
    list.push_back(random_block(words));
    list.back()[0] |= 0x80;
    list.back()[kModulusBytes - 1] |= 1;
  }
  return list;
}

TEST(Ranges, EdgesOfModulusAndSignature) {
  ChaChaWords words(sha256(view("ranges")));
  std::vector<Item> items;
  const Block em = encoded(Encoding::draw, Bytes(kHashBytes));
  for (const Block& n : odd_moduli(words)) {
    Block half = n;
    half[0] ^= 0x80;  // n - 2^2047
    Block random = random_block(words);
    random[0] &= 0x7f;
    for (const Block& s : {small(0), small(1), small(2), minus(n, small(1)), minus(n, small(2)), n, plus(n, small(1)),
                           half, minus(n, half), random, em, minus(n, em), minus(Block{}, small(1))})
      items.push_back({n, s, Bytes(kHashBytes)});
  }
  const std::size_t plain = items.size();
  for (std::size_t i = 0; i < plain; i += 5) {  // the same with an even n, and with a short one
    items.push_back(items[i]);
    items.back().key[kModulusBytes - 1] ^= 1;
    items.push_back(items[i]);
    items.back().key[0] ^= 0x80;
  }
  items.push_back({Block{}, Block{}, Bytes(kHashBytes)});
  items.push_back({small(1), Block{}, Bytes(kHashBytes)});
  expect_as_oracle(Encoding::draw, items);
  expect_as_oracle(Encoding::pkcs1_sha256, items);
}

/// Long quotient digits, columns that run over, estimates at their limits: runs of ones and zeros in n and s.
TEST(Ranges, RunsOfOnesAndZeros) {
  ChaChaWords words(sha256(view("runs")));
  const auto runs = [&words] {
    Block b;
    const std::size_t longest = std::size_t{4} << words.below(6);
    std::size_t left = 0;
    std::uint8_t byte = 0;
    for (std::uint8_t& out : b) {
      if (left-- == 0) {
        left = words.below(longest);
        byte = words.below(6) == 0 ? static_cast<std::uint8_t>(words.u32()) : words.below(2) == 0 ? 0 : 0xff;
      }
      out = byte;
    }
    return b;
  };
  std::vector<Item> items;
  for (unsigned k = 0; k < 200; ++k) {
    Item item{runs(), runs(), Bytes(kHashBytes)};
    item.key[0] |= 0x80;
    item.key[kModulusBytes - 1] |= 1;
    if (k % 4 == 0) {  // near n
      item.signature = item.key;
      item.signature[words.below(kModulusBytes)] ^= static_cast<std::uint8_t>(1u << words.below(8));
    } else if (k % 4 == 1) {
      item.signature[0] &= 0x7f;
    }
    items.push_back(item);
  }
  expect_as_oracle(Encoding::draw, items);
}

TEST(Ranges, SignaturePlusModulusAndRefusedKeysHaveNoEvidence) {
  ChaChaWords words(sha256(view("plus n")));
  std::vector<Item> items;
  while (items.size() < 4) {  // a signature small enough that sig + n has 256 bytes
    const Item good = keys()[items.size()].item(Encoding::draw, random_message(words));
    Item more = good;
    more.signature = plus(good.signature, good.key);
    if (more.signature < good.key) continue;  // it ran over
    items.push_back(more);
  }
  Item even = keys()[0].item(Encoding::draw, random_message(words));
  even.key[kModulusBytes - 1] ^= 1;
  items.push_back(even);
  const Verdicts want = run(*oracle().kernel, Encoding::draw, items);
  EXPECT_EQ(want.valid, Bytes(items.size()));
  EXPECT_EQ(want.evidence, Bytes(items.size() * kEvidenceBytes));
  expect_as_oracle(Encoding::draw, items);
}

TEST(Ranges, PowersNextToZeroAndToTheModulus) {
  ChaChaWords words(sha256(view("next to n")));
  std::vector<Item> items;
  for (unsigned k = 0; k < 2; ++k) {
    Item item = keys()[k].item(Encoding::draw, random_message(words));
    if (k == 1) std::fill(item.key.begin(), item.key.end(), std::uint8_t{0xff});
    for (unsigned from_end = 0; from_end < 3; ++from_end) {
      std::fill(item.signature.begin(), item.signature.end(), std::uint8_t{0});
      item.signature.back() = static_cast<std::uint8_t>(from_end);
      items.push_back(item);
      item.signature = item.key;  // n, n - 1, n - 2
      item.signature.back() = static_cast<std::uint8_t>(item.signature.back() - from_end);
      items.push_back(item);
    }
  }
  expect_as_oracle(Encoding::draw, items);
}

/// The public operation and the padding of OpenSSL, compared as bytes: its own parser is not asked.
struct OpensslKey {
  EVP_PKEY* key = nullptr;
  explicit OpensslKey(const Block& n) {
    OSSL_PARAM_BLD* build = OSSL_PARAM_BLD_new();
    const Big modulus = big(n);
    Big e(BN_new());
    BN_set_word(e.get(), kExponent);
    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus.get());
    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e.get());
    OSSL_PARAM* parameters = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX* context = EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr);
    EVP_PKEY_fromdata_init(context);
    EXPECT_EQ(EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters), 1);
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(parameters);
    OSSL_PARAM_BLD_free(build);
  }
  ~OpensslKey() { EVP_PKEY_free(key); }
  OpensslKey(const OpensslKey&) = delete;

  bool draw_valid(const Item& i) const {
    EVP_PKEY_CTX* context = EVP_PKEY_CTX_new(key, nullptr);
    Block out;
    std::size_t bytes = out.size();
    const bool ok = EVP_PKEY_verify_recover_init(context) == 1 &&
                    EVP_PKEY_CTX_set_rsa_padding(context, RSA_NO_PADDING) == 1 &&
                    EVP_PKEY_verify_recover(context, out.data(), &bytes, i.signature.data(), i.signature.size()) == 1;
    EVP_PKEY_CTX_free(context);
    return ok && bytes == out.size() && out == encoded(Encoding::draw, i.message);
  }
  bool pkcs1_valid(const Item& i) const {
    EVP_PKEY_CTX* context = EVP_PKEY_CTX_new(key, nullptr);
    const bool ok =
        EVP_PKEY_verify_init(context) == 1 && EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1 &&
        EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()) == 1 &&
        EVP_PKEY_verify(context, i.signature.data(), i.signature.size(), i.message.data(), i.message.size()) == 1;
    EVP_PKEY_CTX_free(context);
    return ok;
  }
};

/// Right signatures of which two in three get one change; a pool of signed messages, since signing is slow.
std::vector<Item> mutated(Encoding encoding, std::uint64_t seed, std::size_t count) {
  static std::map<Encoding, std::vector<Item>> pools;
  auto& pool = pools[encoding];
  ChaChaWords words(sha256(view("mutated")), seed);
  while (pool.size() < 60) pool.push_back(keys()[pool.size() % 5].item(encoding, random_message(words)));
  std::vector<Item> items;
  for (std::size_t i = 0; i < count; ++i) {
    Item item = pool[words.below(pool.size())];
    const auto flip = [&](std::span<std::uint8_t> bytes) {
      bytes[words.below(bytes.size())] ^= static_cast<std::uint8_t>(1u << words.below(8));
    };
    switch (words.below(9)) {
      case 0: flip(item.signature); break;
      case 1: flip(item.message); break;
      case 2: item.key = keys()[words.below(5)].n; break;
      case 3: item.signature = minus(item.key, item.signature); break;
      case 4: item.signature = plus(item.signature, small(1)); break;
      case 5: item.signature = random_block(words); break;
      default: break;
    }
    items.push_back(std::move(item));
  }
  return items;
}

TEST(Peers, RandomAndMutatedAsOpenssl) {
  std::map<Block, OpensslKey> openssl;
  for (const PrivateKey& key : keys()) openssl.try_emplace(key.n, key.n);
  std::size_t valid = 0;
  const std::size_t total = random_count();
  for (const Encoding encoding : kEncodings) {
    for (std::size_t first = 0; first < total; first += 4096) {
      const auto items = mutated(encoding, first, std::min<std::size_t>(4096, total - first));
      Bytes want;
      for (const Item& i : items) {
        const OpensslKey& key = openssl.at(i.key);
        want.push_back((encoding == Encoding::draw ? key.draw_valid(i) : key.pkcs1_valid(i)) ? 1 : 0);
      }
      valid += static_cast<std::size_t>(std::count(want.begin(), want.end(), 1));
      ASSERT_EQ(run(*oracle().kernel, encoding, items, false).valid, want);
      for (Runner& r : runners()) ASSERT_EQ(run(*r.kernel, encoding, items, false).valid, want) << r.label;
    }
  }
  EXPECT_GT(valid, total / 2);
  EXPECT_LT(valid, total * 8 / 5);
}

TEST(Batches, EverySizeAndPlace) {
  ChaChaWords words(sha256(view("sizes")));
  const auto all = mutated(Encoding::draw, 77, 140);
  const Verdicts whole = run(*oracle().kernel, Encoding::draw, all);
  for (const std::size_t count : {0u, 1u, 2u, 7u, 8u, 9u, 15u, 16u, 17u, 31u, 33u, 63u, 64u, 65u, 127u, 129u}) {
    const std::size_t from = words.below(all.size() - count + 1);
    const Verdicts want{Bytes(whole.valid.begin() + static_cast<std::ptrdiff_t>(from),
                              whole.valid.begin() + static_cast<std::ptrdiff_t>(from + count)),
                        Bytes(whole.evidence.begin() + static_cast<std::ptrdiff_t>(from * kEvidenceBytes),
                              whole.evidence.begin() + static_cast<std::ptrdiff_t>((from + count) * kEvidenceBytes))};
    for (Runner& r : runners()) {
      EXPECT_EQ(run(*r.kernel, Encoding::draw, std::span(all).subspan(from, count)), want) << r.label << ", " << count;
    }
  }
}

TEST(Errors, SizesLengthsAndStop) {
  const Item good = keys()[0].item(Encoding::draw, Bytes(kHashBytes, 7));
  const Packed packed(std::span(&good, 1));
  const auto test = [&](Runner& r) {
    std::uint8_t valid = 9;
    Bytes evidence(kEvidenceBytes - 1);
    const auto ask = [&](Encoding encoding, const kernels::SignatureBatch& batch, std::span<std::uint8_t> wanted = {}) {
      return r.kernel->verify_vartime(encoding, batch, {{&valid, 1}, wanted}, StopToken()).status();
    };
    EXPECT_EQ(ask(Encoding::draw, packed.batch()), Status::ok) << r.label;
    EXPECT_EQ(ask(Encoding::draw, packed.batch(), evidence), Status::bad_argument) << r.label;
    auto batch = packed.batch();
    batch.keys = batch.keys.first(255);
    EXPECT_EQ(ask(Encoding::draw, batch), Status::bad_argument) << r.label;
    batch = packed.batch();
    batch.signatures = batch.signatures.first(255);
    EXPECT_EQ(ask(Encoding::draw, batch), Status::bad_argument) << r.label;
    Item odd = good;
    for (const std::size_t bytes : {0u, 31u, 33u, 245u, 246u, 300u}) {
      odd.message.assign(bytes, 1);
      const Packed wrong(std::span(&odd, 1));
      EXPECT_EQ(ask(Encoding::draw, wrong.batch()), bytes == 0 || bytes > 245 ? Status::bad_input : Status::ok);
      EXPECT_EQ(ask(Encoding::pkcs1_sha256, wrong.batch()), Status::bad_input) << r.label;
    }
    StopSource stop;
    stop.request_stop();
    EXPECT_EQ(r.kernel->verify_vartime(Encoding::draw, packed.batch(), {{&valid, 1}, {}}, stop.token()).status(),
              Status::cancelled)
        << r.label;
  };
  test(oracle());
  for (Runner& r : runners()) test(r);
}

}  // namespace
}  // namespace sparkmill::rsa::test

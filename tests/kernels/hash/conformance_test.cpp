// SPDX-License-Identifier: Apache-2.0
// Every row on every device gives the published digests and agrees with the oracle and with OpenSSL on random batches.
#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "base/file.h"
#include "base/hash.h"
#include "base/hex.h"
#include "kernels/hash/device_batch.h"
#include "kernels/hash/hash.h"
#include "tests/kernels/runners.h"

namespace sparkmill::hashes::test {
namespace {

using Json = nlohmann::json;
using Runner = kernels::test::Runner<Kernel>;

std::vector<std::string> g_failures;

std::vector<Runner>& runners() {
  static std::vector<Runner> list = kernels::test::make_runners<Kernel>(kernels::Family::hash, g_failures);
  return list;
}

Kernel& oracle() {
  static const auto owner = *kernels::make_tested(*kernels::find_row(kernels::Family::hash, "reference"),
                                                  kernels::discover_devices().front());
  return dynamic_cast<Kernel&>(*owner);
}

/// Messages back to back.
struct Messages {
  Bytes bytes;
  std::vector<std::uint64_t> offsets{0};
  void add(ByteView message) {
    bytes.insert(bytes.end(), message.begin(), message.end());
    offsets.push_back(bytes.size());
  }
  Batch batch() const { return {bytes, offsets}; }
  std::size_t count() const { return offsets.size() - 1; }
};

Bytes digests(Kernel& kernel, Algorithm algorithm, const Messages& m) {
  Bytes out(m.count() * digest_bytes(algorithm), 0xee);
  const Done hashed = kernel.hash(algorithm, m.batch(), out, StopToken());
  EXPECT_TRUE(hashed) << hashed.error().message;
  return out;
}

std::string digest(const Bytes& all, Algorithm a, std::size_t i) {
  return to_hex(ByteView(all).subspan(i * digest_bytes(a), digest_bytes(a)));
}

void compare(const Messages& m, const std::string& what) {
  for (const Algorithm a : kAlgorithms) {
    const Bytes want = digests(oracle(), a, m);
    for (Runner& r : runners()) {
      const Bytes got = digests(*r.kernel, a, m);
      for (std::size_t i = 0; i < m.count(); ++i)
        ASSERT_EQ(digest(got, a, i), digest(want, a, i))
            << r.label << ", " << name(a) << ", " << what << ", message " << i << " of " << m.batch().message(i).size();
    }
  }
}

const Json& vectors() {
  static const Json root = [] {
    const auto content = read_file(SPARKMILL_SOURCE_DIR "/tests/vectors/hashes.json", 8 << 20);
    return content ? Json::parse(content->begin(), content->end()) : Json();
  }();
  return root;
}

TEST(Rows, AForcedRowIsTheOneThatRuns) {
#if defined(__x86_64__)
  EXPECT_FALSE(runners().empty()) << "not a single row beside the oracle can run here";
#endif
  runners();
  for (const std::string& failure : g_failures) ADD_FAILURE() << failure;
}

TEST(Conformance, EveryPublishedDigest) {
  Messages m;
  for (const Json& c : vectors().at("cases")) m.add(*from_hex(c.at("msg").get<std::string>(), "msg"));
  ASSERT_EQ(m.count(), 58u);
  std::vector<std::pair<std::string, Kernel*>> all{{"hash/reference", &oracle()}};
  for (Runner& r : runners()) all.emplace_back(r.label, r.kernel);
  for (const auto& [label, kernel] : all) {
    for (const Algorithm a : kAlgorithms) {
      const Bytes got = digests(*kernel, a, m);
      for (std::size_t i = 0; i < m.count(); ++i) {
        const Json& c = vectors().at("cases").at(i);
        EXPECT_EQ(digest(got, a, i), c.at(std::string(name(a))).get<std::string>()) << label << ", case " << i;
      }
    }
  }
}

TEST(Conformance, TheMegabyteBesideShortMessages) {
  Messages m;
  m.add({});
  Bytes big(1 << 20);
  for (std::size_t i = 0; i < big.size(); ++i) big[i] = static_cast<std::uint8_t>(7 * i + (i >> 8));
  m.add(big);
  m.add(ByteView(big).first(200));
  for (Runner& r : runners()) {
    for (const Algorithm a : kAlgorithms) {
      const auto want = vectors().at("big").find(std::string(name(a)));
      if (want == vectors().at("big").end()) continue;
      EXPECT_EQ(digest(digests(*r.kernel, a, m), a, 1), want->get<std::string>()) << r.label << ", " << name(a);
    }
  }
}

TEST(Conformance, AChainOfDigests) {
  for (const Json& c : vectors().at("chains")) {
    for (const Algorithm a : kAlgorithms) {
      if (c.at("name").get<std::string>() != name(a)) continue;
      for (Runner& r : runners()) {
        const bool cpu = r.label.find("/cpu/") != std::string::npos;
        if (!cpu) continue;  // a launch a link
        Bytes link = *from_hex(c.at("start").get<std::string>(), "start");
        const std::vector<std::uint64_t> offsets{0, link.size()};
        Bytes out(link.size());
        for (int i = 0; i < c.at("iterations").get<int>(); ++i) {
          ASSERT_TRUE(r.kernel->hash(a, {link, offsets}, out, StopToken()));
          std::swap(link, out);
        }
        EXPECT_EQ(to_hex(link), c.at("result").get<std::string>()) << r.label << ", " << name(a);
      }
    }
  }
}

TEST(Conformance, EverySizeOfBatchAndMessage) {
  ChaChaWords random(Hash32{1});
  for (const std::size_t count : {0u, 1u, 7u, 8u, 9u, 15u, 16u, 17u, 33u, 2049u}) {
    Messages m;
    for (std::size_t i = 0; i < count; ++i) {
      Bytes message(random.below(count > 100 ? 64 : 700));
      for (std::uint8_t& b : message) b = static_cast<std::uint8_t>(random.u32());
      m.add(message);
    }
    compare(m, std::to_string(count) + " messages");
  }
  Messages edges;  // every length around the ends of blocks
  for (std::size_t bytes = 0; bytes < 290; ++bytes) edges.add(Bytes(bytes, static_cast<std::uint8_t>(bytes)));
  compare(edges, "every length");
}

TEST(Oracle, AgreesWithOpenssl) {
  ChaChaWords random(Hash32{2});
  const std::pair<Algorithm, const EVP_MD*> known[] = {
      {Algorithm::sha256, EVP_sha256()}, {Algorithm::sha512, EVP_sha512()}, {Algorithm::sha3_256, EVP_sha3_256()}};
  Messages m;
  for (int i = 0; i < 200; ++i) {
    Bytes message(random.below(1000));
    for (std::uint8_t& b : message) b = static_cast<std::uint8_t>(random.u32());
    m.add(message);
  }
  for (const auto& [a, method] : known) {
    const Bytes mine = digests(oracle(), a, m);
    for (std::size_t i = 0; i < m.count(); ++i) {
      std::array<std::uint8_t, 64> theirs{};
      unsigned size = 0;
      const ByteView message = m.batch().message(i);
      ASSERT_EQ(EVP_Digest(message.data(), message.size(), theirs.data(), &size, method, nullptr), 1);
      EXPECT_EQ(digest(mine, a, i), to_hex(ByteView(theirs).first(size))) << name(a);
    }
  }
}

TEST(Device, TheDialectOnTheHostGivesTheSame) {
  Messages m;
  for (std::size_t bytes = 0; bytes < 290; ++bytes) m.add(Bytes(bytes, static_cast<std::uint8_t>(3 * bytes)));
  for (const Algorithm a : kAlgorithms) {
    const Bytes want = digests(oracle(), a, m);
    for (std::size_t i = 0; i < m.count(); ++i) {
      std::array<std::uint8_t, 64> mine{};
      const ByteView message = m.batch().message(i);
      sm_hash(device_algorithm(a), message.data(), message.size(), mine.data());
      EXPECT_EQ(to_hex(ByteView(mine).first(digest_bytes(a))), digest(want, a, i)) << name(a) << ", message " << i;
    }
  }
}

TEST(Device, LaunchesCoverABatchOnce) {
  Messages m;
  m.add(Bytes(kLongMessage + 1));
  for (int i = 0; i < 300; ++i) m.add(Bytes(kLongMessage));
  m.add(Bytes(kLongMessage + 1));
  std::size_t next = 1;
  Bytes out(m.count() * 32);
  const Done walked = for_each_launch(Algorithm::sha256, m.batch(), out, StopToken(), [&](const Launch& l) {
    EXPECT_EQ(l.first, next);
    EXPECT_EQ(l.base, m.offsets[l.first]);
    EXPECT_EQ(l.bytes, l.count * kLongMessage);
    EXPECT_LE(l.bytes, kLaunchBytes);
    next += l.count;
    return done();
  });
  ASSERT_TRUE(walked) << walked.error().message;
  EXPECT_EQ(next, m.count() - 1);
  EXPECT_EQ(digest(out, Algorithm::sha256, 0), to_hex(sha256(Bytes(kLongMessage + 1)))) << "the host does long ones";
}

TEST(Errors, NameWhatIsWrong) {
  const Bytes bytes(10);
  const std::vector<std::uint64_t> right{0, 10}, outside{0, 11}, falling{5, 4};
  Bytes out(32), wrong(31);
  for (Runner& r : runners()) {
    EXPECT_EQ(r.kernel->hash(Algorithm::sha256, {bytes, right}, wrong, StopToken()).status(), Status::bad_argument);
    for (const auto* offsets : {&outside, &falling}) {
      const Done refused = r.kernel->hash(Algorithm::sha256, {bytes, *offsets}, out, StopToken());
      ASSERT_EQ(refused.status(), Status::bad_input) << r.label;
      EXPECT_NE(refused.error().message.find("message 0"), std::string::npos) << refused.error().message;
    }
  }
}

TEST(Stopping, AFiredTokenEndsABatch) {
  StopSource source;
  source.request_stop();
  const Bytes bytes(64);
  const std::vector<std::uint64_t> offsets{0, 64};
  Bytes out(32);
  for (Runner& r : runners())
    EXPECT_EQ(r.kernel->hash(Algorithm::keccak256, {bytes, offsets}, out, source.token()).status(), Status::cancelled);
}

}  // namespace
}  // namespace sparkmill::hashes::test

// SPDX-License-Identifier: Apache-2.0
// Every row on every device gives the published hashes and agrees with the others on random and degenerate inputs; the
// oracle gives every published stage.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/file.h"
#include "base/hash.h"
#include "base/hex.h"
#include "kernels/tensority/reference.h"
#include "tests/kernels/tensority/rows.h"

namespace sparkmill::tensority::test {
namespace {

using Json = nlohmann::json;

std::vector<std::string> g_failures;

std::vector<Runner>& runners() {
  static std::vector<Runner> list = make_runners(g_failures);
  return list;
}

bool on_cpu(const Runner& r) { return r.label.find("/cpu/") != std::string::npos; }

const Json& vectors() {
  static const Json root = [] {
    const auto content = read_file(SPARKMILL_SOURCE_DIR "/tests/vectors/tensority.json", 1 << 20);
    return content ? Json::parse(content->begin(), content->end()) : Json();
  }();
  return root;
}

Hash32 hash_of(const Json& j, const char* key) { return *array_from_hex<32>(j.at(key).get<std::string>(), key); }

Hash32 filled(std::uint8_t byte) {
  Hash32 h;
  h.fill(byte);
  return h;
}

std::vector<Hash32> random_headers(std::uint8_t key, std::size_t count) {
  std::vector<Hash32> headers(count);
  for (std::size_t h = 0; h < count; ++h) chacha20_stream(filled(key), 0, h * 32, headers[h]);
  return headers;
}

std::vector<Hash32> hash(Kernel& kernel, const Epoch& epoch, std::span<const Hash32> headers) {
  std::vector<Hash32> out(headers.size());
  const Done hashed = kernel.hash(epoch, headers, out, StopToken());
  EXPECT_TRUE(hashed) << hashed.error().message;
  return out;
}

/// All rows on these headers, one batch; what they agree on (empty when no row runs here).
std::vector<Hash32> compare(const Hash32& seed, std::span<const Hash32> headers, const std::string& what) {
  std::vector<Hash32> want;
  const auto epoch = epoch_of(seed);
  for (Runner& r : runners()) {
    const std::vector<Hash32> got = hash(*r.kernel, *epoch, headers);
    if (want.empty()) want = got;
    for (std::size_t h = 0; h < headers.size(); ++h) {
      EXPECT_EQ(to_hex(got[h]), to_hex(want[h]))
          << r.label << " against " << runners().front().label << ", " << what << ", header " << h;
    }
  }
  return want;
}

TEST(Rows, AForcedRowIsTheOneThatRuns) {
#if defined(__x86_64__)
  EXPECT_FALSE(runners().empty()) << "not a single row beside the oracle can run here";
#endif
  runners();
  for (const std::string& failure : g_failures) ADD_FAILURE() << failure;
}

TEST(Oracle, GivesEveryPublishedStage) {
  ASSERT_EQ(vectors().at("stage_vectors").size(), 4u);
  for (const Json& v : vectors().at("stage_vectors")) {
    const auto stages = reference::trace(hash_of(v, "header_hash"), hash_of(v, "seed"));
    EXPECT_EQ(stages.size(), 10u + 4 + 4 + 4 + 3);
    for (const auto& stage : stages) {
      EXPECT_EQ(stage.hex, v.at(Json::json_pointer(stage.name)).get<std::string>()) << stage.name;
    }
  }
}

TEST(Epochs, HaveThePublishedMatrices) {
  for (const Json& v : vectors().at("stage_vectors")) {
    const auto epoch = epoch_of(hash_of(v, "seed"));
    EXPECT_EQ(epoch->seed(), hash_of(v, "seed"));
    const auto list = epoch->matrices();
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(list.data()) % 64, 0u);
    const ByteView bytes(reinterpret_cast<const std::uint8_t*>(list.data()), list.size());
    EXPECT_EQ(to_hex(sha3_256(bytes)), v.at("matrix_list_sha3").get<std::string>());
    EXPECT_EQ(epoch->matrix(255), list.data() + 255 * kMatrixBytes);
  }
}

TEST(Conformance, EveryPublishedHash) {
  const Json& list = vectors().at("hash_vectors");
  ASSERT_EQ(list.size(), 15u);
  for (Runner& r : runners()) {
    for (const Json& v : list) {
      const Hash32 header = hash_of(v, "header_hash");
      const auto got = hash(*r.kernel, *epoch_of(hash_of(v, "seed")), {&header, 1});
      EXPECT_EQ(to_hex(got[0]), v.at("expected_hash").get<std::string>()) << r.label << ", " << v.at("note");
    }
  }
}

TEST(Conformance, MainnetBlocks) {
  unsigned checked = 0;
  for (const Json& v : vectors().at("block_headers")) {
    const auto bytes = array_from_hex<136>(v.at("hash_preimage_hex").get<std::string>(), "preimage");
    ASSERT_TRUE(bytes);
    const std::uint64_t nonce = std::stoull(v.at("nonce").get<std::string>());
    Preimage preimage = *bytes;
    std::fill(preimage.end() - 8, preimage.end(), std::uint8_t{0x5a});  // must not matter
    const Hash32 header = header_hash(preimage, nonce);
    EXPECT_EQ(to_hex(header), v.at("header_hash").get<std::string>());
    if (!v.contains("tensority") || !v.at("tensority").is_string()) continue;
    ++checked;
    for (Runner& r : runners()) {
      if (!on_cpu(r)) continue;
      const auto got = hash(*r.kernel, *epoch_of(hash_of(v, "seed")), {&header, 1});
      EXPECT_EQ(to_hex(got[0]), v.at("tensority").get<std::string>()) << r.label << ", " << v.at("source");
    }
  }
  EXPECT_GT(checked, 10u);
}

TEST(Conformance, RowsAgreeOnRandomInputsAndTheOracleOnAFew) {
  const auto seeds = random_headers(1, 3);
  for (std::size_t s = 0; s < seeds.size(); ++s) {
    const auto headers = random_headers(static_cast<std::uint8_t>(2 + s), 5);
    const auto got = compare(seeds[s], headers, "random seed " + std::to_string(s));
    if (s != 0 || got.empty()) continue;
    const auto reference = make_reference();
    const auto want = hash(dynamic_cast<Kernel&>(*reference), *epoch_of(seeds[s]), std::span(headers).first(1));
    EXPECT_EQ(to_hex(got[0]), to_hex(want[0]));
  }
  std::vector<Hash32> first;
  for (Runner& r : runners()) {  // many on the fast rows alone
    if (!on_cpu(r)) continue;
    const auto many = hash(*r.kernel, *epoch_of(seeds[1]), random_headers(9, 50));
    if (first.empty()) first = many;
    EXPECT_EQ(many, first) << r.label;
  }
}

TEST(Conformance, DegenerateInputs) {
  std::vector<Hash32> headers{filled(0), filled(0xff), filled(0x80),
                              filled(0x7f)};  // quarters equal: four equal chains
  const auto s = sequences(headers[0]);
  EXPECT_TRUE(s[0] == s[1] && s[1] == s[2] && s[2] == s[3]);
  for (Hash32 half = filled(0); std::size_t k : {std::size_t{0}, std::size_t{8}, std::size_t{31}}) {
    half[k] = 1;  // one quarter differs
    headers.push_back(half);
  }
  for (const std::uint8_t byte : {std::uint8_t{0x00}, std::uint8_t{0xff}}) {
    compare(filled(byte), headers, "seed of bytes " + std::to_string(byte));
  }
}

TEST(Conformance, EveryBatchSize) {
  const Hash32 seed = filled(3);
  const auto headers = random_headers(5, 9);
  const auto want = compare(seed, headers, "nine at once");
  for (const std::size_t size : {0, 1, 2, 3, 7}) {
    for (Runner& r : runners()) {
      const auto got = hash(*r.kernel, *epoch_of(seed), std::span(headers).first(size));
      EXPECT_TRUE(std::equal(got.begin(), got.end(), want.begin())) << r.label << ", " << size;
    }
  }
  for (Runner& r : runners()) {
    std::vector<Hash32> out(2);
    EXPECT_EQ(r.kernel->hash(*epoch_of(seed), headers, out, StopToken()).status(), Status::bad_argument) << r.label;
  }
}

TEST(Epochs, SeveralInTurnOnOneKernel) {
  const auto headers = random_headers(6, 1);
  std::vector<std::vector<Hash32>> want;
  for (std::uint8_t seed = 10; seed < 13; ++seed) want.push_back(compare(filled(seed), headers, "first round"));
  for (const std::uint8_t seed : std::initializer_list<std::uint8_t>{12, 10, 11, 11, 12}) {
    for (Runner& r : runners()) {
      ASSERT_TRUE(r.kernel->prepare(*epoch_of(filled(seed)))) << r.label;
      EXPECT_EQ(hash(*r.kernel, *epoch_of(filled(seed)), headers), want[seed - 10u]) << r.label;
    }
  }
}

TEST(Search, FindsWhatHashingOneByOneFinds) {
  SearchTask task;
  const auto epoch = epoch_of(filled(3));
  task.epoch = epoch.get();
  task.preimage.fill(0x11);
  task.first_nonce = (std::uint64_t{1} << 63) - 11;
  task.count = 11;  // up to the last nonce there is
  task.target = filled(0xff);
  task.target[31] = 0x7f;
  for (Runner& r : runners()) {
    std::vector<Hash32> headers;
    for (std::uint64_t k = 0; k < task.count; ++k) headers.push_back(header_hash(task.preimage, task.first_nonce + k));
    const auto results = hash(*r.kernel, *epoch, headers);
    const auto found = r.kernel->search(task, StopToken());
    ASSERT_TRUE(found) << r.label << ": " << found.error().message;
    EXPECT_EQ(found->count, task.count);
    std::vector<std::uint64_t> want, got;
    std::size_t best = 0;
    for (std::size_t k = 0; k < results.size(); ++k) {
      if (results[k][31] < 0x80) want.push_back(task.first_nonce + k);
      if (meets(results[k], results[best])) best = k;
    }
    for (const Found& hit : found->hits) {
      got.push_back(hit.nonce);
      EXPECT_EQ(hit.result, results[hit.nonce - task.first_nonce]) << r.label;
    }
    EXPECT_EQ(got, want) << r.label;
    EXPECT_EQ(found->best.nonce, task.first_nonce + best) << r.label;
    EXPECT_EQ(found->best.result, results[best]) << r.label;
  }
}

/// Processor time of a thread, so that a busy machine does not matter.
double cpu_ms(pthread_t thread) {
  clockid_t clock{};
  timespec t{};
  if (pthread_getcpuclockid(thread, &clock) != 0 || clock_gettime(clock, &t) != 0) return 0;
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) * 1e-6;
}

/// Starts `work` on a thread, asks it to stop a little later, and returns how much it still computed (ms).
double ms_after_stop(StopSource& stop, const std::function<void()>& work) {
  double end = 0;
  std::thread thread([&] {
    work();
    end = cpu_ms(pthread_self());
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(15));
  const double asked = cpu_ms(thread.native_handle());
  stop.request_stop();
  thread.join();
  return end - asked;
}

#if defined(SPARKMILL_CHECKED)
constexpr double kStopMs = 500;
#else
constexpr double kStopMs = 50;
#endif

TEST(Stop, AnEpochThatIsBuiltIsLeft) {
  StopSource stop;
  Status status = Status::ok;
  const double ms = ms_after_stop(stop, [&] {
    do {
      status = Epoch::build(filled(77), stop.token()).status();
    } while (status == Status::ok);
  });
  EXPECT_EQ(status, Status::cancelled);
  EXPECT_LT(ms, kStopMs);
}

TEST(Stop, HashesAndSearchesOfEveryRowAreLeft) {
  const auto epoch = epoch_of(filled(3));
  const auto headers = random_headers(5, 3000);  // more than any CPU row does in a second
  const auto reference = make_reference();
  std::vector<std::pair<std::string, Kernel*>> all{{"reference", dynamic_cast<Kernel*>(reference.get())}};
  for (Runner& r : runners()) {
    if (on_cpu(r)) all.emplace_back(r.label, r.kernel);
  }
  for (auto& [label, kernel] : all) {
    ASSERT_TRUE(kernel->prepare(*epoch));
    StopSource stop, stop_search;
    Status status = Status::ok;
    std::vector<Hash32> out(headers.size());
    const double ms =
        ms_after_stop(stop, [&, k = kernel] { status = k->hash(*epoch, headers, out, stop.token()).status(); });
    EXPECT_EQ(status, Status::cancelled) << label;
    EXPECT_LT(ms, kStopMs) << label;
    SearchTask task;
    task.epoch = epoch.get();
    task.count = 1 << 20;
    std::uint64_t count = task.count;
    const double search_ms = ms_after_stop(stop_search, [&, k = kernel] {
      const auto found = k->search(task, stop_search.token());
      count = found ? found->count : task.count;
    });
    EXPECT_LT(count, task.count) << label;
    EXPECT_LT(search_ms, kStopMs) << label;
  }
  for (Runner& r : runners()) {
    StopSource stop;
    stop.request_stop();
    std::vector<Hash32> out(headers.size());
    EXPECT_EQ(r.kernel->hash(*epoch, headers, out, stop.token()).status(), Status::cancelled) << r.label;
  }
}

}  // namespace
}  // namespace sparkmill::tensority::test

// SPDX-License-Identifier: Apache-2.0
// The OpenCL row beyond what conformance covers: both ways to compute a chain, search on the device, epochs kept there,
// the stop token. Runs on whatever device is here, PoCL in the tests; skipped with the reason where there is none.
#include "kernels/tensority/opencl_form.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "kernels/backend/discover.h"
#include "kernels/registry.h"
#include "kernels/tensority/known.h"
#include "kernels/tensority/tensority.h"

namespace sparkmill::tensority {
namespace {

using Clock = std::chrono::steady_clock;

std::shared_ptr<const Epoch> epoch_of(const Hash32& seed) {
  auto built = Epoch::build(seed);
  EXPECT_TRUE(built);
  return built ? *built : nullptr;
}

class TensorityOpencl : public ::testing::Test {
 protected:
  void SetUp() override {
    row_ = kernels::find_row(kernels::Family::tensority, "opencl");
    if (row_ == nullptr) GTEST_SKIP() << "OpenCL is not in this build";
    std::string note;
    for (const kernels::Device& d : kernels::opencl_devices(note)) {
      const kernels::Probe probe = row_->probe(d);
      note = probe.why;
      if (!probe.ok) continue;
      device_ = d;
      break;
    }
    if (device_.id.empty()) GTEST_SKIP() << note;
  }

  std::unique_ptr<kernels::Kernel> make(OpenclForm form) {
    auto made = make_opencl(device_, form);
    EXPECT_TRUE(made) << (made ? "" : made.error().message + "\n" + made.error().hint);
    return made ? std::move(*made) : nullptr;
  }
  static Kernel& row(const std::unique_ptr<kernels::Kernel>& k) { return static_cast<Kernel&>(*k); }

  const kernels::Row* row_ = nullptr;
  kernels::Device device_;
};

TEST_F(TensorityOpencl, BothFormsGiveTheKnownAnswers) {
  const auto epoch = epoch_of(known_seed());
  const auto known = known_answers();
  ASSERT_FALSE(known.empty());
  for (const OpenclForm form : {OpenclForm::rows, OpenclForm::columns}) {
    const auto k = make(form);
    ASSERT_NE(k, nullptr);
    EXPECT_NE(k->note().find(form == OpenclForm::rows ? "multiplies" : "columns"), std::string::npos) << k->note();
    const std::size_t count = form == OpenclForm::rows ? 1 : known.size();
    std::vector<Hash32> headers, results(count);
    for (std::size_t h = 0; h < count; ++h) headers.push_back(known[h].header_hash);
    const Done hashed = row(k).hash(*epoch, headers, results, {});
    ASSERT_TRUE(hashed) << hashed.error().message;
    for (std::size_t h = 0; h < count; ++h) EXPECT_EQ(results[h], known[h].result) << known[h].name;
  }
}

TEST_F(TensorityOpencl, SearchIsHashOfTheHeadersInOrder) {
  const auto k = make(OpenclForm::chosen);
  ASSERT_NE(k, nullptr);
  const auto epoch = epoch_of(Hash32{1, 2, 3});
  SearchTask task;
  task.epoch = epoch.get();
  for (std::size_t b = 0; b < task.preimage.size(); ++b) task.preimage[b] = static_cast<std::uint8_t>(37 * b);
  task.first_nonce = (std::uint64_t{1} << 63) - 5;
  task.count = 5;
  std::vector<Hash32> headers, results(task.count);
  for (std::uint64_t n = 0; n < task.count; ++n) headers.push_back(header_hash(task.preimage, task.first_nonce + n));
  ASSERT_TRUE(row(k).hash(*epoch, headers, results, {}));
  std::vector<Hash32> sorted = results;
  std::sort(sorted.begin(), sorted.end(), [](const Hash32& a, const Hash32& b) { return !meets(b, a); });
  task.target = sorted[2];  // equality passes: three hits
  const Result<SearchResult> found = row(k).search(task, {});
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->count, task.count);
  EXPECT_EQ(found->best.result, sorted[0]);
  ASSERT_EQ(found->hits.size(), 3u);
  std::size_t next = 0;
  for (std::uint64_t n = 0; n < task.count; ++n) {
    if (!meets(results[n], task.target)) continue;
    EXPECT_EQ(found->hits[next].nonce, task.first_nonce + n);
    EXPECT_EQ(found->hits[next++].result, results[n]);
  }
  ++task.first_nonce;
  EXPECT_EQ(row(k).search(task, {}).status(), Status::bad_argument);  // the last nonce would be 2^63
}

TEST_F(TensorityOpencl, TwoEpochsStayAndTheOlderGoes) {
  const auto k = make(OpenclForm::chosen);
  ASSERT_NE(k, nullptr);
  const std::shared_ptr<const Epoch> epochs[] = {epoch_of(Hash32{1}), epoch_of(Hash32{2}), epoch_of(Hash32{3})};
  const Hash32 header{9};
  Hash32 want[3], got;
  for (int e = 0; e < 3; ++e) ASSERT_TRUE(row(k).hash(*epochs[e], {&header, 1}, {&want[e], 1}, {}));
  EXPECT_NE(want[0], want[1]);
  ASSERT_TRUE(row(k).prepare(*epochs[1]));
  for (const int e : {2, 1, 0}) {
    ASSERT_TRUE(row(k).hash(*epochs[e], {&header, 1}, {&got, 1}, {}));
    EXPECT_EQ(got, want[e]) << e;
  }
}

TEST_F(TensorityOpencl, StopsWithinLaunches) {
  const auto k = make(OpenclForm::chosen);
  ASSERT_NE(k, nullptr);
  const auto epoch = epoch_of(Hash32{1});
  ASSERT_TRUE(row(k).prepare(*epoch));
  SearchTask task;
  task.epoch = epoch.get();
  task.count = std::uint64_t{1} << 40;
  StopSource stop;
  Clock::time_point asked;
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(700));
    asked = Clock::now();
    stop.request_stop();
  });
  const Result<SearchResult> found = row(k).search(task, stop.token());
  const auto end = Clock::now();
  other.join();
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_LT(found->count, task.count);
  // Launches are cut to 20 ms; ten times that leaves room for a machine with other work.
  EXPECT_LT(std::chrono::duration<double>(end - asked).count(), 0.5);
  RecordProperty("stop_ms", std::to_string(std::chrono::duration<double>(end - asked).count() * 1000));

  Hash32 header{}, out;
  EXPECT_EQ(row(k).hash(*epoch, {&header, 1}, {&out, 1}, stop.token()).status(), Status::cancelled);
  EXPECT_TRUE(row(k).hash(*epoch, {}, {}, stop.token()));
  EXPECT_EQ(row(k).hash(*epoch, {&header, 1}, {}, {}).status(), Status::bad_argument);
}

}  // namespace
}  // namespace sparkmill::tensority

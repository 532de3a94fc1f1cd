// SPDX-License-Identifier: Apache-2.0
// The forms of the CUDA row on a GPU, each against the known answers and each other, and the stop token. Skipped with
// the reason where there is no such GPU.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "kernels/backend/discover.h"
#include "kernels/registry.h"
#include "kernels/tensority/cuda_form.h"
#include "kernels/tensority/known.h"
#include "kernels/tensority/rows.h"
#include "kernels/tensority/tensority.h"

namespace sparkmill::tensority {
namespace {

class TensorityCuda : public ::testing::TestWithParam<CudaForm> {
 protected:
  void SetUp() override {
    std::string note;
    const std::vector<kernels::Device> devices = kernels::cuda_devices(note);
    if (devices.empty()) GTEST_SKIP() << note;
    device_ = devices[0];
    auto made = make_cuda(device_, GetParam());
    if (made.status() == Status::unsupported) GTEST_SKIP() << made.error().message;
    ASSERT_TRUE(made) << made.error().message;
    kernel_ = std::move(*made);
    auto built = Epoch::build(known_seed());
    ASSERT_TRUE(built);
    epoch_ = *built;
  }
  Kernel& row() { return static_cast<Kernel&>(*kernel_); }

  kernels::Device device_;
  std::unique_ptr<kernels::Kernel> kernel_;
  std::shared_ptr<const Epoch> epoch_;
};

TEST_P(TensorityCuda, BatchesOfEverySizeGiveTheKnownAnswers) {
  const auto known = known_answers();
  for (const std::size_t count : {1, 2, 33, 34, 131, 133, 1000}) {
    std::vector<Hash32> headers(count), results(count);
    for (std::size_t k = 0; k < count; ++k) headers[k] = known[k % known.size()].header_hash;
    const Done hashed = row().hash(*epoch_, headers, results, {});
    ASSERT_TRUE(hashed) << hashed.error().message;
    for (std::size_t k = 0; k < count; ++k) ASSERT_EQ(results[k], known[k % known.size()].result) << k << "/" << count;
  }
}

TEST_P(TensorityCuda, SearchIsHashOfTheHeadersInOrder) {
  SearchTask task;
  task.epoch = epoch_.get();
  task.preimage.fill(0x5a);
  task.first_nonce = 1000;
  task.count = 5000;
  task.target.fill(0xff);
  task.target[31] = 0x0f;  // one in sixteen
  std::vector<Hash32> headers, results(task.count);
  for (std::uint64_t n = 0; n < task.count; ++n) headers.push_back(header_hash(task.preimage, task.first_nonce + n));
  ASSERT_TRUE(row().hash(*epoch_, headers, results, {}));
  const Result<SearchResult> found = row().search(task, {});
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->count, task.count);
  std::size_t next = 0, best = 0;
  for (std::uint64_t n = 0; n < task.count; ++n) {
    if (!meets(results[best], results[n])) best = n;
    if (!meets(results[n], task.target)) continue;
    ASSERT_LT(next, found->hits.size());
    EXPECT_EQ(found->hits[next].nonce, task.first_nonce + n);
    EXPECT_EQ(found->hits[next++].result, results[n]);
  }
  EXPECT_EQ(next, found->hits.size());
  EXPECT_EQ(found->best.nonce, task.first_nonce + best);
}

TEST_P(TensorityCuda, StopsBetweenLaunches) {
  SearchTask task;
  task.epoch = epoch_.get();
  task.count = std::uint64_t{1} << 40;
  StopSource stop;
  std::chrono::steady_clock::time_point asked;
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    asked = std::chrono::steady_clock::now();
    stop.request_stop();
  });
  const Result<SearchResult> found = row().search(task, stop.token());
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - asked;
  other.join();
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_LT(took.count(), 0.05);
  RecordProperty("hashes_per_second", std::to_string(static_cast<double>(found->count) / (0.5 + took.count())));
}

TEST(TensorityCudaRow, SaysWhichFormItRunsAndThatNothingIsSpilled) {
  std::string note;
  const std::vector<kernels::Device> devices = kernels::cuda_devices(note);
  if (devices.empty()) GTEST_SKIP() << note;
  const auto made = cuda_row().make(devices[0]);
  ASSERT_TRUE(made) << made.error().message;
  const std::string said = (*made)->note();
  EXPECT_EQ(said.find("multiplies with"), 0u) << said;
  EXPECT_NE(said.find("registers a thread, nothing spilled"), std::string::npos) << said;
}

INSTANTIATE_TEST_SUITE_P(Forms, TensorityCuda, ::testing::Values(CudaForm::dot, CudaForm::mma, CudaForm::wgmma));

}  // namespace
}  // namespace sparkmill::tensority

// SPDX-License-Identifier: Apache-2.0
// The parts of the BOINC application that need no client: checkpoints, the choice of a device, the key.
#include <gtest/gtest.h>

#include <thread>

#include "base/hash.h"
#include "base/hex.h"
#include "boinc/app/checkpoint.h"
#include "boinc/app/device.h"
#include "boinc/app/key.h"
#include "tests/base/temp_folder.h"
#include "verify/unit/result.h"

namespace sparkmill::boinc::app {
namespace {

TEST(CheckpointFile, RoundTripAndEveryBitCounts) {
  Checkpoint c;
  c.unit_id = sha256(view("unit"));
  c.result_name = "smk_00000000000000000000000000000000_00001_0";
  c.target_units = 99;
  c.slices[3] = {1, 2, 3};
  c.slices[700] = {};
  const Bytes bytes = encode(c);
  const auto back = decode_checkpoint(bytes);
  ASSERT_TRUE(back.ok());
  EXPECT_TRUE(back->fits(c));
  EXPECT_EQ(back->slices, c.slices);
  EXPECT_EQ(back->target_units, 99u);
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    Bytes bent = bytes;
    bent[at] ^= 4;
    EXPECT_EQ(decode_checkpoint(bent).status(), Status::corrupt) << at;
    EXPECT_EQ(decode_checkpoint(ByteView(bytes).first(at)).status(), Status::corrupt) << at;
  }
  Checkpoint other = c;
  other.result_name.back() = '1';
  EXPECT_FALSE(other.fits(c));
}

Machine cpu_only() { return {kernels::cpu_device(), {}, {}, {}, {"no NVIDIA driver"}}; }

TEST(Device, PlanClasses) {
  const Machine machine = cpu_only();
  const Task cpu_task;
  const auto best = select(kernels::Family::match, "", cpu_task, machine);
  ASSERT_TRUE(best.ok());
  EXPECT_EQ(best->row, kernels::choose(kernels::Family::match, machine.cpu)->row);
  EXPECT_TRUE(select(kernels::Family::tensority, "mt", cpu_task, machine).ok());
  EXPECT_EQ(select(kernels::Family::match, "sse3", cpu_task, machine).status(), Status::bad_argument);
  for (const kernels::Family family : {kernels::Family::match, kernels::Family::tensority}) {
    const kernels::Row* row = kernels::find_row(family, "cpu/avx2");
    const auto avx2 = select(family, "avx2", cpu_task, machine);
    if (row != nullptr && row->probe(machine.cpu).ok) {
      ASSERT_TRUE(avx2.ok());
      EXPECT_TRUE(avx2->row->isa == "avx2" || avx2->row->isa == "avxvnni") << avx2->row->id();
    } else {
      EXPECT_EQ(avx2.status(), Status::unsupported);
    }
  }
}

TEST(Device, AMissingGpuIsWaitedForByName) {
  Task task;
  task.gpu_type = "NVIDIA";
  task.gpu_device = 1;
  const auto cuda = select(kernels::Family::match, "cuda", task, cpu_only());
  ASSERT_FALSE(cuda.ok());
  if (cuda.status() == Status::no_device) {
    EXPECT_NE(cuda.error().message.find("NVIDIA device 1"), std::string::npos);
    EXPECT_NE(cuda.error().message.find("no NVIDIA driver"), std::string::npos);
  } else {
    EXPECT_EQ(cuda.status(), Status::unsupported);  // a build without CUDA rows says that instead
    EXPECT_NE(cuda.error().message.find("cuda"), std::string::npos);
  }
}

TEST(Device, OpenclNumbersAreThoseOfTheVendor) {
  if (kernels::find_row(kernels::Family::match, "opencl") == nullptr) GTEST_SKIP() << "a build without OpenCL rows";
  const auto gpu = [](const char* id, const char* vendor, unsigned index) {
    kernels::OpenclGpu g;
    g.device.id = id;
    g.device.backend = kernels::Backend::opencl;
    g.vendor = vendor;
    g.index = index;
    return g;
  };
  Machine machine = cpu_only();
  machine.opencl = {gpu("a0", "Advanced Micro Devices, Inc.", 0), gpu("n0", "NVIDIA Corporation", 0),
                    gpu("n1", "NVIDIA Corporation", 1), gpu("i0", "Intel(R) Corporation", 0)};
  const auto chosen = [&](const char* type, int index) {
    Task task;
    task.gpu_type = type;
    task.gpu_opencl_index = index;
    const auto s = select(kernels::Family::match, "opencl_x", task, machine);
    if (s.ok()) return s->device.id;
    // These cards do not exist, so their probe may say no: the message names which was asked.
    const std::string& m = s.error().message;
    for (const auto& g : machine.opencl) {
      if (m.find("; " + g.device.id + ":") != std::string::npos) return g.device.id;
    }
    return std::string("none");
  };
  EXPECT_EQ(chosen("ATI", 0), "a0");
  EXPECT_EQ(chosen("NVIDIA", 1), "n1");
  EXPECT_EQ(chosen("intel_gpu", 0), "i0");
  EXPECT_EQ(chosen("ATI", 1), "none");
  EXPECT_EQ(chosen("apple_gpu", 0), "none");
}

TEST(Key, TwoTasksAtOnceEndWithOne) {
  const test::TempFolder folder;
  Task task;
  task.project_folder = folder.path();
  std::vector<std::string> keys(8);
  std::vector<std::thread> threads;
  for (std::string& key : keys) {
    threads.emplace_back([&key, &task] {
      const auto opened = open_app_key(task, {});
      key = opened.ok() ? to_hex(opened->key.public_key()) : opened.error().message;
    });
  }
  for (std::thread& t : threads) t.join();
  for (const std::string& key : keys) EXPECT_EQ(key, keys[0]);
  EXPECT_EQ(*read_text_file(folder / std::string(unit::kAppPublicFile), 100), keys[0] + "\n");
}

TEST(Key, OnlyAStatementForThisKeyIsUsed) {
  const test::TempFolder folder;
  Task task;
  task.project_folder = folder.path();
  const auto app_pub = open_app_key(task, {})->key.public_key();
  const auto worker = keys::KeyFile::from_seed(sha256(view("worker"))).role("envelope");
  const auto file = folder / std::string(unit::kAppStatementFile);
  const Bytes good = unit::make_statement(worker, app_pub, 1);
  ASSERT_TRUE(write_file_atomic(file, unit::make_statement(worker, worker.public_key(), 1)).ok());
  EXPECT_TRUE(open_app_key(task, {})->statement.empty());
  ASSERT_TRUE(write_file_atomic(file, good).ok());
  EXPECT_EQ(open_app_key(task, {})->statement, good);
}

}  // namespace
}  // namespace sparkmill::boinc::app

// SPDX-License-Identifier: Apache-2.0
// What discovery says when there is nothing: one sentence a person can act on. Libraries are loaded once a process, so
// each case runs in a process of its own.
#include "kernels/backend/discover.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "kernels/registry.h"

namespace sparkmill::kernels {
namespace {

/// Runs in the child: prints what discovery found.
[[noreturn]] void report_opencl() {
  std::string note;
  const std::vector<Device> devices = opencl_devices(note);
  std::fprintf(stderr, "[%zu devices] %s\n", devices.size(), note.c_str());
  std::_Exit(0);
}

[[noreturn]] void report_torch() {
  const Row* row = find_row(Family::match, "torch");
  const Probe probe = row != nullptr ? row->probe(cpu_device()) : Probe{false, "no row"};
  std::fprintf(stderr, "[%d] %s\n", probe.ok ? 1 : 0, probe.why.c_str());
  std::_Exit(0);
}

class DiscoverTest : public ::testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(DiscoverTest, WithoutOpenclDriversSaysSo) {
  EXPECT_EXIT(
      {
        setenv("OCL_ICD_VENDORS", "/nonexistent", 1);
        report_opencl();
      },
      ::testing::ExitedWithCode(0), "\\[0 devices\\] .*OpenCL");
}

TEST_F(DiscoverTest, OpenclDevicesHaveDistinctStableIds) {
  std::string note;
  const std::vector<Device> first = opencl_devices(note);
  if (first.empty()) GTEST_SKIP() << note;
  EXPECT_EQ(note, "");
  const std::vector<Device> again = opencl_devices(note);
  ASSERT_EQ(first.size(), again.size());
  for (std::size_t k = 0; k < first.size(); ++k) {
    EXPECT_EQ(first[k].id, again[k].id);
    EXPECT_EQ(first[k].backend, Backend::opencl);
    EXPECT_EQ(first[k].id.rfind("opencl:", 0), 0u);
    EXPECT_FALSE(first[k].name.empty());
    EXPECT_GT(first[k].memory_bytes, 0u);
    for (std::size_t o = 0; o < k; ++o) EXPECT_NE(first[k].id, first[o].id);
  }
}

TEST_F(DiscoverTest, CudaFindsDevicesOrSaysWhyNot) {
  std::string note;
  const std::vector<Device> devices = cuda_devices(note);
  if (devices.empty()) {
    EXPECT_THAT(note,
                ::testing::AnyOf(::testing::HasSubstr("NVIDIA driver"), ::testing::HasSubstr("not in this build")));
    GTEST_SKIP() << note;
  }
  EXPECT_EQ(note, "");
  for (const Device& d : devices) {
    EXPECT_EQ(d.id, "cuda:" + d.pci);
    EXPECT_GT(d.memory_bytes, 0u);
  }
}

TEST_F(DiscoverTest, ADeviceThatIsGoneIsNoDevice) {
  for (const char* id : {"opencl", "cuda"}) {
    const Row* row = find_row(Family::match, id);
    if (row == nullptr) continue;  // not in this build: absent_backends() has the reason
    Device gone;
    gone.backend = row->backend;
    gone.id = std::string(id) + ":0042:42:42.0";
    gone.pci = "0042:42:42.0";
    const Probe probe = row->probe(gone);
    EXPECT_FALSE(probe.ok);
    EXPECT_THAT(probe.why, ::testing::Not(::testing::IsEmpty()));
    const auto made = row->make(gone);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, Status::no_device) << made.error().message;
  }
}

TEST_F(DiscoverTest, DeviceRowsRefuseOtherDevices) {
  for (const Row& row : rows()) {
    Device other = cpu_device();
    if (row.backend == Backend::opencl || row.backend == Backend::cuda) {
      EXPECT_FALSE(row.probe(other).ok) << row.id();
    } else {
      other.id = "opencl:9.9";
      other.backend = Backend::opencl;
      EXPECT_FALSE(row.probe(other).ok) << row.id();
    }
  }
}

TEST_F(DiscoverTest, ABrokenTorchPluginIsNamed) {
  if (find_row(Family::match, "torch") == nullptr) GTEST_SKIP() << "the torch row is not in this build";
  std::string folder = (std::filesystem::temp_directory_path() / "sparkmill-plugin-XXXXXX").string();
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  std::ofstream(folder + "/libsparkmill_torch.so") << "not a library";
  EXPECT_EXIT(
      {
        // The threadsafe style starts the test again in the child, with a folder of its own.
        setenv("SPARKMILL_PLUGINS", ("/nonexistent:" + folder).c_str(), 1);
        report_torch();
      },
      ::testing::ExitedWithCode(0), "\\[0\\] the torch plug-in does not load");
  std::filesystem::remove_all(folder);
}

TEST_F(DiscoverTest, TheTorchPluginOfTheBuildIsFound) {
  if (find_row(Family::match, "torch") == nullptr) GTEST_SKIP() << "the torch row is not in this build";
  EXPECT_EXIT(
      {
        setenv("SPARKMILL_PLUGINS", "/nonexistent", 1);
        report_torch();
      },
      ::testing::ExitedWithCode(0), "\\[1\\] libtorch");
}

}  // namespace
}  // namespace sparkmill::kernels

// SPDX-License-Identifier: Apache-2.0
// The OpenCL row beyond its bits (conformance has those): program cache, upload cache, stop token, limits. Runs on
// whatever device is here, PoCL in the tests; skipped with the reason where there is none.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "kernels/backend/discover.h"
#include "kernels/registry.h"
#include "random_task.h"

namespace sparkmill::match {
namespace {

namespace fs = std::filesystem;

class OpenclRow : public ::testing::Test {
 protected:
  void SetUp() override {
    row_ = kernels::find_row(kernels::Family::match, "opencl");
    if (row_ == nullptr) GTEST_SKIP() << "OpenCL is not in this build";
    std::string note;
    for (const kernels::Device& d : kernels::opencl_devices(note)) {
      if (const kernels::Probe probe = row_->probe(d); probe.ok) {
        device_ = d;
        break;
      } else {
        note = probe.why;
      }
    }
    if (device_.id.empty()) GTEST_SKIP() << note;
    std::string name = (fs::temp_directory_path() / "sparkmill-opencl-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    ASSERT_EQ(setenv("XDG_CACHE_HOME", folder_.c_str(), 1), 0);
  }
  void TearDown() override {
    if (!folder_.empty()) fs::remove_all(folder_);
  }

  std::unique_ptr<kernels::Kernel> make() {
    auto made = row_->make(device_);
    EXPECT_TRUE(made) << (made ? "" : made.error().message + "\n" + made.error().hint);
    return made ? std::move(*made) : nullptr;
  }
  static Kernel& match(const std::unique_ptr<kernels::Kernel>& k) { return static_cast<Kernel&>(*k); }
  static TileResults reference(const Task& task) {
    TileResults out;
    auto made = kernels::find_row(kernels::Family::match, "reference")->make(kernels::cpu_device());
    EXPECT_TRUE(made && static_cast<Kernel&>(**made).run(task, out, {}));
    return out;
  }
  static void expect_same(const TileResults& got, const TileResults& want) {
    EXPECT_EQ(got.counts, want.counts);
    EXPECT_EQ(got.pairs, want.pairs);
    EXPECT_EQ(got.digests, want.digests);
  }
  void check(const std::unique_ptr<kernels::Kernel>& k) {
    const testing::Population people(5, 90, 300, 192, false);
    const Result<Predicate> p = Predicate::make(testing::programs()[1]);
    ASSERT_TRUE(k != nullptr && p.ok());
    Task task;
    task.fields = people.fields();
    task.predicate = &*p;
    task.tiles = {0, 1, 0, 2};
    TileResults got;
    ASSERT_TRUE(match(k).run(task, got, {}));
    expect_same(got, reference(task));
  }

  std::vector<fs::path> entries() const {
    std::vector<fs::path> all;
    std::error_code ec;
    for (const fs::directory_entry& e : fs::directory_iterator(folder_ / "sparkmill", ec)) all.push_back(e.path());
    return all;
  }

  const kernels::Row* row_ = nullptr;
  kernels::Device device_;
  fs::path folder_;
};

TEST_F(OpenclRow, ProgramsAreCachedAndBadEntriesRebuilt) {
  check(make());
  const std::vector<fs::path> first = entries();
  ASSERT_EQ(first.size(), 2u);  // masked and plain
  check(make());
  EXPECT_EQ(entries(), first);
  const Result<Bytes> good = read_file(first[0], 64 << 20);
  ASSERT_TRUE(good);
  for (const fs::path& path : first) std::ofstream(path, std::ios::trunc) << "rubbish";
  check(make());
  const Result<Bytes> again = read_file(first[0], 64 << 20);
  ASSERT_TRUE(again);
  EXPECT_GT(again->size(), 100u);  // written anew
}

TEST_F(OpenclRow, WorksWithoutACacheFolder) {
  std::ofstream(folder_ / "file") << "x";
  ASSERT_EQ(setenv("XDG_CACHE_HOME", (folder_ / "file").c_str(), 1), 0);
  check(make());
}

TEST_F(OpenclRow, UploadsFollowTheContentId) {
  const auto k = make();
  ASSERT_NE(k, nullptr);
  const Result<Predicate> p = Predicate::make(testing::programs()[1]);
  ASSERT_TRUE(p);
  const DigestWords words = expand_digest_words(Hash32{9}, 700, 600);
  const testing::Population one(1, 700, 600, 64, false, 100), two(2, 700, 600, 64, false, 200),
      none(3, 700, 600, 64, false);
  const testing::Population plain(4, 700, 600, 64, true, 300);
  const TileRange ranges[] = {{0, 3, 0, 3}, {1, 2, 2, 3}, {2, 3, 0, 2}};
  for (int round = 0; round < 2; ++round) {
    for (const testing::Population* people : {&one, &two, &none, &plain}) {
      for (const TileRange& range : ranges) {
        Task task;
        task.fields = people->fields();
        task.predicate = &*p;
        task.words = &words;
        task.tiles = range;
        task.force_masked = round == 1;
        TileResults got;
        ASSERT_TRUE(match(k).run(task, got, {}));
        expect_same(got, reference(task));
      }
    }
  }
}

TEST_F(OpenclRow, RowsWithoutAnIdMayChangeBetweenRuns) {
  const auto k = make();
  ASSERT_NE(k, nullptr);
  const Result<Predicate> p = Predicate::make({testing::dot(0, 10)});
  ASSERT_TRUE(p);
  std::mt19937_64 g(8);
  std::vector<std::uint64_t> a = testing::random_rows(g, 40, 64, true);
  const std::vector<std::uint64_t> b = testing::random_rows(g, 40, 64, true);
  const FieldPair field{{reinterpret_cast<const std::uint8_t*>(a.data()), 40, 64, true, 0},
                        {reinterpret_cast<const std::uint8_t*>(b.data()), 40, 64, true, 0}};
  for (int round = 0; round < 3; ++round) {
    Task task;
    task.fields = {&field, 1};
    task.predicate = &*p;
    task.tiles = {0, 1, 0, 1};
    TileResults got;
    ASSERT_TRUE(match(k).run(task, got, {}));
    expect_same(got, reference(task));
    for (std::size_t w = 0; w < a.size(); w += 2) a[w] = g();  // the sign plane
  }
}

TEST_F(OpenclRow, StopsBetweenLaunches) {
  const auto k = make();
  ASSERT_NE(k, nullptr);
  const testing::Population people(5, 90, 300, 192, false);
  const Result<Predicate> p = Predicate::make({testing::dot(0, 10)});
  Task task;
  task.fields = people.fields();
  task.predicate = &*p;
  task.tiles = {0, 1, 0, 2};
  StopSource stop;
  stop.request_stop();
  TileResults out;
  const Done stopped = match(k).run(task, out, stop.token());
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, Status::cancelled);
  check(k);  // and goes on with the next task
}

TEST_F(OpenclRow, TooManyPairsAreRefused) {
  const auto k = make();
  ASSERT_NE(k, nullptr);
  constexpr std::uint32_t kSide = 2304;  // 81 tiles, 5.3 million pairs, all of them match
  std::mt19937_64 g(8);
  const std::vector<std::uint64_t> rows = testing::random_rows(g, kSide, 64, true);
  const Planes planes{reinterpret_cast<const std::uint8_t*>(rows.data()), kSide, 64, true, 0};
  const FieldPair field{planes, planes};
  const Result<Predicate> p = Predicate::make({testing::dot(0, -64)});
  ASSERT_TRUE(p);
  Task task;
  task.fields = {&field, 1};
  task.predicate = &*p;
  task.tiles = {0, 9, 0, 9};
  TileResults out;
  const Done refused = match(k).run(task, out, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Status::too_large);
  check(k);
}

}  // namespace
}  // namespace sparkmill::match

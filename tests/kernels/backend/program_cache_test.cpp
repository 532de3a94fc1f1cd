// SPDX-License-Identifier: Apache-2.0
// The program cache: what was stored comes back, anything damaged reads as absent, nowhere to write is no error.
#include "kernels/backend/program_cache.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "base/file.h"

namespace sparkmill::kernels {
namespace {

namespace fs = std::filesystem;

class ProgramCacheTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "sparkmill-cache-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path folder_;
  const Hash32 key_ = program_key("source", "device", "driver 1", "-DX=1");
  const Bytes binary_ = {1, 2, 3, 4, 5, 6, 7, 8, 9};
};

TEST_F(ProgramCacheTest, GivesBackWhatWasStored) {
  const ProgramCache cache(folder_ / "deep" / "er");
  EXPECT_FALSE(cache.load(key_));
  EXPECT_TRUE(cache.store(key_, binary_));
  EXPECT_EQ(cache.load(key_), binary_);
  cache.forget(key_);
  EXPECT_FALSE(cache.load(key_));
}

TEST_F(ProgramCacheTest, KeyDependsOnEveryPart) {
  EXPECT_NE(program_key("source!", "device", "driver 1", "-DX=1"), key_);
  EXPECT_NE(program_key("source", "device!", "driver 1", "-DX=1"), key_);
  EXPECT_NE(program_key("source", "device", "driver 2", "-DX=1"), key_);
  EXPECT_NE(program_key("source", "device", "driver 1", "-DX=2"), key_);
  EXPECT_NE(program_key("sourced", "evice", "driver 1", "-DX=1"), key_);  // parts do not run into each other
}

TEST_F(ProgramCacheTest, AnyChangedByteReadsAsAbsent) {
  const ProgramCache cache(folder_);
  ASSERT_TRUE(cache.store(key_, binary_));
  const Result<Bytes> good = read_file(cache.path(key_), 1 << 20);
  ASSERT_TRUE(good);
  for (std::size_t at = 0; at < good->size(); ++at) {
    Bytes bad = *good;
    bad[at] ^= 1;
    ASSERT_TRUE(write_file_atomic(cache.path(key_), bad));
    EXPECT_FALSE(cache.load(key_)) << "byte " << at;
  }
}

TEST_F(ProgramCacheTest, AnyOtherLengthReadsAsAbsent) {
  const ProgramCache cache(folder_);
  ASSERT_TRUE(cache.store(key_, binary_));
  const Result<Bytes> good = read_file(cache.path(key_), 1 << 20);
  ASSERT_TRUE(good);
  for (std::size_t size = 0; size < good->size(); ++size) {
    ASSERT_TRUE(write_file_atomic(cache.path(key_), ByteView(*good).first(size)));
    EXPECT_FALSE(cache.load(key_)) << size << " bytes";
  }
  Bytes longer = *good;
  longer.push_back(0);
  ASSERT_TRUE(write_file_atomic(cache.path(key_), longer));
  EXPECT_FALSE(cache.load(key_));
}

TEST_F(ProgramCacheTest, EntryOfAnotherKeyIsNotTaken) {
  const ProgramCache cache(folder_);
  const Hash32 other = program_key("other", "device", "driver 1", "");
  ASSERT_TRUE(cache.store(key_, binary_));
  fs::rename(cache.path(key_), cache.path(other));
  EXPECT_FALSE(cache.load(other));
}

TEST_F(ProgramCacheTest, NowhereToWriteIsNoError) {
  // A file where the folder should be: also root cannot write there.
  std::ofstream(folder_ / "file") << "x";
  const ProgramCache cache(folder_ / "file" / "sparkmill");
  EXPECT_FALSE(cache.store(key_, binary_));
  EXPECT_FALSE(cache.load(key_));
  cache.forget(key_);
  const ProgramCache none{fs::path()};
  EXPECT_FALSE(none.store(key_, binary_));
  EXPECT_FALSE(none.load(key_));
}

TEST_F(ProgramCacheTest, FolderFollowsTheXdgRule) {
  ASSERT_EQ(setenv("HOME", "/home/someone", 1), 0);
  ASSERT_EQ(setenv("XDG_CACHE_HOME", "/var/cache/x", 1), 0);
  EXPECT_EQ(program_cache_folder(), "/var/cache/x/sparkmill");
  ASSERT_EQ(setenv("XDG_CACHE_HOME", "relative", 1), 0);
  EXPECT_EQ(program_cache_folder(), "/home/someone/.cache/sparkmill");
  ASSERT_EQ(unsetenv("XDG_CACHE_HOME"), 0);
  EXPECT_EQ(program_cache_folder(), "/home/someone/.cache/sparkmill");
  ASSERT_EQ(unsetenv("HOME"), 0);
  EXPECT_TRUE(program_cache_folder().empty());
}

}  // namespace
}  // namespace sparkmill::kernels

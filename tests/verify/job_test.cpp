// SPDX-License-Identifier: Apache-2.0
// Job codec, table of kinds, credit, blobs in memory, and what every Executor promises.
#include "verify/job/job.h"

#include <gtest/gtest.h>

#include <cstdio>

#include "base/hash.h"
#include "tests/verify/support.h"

namespace sparkmill::job {
namespace {

using testing::Sample;

Job full_job() {
  Job job;
  job.salt = testing::id_of("salt");
  job.epoch = 7;
  job.deadline_unix_ms = 1'800'000'000'123;
  job.credit_microcobble = 55;
  job.params = {1, 2, 3};
  job.blobs = {testing::seed_of("a"), testing::seed_of("b")};
  seal(job);
  return job;
}

TEST(JobCodec, RoundTrip) {
  const Job job = full_job();
  const Bytes bytes = encode(job);
  EXPECT_EQ(bytes.size(), 16 + 16 + 2 + 8 + 8 + 8 + 4 + 3 + 4 + 64u);
  const auto back = decode(bytes);
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->id, job.id);
  EXPECT_EQ(canonical(*back), canonical(job));
  EXPECT_EQ(back->salt, job.salt);
  Job other = job;
  other.salt[0] ^= 1;
  seal(other);
  EXPECT_NE(other.id, job.id);
}

TEST(JobCodec, EveryFlippedByteAndEveryLengthIsRefused) {
  const Bytes bytes = encode(full_job());
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    Bytes bad = bytes;
    bad[at] ^= 0x01;
    const auto job = decode(bad);
    ASSERT_FALSE(job.ok()) << at;
    EXPECT_TRUE(job.status() == Status::corrupt || job.status() == Status::bad_input) << at;
    EXPECT_EQ(decode(ByteView(bytes).first(at)).status(), Status::bad_input) << at;
  }
  Bytes longer = bytes;
  longer.push_back(0);
  EXPECT_EQ(decode(longer).status(), Status::bad_input);
}

TEST(JobCodec, Limits) {
  Job job = full_job();
  job.params.assign(kMaxParams, 9);
  seal(job);
  EXPECT_TRUE(decode(encode(job)).ok());
  job.params.push_back(9);
  seal(job);
  EXPECT_EQ(decode(encode(job)).status(), Status::bad_input);
  job = full_job();
  job.blobs.assign(kMaxBlobs, {});
  seal(job);
  EXPECT_TRUE(decode(encode(job)).ok());
  job.blobs.push_back({});
  seal(job);
  EXPECT_EQ(decode(encode(job)).status(), Status::bad_input);
}

TEST(JobTable, FindsItsRowsAndRefusesOthers) {
  ASSERT_EQ(kinds().size(), 5u);
  EXPECT_EQ(find_kind(Kind::match_h)->name, "match.h");
  Job job = full_job();
  job.kind = static_cast<Kind>(999);
  seal(job);
  MemoryBlobs blobs;
  const auto work = open(job, blobs, {});
  ASSERT_FALSE(work.ok());
  EXPECT_EQ(work.status(), Status::unsupported);
  EXPECT_NE(work.error().message.find("999"), std::string::npos);
}

TEST(JobTable, ACoreSecondEarns4Point3GflopsSeconds) {
  // 200 cobblestones a day of 1 GFLOPS, 6.0e8 units a core-second.
  const double per_core_second = 4.3 * 200.0 * 1e6 / 86400.0;
  const double got = static_cast<double>(credit_microcobble(*find_kind(Kind::match_h), 600'000'000));
  EXPECT_NEAR(got, per_core_second, 1.0);
  std::printf("match.h: %llu micro-cobblestones per 2^30 units, %.0f a core-second\n",
              static_cast<unsigned long long>(find_kind(Kind::match_h)->credit_microcobble_per_gi_unit), got);
  EXPECT_NEAR(static_cast<double>(credit_microcobble(*find_kind(Kind::verify_batch), 239'000)), per_core_second, 10.0);
}

TEST(JobTable, CreditDoesNotOverflow) {
  KindRow row = *find_kind(Kind::match_h);
  row.credit_microcobble_per_gi_unit = 17'813;
  EXPECT_EQ(credit_microcobble(row, 0), 0u);
  EXPECT_EQ(credit_microcobble(row, 1ull << 30), 17'813u);
  EXPECT_EQ(credit_microcobble(row, (1ull << 30) * 3 / 2), 26'719u);
  EXPECT_EQ(credit_microcobble(row, 1ull << 60), 17'813ull << 30);
}

TEST(MemoryBlobsTest, KeyedByContent) {
  MemoryBlobs blobs;
  const Hash32 hash = blobs.add(Bytes{1, 2, 3});
  EXPECT_EQ(hash, sha256(Bytes{1, 2, 3}));
  const auto blob = blobs.get(hash);
  ASSERT_TRUE(blob.ok());
  EXPECT_EQ(Bytes(blob->bytes.begin(), blob->bytes.end()), (Bytes{1, 2, 3}));
  EXPECT_EQ(blobs.get(sha256(Bytes{4})).status(), Status::not_found);
}

// The contract of job.h, run over the executor of this layer; the worker's scheduler has the same cases in its tests.
class ExecutorContract : public ::testing::Test {
 protected:
  Sample sample_{{}, "executor"};
  InlineExecutor executor_ = testing::cpu_executor();
};

TEST_F(ExecutorContract, EachSliceOnceNeverTwoAtATime) {
  const std::vector<Slice> slices = sample_.work->slice(0);
  ASSERT_EQ(slices.size(), 12u);
  std::vector<int> seen(slices.size());
  int inside = 0;
  const Done ran = executor_.run(*sample_.work, slices,
                                 [&](const Slice& slice, Bytes bytes) {
                                   EXPECT_EQ(++inside, 1);
                                   ++seen[slice.index];
                                   EXPECT_FALSE(bytes.empty());
                                   --inside;
                                   return done();
                                 },
                                 {});
  EXPECT_TRUE(ran.ok());
  EXPECT_EQ(seen, std::vector<int>(slices.size(), 1));
}

TEST_F(ExecutorContract, NoSlicesIsDone) {
  const Done ran = executor_.run(*sample_.work, {}, [](const Slice&, Bytes) { return done(); }, {});
  EXPECT_TRUE(ran.ok());
}

TEST_F(ExecutorContract, TheFirstErrorOfTheCallerEndsIt) {
  int calls = 0;
  const Done ran = executor_.run(
      *sample_.work, sample_.work->slice(0),
      [&](const Slice&, Bytes) -> Done { return ++calls == 3 ? Done(fail(Status::no_space, "full")) : done(); }, {});
  EXPECT_EQ(ran.status(), Status::no_space);
  EXPECT_EQ(calls, 3);
}

TEST_F(ExecutorContract, AnErrorOfTheWorkEndsIt) {
  std::vector<Slice> slices = sample_.work->slice(0);
  slices[1].range = {90, 91, 0, 1};  // outside the job
  int calls = 0;
  const Done ran = executor_.run(*sample_.work, slices, [&](const Slice&, Bytes) { return ++calls, done(); }, {});
  EXPECT_EQ(ran.status(), Status::bad_argument);
  EXPECT_EQ(calls, 1);
}

TEST_F(ExecutorContract, TheStopTokenCancels) {
  StopSource stop;
  int calls = 0;
  const Done ran = executor_.run(
      *sample_.work, sample_.work->slice(0),
      [&](const Slice&, Bytes) {
        if (++calls == 2) stop.request_stop();
        return done();
      },
      stop.token());
  EXPECT_EQ(ran.status(), Status::cancelled);
  EXPECT_EQ(calls, 2);
}

}  // namespace
}  // namespace sparkmill::job

// SPDX-License-Identifier: Apache-2.0
// No nonce of a header is given out twice, whatever job it comes under.
#include "worker/mining/nonce_book.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

namespace sparkmill::mining {
namespace {

MiningJob job_of(std::uint8_t parent, NonceRange range) {
  MiningJob job;
  job.header.previous = {parent};
  job.nonces = range;
  return job;
}

TEST(NonceBook, PiecesFollowEachOtherToTheEndOfTheRange) {
  NonceBook book;
  const MiningJob job = job_of(1, {1000, 250});
  EXPECT_EQ(book.take(job, 100), (NonceRange{1000, 100}));
  EXPECT_EQ(book.take(job, 100), (NonceRange{1100, 100}));
  EXPECT_EQ(book.take(job, 100), (NonceRange{1200, 50}));
  EXPECT_EQ(book.take(job, 100), std::nullopt);
  EXPECT_EQ(book.take(job_of(2, {1000, 250}), 100), (NonceRange{1000, 100})) << "another header starts afresh";
}

TEST(NonceBook, TheEndOf63BitsIsReached) {
  NonceBook book;
  const MiningJob job = job_of(1, {(1ull << 63) - 10, 10});
  EXPECT_EQ(book.take(job, ~0ull), (NonceRange{(1ull << 63) - 10, 10}));
  EXPECT_EQ(book.take(job, 1), std::nullopt);
}

TEST(NonceBook, TheSameHeaderUnderAnotherJobGoesOn) {
  NonceBook book;
  MiningJob job = job_of(1, {0, 1000});
  ASSERT_TRUE(book.take(job, 300));
  job.id = "other";
  job.session = 9;
  job.share_target.value[31] = 1;
  EXPECT_EQ(book.take(job, 100), (NonceRange{300, 100}));
  job.nonces = {200, 1000};  // an overlapping range
  EXPECT_EQ(book.take(job, 100), (NonceRange{400, 100}));
  job.nonces = {350, 10};
  EXPECT_EQ(book.take(job, 100), std::nullopt);
  job.header.timestamp = 1;
  EXPECT_EQ(book.take(job, 100), (NonceRange{350, 10})) << "a new timestamp is a new header";
}

TEST(NonceBook, WhatIsGivenBackIsGivenOutAgain) {
  NonceBook book;
  const MiningJob job = job_of(1, {0, 1000});
  ASSERT_TRUE(book.take(job, 100));
  ASSERT_TRUE(book.take(job, 100));
  book.put_back(job, {60, 40});
  book.put_back(job, {5000, 10});  // never given out
  book.put_back(job, {150, 0});
  EXPECT_EQ(book.take(job, 30), (NonceRange{60, 30}));
  EXPECT_EQ(book.take(job, 30), (NonceRange{90, 10}));
  EXPECT_EQ(book.take(job, 30), (NonceRange{200, 30}));
}

TEST(NonceBook, RandomUseNeverRepeats) {
  NonceBook book;
  std::mt19937 random(5);
  std::set<std::uint64_t> tried;
  std::vector<NonceRange> ranges = {{0, 500}, {200, 500}, {900, 400}, {100, 1200}};
  for (int i = 0; i < 3000; ++i) {
    const MiningJob job = job_of(1, ranges[random() % ranges.size()]);
    const auto piece = book.take(job, 1 + random() % 40);
    if (!piece) continue;
    ASSERT_GE(piece->first, job.nonces.first);
    ASSERT_LE(piece->first + piece->count, job.nonces.first + job.nonces.count);
    const std::uint64_t done = random() % (piece->count + 1);
    for (std::uint64_t n = 0; n < done; ++n) ASSERT_TRUE(tried.insert(piece->first + n).second);
    book.put_back(job, {piece->first + done, piece->count - done});
  }
  EXPECT_EQ(tried.size(), 1300u) << "and all of them are tried in the end";
}

}  // namespace
}  // namespace sparkmill::mining

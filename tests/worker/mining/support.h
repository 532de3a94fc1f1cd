// SPDX-License-Identifier: Apache-2.0
// A miner for tests: takes what a source gives, searches with a function that stands in for Tensority, submits, and
// checks that every ticket ends once.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/hash.h"
#include "base/log.h"
#include "worker/mining/nonce_book.h"

namespace sparkmill::mining {

/// These tests make thousands of log lines on purpose.
inline const bool kQuietLog = [] {
  log::Settings settings;
  settings.level = "off";
  log::configure(settings);
  return true;
}();

/// Stands in for Tensority: as unpredictable, a hundred thousand times faster.
inline Hash32 quick_judge(const Hash32& header_hash, const Hash32& seed) {
  Sha256 h;
  return h.update(header_hash).update(seed).finish();
}

class TestMiner : public Listener {
 public:
  using Judge = std::function<Hash32(const Hash32&, const Hash32&)>;
  explicit TestMiner(Judge judge = quick_judge, unsigned devices = 2) : judge_(std::move(judge)), devices_(devices) {}

  void on_job(const MiningJob& job) override {
    EXPECT_TRUE(!job_ || job.serial != job_->serial) << "no news twice";
    EXPECT_TRUE(job_ || job.clean) << "the first job after none is clean";
    job_ = job;
    ++jobs_;
    clean_jobs_ += job.clean;
  }
  void on_no_job(const std::string& why) override {
    EXPECT_FALSE(why.empty());
    job_.reset();
    ++losses_;
    last_loss_ = why;
  }
  void on_answer(const ShareAnswer& answer) override {
    EXPECT_EQ(open_.erase(answer.ticket), 1u) << "each ticket ends once";
    answers_.push_back(answer);
  }
  void on_report(const SourceReport& report) override {
    report_ = report;
    EXPECT_TRUE(report.books.balanced());
  }

  /// Tries `count` nonces of the current job on each device in turn and submits what is found.
  void search(Source& source, std::uint64_t count) {
    for (unsigned d = 0; d < devices_ && job_; ++d) {
      const MiningJob job = *job_;
      const auto piece = nonces_.take(job, count);
      if (!piece) continue;
      const Hash32 bound = search_bound(job);
      const auto header = preimage(job);
      for (std::uint64_t i = 0; i < piece->count; ++i) {
        const Hash32 result = judge_(tensority::header_hash(header, piece->first + i), job.seed);
        ++hashes_;
        if (tensority::meets(result, bound))
          (void)submit(source, {job.serial, piece->first + i, result, "dev" + std::to_string(d)});
      }
    }
  }
  Result<std::uint64_t> submit(Source& source, const Share& share) {
    const auto ticket = source.submit(share);
    if (ticket) {
      EXPECT_TRUE(open_.insert(*ticket).second);
      ++submitted_;
    } else {
      ++refused_[ticket.error().code];
    }
    return ticket;
  }
  std::uint64_t ended(ShareEnd end) const {
    return static_cast<std::uint64_t>(
        std::count_if(answers_.begin(), answers_.end(), [end](const ShareAnswer& a) { return a.end == end; }));
  }

  std::optional<MiningJob> job_;
  std::uint64_t jobs_ = 0, clean_jobs_ = 0, losses_ = 0, hashes_ = 0, submitted_ = 0;
  std::string last_loss_;
  std::vector<ShareAnswer> answers_;
  std::set<std::uint64_t> open_;
  std::map<Status, std::uint64_t> refused_;
  SourceReport report_;
  NonceBook nonces_;

 private:
  Judge judge_;
  unsigned devices_;
};

}  // namespace sparkmill::mining

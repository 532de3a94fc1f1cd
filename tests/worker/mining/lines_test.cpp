// SPDX-License-Identifier: Apache-2.0
// Sources over real sockets and with the real kernel: TCP and TLS pools, a node behind HTTP.
#include <chrono>
#include <mutex>
#include <thread>

#include "base/http/server.h"
#include "kernels/registry.h"
#include "tests/base/temp_folder.h"
#include "tests/base/tls_certificate.h"
#include "tests/fake/bytom_node.h"
#include "tests/fake/tcp_pool.h"
#include "tests/worker/mining/support.h"
#include "worker/source/bytom_source.h"
#include "worker/source/pool_source.h"

namespace sparkmill::mining {
namespace {

using fake::TcpPool;
using ::testing::HasSubstr;

/// A TestMiner whose listener calls come from the source's threads.
class ThreadedMiner : public Listener {
 public:
  explicit ThreadedMiner(TestMiner::Judge judge = quick_judge) : inner_(std::move(judge)) {}
  template <class Use>
  auto with(Use use) {
    const std::lock_guard lock(mutex_);
    return use(inner_);
  }
  void on_job(const MiningJob& job) override {
    with([&](TestMiner& m) { m.on_job(job); });
  }
  void on_no_job(const std::string& why) override {
    with([&](TestMiner& m) { m.on_no_job(why); });
  }
  void on_answer(const ShareAnswer& answer) override {
    with([&](TestMiner& m) { m.on_answer(answer); });
  }
  void on_report(const SourceReport& report) override {
    with([&](TestMiner& m) { m.on_report(report); });
  }
  /// Waits until `holds` of the miner is true.
  bool wait(const std::function<bool(TestMiner&)>& holds, unsigned seconds = 20) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
    while (!with(holds)) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return true;
  }

 private:
  std::mutex mutex_;
  TestMiner inner_;
};

std::unique_ptr<PoolSource> pool_source(const std::string& url, const std::string& ca_file = {}) {
  PoolSourceSettings settings;
  settings.agent = "sparkmill/test";
  PoolSettings pool;
  pool.url = url;
  pool.user = "acct.rig1";
  pool.ca_file = ca_file;
  settings.pools.push_back(pool);
  auto made = PoolSource::make(settings);
  EXPECT_TRUE(made.ok()) << made.error().message;
  return std::move(*made);
}

/// Stops a source before its listener goes, however the test ends.
struct Stopper {
  Source& source;
  ~Stopper() { source.stop(); }
};

void mine_shares(Source& source, std::size_t shares) {
  ThreadedMiner miner;
  const Stopper stopper{source};
  ASSERT_TRUE(source.start(miner).ok());
  ASSERT_TRUE(miner.wait([](TestMiner& m) { return m.job_.has_value(); }));
  ASSERT_TRUE(miner.wait([&](TestMiner& m) {
    m.search(source, 8);
    return m.answers_.size() >= shares;
  }));
  source.stop();
  const Books b = source.report().books;
  EXPECT_EQ(b.submitted, b.accepted);
  EXPECT_GE(b.accepted, shares);
  EXPECT_EQ(b.open, 0u) << "stop waits a little for answers";
  EXPECT_TRUE(miner.with([](TestMiner& m) { return m.open_.empty(); }));
}

TEST(Lines, TcpPool) {
  TcpPool pool(quick_judge, {});
  const auto source = pool_source(pool.url());
  mine_shares(*source, 50);
  EXPECT_EQ(pool.totals().twice, 0u);
}

TEST(Lines, NewsAndSharesDoNotWaitForATimeout) {
  TcpPool pool(quick_judge, {});
  ThreadedMiner miner;  // outlives the source
  const auto source = pool_source(pool.url());
  ASSERT_TRUE(source->start(miner).ok());
  ASSERT_TRUE(miner.wait([](TestMiner& m) { return m.job_.has_value(); }));
  const auto start = std::chrono::steady_clock::now();
  for (std::uint64_t i = 2; i < 22; ++i) {
    pool.new_block();
    ASSERT_TRUE(miner.wait([i](TestMiner& m) { return m.jobs_ >= i; }));
    miner.with([&](TestMiner& m) { (void)m.submit(*source, {m.job_->serial, i, {}, "a"}); });
    ASSERT_TRUE(miner.wait([i](TestMiner& m) { return m.answers_.size() + 1 >= i; }));
  }
  const std::chrono::duration<double> each = (std::chrono::steady_clock::now() - start) / 20;
  EXPECT_LT(each.count(), 0.25) << "a job and a share there and back; the loop itself waits 0.5 s";
}

TEST(Lines, TlsPoolIsVerified) {
  const test::TempFolder folder;
  const test::Certificate certificate("IP:127.0.0.1");
  certificate.write(folder / "ca.pem");
  TcpPool pool(quick_judge, {}, &certificate);
  const auto source = pool_source(pool.url(), (folder / "ca.pem").string());
  mine_shares(*source, 20);

  ThreadedMiner miner;
  const auto distrustful = pool_source(pool.url());
  ASSERT_TRUE(distrustful->start(miner).ok());
  ASSERT_TRUE(miner.wait([](TestMiner& m) { return m.report_.phase == SourcePhase::unreachable; }));
  EXPECT_THAT(distrustful->report().detail, HasSubstr("certificate"));
  distrustful->stop();
  EXPECT_EQ(pool.totals().logins, 1u) << "the login was not shown to a peer that is not trusted";
}

TEST(Lines, StoppingWhileNobodyAnswersIsQuick) {
  ThreadedMiner miner;
  const auto source = pool_source("stratum+tcp://127.0.0.1:1");
  ASSERT_TRUE(source->start(miner).ok());
  ASSERT_TRUE(miner.wait([](TestMiner& m) { return m.report_.phase == SourcePhase::unreachable; }));
  const auto start = std::chrono::steady_clock::now();
  source->stop();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
}

/// The best Tensority row of this machine, for searching and for judging.
class Kernel {
 public:
  Kernel() {
    const kernels::Device device = kernels::discover_devices().front();
    const auto choice = kernels::choose(kernels::Family::tensority, device);
    EXPECT_TRUE(choice.ok());
    row_ = choice->row;
    if (!slow()) kernel_ = std::move(*kernels::make_tested(*row_, device));
  }
  /// The scalar row alone takes a second a hash, minutes a test with sanitizers.
  bool slow() const { return row_->backend == kernels::Backend::reference; }
  Hash32 hash(const Hash32& header_hash, const Hash32& seed) {
    const std::lock_guard lock(mutex_);
    Hash32 out{};
    EXPECT_TRUE(self().hash(epoch(seed), {&header_hash, 1}, {&out, 1}, {}).ok());
    return out;
  }
  Result<tensority::SearchResult> search(const MiningJob& job, NonceRange piece) {
    const std::lock_guard lock(mutex_);
    tensority::SearchTask task;
    task.epoch = &epoch(job.seed);
    task.preimage = preimage(job);
    task.first_nonce = piece.first;
    task.count = piece.count;
    task.target = search_bound(job);
    return self().search(task, {});
  }

 private:
  tensority::Kernel& self() { return static_cast<tensority::Kernel&>(*kernel_); }
  const tensority::Epoch& epoch(const Hash32& seed) {
    if (!epoch_ || epoch_->seed() != seed) epoch_ = *tensority::Epoch::build(seed);
    return *epoch_;
  }
  std::mutex mutex_;
  const kernels::Row* row_ = nullptr;
  std::unique_ptr<kernels::Kernel> kernel_;
  std::shared_ptr<const tensority::Epoch> epoch_;
};

void mine_with_kernel(Source& source, Kernel& kernel, std::size_t shares) {
  ThreadedMiner miner;
  const Stopper stopper{source};
  ASSERT_TRUE(source.start(miner).ok());
  NonceBook book;
  while (miner.with([](TestMiner& m) { return m.answers_.size(); }) < shares) {
    ASSERT_TRUE(miner.wait([](TestMiner& m) { return m.job_.has_value(); }));
    const MiningJob job = *miner.with([](TestMiner& m) { return m.job_; });
    const auto piece = book.take(job, 4);
    ASSERT_TRUE(piece);
    const auto found = kernel.search(job, *piece);
    ASSERT_TRUE(found.ok()) << found.error().message;
    for (const tensority::Found& f : found->hits) {
      miner.with([&](TestMiner& m) { (void)m.submit(source, {job.serial, f.nonce, f.result, "cpu"}); });
    }
    // A solved block brings a new job: give it the time of a round trip.
    if (!found->hits.empty()) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  source.stop();
  const Books b = source.report().books;
  EXPECT_GE(b.accepted, 1u);
  EXPECT_EQ(b.rejected + b.unknown, 0u);
}

TEST(Lines, PoolWithTheRealKernel) {
  Kernel kernel;
  if (kernel.slow()) GTEST_SKIP() << "no fast row of tensority on this machine";
  fake::PoolManners manners;
  manners.difficulty = 4;
  TcpPool pool([&kernel](const Hash32& h, const Hash32& s) { return kernel.hash(h, s); }, manners);
  const auto source = pool_source(pool.url());
  mine_with_kernel(*source, kernel, 3);
  EXPECT_EQ(pool.totals().low, 0u);
}

TEST(Lines, NodeWithTheRealKernel) {
  Kernel kernel;
  if (kernel.slow()) GTEST_SKIP() << "no fast row of tensority on this machine";
  fake::BytomNode node([&kernel](const Hash32& h, const Hash32& s) { return kernel.hash(h, s); }, system_clock(),
                       0x2000000000400000);  // four hashes a block
  node.token = "miner1:" + std::string(64, 'd');
  http::Server server;
  for (const char* path : {"/get-work", "/submit-work", "/get-block-header"}) {
    server.route("POST", path, [&node](const http::Request& r) { return *node.handle(r); });
  }
  ASSERT_TRUE(server.start("127.0.0.1", 0).ok());
  BytomSettings settings;
  settings.url = "http://127.0.0.1:" + std::to_string(server.port());
  settings.token = node.token;
  settings.poll_ms = 50;
  auto source = BytomSource::make(settings);
  ASSERT_TRUE(source.ok());
  mine_with_kernel(**source, kernel, 3);
  EXPECT_GE(node.blocks, 1u);
  server.stop();
}

}  // namespace
}  // namespace sparkmill::mining

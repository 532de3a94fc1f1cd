// SPDX-License-Identifier: Apache-2.0
// Puts the node together: ledger, blobs, generator, checker, block timer, HTTP; and takes it apart in reverse.
#include "node/node.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/hash.h"
#include "base/hex.h"
#include "base/log.h"
#include "node/jobs/batch_maker.h"
#include "node/jobs/blocks_maker.h"
#include "node/jobs/generator.h"
#include "node/jobs/population.h"
#include "node/server/boinc_routes.h"
#include "node/server/routes.h"
#include "verify/chain/difficulty.h"
#include "verify/job/verify_batch.h"

#ifndef SPARKMILL_VERSION
#define SPARKMILL_VERSION "0.1.0"
#endif

namespace sparkmill::node {

namespace fs = std::filesystem;

namespace {

constexpr unsigned kHttpThreads = 8;

bool is_loopback(const std::string& address) {
  return address == "localhost" || address == "::1" || address.rfind("127.", 0) == 0;
}

/// Loads a key file or makes it at first start.
Result<keys::KeyFile> key_file(const fs::path& path, bool may_create) {
  std::error_code ec;
  if (!fs::exists(path, ec) && may_create) return keys::KeyFile::create(path);
  return keys::KeyFile::load(path);
}

Done make_folder(const fs::path& folder) {
  std::error_code ec;
  const bool fresh = fs::create_directories(folder, ec);
  if (ec) return errno_error(ec.value(), folder.string());
  // Keys and beacon secrets lie here: only the owner looks in. A folder that was there keeps its rights.
  if (fresh) fs::permissions(folder, fs::perms::owner_all, ec);
  return done();
}

/// What one old core (AVX2, 30 H/s) does in an interval with half of its time: too easy is mended within some blocks,
/// each of which comes early; too hard would make a small machine wait for fallback blocks.
std::uint64_t first_bits(const Settings& s) {
  const std::uint64_t easy = std::max<std::uint64_t>(2, s.interval_ms * 16 / 1000);
  return chain::bits_from_target(chain::target_of_difficulty(s.first_difficulty != 0 ? s.first_difficulty : easy));
}

/// "match.h=3,verify.batch=1". Error: bad_config.
Result<std::map<std::uint16_t, std::uint32_t>> shares_of(const std::string& text) {
  std::map<std::uint16_t, std::uint32_t> out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    const std::string item = text.substr(at, end - at);
    const std::size_t equals = std::min(item.find('='), item.size());
    std::uint32_t share = 0;
    const char* last = item.data() + item.size();
    const char* number = item.data() + std::min(equals + 1, item.size());
    const auto read = std::from_chars(number, last, share);
    std::string known;
    const job::KindRow* kind = nullptr;
    for (const job::KindRow& row : job::kinds()) {
      if (row.kind != job::Kind::match_h && row.kind != job::Kind::verify_batch &&
          row.kind != job::Kind::verify_blocks) {
        continue;
      }
      known += (known.empty() ? "" : ", ") + std::string(row.name);
      if (row.name == item.substr(0, equals)) kind = &row;
    }
    if (kind == nullptr || read.ec != std::errc() || read.ptr != last || number == last || share > 1'000) {
      return fail(Status::bad_config, "shares: \"" + item + "\" is not KIND=0..1000", "kinds made here: " + known);
    }
    out[static_cast<std::uint16_t>(kind->kind)] = share;
    at = end + 1;
  }
  return out;
}

/// "verify.batch,verify.blocks". Error: bad_config.
Result<std::set<job::Kind>> confirmed_kinds(const std::string& text) {
  std::set<job::Kind> out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    const std::string item = text.substr(at, end - at);
    std::string known;
    const job::KindRow* kind = nullptr;
    for (const job::KindRow& row : job::kinds()) {
      known += (known.empty() ? "" : ", ") + std::string(row.name);
      if (row.name == item) kind = &row;
    }
    if (kind == nullptr)
      return fail(Status::bad_config, "confirm: \"" + item + "\" is no kind of job", "kinds: " + known);
    out.insert(kind->kind);
    at = end + 1;
  }
  return out;
}

GeneratorSettings generator_settings(const Settings& s) {
  GeneratorSettings out;
  out.requests = s.job_requests;
  out.users = s.job_users;
  out.n = s.job_n;
  out.predicate = s.job_predicate;
  out.queue_ahead = s.queue_ahead;
  out.max_jobs = s.max_jobs;
  out.signatures = s.job_signatures;
  out.blocks = s.job_blocks;
  if (const auto shares = shares_of(s.shares)) {
    const auto none = [&](job::Kind kind) {
      const auto share = shares->find(static_cast<std::uint16_t>(kind));
      return share != shares->end() && share->second == 0;
    };
    out.match = !none(job::Kind::match_h);
    if (none(job::Kind::verify_batch)) out.signatures = 0;
    if (none(job::Kind::verify_blocks)) out.blocks = 0;
  }
  return out;
}

}  // namespace

Done check(const Settings& s) {
  const auto range = [](const char* what, std::uint64_t v, std::uint64_t low, std::uint64_t high) -> Done {
    if (v >= low && v <= high) return done();
    return fail(Status::bad_config, std::string(what) + ": " + std::to_string(v) + " is not in " + std::to_string(low) +
                                        " to " + std::to_string(high));
  };
  if (s.data.empty()) return fail(Status::bad_config, "data: no folder named");
  if (!s.allow_remote && !is_loopback(s.listen)) {
    return fail(Status::bad_config, "listen: " + s.listen + " is not a loopback address, and this node has no TLS yet",
                "listen on 127.0.0.1, put a TLS proxy before it, or say --allow-remote if the network is yours");
  }
  SPARKMILL_TRY(range("interval-ms", s.interval_ms, 50, 86'400'000));
  SPARKMILL_TRY(range("first-difficulty", s.first_difficulty, 0, std::uint64_t{1} << 62));
  SPARKMILL_TRY(range("min-open-ms", s.min_open_ms, 0, 86'400'000));
  SPARKMILL_TRY(range("lease-ms", s.lease_ms, 1'000, 86'400'000));
  SPARKMILL_TRY(range("openings", s.openings, 1, 4'096));
  SPARKMILL_TRY(range("queue-ahead", s.queue_ahead, 1, 1'000));
  SPARKMILL_TRY(range("beacon-length", s.beacon_length, 1, 1u << 24));
  if (const auto shares = shares_of(s.shares); !shares) return shares.error();
  if (const auto kinds = confirmed_kinds(s.confirm); !kinds) return kinds.error();
  return s.generate ? Generator::check(generator_settings(s)) : done();
}

struct Node::Impl {
  Impl(const Settings& s, const Clock& clock) : settings(s), time(clock) {}

  Done prepare();
  Done prepare_ledger(bool first_start);
  Result<Hash32> population_seed();
  Done match_blobs();
  void on_receipt(const protocol::Receipt& receipt);
  void start_threads();
  void timer_loop();
  void tick_block();
  void publish(const AppendedBlock& made);
  void tick_late();
  void stop();

  Settings settings;
  NodeTime time;
  std::unique_ptr<keys::SigningKey> receipt_key;
  std::unique_ptr<Ledger> ledger;
  std::unique_ptr<BlobStore> blobs;
  std::unique_ptr<Checker> checker;
  std::unique_ptr<Generator> generator;
  std::unique_ptr<Mining> mining;
  std::unique_ptr<credit::Adapter> credit;
  std::unique_ptr<BoincRoutes> boinc_routes;
  EventHub events;
  std::unique_ptr<Routes> routes;
  http::Server server;
  keys::PublicKey requester{};
  keys::PublicKey foundation{};
  keys::PublicKey operations{};
  std::thread timer;
  std::mutex mutex;
  std::condition_variable wake;
  bool stopping = false;
};

Done Node::Impl::prepare() {
  SPARKMILL_TRY(make_folder(settings.data));
  std::error_code ec;
  const bool first_start = !fs::exists(settings.data / "ledger.sqlite", ec);
  SPARKMILL_TRY(prepare_ledger(first_start));
  SPARKMILL_ASSIGN(blobs, BlobStore::open(settings.data / "blobs", settings.blob_limit_bytes));
  SPARKMILL_TRY(match_blobs());
  SPARKMILL_ASSIGN(const std::set<job::Kind> confirm, confirmed_kinds(settings.confirm));
  SPARKMILL_ASSIGN(
      checker, Checker::make(*ledger, *blobs, time, confirm, [this](const protocol::Receipt& r) { on_receipt(r); }));
  if (settings.generate) {
    GeneratorSettings g = generator_settings(settings);
    SPARKMILL_ASSIGN(g.seed, population_seed());
    generator = std::make_unique<Generator>(g, *ledger, *blobs, time, [this] { routes->wake(); });
  }
  if (settings.proof_of_work) {
    MiningSettings m;
    m.interval_ms = settings.interval_ms;
    SPARKMILL_ASSIGN(mining, Mining::make(m, *ledger, time, [this](const AppendedBlock& made) { publish(made); }));
  }
  credit::AdapterOptions exports;
  exports.file = settings.boinc_projects;
  SPARKMILL_ASSIGN(credit, credit::Adapter::make(exports, *ledger, time));
  RoutesContext c;
  c.mining = mining.get();
  c.ledger = ledger.get();
  c.blobs = blobs.get();
  c.checker = checker.get();
  c.events = &events;
  c.time = &time;
  c.identity = {receipt_key->public_key(), random_array<16>()};
  c.info.version = SPARKMILL_VERSION;
  c.info.node_pub = c.identity.node_pub;
  c.info.boot_id = c.identity.boot_id;
  c.info.interval_ms = settings.interval_ms;
  if (settings.generate) {
    const GeneratorSettings made = generator_settings(settings);
    if (made.match) c.info.kinds.emplace_back(job::find_kind(job::Kind::match_h)->name);
    if (made.signatures != 0) c.info.kinds.emplace_back(job::find_kind(job::Kind::verify_batch)->name);
    if (made.blocks != 0) c.info.kinds.emplace_back(job::find_kind(job::Kind::verify_blocks)->name);
  }
  if (mining) c.info.kinds.emplace_back(job::find_kind(job::Kind::tensority)->name);
  c.info.beacon_anchor = ledger->first_anchor();
  c.openings = settings.openings;
  c.on_taken = [this] {
    if (generator) generator->wake();
  };
  boinc_routes = std::make_unique<BoincRoutes>(BoincContext{ledger.get(), credit.get(), &time, c.identity});
  routes = std::make_unique<Routes>(std::move(c));
  routes->install(server);
  boinc_routes->install(server);
  http::Limits limits;
  limits.body_bytes = kControlLimit;
  return server.start(settings.listen, settings.port, limits, kHttpThreads);
}

Done Node::Impl::prepare_ledger(bool first_start) {
  SPARKMILL_ASSIGN(const keys::KeyFile key, key_file(settings.data / "node.key", first_start));
  SPARKMILL_ASSIGN(const keys::KeyFile foundation_key, key_file(settings.data / "foundation.key", first_start));
  SPARKMILL_ASSIGN(const keys::KeyFile operations_key, key_file(settings.data / "operations.key", first_start));
  receipt_key = std::make_unique<keys::SigningKey>(key.role("receipt"));
  LedgerOptions options;
  options.folder = settings.data;
  options.chain.interval_ms = settings.interval_ms;
  options.chain.beacon_length = settings.beacon_length;
  if (settings.proof_of_work) options.chain.bits = first_bits(settings);
  options.chain.foundation = foundation_key.role("envelope").public_key();
  options.chain.operations = operations_key.role("envelope").public_key();
  options.requester = key.role("envelope").public_key();
  options.lease_ms = settings.lease_ms;
  options.min_open_ms = settings.min_open_ms;
  options.reissue_grace_ms = settings.reissue_grace_ms ? settings.reissue_grace_ms : 3 * settings.interval_ms;
  SPARKMILL_ASSIGN(options.kind_shares, shares_of(settings.shares));
  SPARKMILL_ASSIGN(ledger, Ledger::open(options, *receipt_key, time.now_ms()));
  time.not_before(ledger->tip().time_ms);
  return done();
}

/// The seed text's own population, or one drawn at first start and kept.
Result<Hash32> Node::Impl::population_seed() {
  if (!settings.seed_text.empty()) {
    return sha256(ByteWriter().bytes("sparkmill/demo-population/v1").bytes(settings.seed_text).data());
  }
  SPARKMILL_ASSIGN(const std::optional<Bytes> stored, ledger->meta("population_seed"));
  Hash32 seed = random_array<32>();
  if (stored && stored->size() == seed.size()) {
    std::memcpy(seed.data(), stored->data(), seed.size());
    return seed;
  }
  SPARKMILL_TRY(ledger->set_meta("population_seed", seed));
  return seed;
}

/// After a crash: files the ledger does not know are deleted, attempts whose files are gone are made again.
Done Node::Impl::match_blobs() {
  SPARKMILL_ASSIGN(const std::vector<Hash32> known_list, ledger->blobs());
  const std::set<Hash32> known(known_list.begin(), known_list.end());
  for (const Hash32& sha : blobs->list()) {
    if (!known.count(sha)) SPARKMILL_TRY(blobs->remove(sha));
  }
  for (const Hash32& sha : known) {
    if (blobs->path(sha).empty()) SPARKMILL_TRY(ledger->drop_attempts_with(sha));
  }
  return done();
}

/// Says what was decided and, for an accepted demo task, how well the real faces were found.
void Node::Impl::on_receipt(const protocol::Receipt& r) {
  log::get("node")->info("lease {}: {}{}{}", to_hex(r.id), r.reason, r.detail.empty() ? "" : ", ", r.detail);
  if (generator) generator->wake();
  if (!r.accepted) return;
  const auto task = ledger->task_of(r.job_id);
  if (!task) return;
  const auto result = ledger->task_result(task->id);
  if (!result) return;
  if (task->kind == static_cast<std::uint16_t>(job::Kind::verify_batch)) {
    const auto batch = decode_batch_spec(task->spec);
    const auto verdicts = job::decode_batch_answer(*result, ByteReader(*result).u32());
    if (!batch || !verdicts) return;
    log::get("node")->info("task {}: {} {}: {} signatures beside the planted ones, {} of them valid", task->id,
                           batch->form->scheme_name, batch->form->policy_name, verdicts->size(),
                           std::count(verdicts->begin(), verdicts->end(), 1));
    return;
  }
  if (task->kind == static_cast<std::uint16_t>(job::Kind::verify_blocks)) {
    const auto blocks = decode_blocks_spec(task->spec);
    if (!blocks || result->size() < 4) return;
    log::get("node")->info("task {}: {}: {} items beside the planted ones, {} of them valid", task->id,
                           job::name(blocks->chain), result->size() - 4,
                           std::count(result->begin() + 4, result->end(), 1));
    return;
  }
  const auto spec = decode_task_spec(task->spec);
  if (!spec) return;
  const auto pairs = job::decode_pairs(*result);
  if (!pairs) return;
  const TaskReport report = report_of(*spec, *pairs);
  log::get("node")->info(
      "task {}: {} of {} altered real faces found, {} false pairs among real faces, {} with synthetic ones", task->id,
      report.altered_found, report.altered_shown, report.real_false, report.synthetic_false);
}

void Node::Impl::start_threads() {
  checker->start();
  if (generator) generator->start();
  credit->start();
  timer = std::thread([this] { timer_loop(); });
}

void Node::Impl::timer_loop() {
  constexpr std::uint64_t kLookMs = 500;
  std::uint64_t next_block = time.steady_ms() + settings.interval_ms;
  std::uint64_t next_look = time.steady_ms() + kLookMs;
  std::unique_lock lock(mutex);
  while (!stopping) {
    const std::uint64_t now = time.steady_ms();
    if (mining && now >= next_block) {
      lock.unlock();
      if (const Done made = mining->tick(); !made) {
        log::get("node")->error("block {}: {}", ledger->tip().height + 1, made.error().message);
      }
      lock.lock();
      next_block = now + std::max<std::uint64_t>(settings.interval_ms / 4, 10);
    }
    if (now >= next_block) {
      lock.unlock();
      tick_block();
      lock.lock();
      next_block = std::max(next_block + settings.interval_ms, now + settings.interval_ms / 2);
    }
    if (now >= next_look) {
      lock.unlock();
      tick_late();
      lock.lock();
      next_look = now + kLookMs;
    }
    if (stopping) return;
    // Short naps, because a test's clock may move faster than this thread sleeps.
    const std::uint64_t due = std::min(next_block, next_look);
    const std::uint64_t at = time.steady_ms();
    wake.wait_for(lock, std::chrono::milliseconds(std::min<std::uint64_t>(due > at ? due - at : 1, 100)));
  }
}

void Node::Impl::tick_block() {
  const std::uint64_t nonce = ByteReader(random_array<8>()).u64() >> 1;
  const auto made = ledger->append_block(time.now_ms(), nonce);
  if (!made) {
    log::get("node")->error("block {}: {}", ledger->tip().height + 1, made.error().message);
    return;
  }
  publish(*made);
}

void Node::Impl::publish(const AppendedBlock& made) {
  events.send("block", protocol::to_json(made.block));
  for (const Id16& lease : made.challenged) {
    const nlohmann::ordered_json data = {{"lease_id", to_hex(lease)}, {"height", made.block.height}};
    events.send("challenge", data.dump());
  }
}

void Node::Impl::tick_late() {
  const auto late = ledger->expire(time.now_ms());
  if (!late) {
    log::get("node")->error("deadlines: {}", late.error().message);
    return;
  }
  for (const Id16& lease : *late) {
    log::get("node")->info("lease {}: late, its task goes to another attempt", to_hex(lease));
    const nlohmann::ordered_json data = {{"lease_id", to_hex(lease)}, {"reason", "late"}};
    events.send("cancel", data.dump());
  }
  if (!late->empty() && generator) generator->wake();
}

void Node::Impl::stop() {
  {
    std::lock_guard lock(mutex);
    if (stopping) return;
    stopping = true;
    wake.notify_all();
  }
  if (routes) routes->wake();
  if (mining) mining->stop();
  if (checker) checker->stop();
  if (generator) generator->stop();
  if (credit) credit->stop();
  server.stop();
  events.clear();
  if (timer.joinable()) timer.join();
}

Node::Node() = default;

Node::~Node() { stop(); }

Result<std::unique_ptr<Node>> Node::start(const Settings& settings, const Clock& clock) {
  SPARKMILL_TRY(check(settings));
  std::unique_ptr<Node> node(new Node);
  node->impl_ = std::make_unique<Impl>(settings, clock);
  if (settings.listen == "localhost") node->impl_->settings.listen = "127.0.0.1";
  SPARKMILL_TRY(node->impl_->prepare());
  node->impl_->start_threads();
  return node;
}

std::string Node::url() const {
  const std::string& host = impl_->settings.listen;
  return "http://" + (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" +
         std::to_string(impl_->server.port());
}

keys::PublicKey Node::node_pub() const { return impl_->receipt_key->public_key(); }
Hash32 Node::beacon_anchor() const { return impl_->ledger->first_anchor(); }
std::string Node::idle_reason() const { return impl_->generator ? impl_->generator->reason() : "generation is off"; }

Done Node::reload() { return impl_->credit->reload(); }

void Node::stop() {
  if (impl_) impl_->stop();
}

}  // namespace sparkmill::node

// SPDX-License-Identifier: Apache-2.0
// The writer thread of the store: queue, batching, full disks, and opening with a damaged file moved aside.
#include "worker/store/store.h"

#include "base/file.h"
#include "base/log.h"
#include "worker/store/schema.h"

namespace sparkmill::worker {

namespace fs = std::filesystem;

namespace {

/// Moves the database and its side files away; returns the new name.
std::string set_aside(const fs::path& path, const Clock& clock) {
  const std::string aside = path.string() + ".damaged-" + std::to_string(clock.unix_ms());
  std::error_code ec;
  fs::rename(path, aside, ec);
  for (const char* side : {"-wal", "-shm"}) {
    fs::rename(path.string() + side, aside + side, ec);
  }
  return aside;
}

/// True for a failure that may go away by itself.
bool temporary(Status code) { return code == Status::no_space || code == Status::io_error || code == Status::locked; }

}  // namespace

Store::Store(fs::path path, StoreSettings settings, const Clock& clock)
    : path_(std::move(path)), settings_(settings), clock_(clock) {}

Result<std::unique_ptr<Store>> Store::open(const fs::path& path, StoreSettings settings, const Clock& clock) {
  std::error_code ec;
  fs::create_directories(path.parent_path(), ec);
  if (ec) return errno_error(ec.value(), path.parent_path().string());
  std::unique_ptr<Store> store(new Store(path, settings, clock));
  auto prepared = [&]() -> Done {
    auto db = sqlite::Database::open(path, true);
    if (!db) return db.error();
    store->db_ = std::move(*db);
    return sqlite::guarded(path.string(), [&]() -> Done { return migrate(*store->db_, path.string()); });
  }();
  if (!prepared) {
    store->db_.reset();
    Error error = prepared.error();
    if (error.code == Status::corrupt && error.hint != kNewerHint) {
      const std::string aside = set_aside(path, clock);
      error.message = path.string() + ": the store is damaged (" + error.message + ")";
      error.hint = "it was moved to " + aside +
                   "; start again to begin with an empty store. Accepted work is safe: the " +
                   "node keeps receipts and credit";
    }
    return error;
  }
  store->writer_ = std::thread([s = store.get()] { s->write_loop(); });
  return store;
}

Store::~Store() {
  {
    std::lock_guard lock(mutex_);
    closing_ = true;
  }
  work_.notify_all();
  room_.notify_all();
  if (writer_.joinable()) writer_.join();
}

void Store::on_trouble(std::function<void(const std::optional<Error>&)> callback) {
  std::lock_guard lock(mutex_);
  trouble_ = std::move(callback);
}

Done Store::enqueue(Item item) {
  std::unique_lock lock(mutex_);
  room_.wait(lock, [&] {
    return broken_ || closing_ ||
           (queue_.size() < settings_.queue_items &&
            (queue_.empty() || queued_bytes_ + item.bytes <= settings_.queue_bytes));
  });
  if (broken_) return *broken_;
  if (closing_) return fail(Status::cancelled, "the store is closing");
  queued_bytes_ += item.bytes;
  queue_.push_back(std::move(item));
  lock.unlock();
  work_.notify_one();
  return done();
}

Done Store::call(Body body) {
  auto waiter = std::make_shared<std::promise<Done>>();
  auto result = waiter->get_future();
  SPARKMILL_TRY(enqueue({std::move(body), 256, waiter}));
  return result.get();
}

Done Store::flush() {
  return call([](sqlite::Database&) {});
}

std::optional<Error> Store::write(std::span<Item> items) {
  auto result = sqlite::guarded(path_.string(), [&]() -> Done {
    sqlite::Transaction transaction(*db_);
    for (Item& item : items) item.body(*db_);
    transaction.commit();
    return done();
  });
  if (result) return std::nullopt;
  return result.error();
}

bool Store::wait_out(const Error& error, std::uint64_t since_ms) {
  std::unique_lock lock(mutex_);
  if (closing_ || clock_.steady_ms() - since_ms >= settings_.trouble_patience_ms) {
    broken_ = error;
    room_.notify_all();
    return false;
  }
  work_.wait_for(lock, std::chrono::milliseconds(500), [&] { return closing_; });
  return true;
}

void Store::settle(std::vector<Item>& batch) {
  const std::uint64_t since = clock_.steady_ms();
  bool told = false;
  auto tell = [&](const std::optional<Error>& error) {
    std::function<void(const std::optional<Error>&)> callback;
    {
      std::lock_guard lock(mutex_);
      callback = trouble_;
    }
    if (callback) callback(error);
  };
  std::optional<Error> error;
  {
    std::lock_guard lock(mutex_);
    error = broken_;  // once given up, later batches fail at once
  }
  const bool dead = error.has_value();
  if (!dead) error = write(batch);
  while (!dead && error && temporary(error->code)) {
    if (!told) {
      log::get("store")->error("{}; waiting for room", error->message);
      told = true;
    }
    tell(error);
    if (!wait_out(*error, since)) break;
    error = write(batch);
  }
  if (told && !error) {
    log::get("store")->info("writing works again");
    tell(std::nullopt);
  }
  const bool each = !dead && error && !temporary(error->code) && batch.size() > 1;
  for (Item& item : batch) {
    // A broken statement must fail its own caller only, so the others get a transaction of their own.
    const std::optional<Error> own = each ? write({&item, 1}) : error;
    if (item.waiter) {
      item.waiter->set_value(own ? Done(*own) : done());
    } else if (own && !dead) {
      if (!temporary(own->code)) log::get("store")->error("{}", own->message);
      std::lock_guard lock(mutex_);
      if (!broken_) broken_ = own;
      room_.notify_all();
    }
  }
}

void Store::write_loop() {
  for (;;) {
    std::vector<Item> batch;
    {
      std::unique_lock lock(mutex_);
      work_.wait(lock, [&] { return closing_ || !queue_.empty(); });
      if (queue_.empty()) return;
      const std::size_t n = std::min<std::size_t>(queue_.size(), 256);
      for (std::size_t i = 0; i < n; ++i) {
        queued_bytes_ -= queue_.front().bytes;
        batch.push_back(std::move(queue_.front()));
        queue_.pop_front();
      }
    }
    room_.notify_all();
    settle(batch);
  }
}

std::uint64_t Store::bytes() const {
  std::uint64_t sum = 0;
  for (const char* side : {"", "-wal"}) {
    std::error_code ec;
    const auto size = fs::file_size(path_.string() + side, ec);
    if (!ec) sum += size;
  }
  return sum;
}

}  // namespace sparkmill::worker

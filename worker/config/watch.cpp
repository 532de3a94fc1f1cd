// SPDX-License-Identifier: Apache-2.0
// Live reload: the file is polled (a rename, a mount and a network file system all look the same that way), and SIGHUP
// asks for a look at once.
#include <sys/stat.h>

#include <condition_variable>
#include <csignal>
#include <mutex>
#include <optional>

#include "worker/config/config.h"

namespace sparkmill::config {

namespace {

std::atomic<unsigned> hangups{0};
static_assert(std::atomic<unsigned>::is_always_lock_free, "written by a signal handler");

extern "C" void count_hangup(int) { hangups.fetch_add(1, std::memory_order_relaxed); }

struct Stamp {
  bool there = false;
  dev_t device = 0;
  ino_t inode = 0;
  off_t size = 0;
  timespec changed{};
  bool operator==(const Stamp& o) const {
    return there == o.there && device == o.device && inode == o.inode && size == o.size &&
           changed.tv_sec == o.changed.tv_sec && changed.tv_nsec == o.changed.tv_nsec;
  }
};

Stamp stamp_of(const std::filesystem::path& path) {
  struct stat st {};
  if (path.empty() || ::stat(path.c_str(), &st) != 0) return {};
  return {true, st.st_dev, st.st_ino, st.st_size, st.st_mtim};
}

}  // namespace

void poke_on_sighup() {
  struct sigaction action {};
  action.sa_handler = count_hangup;
  action.sa_flags = SA_RESTART;
  ::sigemptyset(&action.sa_mask);
  ::sigaction(SIGHUP, &action, nullptr);
}

struct Watcher::Impl {
  Inputs inputs;
  Config current;
  Apply apply;
  unsigned poll_ms;
  std::filesystem::path path;
  std::mutex mutex;
  std::condition_variable wake;
  bool closing = false;
  std::mutex reload_mutex;
  std::thread thread;

  Done reload() {
    std::lock_guard lock(reload_mutex);
    auto logger = log::get("config");
    auto next = load(inputs);
    if (!next) {
      logger->error("kept the old settings: {}{}{}", next.error().message, next.error().hint.empty() ? "" : "; ",
                    next.error().hint);
      return next.error();
    }
    const std::vector<Change> changes = difference(current, *next);
    current = std::move(*next);
    for (const Change& c : changes) {
      logger->info("{}: '{}' -> '{}'{}", c.name, c.before, c.after, c.live ? "" : " (from the next start on)");
    }
    if (!changes.empty() && apply) apply(current, changes);
    return done();
  }

  void loop() {
    std::optional<Stamp> seen;  // the first look always reads: the file may have changed since it was loaded
    unsigned pokes = hangups.load();
    std::unique_lock lock(mutex);
    while (!wake.wait_for(lock, std::chrono::milliseconds(poll_ms), [this] { return closing; })) {
      const Stamp now = stamp_of(path);
      const unsigned asked = hangups.load();
      if (now == seen && asked == pokes) continue;
      seen = now;
      pokes = asked;
      lock.unlock();
      (void)reload();  // logged inside
      lock.lock();
    }
  }
};

Watcher::Watcher(Inputs inputs, Config current, Apply apply, unsigned poll_ms) : impl_(std::make_unique<Impl>()) {
  impl_->path = inputs.file.empty() ? default_file(inputs.environment) : inputs.file;
  impl_->inputs = std::move(inputs);
  impl_->current = std::move(current);
  impl_->apply = std::move(apply);
  impl_->poll_ms = poll_ms;
  impl_->thread = std::thread([this] { impl_->loop(); });
}

Watcher::~Watcher() {
  {
    std::lock_guard lock(impl_->mutex);
    impl_->closing = true;
  }
  impl_->wake.notify_all();
  impl_->thread.join();
}

Done Watcher::reload() { return impl_->reload(); }

}  // namespace sparkmill::config

// SPDX-License-Identifier: Apache-2.0
// Threads for blocking handlers: one is added whenever all are busy (up to a limit), and spare ones end after a while.
// Used by the HTTP server only.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace sparkmill::http {

class Pool {
 public:
  Pool(unsigned kept, unsigned most) : kept_(kept), most_(std::max(kept, most)) {}
  ~Pool() { join(); }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  void post(std::function<void()> work) {
    std::lock_guard lock(mutex_);
    queue_.push_back(std::move(work));
    if (queue_.size() > idle_ && alive_ < most_) {
      ++alive_;
      threads_.emplace_back([this] { loop(); });
    }
    wake_.notify_one();
  }

  /// Runs what is queued, then ends all threads. Nothing may be posted after.
  void join() {
    std::vector<std::thread> threads;
    {
      std::unique_lock lock(mutex_);
      closing_ = true;
      wake_.notify_all();
      ended_.wait(lock, [this] { return alive_ == 0; });
      threads.swap(threads_);
      if (retired_.joinable()) threads.push_back(std::move(retired_));
    }
    for (auto& t : threads) t.join();
  }

 private:
  void loop() {
    std::unique_lock lock(mutex_);
    for (;;) {
      ++idle_;
      const bool ready = wake_.wait_for(lock, std::chrono::seconds(20), [this] { return closing_ || !queue_.empty(); });
      --idle_;
      if (!queue_.empty()) {
        auto work = std::move(queue_.front());
        queue_.pop_front();
        lock.unlock();
        work();
        work = nullptr;  // what it holds must go before the next wait
        lock.lock();
      } else if (closing_) {
        --alive_;
        ended_.notify_all();
        return;
      } else if (!ready && alive_ > kept_) {
        --alive_;
        retire();
        return;
      }
    }
  }
  /// Joins the threads that retired before, and leaves this one to the next: each stays joinable, none piles up.
  void retire() {
    if (retired_.joinable()) retired_.join();
    const auto self = std::this_thread::get_id();
    auto it = std::find_if(threads_.begin(), threads_.end(), [&](const std::thread& t) { return t.get_id() == self; });
    retired_ = std::move(*it);
    threads_.erase(it);
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable ended_;
  std::deque<std::function<void()>> queue_;
  std::vector<std::thread> threads_;
  std::thread retired_;  // the last one that ended for want of work
  std::size_t idle_ = 0;
  unsigned alive_ = 0;
  unsigned kept_;
  unsigned most_;
  bool closing_ = false;
};

}  // namespace sparkmill::http

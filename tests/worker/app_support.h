// SPDX-License-Identifier: Apache-2.0
// A real node and a real worker in one process, small jobs and short blocks.
#pragma once

#include <algorithm>

#include "base/hash.h"
#include "node/node.h"
#include "tests/fake/lying_proxy.h"
#include "tests/worker/support.h"
#include "worker/app.h"

namespace sparkmill::testing {

inline std::uint16_t port_of(const std::string& url) {
  return static_cast<std::uint16_t>(std::stoul(url.substr(url.rfind(':') + 1)));
}

struct Town {
  explicit Town(const Clock& c = system_clock()) : clock(c) {
    settings.data = folder.path() / "node";
    settings.proof_of_work = false;
    settings.interval_ms = 200;
    settings.min_open_ms = 20'000;
    settings.job_requests = 1024;
    settings.job_users = 1024;
    settings.job_n = 512;
    settings.job_predicate = "face.dot>=180";
    settings.queue_ahead = 3;
    settings.seed_text = "tests";
    settings.reissue_grace_ms = 200;
  }
  void start_node() {
    auto started = node::Node::start(settings, clock);
    ASSERT_TRUE(started) << started.error().message;
    node = std::move(*started);
    settings.port = port_of(node->url());  // the same address after a restart
  }

  TempFolder folder;
  const Clock& clock;
  node::Settings settings;
  std::unique_ptr<node::Node> node;
};

struct Hand {
  Hand(const TempFolder& folder, const std::string& name, const std::string& url, std::uint64_t rounds,
       const Clock& c = system_clock())
      : state(c), clock(c) {
    settings.data = folder.path() / name;
    settings.name = name;
    settings.node_url = url;
    settings.pin_name = "test node";
    settings.rounds = rounds;
    settings.cpu_lanes = 1;
    settings.slice_ms = 50;
    settings.say = [this](const std::string& text) {
      std::lock_guard lock(mutex);
      said.push_back(text);
    };
    // Tuning is tested elsewhere and would only make each of these tests longer.
    settings.hardware.tuned = [](kernels::Family, const kernels::Device&) { return std::vector<kernels::Tuned>(); };
    settings.hardware.discover = [](std::vector<std::string>*) {
      auto all = kernels::discover_devices();
      all.resize(1);
      return all;
    };
    seed = sha256(view(name));
  }
  void start() {
    auto started = worker::App::start(settings, keys::KeyFile::from_seed(seed), state, clock);
    ASSERT_TRUE(started) << started.error().message;
    app = std::move(*started);
  }
  /// Waits for the end by itself; false after `seconds`.
  bool ends(unsigned seconds) {
    std::atomic<bool> over{false};
    std::thread waiter([&] {
      result = app->wait();
      over = true;
    });
    for (unsigned i = 0; i < seconds * 50 && !over; ++i) ::usleep(20'000);
    const bool in_time = over;
    if (!in_time) app->stop();
    waiter.join();
    return in_time;
  }
  bool says(const std::string& part) {
    std::lock_guard lock(mutex);
    return std::any_of(said.begin(), said.end(),
                       [&](const std::string& s) { return s.find(part) != std::string::npos; });
  }
  bool will_say(const std::string& part, unsigned seconds) {
    for (unsigned i = 0; i < seconds * 50; ++i) {
      if (says(part)) return true;
      ::usleep(20'000);
    }
    return says(part);
  }
  std::string all_said() {
    std::lock_guard lock(mutex);
    std::string out;
    for (const std::string& s : said) out += s + "\n";
    return out;
  }

  worker::State state;
  const Clock& clock;
  worker::AppSettings settings;
  Hash32 seed{};
  Done result = done();
  std::mutex mutex;
  std::vector<std::string> said;
  std::unique_ptr<worker::App> app;  // last: it goes first, and speaks until then
};

}  // namespace sparkmill::testing

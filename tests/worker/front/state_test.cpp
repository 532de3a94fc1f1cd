// SPDX-License-Identifier: Apache-2.0
// The state tree and its faces: JSON, Prometheus text, people's text.
#include "worker/state/state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>
#include <thread>

#include "tests/worker/front/snapshot.h"

namespace sparkmill::worker {
namespace {

using testing::HasSubstr;
using testing::Not;
using Json = nlohmann::json;

constexpr std::uint64_t kNow = 1'700'000'000'000;

TEST(State, UpdatesCountAndWakeWaiters) {
  State state;
  const auto before = state.version();
  EXPECT_EQ(state.wait_change(before, 20), before) << "time over";
  std::thread writer([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    state.update([](Snapshot& s) { s.pairs_found = 9; });
  });
  EXPECT_GT(state.wait_change(before, 5'000), before);
  writer.join();
  EXPECT_EQ(state.snapshot().pairs_found, 9u);
  EXPECT_FALSE(state.snapshot().version.empty());
}

TEST(State, JsonHasTheStableKeys) {
  const ManualClock clock(kNow);
  const Json t = Json::parse(to_json(test::full_snapshot(kNow), clock));
  EXPECT_EQ(t["version"], "1.2.3");
  EXPECT_EQ(t["uptime_s"], 125);
  EXPECT_EQ(t["source"]["name"], "http://node:1");
  EXPECT_EQ(t["source"]["state"], "connected");
  EXPECT_EQ(t["source"]["latency_ms"], 12);
  EXPECT_EQ(t["source"]["switches"], 1);
  EXPECT_EQ(t["job"]["id"], "99992222333344445555666677778888") << "the running one comes first";
  EXPECT_EQ(t["job"]["family"], "match");
  EXPECT_EQ(t["job"]["progress"], 0.25);
  EXPECT_EQ(t["job"]["eta_s"], Json::array({3.0, 70.0}));
  EXPECT_EQ(t["jobs"].size(), 2u);
  EXPECT_TRUE(t["jobs"][0]["eta_s"].is_null());
  const Json& d = t["devices"][0];
  for (const char* key : {"id", "name", "state", "reasons", "kernel", "batch", "rate", "rate_unit", "temp_c", "power_w",
                          "fan_pct", "errors"}) {
    EXPECT_TRUE(d.contains(key)) << key;
  }
  EXPECT_EQ(d["rate"], 1.5e9);
  EXPECT_EQ(d["state"], "running");
  EXPECT_EQ(t["devices"][1]["reasons"][0]["code"], "user_pause");
  EXPECT_EQ(t["devices"][1]["reasons"][0]["until_ms"], kNow + 3'600'000);
  EXPECT_EQ(t["results"], (Json{{"accepted", 5}, {"stale", 1}, {"rejected", 2}, {"wrong", 3}}));
  EXPECT_EQ(t["store"], (Json{{"queued", 2}, {"bytes", 4096}}));
  EXPECT_EQ(t["credit_microcobble"], 1'500'000);
  EXPECT_EQ(t["mining"]["shares"]["accepted"], 6);
  EXPECT_EQ(t["mining"]["reasons"], (Json{{"rejected.low_difficulty", 2}, {"stale.job_gone", 1}}));
  EXPECT_EQ(t["mining"]["devices"][0]["id"], "cuda:0000:01:00.0");
  EXPECT_EQ(t["mining"]["devices"][0]["wrong"], 4);
}

TEST(State, UnknownIsNullAndNeverZero) {
  const ManualClock clock(kNow);
  Snapshot s;
  s.started_ms = kNow + 5'000;  // the wall clock was set back
  s.devices.emplace_back();
  const Json t = Json::parse(to_json(s, clock));
  EXPECT_EQ(t["uptime_s"], 0);
  EXPECT_TRUE(t["job"].is_null());
  EXPECT_TRUE(t["source"]["latency_ms"].is_null());
  EXPECT_TRUE(t["source"]["height"].is_null());
  EXPECT_TRUE(t["credit_microcobble"].is_null());
  EXPECT_TRUE(t["balance_units"].is_null());
  for (const char* key : {"rate", "batch", "kernel", "temp_c", "power_w", "fan_pct", "memory_bytes"}) {
    EXPECT_TRUE(t["devices"][0][key].is_null()) << key;
  }
}

TEST(State, JsonSurvivesBrokenText) {
  const ManualClock clock(kNow);
  Snapshot s = test::full_snapshot(kNow);
  s.source.detail = "bad \xff utf-8 \x01";
  EXPECT_TRUE(Json::parse(to_json(s, clock), nullptr, false).is_object());
}

/// A strict reading of the text format: every line is a comment or a sample, every sample belongs to a metric that has
/// HELP and TYPE just before it, and no (name, labels) comes twice.
std::map<std::string, double> parse_prometheus(const std::string& page) {
  static const std::regex sample(
      R"re(^([a-z_]+)(\{([a-z_]+="([^"\\]|\\["\\n])*")(,[a-z_]+="([^"\\]|\\["\\n])*")*\})? (-?[0-9.e+-]+)$)re");
  static const std::regex help(R"(^# HELP ([a-z_]+) \S.*$)");
  static const std::regex type(R"(^# TYPE ([a-z_]+) (counter|gauge)$)");
  std::map<std::string, double> out;
  std::set<std::string> names;
  std::string current;
  std::istringstream in(page);
  for (std::string line; std::getline(in, line);) {
    std::smatch m;
    if (std::regex_match(line, m, help)) {
      EXPECT_TRUE(names.insert(m[1]).second) << m[1] << " twice";
      current = m[1];
    } else if (std::regex_match(line, m, type)) {
      EXPECT_EQ(m[1], current);
    } else if (std::regex_match(line, m, sample)) {
      EXPECT_EQ(m[1], current) << line;
      EXPECT_TRUE(out.emplace(line.substr(0, line.rfind(' ')), std::stod(m[7])).second) << line << " twice";
    } else {
      ADD_FAILURE() << "not a line of the format: " << line;
    }
  }
  EXPECT_TRUE(page.empty() || page.back() == '\n');
  return out;
}

TEST(State, PrometheusPage) {
  const ManualClock clock(kNow);
  const auto m = parse_prometheus(to_prometheus(test::full_snapshot(kNow), clock));
  EXPECT_EQ(m.at("sparkmill_build_info{version=\"1.2.3\"}"), 1);
  EXPECT_EQ(m.at("sparkmill_uptime_seconds"), 125);
  EXPECT_EQ(m.at("sparkmill_results_total{verdict=\"accepted\"}"), 5);
  EXPECT_EQ(m.at("sparkmill_device_rate_per_second{device=\"cpu\",unit=\"pairs\",window=\"60s\"}"), 1.5e9);
  EXPECT_EQ(m.at("sparkmill_device_state{device=\"cpu\",state=\"running\"}"), 1);
  EXPECT_EQ(m.at("sparkmill_device_state{device=\"cpu\",state=\"paused\"}"), 0);
  EXPECT_EQ(m.at("sparkmill_device_reason{device=\"cuda:0000:01:00.0\",code=\"user_pause\"}"), 1);
  EXPECT_EQ(m.at("sparkmill_device_busy_seconds_total{device=\"cpu\"}"), 2.5);
  EXPECT_EQ(m.at("sparkmill_source_latency_seconds"), 0.012);
  EXPECT_EQ(m.at("sparkmill_credit_cobblestones"), 1.5);
  EXPECT_EQ(m.at("sparkmill_store_bytes"), 4096);
  EXPECT_EQ(m.at("sparkmill_mining_share_reasons_total{end=\"rejected\",reason=\"low_difficulty\"}"), 2);
  EXPECT_EQ(m.at("sparkmill_mining_device_shares_total{device=\"cuda:0000:01:00.0\",end=\"wrong\"}"), 4);
  EXPECT_EQ(m.at("sparkmill_device_info{device=\"cpu\",name=\"A \\\"quoted\\\" "
                 "CPU\\\\x\",driver=\"\",kernel=\"match/cpu/avx512\"}"),
            1);
}

TEST(State, PrometheusLeavesUnknownOut) {
  const ManualClock clock(kNow);
  Snapshot s;
  s.devices.emplace_back();
  s.devices[0].name = "two\nlines";
  const auto m = parse_prometheus(to_prometheus(s, clock));
  for (const auto& [name, value] : m) {
    EXPECT_THAT(name, Not(testing::AnyOf(HasSubstr("rate_per_second"), HasSubstr("latency"), HasSubstr("credit"),
                                         HasSubstr("balance"))));
  }
}

TEST(State, TextSaysWhyAndHasNoColourUnlessAsked) {
  const ManualClock clock(kNow);
  Snapshot s = test::full_snapshot(kNow);
  s.source.detail = "evil \x1b[2J text";
  const std::string plain = to_text(s, clock, false);
  EXPECT_THAT(plain, Not(HasSubstr("\x1b")));
  EXPECT_THAT(plain, HasSubstr("up 2 min 5 s"));
  EXPECT_THAT(plain, HasSubstr("1.5 Gpairs/s"));
  EXPECT_THAT(plain, HasSubstr("why: Paused by the user [user_pause], for 5 s, until "));
  EXPECT_THAT(plain, HasSubstr("3 s to 1 min 10 s left"));
  EXPECT_THAT(plain, HasSubstr("time left not known yet"));
  EXPECT_THAT(plain, HasSubstr("no rate yet, 3 errors"));
  EXPECT_THAT(plain, HasSubstr("5 accepted, 1 stale, 2 rejected, 3 wrong; 42 pairs found"));
  EXPECT_THAT(plain, HasSubstr("1.500000 cobblestones, balance 2.50000001 BTK"));
  EXPECT_THAT(to_text(s, clock, true), HasSubstr("\x1b[32mrunning\x1b[0m"));
  EXPECT_THAT(to_text(s, clock, true), Not(HasSubstr("\x1b[2J")));
}

}  // namespace
}  // namespace sparkmill::worker

// SPDX-License-Identifier: Apache-2.0
// The API over real sockets: reads, events whose changes rebuild the tree, writes with and without the token.
#include "worker/api/api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sodium.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "base/file.h"
#include "base/hash.h"
#include "base/http/client.h"
#include "tests/base/raw_server.h"
#include "tests/base/temp_folder.h"
#include "tests/worker/front/snapshot.h"

namespace sparkmill::worker {
namespace {

using testing::HasSubstr;
using testing::Not;
using Json = nlohmann::json;

class ApiTest : public testing::Test {
 protected:
  void SetUp() override { start("127.0.0.1"); }
  void start(const std::string& listen) {
    state_.update([](Snapshot& s) { s = test::full_snapshot(system_clock().unix_ms()); });
    settings_.listen = listen;
    settings_.port = 0;
    settings_.token_file = folder_ / "api.token";
    settings_.url_file = folder_ / "api.url";
    Controls c;
    c.pause = [this](const std::string& device, std::uint64_t until) -> Done {
      if (device == "none") return fail(Status::not_found, "no such device");
      log_.push_back("pause " + device);
      until_ = until;
      return done();
    };
    c.resume = [this](const std::string& device) { return log_.push_back("resume " + device), done(); };
    c.finish = [this] { return log_.push_back("finish"), done(); };
    c.stop = [this] { log_.push_back("stop"); };
    const Done r = api_.start(settings_, state_, c);
    ASSERT_TRUE(r.ok()) << r.error().message;
    token_ = *api_token(settings_.token_file, false);
  }
  http::Response call(const std::string& method, const std::string& target, const std::string& body = {},
                      const std::string& token = {}) {
    http::Client client(*http::Url::parse("http://127.0.0.1:" + std::to_string(api_.port())));
    http::Request r;
    r.method = method;
    r.target = target;
    r.body.assign(body.begin(), body.end());
    if (!token.empty()) r.headers["authorization"] = "Bearer " + token;
    auto answer = client.call(r);
    EXPECT_TRUE(answer.ok()) << (answer.ok() ? "" : answer.error().message);
    return answer ? *answer : http::Response{0, {}, {}};
  }
  std::string body(const http::Response& r) { return std::string(text(r.body)); }

  test::TempFolder folder_;
  State state_;
  ApiSettings settings_;
  Api api_;
  std::string token_;
  std::vector<std::string> log_;
  std::uint64_t until_ = 0;
};

TEST_F(ApiTest, StateAndMetrics) {
  const auto r = call("GET", "/v1/state");
  EXPECT_EQ(r.status, 200);
  EXPECT_EQ(r.headers.at("content-type"), "application/json");
  EXPECT_EQ(Json::parse(body(r))["results"]["accepted"], 5);
  EXPECT_THAT(body(call("GET", "/v1/state?format=text")), HasSubstr("42 pairs found"));
  EXPECT_EQ(call("GET", "/v1/state?format=xml").status, 400);
  const auto m = call("GET", "/metrics");
  EXPECT_THAT(m.headers.at("content-type"), HasSubstr("version=0.0.4"));
  EXPECT_THAT(body(m), HasSubstr("sparkmill_pairs_found_total 42\n"));
  EXPECT_EQ(call("GET", "/v1/nothing").status, 404);
}

TEST_F(ApiTest, EventsAreTheStateAndThenItsChanges) {
  http::Client client(*http::Url::parse(api_.url()));
  http::Request r;
  r.target = "/v1/events";
  Json tree;
  std::thread writer([&] {
    for (int i = 0; i < 5; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      state_.update([&](Snapshot& s) {
        s.pairs_found = 100u + static_cast<unsigned>(i);
        if (i % 2 == 0) s.jobs.pop_back();
        if (i % 2 != 0) s.jobs.emplace_back(), s.jobs.back().id = "new";
      });
    }
  });
  std::string first;
  const Done ended = client.events(r,
                                   [&](std::string_view event, std::string_view data) {
                                     if (first.empty()) first = event;
                                     if (event == "state") tree = Json::parse(data);
                                     if (event == "change") tree = tree.patch(Json::parse(data));
                                     return tree["pairs_found"] != 104;
                                   },
                                   {});
  writer.join();
  EXPECT_TRUE(ended.ok()) << ended.error().message;
  EXPECT_EQ(first, "state");
  Json now = Json::parse(to_json(state_.snapshot(), system_clock()));
  now["uptime_s"] = tree["uptime_s"];
  EXPECT_EQ(tree, now);
}

TEST_F(ApiTest, StopEndsTheEvents) {
  http::Request r;
  r.target = "/v1/events";
  std::atomic<bool> started{false};
  std::thread reader([&] {
    http::Client client(*http::Url::parse(api_.url()));
    const Done ended = client.events(r, [&](std::string_view, std::string_view) { return started = true, true; }, {});
    EXPECT_EQ(ended.status(), Status::unreachable);
  });
  while (!started) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  const auto from = std::chrono::steady_clock::now();
  api_.stop();
  EXPECT_LT(std::chrono::steady_clock::now() - from, std::chrono::milliseconds(1'500));
  reader.join();
  EXPECT_FALSE(std::filesystem::exists(settings_.url_file)) << "the address goes with the worker";
}

TEST_F(ApiTest, WritesNeedTheToken) {
  for (const char* target : {"/v1/pause", "/v1/resume", "/v1/finish", "/v1/stop"}) {
    EXPECT_EQ(call("POST", target).status, 401) << target;
    EXPECT_EQ(call("POST", target, "", token_ + "x").status, 401) << target;
    EXPECT_EQ(call("POST", target, "", token_.substr(1)).status, 401) << target;
    EXPECT_EQ(call("GET", target, "", token_).status, 405) << target;
  }
  EXPECT_TRUE(log_.empty());
  EXPECT_THAT(body(call("POST", "/v1/stop")), Not(HasSubstr(token_)));
}

TEST_F(ApiTest, WritesDoWhatTheySay) {
  EXPECT_EQ(call("POST", "/v1/pause", "", token_).status, 200);
  EXPECT_EQ(until_, 0u);
  const std::uint64_t now = system_clock().unix_ms();
  EXPECT_EQ(call("POST", "/v1/pause", R"({"device":"cpu","for_s":60})", token_).status, 200);
  EXPECT_NEAR(static_cast<double>(until_), static_cast<double>(now + 60'000), 5'000);
  EXPECT_EQ(call("POST", "/v1/pause", "{\"until\":" + std::to_string(now + 90'000) + "}", token_).status, 200);
  EXPECT_EQ(until_, now + 90'000);
  EXPECT_EQ(call("POST", "/v1/pause", R"({"until":"18:00"})", token_).status, 200);
  EXPECT_GT(until_, now);
  EXPECT_LE(until_, now + 25ull * 3'600'000);
  EXPECT_EQ(call("POST", "/v1/resume", R"({"device":"cpu"})", token_).status, 200);
  EXPECT_EQ(call("POST", "/v1/finish", "", token_).status, 200);
  EXPECT_EQ(call("POST", "/v1/stop", "{}", token_).status, 200);
  EXPECT_THAT(log_, testing::ElementsAre("pause ", "pause cpu", "pause ", "pause ", "resume cpu", "finish", "stop"));
  const auto missing = call("POST", "/v1/pause", R"({"device":"none"})", token_);
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(Json::parse(body(missing))["message"], "no such device");
}

TEST_F(ApiTest, BadBodiesAreRefused) {
  for (const char* bad : {"[]", "{", "3", R"({"devise":"cpu"})", R"({"device":3})", R"({"for_s":0})", R"({"for_s":-1})",
                          R"({"for_s":1.5})", R"({"for_s":"60"})", R"({"for_s":99999999999})", R"({"until":1})",
                          R"({"until":"25:00"})", R"({"until":"6pm"})", R"({"for_s":1,"until":"18:00"})", "\xff"}) {
    const auto r = call("POST", "/v1/pause", bad, token_);
    EXPECT_EQ(r.status, 400) << bad << body(r);
  }
  EXPECT_THAT(body(call("POST", "/v1/pause", R"({"devise":"cpu"})", token_)), HasSubstr("did you mean 'device'?"));
  EXPECT_EQ(call("POST", "/v1/pause", std::string(5'000, ' '), token_).status, 413);
  EXPECT_TRUE(log_.empty());
}

// A page on evil.example can make a browser resolve that name to 127.0.0.1; the Host header tells.
TEST_F(ApiTest, AForeignHostNameIsRefused) {
  const std::string port = std::to_string(api_.port());
  const auto status = [&](const std::string& request) {
    test::RawClient peer(api_.port());
    peer.send(request);
    return peer.receive(300).substr(0, 12);
  };
  for (const std::string target : {"/", "/v1/state", "/metrics"}) {
    for (const std::string& host :
         std::vector<std::string>{"127.0.0.1:" + port, "localhost:" + port, "[::1]:" + port, "localhost"}) {
      EXPECT_EQ(status("GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n"),
                "HTTP/1.1 200");
    }
    for (const std::string& host :
         std::vector<std::string>{"evil.example", "evil.example:" + port, "127.0.0.1.evil.example"}) {
      EXPECT_EQ(status("GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n"),
                "HTTP/1.1 403");
    }
  }
  EXPECT_EQ(status("POST /v1/stop HTTP/1.1\r\nHost: evil.example\r\nAuthorization: Bearer " + token_ +
                   "\r\nConnection: close\r\n\r\n"),
            "HTTP/1.1 403");
  EXPECT_TRUE(log_.empty());
}

TEST_F(ApiTest, ThePageLoadsNothingFromElsewhere) {
  const auto r = call("GET", "/");
  EXPECT_EQ(r.status, 200);
  const std::string page = body(r);
  EXPECT_THAT(page, HasSubstr("viewport"));
  EXPECT_THAT(page, HasSubstr("prefers-color-scheme: dark"));
  for (const char* outside : {"http://", "https://", "src=", "@import", "url(", "<link", "style=", "onclick"}) {
    EXPECT_THAT(page, Not(HasSubstr(outside))) << outside;
  }
  const std::string policy = r.headers.at("content-security-policy");
  EXPECT_THAT(policy, HasSubstr("default-src 'none'; connect-src 'self'; script-src 'sha256-"));
  EXPECT_THAT(policy, Not(HasSubstr("unsafe")));
  const std::size_t from = page.find("<script>") + 8;
  const Hash32 h = sha256(view(page.substr(from, page.find("</script>") - from)));
  char base64[64] = {};
  sodium_bin2base64(base64, sizeof base64, h.data(), h.size(), sodium_base64_VARIANT_ORIGINAL);
  EXPECT_THAT(policy, HasSubstr(base64)) << "or browsers would refuse the script";
}

TEST_F(ApiTest, TheTokenFileIsOwnerOnlyAndKept) {
  struct stat st {};
  ASSERT_EQ(::stat(settings_.token_file.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 0600u);
  EXPECT_EQ(token_.size(), 64u);
  EXPECT_EQ(*api_token(settings_.token_file, true), token_);
  ::chmod(settings_.token_file.c_str(), 0644);
  EXPECT_EQ(api_token(settings_.token_file, true).status(), Status::refused);
  ASSERT_TRUE(write_file_atomic(settings_.token_file, view("short\n"), 0600).ok());
  EXPECT_EQ(api_token(settings_.token_file, true).status(), Status::bad_input);
  EXPECT_EQ(api_token(folder_ / "none", false).status(), Status::not_found);
}

TEST_F(ApiTest, ATakenPortIsAnErrorOrAnotherPort) {
  Api second;
  ApiSettings s = settings_;
  s.port = api_.port();
  s.url_file.clear();
  const Done r = second.start(s, state_, {});
  ASSERT_FALSE(r.ok());
  EXPECT_EQ(r.error().code, Status::locked);
  EXPECT_THAT(r.error().hint, HasSubstr("sparkmill status"));
  Api third;
  s.any_port_if_taken = true;
  ASSERT_TRUE(third.start(s, state_, {}).ok());
  EXPECT_NE(third.port(), api_.port());
}

class OpenApi : public ApiTest {
 protected:
  void SetUp() override { start("0.0.0.0"); }
};

TEST_F(OpenApi, BeyondLoopbackReadsNeedTheTokenToo) {
  EXPECT_EQ(call("GET", "/").status, 200) << "the page has nothing to hide, and asks for the token";
  EXPECT_EQ(call("GET", "/v1/state").status, 401);
  EXPECT_EQ(call("GET", "/metrics").status, 401);
  EXPECT_EQ(call("GET", "/v1/state", "", token_).status, 200);
  http::Client client(*http::Url::parse(api_.url()));
  http::Request r;
  r.target = "/v1/events";
  std::vector<std::string> got;
  const Done ended = client.events(r,
                                   [&](std::string_view event, std::string_view data) {
                                     return got.push_back(std::string(event) + std::string(data)), true;
                                   },
                                   {});
  EXPECT_FALSE(ended.ok());
  ASSERT_EQ(got.size(), 1u);
  EXPECT_THAT(got[0], testing::AllOf(HasSubstr("refused"), Not(HasSubstr("devices"))));
}

TEST(Times, Durations) {
  EXPECT_EQ(*parse_duration_s("90"), 90u);
  EXPECT_EQ(*parse_duration_s("90s"), 90u);
  EXPECT_EQ(*parse_duration_s("15m"), 900u);
  EXPECT_EQ(*parse_duration_s("2h"), 7'200u);
  EXPECT_EQ(*parse_duration_s("366d"), 366u * 86'400u);
  for (const char* bad : {"", "0", "h", "2 h", "-1h", "367d", "1w", "99999999999999999999h", "2h30m"}) {
    EXPECT_EQ(parse_duration_s(bad).status(), Status::bad_argument) << bad;
  }
}

TEST(Times, TimeOfDayIsTheNextOne) {
  const std::uint64_t now = 1'700'000'000'000;
  std::uint64_t last = now;
  for (int hour = 0; hour < 24; ++hour) {
    const auto at = parse_clock_time(std::to_string(hour) + ":30", now);
    ASSERT_TRUE(at.ok());
    EXPECT_GT(*at, now);
    EXPECT_LE(*at, now + 25ull * 3'600'000);
    EXPECT_NE(*at, last);
    last = *at;
  }
  for (const char* bad : {"", "24:00", "12:60", "12", "12:", ":30", "12:3x", "001:30", "-1:00"}) {
    EXPECT_EQ(parse_clock_time(bad, now).status(), Status::bad_argument) << bad;
  }
}

}  // namespace
}  // namespace sparkmill::worker

// SPDX-License-Identifier: Apache-2.0
// Settings: layers, ranges, unknown keys, the file's forms, export, and live reload that keeps the old file on error.
#include "worker/config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <mutex>
#include <set>
#include <thread>

#include "base/file.h"
#include "tests/base/temp_folder.h"
#include "worker/config/nearest.h"

namespace sparkmill::config {
namespace {

using test::TempFolder;
using testing::AllOf;
using testing::HasSubstr;

class Settings : public testing::Test {
 protected:
  void SetUp() override { in_.environment = {{"HOME", folder_.path().string()}}; }
  void write(const std::string& content) {
    in_.file = folder_ / "config.json";
    ASSERT_TRUE(write_file_atomic(in_.file, view(content)).ok());
  }
  Config loaded() {
    auto c = load(in_);
    EXPECT_TRUE(c.ok()) << (c.ok() ? "" : c.error().message);
    return c ? *c : Config();
  }
  Error refused() {
    auto c = load(in_);
    EXPECT_FALSE(c.ok());
    return c.ok() ? Error{} : c.error();
  }
  TempFolder folder_;
  Inputs in_;
};

TEST(Nearest, FindsWhatWasMeant) {
  const std::vector<std::string_view> names{"api.port", "api.listen", "log.level", "rounds"};
  EXPECT_EQ(nearest("api.prot", names), "api.port");
  EXPECT_EQ(nearest("api_port", names), "api.port");
  EXPECT_EQ(nearest("LOG.LEVLE", names), "log.level");
  EXPECT_EQ(nearest("round", names), "rounds");
  EXPECT_EQ(nearest("banana", names), "");
  EXPECT_EQ(nearest("", names), "");
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
  EXPECT_EQ(edit_distance("ab", "ba"), 1u);
  EXPECT_EQ(edit_distance("", "abc"), 3u);
}

TEST(Table, IsConsistent) {
  std::set<std::string_view> seen;
  for (const Option& o : options()) {
    EXPECT_TRUE(seen.insert(o.name).second) << o.name << " twice";
    EXPECT_FALSE(o.help.empty()) << o.name;
    EXPECT_EQ(o.name.find('-'), std::string_view::npos) << o.name << ": dashes are for the command line only";
    if (o.type == Type::number) {
      EXPECT_LT(o.min, o.max) << o.name;
    }
  }
  for (const char* profile : {"quiet", "balanced", "full", "bench"}) {  // every default passes its own check
    Inputs in;
    in.command_line["profile"] = profile;
    const auto c = load(in);
    EXPECT_TRUE(c.ok()) << profile << ": " << (c.ok() ? "" : c.error().message);
  }
}

TEST_F(Settings, EachLayerWinsOverTheOneBelow) {
  EXPECT_EQ(loaded().number("jobs_in_flight"), 3u);
  EXPECT_EQ(loaded().at("jobs_in_flight").layer, Layer::built_in);
  write(R"({"profile": "full"})");
  EXPECT_EQ(loaded().number("jobs_in_flight"), 4u);
  EXPECT_EQ(loaded().at("jobs_in_flight").source, "profile full");
  write(R"({"profile": "full", "jobs_in_flight": 5})");
  EXPECT_EQ(loaded().number("jobs_in_flight"), 5u);
  EXPECT_EQ(loaded().at("jobs_in_flight").source, in_.file.string());
  in_.environment["SPARKMILL_JOBS_IN_FLIGHT"] = "6";
  EXPECT_EQ(loaded().number("jobs_in_flight"), 6u);
  EXPECT_EQ(loaded().at("jobs_in_flight").source, "SPARKMILL_JOBS_IN_FLIGHT");
  in_.command_line["jobs_in_flight"] = "7";
  EXPECT_EQ(loaded().number("jobs_in_flight"), 7u);
  in_.temporary["jobs_in_flight"] = "8";
  EXPECT_EQ(loaded().number("jobs_in_flight"), 8u);
  EXPECT_EQ(loaded().at("jobs_in_flight").layer, Layer::temporary);
}

TEST_F(Settings, TheProfileItselfMayComeFromAnyLayer) {
  in_.environment["SPARKMILL_PROFILE"] = "bench";
  EXPECT_EQ(loaded().text("log.level"), "warn");
  EXPECT_FALSE(loaded().flag("low_priority"));
  in_.command_line["profile"] = "quiet";
  EXPECT_EQ(loaded().text("log.level"), "info");
  EXPECT_EQ(loaded().number("slice_ms"), 100u);
}

TEST_F(Settings, FileFormsNestedDottedCommented) {
  write(
      "// a comment\n{\n \"api\": {\"port\": 1234, /* inner */ \"listen\": \"::1\"},\n \"log.level\": \"debug\",\n"
      " \"devices\": [\"cpu\", \"cuda:0\"], \"blob_cache_bytes\": \"2GiB\", \"low_priority\": false, \"log.file\": "
      "\"x/y.log\"}");
  const Config c = loaded();
  EXPECT_EQ(c.number("api.port"), 1234u);
  EXPECT_EQ(c.text("api.listen"), "::1");
  EXPECT_EQ(c.text("log.level"), "debug");
  EXPECT_THAT(c.list("devices"), testing::ElementsAre("cpu", "cuda:0"));
  EXPECT_EQ(c.number("blob_cache_bytes"), 2ull << 30);
  EXPECT_FALSE(c.flag("low_priority"));
  EXPECT_EQ(c.path("log.file"), folder_ / "x/y.log") << "relative paths count from the file";
}

TEST_F(Settings, PlacesOfData) {
  EXPECT_EQ(loaded().path("data"), folder_ / ".local/share/sparkmill");
  EXPECT_EQ(loaded().path("key"), folder_ / ".local/share/sparkmill/worker.key");
  in_.environment["XDG_DATA_HOME"] = "/xdg";
  EXPECT_EQ(loaded().path("api.token_file"), "/xdg/sparkmill/api.token");
  in_.command_line["data"] = "~/here";
  EXPECT_EQ(loaded().path("key"), folder_ / "here/worker.key");
  in_.environment["XDG_CONFIG_HOME"] = (folder_ / "cfg").string();
  EXPECT_EQ(default_file(in_.environment), folder_ / "cfg/sparkmill/config.json");
}

TEST_F(Settings, UnknownKeysNameTheNearest) {
  write(R"({"api": {"prot": 1}})");
  const Error e = refused();
  EXPECT_EQ(e.code, Status::bad_config);
  EXPECT_EQ(exit_code(e.code), 3);
  EXPECT_THAT(e.message, AllOf(HasSubstr(in_.file.string()), HasSubstr("api.prot")));
  EXPECT_EQ(e.hint, "did you mean 'api.port'?");
  in_.file.clear();
  in_.environment["SPARKMILL_API_PROT"] = "1";
  EXPECT_THAT(loaded().notes(), testing::ElementsAre(HasSubstr("did you mean SPARKMILL_API_PORT?")));
}

TEST_F(Settings, WrongValuesNameFileKeyValueAndRange) {
  const struct {
    const char* json;
    const char* key;
    const char* range;
  } cases[] = {
      {R"({"api.port": 65536})", "api.port = '65536'", "0..65535"},
      {R"({"api.port": -1})", "api.port = '-1'", "0..65535"},
      {R"({"api.port": 1.5})", "api.port = '1.5'", "number"},
      {R"({"api.port": "80"})", "api.port", "number"},
      {R"({"api.port": 99999999999999999999999})", "api.port", "0..65535"},
      {R"({"slice_ms": 9})", "slice_ms = '9'", "10..10000 ms"},
      {R"({"blob_cache_bytes": "1KiB"})", "blob_cache_bytes = '1KiB'", "67108864.."},
      {R"({"blob_cache_bytes": "99999999999TiB"})", "blob_cache_bytes", "out of range"},
      {R"({"log.level": "loud"})", "log.level = 'loud'", "trace|debug"},
      {R"({"log.level": "info|warn"})", "log.level", "trace|debug"},
      {R"({"low_priority": "yes"})", "low_priority", "true|false"},
      {R"({"node": "somewhere:80"})", "node = 'somewhere:80'", "http://"},
      {R"({"name": "a\nb"})", "name", "control characters"},
      {R"({"devices": ["a,b"]})", "devices", "without commas"},
      {R"({"name": null})", "name", "expected a text"},
  };
  for (const auto& c : cases) {
    write(c.json);
    const Error e = refused();
    EXPECT_EQ(e.code, Status::bad_config) << c.json;
    EXPECT_THAT(e.message, AllOf(HasSubstr(in_.file.string()), HasSubstr(c.key), HasSubstr(c.range))) << c.json;
  }
}

TEST_F(Settings, BrokenFiles) {
  for (const char* bad :
       {"", "{", "[]", "3", "{\"name\": \"a\",}", "{\"name\": \"a\", \"name\": \"b\"}",
        "{\"api\": {\"port\": 1}, \"api.port\": 2}", "{\"api\": {\"port\": {\"x\": 1}}}", "{\"a\xff\": 1}"}) {
    write(bad);
    const Error e = refused();
    EXPECT_EQ(e.code, Status::bad_config) << bad;
    EXPECT_THAT(e.message, HasSubstr(in_.file.string())) << bad;
  }
  write("{\n\"name\": \"a\"\n\"node\": 1}");
  EXPECT_THAT(refused().message, HasSubstr("line 3"));
  in_.file = folder_ / "none.json";
  EXPECT_EQ(refused().code, Status::bad_config);
  in_.file = folder_.path();
  EXPECT_EQ(refused().code, Status::bad_config);
}

TEST_F(Settings, AMistakeInALowerLayerShowsAlsoWhereAHigherOneWins) {
  write(R"({"api.port": 99999})");
  in_.command_line["api.port"] = "80";
  EXPECT_THAT(refused().message, HasSubstr("99999"));
}

TEST_F(Settings, ExportGivesTheSameSettingsAgain) {
  in_.command_line = {
      {"devices", "cpu, opencl:0"}, {"api.port", "99"}, {"name", "a \"b\""}, {"profile", "full"}, {"log.json", "true"}};
  const Config before = loaded();
  const std::string text = export_text(before);
  in_.command_line.clear();
  write(text);
  EXPECT_TRUE(difference(before, loaded()).size() <= 1) << "only the spelling of the list may differ";
  EXPECT_EQ(before.list("devices"), loaded().list("devices"));
  EXPECT_EQ(loaded().text("name"), "a \"b\"");
}

TEST_F(Settings, ExplainTellsValueSourceDefaultRangeAndHelp) {
  in_.environment["SPARKMILL_API_PORT"] = "99";
  const std::string t = explain(loaded(), *find("api.port"));
  EXPECT_THAT(
      t, AllOf(HasSubstr("api.port = 99"), HasSubstr("SPARKMILL_API_PORT (environment)"), HasSubstr("default:  7440"),
               HasSubstr("0..65535"), HasSubstr("Port of the API"), HasSubstr("next start")));
  EXPECT_THAT(explain(loaded(), *find("jobs_in_flight")), HasSubstr("3 (quiet 2, full 4, bench 4)"));
  EXPECT_THAT(keys_text(loaded()), HasSubstr("99  [SPARKMILL_API_PORT]"));
}

TEST_F(Settings, FillsTheWorkersSettings) {
  in_.command_line = {{"node", "https://n.example"},
                      {"devices", "cpu"},
                      {"backend", "cpu/avx2"},
                      {"cpu_lanes", "5"},
                      {"slice_ms", "99"},
                      {"source_patience_s", "7"},
                      {"rounds", "3"},
                      {"name", "me"},
                      {"low_priority", "false"},
                      {"jobs_in_flight", "9"},
                      {"blob_cache_bytes", "1GiB"},
                      {"data", "/d"}};
  const auto s = app_settings(loaded());
  ASSERT_TRUE(s.ok());
  EXPECT_EQ(s->node_url, "https://n.example");
  EXPECT_THAT(s->devices, testing::ElementsAre("cpu"));
  EXPECT_EQ(s->backend, "cpu/avx2");
  EXPECT_EQ(s->cpu_lanes, 5u);
  EXPECT_EQ(s->slice_ms, 99u);
  EXPECT_EQ(s->source_patience_ms, 7'000u);
  EXPECT_EQ(s->rounds, 3u);
  EXPECT_EQ(s->name, "me");
  EXPECT_FALSE(s->low_priority);
  EXPECT_EQ(s->jobs_in_flight, 9u);
  EXPECT_EQ(s->blob_cache_bytes, 1ull << 30);
  EXPECT_EQ(s->data, "/d");
  in_.command_line = {{"profile", "full"}};
  EXPECT_EQ(app_settings(loaded())->cpu_lanes, std::max(1u, std::thread::hardware_concurrency()));
}

TEST_F(Settings, MannersOfPoolsAndBytomNodes) {
  in_.command_line = {{"mining", "pool"},
                      {"pool.url", "stratum+tcp://a:1,stratum+tls://b:2"},
                      {"pool.user", "acct.rig"},
                      {"pool.keepalive", "keepalived"},
                      {"pool.keepalive_s", "45"},
                      {"pool.retries", "2"},
                      {"pool.backoff_max_s", "20"},
                      {"pool.return_after_s", "90"},
                      {"pool.answer_timeout_s", "11"},
                      {"pool.silence_s", "333"},
                      {"bytom.json", "true"},
                      {"bytom.poll_ms", "250"},
                      {"bytom.refresh_s", "12"}};
  const auto s = app_settings(loaded());
  ASSERT_TRUE(s.ok()) << s.error().message;
  ASSERT_EQ(s->pools.pools.size(), 2u);
  EXPECT_EQ(s->pools.pools[1].keepalive, "keepalived");
  EXPECT_EQ(s->pools.pools[1].keepalive_s, 45u);
  EXPECT_EQ(s->pools.retries, 2u);
  EXPECT_EQ(s->pools.backoff_max_ms, 20'000u);
  EXPECT_EQ(s->pools.return_after_ms, 90'000u);
  EXPECT_EQ(s->pools.answer_timeout_ms, 11'000u);
  EXPECT_EQ(s->pools.silence_ms, 333'000u);
  EXPECT_TRUE(s->bytom.json);
  EXPECT_EQ(s->bytom.poll_ms, 250u);
  EXPECT_EQ(s->bytom.refresh_ms, 12'000u);
  EXPECT_TRUE(s->node_url.empty()) << "no node beside it";

  in_.command_line["rounds"] = "2";
  EXPECT_THAT(app_settings(loaded()).error().message, HasSubstr("rounds"));
  in_.command_line["node"] = "demo";
  EXPECT_TRUE(app_settings(loaded()).ok()) << "receipts come from a node";

  in_.command_line.clear();
  const auto plain = app_settings(loaded());
  EXPECT_EQ(plain->mining, "auto");
  EXPECT_NEAR(plain->mining_weight, 1.0 / 3, 1e-9);
}

TEST_F(Settings, ByDefaultNothingUnaskedIsSentToPools) { EXPECT_EQ(loaded().text("pool.keepalive"), ""); }

/// Collects what a Watcher hands on.
struct Seen {
  std::mutex mutex;
  std::vector<std::vector<Change>> all;
  std::size_t count() {
    std::lock_guard lock(mutex);
    return all.size();
  }
  Watcher::Apply apply() {
    return [this](const Config&, const std::vector<Change>& changes) {
      std::lock_guard lock(mutex);
      all.push_back(changes);
    };
  }
  bool wait_for(std::size_t n) {
    for (int i = 0; i < 300 && count() < n; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return count() >= n;
  }
};

TEST_F(Settings, AChangedFileIsReadAndABrokenOneChangesNothing) {
  write(R"({"log.level": "info"})");
  Seen seen;
  Watcher watcher(in_, loaded(), seen.apply(), 20);
  write(R"({"log.level": "debug", "rounds": 5})");
  ASSERT_TRUE(seen.wait_for(1));
  ASSERT_EQ(seen.all[0].size(), 2u);
  const auto& rounds = seen.all[0][0].name == "rounds" ? seen.all[0][0] : seen.all[0][1];
  const auto& level = seen.all[0][0].name == "rounds" ? seen.all[0][1] : seen.all[0][0];
  EXPECT_EQ(rounds.after, "5");
  EXPECT_FALSE(rounds.live);
  EXPECT_EQ(level.before, "info");
  EXPECT_TRUE(level.live);
  write(R"({"log.level": "trace", "rounds": -5})");  // one wrong value: none of the file is taken
  EXPECT_EQ(watcher.reload().status(), Status::bad_config);
  write("{");
  EXPECT_EQ(watcher.reload().status(), Status::bad_config);
  EXPECT_EQ(seen.count(), 1u);
  write(R"({"log.level": "debug", "rounds": 6})");
  ASSERT_TRUE(seen.wait_for(2));
  ASSERT_EQ(seen.all[1].size(), 1u) << "compared with the last good values";
  EXPECT_EQ(seen.all[1][0].before, "5");
}

TEST_F(Settings, SighupReadsAgain) {
  write(R"({"rounds": 1})");
  poke_on_sighup();
  Seen seen;
  const Config before = loaded();
  Watcher watcher(in_, before, seen.apply(), 20);
  in_.environment.clear();
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  EXPECT_EQ(seen.count(), 0u);
  ASSERT_EQ(::kill(::getpid(), SIGHUP), 0);  // nothing changed: read, and nothing to tell
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_EQ(seen.count(), 0u);
  std::filesystem::remove(in_.file);  // a file that was named and is gone is an error: the old values stay
  ASSERT_EQ(::kill(::getpid(), SIGHUP), 0);
  EXPECT_FALSE(watcher.reload().ok());
  EXPECT_EQ(seen.count(), 0u);
}

}  // namespace
}  // namespace sparkmill::config

// SPDX-License-Identifier: Apache-2.0
// The verbs as a user runs them: the real program, against a real API with a hand-made state.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <atomic>
#include <mutex>

#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/file.h"
#include "base/http/server.h"
#include "node/protocol/messages.h"
#include "tests/base/temp_folder.h"
#include "tests/worker/front/snapshot.h"
#include "worker/api/api.h"
#include "worker/config/config.h"

namespace sparkmill {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr char kProgram[] = SPARKMILL_BINARY_DIR "/bin/sparkmill";

struct Ran {
  int code = -1;
  std::string out, err;
};

class Cli : public testing::Test {
 protected:
  /// Runs the program with a home of its own and no terminal.
  Ran run(const std::vector<std::string>& args, const std::vector<std::string>& more_environment = {}) {
    const auto out = folder_ / "out";
    const auto err = folder_ / "err";
    std::vector<std::string> env{"HOME=" + folder_.path().string(), "PATH=/usr/bin:/bin",
                                 "OCL_ICD_VENDORS=" + folder_.path().string()};  // no OpenCL: it compiles for seconds
    env.insert(env.end(), more_environment.begin(), more_environment.end());
    std::vector<char*> argv{const_cast<char*>(kProgram)};
    for (const auto& a : args) argv.push_back(const_cast<char*>(a.c_str()));
    argv.push_back(nullptr);
    std::vector<char*> envp;
    for (auto& e : env) envp.push_back(e.data());
    envp.push_back(nullptr);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_addopen(&files, 2, err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    pid_t pid = 0;
    Ran r;
    EXPECT_EQ(posix_spawn(&pid, kProgram, &files, nullptr, argv.data(), envp.data()), 0);
    posix_spawn_file_actions_destroy(&files);
    int status = 0;
    ::waitpid(pid, &status, 0);
    r.code = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
    r.out = *read_text_file(out, 1u << 20);
    r.err = *read_text_file(err, 1u << 20);
    return r;
  }
  std::string data() const { return (folder_ / "data").string(); }
  test::TempFolder folder_;
};

/// With a running API whose address lies in the data folder, as a worker leaves it.
class CliWithApi : public Cli {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(data());
    state_.update([](worker::Snapshot& s) { s = test::full_snapshot(system_clock().unix_ms()); });
    worker::ApiSettings settings;
    settings.port = 0;
    settings.token_file = folder_ / "data/api.token";
    settings.url_file = folder_ / "data/api.url";
    worker::Controls c;
    c.pause = [this](const std::string& device, std::uint64_t until) -> Done {
      if (device == "gpu9") return fail(Status::not_found, "gpu9: there is no such device", "sparkmill devices");
      until_ = until;
      return note("pause " + device);
    };
    c.resume = [this](const std::string& device) { return note("resume " + device); };
    c.finish = [this] { return note("finish"); };
    c.stop = [] {};
    const Done up = api_.start(settings, state_, c);
    ASSERT_TRUE(up.ok()) << up.error().message;
  }
  Ran run_data(std::vector<std::string> args) {
    args.insert(args.end(), {"--data", data()});
    return run(args);
  }
  Done note(const std::string& call) {
    const std::lock_guard lock(mutex_);
    return log_.push_back(call), done();
  }
  /// What the API's threads have written so far.
  std::vector<std::string> log() {
    const std::lock_guard lock(mutex_);
    return log_;
  }
  worker::State state_;
  std::mutex mutex_;
  std::vector<std::string> log_;
  std::atomic<std::uint64_t> until_{0};
  worker::Api api_;
};

TEST_F(Cli, HelpVersionAndUnknownVerbs) {
  EXPECT_THAT(run({"--version"}).out, testing::StartsWith("sparkmill "));
  const Ran help = run({"help"});
  EXPECT_EQ(help.code, 0);
  for (const char* verb : {"run", "devices", "check", "status", "pause", "resume", "finish", "config", "keys", "match",
                           "enrol", "hash", "verify", "vectors", "bench"}) {
    EXPECT_THAT(help.out, HasSubstr("\n  " + std::string(verb) + " ")) << verb;
    if (std::string_view(verb) == "bench") continue;  // its help is that of a program that may not be built
    EXPECT_EQ(run({"help", verb}).code, 0) << verb;
  }
  EXPECT_EQ(run({}).code, 2);
  const Ran typo = run({"statsu"});
  EXPECT_EQ(typo.code, 2);
  EXPECT_THAT(typo.err, AllOf(HasSubstr("no verb 'statsu'"), HasSubstr("sparkmill status")));
  const Ran option = run({"status", "--wacth"});
  EXPECT_EQ(option.code, 2);
  EXPECT_THAT(option.err, HasSubstr("--watch"));
  EXPECT_EQ(run({"status", "surplus"}).code, 2);
  EXPECT_EQ(run({"config", "keys", "--api.port"}).code, 2) << "the value is missing";
}

TEST_F(Cli, ConfigVerbs) {
  const Ran explained = run({"config", "explain", "api.port", "--api-port=81"});
  EXPECT_NE(explained.code, 0) << "a dash is no dot";
  const Ran good = run({"config", "explain", "jobs_in_flight", "--jobs-in-flight", "5"});
  EXPECT_EQ(good.code, 0) << good.err;
  EXPECT_THAT(good.out, AllOf(HasSubstr("jobs_in_flight = 5"), HasSubstr("--jobs_in_flight (command line)")));
  EXPECT_THAT(run({"config", "explain", "log.json", "--log.json"}).out, HasSubstr("log.json = true"));
  EXPECT_THAT(run({"config", "explain", "log.json", "--log.json=no"}).out, HasSubstr("log.json = false"));
  EXPECT_THAT(run({"config", "keys"}, {"SPARKMILL_NAME=envy"}).out, HasSubstr("envy  [SPARKMILL_NAME]"));
  EXPECT_THAT(run({"config", "keys"}, {"SPARKMILL_NAEM=envy"}).err, HasSubstr("SPARKMILL_NAME?"));
  const Ran unknown = run({"config", "explain", "jobs_in_fligt"});
  EXPECT_EQ(unknown.code, 3);
  EXPECT_THAT(unknown.err, HasSubstr("jobs_in_flight"));
  std::ofstream(folder_ / "bad.json") << "{\"roundz\": 1}";
  const Ran bad = run({"config", "export", "--config", (folder_ / "bad.json").string()});
  EXPECT_EQ(bad.code, 3);
  EXPECT_THAT(bad.err, AllOf(HasSubstr("bad.json"), HasSubstr("roundz"), HasSubstr("did you mean 'rounds'?")));
  EXPECT_EQ(run({"config"}).code, 2);
  EXPECT_EQ(run({"config", "explain"}).code, 2);
  EXPECT_EQ(run({"config", "keys", "--api.port", "70000"}).code, 3);
}

TEST_F(Cli, ConfigExportIsAFileThatIsTaken) {
  const Ran exported = run({"config", "export", "--rounds", "7"});
  ASSERT_EQ(exported.code, 0) << exported.err;
  std::filesystem::create_directories(folder_ / ".config/sparkmill");
  std::ofstream(folder_ / ".config/sparkmill/config.json") << exported.out;
  const Ran again = run({"config", "explain", "rounds"});
  EXPECT_THAT(again.out, AllOf(HasSubstr("rounds = 7"), HasSubstr("(file)")));
}

TEST_F(Cli, KeysNewAndShow) {
  const std::string file = (folder_ / "k/worker.key").string();
  const Ran missing = run({"keys", "show", "--key", file});
  EXPECT_EQ(missing.code, 13);
  EXPECT_THAT(missing.err, HasSubstr("sparkmill keys new"));
  const Ran made = run({"keys", "new", "--key", file});
  ASSERT_EQ(made.code, 0) << made.err;
  const Ran shown = run({"keys", "show", "--key", file});
  EXPECT_EQ(shown.code, 0);
  EXPECT_EQ(shown.out, made.out);
  EXPECT_THAT(shown.out, AllOf(HasSubstr("envelope "), HasSubstr("request "), HasSubstr("receipt ")));
  const Bytes content = *read_file(file, 1000);
  const std::string all = made.out + made.err + shown.out + shown.err;
  EXPECT_THAT(all, Not(HasSubstr(std::string(text({content.data() + 64, 32}))))) << "no secret is printed";
  const Ran twice = run({"keys", "new", "--key", file});
  EXPECT_EQ(twice.code, 7);
  ::chmod(file.c_str(), 0644);
  const Ran open = run({"keys", "show", "--key", file});
  EXPECT_EQ(open.code, 7);
  EXPECT_THAT(open.err, HasSubstr("chmod 600"));
  EXPECT_EQ(run({"keys"}).code, 2);
}

TEST_F(Cli, KeysWrappedByAPassphraseFile) {
  const std::string file = (folder_ / "worker.key").string();
  const std::string secret = (folder_ / "pass").string();
  std::ofstream(secret) << "open sesame\n";
  ::chmod(secret.c_str(), 0644);
  EXPECT_EQ(run({"keys", "new", "--key", file, "--passphrase-file", secret}).code, 7) << "others may read it";
  ::chmod(secret.c_str(), 0600);
  ASSERT_EQ(run({"keys", "new", "--key", file, "--passphrase-file", secret}).code, 0);
  EXPECT_EQ(run({"keys", "show", "--key", file}).code, 7) << "no passphrase, no terminal";
  const Ran shown = run({"keys", "show", "--json", "--key", file, "--passphrase-file", secret});
  EXPECT_EQ(shown.code, 0) << shown.err;
  EXPECT_EQ(nlohmann::json::parse(shown.out)["public_keys"]["envelope"].get<std::string>().size(), 64u);
  EXPECT_THAT(shown.out + shown.err, Not(HasSubstr("sesame")));
}

TEST_F(Cli, DevicesSayYesOrNoWithASentence) {
  const Ran text = run({"devices"});
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_THAT(text.out, testing::StartsWith("cpu  "));
  EXPECT_THAT(text.out, HasSubstr("match/reference"));
  const auto tree = nlohmann::json::parse(run({"devices", "--json"}).out);
  ASSERT_FALSE(tree["devices"].empty());
  EXPECT_EQ(tree["devices"][0]["id"], "cpu");
  for (const auto& d : tree["devices"]) {
    for (const auto& r : d["rows"]) {
      EXPECT_FALSE(r["why"].get<std::string>().empty()) << r;
      EXPECT_TRUE(r.contains("note")) << r;
    }
  }
}

TEST_F(Cli, ProbedDevicesSayHowARowRunsWhereItHadAChoice) {
  const auto tree = nlohmann::json::parse(run({"devices", "--probe", "--json"}).out);
  for (const auto& d : tree["devices"]) {
    for (const auto& r : d["rows"]) {
      const bool chose = r["runs"] && (r["row"] == "tensority/opencl" || r["row"] == "tensority/cuda");
      EXPECT_EQ(r["note"].is_string(), chose) << r;
      if (!chose) continue;
      EXPECT_THAT(run({"devices", "--probe"}).out, HasSubstr("; " + r["note"].get<std::string>()));
    }
  }
}

TEST_F(Cli, CheckIsALineEach) {
  const Ran fresh = run({"check", "--data", data(), "--api.port", "1"});
  EXPECT_EQ(fresh.code, 0) << fresh.out << fresh.err;
  EXPECT_THAT(fresh.out,
              AllOf(HasSubstr("ok    config"), HasSubstr("warn  key"), HasSubstr("will be made"),
                    HasSubstr("self-test passed"), HasSubstr("no worker runs"), HasSubstr("embedded demo node")));
  EXPECT_FALSE(std::filesystem::exists(data())) << "check changes nothing";
  const Ran config = run({"check", "--slice-ms", "1"});
  EXPECT_EQ(config.code, 3);
  EXPECT_THAT(config.out, HasSubstr("fail  config"));
  const Ran device = run({"check", "--devices", "cuda:99", "--data", data()});
  EXPECT_EQ(device.code, 4);
  EXPECT_THAT(device.out, HasSubstr("cuda:99: there is no such device"));
  const Ran row = run({"check", "--backend", "cpu/nonsense", "--data", data()});
  EXPECT_NE(row.code, 0);
  const Ran node = run({"check", "--node", "http://127.0.0.1:1", "--data", data()});
  EXPECT_EQ(node.code, 6);
  EXPECT_THAT(node.out, HasSubstr("fail  node"));
}

TEST_F(Cli, CheckAsksTheNode) {
  protocol::Info info;
  info.version = "9.9";
  info.height = 5;
  info.time_ms = system_clock().unix_ms();
  info.interval_ms = 1000;
  http::Server server;
  server.route("GET", "/v1/info",
               [&](const http::Request&) { return http::Response::json(200, protocol::to_json(info)); });
  server.route("GET", "/other/v1/info", [&](const http::Request&) { return http::Response::text(200, "hello"); });
  ASSERT_TRUE(server.start("127.0.0.1", 0).ok());
  const std::string url = "http://127.0.0.1:" + std::to_string(server.port());
  const Ran good = run({"check", "--node", url, "--data", data()});
  EXPECT_EQ(good.code, 0) << good.out;
  EXPECT_THAT(good.out, HasSubstr("version 9.9, block 5"));
  EXPECT_EQ(run({"check", "--node", url + "/other", "--data", data()}).code, 7);
}

TEST_F(Cli, NoWorkerIsExit6WithTheWayOut) {
  for (const std::string verb : {"status", "pause", "resume", "finish"}) {
    const Ran r = run({verb, "--data", data(), "--api.port", "1"});
    EXPECT_EQ(r.code, 6) << verb << r.err;
    EXPECT_THAT(r.err, AllOf(HasSubstr("127.0.0.1:1"), HasSubstr("sparkmill run"))) << verb;
  }
}

TEST_F(CliWithApi, Status) {
  const Ran text = run_data({"status"});
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_THAT(text.out, AllOf(HasSubstr("42 pairs found"), Not(HasSubstr("\x1b"))));
  const Ran json = run_data({"status", "--json"});
  EXPECT_EQ(nlohmann::json::parse(json.out)["results"]["accepted"], 5);
  const Ran named = run({"status", "--json", "--api", api_.url()});
  EXPECT_EQ(named.code, 0) << named.err;
  EXPECT_EQ(run({"status", "--api", "nonsense"}).code, 2);
}

TEST_F(CliWithApi, WatchOnAPipeWritesPlainLinesUntilTheWorkerGoes) {
  std::thread later([this] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    state_.update([](worker::Snapshot& s) { s.results.accepted = 6; });
    std::this_thread::sleep_for(std::chrono::milliseconds(1'500));
    api_.stop();
  });
  const Ran r = run_data({"status", "--watch"});
  later.join();
  EXPECT_EQ(r.code, 6);
  EXPECT_THAT(r.out, AllOf(HasSubstr("accepted 5"), HasSubstr("accepted 6"), Not(HasSubstr("\x1b"))));
}

TEST_F(CliWithApi, PauseResumeFinish) {
  const std::uint64_t now = system_clock().unix_ms();
  EXPECT_EQ(run_data({"pause"}).code, 0);
  EXPECT_EQ(until_.load(), 0u);
  EXPECT_EQ(run_data({"pause", "--for", "2h", "cpu"}).code, 0);
  EXPECT_GE(until_, now + 7'200'000);
  EXPECT_LE(until_, now + 7'230'000);
  EXPECT_EQ(run_data({"pause", "--until", "18:00"}).code, 0);
  EXPECT_EQ(until_ % 60'000, 0u);
  EXPECT_EQ(run_data({"resume", "cpu"}).code, 0);
  EXPECT_EQ(run_data({"finish"}).code, 0);
  EXPECT_THAT(log(), testing::ElementsAre("pause ", "pause cpu", "pause ", "resume cpu", "finish"));
  EXPECT_EQ(run_data({"pause", "--for", "soon"}).code, 2);
  EXPECT_EQ(run_data({"pause", "--for", "1h", "--until", "18:00"}).code, 2);
  const Ran unknown = run_data({"pause", "gpu9"});
  EXPECT_EQ(unknown.code, 13);
  EXPECT_THAT(unknown.err, HasSubstr("gpu9: there is no such device"));
}

TEST_F(CliWithApi, TokenTroubleIsToldPlainly) {
  ::chmod((folder_ / "data/api.token").c_str(), 0644);
  const Ran open = run_data({"pause"});
  EXPECT_EQ(open.code, 7);
  EXPECT_THAT(open.err, HasSubstr("chmod 600"));
  ASSERT_TRUE(write_file_atomic(folder_ / "data/api.token", view("0123456789abcdef0123\n"), 0600).ok());
  EXPECT_EQ(run_data({"pause"}).code, 7);
  EXPECT_EQ(run_data({"status"}).code, 0) << "reads need none on this machine";
  EXPECT_TRUE(log().empty());
}

TEST_F(CliWithApi, CheckFindsTheWorker) {
  EXPECT_THAT(run_data({"check"}).out, HasSubstr("a worker runs and answers"));
}

TEST(ConfigPage, DocsAreUpToDate) {
  const auto page = read_text_file(SPARKMILL_SOURCE_DIR "/docs/config.md", 1u << 20);
  ASSERT_TRUE(page.ok()) << page.error().message << "; make it: sparkmill config doc > docs/config.md";
  EXPECT_EQ(*page, config::markdown()) << "make it again: sparkmill config doc > docs/config.md";
}

/// Block 1 of the solonet chain, accepted by a real node: header hash 531e..., seed the initial one.
const nlohmann::json& solonet_block(const char* source, int height) {
  static const nlohmann::json document =
      nlohmann::json::parse(*read_text_file(SPARKMILL_SOURCE_DIR "/tests/vectors/tensority.json", 1u << 20));
  for (const auto& v : document["block_headers"]) {
    if (v["height"] == height && v["source"].get<std::string>().rfind(source, 0) == 0) return v;
  }
  ADD_FAILURE() << source << " " << height << " is not in the vectors";
  return document;
}

TEST_F(Cli, HashPrintsTensority) {
  const auto& block = solonet_block("solonet block mined here", 257);
  const std::string header = block["header_hash"].get<std::string>();
  const std::string seed = block["seed"].get<std::string>();
  const Ran good = run({"hash", "--header", header, "--seed", seed});
  EXPECT_EQ(good.code, 0) << good.err;
  EXPECT_EQ(good.out, block["tensority"].get<std::string>() + "\n");
  const Ran missing = run({"hash", "--header", header});
  EXPECT_EQ(missing.code, 2);
  EXPECT_THAT(missing.err, HasSubstr("--seed is missing"));
  const Ran short_hex = run({"hash", "--header", header.substr(2), "--seed", seed});
  EXPECT_EQ(short_hex.code, 13);
  EXPECT_THAT(short_hex.err, AllOf(HasSubstr("--header"), HasSubstr("62 hex digits, expected 64")));
  EXPECT_EQ(run({"hash", "--header", header, "--seed", "x" + seed.substr(1)}).code, 13);
  const Ran row = run({"hash", "--header", header, "--seed", seed, "--backend", "cpu/abacus"});
  EXPECT_EQ(row.code, 2);
  EXPECT_THAT(row.err, HasSubstr("tensority/reference"));
}

TEST_F(Cli, VerifyHeaderAcceptsRealBlocks) {
  const auto& first = solonet_block("solonet block mined here", 1);
  const Ran good = run({"verify", "--header", first["serialized_hex"]});
  EXPECT_EQ(good.code, 0) << good.err;
  EXPECT_THAT(good.out, AllOf(HasSubstr(first["header_hash"].get<std::string>()), HasSubstr("verdict  accepted")));
  EXPECT_THAT(good.out, HasSubstr("20 hashes expected"));

  const auto& second = solonet_block("solonet block mined here", 257);
  const Ran unknown = run({"verify", "--header", second["serialized_hex"]});
  EXPECT_EQ(unknown.code, 2);
  EXPECT_THAT(unknown.err, AllOf(HasSubstr("--seed is missing"), HasSubstr("the header hash of block 256")));
  EXPECT_EQ(run({"verify", "--header", second["serialized_hex"], "--seed", second["seed"]}).code, 0);
}

TEST_F(Cli, VerifyHeaderRefusesWhatIsWrong) {
  const auto& bad = solonet_block("same header with nonce+1", 5);
  const Ran above = run({"verify", "--header", bad["serialized_hex"]});
  EXPECT_EQ(above.code, 11) << above.err;
  EXPECT_THAT(above.out, HasSubstr("verdict  refused: above_target"));

  const auto& first = solonet_block("solonet block mined here", 1);
  const std::string hex = first["serialized_hex"].get<std::string>();
  const Ran epoch = run({"verify", "--header", hex, "--seed", std::string(64, '0')});
  EXPECT_EQ(epoch.code, 13);
  EXPECT_THAT(epoch.err, HasSubstr("--seed: seed of another epoch: block 1 "));
  const Ran cut = run({"verify", "--header", hex.substr(0, hex.size() - 2)});
  EXPECT_EQ(cut.code, 13);
  EXPECT_THAT(cut.err, HasSubstr("bits at byte"));
  // The nonce 23 (17) becomes 2^63: ten bytes.
  const std::size_t nonce = hex.size() - 2 * 9 - 2;
  ASSERT_EQ(hex.substr(nonce, 2), "17");
  const Ran huge = run({"verify", "--header", hex.substr(0, nonce) + "80808080808080808001" + hex.substr(nonce + 2)});
  EXPECT_EQ(huge.code, 13);
  EXPECT_THAT(huge.err, AllOf(HasSubstr("nonce"), HasSubstr("2^63")));
  EXPECT_EQ(run({"verify", "--header", hex, "proof.bin"}).code, 2);
  EXPECT_EQ(run({"verify", "--seed", std::string(64, '0')}).code, 2);
}

}  // namespace
}  // namespace sparkmill

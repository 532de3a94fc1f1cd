// SPDX-License-Identifier: Apache-2.0
#include "worker/cli/boinc_demo.h"

#include <unistd.h>

#include <cstdlib>
#include <thread>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/hex.h"
#include "base/http/client.h"
#include "boinc/rpc/client.h"

namespace sparkmill::cli {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kStepMs = 300'000;
constexpr std::uint64_t kStartMs = 60'000;
constexpr auto kNap = std::chrono::milliseconds(100);
constexpr const char* kRows = "32768";
constexpr const char* kPlatform = "x86_64-pc-linux-gnu";

bool is_program(const fs::path& path) {
  std::error_code ec;
  return fs::is_regular_file(path, ec) && ::access(path.c_str(), X_OK) == 0;
}

fs::path self() {
  std::error_code ec;
  return fs::read_symlink("/proc/self/exe", ec);
}

/// A program of ours, beside this one.
Result<std::string> ours(const std::string& name) {
  const fs::path path = self().parent_path() / name;
  if (is_program(path)) return path.string();
  return fail(Status::not_found, path.string() + ": is not there",
              "--boinc demo needs the programs of boinc/; sparkmill-boinc wants libboinc-app-dev when it is built");
}

std::string on_path(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::string_view rest = path != nullptr ? path : "";
  while (!rest.empty()) {
    const auto colon = rest.find(':');
    const fs::path candidate = fs::path(rest.substr(0, colon)) / name;
    if (is_program(candidate)) return candidate.string();
    rest = colon == std::string_view::npos ? std::string_view() : rest.substr(colon + 1);
  }
  return {};
}

std::string tail_of(const fs::path& file) {
  auto text = read_text_file(file, 16u << 20);
  if (!text) return {};
  while (!text->empty() && text->back() == '\n') text->pop_back();
  const std::size_t line = text->rfind('\n');
  return line == std::string::npos ? *text : text->substr(line + 1);
}

Result<std::string> get(const std::string& base, const std::string& target) {
  SPARKMILL_ASSIGN(const http::Url url, http::Url::parse(base));
  http::Client client(url);
  http::Request request;
  request.target = target;
  SPARKMILL_ASSIGN(const http::Response response, client.call(request));
  return std::string(text(response.body));
}

}  // namespace

Done BoincDemo::step(const std::vector<std::string>& command) const {
  const fs::path output = settings_.folder / "last-step.txt";
  SPARKMILL_ASSIGN(Child child, Child::start(command, {settings_.folder, output, {}}));
  const ChildEnd end = child.wait(kStepMs);
  if (end.exited && end.code == 0) return done();
  return fail(Status::internal, command[0] + " failed: " + tail_of(output), "all it said is in " + output.string());
}

/// One version for each build of the application: clients keep a file's content under its name for ever. The libraries
/// of BOINC are those of this machine, so only the program is shipped.
Done BoincDemo::make_app() const {
  SPARKMILL_ASSIGN(const std::string app, ours("sparkmill-boinc"));
  SPARKMILL_ASSIGN(const auto content, MappedFile::open(app));
  const std::string name = "sparkmill-boinc_" + to_hex(sha256(content->bytes())).substr(0, 16);
  const fs::path versions = project() / "apps" / "sparkmill";
  int next = 100;
  std::error_code ec;
  for (fs::directory_iterator it(versions, ec), end; !ec && it != end; it.increment(ec)) {
    if (fs::exists(it->path() / kPlatform / name, ec)) return done();
    ++next;
  }
  const std::string minor = std::to_string(next % 100);
  const fs::path folder =
      versions / (std::to_string(next / 100) + "." + (minor.size() < 2 ? "0" + minor : minor)) / kPlatform;
  fs::create_directories(folder, ec);
  fs::copy_file(app, folder / name, fs::copy_options::overwrite_existing, ec);
  if (ec) return fail(Status::io_error, (folder / name).string() + ": " + ec.message());
  const std::string xml = "<version>\n<file><physical_name>" + name +
                          "</physical_name><main_program/></file>\n<api_version>" SPARKMILL_BOINC_API
                          "</api_version>\n</version>\n";
  return write_file_atomic(folder / "version.xml", view(xml));
}

Done BoincDemo::make_templates() const {
  const std::string secret = (settings_.folder / "demo.secret").string();
  std::error_code ec;
  if (!fs::exists(secret, ec)) SPARKMILL_TRY(write_file_atomic(secret, random_array<32>(), 0600));
  for (const std::string side : {"requests", "users"}) {
    const std::string file = (settings_.folder / (side + ".pcbt")).string();
    if (fs::exists(file, ec)) continue;
    const std::string part = file + ".part";
    SPARKMILL_TRY(step({self().string(), "enrol", "--in", "faces", "--mean", "faces", "--epoch", "boinc-demo",
                        "--secret-file", secret, "--synthetic", kRows, "--seed", side, "--out", part}));
    fs::rename(part, file, ec);
    if (ec) return fail(Status::io_error, file + ": " + ec.message());
  }
  return done();
}

Done BoincDemo::start_project() {
  SPARKMILL_ASSIGN(const std::string server, ours("sparkmill-project"));
  SPARKMILL_ASSIGN(const std::string validator, ours("sparkmill-boinc-validate"));
  SPARKMILL_ASSIGN(const std::string assimilator, ours("sparkmill-boinc-assimilate"));
  SPARKMILL_ASSIGN(const std::string work, ours("sparkmill-boinc-work"));
  SPARKMILL_TRY(step({work, "init", "--project", project().string(), "--url", url(), "--hold-s", "0"}));
  constexpr std::string_view kSaid = "project key: ";
  SPARKMILL_ASSIGN(const std::string said, read_text_file(settings_.folder / "last-step.txt", 1u << 20));
  const std::size_t at = said.find(kSaid);
  if (at == std::string::npos) return fail(Status::internal, work + ": does not name the project's key: " + said);
  project_key_ = said.substr(at + kSaid.size(), 64);
  const fs::path log = settings_.folder / "project.log";
  // A host of its own account is all there is, so it may try a unit again; units have quorum 1.
  SPARKMILL_ASSIGN(server_,
                   Child::start({server, "--data", project().string(), "--port", std::to_string(settings_.port),
                                 "--validator", validator, "--assimilator", assimilator, "--one-result-per", "any",
                                 "--request-delay-s", "3", "--next-rpc-delay-s", "30"},
                                {{}, log, {}}));
  const std::uint64_t until = system_clock().steady_ms() + kStartMs;
  while (!get(url(), "/get_project_config.php")) {
    if (!server_->running() || system_clock().steady_ms() > until) {
      return fail(Status::unreachable, "the project server does not start: " + tail_of(log),
                  "all it said is in " + log.string() + "; --boinc-port chooses other ports");
    }
    std::this_thread::sleep_for(kNap);
  }
  // Whoever answers on the port may be somebody else when ours could not listen.
  if (!server_->running())
    return fail(Status::locked, "port " + std::to_string(settings_.port) + " is taken: " + tail_of(log),
                "--boinc-port chooses others");
  return done();
}

std::string BoincDemo::trust() const {
  // Its receipts name no node: the demo may be run with one chain today and another tomorrow.
  return "{\"url\": \"" + url() + "\", \"assimilator_key\": \"" + project_key_ + "\", \"any_node\": true}";
}

Done BoincDemo::add_work() const {
  SPARKMILL_ASSIGN(const std::string work, ours("sparkmill-boinc-work"));
  SPARKMILL_ASSIGN(const std::string server, ours("sparkmill-project"));
  const auto side = [&](const char* name) {
    return "face=" + (settings_.folder / (std::string(name) + ".pcbt")).string();
  };
  SPARKMILL_TRY(step({work, "match", "--project", project().string(), "--requests", side("requests"), "--users",
                      side("users"), "--predicate", "face.dot>=660", "--tiles", "4096"}));
  const std::string said = tail_of(settings_.folder / "last-step.txt");
  const std::size_t at = said.rfind(", ");
  if (at == std::string::npos) return fail(Status::internal, work + ": does not name its manifest: " + said);
  return step({server, "add", "--data", project().string(), "--wait-s", "60", said.substr(at + 2)});
}

Result<std::string> BoincDemo::account_key() const {
  const std::string address = "demo@example.org";
  const std::string hash = to_hex(md5(view("demo-password" + address)));
  SPARKMILL_ASSIGN(
      const std::string page,
      get(url(), "/create_account.php?email_addr=demo%40example%2Eorg&user_name=demo&passwd_hash=" + hash));
  constexpr std::string_view kTag = "<authenticator>";
  const std::size_t at = page.find(kTag);
  if (at == std::string::npos)
    return fail(Status::refused, "the project server gives no account: " + page.substr(0, 200));
  return page.substr(at + kTag.size(), 32);
}

Done BoincDemo::start_client(const std::string& program, const std::string& key) {
  client_folder_ = settings_.folder / "client";
  std::error_code ec;
  fs::create_directories(*client_folder_, ec);
  SPARKMILL_TRY(
      write_file_atomic(*client_folder_ / "cc_config.xml",
                        view("<cc_config><options><allow_multiple_clients>1</allow_multiple_clients>"
                             "<report_results_immediately>1</report_results_immediately></options></cc_config>\n")));
  // The worker beside it keeps the processor busy and gives way by its own policy; the client must not wait for it.
  SPARKMILL_TRY(
      write_file_atomic(*client_folder_ / "global_prefs_override.xml",
                        view("<global_preferences><suspend_cpu_usage>0</suspend_cpu_usage>"
                             "<run_if_user_active>1</run_if_user_active><work_buf_min_days>0</work_buf_min_days>"
                             "<work_buf_additional_days>0.01</work_buf_additional_days></global_preferences>\n")));
  std::vector<std::string> command{program,
                                   "--dir",
                                   client_folder_->string(),
                                   "--gui_rpc_port",
                                   std::to_string(settings_.port + 1),
                                   "--allow_multiple_clients",
                                   "--no_info_fetch",
                                   "--skip_cpu_benchmarks",
                                   "--no_gpus"};
  const std::string account = "account_127.0.0.1_" + std::to_string(settings_.port) + ".xml";
  if (!fs::exists(*client_folder_ / account, ec)) {
    for (const std::string& word : {std::string("--attach_project"), url(), key}) command.push_back(word);
  }
  const fs::path log = settings_.folder / "client.log";
  SPARKMILL_ASSIGN(client_, Child::start(command, {*client_folder_, log, {}}));
  boinc::rpc::ClientSettings s;
  SPARKMILL_ASSIGN(s.address, boinc::rpc::parse_address(client_address()));
  boinc::rpc::Client client(s);
  const std::uint64_t until = system_clock().steady_ms() + kStartMs;
  while (!client.connect()) {
    if (!client_->running() || system_clock().steady_ms() > until) {
      return fail(Status::unreachable, "the BOINC client does not start: " + tail_of(log),
                  "all it said is in " + log.string() + "; --boinc-port chooses other ports");
    }
    std::this_thread::sleep_for(kNap);
  }
  return done();
}

Result<std::unique_ptr<BoincDemo>> BoincDemo::start(BoincDemoSettings settings) {
  std::unique_ptr<BoincDemo> demo(new BoincDemo(std::move(settings)));
  const auto& say = demo->settings_.say;
  std::error_code ec;
  fs::create_directories(demo->project(), ec);
  if (ec) return fail(Status::io_error, demo->project().string() + ": " + ec.message());
  SPARKMILL_TRY(demo->make_app());
  SPARKMILL_TRY(demo->make_templates());
  SPARKMILL_TRY(demo->start_project());
  SPARKMILL_TRY(demo->add_work());
  say("BOINC demo: project server (for tests and demos) at " + demo->url() + ", a match waits there in units");
  const std::string program = on_path("boinc");
  if (program.empty()) {
    say("BOINC demo: no BOINC client on PATH (Debian: boinc-client), so nobody computes; attach one of yours to that "
        "URL");
    return demo;
  }
  SPARKMILL_ASSIGN(const std::string key, demo->account_key());
  SPARKMILL_TRY(demo->start_client(program, key));
  say("BOINC demo: client in " + demo->client_folder_->string() +
      "; look with: sparkmill boinc tasks --boinc.address " + demo->client_address() + " --boinc.data-dir " +
      demo->client_folder_->string());
  return demo;
}

BoincDemo::~BoincDemo() {
  // Time for the client to end its tasks and write its state.
  if (client_) client_->end(10'000);
  if (server_) server_->end(10'000);
}

}  // namespace sparkmill::cli

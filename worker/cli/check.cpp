// SPDX-License-Identifier: Apache-2.0
// `sparkmill check`: everything a run needs, a line each. The exit code is that of the first failure.
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/hex.h"
#include "kernels/registry.h"
#include "node/protocol/messages.h"
#include "worker/api/api.h"
#include "worker/cli/args.h"
#include "worker/cli/command.h"
#include "worker/cli/key_access.h"
#include "worker/cli/local_api.h"

namespace sparkmill::cli {

namespace {

constexpr Usage kUsage{"check",
                       "",
                       "Looks at configuration, key, data folder, devices with their self-tests, and the node.\n"
                       "One line each: ok, warn or fail; the exit code is that of the first failure.",
                       {},
                       0,
                       true};

class Lines {
 public:
  void ok(const char* what, const std::string& text) { print("ok", what, text, {}); }
  void warn(const char* what, const std::string& text, const std::string& hint = {}) {
    print("warn", what, text, hint);
  }
  void fail(const char* what, const Error& e) {
    print("fail", what, e.message, e.hint);
    if (code_ == 0) code_ = exit_code(e.code);
  }
  int code() const { return code_; }

 private:
  static void print(const char* verdict, const char* what, const std::string& text, const std::string& hint) {
    std::printf("%-4s  %-8s  %s%s%s\n", verdict, what, text.c_str(), hint.empty() ? "" : "; ", hint.c_str());
  }
  int code_ = 0;
};

void check_key(Lines& lines, const config::Config& config) {
  const auto file = config.path("key");
  std::error_code ec;
  if (!std::filesystem::exists(file, ec)) {
    return lines.warn("key", file.string() + " does not exist yet", "the first run makes it, or: sparkmill keys new");
  }
  const auto key = open_key(config);
  if (!key) return lines.fail("key", key.error());
  lines.ok("key", file.string() + ", worker " + to_hex(key->role("envelope").public_key()).substr(0, 16));
}

void check_folder(Lines& lines, const config::Config& config) {
  const auto folder = std::filesystem::absolute(config.path("data"));
  std::error_code ec;
  std::filesystem::path there = folder;
  while (!there.empty() && !std::filesystem::exists(there, ec) && there != there.root_path())
    there = there.parent_path();
  struct stat st {};
  if (::stat(there.c_str(), &st) != 0 || !S_ISDIR(st.st_mode)) {
    return lines.fail("data", fail(Status::bad_config, there.string() + ": not a folder", "set data to another one"));
  }
  if (::access(there.c_str(), W_OK | X_OK) != 0) {
    return lines.fail("data", fail(Status::io_error, there.string() + ": this user may not write there",
                                   "change its owner, or set data to another folder"));
  }
  struct statvfs fs {};
  if (::statvfs(there.c_str(), &fs) != 0) return lines.warn("data", there.string() + ": free space not known");
  const std::uint64_t free_mib = std::uint64_t{fs.f_bavail} * fs.f_frsize >> 20;
  const std::string text =
      folder.string() + (there == folder ? "" : " (will be made)") + ", " + std::to_string(free_mib) + " MiB free";
  if (free_mib < 64) return lines.fail("data", fail(Status::no_space, text, "free at least 64 MiB"));
  if (free_mib < config.number("blob_cache_bytes") >> 20) {
    return lines.warn("data", text, "less than blob_cache_bytes; jobs may have to wait for space");
  }
  lines.ok("data", text);
}

void check_devices(Lines& lines, const config::Config& config) {
  std::vector<std::string> notes;
  const auto devices = kernels::discover_devices(&notes);
  const auto wanted = config.list("devices");
  for (const std::string& id : wanted) {
    if (std::none_of(devices.begin(), devices.end(), [&](const auto& d) { return d.id == id; })) {
      lines.fail("device", fail(Status::no_device, id + ": there is no such device", "sparkmill devices lists them"));
    }
  }
  bool any = false;
  Error last = fail(Status::no_device, "no usable device", "sparkmill devices tells why");
  for (const auto& d : devices) {
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), d.id) == wanted.end()) continue;
    const auto choice = kernels::choose(kernels::Family::match, d, config.text("backend"));
    if (!choice) {
      lines.warn("device", d.id + ": " + choice.error().message, choice.error().hint);
      last = choice.error();
      continue;
    }
    const auto made = kernels::make_tested(*choice->row, d);
    if (!made) {
      lines.fail("device", made.error());
      continue;
    }
    any = true;
    lines.ok("device", d.id + ", " + d.name + ", " + choice->row->id() + " (" + choice->reason + "), self-test passed");
  }
  for (const std::string& note : notes) lines.warn("device", note);
  if (!any) lines.fail("device", fail(Status::no_device, "no device can work: " + last.message, last.hint));
}

void check_api(Lines& lines, const config::Config& config) {
  struct stat st {};
  const auto file = config.path("api.token_file");
  if (::stat(file.c_str(), &st) == 0) {
    if (auto token = worker::api_token(file, false); !token) return lines.fail("api", token.error());
  }
  auto url = api_url(config, {});
  if (!url) return lines.fail("api", url.error());
  const std::string where = url->host + ":" + std::to_string(url->port);
  LocalApi api(std::move(*url), file);
  const auto answer = api.get("/v1/state");
  if (answer) return lines.ok("api", "a worker runs and answers at " + where);
  if (answer.error().code == Status::unreachable) return lines.ok("api", where + ", no worker runs");
  lines.warn("api", "what answers at " + where + " is no worker of this user: " + answer.error().message);
}

void check_node(Lines& lines, const config::Config& config) {
  const std::string node = config.text("node");
  const std::string mining = config.text("mining");
  if (node.empty() && (mining == "pool" || mining == "bytom")) {
    return lines.ok("node", "none named: `run` mines for a " + mining + " only");
  }
  if (node.empty()) return lines.ok("node", "none named: `run` starts the embedded demo node");
  if (node == "demo") return lines.ok("node", "the embedded demo node, which `run` starts");
  http::ClientOptions options;
  options.timeout_ms = 5'000;
  options.body_limit = 64u << 10;
  options.ca_file = config.text("ca_file");
  auto url = http::Url::parse(node);
  if (!url) return lines.fail("node", url.error());
  http::Client client(std::move(*url), options);
  http::Request request;
  request.target = "/v1/info";
  const auto answer = client.call(request);
  if (!answer) return lines.fail("node", answer.error());
  if (answer->status != 200) return lines.fail("node", protocol::error_from_json(text(answer->body), answer->status));
  const auto info = protocol::info_from_json(text(answer->body));
  if (!info) return lines.fail("node", fail(Status::refused, node + ": not a Sparkmill node: " + info.error().message));
  lines.ok("node", node + ", version " + info->version + ", block " + std::to_string(info->height));
}

}  // namespace

int run_check(std::span<const std::string> args) {
  const auto parsed = parse_args(kUsage, args);
  if (!parsed) return report("check", parsed.error());
  if (parsed->help) return 0;
  Lines lines;
  const auto config = config::load(parsed->inputs);
  if (!config) {
    lines.fail("config", config.error());
    return lines.code();
  }
  lines.ok("config", config->file().empty() ? "no file, built-in settings (that is fine)" : config->file().string());
  for (const std::string& note : config->notes()) lines.warn("config", note);
  check_key(lines, *config);
  check_folder(lines, *config);
  check_devices(lines, *config);
  check_api(lines, *config);
  check_node(lines, *config);
  return lines.code();
}

}  // namespace sparkmill::cli

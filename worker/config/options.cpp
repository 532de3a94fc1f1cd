// SPDX-License-Identifier: Apache-2.0
// The one table of settings: command line, environment, file, pages and checks all come from here.
#include <algorithm>

#include "worker/config/config.h"

namespace sparkmill::config {

namespace {

constexpr std::uint64_t kMiB = 1ull << 20;
constexpr std::uint64_t kTiB = 1ull << 40;

/// Defaults of the four profiles where they differ from the built-in one.
struct Profiles {
  std::string_view quiet{}, balanced{}, full{}, bench{};
};

constexpr Option text(std::string_view name, std::string_view value, std::string_view help, Type type = Type::text) {
  return {name, type, value, {}, {}, {}, {}, 0, 0, {}, {}, false, help};
}
constexpr Option number(std::string_view name, std::string_view value, std::uint64_t min, std::uint64_t max,
                        std::string_view unit, std::string_view help, Profiles p = {}) {
  return {name, Type::number, value, p.quiet, p.balanced, p.full, p.bench, min, max, unit, {}, false, help};
}
constexpr Option flag(std::string_view name, std::string_view value, std::string_view help, Profiles p = {}) {
  return {name, Type::flag, value, p.quiet, p.balanced, p.full, p.bench, 0, 0, {}, {}, false, help};
}
constexpr Option choice(std::string_view name, std::string_view value, std::string_view choices, std::string_view help,
                        Profiles p = {}) {
  return {name, Type::choice, value, p.quiet, p.balanced, p.full, p.bench, 0, 0, {}, choices, false, help};
}
constexpr Option live(Option option) {
  option.live = true;
  return option;
}

constexpr Option kOptions[] = {
    choice("profile", "balanced", "quiet|balanced|full|bench",
           "Set of defaults: quiet and balanced leave one core free, full and bench take all; quiet works in shorter "
           "slices, bench runs at normal priority and logs warnings only"),
    text("data", "${XDG_DATA_HOME}/sparkmill", "Folder of the store, the blob cache, the key and the API token",
         Type::path),
    text("key", "${data}/worker.key", "Key file; made at the first run", Type::path),
    text("passphrase_file", "", "File whose first line is the passphrase of the key file; empty: not wrapped",
         Type::path),
    text("node", "",
         "URL of the node to work for; demo: the embedded demo node; empty: that one too, but none when mining for a "
         "pool or a Bytom node"),
    text("ca_file", "", "PEM file with an extra certificate authority for https nodes", Type::path),
    text("name", "${HOSTNAME}", "Name shown to the operator of the node"),
    text("devices", "", "Ids of the devices to use, as `sparkmill devices` lists them; empty: all", Type::list),
    text("backend", "", "Kernel row forced on every device it fits, for example cpu/avx2; empty: the best one"),
    number("cpu_lanes", "0", 0, 4096, "", "Kernel instances on the CPU; 0: as many as the profile says"),
    flag("low_priority", "true", "Run CPU lanes at the lowest priority (nice 19)", {{}, {}, "false", "false"}),
    number("blob_cache_bytes", "4294967296", 64 * kMiB, 64 * kTiB, "bytes", "Size limit of the cache of job inputs"),
    number("jobs_in_flight", "3", 1, 64, "", "Leases held at once, so that waiting for a challenge overlaps with work",
           {"2", {}, "4", "4"}),
    number("slice_ms", "250", 10, 10'000, "ms", "Length of a slice that a device works on without a break",
           {"100", {}, {}, {}}),
    number("rounds", "0", 0, 1'000'000'000, "", "End after that many receipts; 0: never"),
    choice(
        "mining", "auto", "auto|off|node|pool|bytom",
        "Search for Tensority proofs of work: auto: for the node if its blocks need them; node: the same, and say so "
        "if they do not; for a stratum pool; for a Bytom node"),
    number("mining_percent", "25", 1, 99, "%",
           "Share of the devices' time for mining while other jobs wait; when none waits it has all of it"),
    text("pool.url", "", "Pools in order of preference: stratum+tcp://host:port or stratum+tls://host:port",
         Type::list),
    text("pool.user", "", "Account or wallet address at the pools, optionally with .rig"),
    text("pool.pass", "x", "Password sent to the pools; most ignore it"),
    choice("pool.nonce_order", "auto", "auto|little|big", "Byte order of the first nonce in a pool's jobs"),
    text("pool.keepalive", "",
         "Method called on a silent line, for pools that know one (keepalived, getwork); empty: none, since others "
         "close "
         "the line on it"),
    number("pool.keepalive_s", "60", 5, 3'600, "s", "Silence after which it is called"),
    number("pool.retries", "3", 1, 1'000, "", "Failures in a row after which the next pool is tried too"),
    number("pool.backoff_max_s", "60", 1, 3'600, "s", "Longest wait between two tries of a pool; they begin at 1 s"),
    number("pool.return_after_s", "60", 1, 86'400, "s",
           "A better pool must have been good that long before it is used again"),
    number("pool.answer_timeout_s", "30", 1, 3'600, "s", "A share unanswered that long: the line is taken for dead"),
    number("pool.silence_s", "900", 10, 86'400, "s", "Nothing heard that long: the line is taken for dead"),
    text("bytom.url", "http://127.0.0.1:9888", "API of the Bytom node"),
    flag("bytom.json", "false", "Use get-work-json and submit-work-json instead of the binary form in hex"),
    number("bytom.poll_ms", "500", 50, 60'000, "ms", "Time between two looks at the Bytom node"),
    number("bytom.refresh_s", "30", 1, 600, "s", "After that long the same template is taken with a newer timestamp"),
    text("bytom.token_file", "", "File whose first line is the Bytom node's access token, id:64hex; empty: none",
         Type::path),
    choice("boinc.policy", "yield", "off|yield|share|first",
           "What a BOINC client on this machine gets while it has tasks: yield all, share (see boinc.share_percent), "
           "first: we come first; off: do not look for one"),
    number("boinc.share_percent", "50", 1, 99, "%", "Our part of CPU lanes and GPU time under the policy share"),
    text(
        "boinc.obey", "",
        "Reasons of the BOINC client to suspend that hold our lanes too: battery, user_active, user_request, schedule, "
        "exclusive_app, no_recent_input, overheated",
        Type::list),
    text("boinc.address", "", "host:port or unix:/path of the BOINC client; empty: found on this machine"),
    text("boinc.data_dir", "", "Data folder of the BOINC client; empty: looked for where Debian and others put it",
         Type::path),
    text("boinc.password_file", "", "Its gui_rpc_auth.cfg; empty: the one in its data folder", Type::path),
    flag("boinc.claim", "false", "Send signed claims of finished BOINC results (account, host, times) to the node"),
    flag("boinc.receipts", "true",
         "Bind the key of our own BOINC application to this worker, and bring the node the receipts that its project "
         "publishes"),
    number("source_patience_s", "0", 0, 604'800, "s",
           "Give up (exit 6) when the node, or without one the source of mining work, is unreachable that long; 0: "
           "never"),
    text("api.listen", "127.0.0.1", "Address of the API; beyond loopback every request needs the token"),
    number("api.port", "7440", 0, 65'535, "", "Port of the API; 0: any free one"),
    text("api.token_file", "${data}/api.token", "Token that writes need; made at the first start, owner-only",
         Type::path),
    live(choice("log.level", "info", "trace|debug|info|warn|error|off", "Least severe messages that are logged",
                {{}, {}, {}, "warn"})),
    live(text("log.file", "", "Also log to this file, rotated at 10 MiB, five kept; empty: standard error only",
              Type::path)),
    live(flag("log.json", "false", "One JSON object a line instead of text")),
    number("demo.requests", "8192", 256, 1u << 20, "rows", "Requests in a job of the embedded demo node"),
    number("demo.users", "8192", 256, 1u << 20, "rows", "Enrolled users in a job of the embedded demo node"),
    number("demo.signatures", "4096", 0, 1u << 20, "signatures",
           "Signatures in a verify.batch job of the embedded demo node; 0: no such jobs"),
    number("demo.blocks", "1024", 0, 1u << 16, "blocks",
           "Blocks in a verify.blocks job of the embedded demo node; 0: no such jobs"),
    text("demo.shares", "match.h=3,verify.batch=1,verify.blocks=1",
         "How the embedded demo node shares the credit it hands out among kinds of jobs"),
    number("demo.interval_ms", "2000", 200, 600'000, "ms", "Block interval of the embedded demo node"),
    text(
        "demo.boinc_projects", "",
        "JSON list of BOINC projects whose credit counts at the embedded demo node (docs/boinc-credit.md); empty: with "
        "--boinc demo that project, else none",
        Type::path),
    text("demo.predicate", "face.dot>=660", "Predicate of the jobs of the embedded demo node"),
};

}  // namespace

std::span<const Option> options() { return kOptions; }

const Option* find(std::string_view name) {
  const auto* it =
      std::find_if(std::begin(kOptions), std::end(kOptions), [&](const Option& o) { return o.name == name; });
  return it == std::end(kOptions) ? nullptr : it;
}

std::string_view name(Type type) {
  switch (type) {
    case Type::text: return "text";
    case Type::path: return "path";
    case Type::number: return "number";
    case Type::flag: return "flag";
    case Type::list: return "list";
    case Type::choice: return "choice";
  }
  return "text";
}

std::string_view name(Layer layer) {
  switch (layer) {
    case Layer::built_in: return "built-in";
    case Layer::profile: return "profile";
    case Layer::file: return "file";
    case Layer::environment: return "environment";
    case Layer::command_line: return "command line";
    case Layer::temporary: return "temporary";
  }
  return "built-in";
}

std::string range_text(const Option& option) {
  switch (option.type) {
    case Type::number: {
      std::string out = std::to_string(option.min) + ".." + std::to_string(option.max);
      if (!option.unit.empty()) out += " " + std::string(option.unit);
      return out;
    }
    case Type::flag: return "true|false";
    case Type::choice: return std::string(option.choices);
    case Type::list: return "texts, separated by commas";
    case Type::path: return "a path";
    case Type::text: return "a text";
  }
  return {};
}

}  // namespace sparkmill::config

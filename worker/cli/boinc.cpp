// SPDX-License-Identifier: Apache-2.0
// `sparkmill boinc VERB`: steers the BOINC client of this machine. Talks to it directly; no worker has to run.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>

#include "base/file.h"
#include "boinc/rpc/attach.h"
#include "boinc/rpc/password.h"
#include "worker/cli/args.h"
#include "worker/cli/boinc_bind.h"
#include "worker/cli/command.h"
#include "worker/cli/table.h"

namespace sparkmill::cli {

namespace rpc = boinc::rpc;

namespace {

constexpr OwnOption kOwn[] = {
    {"key-file", "FILE", "attach: file whose first line is the account key"},
    {"email", "ADDRESS", "attach: the account's address, with --password-file"},
    {"password-file", "FILE", "attach: file whose first line is the account's password"},
    {"create", "", "attach: make the account when there is none"},
    {"user-name", "NAME", "attach: name of a new account"},
    {"cpid", "HEX", "bind: the account's CPID; otherwise the BOINC client of this machine is asked"},
    {"proof", "FILE", "bind: the box of the project's account_ownership.php; without it the text to sign is printed"},
    {"patience", "SECONDS", "attach: how long to wait for the project at each step (120)"},
};
constexpr Usage kUsage{
    "boinc",
    "attach URL | detach URL | update URL | tasks | suspend [URL|TASK] | resume [URL|TASK] | bind URL",
    "Steers the BOINC client of this machine. attach ends when the project has given this host an id, and "
    "undoes itself when the project refuses.\nsuspend and resume take a project's URL, a task's name, or "
    "nothing: then the whole client.\nbind ties an account of a project to this worker's key at its node, which then "
    "credits what the account gains.",
    kOwn,
    2,
    true};

constexpr std::uint64_t kSecretFileLimit = 4096;

void say(const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); }

/// Projects choose their texts: nothing in them may steer a terminal.
std::string safe(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 200)) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  return out;
}

Result<std::string> first_line(const std::string& file, const char* what) {
  SPARKMILL_ASSIGN(const std::string text, read_text_file(file, kSecretFileLimit));
  std::string line = text.substr(0, text.find_first_of("\r\n"));
  if (line.empty()) return fail(Status::bad_input, file + ": its first line must be " + what + ", and is empty");
  return line;
}

struct Session {
  rpc::Client client;
  rpc::Places places;
  /// Where the password was looked for and could not be read; control may work without one.
  std::optional<Error> no_password;

  /// For what needs a password. A client with an empty one lets everybody in, so an unreadable file is told only when
  /// the client insists.
  Done authorise() {
    auto password = rpc::find_password(places);
    if (!password) {
      no_password = password.error();
      return done();
    }
    return client.authorise(password->text);
  }
  /// The error of a call, made clear when it is for want of the password.
  Error explain(const Error& e) const {
    return e.code == Status::refused && no_password && e.message.find("wants its password") != std::string::npos
               ? *no_password
               : e;
  }
};

Result<std::unique_ptr<Session>> open_session(const config::Config& config, bool control) {
  rpc::Places places;
  places.data_dir = config.path("boinc.data_dir");
  places.password_file = config.path("boinc.password_file");
  std::optional<rpc::Address> address;
  SPARKMILL_TRY(config::boinc_address(config, address));
  rpc::ClientSettings s;
  if (address) {
    s.address = *address;
  } else if (const auto socket = rpc::find_socket(places)) {
    s.address.unix_socket = socket->string();
  }
  auto session = std::unique_ptr<Session>(new Session{rpc::Client(std::move(s)), places, {}});
  SPARKMILL_TRY(session->client.connect());
  if (control) SPARKMILL_TRY(session->authorise());
  return session;
}

int show_tasks(rpc::Client& client) {
  const auto status = client.cc_status();
  if (!status) return report("boinc", status.error());
  const auto projects = client.projects();
  if (!projects) return report("boinc", projects.error());
  const auto tasks = client.results();
  if (!tasks) return report("boinc", tasks.error());
  std::string suspended;
  for (const std::string& name : rpc::suspend_names(status->task_suspend_reason))
    suspended += (suspended.empty() ? "" : ", ") + name;
  std::printf("BOINC client %s at %s, mode %s%s\n", client.version().text().c_str(),
              client.settings().address.text().c_str(), std::string(rpc::name(status->task_mode)).c_str(),
              suspended.empty() ? "" : (", suspended: " + suspended).c_str());
  if (projects->empty()) std::printf("attached to no project; sparkmill boinc attach URL --key-file FILE\n");
  for (const rpc::Project& p : *projects) {
    std::string notes;
    if (p.host_id == 0) notes += ", no host id yet";
    if (p.suspended) notes += ", suspended";
    if (p.no_more_work) notes += ", takes no new tasks";
    if (p.master_fetch_failures + p.rpc_failures > 0) notes += ", its server does not answer";
    std::printf("project  %s  %s, host %lld, credit %.3f of this host, %.3f of its user%s\n", safe(p.url).c_str(),
                safe(p.name.empty() ? "(no name yet)" : p.name).c_str(), static_cast<long long>(p.host_id),
                p.host_credit, p.user_credit, notes.c_str());
  }
  std::vector<std::vector<std::string>> rows = {{"task", "state", "done", "elapsed", "left", "needs"}};
  for (const rpc::Task& t : *tasks) {
    const bool over = t.over();
    std::string phase(rpc::phase(t));
    if (t.scheduler_wait && !t.wait_reason.empty()) phase += ": " + t.wait_reason;
    rows.push_back({safe(t.name), safe(phase), over ? "" : fmt::format("{:.1f} %", 100 * t.fraction_done),
                    fmt::format("{:.0f} s", over ? t.final_elapsed_s : t.elapsed_s),
                    over ? "" : fmt::format("{:.0f} s", t.left_s), safe(t.resources.empty() ? "1 CPU" : t.resources)});
  }
  if (tasks->empty()) {
    std::printf("no tasks\n");
  } else {
    std::printf("%s", table_text(rows, {false, false, true, true, true, false}).c_str());
  }
  return 0;
}

Result<rpc::AttachOrder> attach_order(const Args& args) {
  rpc::AttachOrder order;
  order.url = args.words[1];
  const bool by_key = args.has("key-file"), by_email = args.has("email") || args.has("password-file");
  if (by_key == by_email || (by_email && !(args.has("email") && args.has("password-file")))) {
    return fail(Status::bad_argument, "attach needs --key-file FILE, or --email ADDRESS and --password-file FILE",
                "secrets are read from files, so that other users do not see them in the list of processes");
  }
  if (by_key) {
    SPARKMILL_ASSIGN(order.account_key, first_line(args.get("key-file"), "the account key"));
  } else {
    order.email = args.get("email");
    SPARKMILL_ASSIGN(order.password, first_line(args.get("password-file"), "the password"));
  }
  order.create = args.has("create");
  order.user_name = args.get("user-name");
  if (args.has("patience")) {
    const std::string text = args.get("patience");
    const bool digits = !text.empty() && text.size() <= 5 &&
                        std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!digits) return fail(Status::bad_argument, "--patience: '" + text.substr(0, 20) + "' is no number of seconds");
    order.patience_ms = static_cast<unsigned>(std::stoul(text)) * 1000;
  }
  order.say = say;
  return order;
}

int run_attach(Session& session, const rpc::AttachOrder& order) {
  const auto attached = rpc::attach(session.client, order);
  if (!attached) return report("boinc", session.explain(attached.error()));
  std::printf("attached to %s (%s), host id %lld\n", attached->url.c_str(), safe(attached->name).c_str(),
              static_cast<long long>(attached->host_id));
  return 0;
}

int run_bind(const Args& args, const config::Config& config, const std::string& url) {
  const auto local_cpid = [&]() -> Result<std::string> {
    SPARKMILL_ASSIGN(const auto session, open_session(config, false));
    SPARKMILL_ASSIGN(const auto projects, session->client.projects());
    const auto it = std::find_if(projects.begin(), projects.end(), [&](const rpc::Project& p) { return p.url == url; });
    if (it == projects.end()) {
      return fail(Status::not_found, "the BOINC client is not attached to " + url,
                  "name the account's CPID: --cpid HEX");
    }
    return it->cpid;
  };
  return run_boinc_bind(config, {url, args.get("cpid"), args.get("proof")}, local_cpid);
}

bool is_url(const std::string& word) { return word.find("://") != std::string::npos; }

/// suspend and resume of a project, of a task, or of everything.
Done steer(rpc::Client& client, const std::string& verb, const std::string& what) {
  if (what.empty()) {
    return client.set_mode(rpc::Client::What::run, verb == "suspend" ? rpc::Mode::never : rpc::Mode::automatic);
  }
  if (is_url(what)) {
    SPARKMILL_ASSIGN(const std::string url, rpc::canonical_url(what));
    return client.project_op(verb, url);
  }
  SPARKMILL_ASSIGN(const auto tasks, client.results());
  const auto it = std::find_if(tasks.begin(), tasks.end(), [&](const rpc::Task& t) { return t.name == what; });
  if (it == tasks.end()) {
    return fail(Status::not_found, "the BOINC client has no task '" + what.substr(0, 80) + "'",
                "`sparkmill boinc tasks` lists them");
  }
  return client.result_op(verb, it->project_url, it->name);
}

Done simple_verb(rpc::Client& client, const std::string& verb, const std::string& what) {
  if (verb == "suspend" || verb == "resume") return steer(client, verb, what);
  SPARKMILL_ASSIGN(const std::string url, rpc::canonical_url(what));
  return client.project_op(verb, url);
}

}  // namespace

int run_boinc(std::span<const std::string> args) {
  const auto parsed = parse_args(kUsage, args);
  if (!parsed) return report("boinc", parsed.error());
  if (parsed->help) return 0;
  const std::string verb = parsed->words.empty() ? "tasks" : parsed->words[0];
  const std::string what = parsed->words.size() > 1 ? parsed->words[1] : "";
  const bool wants_url = verb == "attach" || verb == "detach" || verb == "update" || verb == "bind";
  const bool known = wants_url || verb == "tasks" || verb == "suspend" || verb == "resume";
  if (!known) {
    return report("boinc", fail(Status::bad_argument, "there is no verb '" + verb.substr(0, 40) + "'",
                                "attach, detach, update, tasks, suspend, resume or bind"));
  }
  if (wants_url && what.empty())
    return report("boinc", fail(Status::bad_argument, verb + " needs the URL of a project", "sparkmill help boinc"));
  if (verb == "tasks" && !what.empty())
    return report("boinc", fail(Status::bad_argument, "unexpected word '" + what.substr(0, 80) + "'"));
  rpc::AttachOrder order;
  if (verb == "attach") {
    auto made = attach_order(*parsed);
    if (!made) return report("boinc", made.error());
    order = std::move(*made);
    if (auto url = rpc::canonical_url(order.url); !url) return report("boinc", url.error());
  }
  const auto config = config::load(parsed->inputs);
  if (!config) return report("boinc", config.error());
  if (verb == "bind") {
    const auto url = rpc::canonical_url(what);
    return url ? run_bind(*parsed, *config, *url) : report("boinc", url.error());
  }
  auto session = open_session(*config, verb != "tasks");
  if (!session) return report("boinc", session.error());
  if (verb == "tasks") return show_tasks((*session)->client);
  if (verb == "attach") return run_attach(**session, order);
  if (auto done = simple_verb((*session)->client, verb, what); !done)
    return report("boinc", (*session)->explain(done.error()));
  std::printf("%s: done%s%s\n", verb.c_str(), what.empty() ? "" : ", ", safe(what).c_str());
  return 0;
}

}  // namespace sparkmill::cli

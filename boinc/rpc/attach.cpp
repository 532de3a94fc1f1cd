// SPDX-License-Identifier: Apache-2.0
#include "boinc/rpc/attach.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <thread>

namespace sparkmill::boinc::rpc {

namespace {

constexpr unsigned kPollMs = 1'000;

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

class Attacher {
 public:
  Attacher(Client& client, const AttachOrder& order) : client_(client), order_(order) {}

  Result<Attached> run() {
    SPARKMILL_ASSIGN(url_, canonical_url(order_.url));
    SPARKMILL_TRY(check_order());
    SPARKMILL_ASSIGN(const CcStatus status, client_.cc_status());
    if (status.disallow_attach) {
      return fail(Status::refused, "this BOINC client does not allow attaching projects",
                  "its cc_config.xml has disallow_attach");
    }
    SPARKMILL_TRY(not_attached_yet());
    SPARKMILL_TRY(ask_project());
    std::string key = order_.account_key;
    if (key.empty()) {
      SPARKMILL_ASSIGN(key, account());
    }
    SPARKMILL_ASSIGN(last_message_, client_.message_count());
    say("attaching to " + url_);
    SPARKMILL_TRY(client_.start_attach(url_, key, name_));
    SPARKMILL_ASSIGN(const AttachReply reply,
                     poll<AttachReply>([this] { return client_.poll_attach(); }, "the BOINC client"));
    if (reply.error_num != 0) {
      return attach_error(reply.error_num, url_, reply.messages.empty() ? "" : reply.messages[0]);
    }
    return wait_for_host();
  }

 private:
  Done check_order() const {
    if (!order_.account_key.empty()) {
      const bool plain = std::all_of(order_.account_key.begin(), order_.account_key.end(),
                                     [](char c) { return c > ' ' && c <= '~' && c != '<' && c != '>' && c != '&'; });
      if (!plain || order_.account_key.size() > 255) {
        return fail(Status::bad_input, "the account key has characters that no key has",
                    "it is one word, usually 32 hex digits, on the project's account page");
      }
      return done();
    }
    if (!contains(order_.email, "@")) {
      return fail(Status::bad_input, "'" + order_.email.substr(0, 80) + "' is no e-mail address");
    }
    return done();
  }

  Done not_attached_yet() {
    SPARKMILL_ASSIGN(const auto projects, client_.projects());
    for (const Project& p : projects) {
      if (p.url == url_) {
        return fail(
            Status::duplicate,
            url_ + ": the BOINC client is attached already" + (p.host_id == 0 ? ", but has no host id there yet" : ""),
            "sparkmill boinc update " + url_ + ", or detach first");
      }
    }
    return done();
  }

  /// Asks the project what it is. One without the page can still be attached with a key.
  Done ask_project() {
    say("asking " + url_ + " what it is");
    SPARKMILL_TRY(client_.start_project_config(url_));
    SPARKMILL_ASSIGN(const ProjectConfig config,
                     poll<ProjectConfig>([this] { return client_.poll_project_config(); }, url_));
    const bool no_page = config.error_num == -224 || config.error_num == -112;
    if (no_page && !order_.account_key.empty()) return done();
    if (config.error_num != 0) return attach_error(config.error_num, url_, config.error_text);
    if (config.account_manager) {
      return fail(Status::unsupported, url_ + ": this is an account manager, no project", "use boinccmd --acct_mgr");
    }
    if (config.web_stopped) return attach_error(-183, url_, "");
    if (!config.master_url.empty() && config.master_url != url_) {
      auto other = canonical_url(config.master_url);
      if (other && *other != url_) {
        say("the project says its URL is " + *other);
        url_ = *other;
        SPARKMILL_TRY(not_attached_yet());
      }
    }
    name_ = config.name;
    min_password_ = config.min_password;
    creation_disabled_ = config.creation_disabled;
    if (order_.create && config.terms) return attach_error(-242, url_, "");
    return done();
  }

  Result<std::string> account() {
    if (order_.password.size() < min_password_) {
      return fail(Status::bad_input,
                  url_ + ": passwords have at least " + std::to_string(min_password_) + " characters here");
    }
    const std::string hash = password_hash(order_.password, order_.email);
    say("looking up the account of " + order_.email);
    SPARKMILL_TRY(client_.start_lookup(url_, order_.email, hash));
    SPARKMILL_ASSIGN(AccountReply reply, poll<AccountReply>([this] { return client_.poll_lookup(); }, url_));
    const bool unknown = reply.error_num == -136 || reply.error_num == -161;
    if (unknown && order_.create) {
      if (creation_disabled_) return attach_error(-208, url_, "");
      say("there is none; making it");
      const std::string user =
          order_.user_name.empty() ? order_.email.substr(0, order_.email.find('@')) : order_.user_name;
      SPARKMILL_TRY(client_.start_create(url_, order_.email, hash, user));
      SPARKMILL_ASSIGN(reply, poll<AccountReply>([this] { return client_.poll_create(); }, url_));
    }
    if (reply.error_num != 0) return attach_error(reply.error_num, url_, reply.error_text);
    if (reply.authenticator.empty()) {
      return fail(Status::bad_input, url_ + ": the project's answer has no account key");
    }
    return reply.authenticator;
  }

  Result<Attached> wait_for_host() {
    say("waiting until the project knows this host");
    std::string last_words;
    for (std::uint64_t waited = 0;; waited += kPollMs) {
      SPARKMILL_ASSIGN(const auto projects, client_.projects());
      const auto it =
          std::find_if(projects.begin(), projects.end(), [this](const Project& p) { return p.url == url_; });
      if (it == projects.end()) {
        return fail(Status::refused,
                    url_ + ": the BOINC client dropped the project" + (last_words.empty() ? "" : ": " + last_words));
      }
      if (it->host_id != 0) return Attached{url_, it->name.empty() ? name_ : it->name, it->host_id};
      SPARKMILL_ASSIGN(const auto messages, client_.messages(last_message_));
      std::optional<Error> verdict;
      for (const Message& m : messages) {
        last_message_ = std::max(last_message_, m.number);
        if (m.priority > 1 || contains(m.body, "master file") || contains(m.body, "cheduler request failed"))
          last_words = m.body;
        if (!verdict) verdict = verdict_of(m.body);
      }
      if (!verdict && it->master_fetch_failures > 0) verdict = attach_error(-184, url_, last_words);
      if (!verdict && it->rpc_failures > 0) verdict = attach_error(-184, url_, last_words);
      if (verdict) {
        // It would stay in the client's list, never get work, and the next attempt would be "already attached".
        if (auto gone = client_.project_op("detach", url_); !gone)
          say("detaching again failed: " + gone.error().message);
        return *verdict;
      }
      if (waited >= order_.patience_ms) {
        return fail(Status::timeout,
                    url_ + ": attached, but the project has not given a host id in " +
                        std::to_string(order_.patience_ms / 1000) + " s" +
                        (last_words.empty() ? "" : "; the client says: " + last_words),
                    "the client goes on trying; `sparkmill boinc tasks` shows how it stands");
      }
      SPARKMILL_TRY(pause());
    }
  }

  /// What a line of the client's log says about the attempt.
  std::optional<Error> verdict_of(const std::string& words) const {
    // "Invalid or missing account key", "Unknown account key": servers word it in their own ways.
    if (contains(words, "account key") && (contains(words, "nvalid") || contains(words, "nknown"))) {
      return attach_error(-212, url_, words);
    }
    if (contains(words, "No scheduler URLs found")) {
      return fail(Status::not_found, url_ + ": there is no BOINC project at this address",
                  "the page was read, but names no scheduler; check the URL");
    }
    return std::nullopt;
  }

  template <class T>
  Result<T> poll(const std::function<Result<T>()>& ask, const std::string& whom) {
    for (std::uint64_t waited = 0;; waited += kPollMs) {
      SPARKMILL_ASSIGN(T reply, ask());
      if (reply.error_num != Client::kInProgress) return reply;
      if (waited >= order_.patience_ms) {
        return fail(Status::timeout, whom + ": no answer in " + std::to_string(order_.patience_ms / 1000) + " s");
      }
      SPARKMILL_TRY(pause());
    }
  }

  Done pause() const {
    if (client_.settings().stop.stop_requested()) return fail(Status::cancelled, "stopped");
    if (order_.sleep) {
      order_.sleep(kPollMs);
    } else {
      std::this_thread::sleep_for(std::chrono::milliseconds(kPollMs));
    }
    return done();
  }
  void say(const std::string& text) const {
    if (order_.say) order_.say(text);
  }

  Client& client_;
  const AttachOrder& order_;
  std::string url_, name_;
  unsigned min_password_ = 0;
  bool creation_disabled_ = false;
  std::int64_t last_message_ = 0;
};

}  // namespace

Error attach_error(int number, const std::string& url, const std::string& words) {
  std::string text = url + ": " + error_text(number);
  if (!words.empty()) text += ": " + words.substr(0, 200);
  switch (number) {
    case -189: return fail(Status::bad_input, text, "a project URL looks like https://example.org/project/");
    case -205:
    case -188: return fail(Status::bad_input, text);
    case -107:
    case -113:
    case -184: return fail(Status::unreachable, text, "is the URL right, and is the project up?");
    case -182: return fail(Status::timeout, text);
    case -203: return fail(Status::unreachable, text, "check the network, and the client's network mode");
    case -183: return fail(Status::unreachable, text, "try again later");
    case -130: return fail(Status::duplicate, text);
    case -136:
    case -161: return fail(Status::not_found, text, "check the address, or make the account with --create");
    case -137:
    case -206: return fail(Status::refused, text, "check the password file");
    case -155:
    case -212: return fail(Status::refused, text, "check the key file: the key is on the project's account page");
    case -208:
      return fail(Status::refused, text, "make the account on the project's web site, then attach with its key");
    case -238: return fail(Status::refused, text, "write the URL with https://");
    case -242: return fail(Status::refused, text, "read them on the project's web site and make the account there");
    case -112:
    case -224: return fail(Status::not_found, text, "there is no BOINC project at this address; check the URL");
    default: return fail(Status::refused, text);
  }
}

Result<Attached> attach(Client& client, const AttachOrder& order) { return Attacher(client, order).run(); }

}  // namespace sparkmill::boinc::rpc

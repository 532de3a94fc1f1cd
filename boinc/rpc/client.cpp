// SPDX-License-Identifier: Apache-2.0
#include "boinc/rpc/client.h"

#include <algorithm>
#include <charconv>
#include <functional>

#include "base/hash.h"
#include "base/hex.h"
#include "boinc/xml/scan.h"
#include "boinc/xml/write.h"

namespace sparkmill::boinc::rpc {

namespace {

constexpr char kEnd = 0x03;
constexpr std::size_t kRequestLimit = 100'000;  // the client closes on longer ones
constexpr std::size_t kProbe = 64u << 10;       // by then a reply has begun as replies do

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return out;
}

std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 80)) out += c >= ' ' && c <= '~' ? c : '?';
  return out;
}

std::string element(std::string_view outer, const std::function<void(xml::Writer&)>& fill) {
  xml::Writer w;
  w.open(outer);
  fill(w);
  w.close(outer);
  return std::move(w).str();
}

/// The client's own words in an <error>.
Error refusal(const std::string& words) {
  if (words.find("o such project") != std::string::npos) {
    return fail(Status::not_found, "the BOINC client is not attached to this project",
                "`sparkmill boinc tasks` lists the projects");
  }
  if (words.find("o such result") != std::string::npos) {
    return fail(Status::not_found, "the BOINC client has no such task", "`sparkmill boinc tasks` lists them");
  }
  if (words.find("lready attached") != std::string::npos) {
    return fail(Status::duplicate, "the BOINC client is attached to this project already");
  }
  return fail(Status::refused, "the BOINC client says: " + printable(words));
}

}  // namespace

std::string Address::text() const {
  if (!unix_socket.empty()) return "unix:" + unix_socket;
  return (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + std::to_string(port);
}

Result<Address> parse_address(const std::string& text) {
  const auto bad = [&](const std::string& why) {
    return fail(Status::bad_input, "'" + printable(text) + "': " + why, "write host:port, [::1]:port or unix:/path");
  };
  Address a;
  if (text.rfind("unix:", 0) == 0) {
    a.unix_socket = text.substr(5);
    if (a.unix_socket.empty()) return bad("the path is missing");
    return a;
  }
  std::string_view rest = text;
  if (!rest.empty() && rest[0] == '[') {
    const std::size_t end = rest.find(']');
    if (end == std::string_view::npos) return bad("the ']' is missing");
    a.host = std::string(rest.substr(1, end - 1));
    rest.remove_prefix(end + 1);
  } else {
    a.host = std::string(rest.substr(0, rest.find(':')));
    rest.remove_prefix(a.host.size());
  }
  if (a.host.empty()) return bad("the host is missing");
  if (rest.empty()) return a;
  const char* const stop = rest.data() + rest.size();
  const auto [end, error] = std::from_chars(rest.data() + 1, stop, a.port);
  if (rest[0] != ':' || error != std::errc() || end != stop || a.port == 0)
    return bad("the port is no number from 1 to 65535");
  return a;
}

Done Client::connect() {
  http::Target t;
  t.host = settings_.address.host;
  t.port = settings_.address.port;
  t.unix_socket = settings_.address.unix_socket;
  t.scheme = "boinc";
  if (auto up = socket_.connect(t, http::Patience::ms(settings_.connect_ms, settings_.stop)); !up) {
    Error e = up.error();
    if (e.code == Status::unreachable) {
      e.message = "no BOINC client answers at " + settings_.address.text();
      e.hint = "install and start it (Debian: apt install boinc-client), or name its address with --boinc.address";
    }
    return e;
  }
  const std::string request = element("exchange_versions", [this](xml::Writer& w) {
    w.integer("major", settings_.version.major).integer("minor", settings_.version.minor);
    w.integer("release", settings_.version.release).text("name", settings_.name);
  });
  SPARKMILL_ASSIGN(version_, typed(request, parse_version));
  return done();
}

Result<std::string> Client::exchange(std::string_view request) {
  const std::string where = settings_.address.text();
  if (!socket_.open()) return fail(Status::unreachable, where + ": not connected to the BOINC client");
  if (request.size() > kRequestLimit - 100) return fail(Status::too_large, "a request to the BOINC client is too long");
  const http::Patience patience = http::Patience::ms(settings_.reply_ms, settings_.stop);
  std::string out = "<boinc_gui_rpc_request>\n";
  out.append(request).append("\n</boinc_gui_rpc_request>\n");
  out += kEnd;
  SPARKMILL_TRY(socket_.write(out, patience));
  std::string reply;
  std::array<std::uint8_t, 16384> chunk;
  for (;;) {
    SPARKMILL_ASSIGN(const std::size_t got, socket_.read(chunk, patience));
    if (got == 0) return fail(Status::unreachable, where + ": the BOINC client closed the connection");
    const std::string_view piece(reinterpret_cast<const char*>(chunk.data()), got);
    const std::size_t end = piece.find(kEnd);
    reply.append(piece.substr(0, end));
    if (reply.size() > settings_.reply_limit) {
      return fail(Status::too_large,
                  where + ": a reply of more than " + std::to_string(settings_.reply_limit) + " bytes");
    }
    const bool like_boinc = reply.find("<boinc_gui_rpc_reply") != std::string::npos;
    if (end != std::string_view::npos && like_boinc) break;
    if (end != std::string_view::npos || (reply.size() >= kProbe && !like_boinc)) {
      return fail(Status::bad_input, where + ": no BOINC client, it says '" + printable(reply) + "'");
    }
  }
  const auto body = xml::find(reply, "boinc_gui_rpc_reply");
  if (!body || !body->closed) {
    return fail(Status::bad_input, where + ": no BOINC client, or a broken one: the reply has no end");
  }
  return std::string(body->inner);
}

Result<std::string> Client::call(std::string_view request) {
  auto reply = exchange(request);
  if (!reply) {
    socket_.close();  // what comes next on it would be read as another answer
    return reply;
  }
  if (xml::find(*reply, "unauthorized")) {
    socket_.close();  // it closes after the second refusal
    return fail(Status::refused, settings_.address.text() + ": the BOINC client wants its password for this");
  }
  if (const auto error = xml::find(*reply, "error"); error && !xml::find(error->inner, "error_num")) {
    return refusal(xml::text(*error, 400));
  }
  if (const auto status = xml::find(*reply, "status"); status && xml::integer(*status).value_or(0) != 0) {
    return fail(Status::refused, "the BOINC client says: " + error_text(static_cast<int>(*xml::integer(*status))));
  }
  return reply;
}

Done Client::simple(std::string_view request) {
  SPARKMILL_ASSIGN(const std::string reply, call(request));
  if (xml::find(reply, "success") || xml::find(reply, "authorized") || xml::find(reply, "status")) return done();
  return fail(Status::bad_input, settings_.address.text() + ": the BOINC client answers neither yes nor no");
}

template <class T>
Result<T> Client::typed(std::string_view request, Result<T> (*parse)(std::string_view)) {
  SPARKMILL_ASSIGN(const std::string reply, call(request));
  Result<T> value = parse(reply);
  if (!value) socket_.close();
  return value;
}

Done Client::authorise(std::string_view password) {
  SPARKMILL_ASSIGN(const std::string reply, call("<auth1/>"));
  const std::string nonce = xml::child_text(reply, "nonce");
  if (nonce.empty()) {
    socket_.close();
    return fail(Status::bad_input, settings_.address.text() + ": the BOINC client gives no nonce");
  }
  const std::string hash = to_hex(md5(view(nonce + std::string(password))));
  auto answer = call(element("auth2", [&](xml::Writer& w) { w.text("nonce_hash", hash); }));
  if (answer && xml::find(*answer, "authorized")) return done();
  socket_.close();
  if (!answer && answer.status() != Status::refused) return answer.error();
  return fail(
      Status::refused, settings_.address.text() + ": the BOINC client refuses this password",
      "it is the first line of gui_rpc_auth.cfg in the client's data folder; --boinc.password_file names another");
}

Result<CcStatus> Client::cc_status() { return typed("<get_cc_status/>", parse_cc_status); }
Result<ClientState> Client::state() { return typed("<get_state/>", parse_state); }
Result<HostInfo> Client::host_info() { return typed("<get_host_info/>", parse_host_info); }
Result<std::vector<Project>> Client::projects() { return typed("<get_project_status/>", parse_projects); }
Result<std::vector<Task>> Client::results(bool active_only) {
  return typed(element("get_results", [&](xml::Writer& w) { w.integer("active_only", active_only ? 1 : 0); }),
               parse_results);
}
Result<std::vector<OldResult>> Client::old_results() { return typed("<get_old_results/>", parse_old_results); }
Result<std::vector<Message>> Client::messages(std::int64_t after) {
  return typed(element("get_messages", [&](xml::Writer& w) { w.integer("seqno", after); }), parse_messages);
}
Result<std::int64_t> Client::message_count() {
  SPARKMILL_ASSIGN(const std::string reply, call("<get_message_count/>"));
  return xml::child_integer(reply, "seqno");
}
Result<std::vector<Notice>> Client::notices(std::int64_t after) {
  return typed(element("get_notices_public", [&](xml::Writer& w) { w.integer("seqno", after); }), parse_notices);
}
Result<std::vector<FileTransfer>> Client::file_transfers() {
  return typed("<get_file_transfers/>", parse_file_transfers);
}
Result<std::vector<ProjectStatistics>> Client::statistics() { return typed("<get_statistics/>", parse_statistics); }

Done Client::set_mode(What what, Mode mode, double duration_s) {
  const char* const op = what == What::run ? "set_run_mode" : what == What::gpu ? "set_gpu_mode" : "set_network_mode";
  return simple(element(op, [&](xml::Writer& w) { w.flag(name(mode)).real("duration", duration_s); }));
}

Done Client::project_op(std::string_view op, const std::string& url) {
  return simple(element("project_" + std::string(op), [&](xml::Writer& w) { w.text("project_url", url); }));
}

Done Client::result_op(std::string_view op, const std::string& url, const std::string& name) {
  return simple(
      element(std::string(op) + "_result", [&](xml::Writer& w) { w.text("project_url", url).text("name", name); }));
}

Done Client::retry_file_transfer(const std::string& url, const std::string& file) {
  return simple(
      element("retry_file_transfer", [&](xml::Writer& w) { w.text("project_url", url).text("filename", file); }));
}

Result<std::string> Client::prefs_override() {
  auto reply = call("<get_global_prefs_override/>");
  if (!reply) return reply;
  const auto prefs = xml::find(*reply, "global_preferences");
  return prefs ? std::string(prefs->outer) : std::string();
}

Done Client::set_prefs_override(std::string_view prefs) {
  SPARKMILL_TRY(call(element("set_global_prefs_override", [&](xml::Writer& w) { w.raw(prefs).raw("\n"); })));
  return done();
}

Done Client::start_project_config(const std::string& url) {
  return simple(element("get_project_config", [&](xml::Writer& w) { w.text("url", url); }));
}
Result<ProjectConfig> Client::poll_project_config() {
  return typed("<get_project_config_poll/>", parse_project_config);
}

Done Client::start_lookup(const std::string& url, const std::string& email, const std::string& hash) {
  return simple(element("lookup_account", [&](xml::Writer& w) {
    w.text("url", url).text("email_addr", email).text("passwd_hash", hash).integer("ldap_auth", 0);
  }));
}
Result<AccountReply> Client::poll_lookup() { return typed("<lookup_account_poll/>", parse_account); }

Done Client::start_create(const std::string& url, const std::string& email, const std::string& hash,
                          const std::string& user) {
  return simple(element("create_account", [&](xml::Writer& w) {
    w.text("url", url)
        .text("email_addr", email)
        .text("passwd_hash", hash)
        .text("user_name", user)
        .text("team_name", "");
  }));
}
Result<AccountReply> Client::poll_create() { return typed("<create_account_poll/>", parse_account); }

Done Client::start_attach(const std::string& url, const std::string& key, const std::string& name) {
  return simple(element("project_attach", [&](xml::Writer& w) {
    w.text("project_url", url).text("authenticator", key).text("project_name", name);
  }));
}
Result<AttachReply> Client::poll_attach() { return typed("<project_attach_poll/>", parse_attach); }

std::string password_hash(std::string_view password, std::string_view email) {
  return to_hex(md5(view(std::string(password) + lower(email))));
}

Result<std::string> canonical_url(std::string_view text) {
  const std::string_view url = xml::trim(text);
  const auto bad = [&](const std::string& why) {
    return fail(Status::bad_input, "'" + printable(url) + "': " + why,
                "a project URL looks like https://example.org/project/");
  };
  const std::string start = lower(url.substr(0, 8));
  const std::size_t scheme = start.rfind("https://", 0) == 0 ? 8 : start.rfind("http://", 0) == 0 ? 7 : 0;
  if (scheme == 0) return bad("a project URL begins with https:// or http://");
  if (url.size() > 255) return bad("longer than the 255 bytes that BOINC allows");
  std::string out = start.substr(0, scheme);
  for (const char c : url.substr(scheme)) {
    if (static_cast<unsigned char>(c) <= ' ' || c == 0x7f || c == '<' || c == '>' || c == '"')
      return bad("it has characters that no URL has");
    if (c == '/' && out.back() == '/') {
      if (out.size() == scheme) return bad("the host is missing");
      continue;
    }
    out += c;
  }
  if (out.size() == scheme) return bad("the host is missing");
  if (out.back() != '/') out += '/';
  const std::size_t host_end = out.find('/', scheme);
  const std::string host = lower(std::string_view(out).substr(scheme, host_end - scheme));
  if (host.find('.') == std::string::npos && host.find("localhost") == std::string::npos && host[0] != '[') {
    return bad("'" + host + "' is no host name");
  }
  return out;
}

}  // namespace sparkmill::boinc::rpc

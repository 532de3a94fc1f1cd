// SPDX-License-Identifier: Apache-2.0
#include "worker/api/api.h"

#include <sodium.h>

#include <algorithm>
#include <atomic>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/file.h"
#include "base/hash.h"
#include "base/http/server.h"
#include "base/log.h"
#include "worker/api/page.h"
#include "worker/config/nearest.h"

namespace sparkmill::worker {

namespace {

using http::Request;
using http::Response;
using Json = nlohmann::json;

constexpr auto kEventGap = std::chrono::milliseconds(200);  // at most five change lists a second
constexpr unsigned kEventWaitMs = 1'000;                    // the uptime moves without a change of the tree
constexpr std::uint64_t kBodyBytes = 4096;
constexpr std::string_view kWrites[] = {"/v1/pause", "/v1/resume", "/v1/finish", "/v1/stop"};

bool is_loopback(const std::string& address) { return address.rfind("127.", 0) == 0 || address == "::1"; }

int http_status(Status status) {
  switch (status) {
    case Status::bad_argument:
    case Status::bad_input:
    case Status::too_large: return 400;
    case Status::not_found: return 404;
    case Status::refused:
    case Status::duplicate:
    case Status::locked: return 409;
    default: return 500;
  }
}

Response answer(const Done& result) {
  if (result) return Response::json(200, "{\"ok\":true}");
  const Error& e = result.error();
  return Response::error(http_status(e.code), name(e.code), e.message, e.hint);
}

/// The body of a write: empty, or an object with no field that is not in `fields`.
Result<Json> body_object(const Request& request, std::span<const std::string_view> fields) {
  if (request.body.empty()) return Json::object();
  const Json body = Json::parse(text(request.body), nullptr, false);
  if (!body.is_object()) return fail(Status::bad_input, "the body is not a JSON object");
  for (const auto& [key, value] : body.items()) {
    if (std::find(fields.begin(), fields.end(), key) != fields.end()) continue;
    const std::string meant = config::nearest(key, fields);
    return fail(Status::bad_input, "unknown field '" + key.substr(0, 64) + "'",
                meant.empty() ? "" : "did you mean '" + meant + "'?");
  }
  return body;
}

Result<std::string> device_of(const Json& body) {
  const auto it = body.find("device");
  if (it == body.end() || it->is_null()) return std::string();
  if (!it->is_string() || it->get<std::string>().size() > 200)
    return fail(Status::bad_input, "device: expected a text");
  return it->get<std::string>();
}

Result<std::uint64_t> until_of(const Json& body, std::uint64_t now_ms) {
  const bool has_for = body.contains("for_s");
  const bool has_until = body.contains("until");
  constexpr std::uint64_t kYear = 366ull * 86'400;
  if (has_for && has_until) return fail(Status::bad_input, "give for_s or until, not both");
  if (has_for) {
    const Json& v = body["for_s"];
    if (!v.is_number_unsigned() || v.get<std::uint64_t>() < 1 || v.get<std::uint64_t>() > kYear) {
      return fail(Status::bad_input, "for_s: expected whole seconds, 1 to " + std::to_string(kYear));
    }
    return now_ms + v.get<std::uint64_t>() * 1000;
  }
  if (!has_until) return std::uint64_t{0};
  const Json& v = body["until"];
  if (v.is_string()) return parse_clock_time(v.get<std::string>(), now_ms);
  if (!v.is_number_unsigned()) return fail(Status::bad_input, "until: expected \"HH:MM\" or unix milliseconds");
  const auto until = v.get<std::uint64_t>();
  if (until <= now_ms || until > now_ms + kYear * 1000) {
    return fail(Status::bad_input, "until: expected a time to come, within a year");
  }
  return until;
}

}  // namespace

struct Api::Impl {
  ApiSettings settings;
  State* state = nullptr;
  const Clock* clock = nullptr;
  Controls controls;
  Hash32 token_hash{};
  bool open_reads = true;
  std::atomic<bool> stopping{false};
  std::string url;
  std::unique_ptr<http::Server> server = std::make_unique<http::Server>();

  bool has_token(const Request& request) const;
  bool host_fits(const Request& request) const;
  Response read(const Request& request, const std::function<Response()>& make) const;
  Response write(const Request& request, std::span<const std::string_view> fields,
                 const std::function<Done(const Json&)>& act) const;
  Response state_answer(const Request& request) const;
  void events(const Request& request, const std::shared_ptr<http::EventStream>& stream) const;
  void add_reads();
  void add_writes();
  Done listen();
};

bool Api::Impl::has_token(const Request& request) const {
  const auto it = request.headers.find("authorization");
  constexpr std::string_view kBearer = "Bearer ";
  if (it == request.headers.end() || it->second.compare(0, kBearer.size(), kBearer) != 0) return false;
  const Hash32 given = sha256(view(std::string_view(it->second).substr(kBearer.size())));
  return sodium_memcmp(given.data(), token_hash.data(), given.size()) == 0;
}

/// A web page elsewhere can make a browser resolve its own name to 127.0.0.1; its Host header gives it away.
bool Api::Impl::host_fits(const Request& request) const {
  if (!is_loopback(settings.listen)) return true;
  const auto it = request.headers.find("host");
  if (it == request.headers.end()) return true;  // HTTP/1.0: no browser
  std::string host = it->second;
  const std::size_t colon = host.rfind(':');
  if (colon != std::string::npos && host.find(']', colon) == std::string::npos) host.resize(colon);
  return host == "127.0.0.1" || host == "localhost" || host == "[::1]" || host == settings.listen;
}

Response Api::Impl::read(const Request& request, const std::function<Response()>& make) const {
  if (!host_fits(request)) return Response::error(403, "refused", "the Host header names another machine");
  if (!open_reads && !has_token(request)) {
    return Response::error(401, "refused", "the token is missing or wrong", "Authorization: Bearer TOKEN");
  }
  Response r = make();
  r.headers["cache-control"] = "no-store";
  r.headers["x-content-type-options"] = "nosniff";
  return r;
}

Response Api::Impl::write(const Request& request, std::span<const std::string_view> fields,
                          const std::function<Done(const Json&)>& act) const {
  if (!host_fits(request)) return Response::error(403, "refused", "the Host header names another machine");
  if (!has_token(request)) {
    Response r = Response::error(401, "refused", "the token is missing or wrong",
                                 "Authorization: Bearer TOKEN, from " + settings.token_file.string());
    r.headers["www-authenticate"] = "Bearer";
    return r;
  }
  auto body = body_object(request, fields);
  if (!body) return answer(body.error());
  return answer(act(*body));
}

Response Api::Impl::state_answer(const Request& request) const {
  const Snapshot snapshot = state->snapshot();
  const std::string format = request.query("format");
  if (format == "text") return Response::text(200, to_text(snapshot, *clock, request.query("color") == "1"));
  if (!format.empty() && format != "json") return Response::error(400, "bad_input", "format: expected json or text");
  return Response::json(200, to_json(snapshot, *clock));
}

void Api::Impl::events(const Request& request, const std::shared_ptr<http::EventStream>& stream) const {
  const Response allowed = read(request, [] { return Response{}; });
  if (allowed.status != 200) {
    stream->send("refused", text(allowed.body));
    return;
  }
  std::uint64_t seen = state->version();
  std::string whole = to_json(state->snapshot(), *clock);
  if (!stream->send("state", whole)) return;
  Json before = Json::parse(whole);
  while (!stopping && stream->open()) {
    seen = state->wait_change(seen, kEventWaitMs);
    if (stopping) return;
    Json now = Json::parse(to_json(state->snapshot(), *clock));
    const Json changes = Json::diff(before, now);
    if (!changes.empty() && !stream->send("change", changes.dump())) return;
    before = std::move(now);
    std::this_thread::sleep_for(kEventGap);
  }
}

void Api::Impl::add_reads() {
  server->route("GET", "/", [this](const Request& request) {
    if (!host_fits(request)) return Response::error(403, "refused", "the Host header names another machine");
    // This route catches every GET that no other takes.
    const std::string path = request.path();
    if (std::find(std::begin(kWrites), std::end(kWrites), path) != std::end(kWrites)) {
      return Response::error(405, "bad_input", path + " takes POST");
    }
    if (path != "/") return Response::error(404, "not_found", "no such path: " + path);
    return page_answer();
  });
  server->route("GET", "/v1/state", [this](const Request& r) { return read(r, [&] { return state_answer(r); }); });
  server->route("GET", "/metrics", [this](const Request& r) {
    return read(r, [&] {
      return Response::text(200, to_prometheus(state->snapshot(), *clock), "text/plain; version=0.0.4; charset=utf-8");
    });
  });
  server->stream("/v1/events", [this](const Request& r, std::shared_ptr<http::EventStream> s) { events(r, s); });
}

void Api::Impl::add_writes() {
  static constexpr std::string_view kPause[] = {"device", "for_s", "until"};
  static constexpr std::string_view kResume[] = {"device"};
  server->route("POST", "/v1/pause", [this](const Request& r) {
    return write(r, kPause, [this](const Json& body) -> Done {
      SPARKMILL_ASSIGN(const std::string device, device_of(body));
      SPARKMILL_ASSIGN(const std::uint64_t until, until_of(body, clock->unix_ms()));
      return controls.pause(device, until);
    });
  });
  server->route("POST", "/v1/resume", [this](const Request& r) {
    return write(r, kResume, [this](const Json& body) -> Done {
      SPARKMILL_ASSIGN(const std::string device, device_of(body));
      return controls.resume(device);
    });
  });
  server->route("POST", "/v1/finish",
                [this](const Request& r) { return write(r, {}, [this](const Json&) { return controls.finish(); }); });
  server->route("POST", "/v1/stop", [this](const Request& r) {
    return write(r, {}, [this](const Json&) {
      controls.stop();
      return done();
    });
  });
}

Done Api::Impl::listen() {
  http::Limits limits;
  limits.body_bytes = kBodyBytes;
  limits.connections = 64;
  auto up = server->start(settings.listen, settings.port, limits, 2);
  if (!up && up.error().code == Status::locked) {
    if (!settings.any_port_if_taken) {
      return fail(
          Status::locked, up.error().message,
          "if another worker runs there, `sparkmill status` shows it; otherwise set api.port to a free port, or "
          "to 0 for any");
    }
    log::get("api")->warn("{}; taking any free port", up.error().message);
    up = server->start(settings.listen, 0, limits, 2);
  }
  return up;
}

Api::Api() : impl_(std::make_unique<Impl>()) {}
Api::~Api() { stop(); }

Done Api::start(const ApiSettings& settings, State& state, Controls controls, const Clock& clock) {
  Impl& i = *impl_;
  SPARKMILL_ASSIGN(const std::string token, api_token(settings.token_file, true));
  i.token_hash = sha256(view(token));
  i.settings = settings;
  i.state = &state;
  i.clock = &clock;
  i.controls = std::move(controls);
  i.open_reads = is_loopback(settings.listen);
  i.add_reads();
  i.add_writes();
  SPARKMILL_TRY(i.listen());
  const bool six = settings.listen.find(':') != std::string::npos;
  const bool any = settings.listen == "0.0.0.0" || settings.listen == "::";
  const std::string host = any ? "127.0.0.1" : six ? "[" + settings.listen + "]" : settings.listen;
  i.url = "http://" + host + ":" + std::to_string(i.server->port());
  if (!settings.url_file.empty()) SPARKMILL_TRY(write_file_atomic(settings.url_file, view(i.url + "\n"), 0600));
  return done();
}

std::uint16_t Api::port() const { return impl_->server->port(); }
std::string Api::url() const { return impl_->url; }

void Api::stop() {
  if (impl_->stopping.exchange(true)) return;
  if (impl_->state != nullptr) impl_->state->wake();
  impl_->server->stop();
  std::error_code ec;
  if (!impl_->url.empty() && !impl_->settings.url_file.empty()) std::filesystem::remove(impl_->settings.url_file, ec);
}

}  // namespace sparkmill::worker

// SPDX-License-Identifier: Apache-2.0
#include "worker/cli/local_api.h"

#include "base/file.h"
#include "node/protocol/messages.h"
#include "worker/api/api.h"

namespace sparkmill::cli {

namespace {

http::ClientOptions options() {
  http::ClientOptions o;
  o.connect_timeout_ms = 2'000;
  o.timeout_ms = 5'000;
  o.body_limit = 4u << 20;
  return o;
}

}  // namespace

Result<http::Url> api_url(const config::Config& config, const std::string& given) {
  if (!given.empty()) {
    auto url = http::Url::parse(given);
    if (!url) return fail(Status::bad_argument, "--api: " + url.error().message, url.error().hint);
    return url;
  }
  if (auto left = read_text_file(config.path("data") / "api.url", 1024); left) {
    while (!left->empty() && left->back() == '\n') left->pop_back();
    if (auto url = http::Url::parse(*left); url) return url;
  }
  http::Url url;
  url.host = config.text("api.listen");
  if (url.host == "0.0.0.0" || url.host == "::") url.host = "127.0.0.1";
  url.port = static_cast<std::uint16_t>(config.number("api.port"));
  return url;
}

LocalApi::LocalApi(http::Url url, std::filesystem::path token_file)
    : client_(std::move(url), options()), token_file_(std::move(token_file)) {}

Result<std::string> LocalApi::get(const std::string& target) {
  http::Request request;
  request.target = target;
  // Reads want the token only beyond loopback, so a missing file is no reason to give up here.
  if (auto token = worker::api_token(token_file_, false); token) request.headers["authorization"] = "Bearer " + *token;
  return call(std::move(request));
}

Result<std::string> LocalApi::post(const std::string& target, const std::string& json) {
  http::Request request;
  request.method = "POST";
  request.target = target;
  request.headers["content-type"] = "application/json";
  request.body.assign(json.begin(), json.end());
  auto token = worker::api_token(token_file_, false);
  if (token) request.headers["authorization"] = "Bearer " + *token;
  auto answer = call(std::move(request));
  // "Refused" for want of a token is better told by why there is none.
  if (!answer && answer.error().code == Status::refused && !token) return token.error();
  return answer;
}

Result<std::string> LocalApi::call(http::Request request) {
  auto answer = client_.call(request);
  if (!answer) {
    if (answer.error().code == Status::unreachable || answer.error().code == Status::timeout) {
      return fail(Status::unreachable, answer.error().message,
                  "no worker answers: start one with `sparkmill run`, or name its address with --api URL");
    }
    return answer.error();
  }
  const std::string body(text(answer->body));
  if (answer->status < 400) return body;
  Error e = protocol::error_from_json(body, answer->status);
  if (answer->status == 401 || answer->status == 403) e.code = Status::refused;
  return e;
}

}  // namespace sparkmill::cli

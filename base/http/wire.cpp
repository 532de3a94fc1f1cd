// SPDX-License-Identifier: Apache-2.0
#include "base/http/wire.h"

#include <algorithm>
#include <charconv>

namespace sparkmill::http {

namespace {

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

std::string without_breaks(std::string_view value) {
  std::string out;
  std::copy_if(value.begin(), value.end(), std::back_inserter(out), [](char c) { return !is_control(c) || c == '\t'; });
  return out;
}

bool parse_number(std::string_view text, std::uint64_t& out) {
  if (text.empty()) return false;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), out);
  return ec == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 413: return "Content Too Large";
    case 416: return "Range Not Satisfiable";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 503: return "Service Unavailable";
    case 507: return "Insufficient Storage";
    default: return status < 400 ? "OK" : "Error";
  }
}

std::string head_text(const Response& response, std::uint64_t length, bool keep_alive) {
  std::string out = "HTTP/1.1 " + std::to_string(response.status) + " " + std::string(reason_phrase(response.status));
  out += "\r\ncontent-length: " + std::to_string(length) + "\r\n";
  for (const auto& [name, value] : response.headers) {
    if (name == "content-length" || name == "connection" || name == "transfer-encoding") continue;
    out += without_breaks(name) + ": " + without_breaks(value) + "\r\n";
  }
  out += keep_alive ? "connection: keep-alive\r\n\r\n" : "connection: close\r\n\r\n";
  return out;
}

Result<std::string> request_text(const Request& request, const std::string& target, const std::string& host) {
  const auto bad = [](std::string_view s) {
    return s.empty() || std::any_of(s.begin(), s.end(), [](char c) { return is_control(c) || c == ' '; });
  };
  if (bad(request.method) || bad(target) || target[0] != '/') {
    return fail(Status::bad_argument, "HTTP request: method or target is empty or has spaces or control characters");
  }
  std::string out = request.method + " " + target + " HTTP/1.1\r\nhost: " + host + "\r\n";
  for (const auto& [name, value] : request.headers) {
    if (name == "host" || name == "content-length" || name == "transfer-encoding") continue;
    if (bad(name) || std::any_of(value.begin(), value.end(), is_control)) {
      return fail(Status::bad_argument, "HTTP request: header '" + without_breaks(name) + "' has control characters");
    }
    out += name + ": " + value + "\r\n";
  }
  if (request.headers.count("user-agent") == 0) out += "user-agent: sparkmill\r\n";
  const bool carries = request.method == "POST" || request.method == "PUT" || !request.body.empty();
  if (carries) out += "content-length: " + std::to_string(request.body.size()) + "\r\n";
  return out + "\r\n";
}

Range parse_range(std::string_view header, std::uint64_t size) {
  constexpr std::string_view kUnit = "bytes=";
  if (header.substr(0, kUnit.size()) != kUnit) return {};
  const std::string_view spec = header.substr(kUnit.size());
  const std::size_t dash = spec.find('-');
  if (dash == std::string_view::npos || spec.find(',') != std::string_view::npos) return {};
  std::uint64_t a = 0;
  std::uint64_t b = 0;
  const bool has_a = parse_number(spec.substr(0, dash), a);
  const bool has_b = parse_number(spec.substr(dash + 1), b);
  if ((dash != 0 && !has_a) || (dash + 1 != spec.size() && !has_b) || (!has_a && !has_b)) return {};
  if (!has_a) {  // the last b bytes
    if (b == 0 || size == 0) return {Range::unsatisfiable, 0, 0};
    return {Range::part, size - std::min(b, size), size - 1};
  }
  if (has_b && b < a) return {};
  if (a >= size) return {Range::unsatisfiable, 0, 0};
  return {Range::part, a, has_b ? std::min(b, size - 1) : size - 1};
}

Result<bool> EventParser::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, end);
    if (line_.size() + data_.size() + piece.size() > limit_) {
      return fail(Status::too_large, "an event is over the limit of " + std::to_string(limit_) + " bytes");
    }
    line_ += piece;
    if (end == std::string_view::npos) return true;
    bytes.remove_prefix(end + 1);
    if (!line_.empty() && line_.back() == '\r') line_.pop_back();
    const bool go_on = line(line_);
    line_.clear();
    if (!go_on) return false;
  }
  return true;
}

bool EventParser::line(std::string_view text) {
  if (text.empty()) {
    const bool go_on = !has_data_ || callback_(event_.empty() ? "message" : event_, data_);
    event_.clear();
    data_.clear();
    has_data_ = false;
    return go_on;
  }
  const std::size_t colon = text.find(':');
  const std::string_view field = text.substr(0, colon);
  std::string_view value = colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  if (!value.empty() && value[0] == ' ') value.remove_prefix(1);
  if (field == "event") event_ = value;
  if (field == "data") {
    if (has_data_) data_ += '\n';
    data_ += value;
    has_data_ = true;
  }
  return true;
}

}  // namespace sparkmill::http

// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 values shared by our client and server. Boost.Beast stays inside the two .cpp files.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/bytes.h"

namespace sparkmill::http {

using Headers = std::map<std::string, std::string>;  ///< names in lower case

struct Request {
  std::string method = "GET";
  std::string target;  ///< path and query as sent, e.g. "/v1/blocks/7?x=1"
  Headers headers;
  Bytes body;
  std::string peer;  ///< server side: remote address
  std::string path() const { return target.substr(0, target.find('?')); }
  /// Value of a query parameter, percent-decoded; empty if absent.
  std::string query(std::string_view name) const;
};

struct Response {
  int status = 200;
  Headers headers;
  Bytes body;
  static Response json(int status, std::string body);
  static Response text(int status, std::string body, std::string content_type = "text/plain; charset=utf-8");
  /// `{code, message, hint}` as DESIGN 7.
  static Response error(int status, std::string_view code, std::string_view message, std::string_view hint = {});
};

}  // namespace sparkmill::http

// SPDX-License-Identifier: Apache-2.0
// Text pieces of HTTP that come from peers: URLs, ranges, queries, header blocks and event streams in any cutting.
#include <algorithm>
#include <cstdlib>

#include "base/http/client.h"
#include "base/http/wire.h"

using namespace sparkmill;

namespace {

void require(bool ok) {
  if (!ok) std::abort();
}

std::string events_of(std::string_view text, std::size_t piece) {
  std::string got;
  const http::EventParser::Callback note = [&](std::string_view event, std::string_view data) {
    got.append(event).append("=").append(data).append(";");
    return true;
  };
  http::EventParser parser(note, 1u << 20);
  while (!text.empty()) {
    const std::size_t n = std::min(piece, text.size());
    require(parser.feed(text.substr(0, n)).ok());
    text.remove_prefix(n);
  }
  return got;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string in(reinterpret_cast<const char*>(data), size);
  if (const auto url = http::Url::parse(in)) require(url->port != 0 && !url->host.empty());
  const std::uint64_t length = size * 7;
  const http::Range range = http::parse_range(in, length);
  if (range.kind == http::Range::part) require(range.first <= range.last && range.last < length);
  http::Request request;
  request.target = in;
  (void)request.query("x");
  request.headers["x"] = in;
  if (const auto head = http::request_text(request, "/" + in, "h")) {
    require(head->find("\r\n\r\n") == head->size() - 4);  // nothing in it ends the header early
  }
  http::Response response;
  response.headers[in] = in;
  const std::string head = http::head_text(response, 0, true);
  require(head.find("\r\n\r\n") == head.size() - 4);
  require(events_of(in, size + 1) == events_of(in, 1));
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
#include "worker/api/page.h"

#include <sodium.h>

#include "base/hash.h"

extern "C" {
extern const unsigned char sparkmill_page[];
extern const unsigned char sparkmill_page_end[];
}

namespace sparkmill::worker {

namespace {

std::string hash_of(std::string_view page, std::string_view open, std::string_view close) {
  const std::size_t from = page.find(open) + open.size();
  const Hash32 h = sha256(view(page.substr(from, page.find(close, from) - from)));
  char out[sodium_base64_ENCODED_LEN(32, sodium_base64_VARIANT_ORIGINAL)] = {};
  sodium_bin2base64(out, sizeof out, h.data(), h.size(), sodium_base64_VARIANT_ORIGINAL);
  return "'sha256-" + std::string(out) + "'";
}

http::Response make() {
  const std::string page(reinterpret_cast<const char*>(sparkmill_page),
                         static_cast<std::size_t>(sparkmill_page_end - sparkmill_page));
  http::Response r = http::Response::text(200, page, "text/html; charset=utf-8");
  r.headers["content-security-policy"] =
      "default-src 'none'; connect-src 'self'; script-src " + hash_of(page, "<script>", "</script>") + "; style-src " +
      hash_of(page, "<style>", "</style>") + "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
  r.headers["referrer-policy"] = "no-referrer";
  r.headers["x-content-type-options"] = "nosniff";
  r.headers["cache-control"] = "no-cache";
  return r;
}

}  // namespace

http::Response page_answer() {
  static const http::Response page = make();
  return page;
}

}  // namespace sparkmill::worker

// SPDX-License-Identifier: Apache-2.0
#include "boinc/xml/write.h"

#include <fmt/format.h>

namespace sparkmill::boinc::xml {

std::string escape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&apos;"; break;
      case '\t': out += "&#9;"; break;
      case '\n': out += "&#10;"; break;
      case '\r': out += "&#13;"; break;
      default:
        if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) out += c;
    }
  }
  return out;
}

Writer& Writer::text(std::string_view name, std::string_view value) { return element(name, escape(value)); }
Writer& Writer::integer(std::string_view name, std::int64_t value) { return element(name, std::to_string(value)); }
Writer& Writer::real(std::string_view name, double value) { return element(name, fmt::format("{:.6f}", value)); }

}  // namespace sparkmill::boinc::xml

// SPDX-License-Identifier: Apache-2.0
// Writing BOINC's XML-like text: one element a line, as its line-wise parsers like it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sparkmill::boinc::xml {

/// & < > " ' as entities, tab and line ends as &#N;, other control characters (0x03 ends a GUI RPC message) left out.
/// Bytes from 128 on stay.
std::string escape(std::string_view text);

class Writer {
 public:
  Writer& open(std::string_view name) { return tag("<", name, ">\n"); }
  Writer& close(std::string_view name) { return tag("</", name, ">\n"); }
  /// <name>value</name>, the value escaped.
  Writer& text(std::string_view name, std::string_view value);
  Writer& integer(std::string_view name, std::int64_t value);
  /// With six decimals, as BOINC prints numbers.
  Writer& real(std::string_view name, double value);
  /// <name/> when `on`; nothing otherwise, which is how BOINC says false.
  Writer& flag(std::string_view name, bool on = true) { return on ? tag("<", name, "/>\n") : *this; }
  /// As it is: elements that are there already.
  Writer& raw(std::string_view xml) { return out_ += xml, *this; }

  const std::string& str() const& { return out_; }
  std::string str() && { return std::move(out_); }

 private:
  Writer& tag(std::string_view before, std::string_view name, std::string_view after) {
    out_.append(before).append(name).append(after);
    return *this;
  }
  Writer& element(std::string_view name, std::string_view value) {
    return tag("<", name, ">"), out_ += value, tag("</", name, ">\n");
  }
  std::string out_;
};

}  // namespace sparkmill::boinc::xml

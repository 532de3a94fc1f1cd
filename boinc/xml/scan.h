// SPDX-License-Identifier: Apache-2.0
// BOINC's XML-like text, read with tolerance: GUI RPC replies, scheduler requests and replies, init_data, templates.
// It is not XML: text of projects is embedded raw, '&' may be bare, an <?xml?> line may stand inside, and tags may lack
// their end. So this finds elements and skips what is none; it never fails, allocates nothing and takes linear time.
// Source: BOINC page 1.1, 1.4.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sparkmill::boinc::xml {

/// An element as it stands in the text that was scanned; views into that text.
struct Element {
  std::string_view name;
  std::string_view attributes;  ///< raw, "priority=\"low\""; BOINC hardly uses any
  std::string_view inner;       ///< raw text between the tags; empty for <x/> and for a tag without its end
  std::string_view outer;       ///< with its tags
  bool closed = true;           ///< false: the end tag is missing; what would be inside comes next as siblings
  bool empty_tag = false;       ///< <x/>
};

/// Walks the elements of a text that are not inside each other (the children, when given an `inner`). Comments, CDATA
/// sections, processing instructions, stray end tags and lone '<' are text.
class Scanner {
 public:
  /// After so many elements without an end it stops: each costs a look through the rest of the text.
  static constexpr unsigned kMaxUnclosed = 64;

  explicit Scanner(std::string_view text) : text_(text) {}
  bool next(Element& out);

 private:
  std::string_view text_;
  std::size_t at_ = 0;
  unsigned unclosed_ = 0;
  bool no_cdata_ = false, no_comment_ = false;
};

/// The first element of that name among the children of `text`.
std::optional<Element> find(std::string_view text, std::string_view name);

/// Without white space around it.
std::string_view trim(std::string_view text);
/// A trimmed value, of a CDATA section its content. Still escaped.
std::string_view raw(const Element& e);
/// The value for people and programs: of a CDATA section the content as it is, otherwise unescaped. At most `limit`
/// bytes; the rest is cut off.
std::string text(const Element& e, std::size_t limit = 64u << 10);
/// True for <x/> and for a number other than 0 inside; absent elements are false by not being there.
bool flag(const Element& e);
/// Decimal, also written as "60000000000.000000"; the fraction is dropped. Nothing when it is no number or does not
/// fit.
std::optional<std::int64_t> integer(const Element& e);
/// Nothing when it is no finite number.
std::optional<double> real(const Element& e);

/// As `find`, then the value; `otherwise` when there is no such child or no such value in it.
std::string child_text(std::string_view in, std::string_view name, std::string_view otherwise = {});
std::int64_t child_integer(std::string_view in, std::string_view name, std::int64_t otherwise = 0);
double child_real(std::string_view in, std::string_view name, double otherwise = 0);
bool child_flag(std::string_view in, std::string_view name);

/// &lt; &gt; &amp; &quot; &apos; and &#N; (N up to 255 is a byte, as BOINC writes it; above, UTF-8). What is no entity
/// stays as it is.
std::string unescape(std::string_view text);

}  // namespace sparkmill::boinc::xml

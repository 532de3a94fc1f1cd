// SPDX-License-Identifier: Apache-2.0
#include "boinc/xml/scan.h"

#include <charconv>
#include <cmath>

namespace sparkmill::boinc::xml {

namespace {

constexpr std::string_view kSpace = " \t\r\n\v\f";
constexpr std::string_view kCdata = "<![CDATA[", kCdataEnd = "]]>";
constexpr std::string_view kComment = "<!--", kCommentEnd = "-->";

bool name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool name_char(char c) { return name_start(c) || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == ':'; }

struct Tag {
  enum class Kind : std::uint8_t { open, close, empty };
  Kind kind = Kind::open;
  std::string_view name, attributes;
  std::size_t begin = 0, end = 0;
};

/// Reads a tag that begins at `at`; false: this '<' is text.
bool read_tag(std::string_view text, std::size_t at, Tag& tag) {
  std::size_t p = at + 1;
  tag.kind = Tag::Kind::open;
  if (p < text.size() && text[p] == '/') tag.kind = Tag::Kind::close, ++p;
  const std::size_t name = p;
  if (p >= text.size() || !name_start(text[p])) return false;
  while (p < text.size() && name_char(text[p])) ++p;
  tag.name = text.substr(name, p - name);
  const std::size_t end = text.find_first_of("<>", p);  // '<' ends the search: a tag cut short is text
  if (end == std::string_view::npos || text[end] == '<') return false;
  tag.attributes = trim(text.substr(p, end - p));
  if (!tag.attributes.empty() && tag.attributes.back() == '/' && tag.kind == Tag::Kind::open) {
    tag.kind = Tag::Kind::empty;
    tag.attributes = trim(tag.attributes.substr(0, tag.attributes.size() - 1));
  }
  tag.begin = at;
  tag.end = end + 1;
  return true;
}

/// When `text` at `at` begins with `open`: the place behind `close`, or npos and `missing` when there is none.
std::size_t section_end(std::string_view text, std::size_t at, std::string_view open, std::string_view close,
                        bool& missing) {
  if (missing || text.compare(at, open.size(), open) != 0) return std::string_view::npos;
  const std::size_t end = text.find(close, at + open.size());
  if (end == std::string_view::npos) {
    missing = true;
    return end;
  }
  return end + close.size();
}

/// The next tag from `at` on, outside comments and CDATA.
bool next_tag(std::string_view text, std::size_t at, Tag& tag, bool& no_cdata, bool& no_comment) {
  for (;;) {
    at = text.find('<', at);
    if (at == std::string_view::npos) return false;
    std::size_t skip = section_end(text, at, kCdata, kCdataEnd, no_cdata);
    if (skip == std::string_view::npos) skip = section_end(text, at, kComment, kCommentEnd, no_comment);
    if (skip != std::string_view::npos) {
      at = skip;
    } else if (read_tag(text, at, tag)) {
      return true;
    } else {
      ++at;
    }
  }
}

void append_utf8(std::string& out, std::uint32_t c) {
  const auto put = [&out](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (c < 0x100) {
    put(c);  // BOINC escapes bytes, not characters
  } else if (c < 0x800) {
    put(0xc0 | c >> 6), put(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    put(0xe0 | c >> 12), put(0x80 | (c >> 6 & 0x3f)), put(0x80 | (c & 0x3f));
  } else {
    put(0xf0 | c >> 18), put(0x80 | (c >> 12 & 0x3f)), put(0x80 | (c >> 6 & 0x3f)), put(0x80 | (c & 0x3f));
  }
}

/// Appends what the entity `name` (without & and ;) stands for; false: none that we know.
bool append_entity(std::string& out, std::string_view name) {
  if (name == "lt") return out += '<', true;
  if (name == "gt") return out += '>', true;
  if (name == "amp") return out += '&', true;
  if (name == "quot") return out += '"', true;
  if (name == "apos") return out += '\'', true;
  if (name.size() < 2 || name[0] != '#') return false;
  const bool hex = name[1] == 'x' || name[1] == 'X';
  name.remove_prefix(hex ? 2 : 1);
  std::uint32_t c = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), c, hex ? 16 : 10);
  if (error != std::errc() || end != name.data() + name.size() || c == 0 || c > 0x10ffff) return false;
  append_utf8(out, c);
  return true;
}

/// The content of a value that is one CDATA section; nothing otherwise.
std::optional<std::string_view> cdata(std::string_view value) {
  if (value.size() < kCdata.size() + kCdataEnd.size() || value.substr(0, kCdata.size()) != kCdata ||
      value.substr(value.size() - kCdataEnd.size()) != kCdataEnd) {
    return std::nullopt;
  }
  return trim(value.substr(kCdata.size(), value.size() - kCdata.size() - kCdataEnd.size()));
}

}  // namespace

bool Scanner::next(Element& out) {
  Tag tag;
  do {
    if (unclosed_ >= kMaxUnclosed || !next_tag(text_, at_, tag, no_cdata_, no_comment_)) {
      at_ = text_.size();
      return false;
    }
    at_ = tag.end;
  } while (tag.kind == Tag::Kind::close);
  out = {tag.name, tag.attributes, {}, text_.substr(tag.begin, tag.end - tag.begin), true, true};
  if (tag.kind == Tag::Kind::empty) return true;
  out.empty_tag = false;
  // Its end is where tags of this name balance; failing that, the first end tag of this name.
  std::size_t depth = 1, inner_end = std::string_view::npos, end = 0;
  for (Tag t; depth > 0 && next_tag(text_, end == 0 ? tag.end : t.end, t, no_cdata_, no_comment_);) {
    if (t.name == tag.name && t.kind == Tag::Kind::open) ++depth;
    if (t.name == tag.name && t.kind == Tag::Kind::close) {
      --depth;
      if (depth == 0 || inner_end == std::string_view::npos) inner_end = t.begin, at_ = t.end;
    }
    end = t.end;
  }
  if (depth > 0) ++unclosed_;
  out.closed = inner_end != std::string_view::npos;
  if (!out.closed) return true;
  out.inner = text_.substr(tag.end, inner_end - tag.end);
  out.outer = text_.substr(tag.begin, at_ - tag.begin);
  return true;
}

std::optional<Element> find(std::string_view text, std::string_view name) {
  Scanner scanner(text);
  for (Element e; scanner.next(e);) {
    if (e.name == name) return e;
  }
  return std::nullopt;
}

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::string_view raw(const Element& e) {
  const std::string_view value = trim(e.inner);
  return cdata(value).value_or(value);
}

std::string text(const Element& e, std::size_t limit) {
  const std::string_view value = trim(e.inner);
  if (const auto content = cdata(value)) return std::string(content->substr(0, limit));
  std::string out = unescape(value.substr(0, limit));
  return out;
}

bool flag(const Element& e) { return e.empty_tag || integer(e).value_or(0) != 0; }

std::optional<std::int64_t> integer(const Element& e) {
  const std::string_view value = raw(e);
  std::int64_t whole = 0;
  const char* const stop = value.data() + value.size();
  const auto [end, error] = std::from_chars(value.data(), stop, whole);
  if (error == std::errc() && end == stop) return whole;
  const auto number = real(e);
  if (!number || std::abs(*number) >= 9.2e18) return std::nullopt;
  return static_cast<std::int64_t>(*number);
}

std::optional<double> real(const Element& e) {
  std::string_view value = raw(e);
  if (!value.empty() && value[0] == '+') value.remove_prefix(1);
  double number = 0;
  const char* const stop = value.data() + value.size();
  const auto [end, error] = std::from_chars(value.data(), stop, number);
  if (error != std::errc() || end != stop || !std::isfinite(number)) return std::nullopt;
  return number;
}

std::string child_text(std::string_view in, std::string_view name, std::string_view otherwise) {
  const auto e = find(in, name);
  return e ? text(*e) : std::string(otherwise);
}

std::int64_t child_integer(std::string_view in, std::string_view name, std::int64_t otherwise) {
  const auto e = find(in, name);
  return e ? integer(*e).value_or(otherwise) : otherwise;
}

double child_real(std::string_view in, std::string_view name, double otherwise) {
  const auto e = find(in, name);
  return e ? real(*e).value_or(otherwise) : otherwise;
}

bool child_flag(std::string_view in, std::string_view name) {
  const auto e = find(in, name);
  return e && flag(*e);
}

std::string unescape(std::string_view text) {
  constexpr std::size_t kLongest = 9;  // of the entities, "#x10ffff" and ';'
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t amp = text.find('&', at);
    out += text.substr(at, amp == std::string_view::npos ? amp : amp - at);
    if (amp == std::string_view::npos) break;
    const std::size_t end = text.substr(amp + 1, kLongest).find(';');
    if (end != std::string_view::npos && append_entity(out, text.substr(amp + 1, end))) {
      at = amp + end + 2;
    } else {
      out += '&';
      at = amp + 1;
    }
  }
  return out;
}

}  // namespace sparkmill::boinc::xml

// SPDX-License-Identifier: Apache-2.0
// Recognises UTF-8 (RFC 3629) and JSON text (RFC 8259) without building anything. A parser that also builds values has
// limits of its own (numbers, depth, zero bytes) that are no part of the grammar.
#include "verify/blocks/btn/frame.h"

namespace sparkmill::btn {
namespace {

/// Reads a text from front to back; `at` never passes its end.
class Grammar {
 public:
  explicit Grammar(std::string_view text) : text_(text) {}

  /// One value and white space around it; the first character of the value is '{'.
  bool object() {
    space();
    if (peek() != '{') return false;
    return value() && (space(), at_ == text_.size());
  }

 private:
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(char c) { return peek() == c && at_ < text_.size() ? ++at_, true : false; }
  bool word(std::string_view w) { return text_.substr(at_, w.size()) == w ? at_ += w.size(), true : false; }
  void space() {
    while (at_ < text_.size() && (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r')) ++at_;
  }
  bool digits() {
    const std::size_t from = at_;
    while (peek() >= '0' && peek() <= '9') ++at_;
    return at_ > from;
  }
  bool digits_of_number() {
    take('-');
    if (!take('0') && !digits()) return false;
    if (take('.') && !digits()) return false;
    if (!take('e') && !take('E')) return true;
    if (!take('+')) take('-');
    return digits();
  }
  bool escape() {
    if (!take('u')) {
      const bool known = std::string_view("\"\\/bfnrt").find(peek()) != std::string_view::npos;
      if (at_ < text_.size()) ++at_;
      return known;
    }
    for (int k = 0; k < 4; ++k, ++at_) {
      const char c = peek();
      if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))) return false;
    }
    return true;
  }
  bool string() {
    if (!take('"')) return false;
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == '"') return true;
      if (static_cast<unsigned char>(c) < 0x20) return false;
      if (c == '\\' && !escape()) return false;
    }
    return false;
  }
  bool scalar() {
    switch (peek()) {
      case '"': return string();
      case 't': return word("true");
      case 'f': return word("false");
      case 'n': return word("null");
      default: return digits_of_number();
    }
  }
  /// The name of a member and its colon.
  bool member() {
    space();
    if (!string()) return false;
    space();
    return take(':');
  }

  /// Iterative, so that no depth of the text is a depth of the stack.
  bool value() {
    std::vector<bool> open;  // true: an object
    while (true) {
      space();
      const char c = peek();
      if (c == '{' || c == '[') {
        const bool object = c == '{';
        ++at_;
        space();
        if (take(object ? '}' : ']')) {
          if (open.empty()) return true;
        } else {
          open.push_back(object);
          if (object && !member()) return false;
          continue;
        }
      } else if (!scalar()) {
        return false;
      }
      // A value has ended; close what ends with it.
      while (true) {
        if (open.empty()) return true;
        space();
        if (take(',')) {
          if (open.back() && !member()) return false;
          break;
        }
        if (!take(open.back() ? '}' : ']')) return false;
        open.pop_back();
      }
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

bool is_json_object(std::string_view text) { return Grammar(text).object(); }

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = [&](std::size_t k) { return static_cast<unsigned char>(text[i + k]); };
    const unsigned first = byte(0);
    const std::size_t length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (length == 0 || first > 0xf4 || length > text.size() - i) return false;
    for (std::size_t k = 1; k < length; ++k) {
      if (byte(k) >> 6 != 2) return false;
    }
    if (length >= 3) {
      const unsigned start = first << 8 | byte(1);
      const bool overlong = start < 0xe0a0 || (first == 0xf0 && start < 0xf090);
      if (overlong || (start >= 0xeda0 && start < 0xee00) || start >= 0xf490) return false;
    }
    i += length;
  }
  return true;
}

}  // namespace sparkmill::btn

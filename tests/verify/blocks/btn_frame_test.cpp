// SPDX-License-Identifier: Apache-2.0
// BtnCmd frames in any pieces; UTF-8 and JSON text against plain models.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "verify/blocks/btn/frame.h"

namespace sparkmill::btn {
namespace {

Bytes frame(std::string_view body) {
  Bytes out{
      'B', 'T', 'N', 'C', 0, 0, static_cast<std::uint8_t>(body.size() >> 8), static_cast<std::uint8_t>(body.size())};
  out.insert(out.end(), body.begin(), body.end());
  return out;
}

struct Outcome {
  std::vector<Command> commands;
  std::string end;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};
Outcome read(ByteView stream, const std::function<std::size_t()>& piece) {
  FrameReader reader;
  Outcome out;
  while (!stream.empty()) {
    const std::size_t size = std::min(stream.size(), piece());
    reader.feed(stream.first(size), out.commands);
    stream = stream.subspan(size);
  }
  out.end = reader.end();
  return out;
}

TEST(BtnFrames, AnyPiecesGiveTheSameCommands) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 200; ++round) {
    Bytes stream;
    for (std::uint64_t k = random() % 5; k-- > 0;) {
      const Bytes f =
          frame(std::array<std::string_view, 5>{"ping", "a{}", "a{\"b\":[1,2]}", "x{", "n{}{}"}[random() % 5]);
      stream.insert(stream.end(), f.begin(), f.end());
    }
    if (random() % 3 == 0 && !stream.empty())
      stream[random() % stream.size()] ^= static_cast<std::uint8_t>(1 << random() % 8);
    if (random() % 3 == 0 && !stream.empty()) stream.resize(random() % stream.size());
    const Outcome whole = read(stream, [&] { return stream.size(); });
    EXPECT_EQ(read(stream, [] { return std::size_t{1}; }), whole);
    EXPECT_EQ(read(stream, [&] { return 1 + random() % 7; }), whole);
  }
}

TEST(BtnFrames, WhatIsWrittenIsRead) {
  const auto a = encode_frame("seal", R"({"h":1})"), b = encode_frame("ping", "");
  ASSERT_TRUE(a.ok() && b.ok());
  Bytes stream = *a;
  stream.insert(stream.end(), b->begin(), b->end());
  const Outcome out = read(stream, [] { return std::size_t{3}; });
  EXPECT_EQ(out.end, "");
  EXPECT_EQ(out.commands, (std::vector<Command>{{"seal", R"({"h":1})", Param::object}, {"ping", "", Param::none}}));
}

TEST(BtnFrames, WritersErrors) {
  EXPECT_EQ(encode_frame("", "").status(), Status::bad_argument);
  EXPECT_EQ(encode_frame("a{", "").status(), Status::bad_argument);
  EXPECT_EQ(encode_frame("\xff", "").status(), Status::bad_argument);
  EXPECT_EQ(encode_frame("a", "[]").status(), Status::bad_argument);
  EXPECT_EQ(encode_frame("a", " {}").status(), Status::bad_argument);
  EXPECT_EQ(encode_frame(std::string(kMaxBody + 1, 'a'), "").status(), Status::too_large);
  EXPECT_TRUE(encode_frame(std::string(kMaxBody, 'a'), "").ok());
}

TEST(BtnFrames, ErrorsCloseTheStreamAndAreKnownEarly) {
  std::vector<Command> commands;
  FrameReader flag;
  flag.feed(Bytes{'B', 'T', 'N', 'D'}, commands);
  EXPECT_EQ(flag.end(), "bad_flag") << "with the fourth byte";
  flag.feed(frame("ping"), commands);
  EXPECT_TRUE(commands.empty()) << "nothing after an error";
  FrameReader length;
  length.feed(Bytes{'B', 'T', 'N', 'C', 0, 0x10, 0, 1}, commands);
  EXPECT_EQ(length.end(), "bad_length");
  FrameReader most;
  most.feed(Bytes{'B', 'T', 'N', 'C', 0, 0x10, 0, 0}, commands);
  EXPECT_EQ(most.end(), "incomplete");
  most.feed(Bytes(kMaxBody, 'a'), commands);
  EXPECT_EQ(most.end(), "");
  EXPECT_EQ(commands.size(), 1u);
  FrameReader other(0x01020304);
  other.feed(Bytes{1, 2, 3, 4, 0, 0, 0, 1, 'x'}, commands);
  EXPECT_EQ(other.end(), "");
}

TEST(BtnText, JsonObjects) {
  for (const char* good : {"{}", " {} ", "\t\n\r{ }", R"({"a":1})", R"({"a":-0.5e+10,"b":[],"c":{"d":null}})",
                           R"({"a":"\u00e9\"\\\/\b"})", R"({"a":1e999})", R"({"a":"\ud800"})",
                           R"({"a":[1,[2,[3]],{}],"a":true})", R"({"":false})", R"({"a":0})", "{\"a\":\"\x7f\"}"}) {
    EXPECT_TRUE(is_json_object(good)) << good;
  }
  for (const char* bad : {"",
                          " ",
                          "[]",
                          "1",
                          "{",
                          "}",
                          "{]",
                          R"({"a"})",
                          R"({"a":})",
                          R"({"a":1,})",
                          R"({,"a":1})",
                          R"({"a":01})",
                          R"({"a":1.})",
                          R"({"a":.5})",
                          R"({"a":+1})",
                          R"({"a":1e})",
                          R"({"a":-})",
                          R"({"a":NaN})",
                          R"({"a":"\x"})",
                          R"({"a":"\u12g4"})",
                          "{\"a\":\"\n\"}",
                          R"({"a":[1,]})",
                          R"({"a":[,1]})",
                          R"({a:1})",
                          R"({'a':1})",
                          "{}{}",
                          "{}x",
                          R"({"a":tru})",
                          R"({"a":truee})",
                          R"({"a":1 2})",
                          R"({"a":"b)",
                          "{/**/}",
                          R"({"a":"\)",
                          R"({"a":"\u12)"}) {
    EXPECT_FALSE(is_json_object(bad)) << bad;
  }
  EXPECT_FALSE(is_json_object(std::string_view("{}\0", 3)));
  EXPECT_FALSE(is_json_object(std::string_view("{\0}", 3)));
}

/// Random texts over the letters of the grammar, beside a parser that builds values.
TEST(BtnText, AgreesWithAParser) {
  std::mt19937_64 random(2);
  constexpr std::string_view kLetters = R"({}[]",:\0123e+-.tru fals n)";
  unsigned good = 0;
  for (int i = 0; i < 60000; ++i) {
    std::string text = "{";
    const std::size_t length = random() % 9;
    for (std::size_t k = 0; k < length; ++k) text += kLetters[random() % kLetters.size()];
    if (random() % 2 == 0) text = "{\"a\":" + text.substr(1) + "}";
    const bool mine = is_json_object(text);
    EXPECT_EQ(mine, nlohmann::json::accept(text)) << text;
    good += mine ? 1 : 0;
  }
  EXPECT_GT(good, 300u);
}

TEST(BtnText, AnyDepth) {
  const std::size_t depth = 300'000;
  std::string text = "{\"a\":" + std::string(depth, '[');
  EXPECT_FALSE(is_json_object(text));
  EXPECT_TRUE(is_json_object(text + std::string(depth, ']') + "}"));
}

/// By the table of RFC 3629, written another way: decode, then demand that encoding gives the bytes back.
bool plain_utf8(std::string_view s) {
  while (!s.empty()) {
    const auto at = [&](std::size_t k) { return k < s.size() ? static_cast<unsigned char>(s[k]) : 0u; };
    unsigned code = 0;
    std::size_t size = 0;
    if (at(0) >> 7 == 0) {
      code = at(0);
      size = 1;
    } else {
      for (std::size_t n = 2; n <= 4; ++n) {
        if (at(0) >> (7 - n) == (1u << (n + 1)) - 2) {
          code = at(0) & ((1u << (7 - n)) - 1);
          size = n;
        }
      }
      if (size == 0) return false;
      for (std::size_t k = 1; k < size; ++k) {
        if (at(k) >> 6 != 2) return false;
        code = code << 6 | (at(k) & 63);
      }
    }
    const std::size_t shortest = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    if (size != shortest || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return false;
    s.remove_prefix(size);
  }
  return true;
}

TEST(BtnText, Utf8) {
  std::string text;
  for (unsigned a = 0; a < 256; ++a) {
    text = {static_cast<char>(a)};
    ASSERT_EQ(is_utf8(text), plain_utf8(text)) << a;
    for (unsigned b = 0; b < 256; ++b) {
      text = {static_cast<char>(a), static_cast<char>(b)};
      ASSERT_EQ(is_utf8(text), plain_utf8(text)) << a << " " << b;
      for (const unsigned c : {0x00u, 0x7fu, 0x80u, 0xbfu, 0xc0u}) {
        text = {static_cast<char>(a), static_cast<char>(b), static_cast<char>(c)};
        ASSERT_EQ(is_utf8(text), plain_utf8(text)) << a << " " << b << " " << c;
        text += '\x80';
        ASSERT_EQ(is_utf8(text), plain_utf8(text)) << a << " " << b << " " << c << " 80";
      }
    }
  }
}

}  // namespace
}  // namespace sparkmill::btn

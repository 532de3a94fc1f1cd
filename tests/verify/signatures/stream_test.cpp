// SPDX-License-Identifier: Apache-2.0
// The packed stream and JSON lines: there and back, from any cuts of the input, and errors that name item and line.
#include "verify/signatures/stream.h"

#include <gtest/gtest.h>

#include "base/hash.h"
#include "verify/signatures/json_lines.h"
#include "verify/signatures/signers/generate.h"

namespace sparkmill::signatures {
namespace {

/// Gives at most `most` bytes a call.
ReadSome from(Bytes bytes, std::size_t most) {
  auto at = std::make_shared<std::size_t>(0);
  auto all = std::make_shared<Bytes>(std::move(bytes));
  return [=](std::span<std::uint8_t> into) -> Result<std::size_t> {
    const std::size_t n = std::min({into.size(), most, all->size() - *at});
    std::copy_n(all->begin() + static_cast<std::ptrdiff_t>(*at), n, into.begin());
    *at += n;
    return n;
  };
}

bool same(const Form& form, const Items& a, const Items& b) {
  if (a.count != b.count) return false;
  for (std::size_t i = 0; i < a.count; ++i) {
    const auto equal = [](ByteView x, ByteView y) { return std::equal(x.begin(), x.end(), y.begin(), y.end()); };
    if (!equal(a.key(form, i), b.key(form, i)) || !equal(a.signature(form, i), b.signature(form, i)) ||
        !equal(a.message(i), b.message(i))) {
      return false;
    }
  }
  return true;
}

/// A cheap set of any form: bytes, not signatures.
ItemList filler(const Form& form, std::size_t count, bool varied) {
  ChaChaWords words(Hash32{5});
  ItemList out(form);
  const auto some = [&](std::size_t n) {
    Bytes bytes(n);
    for (std::uint8_t& b : bytes) b = static_cast<std::uint8_t>(words.u32());
    return bytes;
  };
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t open = varied ? form.least_message_bytes + words.below(90) : 32;
    const std::size_t message = form.message_bytes != 0 ? form.message_bytes : open;
    const std::size_t signature = form.signature_bytes != 0 ? form.signature_bytes : words.below(80);
    EXPECT_TRUE(out.add(some(form.key_bytes), some(signature), some(message)));
  }
  return out;
}

TEST(Stream, AllFormsThereAndBack) {
  for (const Form& form : forms()) {
    for (const bool varied : {false, true}) {
      const ItemList items = filler(form, 23, varied);
      const Bytes bytes = encode_stream(form, items.view());
      const auto whole = decode_stream(bytes, "blob", 23);
      ASSERT_TRUE(whole) << whole.error().message;
      EXPECT_TRUE(same(form, whole->view(), items.view()));
      EXPECT_EQ(decode_stream(bytes, "blob", 22).status(), Status::too_large);
      for (const std::size_t most : {std::size_t{1}, std::size_t{37}, std::size_t{5000}}) {
        auto reader = StreamReader::open(from(bytes, most), "pipe");
        ASSERT_TRUE(reader) << reader.error().message;
        ItemList part(form), all(form);
        do {
          ASSERT_TRUE(reader->next(part, 5, 1u << 20));
          const Items v = part.view();
          for (std::size_t i = 0; i < v.count; ++i) {
            ASSERT_TRUE(all.add(v.key(form, i), v.signature(form, i), v.message(i)));
          }
        } while (part.count() != 0);
        EXPECT_TRUE(same(form, all.view(), items.view()));
      }
      // JSON lines carry the same.
      std::string lines;
      for (std::size_t i = 0; i < items.count(); ++i) {
        const Items v = items.view();
        lines += json_line(form, v.key(form, i), v.signature(form, i), v.message(i), i == 0);
      }
      auto reader = JsonLinesReader::open(from(Bytes(lines.begin(), lines.end()), 101), "lines", nullptr);
      ASSERT_TRUE(reader) << reader.error().message;
      EXPECT_EQ(&reader->form(), &form);
      ItemList read(form);
      ASSERT_TRUE(reader->next(read, 1000, 1u << 20));
      EXPECT_TRUE(same(form, read.view(), items.view()));
    }
  }
}

TEST(Stream, CutsAndLeftoversNameTheItem) {
  const Form& form = **form_named("ecdsa", "compressed_der");
  const ItemList items = filler(form, 3, true);
  const Bytes bytes = encode_stream(form, items.view());
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
    const auto got = decode_stream(ByteView(bytes).first(cut), "blob", 10);
    ASSERT_EQ(got.status(), Status::bad_input) << cut;
    EXPECT_EQ(got.error().message.rfind("blob: ", 0), 0u);
    if (cut >= kStreamHeaderBytes) {
      EXPECT_NE(got.error().message.find("item "), std::string::npos);
    }
  }
  Bytes longer = bytes;
  longer.push_back(0);
  const auto more = decode_stream(longer, "blob", 10);
  ASSERT_EQ(more.status(), Status::bad_input);
  EXPECT_NE(more.error().message.find("header says 3 items"), std::string::npos) << more.error().message;
  // Without a count the end is wherever a record ends.
  Bytes open_ended = bytes;
  std::fill(open_ended.begin() + 24, open_ended.begin() + 32, std::uint8_t{0xff});
  EXPECT_TRUE(decode_stream(open_ended, "blob", 10));
  open_ended.pop_back();
  EXPECT_EQ(decode_stream(open_ended, "blob", 10).status(), Status::bad_input);
}

TEST(Stream, HeadersAreChecked) {
  const Form& form = **form_named("ed25519", "zip215");
  const Bytes good = encode({&form, 32, 7});
  ASSERT_EQ(good.size(), kStreamHeaderBytes);
  const auto header = decode_stream_header(good, "h");
  ASSERT_TRUE(header);
  EXPECT_EQ(header->form, &form);
  EXPECT_EQ(header->message_bytes, 32u);
  EXPECT_EQ(header->count, 7u);
  EXPECT_EQ(record_bytes(*header), 128u);
  struct Bend {
    std::size_t at;
    std::uint8_t value;
    Status status;
  };
  for (const Bend& bend : {Bend{0, 'X', Status::bad_input},
                           {4, 2, Status::unsupported},
                           {6, 200, Status::unsupported},
                           {8, 99, Status::unsupported},
                           {10, 31, Status::bad_input},
                           {12, 1, Status::bad_input},
                           {14, 1, Status::bad_input},
                           {19, 0x7f, Status::bad_input},
                           {20, 1, Status::bad_input}}) {
    Bytes bent = good;
    bent[bend.at] = bend.value;
    EXPECT_EQ(decode_stream_header(bent, "h").status(), bend.status) << bend.at;
  }
  const Form& fixed = **form_named("rsa2048", "pkcs1_sha256");
  Bytes variable = encode({&fixed, std::nullopt, 7});
  EXPECT_EQ(decode_stream_header(variable, "h").status(), Status::bad_input) << "its messages have 32 bytes";
}

// BTN's roles sign messages of several lengths; what block type 1 has no room for is malformed.
TEST(Stream, DrawsHaveOneTo245Bytes) {
  const Form& draw = **form_named("rsa2048", "draw");
  ItemList list(draw);
  for (const std::size_t bytes : {1, 32, 36, 37, 41, 245}) ASSERT_TRUE(list.add(Bytes(256), Bytes(256), Bytes(bytes)));
  for (const std::size_t bytes : {0, 246}) {
    const Done added = list.add(Bytes(256), Bytes(256), Bytes(bytes));
    EXPECT_EQ(added.status(), Status::bad_input);
    EXPECT_NE(added.error().message.find("1 to 245 bytes"), std::string::npos) << added.error().message;
    const auto whole = encode({&draw, static_cast<std::uint32_t>(bytes), 1});
    EXPECT_EQ(decode_stream_header(whole, "h").status(), Status::bad_input);
  }
  const Bytes stream = encode_stream(draw, list.view());
  const auto again = decode_stream(stream, "blob", 10);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_TRUE(same(draw, again->view(), list.view()));
  Bytes bent = stream;
  bent[kStreamHeaderBytes + 512] = 246;  // the first item's length
  const auto got = decode_stream(bent, "blob", 10);
  ASSERT_EQ(got.status(), Status::bad_input);
  EXPECT_NE(got.error().message.find("item 0"), std::string::npos) << got.error().message;
  EXPECT_TRUE(decode_stream_header(encode({&draw, 32, 1}), "h")) << "streams of hashes read as before";
}

TEST(Stream, LengthsOverTheLimitAreNotRead) {
  const Form& form = **form_named("bip340", "");
  Bytes bytes = encode({&form, std::nullopt, kUnknownCount});
  bytes.resize(bytes.size() + 96);
  for (int k = 0; k < 4; ++k) bytes.push_back(0x7f);
  const auto got = decode_stream(bytes, "blob", 10);
  ASSERT_EQ(got.status(), Status::bad_input);
  EXPECT_NE(got.error().message.find("at most"), std::string::npos) << got.error().message;
}

Result<ItemList> lines(std::string_view text, const char* scheme, const char* policy) {
  const Form* form = scheme == nullptr ? nullptr : *form_named(scheme, policy);
  auto reader = JsonLinesReader::open(from(Bytes(text.begin(), text.end()), 7), "lines", form);
  if (!reader) return reader.error();
  ItemList out(reader->form());
  SPARKMILL_TRY(reader->next(out, 100, 1u << 20));
  return out;
}
std::string of(std::size_t bytes, const char* two) {
  std::string out;
  for (std::size_t k = 0; k < bytes; ++k) out += two;
  return out;
}

TEST(JsonLines, TakeWhatPeopleWrite) {
  const std::string item = "{\"key\":\"" + of(32, "aB") + "\",\"signature\":\"0x" + of(64, "01") + "\",";
  const auto got =
      lines(item + "\"message\":\"\"}\n\n  \r\n" + item + "\"message_text\":\"abc\",\"id\":5}", "ed25519", "");
  ASSERT_TRUE(got) << got.error().message;
  ASSERT_EQ(got->count(), 2u);
  EXPECT_EQ(text(got->view().message(1)), "abc");
  const std::string r = of(32, "11"), s = of(32, "22"), digest = of(32, "33");
  const auto parts = lines("{\"r\":\"" + r + "\",\"s\":\"" + s + "\",\"v\":28,\"message\":\"" + digest + "\"}",
                           "ecdsa_recover", "evm_precompile");
  ASSERT_TRUE(parts) << parts.error().message;
  EXPECT_EQ(parts->view().signature(parts->form(), 0)[95], 28);
  // A precompile's word may be written as a byte, and TRON ignores what follows the 65th byte.
  EXPECT_TRUE(
      lines("{\"signature\":\"" + r + s + "1b\",\"message\":\"" + digest + "\"}", "ecdsa_recover", "evm_precompile"));
  EXPECT_TRUE(lines("{\"signature\":\"" + r + s + "1b0000\",\"message\":\"" + digest + "\"}", "ecdsa_recover",
                    "tron_multisign"));
  EXPECT_FALSE(
      lines("{\"signature\":\"" + r + s + "1b0000\",\"message\":\"" + digest + "\"}", "ecdsa_recover", "openzeppelin"));
}

TEST(JsonLines, ErrorsNameLineAndMember) {
  const std::string good =
      "{\"key\":\"" + of(32, "ab") + "\",\"signature\":\"" + of(64, "01") + "\",\"message\":\"\"}\n";
  struct Wrong {
    std::string line;
    const char* says;
  };
  for (const Wrong& wrong : {
           Wrong{"{", "JSON"},
           {"[1]", "JSON"},
           {"{\"key\":\"00\",\"signature\":\"" + of(64, "01") + "\",\"message\":\"\"}", "key: 1 bytes, expected 32"},
           {"{\"key\":\"0\",\"signature\":\"\",\"message\":\"\"}", "\"key\""},
           {"{\"key\":7,\"signature\":\"\",\"message\":\"\"}", "\"key\" is no text"},
           {"{\"signature\":\"\",\"message\":\"\"}", "\"key\" is missing"},
           {"{\"key\":{},\"signature\":\"\"}", "objects"},
           {"{\"key\":\"\",\"key\":\"\"}", "twice"},
           {"{\"kee\":\"\"}", "\"kee\" is not known"},
           {"{\"scheme\":\"bip340\"}", "'bip340'"},
           {"{\"policy\":\"go\"}", "'go'"},
       }) {
    const auto got = lines(good + "\n" + wrong.line + "\n" + good, "ed25519", "zip215");
    ASSERT_EQ(got.status(), Status::bad_input) << wrong.line;
    EXPECT_EQ(got.error().message.rfind("lines: line 3: ", 0), 0u) << got.error().message;
    EXPECT_NE(got.error().message.find(wrong.says), std::string::npos) << got.error().message;
  }
  EXPECT_EQ(lines("", nullptr, "").status(), Status::bad_input);
  EXPECT_EQ(lines(good, nullptr, "").status(), Status::bad_input) << "nobody names the scheme";
  EXPECT_EQ(lines("{\"scheme\":\"rot13\"}", nullptr, "").status(), Status::bad_input);
}

}  // namespace
}  // namespace sparkmill::signatures

// SPDX-License-Identifier: Apache-2.0
// Template files: every header field wrong in turn, short, long, damaged, and sign bits outside the validity plane.
#include "verify/template/template_file.h"

#include <gmock/gmock.h>

#include "base/hash.h"

namespace sparkmill::templates {
namespace {

using testing::HasSubstr;

constexpr std::uint32_t kN = 128;
constexpr std::uint32_t kRows = 3;

/// Three rows of 128 trits: validity has every fourth element erased, signs alternate among the valid ones.
Bytes sample_rows(std::uint8_t valid = 0x77, std::uint8_t sign = 0x53) {
  Bytes rows;
  for (std::uint32_t i = 0; i < kRows; ++i) {
    rows.insert(rows.end(), kN / 8, static_cast<std::uint8_t>(sign & valid));
    rows.insert(rows.end(), kN / 8, valid);
  }
  return rows;
}

Bytes sample() {
  Header h;
  h.n = kN;
  h.rows = kRows;
  h.field = 5;
  h.app.fill(0xab);
  return build(h, sample_rows());
}

void refused(const Bytes& file, Status status, const std::string& words) {
  auto r = parse(file, "x.pcbt");
  ASSERT_FALSE(r.ok()) << words;
  EXPECT_EQ(r.status(), status) << r.error().message;
  EXPECT_THAT(r.error().message, testing::StartsWith("x.pcbt: "));
  EXPECT_THAT(r.error().message, HasSubstr(words));
  EXPECT_FALSE(r.error().hint.empty());
}

TEST(TemplateFile, RoundTrip) {
  const Bytes file = sample();
  ASSERT_EQ(file.size(), 64u + kRows * kN / 4);
  auto r = parse(file, "x.pcbt");
  ASSERT_TRUE(r.ok()) << r.error().message;
  EXPECT_EQ(r->header.n, kN);
  EXPECT_EQ(r->header.rows, kRows);
  EXPECT_EQ(r->header.field, 5u);
  EXPECT_EQ(r->header.app[15], 0xab);
  EXPECT_EQ(r->planes.rows, file.data() + 64);
  EXPECT_EQ(r->planes.count, kRows);
  EXPECT_FALSE(r->planes.all_valid);
  EXPECT_NE(r->planes.content_id, 0u);
  EXPECT_EQ(r->header.payload_hash, sha256(ByteView(file).subspan(64)));
}

TEST(TemplateFile, AllValidIsFoundByLooking) {
  Header h;
  h.n = kN;
  h.rows = kRows;
  EXPECT_TRUE(parse(build(h, sample_rows(0xff, 0x0f)), "x")->planes.all_valid);
  Bytes rows = sample_rows(0xff, 0x0f);
  rows.back() = 0x7f;
  EXPECT_FALSE(parse(build(h, rows), "x")->planes.all_valid);
}

TEST(TemplateFile, NoRows) {
  Header h;
  h.n = 64;
  const Bytes file = build(h, {});
  auto r = parse(file, "x");
  ASSERT_TRUE(r.ok());
  EXPECT_EQ(r->planes.count, 0u);
  EXPECT_FALSE(r->planes.all_valid);
}

TEST(TemplateFile, EachHeaderFieldWrong) {
  const auto with = [](std::size_t at, std::uint8_t value) {
    Bytes file = sample();
    file[at] = value;
    return file;
  };
  refused(with(0, 'Q'), Status::bad_input, "magic is \"QCBT\"");
  refused(with(3, 0), Status::bad_input, "magic is 0x50434200");
  refused(with(4, 2), Status::bad_input, "kind is 2");
  refused(with(5, 9), Status::bad_input, "version is 9");
  refused(with(6, 0), Status::bad_input, "n / 64 is 0");
  refused(with(7, 2), Status::bad_input, "n / 64 is 514 (n = 32896)");
  refused(with(6, 3), Status::bad_input, "too short: rows = 3 and n = 192 make 208");
  refused(with(6, 1), Status::bad_input, "too long: rows = 3 and n = 64 make 112");
  refused(with(8, 4), Status::bad_input, "too short: rows = 4");
  refused(with(8, 2), Status::bad_input, "too long: rows = 2");
  refused(with(11, 2), Status::bad_input, "rows is 33554435");
  refused(with(32, 0), Status::corrupt, "payload hash");
  refused(with(63, static_cast<std::uint8_t>(sample()[63] ^ 1)), Status::corrupt, "payload hash");
  refused(with(64, static_cast<std::uint8_t>(sample()[64] ^ 1)), Status::corrupt, "payload hash");
  // Field and application are free values: any is read back as it stands.
  EXPECT_EQ(parse(with(12, 77), "x")->header.field, 77u);
  EXPECT_EQ(parse(with(16, 1), "x")->header.app[0], 1);
}

TEST(TemplateFile, ShortAndLong) {
  const Bytes file = sample();
  for (std::size_t size = 0; size < file.size(); ++size) {
    const Bytes cut(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size));
    refused(cut, Status::bad_input, size < 64 ? "shorter than the 64-byte header" : "too short");
  }
  Bytes longer = file;
  longer.push_back(0);
  refused(longer, Status::bad_input, "too long");
}

TEST(TemplateFile, SignOutsideValidity) {
  Header h;
  h.n = kN;
  h.rows = kRows;
  Bytes rows = sample_rows();
  rows[kN / 4 * 2 + 15] |= 0x80;  // row 2, last element, which is erased
  refused(build(h, rows), Status::bad_input, "row 2 has a sign bit where its validity bit is 0");
}

TEST(TemplateFile, EveryByteIsChecked) {
  const Bytes file = sample();
  for (std::size_t at = 0; at < file.size(); ++at) {
    if (at >= 12 && at < 32) continue;  // field and application
    Bytes damaged = file;
    damaged[at] ^= 0x40;
    EXPECT_FALSE(parse(damaged, "x").ok()) << at;
  }
}

TEST(TemplateFile, MisalignedBufferIsACallerError) {
  Bytes shifted(1);
  const Bytes file = sample();
  shifted.insert(shifted.end(), file.begin(), file.end());
  EXPECT_EQ(parse(ByteView(shifted).subspan(1), "x").status(), Status::bad_argument);
}

}  // namespace
}  // namespace sparkmill::templates

// SPDX-License-Identifier: Apache-2.0
// Template files: every header field is checked by itself, so that its error names the field, its value and the fix.
#include "verify/template/template_file.h"

#include <string>

#include "base/hash.h"
#include "base/hex.h"

namespace sparkmill::templates {

namespace {

constexpr std::string_view kMagic = "PCBT";
constexpr std::uint8_t kKindTrits = 1;
constexpr std::uint8_t kVersion = 1;

/// The magic as text where it is printable, else as hex.
std::string shown(ByteView bytes) {
  for (const std::uint8_t b : bytes) {
    if (b < 0x20 || b > 0x7e) return "0x" + to_hex(bytes);
  }
  return '"' + std::string(text(bytes)) + '"';
}

Error bad(std::string_view name, const std::string& what, std::string hint) {
  return fail(Status::bad_input, std::string(name) + ": " + what, std::move(hint));
}

Result<Header> parse_header(ByteView bytes, std::string_view name) {
  ByteReader r(bytes);
  const ByteView magic = r.bytes(4);
  const std::uint8_t kind = r.u8();
  const std::uint8_t version = r.u8();
  const std::uint16_t n64 = r.u16();
  Header h;
  h.rows = r.u32();
  h.field = r.u32();
  h.app = r.array<16>();
  h.payload_hash = r.array<32>();
  if (text(magic) != kMagic) {
    return bad(name, "magic is " + shown(magic) + ", expected \"PCBT\"",
               "this is not a template file; make one with `sparkmill enrol`");
  }
  if (kind != kKindTrits) {
    return bad(name, "kind is " + std::to_string(kind) + ", expected 1 (trit planes)",
               "enrol the features again with `sparkmill enrol`");
  }
  if (version != kVersion) {
    return bad(name, "version is " + std::to_string(version) + ", this build reads version 1",
               "use a newer sparkmill, or enrol again with this one");
  }
  h.n = std::uint32_t{n64} * 64;
  if (h.n < match::kMinN || h.n > match::kMaxN) {
    return bad(name, "n / 64 is " + std::to_string(n64) + " (n = " + std::to_string(h.n) + "), expected 1 to 256",
               "enrol with --n a multiple of 64 from 64 to 16384");
  }
  if (h.rows > match::kMaxRows) {
    return bad(name,
               "rows is " + std::to_string(h.rows) + ", at most " + std::to_string(match::kMaxRows) + " are allowed",
               "split the population into several files");
  }
  return h;
}

/// Scans all rows: where a sign bit is set outside the validity plane, and whether every validity bit is set.
Done scan_rows(ByteView payload, const Header& h, std::string_view name, bool& all_valid) {
  const std::size_t words = h.n / 64;
  std::uint64_t valid_everywhere = ~std::uint64_t{0};
  for (std::uint32_t i = 0; i < h.rows; ++i) {
    const std::uint8_t* sign = payload.data() + std::size_t{i} * words * 16;
    const std::uint8_t* valid = sign + words * 8;
    std::uint64_t outside = 0;
    for (std::size_t w = 0; w < words; ++w) {
      std::uint64_t s = 0;
      std::uint64_t m = 0;
      std::memcpy(&s, sign + 8 * w, 8);
      std::memcpy(&m, valid + 8 * w, 8);
      outside |= s & ~m;
      valid_everywhere &= m;
    }
    if (outside != 0) {
      return bad(name, "row " + std::to_string(i) + " has a sign bit where its validity bit is 0",
                 "erased elements must have sign 0; enrol the features again");
    }
  }
  all_valid = h.rows != 0 && valid_everywhere == ~std::uint64_t{0};
  return done();
}

}  // namespace

Result<TemplateFile> parse(ByteView bytes, std::string_view name) {
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % 8 != 0) {
    return fail(Status::bad_argument, std::string(name) + ": the buffer is not 8-byte aligned");
  }
  if (bytes.size() < kHeaderBytes) {
    return bad(name, std::to_string(bytes.size()) + " bytes, shorter than the 64-byte header of a template file",
               "the file is cut off or not a template file; copy it again or make one with `sparkmill enrol`");
  }
  SPARKMILL_ASSIGN(const Header header, parse_header(bytes.first(kHeaderBytes), name));
  const ByteView payload = bytes.subspan(kHeaderBytes);
  const std::uint64_t expected = std::uint64_t{header.rows} * (header.n / 4);
  if (payload.size() != expected) {
    const bool is_short = payload.size() < expected;
    return bad(name,
               std::to_string(bytes.size()) + " bytes, " + (is_short ? "too short" : "too long") +
                   ": rows = " + std::to_string(header.rows) + " and n = " + std::to_string(header.n) + " make " +
                   std::to_string(kHeaderBytes + expected),
               is_short ? "the file is cut off: copy it again" : "something was appended: copy the file again");
  }
  if (const Hash32 actual = sha256(payload); actual != header.payload_hash) {
    return fail(Status::corrupt,
                std::string(name) + ": payload hash in the header is " +
                    to_hex(ByteView(header.payload_hash).first(8)) + "..., the content's is " +
                    to_hex(ByteView(actual).first(8)) + "...",
                "the file was damaged or changed: copy it again");
  }
  TemplateFile file;
  file.header = header;
  file.planes.rows = payload.data();
  file.planes.count = header.rows;
  file.planes.n = header.n;
  SPARKMILL_TRY(scan_rows(payload, header, name, file.planes.all_valid));
  std::memcpy(&file.planes.content_id, header.payload_hash.data(), 8);
  if (file.planes.content_id == 0) file.planes.content_id = 1;
  return file;
}

Bytes build(Header header, ByteView rows) {
  header.payload_hash = sha256(rows);
  ByteWriter w;
  w.bytes(kMagic).u8(kKindTrits).u8(kVersion).u16(static_cast<std::uint16_t>(header.n / 64));
  w.u32(header.rows).u32(header.field).bytes(header.app).bytes(header.payload_hash).bytes(rows);
  return std::move(w).data();
}

}  // namespace sparkmill::templates

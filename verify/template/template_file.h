// SPDX-License-Identifier: Apache-2.0
// PCBT template files: a 64-byte header, then rows of n/8 bytes sign plane and n/8 bytes validity plane.
// Header: "PCBT" | u8 kind = 1 (trit planes) | u8 version = 1 | u16 n/64 | u32 rows | u32 field | 16 bytes epoch/app |
// 32 bytes payload SHA-256. Source: "PCB double-blind matching" 2.4; docs/formats.md.
#pragma once

#include <filesystem>

#include "base/file.h"
#include "kernels/match/match.h"

namespace sparkmill::templates {

inline constexpr std::size_t kHeaderBytes = 64;

struct Header {
  std::uint32_t n = 0;
  std::uint32_t rows = 0;
  std::uint32_t field = 0;
  Id16 app{};  ///< epoch or application id: both sides of a match must agree
  Hash32 payload_hash{};
};

/// A checked template file whose planes point into `bytes`; the owner keeps them alive.
struct TemplateFile {
  Header header;
  match::Planes planes;  ///< all_valid found by scanning; content_id from the payload hash
};

/// Parses and checks everything: magic, kind, version, n, rows, exact length, payload hash, and that no sign bit is set
/// where the validity bit is not. Requires bytes.data() 8-byte aligned. `name` is the file's name for the error
/// (bad_input, corrupt).
Result<TemplateFile> parse(ByteView bytes, std::string_view name);

/// Builds a file from row-major rows (header.rows * n/4 bytes); fills payload_hash.
Bytes build(Header header, ByteView rows);

}  // namespace sparkmill::templates

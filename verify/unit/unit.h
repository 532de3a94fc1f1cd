// SPDX-License-Identifier: Apache-2.0
// A work unit as a file: one piece of a large job, to be computed by whoever gets it, signed by the project that gives
// it out. And the names that tie files of a BOINC project to units. Source: jobs and proofs 6, 8; BOINC page 4.
//
// Layout: "SMU1" | u16 version = 1 | u16 0 | project_pub[32] | whole job_id[16] | u32 index | u32 count |
// u64 origin[2] | len job (wire form) | u32 inputs | inputs * (hash[32] | u64 bytes | len open name | len content) |
// sig[64]. An input has an open name (a file beside the unit) or its content inside, never both.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/keys/keys.h"
#include "verify/job/job.h"

namespace sparkmill::unit {

struct Input {
  Hash32 hash{};
  std::uint64_t bytes = 0;
  std::string open_name;  ///< logical name of the file; empty: the content is inside
  Bytes content;
};

struct Unit {
  keys::PublicKey project_pub{};  ///< the project's role key "receipt": signs units and receipts
  Id16 whole_id{};                ///< the job that this is a piece of
  std::uint32_t index = 0;
  std::uint32_t count = 0;  ///< pieces of the whole
  job::Piece piece;
  std::vector<Input> inputs;  ///< in the order of the job's blobs
};

/// A file is at most this long; so inputs above kMaxInline bytes are files of their own.
inline constexpr std::size_t kMaxUnitBytes = 4u << 20;
inline constexpr std::size_t kMaxInline = 64u << 10;

/// Signs with the project's role key "receipt" (domain "sparkmill/unit/v1"); project_pub is taken from it.
Bytes encode(Unit unit, const keys::SigningKey& project_key);
/// Parses, and verifies the signature and that inputs are those of the job. Whether the key is the right one is the
/// caller's. Errors: bad_input (layout, limits), corrupt (a hash does not fit), refused (signature).
Result<Unit> decode(ByteView file);
/// SHA-256 of the file: what a result names.
Hash32 id_of(ByteView file);

/// "smk_<32 hex digits of the whole job>_<index, 5 digits>".
std::string unit_name(const Id16& whole_id, std::uint32_t index);
/// Physical name of an input file; content-addressed, since BOINC's file names never change their content.
std::string input_name(const Hash32& hash);

struct ResultName {
  Id16 whole_id{};
  std::uint32_t index = 0;
  std::string unit;    ///< "smk_.._00012"
  std::string result;  ///< "smk_.._00012_0"
};
/// From a result's name, or that of its output file: the result's name, then nothing or "_" and anything (BOINC:
/// "_r<random>_0"). Folders are left out. Error: bad_input.
Result<ResultName> parse_result_name(std::string_view file_or_result);
/// A unit's name alone. Error: bad_input.
Result<ResultName> parse_unit_name(std::string_view name);

}  // namespace sparkmill::unit

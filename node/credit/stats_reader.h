// SPDX-License-Identifier: Apache-2.0
// Reads what a BOINC project exports as stats/user.gz (db_dump; BOINC page 5): records
//   <user> <id>1</id> <name>..</name> .. <total_credit>0.578687</total_credit> .. <cpid>32 hex</cpid> .. </user>
// in a gzip stream, or plain as some projects write it. Streaming: memory is one record. The text is XML-like only, so
// this is a tag scanner: unknown elements are skipped, declarations, comments and anything between records ignored.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace sparkmill::node::credit {

/// One exported user. Credit in millionths, the digits that db_dump writes.
struct ExportedUser {
  std::uint64_t id = 0;
  std::uint64_t total_micro = 0;
  std::array<std::uint8_t, 16> cpid{};
};

struct StatsLimits {
  std::uint64_t packed_bytes = 2ull << 30;
  std::uint64_t text_bytes = 32ull << 30;
  std::size_t record_bytes = 64u << 10;
};

/// What a whole export held.
struct StatsSummary {
  std::uint64_t users = 0;    ///< records handed out
  std::uint64_t skipped = 0;  ///< records without a usable id, credit or CPID
  std::string first_skipped;  ///< position and reason of the first of them
  Hash32 hash{};              ///< SHA-256 of the bytes as fed
};

class StatsReader {
 public:
  using OnUser = std::function<void(const ExportedUser&)>;
  explicit StatsReader(OnUser on_user, StatsLimits limits = {});
  ~StatsReader();
  /// The next bytes of the file, cut anywhere. Errors: corrupt (gzip), bad_input (not an export), too_large; each with
  /// the position. After an error the reader must not be fed again.
  Done feed(ByteView bytes);
  /// To be called once, at the end of the file. Errors as above, and corrupt when the stream or a record is cut off.
  Result<StatsSummary> finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// "12.578687" -> 12,578,687. At most 12 digits before the point; digits after the sixth are dropped. Error: bad_input
/// (empty, sign, exponent, nan).
Result<std::uint64_t> parse_micro(std::string_view text);

}  // namespace sparkmill::node::credit

// SPDX-License-Identifier: Apache-2.0
// Small helpers shared by the ledger's files.
#pragma once

#include "base/bytes.h"
#include "base/sqlite.h"

namespace sparkmill::node {

/// A fixed-size column; the schema's own writes make the size right, so another size is damage.
template <std::size_t N>
std::array<std::uint8_t, N> fixed(const Bytes& bytes) {
  if (bytes.size() != N) throw sqlite::Failure(Status::corrupt, "a column has the wrong size");
  std::array<std::uint8_t, N> out{};
  std::memcpy(out.data(), bytes.data(), N);
  return out;
}

inline std::uint64_t natural(const sqlite::Statement& s, int column) {
  return static_cast<std::uint64_t>(s.integer(column));
}

/// Tables of credit from BOINC (boinc.cpp).
extern const char kBoincSchema[];

enum class TaskState : int { open = 0, done = 1, failed = 2 };
enum class JobState : int { ready = 0, leased = 1, closed = 2 };
enum class LockRule : int { income = 0, fund = 1 };
enum class BodyKind : int { commit = 1, opening = 2 };

}  // namespace sparkmill::node

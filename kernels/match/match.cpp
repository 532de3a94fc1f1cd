// SPDX-License-Identifier: Apache-2.0
// What all rows of the family share: digest key words, the scalar score of a pair, the contract check of a task.
#include "kernels/match/match.h"

#include <bit>
#include <cstring>
#include <string>

#include "base/hash.h"

namespace sparkmill::match {

DigestWords expand_digest_words(const Hash32& key, std::uint32_t requests, std::uint32_t users) {
  DigestWords words;
  words.row.resize(requests);
  words.column.resize(users);
  chacha20_stream(key, 0, 0, {reinterpret_cast<std::uint8_t*>(words.row.data()), std::size_t{requests} * 4});
  chacha20_stream(key, 1, 0, {reinterpret_cast<std::uint8_t*>(words.column.data()), std::size_t{users} * 8});
  for (auto& b : words.column) b |= 1;
  return words;
}

std::uint32_t score_word(const std::uint8_t* request_row, const std::uint8_t* user_row, std::uint32_t n) {
  const std::size_t plane = n / 8;
  std::uint32_t ham = 0;
  std::uint32_t k = 0;
  for (std::size_t at = 0; at < plane; at += 8) {
    std::uint64_t sa, sb, ma, mb;
    std::memcpy(&sa, request_row + at, 8);
    std::memcpy(&sb, user_row + at, 8);
    std::memcpy(&ma, request_row + plane + at, 8);
    std::memcpy(&mb, user_row + plane + at, 8);
    const std::uint64_t both = ma & mb;
    k += static_cast<std::uint32_t>(std::popcount(both));
    ham += static_cast<std::uint32_t>(std::popcount((sa ^ sb) & both));
  }
  return ham | k << 16;
}

namespace {

std::uint32_t tiles_of(std::uint32_t rows) { return rows / kTile + (rows % kTile != 0 ? 1 : 0); }

Error bad(const std::string& what) { return fail(Status::bad_argument, "match task: " + what); }

Done check_planes(const Planes& p, const std::string& name) {
  if (p.n < kMinN || p.n > kMaxN || p.n % 64 != 0) {
    return bad(name + ": n = " + std::to_string(p.n) + " is not a multiple of 64 from 64 to 16384");
  }
  if (p.count > kMaxRows) return bad(name + ": " + std::to_string(p.count) + " rows, over the limit of 2^24");
  if (p.count > 0 && p.rows == nullptr) return bad(name + ": rows are missing");
  if (reinterpret_cast<std::uintptr_t>(p.rows) % 8 != 0) return bad(name + ": rows are not 8-byte aligned");
  return done();
}

}  // namespace

Done check_task(const Task& task) {
  if (task.predicate == nullptr) return bad("no predicate");
  if (task.fields.size() < task.predicate->field_count() || task.fields.empty()) {
    return bad("the predicate names " + std::to_string(task.predicate->field_count()) + " fields, " +
               std::to_string(task.fields.size()) + " are given");
  }
  const FieldPair& first = task.fields.front();
  for (std::size_t f = 0; f < task.fields.size(); ++f) {
    const FieldPair& pair = task.fields[f];
    const std::string name = "field " + std::to_string(f);
    SPARKMILL_TRY(check_planes(pair.requests, name + ", requests"));
    SPARKMILL_TRY(check_planes(pair.users, name + ", users"));
    if (pair.requests.n != pair.users.n) return bad(name + ": requests and users differ in n");
    if (pair.requests.count != first.requests.count || pair.users.count != first.users.count) {
      return bad(name + ": row counts differ from field 0");
    }
  }
  const TileRange& t = task.tiles;
  if (t.ti_begin > t.ti_end || t.tj_begin > t.tj_end || t.ti_end > tiles_of(first.requests.count) ||
      t.tj_end > tiles_of(first.users.count)) {
    return bad("tile range [" + std::to_string(t.ti_begin) + "," + std::to_string(t.ti_end) + ") x [" +
               std::to_string(t.tj_begin) + "," + std::to_string(t.tj_end) + ") is outside of the " +
               std::to_string(tiles_of(first.requests.count)) + " x " + std::to_string(tiles_of(first.users.count)) +
               " tiles");
  }
  if (task.words != nullptr &&
      (task.words->row.size() < first.requests.count || task.words->column.size() < first.users.count)) {
    return bad("digest words do not cover all rows");
  }
  return done();
}

Error too_many_pairs() {
  return fail(Status::too_large, "more than " + std::to_string(kMaxPairsPerSlice) + " pairs in one slice",
              "the threshold is too low to be meant: raise it, or match fewer rows");
}

}  // namespace sparkmill::match

// SPDX-License-Identifier: Apache-2.0
// Which keys of a stream have a table of multiples of their own: keys that come again and again. Keys are equal when
// their bytes are. What a key's table holds is its family's affair; here is only who has which.
//
// A key is remembered by a count among the last 1,024 or so, and gets a table when the keys that would be made together
// have been seen often enough to pay for it, so a stream without repeats pays for the look only, and a hostile one for
// at most the share of its items that `worth` says. Only time depends on it, never an answer.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/bytes.h"

namespace sparkmill::kernels {

class KeyCache {
 public:
  static constexpr std::size_t kSpan = 4096;  ///< keys of one call, at most
  static constexpr std::uint16_t kNone = 0xffff;
  struct Plan {
    std::size_t tables;        ///< that there is room for
    std::size_t lot;           ///< tables made at once, for the price of one
    std::size_t worth;         ///< sights of the keys of a lot that pay for making it
    std::size_t side_by_side;  ///< items that a kernel works together, padded where there are fewer
  };
  /// Items by what becomes of them: numbers of keys. Known ones stand by their tables, so that neighbours read the same
  /// lines of the cache.
  struct Split {
    std::span<const std::uint32_t> plain, known;
  };
  /// Makes the tables `tables[k]` of the keys `keys[k]`; as many as a lot, or fewer.
  using Make = std::function<void(std::span<const ByteView> keys, std::span<const std::uint16_t> tables)>;

  explicit KeyCache(const Plan& plan);
  /// table[i]: that of key i, or kNone. `kind` tells forms of keys apart. Requires table.size() <= kSpan and keys of
  /// `key_bytes` <= 64 each.
  void assign(std::uint8_t kind, ByteView keys, std::size_t key_bytes, std::span<std::uint16_t> table,
              const Make& make);
  /// assign(), with table_of() for the known ones until the next call. A few of the known ones are given as plain where
  /// plain ones would else be padded. Requires count <= kSpan.
  Split split(std::uint8_t kind, ByteView keys, std::size_t key_bytes, std::size_t count, const Make& make);
  std::uint16_t table_of(std::size_t item) const { return table_[item]; }

 private:
  static constexpr std::size_t kWays = 8, kSets = 128;
  /// What is known of a tag (the hash of a key).
  struct Seen {
    std::uint32_t listed = 0;  ///< the call that has it for a candidate
    std::uint16_t count = 0;
    std::uint16_t table = kNone;
  };
  struct Table {
    std::uint32_t used = 0;  ///< the call that used it last
    std::uint16_t seen = kNone;
    std::uint8_t kind = 0;
    std::uint8_t key_bytes = 0;
    std::array<std::uint8_t, 64> key{};
    bool is_of(std::uint8_t its_kind, ByteView its_key) const;
  };
  struct Candidate {
    std::uint16_t seen;
    std::uint16_t item;
    std::uint16_t count;
  };
  /// For a new tag: that of the one which came first, keys with tables last, and none that this call uses.
  std::size_t place(std::size_t set);
  std::uint16_t free_table();
  bool make_tables(std::uint8_t kind, ByteView keys, std::size_t key_bytes, const Make& make);

  Plan plan_;
  std::uint32_t call_ = 0;
  std::vector<std::uint64_t> tags_;  // kSets x kWays; 0: empty
  std::vector<Seen> seen_;
  std::array<std::uint8_t, kSets> next_{};  // the way that a new tag of the set takes first
  std::vector<Table> tables_;
  std::vector<std::uint64_t> tag_of_;   // of each item of the call
  std::vector<std::uint16_t> seen_of_;  // kNone: it found no place
  std::vector<Candidate> candidates_;
  std::vector<std::uint16_t> table_, begin_;
  std::vector<std::uint32_t> plain_, known_;
  std::vector<ByteView> lot_;
  std::vector<std::uint16_t> places_;
};

}  // namespace sparkmill::kernels

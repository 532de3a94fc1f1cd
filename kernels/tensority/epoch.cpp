// SPDX-License-Identifier: Apache-2.0
// The matrix list of a seed: 128 chunks of scrypt's table, one serial chain of Salsa20/8 cores.
#include <bit>
#include <cstdlib>
#include <cstring>
#include <new>

#include "base/hash.h"
#include "kernels/tensority/epoch_parts.h"
#include "kernels/tensority/salsa.h"
#include "kernels/tensority/tensority.h"

namespace sparkmill::tensority {
namespace {

constexpr unsigned kPoll = 256;  ///< items between looks at the stop token, about 25 us

/// Plain registers on purpose: the four chains of a round in one vector would wait two cycles for each operation where
/// a plain one takes one.
struct Ops {
  using Word = std::uint32_t;
  template <int kBits>
  static Word step(Word to, Word a, Word b) {
    return to ^ std::rotl(a + b, kBits);
  }
  static Word add(Word a, Word b) { return a + b; }
  static Word exclusive_or(Word a, Word b) { return a ^ b; }
};

/// All chunks in turn; false when stopped.
bool fill(const Hash32& seed, std::int8_t* list, Item* table, const StopToken& stop) {
  Item x = first_item(seed);
  for (unsigned chunk = 0; chunk < kChunks; ++chunk) {
    for (unsigned i = 0; i < kItems; ++i) {
      if (i % kPoll == 0 && stop.stop_requested()) return false;
      table[i] = x;
      std::memcpy(list + chunk * kChunkBytes + item_offset(i), x.w, sizeof x.w);
      Salsa<Ops>::mix(x.w);
    }
    for (unsigned i = 0; i < kItems; ++i) {
      if (i % kPoll == 0 && stop.stop_requested()) return false;
      const Item& other = table[x.w[16] % kItems];
      for (unsigned k = 0; k < 32; ++k) x.w[k] ^= other.w[k];
      Salsa<Ops>::mix(x.w);
    }
  }
  return true;
}

}  // namespace

void Epoch::Free::operator()(std::int8_t* p) const { std::free(p); }

std::span<const std::int8_t, kListBytes> Epoch::matrices() const {
  return std::span<const std::int8_t, kListBytes>(list_.get(), kListBytes);
}

Item first_item(const Hash32& seed) {
  Item x;
  Hash32 part = seed;
  for (std::size_t k = 0; k < 4; ++k) {
    if (k > 0) part = sha3_256(part);
    std::memcpy(x.w + k * 8, part.data(), sizeof part);
  }
  return x;
}

std::shared_ptr<Epoch> Epoch::empty(const Hash32& seed, std::size_t alignment) {
  std::shared_ptr<Epoch> epoch(new Epoch);
  epoch->seed_ = seed;
  epoch->list_.reset(static_cast<std::int8_t*>(std::aligned_alloc(alignment, kListBytes)));
  if (epoch->list_ == nullptr) throw std::bad_alloc();
  return epoch;
}

Result<std::shared_ptr<const Epoch>> Epoch::build(const Hash32& seed, const StopToken& stop) {
  try {
    const std::shared_ptr<Epoch> epoch = empty(seed, 64);
    const std::unique_ptr<Item[]> table(new Item[kItems]);
    if (!fill(seed, epoch->list_.get(), table.get(), stop)) return stopped_building();
    return std::shared_ptr<const Epoch>(epoch);
  } catch (const std::bad_alloc&) {
    return no_room_for_an_epoch();
  }
}

}  // namespace sparkmill::tensority

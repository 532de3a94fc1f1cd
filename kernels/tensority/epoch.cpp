// SPDX-License-Identifier: Apache-2.0
// The matrix list of a seed: 128 chunks of scrypt's table, one serial chain of Salsa20/8 cores.
#include <bit>
#include <cstdlib>
#include <cstring>
#include <new>

#include "base/hash.h"
#include "kernels/tensority/tensority.h"

namespace sparkmill::tensority {
namespace {

struct Item {
  std::uint32_t w[32];
};

constexpr unsigned kChunks = 128;
constexpr unsigned kItems = 1024;
constexpr unsigned kPoll = 256;  ///< items between looks at the stop token, about 25 us

using Words = std::uint32_t[16];

template <int kBits>
inline void step(Words& x, unsigned to, unsigned a, unsigned b) {
  x[to] ^= std::rotl(x[a] + x[b], kBits);
}

/// Half a double round: four quarter rounds side by side, so that four short chains run at once. Plain registers on
/// purpose: the four chains in one vector would wait two cycles for each operation where a plain one takes one.
inline void columns(Words& x) {
  step<7>(x, 4, 0, 12), step<7>(x, 9, 5, 1), step<7>(x, 14, 10, 6), step<7>(x, 3, 15, 11);
  step<9>(x, 8, 4, 0), step<9>(x, 13, 9, 5), step<9>(x, 2, 14, 10), step<9>(x, 7, 3, 15);
  step<13>(x, 12, 8, 4), step<13>(x, 1, 13, 9), step<13>(x, 6, 2, 14), step<13>(x, 11, 7, 3);
  step<18>(x, 0, 12, 8), step<18>(x, 5, 1, 13), step<18>(x, 10, 6, 2), step<18>(x, 15, 11, 7);
}
inline void rows(Words& x) {
  step<7>(x, 1, 0, 3), step<7>(x, 6, 5, 4), step<7>(x, 11, 10, 9), step<7>(x, 12, 15, 14);
  step<9>(x, 2, 1, 0), step<9>(x, 7, 6, 5), step<9>(x, 8, 11, 10), step<9>(x, 13, 12, 15);
  step<13>(x, 3, 2, 1), step<13>(x, 4, 7, 6), step<13>(x, 9, 8, 11), step<13>(x, 14, 13, 12);
  step<18>(x, 0, 3, 2), step<18>(x, 5, 4, 7), step<18>(x, 10, 9, 8), step<18>(x, 15, 14, 13);
}

/// b = salsa20/8(b xor with).
inline void salsa(std::uint32_t* b, const std::uint32_t* with) {
  Words x, in;
  for (unsigned i = 0; i < 16; ++i) x[i] = in[i] = b[i] ^ with[i];
  for (unsigned round = 0; round < 8; round += 2) {
    columns(x);
    rows(x);
  }
  for (unsigned i = 0; i < 16; ++i) b[i] = in[i] + x[i];
}

inline void mix(Item& x) {
  salsa(x.w, x.w + 16);
  salsa(x.w + 16, x.w);
}

/// Item i of chunk c: even items make matrix 2c, odd ones 2c + 1, two items a row.
void store(const Item& item, unsigned chunk, unsigned i, std::int8_t* list) {
  std::int8_t* matrix = list + std::size_t{2 * chunk + i % 2} * kMatrixBytes;
  std::memcpy(matrix + i / 4 * kDim + i / 2 % 2 * sizeof item.w, item.w, sizeof item.w);
}

/// All chunks in turn; false when stopped.
bool fill(const Bytes& extended, std::int8_t* list, Item* table, const StopToken& stop) {
  Item x;
  std::memcpy(x.w, extended.data(), sizeof x.w);
  for (unsigned chunk = 0; chunk < kChunks; ++chunk) {
    for (unsigned i = 0; i < kItems; ++i) {
      if (i % kPoll == 0 && stop.stop_requested()) return false;
      table[i] = x;
      store(x, chunk, i, list);
      mix(x);
    }
    for (unsigned i = 0; i < kItems; ++i) {
      if (i % kPoll == 0 && stop.stop_requested()) return false;
      const Item& other = table[x.w[16] % kItems];
      for (unsigned k = 0; k < 32; ++k) x.w[k] ^= other.w[k];
      mix(x);
    }
  }
  return true;
}

}  // namespace

void Epoch::Free::operator()(std::int8_t* p) const { std::free(p); }

std::span<const std::int8_t, kListBytes> Epoch::matrices() const {
  return std::span<const std::int8_t, kListBytes>(list_.get(), kListBytes);
}

Result<std::shared_ptr<const Epoch>> Epoch::build(const Hash32& seed, const StopToken& stop) {
  Bytes extended(seed.begin(), seed.end());
  for (Hash32 last = seed; extended.size() < 4 * seed.size();
       extended.insert(extended.end(), last.begin(), last.end())) {
    last = sha3_256(last);
  }
  try {
    std::shared_ptr<Epoch> epoch(new Epoch);
    epoch->seed_ = seed;
    epoch->list_.reset(static_cast<std::int8_t*>(std::aligned_alloc(64, kListBytes)));
    const std::unique_ptr<Item[]> table(new Item[kItems]);
    if (epoch->list_ == nullptr) throw std::bad_alloc();
    if (!fill(extended, epoch->list_.get(), table.get(), stop)) {
      return fail(Status::cancelled, "building the matrices of a seed was stopped");
    }
    return std::shared_ptr<const Epoch>(std::move(epoch));
  } catch (const std::bad_alloc&) {
    return fail(Status::internal, "out of memory for the 16 MiB of matrices of a seed");
  }
}

}  // namespace sparkmill::tensority

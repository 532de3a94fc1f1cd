// SPDX-License-Identifier: Apache-2.0
// The matrix list of a seed: 128 chunks of scrypt's table, one serial chain of Salsa20/8 cores on 128-bit vectors.
#include <cstdlib>
#include <cstring>
#include <new>

#include "base/hash.h"
#include "kernels/tensority/tensority.h"

namespace sparkmill::tensority {
namespace {

using V4 = std::uint32_t __attribute__((vector_size(16)));

/// A Salsa20 block by diagonals: vector 0 holds the words 0, 5, 10, 15, so that both kinds of round are the same four
/// lines on whole vectors with a rotation of lanes between them. The whole table is kept in this order; only what goes
/// to the matrices is put into natural order.
constexpr unsigned kDiagonal[16] = {0, 5, 10, 15, 4, 9, 14, 3, 8, 13, 2, 7, 12, 1, 6, 11};

struct Item {
  V4 v[8];  ///< words 0 to 15, then 16 to 31
};

constexpr unsigned kChunks = 128;
constexpr unsigned kItems = 1024;
constexpr unsigned kPoll = 256;  ///< items between looks at the stop token, about 25 us

template <int kBits>
V4 rotl(V4 x) {
  return (x << kBits) | (x >> (32 - kBits));
}

/// b[0..3] = salsa20/8(b xor with).
inline void salsa(V4* b, const V4* with) {
  const V4 in0 = b[0] ^ with[0], in1 = b[1] ^ with[1], in2 = b[2] ^ with[2], in3 = b[3] ^ with[3];
  V4 x0 = in0, x1 = in1, x2 = in2, x3 = in3;
  for (int round = 0; round < 8; round += 2) {
    x1 ^= rotl<7>(x0 + x3);
    x2 ^= rotl<9>(x1 + x0);
    x3 ^= rotl<13>(x2 + x1);
    x0 ^= rotl<18>(x3 + x2);
    const V4 y1 = __builtin_shufflevector(x3, x3, 1, 2, 3, 0);
    x2 = __builtin_shufflevector(x2, x2, 2, 3, 0, 1);
    x3 = __builtin_shufflevector(x1, x1, 3, 0, 1, 2);
    x1 = y1;
    x1 ^= rotl<7>(x0 + x3);
    x2 ^= rotl<9>(x1 + x0);
    x3 ^= rotl<13>(x2 + x1);
    x0 ^= rotl<18>(x3 + x2);
    const V4 z1 = __builtin_shufflevector(x3, x3, 1, 2, 3, 0);
    x2 = __builtin_shufflevector(x2, x2, 2, 3, 0, 1);
    x3 = __builtin_shufflevector(x1, x1, 3, 0, 1, 2);
    x1 = z1;
  }
  b[0] = in0 + x0;
  b[1] = in1 + x1;
  b[2] = in2 + x2;
  b[3] = in3 + x3;
}

inline void mix(Item& x) {
  salsa(x.v, x.v + 4);
  salsa(x.v + 4, x.v);
}

Item load(const std::uint8_t* bytes) {
  std::uint32_t words[32];
  std::memcpy(words, bytes, sizeof words);
  Item item;
  for (unsigned half = 0; half < 2; ++half) {
    for (unsigned p = 0; p < 16; ++p) item.v[half * 4 + p / 4][p % 4] = words[half * 16 + kDiagonal[p]];
  }
  return item;
}

/// Item i of chunk c in natural order: even items make matrix 2c, odd ones 2c + 1, two items a row.
void store(const Item& item, unsigned chunk, unsigned i, std::int8_t* list) {
  std::uint32_t diagonal[32], words[32];
  std::memcpy(diagonal, item.v, sizeof diagonal);
  for (unsigned half = 0; half < 2; ++half) {
    for (unsigned p = 0; p < 16; ++p) words[half * 16 + kDiagonal[p]] = diagonal[half * 16 + p];
  }
  std::int8_t* matrix = list + std::size_t{2 * chunk + i % 2} * kMatrixBytes;
  std::memcpy(matrix + i / 4 * kDim + i / 2 % 2 * sizeof words, words, sizeof words);
}

/// All chunks in turn; false when stopped.
bool fill(const Bytes& extended, std::int8_t* list, Item* table, const StopToken& stop) {
  Item x = load(extended.data());
  for (unsigned chunk = 0; chunk < kChunks; ++chunk) {
    for (unsigned i = 0; i < kItems; ++i) {
      if (i % kPoll == 0 && stop.stop_requested()) return false;
      table[i] = x;
      store(x, chunk, i, list);
      mix(x);
    }
    for (unsigned i = 0; i < kItems; ++i) {
      if (i % kPoll == 0 && stop.stop_requested()) return false;
      const Item& other = table[x.v[4][0] % kItems];  // word 16
      for (unsigned k = 0; k < 8; ++k) x.v[k] ^= other.v[k];
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

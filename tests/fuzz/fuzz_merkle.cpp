// SPDX-License-Identifier: Apache-2.0
// Paths and multiproofs of arbitrary shape never crash, and a tree's root is only reached by its own leaves in their
// own places. Input: u8 mode, u64 count, u64 set of opened leaves, then hashes.
#include <cstdio>
#include <cstdlib>

#include "base/hash.h"
#include "verify/merkle/merkle.h"

namespace sparkmill {
namespace {

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

Hash32 leaf(std::uint64_t i) {
  ByteWriter w;
  w.bytes("leaf").u64(i);
  return sha256(w.data());
}

void arbitrary(std::uint64_t count, std::uint64_t set, std::span<const Hash32> hashes) {
  std::vector<std::uint64_t> indices;
  std::vector<Hash32> opened;
  for (std::uint64_t i = 0; i < 64; ++i) {
    if (set >> i & 1) {
      indices.push_back(i * (count / 61 + 1));  // spread over the claimed tree, some beyond it
      opened.push_back(leaf(i));
    }
  }
  (void)merkle::root_from_multiproof(opened, indices, count, hashes).ok();
  (void)merkle::root_from_path(leaf(0), set, count, hashes).ok();
}

/// An honest tree of at most 64 leaves; `hashes` are xored over opened leaves and proof: any change must show.
void bent(std::uint64_t count, std::uint64_t set, std::span<const Hash32> hashes) {
  count = count % 64 + 1;
  std::vector<Hash32> leaves;
  std::vector<Hash32> opened;
  std::vector<std::uint64_t> indices;
  for (std::uint64_t i = 0; i < count; ++i) {
    leaves.push_back(leaf(i));
    if (set >> i & 1) {
      indices.push_back(i);
      opened.push_back(leaves.back());
    }
  }
  std::vector<Hash32> proof = merkle::multiproof(leaves, indices);
  bool changed = false;
  for (std::size_t k = 0; k < hashes.size() && k < opened.size() + proof.size(); ++k) {
    Hash32& target = k < opened.size() ? opened[k] : proof[k - opened.size()];
    for (std::size_t b = 0; b < 32; ++b) {
      target[b] ^= hashes[k][b];
      changed = changed || hashes[k][b] != 0;
    }
  }
  const auto root = merkle::root_from_multiproof(opened, indices, count, proof);
  require(root.ok(), "a proof of the right shape gives a root");
  require((*root == merkle::root(leaves)) == !changed, "only the true leaves and hashes give the true root");
}

void run(ByteView data) {
  ByteReader r(data);
  const std::uint8_t mode = r.u8();
  const std::uint64_t count = r.u64();
  const std::uint64_t set = r.u64();
  if (r.failed()) return;
  std::vector<Hash32> hashes;
  while (r.left() >= 32) hashes.push_back(r.array<32>());
  if (mode % 2 == 0) {
    arbitrary(count, set, hashes);
  } else {
    bent(count, set, hashes);
  }
}

}  // namespace
}  // namespace sparkmill

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sparkmill::run({data, size});
  return 0;
}

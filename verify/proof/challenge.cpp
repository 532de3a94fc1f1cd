// SPDX-License-Identifier: Apache-2.0
// Which leaves are opened: seeds of both modes, and the draw.
#include <algorithm>
#include <numeric>
#include <unordered_set>

#include "base/hash.h"
#include "verify/proof/proof.h"

namespace sparkmill::proof {

Hash32 challenge_seed(const Hash32& beacon2, const Hash32& beacon3, const Id16& job_id, const Id16& lease_id,
                      const keys::PublicKey& worker_pub, const Hash32& root) {
  return Sha256()
      .update("sparkmill/challenge/v1")
      .update(beacon2)
      .update(beacon3)
      .update(job_id)
      .update(lease_id)
      .update(worker_pub)
      .update(root)
      .finish();
}

Hash32 verifier_seed(const Hash32& day_secret, const Hash32& file_hash, std::string_view name, const Hash32* beacon) {
  ByteWriter message;
  message.bytes(file_hash).bytes(name);
  Sha256 h;
  h.update(hmac_sha256(day_secret, message.data()));
  if (beacon != nullptr) h.update(*beacon);
  return h.finish();
}

std::vector<std::uint64_t> challenge_indices(const Hash32& seed, std::uint64_t leaf_count, std::uint32_t k) {
  std::vector<std::uint64_t> indices;
  if (k >= leaf_count) {
    indices.resize(leaf_count);
    std::iota(indices.begin(), indices.end(), std::uint64_t{0});
    return indices;
  }
  ChaChaWords words(seed);
  std::unordered_set<std::uint64_t> drawn;
  while (indices.size() < k) {
    const std::uint64_t index = words.below(leaf_count);
    if (drawn.insert(index).second) indices.push_back(index);
  }
  std::sort(indices.begin(), indices.end());
  return indices;
}

}  // namespace sparkmill::proof

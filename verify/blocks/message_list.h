// SPDX-License-Identifier: Apache-2.0
// Messages collected from many items, hashed in one call of a kernel.
#pragma once

#include <initializer_list>

#include "kernels/hash/hash.h"

namespace sparkmill::blocks {

class MessageList {
 public:
  /// Adds the parts, back to back, as one message and returns its index.
  std::size_t add(std::initializer_list<ByteView> parts) {
    for (const ByteView part : parts) messages_.insert(messages_.end(), part.begin(), part.end());
    offsets_.push_back(messages_.size());
    return offsets_.size() - 2;
  }
  std::size_t size() const { return offsets_.size() - 1; }
  /// Digests of all messages in their order; for algorithms of 32 bytes. Errors: those of the kernel.
  Result<std::vector<Hash32>> hash(hashes::Algorithm algorithm, hashes::Kernel& kernel, const StopToken& stop) const {
    std::vector<Hash32> digests(size());
    if (digests.empty()) return digests;
    const std::span<std::uint8_t> out(digests.front().data(), digests.size() * sizeof(Hash32));
    SPARKMILL_TRY(kernel.hash(algorithm, {messages_, offsets_}, out, stop));
    return digests;
  }

 private:
  Bytes messages_;
  std::vector<std::uint64_t> offsets_{0};
};

}  // namespace sparkmill::blocks

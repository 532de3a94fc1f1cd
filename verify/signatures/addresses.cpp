// SPDX-License-Identifier: Apache-2.0
#include "verify/signatures/addresses.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <vector>

#include "kernels/backend/discover.h"
#include "kernels/hash/hash.h"
#include "kernels/registry.h"
#include "verify/signatures/ecdsa.h"

namespace sparkmill::signatures {
namespace {

constexpr std::size_t kKeyBytes = 64, kDigestBytes = 32, kAddressBytes = 20;

/// One kernel a thread: an instance serves one thread at a time.
hashes::Kernel& hasher() {
  thread_local const std::unique_ptr<kernels::Kernel> kernel = [] {
    const kernels::Device cpu = kernels::cpu_device();
    auto choice = kernels::choose(kernels::Family::hash, cpu);
    if (!choice) std::abort();  // the reference row runs everywhere
    auto made = choice->row->make(cpu);
    if (!made) std::abort();
    return std::move(*made);
  }();
  return static_cast<hashes::Kernel&>(*kernel);
}

void keccak(const hashes::Batch& batch, std::span<std::uint8_t> out) {
  // Without a stop token and with sizes made here there is nothing that can fail.
  if (!hasher().hash(hashes::Algorithm::keccak256, batch, out, StopToken())) std::abort();
}

}  // namespace

void addresses_of(ByteView keys, std::span<std::uint8_t> out) {
  const std::size_t count = keys.size() / kKeyBytes;
  std::vector<std::uint64_t> offsets(count + 1);
  for (std::size_t i = 0; i <= count; ++i) offsets[i] = i * kKeyBytes;
  Bytes digests(count * kDigestBytes);
  keccak({keys, offsets}, digests);
  for (std::size_t i = 0; i < count; ++i) {
    const auto digest = ByteView(digests).subspan(i * kDigestBytes, kDigestBytes);
    std::copy(digest.end() - kAddressBytes, digest.end(), out.begin() + static_cast<std::ptrdiff_t>(i * kAddressBytes));
  }
}

std::array<std::uint8_t, 20> address_of_nothing() {
  const std::uint64_t offsets[2] = {0, 0};
  std::array<std::uint8_t, kDigestBytes> digest{};
  keccak({{}, offsets}, digest);
  std::array<std::uint8_t, kAddressBytes> out{};
  std::copy(digest.end() - kAddressBytes, digest.end(), out.begin());
  return out;
}

}  // namespace sparkmill::signatures

// SPDX-License-Identifier: Apache-2.0
// Contract of the family `tensority`: the proof-of-work hash of Bytom. tensority(header_hash, seed) -> result, where
// the seed gives 256 matrices of 256 x 256 signed bytes (an Epoch, 26 ms of one core, good for 256 blocks) and the
// header hash picks 4 x 64 of them, multiplied and folded in four chains.
//
// Cost of a hash: 4 * 63 products of 256^3 = 4,227,858,432 multiply-accumulates of int8. All arithmetic is integer
// modulo 2^16: every row gives the same bits. Source: "Tensority" specification 1 and 2. Variable time: nothing is
// secret.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/stop.h"
#include "kernels/kernel.h"

namespace sparkmill::tensority {

inline constexpr std::size_t kDim = 256;
inline constexpr std::size_t kMatrices = 256;
inline constexpr std::size_t kMatrixBytes = kDim * kDim;
inline constexpr std::size_t kListBytes = kMatrices * kMatrixBytes;
inline constexpr unsigned kChains = 4;
inline constexpr unsigned kSteps = 64;
inline constexpr std::uint64_t kMacsPerHash = std::uint64_t{kChains} * (kSteps - 1) * kDim * kDim * kDim;

/// The matrix list of one seed. Immutable; shared between kernels and threads. 16 MiB.
class Epoch {
 public:
  /// Builds the list on the calling thread: 524,288 Salsa20/8 cores in series. Errors: cancelled (the stop token is
  /// polled at least every millisecond), internal (out of memory).
  static Result<std::shared_ptr<const Epoch>> build(const Hash32& seed, const StopToken& stop = {});
  /// The lists of several seeds, in their order, on the calling thread; equal to build() of each. For old blocks: with
  /// AVX-512 sixteen chains run side by side at the price of about three, so give it many seeds (16 MiB each). Errors:
  /// as build().
  static Result<std::vector<std::shared_ptr<const Epoch>>> build_many(std::span<const Hash32> seeds,
                                                                      const StopToken& stop = {});

  const Hash32& seed() const { return seed_; }
  /// [matrix][row][column], two's complement. 64-byte aligned.
  std::span<const std::int8_t, kListBytes> matrices() const;
  const std::int8_t* matrix(std::uint8_t index) const { return matrices().data() + index * kMatrixBytes; }

 private:
  Epoch() = default;
  /// With the seed and room for the list. May throw bad_alloc.
  static std::shared_ptr<Epoch> empty(const Hash32& seed, std::size_t alignment);
  struct Free {
    void operator()(std::int8_t* p) const;
  };
  Hash32 seed_{};
  std::unique_ptr<std::int8_t[], Free> list_;
};

/// The four index sequences of a header hash: S[k] = SHA3-256(header_hash[8k .. 8k+7]).
std::array<std::array<std::uint8_t, 32>, kChains> sequences(const Hash32& header_hash);

/// header_hash of a 136-byte preimage whose last 8 bytes are the nonce, u64 little-endian (Tensority page 4.2).
using Preimage = std::array<std::uint8_t, 136>;
Hash32 header_hash(const Preimage& preimage, std::uint64_t nonce);

/// The last two stages of a hash: the sum of the four chain results (mod 256), folded by rows and hashed (2.4, 2.5).
Hash32 finish(std::span<const std::uint8_t, kMatrixBytes> sum);

/// result <= target, both read as little-endian 256-bit numbers.
bool meets(const Hash32& result, const Hash32& target);

struct Found {
  std::uint64_t nonce = 0;
  Hash32 result{};
};
struct SearchTask {
  const Epoch* epoch = nullptr;
  Preimage preimage{};            ///< nonce bytes are ignored
  std::uint64_t first_nonce = 0;  ///< nonces first .. first + count - 1, all below 2^63
  std::uint64_t count = 0;
  Hash32 target{};  ///< little-endian; ff..ff when the real target is at or above 2^256
};
struct SearchResult {
  std::vector<Found> hits;  ///< in order of nonce, at most kMaxHits; the search ends when it is full
  Found best;               ///< smallest result of all that were computed; nothing of it holds when count is 0
  std::uint64_t count = 0;  ///< nonces done, always a prefix of the range
};
inline constexpr std::size_t kMaxHits = 4096;

/// For rows with a search of their own. Error: bad_argument (no epoch, or nonces that reach 2^63).
Done check(const SearchTask& task);

class Kernel : public kernels::Kernel {
 public:
  /// Makes the epoch ready on the device (upload, repacking). Idempotent; the two used last are kept, older ones go.
  /// hash() and search() call it. Errors: no_device (lost device), internal (no memory there).
  virtual Done prepare(const Epoch& epoch) = 0;
  /// out[i] = tensority(headers[i], epoch.seed()). Requires equal sizes. The stop token is honoured within 50 ms; then
  /// the error is cancelled and `out` holds nothing of meaning.
  virtual Done hash(const Epoch& epoch, std::span<const Hash32> headers, std::span<Hash32> out,
                    const StopToken& stop) = 0;
  /// How many hashes this row likes to be given at once.
  virtual std::size_t batch() const { return 1; }
  /// All nonces of the range in order. A fired stop token ends it early without an error: `count` says how far it came.
  virtual Result<SearchResult> search(const SearchTask& task, const StopToken& stop);
};

}  // namespace sparkmill::tensority

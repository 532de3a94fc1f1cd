// SPDX-License-Identifier: Apache-2.0
// All stages of one hash by the oracle, for comparison with the stage digests of vector files.
#include <memory>

#include "base/hash.h"
#include "base/hex.h"
#include "kernels/tensority/reference.h"

namespace sparkmill::tensority::reference {
namespace {

class Tracer {
 public:
  void hex(std::string name, ByteView bytes) { stages_.push_back({std::move(name), to_hex(bytes)}); }
  void digest(std::string name, ByteView bytes) { hex(std::move(name), sha3_256(bytes)); }
  std::vector<Stage> take() { return std::move(stages_); }

 private:
  std::vector<Stage> stages_;
};

ByteView bytes_of(std::span<const std::int8_t> matrix) {
  return {reinterpret_cast<const std::uint8_t*>(matrix.data()), matrix.size()};
}

std::vector<std::int8_t> trace_seed(const Hash32& seed, Tracer& t) {
  constexpr std::size_t kChunkBytes = kListBytes / 128;
  const auto extended = extended_seed(seed);
  t.hex("/extended_seed_hex", extended);
  t.digest("/extended_seed_sha3", extended);
  const Bytes all = cache(extended);
  const ByteView view(all);
  t.hex("/cache_first_64_bytes_hex", view.first(64));
  t.digest("/cache_chunk_0_sha3", view.first(kChunkBytes));
  t.digest("/cache_chunk_127_sha3", view.last(kChunkBytes));
  t.digest("/cache_sha3", view);
  std::vector<std::int8_t> list = matrix_list(all);
  for (const std::size_t m : {0, 1, 255}) {
    t.digest("/matrix_" + std::to_string(m) + "_sha3", bytes_of(list).subspan(m * kMatrixBytes, kMatrixBytes));
  }
  t.digest("/matrix_list_sha3", bytes_of(list));
  return list;
}

}  // namespace

std::vector<Stage> trace(const Hash32& header_hash, const Hash32& seed) {
  Tracer t;
  const std::vector<std::int8_t> list = trace_seed(seed, t);
  const auto matrix = std::make_unique<Matrix>();
  std::vector<std::uint8_t> sum(kMatrixBytes);
  const auto s = sequences(header_hash);
  for (std::size_t k = 0; k < kChains; ++k) {
    t.hex("/sequences/" + std::to_string(k), s[k]);
    const auto step = [](void* tracer, unsigned done, const Matrix& m) {
      if (done == 1 || done == 2 || done == 32 || done == 64) {
        static_cast<Tracer*>(tracer)->digest("/chain_0_after_step/" + std::to_string(done), bytes_of(m));
      }
      return true;
    };
    chain(std::span<const std::int8_t, kListBytes>(list.data(), kListBytes), s[k], *matrix, k == 0 ? +step : nullptr,
          &t);
    t.digest("/chain_results_sha3/" + std::to_string(k), bytes_of(*matrix));
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] = static_cast<std::uint8_t>(sum[i] + (*matrix)[i]);
  }
  t.digest("/sum_matrix_sha3", sum);
  const auto row = fold_rows(std::span<const std::uint8_t, kMatrixBytes>(sum.data(), kMatrixBytes));
  t.hex("/fnv_row0_256_bytes_hex", row);
  t.digest("/expected_hash", row);
  return t.take();
}

}  // namespace sparkmill::tensority::reference

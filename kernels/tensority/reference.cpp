// SPDX-License-Identifier: Apache-2.0
// The oracle of the family: the specification word for word.
#include "kernels/tensority/reference.h"
#include "kernels/backend/cpu.h"

#include <bit>
#include <memory>

#include "base/hash.h"
#include "kernels/tensority/rows.h"

namespace sparkmill::tensority {
namespace reference {
namespace {

using Block = std::array<std::uint32_t, 16>;

void quarter_round(Block& x, unsigned a, unsigned b, unsigned c, unsigned d) {
  x[b] ^= std::rotl(x[a] + x[d], 7);
  x[c] ^= std::rotl(x[b] + x[a], 9);
  x[d] ^= std::rotl(x[c] + x[b], 13);
  x[a] ^= std::rotl(x[d] + x[c], 18);
}

Block salsa(const Block& in) {
  Block x = in;
  for (unsigned double_round = 0; double_round < 4; ++double_round) {
    quarter_round(x, 0, 4, 8, 12);
    quarter_round(x, 5, 9, 13, 1);
    quarter_round(x, 10, 14, 2, 6);
    quarter_round(x, 15, 3, 7, 11);
    quarter_round(x, 0, 1, 2, 3);
    quarter_round(x, 5, 6, 7, 4);
    quarter_round(x, 10, 11, 8, 9);
    quarter_round(x, 15, 12, 13, 14);
  }
  for (unsigned i = 0; i < 16; ++i) x[i] += in[i];
  return x;
}

using Item = std::array<std::uint32_t, 32>;

Item mix(const Item& x) {
  Block lo, hi;
  for (unsigned i = 0; i < 16; ++i) lo[i] = x[i], hi[i] = x[16 + i];
  for (unsigned i = 0; i < 16; ++i) lo[i] ^= hi[i];
  lo = salsa(lo);
  for (unsigned i = 0; i < 16; ++i) hi[i] ^= lo[i];
  hi = salsa(hi);
  Item out;
  for (unsigned i = 0; i < 16; ++i) out[i] = lo[i], out[16 + i] = hi[i];
  return out;
}

std::int8_t fold(std::int32_t v) { return static_cast<std::int8_t>((v & 0xff) + ((v >> 8) & 0xff)); }

/// sum over n of a[n] b[n].
std::int32_t dot(const std::int8_t* a, const std::int8_t* b) {
  std::int32_t sum = 0;
  for (std::size_t n = 0; n < kDim; ++n) sum += a[n] * b[n];
  return sum;
}

}  // namespace

std::array<std::uint8_t, 128> extended_seed(const Hash32& seed) {
  std::array<std::uint8_t, 128> extended;
  Hash32 e = seed;
  for (unsigned part = 0; part < 4; ++part) {
    if (part > 0) e = sha3_256(e);
    std::memcpy(extended.data() + part * 32, e.data(), 32);
  }
  return extended;
}

Bytes cache(const std::array<std::uint8_t, 128>& extended_seed) {
  Bytes all(kListBytes);
  std::vector<Item> v(1024);
  Item x;
  std::memcpy(x.data(), extended_seed.data(), 128);
  for (std::size_t c = 0; c < 128; ++c) {
    for (Item& item : v) {
      item = x;
      x = mix(x);
    }
    for (std::size_t i = 0; i < v.size(); ++i) {
      const Item& other = v[x[16] % 1024];
      for (unsigned k = 0; k < 32; ++k) x[k] ^= other[k];
      x = mix(x);
    }
    std::memcpy(all.data() + c * 1024 * 128, v.data(), 1024 * 128);
  }
  return all;
}

std::vector<std::int8_t> matrix_list(const Bytes& cache) {
  std::vector<std::int8_t> list(kListBytes);
  for (std::size_t c = 0; c < 128; ++c) {
    const std::uint8_t* items = cache.data() + c * 1024 * 128;
    for (std::size_t r = 0; r < kDim; ++r) {
      std::int8_t* even = list.data() + 2 * c * kMatrixBytes + r * kDim;
      std::int8_t* odd = even + kMatrixBytes;
      std::memcpy(even, items + 4 * r * 128, 128);
      std::memcpy(even + 128, items + (4 * r + 2) * 128, 128);
      std::memcpy(odd, items + (4 * r + 1) * 128, 128);
      std::memcpy(odd + 128, items + (4 * r + 3) * 128, 128);
    }
  }
  return list;
}

bool chain(std::span<const std::int8_t, kListBytes> list, const std::array<std::uint8_t, 32>& sequence, Matrix& result,
           Step step, void* context) {
  Matrix& a = result;
  a.fill(0);
  for (std::size_t i = 0; i < kDim; ++i) a[i * kDim + i] = 1;
  const auto next = std::make_unique<Matrix>();
  for (unsigned t = 0; t < kSteps; ++t) {
    const std::int8_t* b = list.data() + sequence[t % 32] * kMatrixBytes;
    for (std::size_t i = 0; i < kDim; ++i) {
      for (std::size_t j = 0; j < kDim; ++j) (*next)[i * kDim + j] = fold(dot(&a[i * kDim], b + j * kDim));
    }
    a = *next;
    if (step != nullptr && !step(context, t + 1, a)) return false;
  }
  return true;
}

std::array<std::uint8_t, 256> fold_rows(std::span<const std::uint8_t, kMatrixBytes> sum) {
  const auto w = std::make_unique<Words>();
  for (std::size_t i = 0; i < kDim; ++i) {
    for (std::size_t j = 0; j < 64; ++j) {
      const std::uint8_t* d = sum.data() + i * kDim + j;
      (*w)[i][j] =
          std::uint32_t{d[0]} | std::uint32_t{d[64]} << 8 | std::uint32_t{d[128]} << 16 | std::uint32_t{d[192]} << 24;
    }
  }
  for (std::size_t k = 128; k >= 1; k /= 2) {
    for (std::size_t i = 0; i < k; ++i) {
      for (std::size_t j = 0; j < 64; ++j) (*w)[i][j] = ((*w)[i][j] * 0x01000193u) ^ (*w)[i + k][j];
    }
  }
  std::array<std::uint8_t, 256> bytes;
  std::memcpy(bytes.data(), (*w)[0].data(), bytes.size());
  return bytes;
}

}  // namespace reference

namespace {

class Reference final : public Kernel {
 public:
  Done prepare(const Epoch&) override { return done(); }
  Done hash(const Epoch& epoch, std::span<const Hash32> headers, std::span<Hash32> out,
            const StopToken& stop) override {
    if (headers.size() != out.size())
      return fail(Status::bad_argument, "tensority: headers and results differ in number");
    for (std::size_t h = 0; h < headers.size(); ++h) {
      std::array<std::uint8_t, kMatrixBytes> sum{};
      for (const auto& sequence : sequences(headers[h])) {
        const auto go_on = [](void* token, unsigned, const reference::Matrix&) {
          return !static_cast<const StopToken*>(token)->stop_requested();
        };
        StopToken token = stop;
        if (stop.stop_requested() || !reference::chain(epoch.matrices(), sequence, result_, go_on, &token)) {
          return fail(Status::cancelled, "stopped");
        }
        for (std::size_t k = 0; k < sum.size(); ++k) sum[k] = static_cast<std::uint8_t>(sum[k] + result_[k]);
      }
      out[h] = sha3_256(reference::fold_rows(sum));
    }
    return done();
  }
  std::string row_id() const override { return "tensority/reference"; }

 private:
  reference::Matrix result_{};
};

Result<std::unique_ptr<kernels::Kernel>> make(const kernels::Device&) {
  return std::unique_ptr<kernels::Kernel>(std::make_unique<Reference>());
}

}  // namespace

kernels::Row reference_row() {
  return {kernels::Family::tensority, kernels::Backend::reference, "", 0, 1, kernels::probe_plain, make};
}

}  // namespace sparkmill::tensority

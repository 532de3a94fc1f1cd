// SPDX-License-Identifier: Apache-2.0
// The torch row of `tensority`: every step a product of the plug-in, as somebody would write it with a framework. The
// baseline that the other rows are compared with.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "kernels/backend/torch.h"
#include "kernels/tensority/rows.h"
#include "kernels/tensority/tensority.h"

namespace sparkmill::tensority {
namespace {

using Matrix = std::array<std::int8_t, kMatrixBytes>;

class TorchKernel final : public Kernel {
 public:
  explicit TorchKernel(const SparkmillTorchApi* api) : api_(api) {}
  Done prepare(const Epoch&) override { return done(); }  // matrices are read where they lie
  Done hash(const Epoch& epoch, std::span<const Hash32> headers, std::span<Hash32> out, const StopToken& stop) override;
  std::string row_id() const override { return "tensority/torch"; }

 private:
  Done chain(const Epoch& epoch, std::span<const std::uint8_t, 32> sequence, const StopToken& stop);

  const SparkmillTorchApi* api_;
  std::unique_ptr<Matrix> state_ = std::make_unique<Matrix>();
  std::unique_ptr<std::array<std::uint8_t, kMatrixBytes>> sum_ =
      std::make_unique<std::array<std::uint8_t, kMatrixBytes>>();
};

/// A chain from the identity on, into state_.
Done TorchKernel::chain(const Epoch& epoch, std::span<const std::uint8_t, 32> sequence, const StopToken& stop) {
  state_->fill(0);
  for (std::size_t i = 0; i < kDim; ++i) (*state_)[i * kDim + i] = 1;
  for (std::size_t t = 0; t < kSteps; ++t) {
    if (stop.stop_requested()) return fail(Status::cancelled, "tensority: stopped between steps");
    char error[256] = "";
    if (api_->tensority_step(state_->data(), epoch.matrix(sequence[t % 32]), state_->data(), error, sizeof error) != 0)
      return fail(Status::internal, fmt::format("torch: {}", error));
  }
  return done();
}

Done TorchKernel::hash(const Epoch& epoch, std::span<const Hash32> headers, std::span<Hash32> out,
                       const StopToken& stop) {
  if (headers.size() != out.size())
    return fail(Status::bad_argument, "tensority: as many results as headers are needed");
  for (std::size_t h = 0; h < headers.size(); ++h) {
    sum_->fill(0);
    for (const std::array<std::uint8_t, 32>& sequence : sequences(headers[h])) {
      SPARKMILL_TRY(chain(epoch, sequence, stop));
      for (std::size_t k = 0; k < kMatrixBytes; ++k)
        (*sum_)[k] = static_cast<std::uint8_t>((*sum_)[k] + static_cast<std::uint8_t>((*state_)[k]));
    }
    out[h] = finish(*sum_);
  }
  return done();
}

}  // namespace

kernels::Row torch_row() {
  return {kernels::Family::tensority, kernels::Backend::torch,         "", 15, 1,
          kernels::probe_torch,       kernels::make_torch<TorchKernel>};
}

}  // namespace sparkmill::tensority

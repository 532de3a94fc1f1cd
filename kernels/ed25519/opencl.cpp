// SPDX-License-Identifier: Apache-2.0
// The OpenCL row of `ed25519`: launches of some hundred to some thousand items, cut so that a stop is honoured soon.
#include <algorithm>

#include "kernels/backend/opencl.h"
#include "kernels/ed25519/device_batch.h"
#include "kernels/ed25519/rows.h"

// Texts embedded by kernels/backend/CMakeLists.txt.
extern "C" {
extern const unsigned char sparkmill_text_dialect[], sparkmill_text_dialect_end[];
extern const unsigned char sparkmill_text_ed25519_device[], sparkmill_text_ed25519_device_end[];
extern const unsigned char sparkmill_text_ed25519_opencl[], sparkmill_text_ed25519_opencl_end[];
}

namespace sparkmill::ed25519 {
namespace {

namespace ocl = kernels::opencl;
constexpr std::size_t kItems = 64;                  // of a group
constexpr std::size_t kMost = 65536;                // items of a launch
constexpr std::uint64_t kMessageBytes = 16u << 20;  // of a launch

std::string source() {
  std::string text;
  text.append(sparkmill_text_dialect, sparkmill_text_dialect_end);
  text.append(sparkmill_text_ed25519_device, sparkmill_text_ed25519_device_end);
  text.append(sparkmill_text_ed25519_opencl, sparkmill_text_ed25519_opencl_end);
  return text;
}

class OpenclKernel final : public Kernel {
 public:
  static Result<std::unique_ptr<kernels::Kernel>> make(const kernels::Device& device) {
    std::unique_ptr<OpenclKernel> k(new OpenclKernel);
    SPARKMILL_ASSIGN(k->context_, ocl::Context::open(device));
    SPARKMILL_ASSIGN(k->verify_, k->context_->function(source(), "-cl-std=CL1.2", "verify", kItems));
    const auto table = device_base_table();
    SPARKMILL_ASSIGN(k->base_, k->context_->buffer(table.size() * sizeof(sm_u32)));
    SPARKMILL_TRY(k->context_->write(k->base_, 0, table.data(), table.size() * sizeof(sm_u32)));
    k->offsets_host_.resize(kMost + 1);
    return Result<std::unique_ptr<kernels::Kernel>>(std::move(k));
  }

  Done verify_vartime(Policy policy, const kernels::SignatureBatch& batch, const kernels::SignatureResults& results,
                      const StopToken& stop) override {
    SPARKMILL_TRY(check(batch, results));
    return kernels::each_launch(batch, size_, kMessageBytes, stop, [&](const Launch& launch) {
      return run(device_flags(policy, !results.evidence.empty()), batch, results, launch);
    });
  }
  std::size_t batch() const override { return std::max<std::size_t>(size_.items(), 4096); }
  std::string row_id() const override { return "ed25519/opencl"; }

 private:
  OpenclKernel() = default;

  Done run(sm_u32 flags, const kernels::SignatureBatch& batch, const kernels::SignatureResults& results,
           const Launch& launch) {
    const std::size_t n = launch.count;
    launch_offsets(batch, launch, offsets_host_.data());
    SPARKMILL_TRY(context_->send(keys_, batch.keys.data() + launch.first * kKeyBytes, n * kKeyBytes));
    SPARKMILL_TRY(
        context_->send(signatures_, batch.signatures.data() + launch.first * kSignatureBytes, n * kSignatureBytes));
    SPARKMILL_TRY(context_->send(messages_, launch.messages.data(), launch.messages.size()));
    SPARKMILL_TRY(context_->send(offsets_, offsets_host_.data(), (n + 1) * sizeof(std::uint64_t)));
    SPARKMILL_TRY(context_->reserve(valid_, n));
    SPARKMILL_TRY(context_->reserve(evidence_, n * kEvidenceBytes));
    SPARKMILL_TRY(verify_.args(keys_, signatures_, messages_, offsets_, base_, static_cast<cl_uint>(n),
                               static_cast<cl_uint>(flags), valid_, evidence_));
    SPARKMILL_TRY(verify_.launch((n + kItems - 1) / kItems, kItems));
    SPARKMILL_TRY(context_->read(valid_, 0, results.valid.data() + launch.first, n));
    if (results.evidence.empty()) return done();
    return context_->read(evidence_, 0, results.evidence.data() + launch.first * kEvidenceBytes, n * kEvidenceBytes);
  }

  std::shared_ptr<ocl::Context> context_;
  ocl::Function verify_;
  ocl::Buffer base_, keys_, signatures_, messages_, offsets_, valid_, evidence_;
  std::vector<std::uint64_t> offsets_host_;
  kernels::LaunchSize size_{256, kItems, kMost};
};

kernels::Probe probe(const kernels::Device& device) { return ocl::probe_groups(device, kItems, "a signature an item"); }

Result<std::unique_ptr<kernels::Kernel>> make(const kernels::Device& device) { return OpenclKernel::make(device); }

}  // namespace

kernels::Row opencl_row() { return {kernels::Family::ed25519, kernels::Backend::opencl, "", 60, 1, probe, make}; }

}  // namespace sparkmill::ed25519

// SPDX-License-Identifier: Apache-2.0
// The OpenCL row of `secp256k1`: launches of some hundred to some thousand items, cut so that a stop is honoured soon.
#include <algorithm>

#include "kernels/backend/opencl.h"
#include "kernels/secp256k1/device_batch.h"
#include "kernels/secp256k1/rows.h"

// Texts embedded by kernels/backend/CMakeLists.txt.
extern "C" {
extern const unsigned char sparkmill_text_dialect[], sparkmill_text_dialect_end[];
extern const unsigned char sparkmill_text_hash_constants[], sparkmill_text_hash_constants_end[];
extern const unsigned char sparkmill_text_hash_device[], sparkmill_text_hash_device_end[];
extern const unsigned char sparkmill_text_secp256k1_device[], sparkmill_text_secp256k1_device_end[];
extern const unsigned char sparkmill_text_secp256k1_opencl[], sparkmill_text_secp256k1_opencl_end[];
}

namespace sparkmill::secp256k1 {
namespace {

namespace ocl = kernels::opencl;
using kernels::Launch;
constexpr std::size_t kItems = 64;                  // of a group
constexpr std::size_t kMost = 65536;                // items of a launch
constexpr std::uint64_t kMessageBytes = 16u << 20;  // of a launch
constexpr const char* kOptions = "-cl-std=CL1.2";

std::string source() {
  std::string text;
  text.append(sparkmill_text_dialect, sparkmill_text_dialect_end);
  text.append(sparkmill_text_hash_constants, sparkmill_text_hash_constants_end);
  text.append(sparkmill_text_hash_device, sparkmill_text_hash_device_end);
  text.append(sparkmill_text_secp256k1_device, sparkmill_text_secp256k1_device_end);
  text.append(sparkmill_text_secp256k1_opencl, sparkmill_text_secp256k1_opencl_end);
  return text;
}

class OpenclKernel final : public Kernel {
 public:
  static Result<std::unique_ptr<kernels::Kernel>> make(const kernels::Device& device) {
    std::unique_ptr<OpenclKernel> k(new OpenclKernel);
    SPARKMILL_ASSIGN(k->context_, ocl::Context::open(device));
    const std::string text = source();
    SPARKMILL_ASSIGN(k->scalars_, k->context_->function(text, kOptions, "scalars", kItems));
    SPARKMILL_ASSIGN(k->challenges_, k->context_->function(text, kOptions, "challenges", kItems));
    SPARKMILL_ASSIGN(k->points_, k->context_->function(text, kOptions, "points", kItems));
    SPARKMILL_ASSIGN(k->finish_, k->context_->function(text, kOptions, "finish", kItems));
    const auto table = device_base_table();
    SPARKMILL_ASSIGN(k->base_, k->context_->buffer(table.size() * sizeof(sm_u32)));
    SPARKMILL_TRY(k->context_->write(k->base_, 0, table.data(), table.size() * sizeof(sm_u32)));
    k->offsets_host_.resize(kMost + 1);
    return Result<std::unique_ptr<kernels::Kernel>>(std::move(k));
  }

  Done verify_vartime(Check which, const kernels::SignatureBatch& batch, const kernels::SignatureResults& results,
                      const StopToken& stop) override {
    SPARKMILL_TRY(check(which, batch, results));
    return run(device_flags(which, !results.evidence.empty()), batch, results, {}, stop);
  }
  Done recover_vartime(RecoverRule rule, const kernels::SignatureBatch& batch, const kernels::SignatureResults& results,
                       std::span<std::uint8_t> public_keys, const StopToken& stop) override {
    SPARKMILL_TRY(check_recover(batch, results, public_keys));
    return run(device_flags(rule, !results.evidence.empty()), batch, results, public_keys, stop);
  }
  std::size_t batch() const override { return std::max<std::size_t>(size_.items(), 4096); }
  std::string row_id() const override { return "secp256k1/opencl"; }

 private:
  OpenclKernel() = default;

  Done run(sm_u32 flags, const kernels::SignatureBatch& batch, const kernels::SignatureResults& results,
           std::span<std::uint8_t> public_keys, const StopToken& stop) {
    return kernels::each_launch(batch, size_, kMessageBytes, stop,
                                [&](const Launch& launch) { return run(flags, batch, results, public_keys, launch); });
  }

  Done run(sm_u32 flags, const kernels::SignatureBatch& batch, const kernels::SignatureResults& results,
           std::span<std::uint8_t> public_keys, const Launch& launch) {
    const std::size_t n = launch.count, step = chunk_threads(n);
    const std::size_t key_bytes = sm_k1_key_bytes(flags), signature_bytes = sm_k1_signature_bytes(flags);
    const std::size_t evidence_bytes = results.evidence.empty() ? 0 : n * kEvidenceBytes;
    const std::size_t recovered_bytes = public_keys.empty() ? 0 : n * kPublicKeyBytes;
    const cl_uint count = static_cast<cl_uint>(n), threads = static_cast<cl_uint>(step);
    const cl_uint mode = static_cast<cl_uint>(flags);
    SPARKMILL_TRY(context_->send(keys_, batch.keys.data() + launch.first * key_bytes, n * key_bytes));
    SPARKMILL_TRY(
        context_->send(signatures_, batch.signatures.data() + launch.first * signature_bytes, n * signature_bytes));
    SPARKMILL_TRY(context_->send(messages_, launch.messages.data(), launch.messages.size()));
    SPARKMILL_TRY(context_->reserve(scratch_, n * SM_K1_SCRATCH_WORDS * sizeof(sm_u32)));
    SPARKMILL_TRY(context_->reserve(valid_, n));
    SPARKMILL_TRY(context_->reserve(evidence_, std::max<std::size_t>(evidence_bytes, 8)));
    SPARKMILL_TRY(context_->reserve(recovered_, std::max<std::size_t>(recovered_bytes, 8)));
    if ((flags & SM_K1_MODE) == SM_K1_BIP340) {
      kernels::launch_offsets(batch, launch, offsets_host_.data());
      SPARKMILL_TRY(context_->send(offsets_, offsets_host_.data(), (n + 1) * sizeof(std::uint64_t)));
      SPARKMILL_TRY(challenges_.args(keys_, signatures_, messages_, offsets_, count, scratch_, valid_));
      SPARKMILL_TRY(challenges_.launch((n + kItems - 1) / kItems, kItems));
    } else {
      SPARKMILL_TRY(scalars_.args(signatures_, messages_, count, mode, threads, scratch_, valid_));
      SPARKMILL_TRY(scalars_.launch((step + kItems - 1) / kItems, kItems));
    }
    SPARKMILL_TRY(points_.args(keys_, signatures_, base_, count, mode, scratch_, valid_));
    SPARKMILL_TRY(points_.launch((n + kItems - 1) / kItems, kItems));
    if (needs_finish(flags)) {
      SPARKMILL_TRY(finish_.args(signatures_, count, mode, threads, scratch_, valid_, recovered_, evidence_));
      SPARKMILL_TRY(finish_.launch((step + kItems - 1) / kItems, kItems));
    }
    SPARKMILL_TRY(context_->read(valid_, 0, results.valid.data() + launch.first, n));
    if (recovered_bytes != 0)
      SPARKMILL_TRY(
          context_->read(recovered_, 0, public_keys.data() + launch.first * kPublicKeyBytes, recovered_bytes));
    if (evidence_bytes == 0) return done();
    return context_->read(evidence_, 0, results.evidence.data() + launch.first * kEvidenceBytes, evidence_bytes);
  }

  std::shared_ptr<ocl::Context> context_;
  ocl::Function scalars_, challenges_, points_, finish_;
  ocl::Buffer base_, keys_, signatures_, messages_, offsets_, scratch_, valid_, recovered_, evidence_;
  std::vector<std::uint64_t> offsets_host_;
  kernels::LaunchSize size_{256, kItems, kMost};
};

kernels::Probe probe(const kernels::Device& device) { return ocl::probe_groups(device, kItems, "a signature an item"); }

Result<std::unique_ptr<kernels::Kernel>> make(const kernels::Device& device) { return OpenclKernel::make(device); }

}  // namespace

kernels::Row opencl_row() { return {kernels::Family::secp256k1, kernels::Backend::opencl, "", 60, 1, probe, make}; }

}  // namespace sparkmill::secp256k1

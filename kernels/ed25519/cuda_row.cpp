// SPDX-License-Identifier: Apache-2.0
// The CUDA row of `ed25519`: two lanes of buffers and streams, so that one launch computes while the next one's items
// are copied.
#include <algorithm>
#include <cstring>

#include "kernels/backend/cuda_lanes.h"
#include "kernels/ed25519/cuda_launch.h"
#include "kernels/ed25519/device_batch.h"
#include "kernels/ed25519/rows.h"

namespace sparkmill::ed25519 {
namespace {

namespace cu = kernels::cuda;
constexpr std::size_t kLeast = 8192, kMost = 262144;  // items of a launch
constexpr std::uint64_t kMessageBytes = 64u << 20;    // of a launch

class CudaKernel final : public Kernel {
 public:
  static Result<std::unique_ptr<kernels::Kernel>> make(const kernels::Device& device) {
    std::unique_ptr<CudaKernel> k(new CudaKernel);
    SPARKMILL_ASSIGN(k->ordinal_, cu::find_ordinal(device));
    SPARKMILL_TRY(cu::check(cudaSetDevice(k->ordinal_), "cudaSetDevice"));
    const auto table = device_base_table();
    SPARKMILL_TRY(k->base_.reserve(table.size() * sizeof(sm_u32)));
    SPARKMILL_TRY(
        cu::check(cudaMemcpy(k->base_.as<void>(), table.data(), table.size() * sizeof(sm_u32), cudaMemcpyHostToDevice),
                  "cudaMemcpy"));
    SPARKMILL_TRY(k->lanes_.open());
    return Result<std::unique_ptr<kernels::Kernel>>(std::move(k));
  }

  Done verify_vartime(Policy policy, const kernels::SignatureBatch& batch, const kernels::SignatureResults& results,
                      const StopToken& stop) override {
    SPARKMILL_TRY(check(batch, results));
    SPARKMILL_TRY(cu::check(cudaSetDevice(ordinal_), "cudaSetDevice"));  // instances may move between threads
    const sm_u32 flags = device_flags(policy, !results.evidence.empty());
    return lanes_.run(
        batch, kMessageBytes, stop,
        [&](cu::Lane& lane, const Launch& launch) { return start(lane, flags, batch, launch); },
        [&](const cu::Lane& lane, const Launch& launch) { take(lane, launch, results); });
  }
  std::size_t batch() const override { return 4 * lanes_.items(); }
  std::string row_id() const override { return "ed25519/cuda"; }

 private:
  CudaKernel() = default;

  /// In one piece: offsets, keys, signatures; out: evidence, verdicts.
  Done start(cu::Lane& lane, sm_u32 flags, const kernels::SignatureBatch& batch, const Launch& launch) {
    const std::size_t n = launch.count, offset_bytes = (n + 1) * sizeof(std::uint64_t);
    const std::size_t in_bytes = offset_bytes + n * (kKeyBytes + kSignatureBytes);
    const std::size_t message_bytes = std::max<std::size_t>(launch.messages.size(), 8);
    const bool evidence = (flags & SM_ED_EVIDENCE) != 0;
    const std::size_t evidence_bytes = evidence ? n * kEvidenceBytes : 0;
    SPARKMILL_TRY(lane.in.reserve(in_bytes));
    SPARKMILL_TRY(lane.host_in.reserve(in_bytes));
    SPARKMILL_TRY(lane.messages.reserve(message_bytes));
    SPARKMILL_TRY(lane.host_messages.reserve(message_bytes));
    SPARKMILL_TRY(lane.out.reserve(evidence_bytes + n));
    SPARKMILL_TRY(lane.host_out.reserve(evidence_bytes + n));
    auto* in = lane.host_in.as<std::uint8_t>();
    launch_offsets(batch, launch, lane.host_in.as<std::uint64_t>());
    std::memcpy(in + offset_bytes, batch.keys.data() + launch.first * kKeyBytes, n * kKeyBytes);
    std::memcpy(in + offset_bytes + n * kKeyBytes, batch.signatures.data() + launch.first * kSignatureBytes,
                n * kSignatureBytes);
    if (!launch.messages.empty())
      std::memcpy(lane.host_messages.as<std::uint8_t>(), launch.messages.data(), launch.messages.size());
    const cudaStream_t stream = lane.stream.handle();
    lane.begin(launch);
    SPARKMILL_TRY(cu::check(cudaMemcpyAsync(lane.in.as<void>(), in, in_bytes, cudaMemcpyHostToDevice, stream),
                            "cudaMemcpyAsync of items"));
    SPARKMILL_TRY(cu::check(cudaMemcpyAsync(lane.messages.as<void>(), lane.host_messages.as<void>(),
                                            launch.messages.size(), cudaMemcpyHostToDevice, stream),
                            "cudaMemcpyAsync of messages"));
    const auto* device_in = lane.in.as<unsigned char>();
    auto* out = lane.out.as<unsigned char>();
    const device::VerifyArgs args{device_in + offset_bytes,
                                  device_in + offset_bytes + n * kKeyBytes,
                                  lane.messages.as<unsigned char>(),
                                  lane.in.as<sm_u64>(),
                                  base_.as<sm_u32>(),
                                  static_cast<sm_u32>(n),
                                  flags,
                                  out + evidence_bytes,
                                  evidence ? lane.out.as<sm_u32>() : nullptr};
    SPARKMILL_TRY(cu::check(device::launch_verify(args, stream), "launch of verify"));
    return cu::check(cudaMemcpyAsync(lane.host_out.as<void>(), out, evidence_bytes + n, cudaMemcpyDeviceToHost, stream),
                     "cudaMemcpyAsync of verdicts");
  }

  static void take(const cu::Lane& lane, const Launch& launch, const kernels::SignatureResults& results) {
    const std::size_t n = launch.count;
    const auto* out = lane.host_out.as<std::uint8_t>();
    const std::size_t evidence_bytes = results.evidence.empty() ? 0 : n * kEvidenceBytes;
    if (evidence_bytes != 0) std::memcpy(results.evidence.data() + launch.first * kEvidenceBytes, out, evidence_bytes);
    std::memcpy(results.valid.data() + launch.first, out + evidence_bytes, n);
  }

  int ordinal_ = 0;
  cu::DeviceBuffer base_;
  cu::Lanes lanes_{kLeast, kMost};
};

kernels::Probe probe(const kernels::Device& device) { return cu::probe_compute(device, 75, "a signature a thread"); }

Result<std::unique_ptr<kernels::Kernel>> make(const kernels::Device& device) { return CudaKernel::make(device); }

}  // namespace

kernels::Row cuda_row() { return {kernels::Family::ed25519, kernels::Backend::cuda, "", 80, 1, probe, make}; }

}  // namespace sparkmill::ed25519

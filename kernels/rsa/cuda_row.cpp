// SPDX-License-Identifier: Apache-2.0
// The CUDA row of `rsa`: two lanes of buffers and streams, so that one launch computes while the next one's items are
// copied.
#include <algorithm>
#include <cstring>

#include "kernels/backend/cuda_lanes.h"
#include "kernels/backend/signature_launch.h"
#include "kernels/rsa/cuda_launch.h"
#include "kernels/rsa/rows.h"
#include "kernels/rsa/rsa.h"

namespace sparkmill::rsa {
namespace {

namespace cu = kernels::cuda;
using kernels::Launch;
constexpr std::size_t kLeast = 4096, kMost = 65536;  // items of a launch
constexpr std::uint64_t kMessageBytes = 64u << 20;   // of a launch

class CudaKernel final : public Kernel {
 public:
  static Result<std::unique_ptr<kernels::Kernel>> make(const kernels::Device& device) {
    std::unique_ptr<CudaKernel> k(new CudaKernel);
    SPARKMILL_ASSIGN(k->ordinal_, cu::find_ordinal(device));
    SPARKMILL_TRY(cu::check(cudaSetDevice(k->ordinal_), "cudaSetDevice"));
    SPARKMILL_TRY(k->lanes_.open());
    return Result<std::unique_ptr<kernels::Kernel>>(std::move(k));
  }

  Done verify_vartime(Encoding encoding, const kernels::SignatureBatch& batch, const kernels::SignatureResults& results,
                      const StopToken& stop) override {
    SPARKMILL_TRY(check(encoding, batch, results));
    SPARKMILL_TRY(cu::check(cudaSetDevice(ordinal_), "cudaSetDevice"));  // instances may move between threads
    return lanes_.run(
        batch, kMessageBytes, stop,
        [&](cu::Lane& lane, const Launch& launch) {
          return start(lane, encoding, batch, !results.evidence.empty(), launch);
        },
        [&](const cu::Lane& lane, const Launch& launch) { take(lane, launch, results); });
  }
  std::size_t batch() const override { return 4 * lanes_.items(); }
  std::string row_id() const override { return "rsa/cuda"; }

 private:
  CudaKernel() = default;

  /// In one piece: offsets, keys, signatures, messages; out: evidence, verdicts.
  Done start(cu::Lane& lane, Encoding encoding, const kernels::SignatureBatch& batch, bool evidence,
             const Launch& launch) {
    const std::size_t n = launch.count;
    const std::size_t keys_at = (n + 1) * sizeof(std::uint64_t), signatures_at = keys_at + n * kModulusBytes;
    const std::size_t messages_at = signatures_at + n * kSignatureBytes;
    const std::size_t in_bytes = messages_at + launch.messages.size();
    const std::size_t evidence_bytes = evidence ? n * kEvidenceBytes : 0;
    SPARKMILL_TRY(lane.in.reserve(in_bytes));
    SPARKMILL_TRY(lane.host_in.reserve(in_bytes));
    SPARKMILL_TRY(lane.out.reserve(evidence_bytes + n));
    SPARKMILL_TRY(lane.host_out.reserve(evidence_bytes + n));
    auto* host = lane.host_in.as<std::uint8_t>();
    kernels::launch_offsets(batch, launch, lane.host_in.as<std::uint64_t>());
    std::memcpy(host + keys_at, batch.keys.data() + launch.first * kModulusBytes, n * kModulusBytes);
    std::memcpy(host + signatures_at, batch.signatures.data() + launch.first * kSignatureBytes, n * kSignatureBytes);
    std::memcpy(host + messages_at, launch.messages.data(), launch.messages.size());
    const cudaStream_t stream = lane.stream.handle();
    lane.begin(launch);
    SPARKMILL_TRY(cu::check(cudaMemcpyAsync(lane.in.as<void>(), host, in_bytes, cudaMemcpyHostToDevice, stream),
                            "cudaMemcpyAsync of items"));
    const auto* in = lane.in.as<unsigned char>();
    auto* out = lane.out.as<unsigned char>();
    const device::VerifyArgs args{in + keys_at,         in + signatures_at,     in + messages_at,
                                  lane.in.as<sm_u64>(), static_cast<sm_u32>(n), static_cast<sm_u32>(encoding),
                                  evidence ? 1u : 0u,   out + evidence_bytes,   out};
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
  cu::Lanes lanes_{kLeast, kMost};
};

kernels::Probe probe(const kernels::Device& device) { return cu::probe_compute(device, 75, "a signature a thread"); }

Result<std::unique_ptr<kernels::Kernel>> make(const kernels::Device& device) { return CudaKernel::make(device); }

}  // namespace

kernels::Row cuda_row() { return {kernels::Family::rsa, kernels::Backend::cuda, "", 80, 1, probe, make}; }

}  // namespace sparkmill::rsa

// SPDX-License-Identifier: Apache-2.0
// The CUDA row of `ed25519`: two lanes of buffers and streams, so that one launch computes while the next one's items
// are copied.
#include <algorithm>
#include <chrono>
#include <cstring>

#include "kernels/backend/cuda.h"
#include "kernels/ed25519/cuda_launch.h"
#include "kernels/ed25519/device_batch.h"
#include "kernels/ed25519/rows.h"

namespace sparkmill::ed25519 {
namespace {

namespace cu = kernels::cuda;
constexpr std::size_t kLeast = 8192, kMost = 262144;  // items of a launch
constexpr std::uint64_t kMessageBytes = 64u << 20;    // of a launch

using Clock = std::chrono::steady_clock;

/// One launch in flight. Host memory is page-locked, so that copies overlap with kernels.
struct Lane {
  cu::Stream stream;
  cu::DeviceBuffer in, messages, out;
  cu::PinnedBuffer host_in, host_messages, host_out;
  Launch launch;  ///< count 0: idle
  Clock::time_point started;
};

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
    for (Lane& lane : k->lanes_) SPARKMILL_TRY(lane.stream.open());
    return Result<std::unique_ptr<kernels::Kernel>>(std::move(k));
  }

  Done verify_vartime(Policy policy, const kernels::SignatureBatch& batch, const kernels::SignatureResults& results,
                      const StopToken& stop) override {
    SPARKMILL_TRY(check(batch, results));
    SPARKMILL_TRY(cu::check(cudaSetDevice(ordinal_), "cudaSetDevice"));  // instances may move between threads
    const Done ran = run(device_flags(policy, !results.evidence.empty()), batch, results, stop);
    if (!ran) {
      for (Lane& lane : lanes_) {  // nothing of this batch may be under way when the next one comes
        (void)lane.stream.wait();
        lane.launch.count = 0;
      }
    }
    return ran;
  }
  std::size_t batch() const override { return 4 * size_.items(); }
  std::string row_id() const override { return "ed25519/cuda"; }

 private:
  CudaKernel() = default;

  Done run(sm_u32 flags, const kernels::SignatureBatch& batch, const kernels::SignatureResults& results,
           const StopToken& stop) {
    std::size_t turn = 0;
    for (std::size_t first = 0; first < batch.count; ++turn) {
      if (stop.stop_requested()) return fail(Status::cancelled, "stopped");
      Lane& lane = lanes_[turn % 2];
      SPARKMILL_TRY(finish(lane, results));
      SPARKMILL_TRY(start(lane, flags, batch, next_launch(batch, first, size_.items(), kMessageBytes)));
      first += lane.launch.count;
    }
    SPARKMILL_TRY(finish(lanes_[turn % 2], results));
    return finish(lanes_[(turn + 1) % 2], results);
  }

  /// In one piece: offsets, keys, signatures; out: evidence, verdicts.
  Done start(Lane& lane, sm_u32 flags, const kernels::SignatureBatch& batch, const Launch& launch) {
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
    lane.launch = launch;
    lane.started = Clock::now();
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

  Done finish(Lane& lane, const kernels::SignatureResults& results) {
    const std::size_t n = lane.launch.count;
    if (n == 0) return done();
    SPARKMILL_TRY(lane.stream.wait());
    lane.launch.count = 0;
    size_.took(n, std::chrono::duration<double>(Clock::now() - lane.started).count());
    const auto* out = lane.host_out.as<std::uint8_t>();
    const std::size_t evidence_bytes = results.evidence.empty() ? 0 : n * kEvidenceBytes;
    if (evidence_bytes != 0)
      std::memcpy(results.evidence.data() + lane.launch.first * kEvidenceBytes, out, evidence_bytes);
    std::memcpy(results.valid.data() + lane.launch.first, out + evidence_bytes, n);
    return done();
  }

  int ordinal_ = 0;
  kernels::LaunchSize size_{kLeast, kLeast, kMost};  // for two launches, from start to results
  cu::DeviceBuffer base_;
  Lane lanes_[2];
};

kernels::Probe probe(const kernels::Device& device) { return cu::probe_compute(device, 75, "a signature a thread"); }

Result<std::unique_ptr<kernels::Kernel>> make(const kernels::Device& device) { return CudaKernel::make(device); }

}  // namespace

kernels::Row cuda_row() { return {kernels::Family::ed25519, kernels::Backend::cuda, "", 80, 1, probe, make}; }

}  // namespace sparkmill::ed25519

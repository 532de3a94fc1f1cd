// SPDX-License-Identifier: Apache-2.0
// The CUDA row of `secp256k1`: two lanes of buffers and streams, so that one launch computes while the next one's items
// are copied.
#include <algorithm>
#include <cstring>

#include "kernels/backend/cuda_lanes.h"
#include "kernels/secp256k1/cuda_launch.h"
#include "kernels/secp256k1/device_batch.h"
#include "kernels/secp256k1/rows.h"

namespace sparkmill::secp256k1 {
namespace {

namespace cu = kernels::cuda;
using kernels::Launch;
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

  Done verify_vartime(Check which, const kernels::SignatureBatch& batch, const kernels::SignatureResults& results,
                      const StopToken& stop) override {
    SPARKMILL_TRY(check(which, batch, results));
    return run(device_flags(which, !results.evidence.empty()), batch, {results, {}}, stop);
  }
  Done recover_vartime(RecoverRule rule, const kernels::SignatureBatch& batch, const kernels::SignatureResults& results,
                       std::span<std::uint8_t> public_keys, const StopToken& stop) override {
    SPARKMILL_TRY(check_recover(batch, results, public_keys));
    return run(device_flags(rule, !results.evidence.empty()), batch, {results, public_keys}, stop);
  }
  std::size_t batch() const override { return 4 * lanes_.items(); }
  std::string row_id() const override { return "secp256k1/cuda"; }

 private:
  CudaKernel() = default;

  /// Where a batch writes.
  struct Out {
    const kernels::SignatureResults& results;
    std::span<std::uint8_t> public_keys;  ///< empty unless keys are recovered
  };
  /// Bytes of a launch's arrays, one behind the other; 64-bit ones first.
  struct In {
    std::size_t offsets, keys, signatures;
    std::size_t all() const { return offsets + keys + signatures; }
  };
  struct Sizes {
    std::size_t recovered, evidence, valid;
    std::size_t all() const { return recovered + evidence + valid; }
  };
  static Sizes sizes(const Out& out, std::size_t n) {
    return {out.public_keys.empty() ? 0 : n * kPublicKeyBytes, out.results.evidence.empty() ? 0 : n * kEvidenceBytes,
            n};
  }

  Done run(sm_u32 flags, const kernels::SignatureBatch& batch, const Out& out, const StopToken& stop) {
    SPARKMILL_TRY(cu::check(cudaSetDevice(ordinal_), "cudaSetDevice"));  // instances may move between threads
    return lanes_.run(
        batch, kMessageBytes, stop,
        [&](cu::Lane& lane, const Launch& launch) { return start(lane, flags, batch, out, launch); },
        [&](const cu::Lane& lane, const Launch& launch) { take(lane, launch, out); });
  }

  Done start(cu::Lane& lane, sm_u32 flags, const kernels::SignatureBatch& batch, const Out& out, const Launch& launch) {
    const std::size_t n = launch.count;
    const std::size_t key_bytes = sm_k1_key_bytes(flags), signature_bytes = sm_k1_signature_bytes(flags);
    const In in{(n + 1) * sizeof(std::uint64_t), n * key_bytes, n * signature_bytes};
    const Sizes back = sizes(out, n);
    const std::size_t message_bytes = std::max<std::size_t>(launch.messages.size(), 8);
    SPARKMILL_TRY(lane.in.reserve(in.all()));
    SPARKMILL_TRY(lane.host_in.reserve(in.all()));
    SPARKMILL_TRY(lane.messages.reserve(message_bytes));
    SPARKMILL_TRY(lane.host_messages.reserve(message_bytes));
    SPARKMILL_TRY(lane.out.reserve(back.all()));
    SPARKMILL_TRY(lane.host_out.reserve(back.all()));
    SPARKMILL_TRY(lane.scratch.reserve(n * SM_K1_SCRATCH_WORDS * sizeof(sm_u32)));
    auto* host = lane.host_in.as<std::uint8_t>();
    kernels::launch_offsets(batch, launch, lane.host_in.as<std::uint64_t>());
    if (in.keys != 0) std::memcpy(host + in.offsets, batch.keys.data() + launch.first * key_bytes, in.keys);
    std::memcpy(host + in.offsets + in.keys, batch.signatures.data() + launch.first * signature_bytes, in.signatures);
    if (!launch.messages.empty())
      std::memcpy(lane.host_messages.as<std::uint8_t>(), launch.messages.data(), launch.messages.size());
    const cudaStream_t stream = lane.stream.handle();
    lane.begin(launch);
    SPARKMILL_TRY(cu::check(cudaMemcpyAsync(lane.in.as<void>(), host, in.all(), cudaMemcpyHostToDevice, stream),
                            "cudaMemcpyAsync of items"));
    SPARKMILL_TRY(cu::check(cudaMemcpyAsync(lane.messages.as<void>(), lane.host_messages.as<void>(),
                                            launch.messages.size(), cudaMemcpyHostToDevice, stream),
                            "cudaMemcpyAsync of messages"));
    const auto* device_in = lane.in.as<unsigned char>();
    auto* device_out = lane.out.as<unsigned char>();
    const device::Args args{device_in + in.offsets,
                            device_in + in.offsets + in.keys,
                            lane.messages.as<unsigned char>(),
                            lane.in.as<sm_u64>(),
                            base_.as<sm_u32>(),
                            static_cast<sm_u32>(n),
                            flags,
                            static_cast<sm_u32>(chunk_threads(n)),
                            lane.scratch.as<sm_u32>(),
                            device_out + back.recovered + back.evidence,
                            device_out,
                            device_out + back.recovered};
    SPARKMILL_TRY(cu::check(device::launch(args, stream), "launch of scalars, points and finish"));
    return cu::check(cudaMemcpyAsync(lane.host_out.as<void>(), device_out, back.all(), cudaMemcpyDeviceToHost, stream),
                     "cudaMemcpyAsync of results");
  }

  static void take(const cu::Lane& lane, const Launch& launch, const Out& out) {
    const std::size_t n = launch.count;
    const auto* host = lane.host_out.as<std::uint8_t>();
    const Sizes back = sizes(out, n);
    const std::size_t first = launch.first;
    if (back.recovered != 0) std::memcpy(out.public_keys.data() + first * kPublicKeyBytes, host, back.recovered);
    if (back.evidence != 0)
      std::memcpy(out.results.evidence.data() + first * kEvidenceBytes, host + back.recovered, back.evidence);
    std::memcpy(out.results.valid.data() + first, host + back.recovered + back.evidence, n);
  }

  int ordinal_ = 0;
  cu::DeviceBuffer base_;
  cu::Lanes lanes_{kLeast, kMost};
};

kernels::Probe probe(const kernels::Device& device) { return cu::probe_compute(device, 75, "a signature a thread"); }

Result<std::unique_ptr<kernels::Kernel>> make(const kernels::Device& device) { return CudaKernel::make(device); }

}  // namespace

kernels::Row cuda_row() { return {kernels::Family::secp256k1, kernels::Backend::cuda, "", 80, 1, probe, make}; }

}  // namespace sparkmill::secp256k1

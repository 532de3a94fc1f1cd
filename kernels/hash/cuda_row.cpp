// SPDX-License-Identifier: Apache-2.0
// The CUDA row of `hash`: launches of some thousand messages on one stream.
#include "kernels/backend/cuda.h"
#include "kernels/hash/cuda_launch.h"
#include "kernels/hash/device_batch.h"
#include "kernels/hash/rows.h"

namespace sparkmill::hashes {
namespace {

namespace cu = kernels::cuda;

class CudaKernel final : public Kernel {
 public:
  static Result<std::unique_ptr<kernels::Kernel>> make(const kernels::Device& device) {
    std::unique_ptr<CudaKernel> k(new CudaKernel);
    SPARKMILL_ASSIGN(k->ordinal_, cu::find_ordinal(device));
    SPARKMILL_TRY(cu::check(cudaSetDevice(k->ordinal_), "cudaSetDevice"));
    SPARKMILL_TRY(k->stream_.open());
    return Result<std::unique_ptr<kernels::Kernel>>(std::move(k));
  }
  std::string row_id() const override { return "hash/cuda"; }

  Done hash(Algorithm algorithm, const Batch& batch, std::span<std::uint8_t> out, const StopToken& stop) override {
    SPARKMILL_TRY(cu::check(cudaSetDevice(ordinal_), "cudaSetDevice"));  // instances may move between threads
    return for_each_launch(algorithm, batch, out, stop,
                           [&](const Launch& l) { return launch(algorithm, batch, out, l); });
  }

 private:
  CudaKernel() = default;

  Done launch(Algorithm algorithm, const Batch& batch, std::span<std::uint8_t> out, const Launch& l) {
    const std::size_t bytes = l.count * digest_bytes(algorithm);
    SPARKMILL_TRY(messages_.reserve(std::max<std::size_t>(l.bytes, 1)));
    SPARKMILL_TRY(offsets_.reserve((l.count + 1) * 8));
    SPARKMILL_TRY(digests_.reserve(bytes));
    host_offsets_.resize(l.count + 1);
    for (std::size_t i = 0; i <= l.count; ++i) host_offsets_[i] = batch.offsets[l.first + i] - l.base;
    if (l.bytes != 0) SPARKMILL_TRY(stream_.upload(messages_.as<void>(), batch.messages.data() + l.base, l.bytes));
    SPARKMILL_TRY(stream_.upload(offsets_.as<void>(), host_offsets_.data(), host_offsets_.size() * 8));
    const device::HashArgs args{messages_.as<unsigned char>(), offsets_.as<sm_u64>(), digests_.as<unsigned char>(),
                                static_cast<sm_u32>(l.count)};
    SPARKMILL_TRY(
        cu::check(device::launch_hash(device_algorithm(algorithm), args, stream_.handle()), "launch of hash_messages"));
    SPARKMILL_TRY(cu::check(cudaMemcpyAsync(out.data() + l.first * digest_bytes(algorithm), digests_.as<void>(), bytes,
                                            cudaMemcpyDeviceToHost, stream_.handle()),
                            "cudaMemcpyAsync of digests"));
    return stream_.wait();
  }

  int ordinal_ = 0;
  cu::Stream stream_;
  cu::DeviceBuffer messages_, offsets_, digests_;
  std::vector<std::uint64_t> host_offsets_;
};

kernels::Probe probe(const kernels::Device& device) { return cu::probe_compute(device, 75, "a message a thread"); }

}  // namespace

kernels::Row cuda_row() { return {kernels::Family::hash, kernels::Backend::cuda, "", 90, 1, probe, CudaKernel::make}; }

}  // namespace sparkmill::hashes

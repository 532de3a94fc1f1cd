// SPDX-License-Identifier: Apache-2.0
// CUDA plumbing over the runtime API.
#include "kernels/backend/cuda.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace sparkmill::kernels::cuda {

namespace {
constexpr std::size_t kChunkBytes = 4u << 20;
}

Done check(cudaError_t code, const char* call) {
  if (code == cudaSuccess) return done();
  (void)cudaGetLastError();
  const std::string text = fmt::format("CUDA: {} failed: {}", call, cudaGetErrorString(code));
  switch (code) {
    case cudaErrorMemoryAllocation:
      return fail(Status::too_large, text, "the device has too little free memory; use smaller slices");
    case cudaErrorInvalidValue:
    case cudaErrorInvalidConfiguration:
    case cudaErrorNotSupported: return fail(Status::internal, text);
    default: return fail(Status::no_device, text, "the device was lost or its context broke: restart the worker");
  }
}

Result<int> find_ordinal(const Device& device) {
  int ordinal = -1;
  if (Done d = check(cudaDeviceGetByPCIBusId(&ordinal, device.pci.c_str()), "cudaDeviceGetByPCIBusId"); !d)
    return fail(Status::no_device, fmt::format("no CUDA device {} is here now: {}", device.id, d.error().message));
  return ordinal;
}

Probe probe_compute(const Device& device, int least, std::string_view how) {
  if (device.backend != Backend::cuda) return {false, "this is not a CUDA device"};
  const auto ordinal = find_ordinal(device);
  if (!ordinal) return {false, ordinal.error().message};
  int major = 0, minor = 0;
  if (!check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, *ordinal), "cudaDeviceGetAttribute") ||
      !check(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, *ordinal), "cudaDeviceGetAttribute"))
    return {false, "the CUDA driver does not answer for this device"};
  if (major * 10 + minor < least) {
    return {false,
            fmt::format("compute capability {}.{} is too old, {}.{} is needed", major, minor, least / 10, least % 10)};
  }
  return {true, fmt::format("compute capability {}.{}, {}", major, minor, how)};
}

DeviceBuffer::~DeviceBuffer() {
  if (data_ != nullptr) (void)cudaFree(data_);
}
Done DeviceBuffer::reserve(std::size_t bytes) {
  if (bytes <= bytes_) return done();
  if (data_ != nullptr) (void)cudaFree(std::exchange(data_, nullptr));
  bytes_ = 0;
  SPARKMILL_TRY(check(cudaMalloc(&data_, bytes), "cudaMalloc"));
  bytes_ = bytes;
  return done();
}

PinnedBuffer::~PinnedBuffer() {
  if (data_ != nullptr) (void)cudaFreeHost(data_);
}
Done PinnedBuffer::reserve(std::size_t bytes) {
  if (bytes <= bytes_) return done();
  if (data_ != nullptr) (void)cudaFreeHost(std::exchange(data_, nullptr));
  bytes_ = 0;
  SPARKMILL_TRY(check(cudaHostAlloc(&data_, bytes, cudaHostAllocDefault), "cudaHostAlloc"));
  bytes_ = bytes;
  return done();
}

Done Stream::open() {
  SPARKMILL_TRY(check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreate"));
  for (cudaEvent_t* e : {&begin_, &end_}) SPARKMILL_TRY(check(cudaEventCreate(e), "cudaEventCreate"));
  for (cudaEvent_t& e : chunk_done_)
    SPARKMILL_TRY(check(cudaEventCreateWithFlags(&e, cudaEventDisableTiming), "cudaEventCreate"));
  return done();
}
Stream::~Stream() {
  for (cudaEvent_t e : {begin_, end_, chunk_done_[0], chunk_done_[1]})
    if (e != nullptr) (void)cudaEventDestroy(e);
  if (stream_ != nullptr) (void)cudaStreamDestroy(stream_);
}
Done Stream::wait() { return check(cudaStreamSynchronize(stream_), "cudaStreamSynchronize"); }

Done Stream::upload(void* to, const void* from, std::size_t bytes) {
  const auto* source = static_cast<const std::uint8_t*>(from);
  auto* target = static_cast<std::uint8_t*>(to);
  unsigned turn = 0;
  for (std::size_t at = 0; at < bytes; at += kChunkBytes, turn ^= 1) {
    const std::size_t size = std::min(kChunkBytes, bytes - at);
    SPARKMILL_TRY(chunk_[turn].reserve(kChunkBytes));
    // The copy that read this chunk two turns ago (an event never recorded counts as reached).
    SPARKMILL_TRY(check(cudaEventSynchronize(chunk_done_[turn]), "cudaEventSynchronize"));
    std::memcpy(chunk_[turn].as<std::uint8_t>(), source + at, size);
    SPARKMILL_TRY(
        check(cudaMemcpyAsync(target + at, chunk_[turn].as<std::uint8_t>(), size, cudaMemcpyHostToDevice, stream_),
              "cudaMemcpyAsync to the device"));
    SPARKMILL_TRY(check(cudaEventRecord(chunk_done_[turn], stream_), "cudaEventRecord"));
  }
  return done();
}

double Stream::seconds() const {
  float ms = 0;
  return cudaEventElapsedTime(&ms, begin_, end_) == cudaSuccess ? ms / 1000.0 : 0.025;
}

}  // namespace sparkmill::kernels::cuda

// SPDX-License-Identifier: Apache-2.0
// CUDA plumbing for the families: a device made current, streams, events, device and pinned buffers. Errors: no_device
// (lost or gone), too_large (out of memory), internal; the message names the call and CUDA's own text.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "kernels/kernel.h"

namespace sparkmill::kernels::cuda {

/// done() for cudaSuccess; also clears the runtime's sticky last error.
Done check(cudaError_t code, const char* call);

/// The runtime's ordinal of a device, by PCI address. Error: no_device.
Result<int> find_ordinal(const Device& device);

/// Yes for a CUDA device that is here and has at least this compute capability (75: 7.5); `how` ends the sentence that
/// users see, "a signature a thread".
Probe probe_compute(const Device& device, int least, std::string_view how);

/// Device memory; grows on reserve(), never shrinks. Content is lost when it grows.
class DeviceBuffer {
 public:
  DeviceBuffer() = default;
  DeviceBuffer(DeviceBuffer&& o) noexcept { *this = std::move(o); }
  DeviceBuffer& operator=(DeviceBuffer&& o) noexcept {
    std::swap(data_, o.data_);
    std::swap(bytes_, o.bytes_);
    return *this;
  }
  ~DeviceBuffer();
  Done reserve(std::size_t bytes);
  std::size_t bytes() const { return bytes_; }
  template <class T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

/// Page-locked host memory: copies to and from it overlap with kernels.
class PinnedBuffer {
 public:
  PinnedBuffer() = default;
  PinnedBuffer(const PinnedBuffer&) = delete;
  PinnedBuffer& operator=(const PinnedBuffer&) = delete;
  ~PinnedBuffer();
  Done reserve(std::size_t bytes);
  template <class T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

class Stream {
 public:
  Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream();
  Done open();
  cudaStream_t handle() const { return stream_; }
  Done wait();
  /// Copies pageable host memory through two pinned chunks; returns when `from` may change again.
  Done upload(void* to, const void* from, std::size_t bytes);
  /// Marks the beginning and the end of timed work.
  Done mark_begin() { return check(cudaEventRecord(begin_, stream_), "cudaEventRecord"); }
  Done mark_end() { return check(cudaEventRecord(end_, stream_), "cudaEventRecord"); }
  /// Seconds between the marks; requires that the end was reached (wait()).
  double seconds() const;

 private:
  cudaStream_t stream_ = nullptr;
  cudaEvent_t begin_ = nullptr, end_ = nullptr, chunk_done_[2] = {nullptr, nullptr};
  PinnedBuffer chunk_[2];
};

}  // namespace sparkmill::kernels::cuda

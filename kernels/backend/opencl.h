// SPDX-License-Identifier: Apache-2.0
// OpenCL plumbing for the families: one context with one in-order queue a kernel instance, buffers, cached programs.
// Not thread-safe: an instance serves one thread. Errors: no_device (device lost or gone), too_large (its memory),
// internal (anything else a driver says); the message names the call and the driver's number.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/bytes.h"
#include "base/result.h"
#include "kernels/backend/opencl_api.h"

namespace sparkmill::kernels::opencl {

class Context;

/// Device memory. Released before its context by construction: it shares it.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept { *this = std::move(other); }
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer();
  std::size_t bytes() const { return bytes_; }
  const cl_mem& handle() const { return memory_; }

 private:
  friend class Context;
  std::shared_ptr<Context> context_;
  cl_mem memory_ = nullptr;
  std::size_t bytes_ = 0;
};

/// One entry point with its arguments. Arguments stay set between launches.
class Function {
 public:
  Function() = default;
  Function(Function&& other) noexcept { *this = std::move(other); }
  Function& operator=(Function&& other) noexcept;
  ~Function();
  /// Sets all arguments in order: buffers, or plain values of the size the kernel expects.
  template <class... Args>
  Done args(const Args&... values) {
    cl_uint index = 0;
    cl_int code = CL_SUCCESS;
    ((code = code == CL_SUCCESS ? set(index++, values) : code), ...);
    return check(code, index);
  }
  /// Enqueues `groups` work-groups of `items` items.
  Done launch(std::size_t groups, std::size_t items);
  /// Work-group items that this function can have on its device.
  std::size_t max_items() const;

 private:
  friend class Context;
  cl_int set(cl_uint index, const Buffer& buffer);
  cl_int set_bytes(cl_uint index, const void* value, std::size_t bytes);
  template <class T>
  cl_int set(cl_uint index, const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    return set_bytes(index, &value, sizeof value);
  }
  Done check(cl_int code, cl_uint index) const;
  std::shared_ptr<Context> context_;
  cl_kernel kernel_ = nullptr;
  std::string name_;
};

struct Limits {
  std::size_t group_items = 0;
  std::size_t local_bytes = 0;
  std::uint64_t memory_bytes = 0;
  std::uint64_t buffer_bytes = 0;
  bool on_cpu = false;  ///< device memory is host memory
};
Limits limits(const Api& cl, cl_device_id id);

/// Yes for a little-endian OpenCL device that is here, has a compiler and runs groups of this many items; `how` ends
/// the sentence that users see, "a signature an item".
Probe probe_groups(const Device& device, std::size_t items, std::string_view how);

class Context : public std::enable_shared_from_this<Context> {
 public:
  /// Error: no_device when no device has this id now.
  static Result<std::shared_ptr<Context>> open(const Device& device);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  const Limits& limits() const { return limits_; }
  Result<Buffer> buffer(std::size_t bytes);
  /// Replaces `buffer` by a larger one when it has less than `bytes`; content is lost.
  Done reserve(Buffer& buffer, std::size_t bytes);
  Done write(Buffer& to, std::size_t offset, const void* from, std::size_t bytes);
  /// Writes to the start of `to`, which grows when it is too small. No buffer is made empty: drivers refuse those.
  Done send(Buffer& to, const void* from, std::size_t bytes);
  /// Blocks until everything enqueued before is done.
  Done read(const Buffer& from, std::size_t offset, void* to, std::size_t bytes);
  Done finish();
  /// Builds `source` (or takes it from the program cache) and opens its function `name`.
  /// Error, beside those of the build: unsupported when it cannot have groups of `items`.
  Result<Function> function(const std::string& source, const std::string& options, const std::string& name,
                            std::size_t items = 1);

 private:
  friend class Buffer;
  friend class Function;
  Context() = default;
  Result<cl_program> program(const std::string& source, const std::string& options);
  Done build(cl_program program, const std::string& options);
  Bytes binary_of(cl_program program);
  const Api* cl_ = nullptr;
  cl_device_id device_ = nullptr;
  cl_context context_ = nullptr;
  cl_command_queue queue_ = nullptr;
  Limits limits_;
  std::string id_, driver_, name_;
  // The last program built: the functions of a family come from one source.
  cl_program program_ = nullptr;
  std::string program_key_;
};

}  // namespace sparkmill::kernels::opencl

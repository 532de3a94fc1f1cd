// SPDX-License-Identifier: Apache-2.0
// OpenCL plumbing: context, queue, buffers, programs through the program cache.
#include "kernels/backend/opencl.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/hex.h"
#include "kernels/backend/program_cache.h"

namespace sparkmill::kernels::opencl {

namespace {

Error error(const std::string& call, cl_int code) {
  const std::string text = fmt::format("OpenCL: {} failed with {}", call, code);
  switch (code) {
    case CL_DEVICE_NOT_AVAILABLE:
    case CL_DEVICE_NOT_FOUND:
    case CL_OUT_OF_RESOURCES:  // what NVIDIA answers after a fault or a reset
    case CL_INVALID_CONTEXT:
    case CL_INVALID_COMMAND_QUEUE:
    case CL_INVALID_DEVICE:
      return fail(Status::no_device, text, "the device was lost or reset; it is opened again on the next try");
    case CL_MEM_OBJECT_ALLOCATION_FAILURE:
    case CL_INVALID_BUFFER_SIZE:
    case CL_OUT_OF_HOST_MEMORY:
      return fail(Status::too_large, text, "the device has too little free memory; use smaller slices");
    default: return fail(Status::internal, text);
  }
}

}  // namespace

// ---- buffers and functions -----------------------------------------------------------------------------------------

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  std::swap(context_, other.context_);
  std::swap(memory_, other.memory_);
  std::swap(bytes_, other.bytes_);
  return *this;
}
Buffer::~Buffer() {
  if (memory_ != nullptr) context_->cl_->release_buffer(memory_);
}

Function& Function::operator=(Function&& other) noexcept {
  std::swap(context_, other.context_);
  std::swap(kernel_, other.kernel_);
  std::swap(name_, other.name_);
  return *this;
}
Function::~Function() {
  if (kernel_ != nullptr) context_->cl_->release_kernel(kernel_);
}
cl_int Function::set(cl_uint index, const Buffer& buffer) {
  return set_bytes(index, &buffer.handle(), sizeof(cl_mem));  // an empty Buffer is a null pointer to the kernel
}
cl_int Function::set_bytes(cl_uint index, const void* value, std::size_t bytes) {
  return context_->cl_->set_arg(kernel_, index, bytes, value);
}
Done Function::check(cl_int code, cl_uint index) const {
  if (code == CL_SUCCESS) return done();
  return error(fmt::format("clSetKernelArg({}, {})", name_, index - 1), code);
}
Done Function::launch(std::size_t groups, std::size_t items) {
  const std::size_t global = groups * items;
  const cl_int code =
      context_->cl_->launch(context_->queue_, kernel_, 1, nullptr, &global, &items, 0, nullptr, nullptr);
  return code == CL_SUCCESS ? done() : Done(error(fmt::format("launch of {} ({} groups)", name_, groups), code));
}
std::size_t Function::max_items() const {
  std::size_t items = 0;
  const cl_int code = context_->cl_->get_group_info(kernel_, context_->device_, CL_KERNEL_WORK_GROUP_SIZE, sizeof items,
                                                    &items, nullptr);
  return code == CL_SUCCESS ? items : 0;
}

// ---- context -------------------------------------------------------------------------------------------------------

Limits limits(const Api& cl, cl_device_id id) {
  Limits l;
  l.group_items = device_number(cl, id, CL_DEVICE_MAX_WORK_GROUP_SIZE);
  l.local_bytes = device_number(cl, id, CL_DEVICE_LOCAL_MEM_SIZE);
  l.memory_bytes = device_number(cl, id, CL_DEVICE_GLOBAL_MEM_SIZE);
  l.buffer_bytes = device_number(cl, id, CL_DEVICE_MAX_MEM_ALLOC_SIZE);
  l.on_cpu = (device_number(cl, id, CL_DEVICE_TYPE) & CL_DEVICE_TYPE_CPU) != 0;
  return l;
}

Probe probe_groups(const Device& device, std::size_t items, std::string_view how) {
  if (device.backend != Backend::opencl) return {false, "this is not an OpenCL device"};
  std::string note;
  const Api* cl = api(note);
  for (const Found& f : find_devices(note)) {
    if (f.device.id != device.id) continue;
    const Limits l = limits(*cl, f.id);
    if (l.group_items < items)
      return {false, fmt::format("its work-groups have at most {} items, {} are needed", l.group_items, items)};
    if (device_number(*cl, f.id, CL_DEVICE_ENDIAN_LITTLE) == 0) return {false, "it is big-endian"};
    if (device_number(*cl, f.id, CL_DEVICE_COMPILER_AVAILABLE) == 0)
      return {false, "its OpenCL driver has no compiler"};
    return {true, fmt::format("OpenCL, {}", how)};
  }
  return {false, note.empty() ? fmt::format("no OpenCL device has the id {} now", device.id) : note};
}

Result<std::shared_ptr<Context>> Context::open(const Device& device) {
  std::string note;
  const Api* cl = api(note);
  std::vector<Found> all = find_devices(note);
  for (const Found& f : all) {
    if (f.device.id != device.id) continue;
    std::shared_ptr<Context> c(new Context);
    c->cl_ = cl;
    c->device_ = f.id;
    c->id_ = f.device.id;
    c->name_ = f.device.name;
    c->driver_ = f.device.driver;
    c->limits_ = opencl::limits(*cl, f.id);
    const cl_context_properties properties[] = {CL_CONTEXT_PLATFORM,
                                                reinterpret_cast<cl_context_properties>(f.platform), 0};
    cl_int code = CL_SUCCESS;
    c->context_ = cl->create_context(properties, 1, &f.id, nullptr, nullptr, &code);
    if (code != CL_SUCCESS) return error("clCreateContext", code);
    c->queue_ = cl->create_queue(c->context_, f.id, 0, &code);
    if (code != CL_SUCCESS) return error("clCreateCommandQueue", code);
    return c;
  }
  if (note.empty()) note = fmt::format("no OpenCL device has the id {} now", device.id);
  return fail(Status::no_device, note);
}

Context::~Context() {
  if (program_ != nullptr) cl_->release_program(program_);
  if (queue_ != nullptr) cl_->release_queue(queue_);
  if (context_ != nullptr) cl_->release_context(context_);
}

Result<Buffer> Context::buffer(std::size_t bytes) {
  Buffer b;
  if (bytes == 0) return b;
  cl_int code = CL_SUCCESS;
  b.memory_ = cl_->create_buffer(context_, CL_MEM_READ_WRITE, bytes, nullptr, &code);
  if (code != CL_SUCCESS) return error(fmt::format("clCreateBuffer of {} bytes", bytes), code);
  b.context_ = shared_from_this();
  b.bytes_ = bytes;
  return b;
}

Done Context::reserve(Buffer& buffer, std::size_t bytes) {
  if (buffer.bytes() >= bytes) return done();
  buffer = Buffer();  // give the old one back first
  SPARKMILL_ASSIGN(buffer, this->buffer(bytes));
  return done();
}

Done Context::send(Buffer& to, const void* from, std::size_t bytes) {
  SPARKMILL_TRY(reserve(to, std::max<std::size_t>(bytes, 8)));
  return write(to, 0, from, bytes);
}

Done Context::write(Buffer& to, std::size_t offset, const void* from, std::size_t bytes) {
  if (bytes == 0) return done();
  const cl_int code = cl_->write_buffer(queue_, to.memory_, CL_TRUE, offset, bytes, from, 0, nullptr, nullptr);
  return code == CL_SUCCESS ? done() : Done(error(fmt::format("clEnqueueWriteBuffer of {} bytes", bytes), code));
}

Done Context::read(const Buffer& from, std::size_t offset, void* to, std::size_t bytes) {
  if (bytes == 0) return done();
  const cl_int code = cl_->read_buffer(queue_, from.memory_, CL_TRUE, offset, bytes, to, 0, nullptr, nullptr);
  return code == CL_SUCCESS ? done() : Done(error(fmt::format("clEnqueueReadBuffer of {} bytes", bytes), code));
}

Done Context::finish() {
  const cl_int code = cl_->finish(queue_);
  return code == CL_SUCCESS ? done() : Done(error("clFinish", code));
}

// ---- programs ------------------------------------------------------------------------------------------------------

Done Context::build(cl_program program, const std::string& options) {
  const cl_int code = cl_->build_program(program, 1, &device_, options.c_str(), nullptr, nullptr);
  if (code == CL_SUCCESS) return done();
  std::size_t size = 0;
  std::string log;
  if (cl_->get_build_info(program, device_, CL_PROGRAM_BUILD_LOG, 0, nullptr, &size) == CL_SUCCESS &&
      size < (1u << 20)) {
    log.resize(size);
    (void)cl_->get_build_info(program, device_, CL_PROGRAM_BUILD_LOG, size, log.data(), nullptr);
  }
  Error e = error(fmt::format("compilation by {} with '{}'", name_, options), code);
  e.hint = log.substr(0, 2000);
  return e;
}

Bytes Context::binary_of(cl_program program) {
  std::size_t size = 0;
  if (cl_->get_program_info(program, CL_PROGRAM_BINARY_SIZES, sizeof size, &size, nullptr) != CL_SUCCESS || size == 0 ||
      size > (64u << 20))
    return {};
  Bytes binary(size);
  unsigned char* at = binary.data();
  if (cl_->get_program_info(program, CL_PROGRAM_BINARIES, sizeof at, &at, nullptr) != CL_SUCCESS) return {};
  return binary;
}

Result<cl_program> Context::program(const std::string& source, const std::string& options) {
  const Hash32 key = program_key(source, name_ + " " + id_, driver_, options);
  const std::string key_text = to_hex(key);
  if (program_ != nullptr && key_text == program_key_) return program_;
  const ProgramCache cache;
  cl_program program = nullptr;
  cl_int code = CL_SUCCESS;
  if (std::optional<Bytes> binary = cache.load(key)) {
    const unsigned char* at = binary->data();
    const std::size_t size = binary->size();
    program = cl_->program_from_binary(context_, 1, &device_, &size, &at, nullptr, &code);
    if (code != CL_SUCCESS || !build(program, options)) {
      if (code == CL_SUCCESS) cl_->release_program(program);
      program = nullptr;
      cache.forget(key);
    }
  }
  if (program == nullptr) {
    const char* text = source.data();
    const std::size_t size = source.size();
    program = cl_->program_from_source(context_, 1, &text, &size, &code);
    if (code != CL_SUCCESS) return error("clCreateProgramWithSource", code);
    if (Done built = build(program, options); !built) {
      cl_->release_program(program);
      return built.error();
    }
    (void)cache.store(key, binary_of(program));
  }
  if (program_ != nullptr) cl_->release_program(program_);
  program_ = program;
  program_key_ = key_text;
  return program;
}

Result<Function> Context::function(const std::string& source, const std::string& options, const std::string& name,
                                   std::size_t items) {
  SPARKMILL_ASSIGN(cl_program program, this->program(source, options));
  cl_int code = CL_SUCCESS;
  Function f;
  f.kernel_ = cl_->create_kernel(program, name.c_str(), &code);
  if (code != CL_SUCCESS) return error(fmt::format("clCreateKernel({})", name), code);
  f.context_ = shared_from_this();
  f.name_ = name;
  if (f.max_items() < items)
    return fail(Status::unsupported, fmt::format("this OpenCL device runs the kernel {} with {} items a group, {} are "
                                                 "needed",
                                                 name, f.max_items(), items));
  return f;
}

}  // namespace sparkmill::kernels::opencl

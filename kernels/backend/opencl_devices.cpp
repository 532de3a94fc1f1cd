// SPDX-License-Identifier: Apache-2.0
// Loads the OpenCL ICD loader and lists its devices under stable ids.
#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "kernels/backend/discover.h"
#include "kernels/backend/opencl_api.h"

namespace sparkmill::kernels {
namespace opencl {
namespace {

struct Loaded {
  Api api{};
  std::string why;
};

template <class F>
bool bind(void* library, const char* symbol, F& slot, std::string& why) {
  slot = reinterpret_cast<F>(dlsym(library, symbol));
  if (slot == nullptr)
    why = fmt::format("the OpenCL ICD loader (libOpenCL.so.1) has no {}: it is older than OpenCL 1.2", symbol);
  return slot != nullptr;
}

Loaded load() {
  Loaded out;
  void* lib = dlopen("libOpenCL.so.1", RTLD_NOW | RTLD_LOCAL);
  if (lib == nullptr) {
    out.why = "no OpenCL ICD loader (libOpenCL.so.1; Debian: apt install ocl-icd-libopencl1 and the vendor's driver)";
    return out;
  }
  Api& a = out.api;
  std::string& w = out.why;
  (void)(bind(lib, "clGetPlatformIDs", a.get_platforms, w) && bind(lib, "clGetPlatformInfo", a.get_platform_info, w) &&
         bind(lib, "clGetDeviceIDs", a.get_devices, w) && bind(lib, "clGetDeviceInfo", a.get_device_info, w) &&
         bind(lib, "clCreateContext", a.create_context, w) && bind(lib, "clReleaseContext", a.release_context, w) &&
         bind(lib, "clCreateCommandQueue", a.create_queue, w) &&
         bind(lib, "clReleaseCommandQueue", a.release_queue, w) && bind(lib, "clFinish", a.finish, w) &&
         bind(lib, "clCreateBuffer", a.create_buffer, w) && bind(lib, "clReleaseMemObject", a.release_buffer, w) &&
         bind(lib, "clEnqueueWriteBuffer", a.write_buffer, w) && bind(lib, "clEnqueueReadBuffer", a.read_buffer, w) &&
         bind(lib, "clEnqueueFillBuffer", a.fill_buffer, w) &&
         bind(lib, "clCreateProgramWithSource", a.program_from_source, w) &&
         bind(lib, "clCreateProgramWithBinary", a.program_from_binary, w) &&
         bind(lib, "clBuildProgram", a.build_program, w) && bind(lib, "clGetProgramInfo", a.get_program_info, w) &&
         bind(lib, "clGetProgramBuildInfo", a.get_build_info, w) &&
         bind(lib, "clReleaseProgram", a.release_program, w) && bind(lib, "clCreateKernel", a.create_kernel, w) &&
         bind(lib, "clReleaseKernel", a.release_kernel, w) && bind(lib, "clSetKernelArg", a.set_arg, w) &&
         bind(lib, "clGetKernelWorkGroupInfo", a.get_group_info, w) &&
         bind(lib, "clEnqueueNDRangeKernel", a.launch, w));
  return out;
}

std::string platform_text(const Api& cl, cl_platform_id id, cl_platform_info what) {
  std::size_t size = 0;
  if (cl.get_platform_info(id, what, 0, nullptr, &size) != CL_SUCCESS || size == 0 || size > 65536) return {};
  std::string text(size, '\0');
  if (cl.get_platform_info(id, what, size, text.data(), nullptr) != CL_SUCCESS) return {};
  text.resize(std::strlen(text.c_str()));
  return text;
}

/// PCI address by the Khronos extension, else NVIDIA's or AMD's own query (constants of cl_ext.h, absent in old
/// headers).
std::string pci_address(const Api& cl, cl_device_id id, const std::string& extensions) {
  if (extensions.find("cl_khr_pci_bus_info") != std::string::npos) {
    struct {
      cl_uint domain, bus, device, function;
    } at{};
    if (cl.get_device_info(id, 0x410F, sizeof at, &at, nullptr) == CL_SUCCESS)
      return fmt::format("{:04x}:{:02x}:{:02x}.{:x}", at.domain, at.bus, at.device, at.function);
  }
  if (extensions.find("cl_nv_device_attribute_query") != std::string::npos) {
    cl_uint bus = 0, slot = 0, domain = 0;
    if (cl.get_device_info(id, 0x4008, sizeof bus, &bus, nullptr) == CL_SUCCESS &&
        cl.get_device_info(id, 0x4009, sizeof slot, &slot, nullptr) == CL_SUCCESS) {
      if (cl.get_device_info(id, 0x400A, sizeof domain, &domain, nullptr) != CL_SUCCESS) domain = 0;
      return fmt::format("{:04x}:{:02x}:{:02x}.{:x}", domain, bus, slot >> 3, slot & 7);
    }
  }
  if (extensions.find("cl_amd_device_attribute_query") != std::string::npos) {
    struct {
      cl_uint type;
      unsigned char unused[17];
      unsigned char bus, device, function;
    } at{};
    if (cl.get_device_info(id, 0x4037, sizeof at, &at, nullptr) == CL_SUCCESS && at.type == 1)
      return fmt::format("0000:{:02x}:{:02x}.{:x}", at.bus, at.device, at.function);
  }
  return {};
}

Found describe(const Api& cl, cl_platform_id platform, cl_device_id id) {
  Found f;
  f.platform = platform;
  f.id = id;
  f.device.backend = Backend::opencl;
  f.device.name = device_text(cl, id, CL_DEVICE_NAME);
  f.device.driver =
      fmt::format("{} {}", platform_text(cl, platform, CL_PLATFORM_NAME), device_text(cl, id, CL_DRIVER_VERSION));
  f.device.pci = pci_address(cl, id, device_text(cl, id, CL_DEVICE_EXTENSIONS));
  f.device.memory_bytes = device_number(cl, id, CL_DEVICE_GLOBAL_MEM_SIZE);
  f.device.lanes = 1;
  f.vendor = platform_text(cl, platform, CL_PLATFORM_VENDOR);
  return f;
}

}  // namespace

const Api* api(std::string& why) {
  static const Loaded loaded = load();
  why = loaded.why;
  return loaded.why.empty() ? &loaded.api : nullptr;
}

std::string device_text(const Api& cl, cl_device_id id, cl_device_info what) {
  std::size_t size = 0;
  if (cl.get_device_info(id, what, 0, nullptr, &size) != CL_SUCCESS || size == 0 || size > 65536) return {};
  std::string text(size, '\0');
  if (cl.get_device_info(id, what, size, text.data(), nullptr) != CL_SUCCESS) return {};
  text.resize(std::strlen(text.c_str()));
  return text;
}

std::uint64_t device_number(const Api& cl, cl_device_id id, cl_device_info what) {
  std::uint64_t value = 0;  // 4- and 8-byte answers both land in the low bytes
  return cl.get_device_info(id, what, sizeof value, &value, nullptr) == CL_SUCCESS ? value : 0;
}

std::vector<Found> find_devices(std::string& note) {
  const Api* cl = api(note);
  if (cl == nullptr) return {};
  cl_uint count = 0;
  std::vector<cl_platform_id> platforms(64);
  if (cl->get_platforms(64, platforms.data(), &count) != CL_SUCCESS || count == 0) {
    note = "the OpenCL ICD loader is here, but no OpenCL driver is registered (see /etc/OpenCL/vendors)";
    return {};
  }
  platforms.resize(std::min<std::size_t>(count, platforms.size()));
  std::vector<Found> found;
  std::set<std::string> ids;
  for (std::size_t p = 0; p < platforms.size(); ++p) {
    std::vector<cl_device_id> devices(64);
    cl_uint n = 0;
    if (cl->get_devices(platforms[p], CL_DEVICE_TYPE_ALL, 64, devices.data(), &n) != CL_SUCCESS) continue;
    unsigned gpus = 0;
    for (cl_uint d = 0; d < std::min<cl_uint>(n, 64); ++d) {
      const bool gpu = (device_number(*cl, devices[d], CL_DEVICE_TYPE) & CL_DEVICE_TYPE_GPU) != 0;
      const int gpu_index = gpu ? static_cast<int>(gpus++) : -1;
      if (device_number(*cl, devices[d], CL_DEVICE_AVAILABLE) == 0) continue;
      Found f = describe(*cl, platforms[p], devices[d]);
      f.gpu_index = gpu_index;
      // Two platforms may reach one card: the first keeps the PCI id, the other is told apart by its place.
      if (f.device.pci.empty() || !ids.insert(f.device.id = "opencl:" + f.device.pci).second)
        f.device.id = fmt::format("opencl:{}.{}", p, d);
      found.push_back(std::move(f));
    }
  }
  if (found.empty()) note = "the OpenCL drivers here offer no available device";
  std::stable_sort(found.begin(), found.end(), [](const Found& a, const Found& b) {
    if (a.device.pci.empty() != b.device.pci.empty()) return b.device.pci.empty();
    return a.device.pci < b.device.pci;
  });
  for (std::size_t i = 0; i < found.size(); ++i) found[i].device.ordinal = static_cast<unsigned>(i);
  return found;
}

}  // namespace opencl

std::vector<OpenclGpu> opencl_gpus(std::string& note) {
  note.clear();
  std::vector<OpenclGpu> out;
  for (opencl::Found& f : opencl::find_devices(note)) {
    if (f.gpu_index >= 0) out.push_back({std::move(f.device), std::move(f.vendor), static_cast<unsigned>(f.gpu_index)});
  }
  return out;
}

std::vector<Device> opencl_devices(std::string& note) {
  note.clear();
  std::vector<Device> out;
  for (opencl::Found& f : opencl::find_devices(note)) out.push_back(std::move(f.device));
  return out;
}

}  // namespace sparkmill::kernels

// SPDX-License-Identifier: Apache-2.0
// The OpenCL 1.2 entry points we use, found in the ICD loader at run time: the binary starts on machines without one.
#pragma once

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>

#include <string>
#include <vector>

#include "kernels/kernel.h"

namespace sparkmill::kernels::opencl {

struct Api {
  decltype(&clGetPlatformIDs) get_platforms;
  decltype(&clGetPlatformInfo) get_platform_info;
  decltype(&clGetDeviceIDs) get_devices;
  decltype(&clGetDeviceInfo) get_device_info;
  decltype(&clCreateContext) create_context;
  decltype(&clReleaseContext) release_context;
  decltype(&clCreateCommandQueue) create_queue;
  decltype(&clReleaseCommandQueue) release_queue;
  decltype(&clFinish) finish;
  decltype(&clCreateBuffer) create_buffer;
  decltype(&clReleaseMemObject) release_buffer;
  decltype(&clEnqueueWriteBuffer) write_buffer;
  decltype(&clEnqueueReadBuffer) read_buffer;
  decltype(&clEnqueueFillBuffer) fill_buffer;
  decltype(&clCreateProgramWithSource) program_from_source;
  decltype(&clCreateProgramWithBinary) program_from_binary;
  decltype(&clBuildProgram) build_program;
  decltype(&clGetProgramInfo) get_program_info;
  decltype(&clGetProgramBuildInfo) get_build_info;
  decltype(&clReleaseProgram) release_program;
  decltype(&clCreateKernel) create_kernel;
  decltype(&clReleaseKernel) release_kernel;
  decltype(&clSetKernelArg) set_arg;
  decltype(&clGetKernelWorkGroupInfo) get_group_info;
  decltype(&clEnqueueNDRangeKernel) launch;
};

/// The loaded entry points, or nullptr with one sentence in `why`. Loaded once; the library stays for the process.
const Api* api(std::string& why);

/// One device of one platform with the id that users see.
struct Found {
  cl_platform_id platform = nullptr;
  cl_device_id id = nullptr;
  Device device;
  std::string vendor;  ///< of the platform
  int gpu_index = -1;  ///< among the platform's GPUs; -1: is none
};
/// All available devices, ordered by PCI address, then by platform and index. Empty: `note` says why.
std::vector<Found> find_devices(std::string& note);

/// Text and integer properties; empty or 0 where the device does not know them.
std::string device_text(const Api& cl, cl_device_id id, cl_device_info what);
std::uint64_t device_number(const Api& cl, cl_device_id id, cl_device_info what);

}  // namespace sparkmill::kernels::opencl

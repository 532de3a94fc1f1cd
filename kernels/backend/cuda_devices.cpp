// SPDX-License-Identifier: Apache-2.0
// Lists CUDA devices through the statically linked runtime, which starts without a driver and then says so.
#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include <algorithm>

#include "kernels/backend/discover.h"

namespace sparkmill::kernels {

std::vector<Device> cuda_devices(std::string& note) {
  note.clear();
  int driver = 0;
  if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0) {
    (void)cudaGetLastError();
    note = "no NVIDIA driver (libcuda.so.1) is loaded on this machine";
    return {};
  }
  int count = 0;
  if (const cudaError_t e = cudaGetDeviceCount(&count); e != cudaSuccess || count == 0) {
    (void)cudaGetLastError();
    note = e == cudaSuccess
               ? "the NVIDIA driver is here, but it shows no CUDA device"
               : fmt::format("the NVIDIA driver is here, but CUDA cannot use it: {}", cudaGetErrorString(e));
    return {};
  }
  std::vector<Device> out;
  for (int i = 0; i < count; ++i) {
    cudaDeviceProp p{};
    if (cudaGetDeviceProperties(&p, i) != cudaSuccess) {
      (void)cudaGetLastError();
      continue;
    }
    Device d;
    d.backend = Backend::cuda;
    d.name = p.name;
    d.driver = fmt::format("CUDA driver {}.{}", driver / 1000, driver % 1000 / 10);
    d.pci = fmt::format("{:04x}:{:02x}:{:02x}.0", p.pciDomainID, p.pciBusID, p.pciDeviceID);
    d.id = "cuda:" + d.pci;
    d.memory_bytes = p.totalGlobalMem;
    d.ordinal = static_cast<unsigned>(i);
    out.push_back(std::move(d));
  }
  if (out.empty()) note = "the NVIDIA driver lists devices, but none answers";
  std::stable_sort(out.begin(), out.end(), [](const Device& a, const Device& b) { return a.pci < b.pci; });
  return out;
}

}  // namespace sparkmill::kernels

// SPDX-License-Identifier: Apache-2.0
// The CPU as a device: its name from CPUID, memory from the system, lanes from the affinity mask.
#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <thread>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "kernels/backend/discover.h"

namespace sparkmill::kernels {
namespace {

std::string brand() {
#if defined(__x86_64__)
  std::array<unsigned, 12> words{};
  if (static_cast<unsigned>(__get_cpuid_max(0x80000000u, nullptr)) >= 0x80000004u) {
    for (unsigned leaf = 0; leaf < 3; ++leaf) {
      unsigned* w = &words[leaf * 4];
      __get_cpuid(0x80000002u + leaf, w, w + 1, w + 2, w + 3);
    }
    std::array<char, 49> text{};
    std::memcpy(text.data(), words.data(), 48);
    std::string name(text.data());
    const auto first = name.find_first_not_of(' ');
    const auto last = name.find_last_not_of(' ');
    if (first != std::string::npos) return name.substr(first, last - first + 1);
  }
#endif
  return "CPU";
}

unsigned usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) return static_cast<unsigned>(CPU_COUNT(&set));
  const unsigned n = std::thread::hardware_concurrency();
  return n > 0 ? n : 1;
}

}  // namespace

Device cpu_device() {
  Device d;
  d.id = "cpu";
  d.backend = Backend::cpu;
  d.name = brand();
  utsname system{};
  if (uname(&system) == 0) d.driver = std::string(system.sysname) + " " + system.release;
  const long pages = sysconf(_SC_PHYS_PAGES);
  const long page = sysconf(_SC_PAGESIZE);
  if (pages > 0 && page > 0) d.memory_bytes = static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page);
  d.lanes = usable_cores();
  return d;
}

}  // namespace sparkmill::kernels

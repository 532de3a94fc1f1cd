// SPDX-License-Identifier: Apache-2.0
// CPUID and XGETBV, read once.
#include <cstdint>
#include <vector>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "kernels/backend/cpu.h"

namespace sparkmill::kernels {
namespace {

enum Register { eax, ebx, ecx, edx };

/// One CPUID bit: leaf 1 or 7, register, bit; and the lowest ISA of ours that needs it.
struct Feature {
  const char* name;
  unsigned leaf;
  Register reg;
  unsigned bit;
  Isa needed_by;
};

constexpr Feature kFeatures[] = {
    {"popcnt", 1, ecx, 23, Isa::avx2},
    {"fma", 1, ecx, 12, Isa::avx2},
    {"avx", 1, ecx, 28, Isa::avx2},
    {"avx2", 7, ebx, 5, Isa::avx2},
    {"bmi1", 7, ebx, 3, Isa::avx2},
    {"bmi2", 7, ebx, 8, Isa::avx2},
    {"avx512f", 7, ebx, 16, Isa::avx512},
    {"avx512dq", 7, ebx, 17, Isa::avx512},
    {"avx512cd", 7, ebx, 28, Isa::avx512},
    {"avx512bw", 7, ebx, 30, Isa::avx512},
    {"avx512vl", 7, ebx, 31, Isa::avx512},
    {"avx512bitalg", 7, ecx, 12, Isa::avx512},
    {"avx512vpopcntdq", 7, ecx, 14, Isa::avx512},
};

struct Found {
  unsigned leaf1[4] = {};
  unsigned leaf7[4] = {};
  std::uint64_t xcr0 = 0;
  bool has(const Feature& f) const { return ((f.leaf == 1 ? leaf1 : leaf7)[f.reg] >> f.bit & 1) != 0; }
};

const Found& found() {
  static const Found result = [] {
    Found f;
#if defined(__x86_64__)
    __get_cpuid_count(1, 0, &f.leaf1[0], &f.leaf1[1], &f.leaf1[2], &f.leaf1[3]);
    __get_cpuid_count(7, 0, &f.leaf7[0], &f.leaf7[1], &f.leaf7[2], &f.leaf7[3]);
    if ((f.leaf1[ecx] >> 27 & 1) != 0) {  // OSXSAVE: XGETBV may be used
      std::uint32_t low = 0, high = 0;
      __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
      f.xcr0 = low | std::uint64_t{high} << 32;
    }
#endif
    return f;
  }();
  return result;
}

}  // namespace

Probe probe_isa(Isa isa) {
  const char* label = isa == Isa::avx2 ? "AVX2" : "AVX-512 with VPOPCNTDQ";
  for (const Feature& f : kFeatures) {
    if (f.needed_by == Isa::avx512 && isa == Isa::avx2) continue;
    if (!found().has(f)) return {false, std::string("the processor lacks ") + f.name + ", needed for " + label};
  }
  const std::uint64_t state = isa == Isa::avx2 ? 0x06 : 0xe6;  // XMM, YMM; opmask, ZMM
  if ((found().xcr0 & state) != state) {
    return {false, std::string("the operating system does not save the registers of ") + label};
  }
  return {true, std::string(label) + ": present in the processor and enabled by the operating system"};
}

std::string isa_names() {
  std::string names;
  for (const Feature& f : kFeatures) {
    if (found().has(f)) names += (names.empty() ? "" : " ") + std::string(f.name);
  }
  return names;
}

}  // namespace sparkmill::kernels

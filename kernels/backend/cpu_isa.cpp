// SPDX-License-Identifier: Apache-2.0
// CPUID and XGETBV, read once.
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <vector>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "kernels/backend/cpu.h"

namespace sparkmill::kernels {
namespace {

enum Register { eax, ebx, ecx, edx };

/// Sets of our ISAs, one bit each.
constexpr unsigned set(Isa isa) { return 1u << static_cast<unsigned>(isa); }
constexpr unsigned kTiles = set(Isa::amx);
constexpr unsigned kVnni = set(Isa::avx512vnni) | kTiles;
constexpr unsigned kCounting = set(Isa::avx512);
constexpr unsigned kIfma = set(Isa::avx512ifma);
constexpr unsigned kWide = kCounting | kVnni | kIfma;
constexpr unsigned kNarrowVnni = set(Isa::avxvnni);
constexpr unsigned kAll = set(Isa::avx2) | kNarrowVnni | kWide;

/// One CPUID bit: leaf 1, 7 or 71 (leaf 7, sub-leaf 1), register, bit; and which ISAs of ours need it.
struct Feature {
  const char* name;
  unsigned leaf;
  Register reg;
  unsigned bit;
  unsigned needed_by;
};

constexpr Feature kFeatures[] = {
    {"popcnt", 1, ecx, 23, kAll},
    {"fma", 1, ecx, 12, kAll},
    {"avx", 1, ecx, 28, kAll},
    {"avx2", 7, ebx, 5, kAll},
    {"bmi1", 7, ebx, 3, kAll},
    {"bmi2", 7, ebx, 8, kAll},
    {"avx_vnni", 71, eax, 4, kNarrowVnni},
    {"avx512f", 7, ebx, 16, kWide},
    {"avx512dq", 7, ebx, 17, kWide},
    {"avx512cd", 7, ebx, 28, kWide},
    {"avx512ifma", 7, ebx, 21, kIfma},
    {"avx512bw", 7, ebx, 30, kWide},
    {"avx512vl", 7, ebx, 31, kWide},
    {"avx512bitalg", 7, ecx, 12, kCounting},
    {"avx512vpopcntdq", 7, ecx, 14, kCounting},
    {"avx512vnni", 7, ecx, 11, kVnni},
    {"amx_tile", 7, edx, 24, kTiles},
    {"amx_int8", 7, edx, 25, kTiles},
};

struct Found {
  unsigned leaf1[4] = {};
  unsigned leaf7[4] = {};
  unsigned leaf71[4] = {};
  std::uint64_t xcr0 = 0;
  bool has(const Feature& f) const {
    return ((f.leaf == 1 ? leaf1 : f.leaf == 7 ? leaf7 : leaf71)[f.reg] >> f.bit & 1) != 0;
  }
};

const Found& found() {
  static const Found result = [] {
    Found f;
#if defined(__x86_64__)
    __get_cpuid_count(1, 0, &f.leaf1[0], &f.leaf1[1], &f.leaf1[2], &f.leaf1[3]);
    __get_cpuid_count(7, 0, &f.leaf7[0], &f.leaf7[1], &f.leaf7[2], &f.leaf7[3]);
    __get_cpuid_count(7, 1, &f.leaf71[0], &f.leaf71[1], &f.leaf71[2], &f.leaf71[3]);
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

/// Linux hands out the 8 KiB of tile registers only on request.
bool tiles_allowed() {
#if defined(__x86_64__) && defined(SYS_arch_prctl)
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  static const bool allowed = syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  return allowed;
#else
  return false;
#endif
}

struct IsaText {
  const char* label;
  std::uint64_t state;  ///< bits of XCR0: XMM, YMM; opmask, ZMM; tiles
};
constexpr IsaText kTexts[] = {{"AVX2", 0x06},
                              {"AVX2 with VNNI", 0x06},
                              {"AVX-512 with VPOPCNTDQ", 0xe6},
                              {"AVX-512 with VNNI", 0xe6},
                              {"AMX with int8", 0x600e6},
                              {"AVX-512 with IFMA", 0xe6}};

}  // namespace

Probe probe_isa(Isa isa) {
  const auto& [label, state] = kTexts[static_cast<unsigned>(isa)];
  for (const Feature& f : kFeatures) {
    if ((f.needed_by & set(isa)) != 0 && !found().has(f)) {
      return {false, std::string("the processor lacks ") + f.name + ", needed for " + label};
    }
  }
  if ((found().xcr0 & state) != state || (isa == Isa::amx && !tiles_allowed())) {
    return {false, std::string("the operating system does not save the registers of ") + label};
  }
  return {true, std::string(label) + ": present in the processor and enabled by the operating system"};
}

Probe probe_plain(const Device& device) {
  if (device.id != "cpu") return {false, "runs on the device \"cpu\" only"};
  return {true, "plain scalar code, runs on every CPU"};
}

std::string isa_names() {
  std::string names;
  for (const Feature& f : kFeatures) {
    if (found().has(f)) names += (names.empty() ? "" : " ") + std::string(f.name);
  }
  return names;
}

}  // namespace sparkmill::kernels

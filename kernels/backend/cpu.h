// SPDX-License-Identifier: Apache-2.0
// Instruction sets of this processor that the CPU rows are compiled for, and whether the operating system saves their
// registers.
#pragma once

#include <string>

#include "kernels/kernel.h"

namespace sparkmill::kernels {

enum class Isa {
  avx2,
  avxvnni,     ///< avx2 and VNNI on 256 bits
  avx512,      ///< with VPOPCNTDQ and BITALG
  avx512vnni,  ///< without them, with VNNI
  amx,         ///< avx512vnni and int8 tiles
  avx512ifma,  ///< 52-bit multiply-add (IFMA), without the counting and VNNI instructions
};

/// Yes or no with a sentence: which bits CPUID shows, which one is missing, or that XCR0 withholds the registers.
/// Covers every flag of cmake/isa.cmake, since the compiler may use any of them.
/// For `amx` it also asks the system, once a process, to let us use the tiles.
Probe probe_isa(Isa isa);

/// Probe of plain code, which every processor runs: yes on the device "cpu".
Probe probe_plain(const Device& device);

/// Names of the instruction set bits found that matter here ("avx2 bmi2 avx512f ..."), for machine cards.
std::string isa_names();

}  // namespace sparkmill::kernels

// SPDX-License-Identifier: Apache-2.0
// Clocks and pinning for the benchmarks.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace sparkmill::bench {

/// Processor time of the calling thread in seconds: what others do on the core is not counted.
double thread_seconds();
/// Wall time in seconds.
double wall_seconds();

/// Cores this process may use, in order.
std::vector<unsigned> allowed_cores();
/// Pins the calling thread; false if the system refuses.
bool pin_to(unsigned core);
/// The same to several; threads that it starts from now on inherit them.
bool pin_to(std::span<const unsigned> cores);

/// Middle of the values; 0 for none.
double median(std::vector<double> values);

}  // namespace sparkmill::bench

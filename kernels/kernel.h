// SPDX-License-Identifier: Apache-2.0
// What every kernel row shares: devices, probes, rows. A row is one implementation of one family on one backend and
// ISA. Kernels get spans and a stop token; they never log, never open a socket, never start threads.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sparkmill::kernels {

enum class Family : std::uint8_t { match, tensority, ed25519, hash, secp256k1, rsa };
enum class Backend : std::uint8_t { reference, cpu, opencl, cuda, torch };

std::string_view name(Family family);
std::string_view name(Backend backend);

/// Something that runs kernels. Found by kernels/backend/*; ids are stable across runs:
/// "cpu", "opencl:<pci or platform.index>", "cuda:<pci>".
struct Device {
  std::string id;
  Backend backend = Backend::cpu;  ///< which backend reaches it (reference, cpu and torch rows run on "cpu")
  std::string name;                ///< e.g. "AMD EPYC", "NVIDIA H200"
  std::string driver;              ///< driver or runtime version
  std::string pci;                 ///< "0000:01:00.0" or empty
  std::uint64_t memory_bytes = 0;
  unsigned lanes = 1;    ///< how many kernel instances it makes sense to run at once (CPU: usable cores)
  unsigned ordinal = 0;  ///< index within its backend, for the backend's own use
};

/// Answer to "can this row run on that device?"; `why` is one plain sentence, shown to users in both cases.
struct Probe {
  bool ok = false;
  std::string why;
};

/// One instance serves one thread at a time.
class Kernel {
 public:
  virtual ~Kernel() = default;
  /// Id of the row that really runs, for the test that nothing replaced a forced row; empty where the class itself says
  /// it (one class a row).
  virtual std::string row_id() const { return {}; }
  /// How it runs here where there was a choice ("multiplies with wgmma"), one sentence for users; may be empty.
  virtual std::string note() const { return {}; }
};

struct Row {
  Family family;
  Backend backend;
  std::string_view isa;  ///< "avx2", "avx512", "" where it means nothing
  int rank;              ///< higher is tried first; a stored tuning result overrides it
  unsigned revision;     ///< raise when the code changes speed or results: voids stored tuning
  Probe (*probe)(const Device& device);
  Result<std::unique_ptr<Kernel>> (*make)(const Device& device);
  /// "match/cpu/avx512", "match/reference": what users type and see.
  std::string id() const;
};

}  // namespace sparkmill::kernels

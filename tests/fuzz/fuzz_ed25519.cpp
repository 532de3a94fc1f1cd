// SPDX-License-Identifier: Apache-2.0
// Keys, commitments and scalars of any bytes: the CPU rows of this processor and the arithmetic of devices give the
// oracle's verdict and evidence. Input: policy, key, signature, message.
#include <cstdlib>
#include <memory>

#include "kernels/ed25519/device_batch.h"
#include "kernels/registry.h"

namespace {

using namespace sparkmill;
using namespace sparkmill::ed25519;

void demand(bool holds) {
  if (!holds) std::abort();
}

struct Answer {
  std::uint8_t valid = 9;
  Hash32 evidence{};
  bool operator==(const Answer&) const = default;
};

Answer ask(Kernel& kernel, Policy policy, const kernels::SignatureBatch& batch) {
  Answer a;
  demand(kernel.verify_vartime(policy, batch, {{&a.valid, 1}, a.evidence}, StopToken()).ok());
  return a;
}

struct Rows {
  std::vector<std::unique_ptr<kernels::Kernel>> list;  ///< the oracle first
  std::vector<sm_u32> base = device_base_table();
  Rows() {
    for (const char* id : {"reference", "cpu/avx512", "cpu/avx2"}) {
      const kernels::Row* row = kernels::find_row(kernels::Family::ed25519, id);
      kernels::Device cpu;
      cpu.id = "cpu";
      if (row == nullptr || !row->probe(cpu).ok) continue;
      list.push_back(std::move(*row->make(cpu)));
    }
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1 + kKeyBytes + kSignatureBytes) return 0;
  static Rows rows;
  const Policy policy = kPolicies[data[0] % kPolicies.size()];
  const ByteView input(data + 1, size - 1);
  const ByteView key = input.first(kKeyBytes), signature = input.subspan(kKeyBytes, kSignatureBytes);
  const ByteView message = input.subspan(kKeyBytes + kSignatureBytes);
  const std::uint64_t offsets[] = {0, message.size()};
  const kernels::SignatureBatch batch{1, key, signature, message, offsets};
  const Answer want = ask(dynamic_cast<Kernel&>(*rows.list[0]), policy, batch);
  for (const auto& row : rows.list) demand(ask(dynamic_cast<Kernel&>(*row), policy, batch) == want);
  sm_fe point;
  Answer device;
  device.valid =
      static_cast<std::uint8_t>(sm_ed25519_verify(key.data(), signature.data(), message.data(), message.size(),
                                                  rows.base.data(), device_flags(policy, true), &point));
  std::memcpy(device.evidence.data(), point.v, sizeof point.v);
  demand(device == want);
  return 0;
}

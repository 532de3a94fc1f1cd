// SPDX-License-Identifier: Apache-2.0
// Keys and signatures of any bytes: the CPU rows of this processor and the arithmetic of devices give the oracle's
// verdict and evidence. Input: encoding and a form, key, signature, message. Forms put n and the signature where ranges
// end: bits set in n, the signature n, n - 1, or EM itself.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "kernels/registry.h"
#include "kernels/rsa/device.h"
#include "kernels/rsa/encoding.h"

namespace {

using namespace sparkmill;
using namespace sparkmill::rsa;

void demand(bool holds) {
  if (!holds) std::abort();
}

struct Answer {
  std::uint8_t valid = 9;
  std::array<std::uint8_t, kEvidenceBytes> evidence{};
  bool operator==(const Answer&) const = default;
};

Answer ask(Kernel& kernel, Encoding encoding, const kernels::SignatureBatch& batch) {
  Answer a;
  demand(kernel.verify_vartime(encoding, batch, {{&a.valid, 1}, a.evidence}, StopToken()).ok());
  return a;
}

struct Rows {
  std::vector<std::unique_ptr<kernels::Kernel>> list;  ///< the oracle first
  Rows() {
    for (const char* id : {"reference", "cpu/avx512", "cpu/avx2"}) {
      const kernels::Row* row = kernels::find_row(kernels::Family::rsa, id);
      kernels::Device cpu;
      cpu.id = "cpu";
      if (row == nullptr || !row->probe(cpu).ok) continue;
      list.push_back(std::move(*row->make(cpu)));
    }
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1 + kModulusBytes + kSignatureBytes) return 0;
  static Rows rows;
  const Encoding encoding = kEncodings[data[0] & 1];
  const ByteView input(data + 1, size - 1);
  Bytes key(input.begin(), input.begin() + kModulusBytes);
  Bytes signature(input.begin() + kModulusBytes, input.begin() + kModulusBytes + kSignatureBytes);
  Bytes message(input.begin() + kModulusBytes + kSignatureBytes, input.end());
  message.resize(encoding == Encoding::draw ? std::clamp<std::size_t>(message.size(), 1, kMostDrawBytes) : kHashBytes);
  if ((data[0] & 2) == 0) {
    key.front() |= 0x80;
    key.back() |= 1;
  }
  const unsigned form = data[0] >> 2 & 3;
  if (form != 0) signature = key;
  if (form == 2) signature.back() ^= 1;
  if (form == 3) {
    const auto em = encoded(encoding, message);
    signature.assign(em.begin(), em.end());
  }
  const std::uint64_t offsets[] = {0, message.size()};
  const kernels::SignatureBatch batch{1, key, signature, message, offsets};
  const Answer want = ask(dynamic_cast<Kernel&>(*rows.list[0]), encoding, batch);
  for (const auto& row : rows.list) demand(ask(dynamic_cast<Kernel&>(*row), encoding, batch) == want);
  Answer device;
  device.valid = static_cast<std::uint8_t>(sm_rsa_verify(key.data(), signature.data(), message.data(),
                                                         static_cast<sm_u32>(message.size()),
                                                         static_cast<sm_u32>(encoding), 1, device.evidence.data()));
  demand(device == want);
  return 0;
}

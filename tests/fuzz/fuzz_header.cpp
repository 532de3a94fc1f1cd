// SPDX-License-Identifier: Apache-2.0
// Serialised block headers: what parses comes out the same, and no integer of it is 2^63 or more.
#include <cstdlib>

#include "base/hex.h"
#include "verify/chain/difficulty.h"
#include "verify/chain/header.h"

namespace {

void demand(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sparkmill;
  const ByteView in(data, size);
  const auto parsed = chain::parse_header(in);
  if (!parsed) {
    demand(parsed.error().code == Status::bad_input && !parsed.error().message.empty());
    return 0;
  }
  demand(parsed->nonce <= chain::kMaxVarint63 && parsed->bits <= chain::kMaxVarint63);
  const auto written = chain::serialise(*parsed);
  demand(written.ok() && *written == Bytes(in.begin(), in.end()));
  const auto of_hex = chain::header_from_hex(to_hex(in));
  demand(of_hex.ok() && *of_hex == *parsed);
  const chain::Target target = chain::target_from_bits(parsed->bits);
  if (target.kind == chain::Target::Kind::limit) demand(chain::meets(target.value, target));
  demand(!chain::target_text(parsed->bits).empty());
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
// Answers of a Bytom node: work that is taken can be submitted, and comes out of both forms the same. The first byte
// picks the answer.
#include <cstdlib>

#include "base/hex.h"
#include "worker/source/bytom_messages.h"

namespace {

using namespace sparkmill;
using namespace sparkmill::mining;

void demand(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  http::Response response;
  response.status = (data[0] & 0x80) != 0 ? 500 : 200;
  response.body.assign(data + 1, data + size);
  switch (data[0] % 4) {
    case 0:
    case 1: {
      const auto work = bytom::read_work(data[0] % 2 == 1, response);
      if (!work) {
        demand(!work.error().message.empty());
        break;
      }
      for (const bool json : {false, true}) {
        const auto request = bytom::submit_work(json, work->header, "id:token");
        demand(request.ok() && !request->body.empty());
      }
      demand(chain::target_from_bits(work->header.bits).possible());
      break;
    }
    case 2: {
      const bytom::Verdict v = bytom::read_submit(response);
      demand(v.end != ShareEnd::not_sent);
      demand((v.end == ShareEnd::accepted) == (v.reason == ShareReason::none));
      break;
    }
    default: {
      const auto header = bytom::read_block_header(response);
      if (header) demand(chain::serialise(*header).ok());
    }
  }
  return 0;
}

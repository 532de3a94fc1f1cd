// SPDX-License-Identifier: Apache-2.0
// What reaches the node or its client over HTTP: JSON messages, the signature header, commit and opening envelopes.
// The first byte picks the parser. What parses must come out again the same.
#include <cstdlib>

#include "node/protocol/messages.h"
#include "node/protocol/signing.h"
#include "verify/proof/proof.h"

namespace {

using namespace sparkmill;

void demand(bool holds) {
  if (!holds) std::abort();
}

template <class Read>
void round_trip(std::string_view text, Read read) {
  const auto first = read(text);
  if (!first) {
    demand(!first.error().message.empty());
    return;
  }
  const std::string written = protocol::to_json(*first);
  const auto second = read(written);
  demand(second.ok() && protocol::to_json(*second) == written);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView body(data + 1, size - 1);
  const std::string_view text = sparkmill::text(body);
  switch (data[0] % 13) {
    case 0: round_trip(text, protocol::info_from_json); break;
    case 1: round_trip(text, protocol::registration_from_json); break;
    case 2: round_trip(text, protocol::lease_request_from_json); break;
    case 3: round_trip(text, protocol::leases_from_json); break;
    case 4: round_trip(text, protocol::renewal_from_json); break;
    case 5: round_trip(text, protocol::commit_answer_from_json); break;
    case 6: round_trip(text, protocol::receipt_from_json); break;
    case 7: round_trip(text, protocol::block_from_json); break;
    case 8: round_trip(text, protocol::account_from_json); break;
    case 9: {
      const auto s = protocol::parse_signature(text);
      if (s) {
        const auto again = protocol::parse_signature(protocol::format(*s));
        demand(again.ok() && protocol::format(*again) == protocol::format(*s));
      }
      break;
    }
    case 10: {
      // The signature cannot be guessed by a fuzzer, so the body is also parsed by itself.
      demand(!proof::decode(body, 1u << 20).ok() || size > proof::kEnvelopeOverhead);
      const auto c = proof::decode_commit(body);
      if (c) demand(proof::encode(*c) == Bytes(body.begin(), body.end()));
      break;
    }
    case 11: demand(protocol::error_from_json(text, 500).code != Status::ok); break;
    default: {
      const auto envelope = proof::decode(body, 64);
      demand(!envelope.ok() || envelope->body.size() <= 64);
    }
  }
  return 0;
}

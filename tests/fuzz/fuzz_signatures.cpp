// SPDX-License-Identifier: Apache-2.0
// Every decoder of signatures meets any bytes: the packed stream, JSON lines, DER, VRF proofs, MuSig2 messages. What is
// taken is written again to the same bytes. The first byte says which decoder.
#include <algorithm>
#include <cstdlib>
#include <limits>

#include "verify/signatures/ecdsa.h"
#include "verify/signatures/ecvrf.h"
#include "verify/signatures/json_lines.h"
#include "verify/signatures/musig2.h"
#include "verify/signatures/stream.h"

namespace {

using namespace sparkmill;
using namespace sparkmill::signatures;

void demand(bool holds) {
  if (!holds) std::abort();
}

bool same(const Form& form, const Items& a, const Items& b) {
  if (a.count != b.count) return false;
  for (std::size_t i = 0; i < a.count; ++i) {
    const auto equal = [](ByteView x, ByteView y) { return std::equal(x.begin(), x.end(), y.begin(), y.end()); };
    if (!equal(a.key(form, i), b.key(form, i)) || !equal(a.signature(form, i), b.signature(form, i)) ||
        !equal(a.message(i), b.message(i))) {
      return false;
    }
  }
  return true;
}

void packed(ByteView input) {
  const auto list = decode_stream(input, "fuzz", 1000);
  if (!list) return;
  demand(check(list->form(), list->view()).ok());
  const auto again = decode_stream(encode_stream(list->form(), list->view()), "fuzz", 1000);
  demand(again.ok() && same(list->form(), again->view(), list->view()));
}

void json_lines(ByteView input, const Form* form) {
  std::size_t at = 0;
  const auto read = [&](std::span<std::uint8_t> into) -> Result<std::size_t> {
    const std::size_t n = std::min({into.size(), std::size_t{61}, input.size() - at});
    std::copy_n(input.begin() + static_cast<std::ptrdiff_t>(at), n, into.begin());
    at += n;
    return n;
  };
  auto reader = JsonLinesReader::open(read, "fuzz", form);
  if (!reader) return;
  ItemList list(reader->form());
  while (reader->next(list, 5, 1u << 16) && list.count() != 0) demand(check(list.form(), list.view()).ok());
}

void musig2(ByteView input) {
  if (input.size() < 99) return;
  PublicNonce nonce{};
  std::copy_n(input.begin(), nonce.size(), nonce.begin());
  PlainKey key{};
  std::copy_n(input.begin() + 66, key.size(), key.begin());
  const std::vector<PlainKey> keys = {key, key};
  (void)aggregate_nonces({&nonce, 1});
  const Session session{nonce, keys, {}, input.subspan(99)};
  (void)verify_partial(session, Bytes(32, 1), nonce, key);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView input(data + 1, size - 1);
  // Curve arithmetic is a thousand times slower than decoding: it gets a small share.
  const unsigned which = data[0] % 32;
  switch (which < 8 ? which : which % 6) {
    case 0: packed(input); break;
    case 1: json_lines(input, nullptr); break;
    case 2: json_lines(input, *form_named("ed25519", "go")); break;
    case 3: json_lines(input, *form_named("ecdsa_recover", "tron_multisign")); break;
    case 4: json_lines(input, *form_named("ecdsa", "compressed_der")); break;
    case 5:
      // What is taken is the one encoding of its numbers.
      if (const auto parsed = parse_der(input)) {
        const Bytes again = encode_der(*parsed);
        demand(std::equal(again.begin(), again.end(), input.begin(), input.end()));
      }
      break;
    case 6:
      if (input.size() >= 32) {
        const VrfSuite suite = size % 2 == 0 ? VrfSuite::tai : VrfSuite::ell2;
        const std::size_t proof = std::min(kVrfProofBytes, input.size() - 32);
        (void)vrf_verify_vartime(suite, input.first(32), input.subspan(32, proof), input.subspan(32 + proof));
      }
      break;
    default: musig2(input); break;
  }
  return 0;
}

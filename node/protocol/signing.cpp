// SPDX-License-Identifier: Apache-2.0
#include "node/protocol/signing.h"

#include "base/hash.h"
#include "base/hex.h"

namespace sparkmill::protocol {

namespace {

/// Takes "key=value" with optional blanks before it off the front of `rest`; the value ends at ',' or the end.
Result<std::string_view> take(std::string_view& rest, std::string_view key, std::size_t max_size, bool last = false) {
  const std::string what = "Sparkmill-Signature: " + std::string(key);
  while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
  if (rest.substr(0, key.size()) != key || rest.substr(key.size(), 1) != "=") {
    return fail(Status::bad_input, what + " expected here", "worker=<hex>, time=<ms>, nonce=<hex>, sig=<hex>");
  }
  rest.remove_prefix(key.size() + 1);
  const std::size_t end = rest.find(',');
  if (last && end != std::string_view::npos) return fail(Status::bad_input, what + " must end the header");
  const std::string_view value = rest.substr(0, end);
  if (value.size() > max_size) return fail(Status::bad_input, what + " is too long");
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return value;
}

Result<std::uint64_t> decimal(std::string_view digits) {
  if (digits.empty() || digits.size() > 18)
    return fail(Status::bad_input, "Sparkmill-Signature: time has a bad length");
  std::uint64_t v = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return fail(Status::bad_input, "Sparkmill-Signature: time is not a decimal number");
    v = v * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return v;
}

}  // namespace

std::string format(const RequestSignature& s) {
  return "worker=" + to_hex(s.worker_pub) + ", time=" + std::to_string(s.time_ms) + ", nonce=" + to_hex(s.nonce) +
         ", sig=" + to_hex(s.signature);
}

Result<RequestSignature> parse_signature(std::string_view header) {
  if (header.size() > 512) return fail(Status::bad_input, "Sparkmill-Signature: over 512 bytes");
  RequestSignature out;
  SPARKMILL_ASSIGN(const std::string_view worker, take(header, "worker", 64));
  SPARKMILL_ASSIGN(const std::string_view time, take(header, "time", 18));
  SPARKMILL_ASSIGN(const std::string_view nonce, take(header, "nonce", 32));
  SPARKMILL_ASSIGN(const std::string_view sig, take(header, "sig", 128, true));
  SPARKMILL_ASSIGN(out.worker_pub, array_from_hex<32>(worker, "Sparkmill-Signature: worker"));
  SPARKMILL_ASSIGN(out.time_ms, decimal(time));
  SPARKMILL_ASSIGN(out.nonce, array_from_hex<16>(nonce, "Sparkmill-Signature: nonce"));
  SPARKMILL_ASSIGN(out.signature, array_from_hex<64>(sig, "Sparkmill-Signature: sig"));
  return out;
}

Bytes request_text(const keys::PublicKey& node_pub, const Id16& boot_id, std::string_view method,
                   std::string_view target, ByteView body, std::uint64_t time_ms, const Id16& nonce) {
  ByteWriter w;
  w.bytes(node_pub).bytes(boot_id).len_bytes(method).len_bytes(target);
  w.bytes(sha256(body)).u64(time_ms).bytes(nonce);
  return std::move(w).data();
}

RequestSignature sign_request(const keys::SigningKey& request_key, const keys::PublicKey& worker_pub,
                              const keys::PublicKey& node_pub, const Id16& boot_id, std::string_view method,
                              std::string_view target, ByteView body, std::uint64_t time_ms) {
  RequestSignature out;
  out.worker_pub = worker_pub;
  out.time_ms = time_ms;
  out.nonce = random_array<16>();
  out.signature = request_key.sign("sparkmill/request/v1",
                                   request_text(node_pub, boot_id, method, target, body, time_ms, out.nonce));
  return out;
}

}  // namespace sparkmill::protocol

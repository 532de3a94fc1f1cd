// SPDX-License-Identifier: Apache-2.0
#include "verify/signatures/translate.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <string>

#include "kernels/ed25519/ed25519.h"
#include "kernels/rsa/rsa.h"
#include "kernels/secp256k1/reference.h"
#include "kernels/secp256k1/secp256k1.h"
#include "verify/signatures/addresses.h"
#include "verify/signatures/ecdsa.h"
#include "verify/signatures/ecvrf.h"
#include "verify/signatures/musig2.h"

namespace sparkmill::signatures::translate {
namespace {

/// The caller's kernel as one of the form's family.
template <class Kernel>
Result<Kernel*> as(const Call& call) {
  auto* kernel = dynamic_cast<Kernel*>(call.kernel);
  if (kernel != nullptr) return kernel;
  return fail(Status::bad_argument, std::string(call.form.scheme_name) + " needs a kernel of the family " +
                                        std::string(kernels::name(*call.form.family)));
}

/// Items in the kernel's shapes as they stand.
kernels::SignatureBatch as_they_are(const Items& items) {
  return {items.count, items.keys, items.signatures, items.messages, items.message_offsets};
}

/// Forgets what a kernel found of an item that a rule refuses.
void refuse(const Call& call, std::size_t i) {
  call.results.valid[i] = 0;
  const std::size_t each = call.form.evidence_bytes;
  if (!call.results.evidence.empty()) std::memset(call.results.evidence.data() + i * each, 0, each);
}

/// True when the key that r, s, v of one item give is the point at infinity, which java-tron takes for a signer: its
/// key is then the empty string.
bool recovers_nothing(ByteView recoverable, ByteView digest) {
  using Group = secp256k1::reference::Group<secp256k1::reference::Secp256k1>;
  const auto equation = Group::recovery(
      secp256k1::RecoverRule::unranged, secp256k1::from_big_endian(recoverable.data()),
      secp256k1::from_big_endian(recoverable.data() + 32), secp256k1::from_big_endian(digest.data()), recoverable[64]);
  return equation && Group::is_infinity(Group::sum(*equation));
}

struct EcdsaRules {
  std::size_t key_prefix;  ///< bytes in front of X || Y; the first must be 04
  bool compressed, der, low_s;
};
EcdsaRules ecdsa_rules(std::uint16_t policy) {
  const unsigned n = policy - 1u;  // 3 keys, then r || s or DER, then any s or low s
  return {n % 3 == 1 ? std::size_t{1} : std::size_t{0}, n % 3 == 2, n / 3 % 2 == 1, n / 6 == 1};
}

}  // namespace

Done ed25519(const Call& call) {
  SPARKMILL_ASSIGN(auto* kernel, as<ed25519::Kernel>(call));
  const auto policy = static_cast<ed25519::Policy>(call.form.policy - 1);
  return kernel->verify_vartime(policy, as_they_are(call.items), {call.results.valid, call.results.evidence},
                                call.stop);
}

Done bip340(const Call& call) {
  SPARKMILL_ASSIGN(auto* kernel, as<secp256k1::Kernel>(call));
  return kernel->verify_vartime(secp256k1::Check::bip340, as_they_are(call.items),
                                {call.results.valid, call.results.evidence}, call.stop);
}

Done rsa2048(const Call& call) {
  SPARKMILL_ASSIGN(auto* kernel, as<rsa::Kernel>(call));
  const auto encoding = call.form.policy == 1 ? rsa::Encoding::draw : rsa::Encoding::pkcs1_sha256;
  return kernel->verify_vartime(encoding, as_they_are(call.items), {call.results.valid, call.results.evidence},
                                call.stop);
}

Done ecdsa(const Call& call) {
  SPARKMILL_ASSIGN(auto* kernel, as<secp256k1::Kernel>(call));
  const EcdsaRules rules = ecdsa_rules(call.form.policy);
  const Items& items = call.items;
  kernels::SignatureBatch batch = as_they_are(items);
  Bytes keys, signatures;
  std::vector<std::size_t> refused;
  if (rules.key_prefix != 0) {
    keys.resize(items.count * secp256k1::kPublicKeyBytes);
    for (std::size_t i = 0; i < items.count; ++i) {
      const ByteView key = items.key(call.form, i);
      if (key[0] != 4) refused.push_back(i);
      std::memcpy(keys.data() + i * secp256k1::kPublicKeyBytes, key.data() + 1, secp256k1::kPublicKeyBytes);
    }
    batch.keys = keys;
  }
  if (rules.der) {
    // A malformed one stays r = s = 0, which no equation passes.
    signatures.resize(items.count * secp256k1::kSignatureBytes);
    for (std::size_t i = 0; i < items.count; ++i) {
      const auto parsed = parse_der(items.signature(call.form, i));
      if (parsed) std::memcpy(signatures.data() + i * parsed->size(), parsed->data(), parsed->size());
    }
    batch.signatures = signatures;
  }
  if (rules.low_s) {
    for (std::size_t i = 0; i < items.count; ++i) {
      if (!is_low_s(batch.signature(i, secp256k1::kSignatureBytes).subspan(32))) refused.push_back(i);
    }
  }
  const auto which = rules.compressed ? secp256k1::Check::ecdsa_compressed : secp256k1::Check::ecdsa;
  SPARKMILL_TRY(kernel->verify_vartime(which, batch, {call.results.valid, call.results.evidence}, call.stop));
  for (const std::size_t i : refused) refuse(call, i);
  return done();
}

Done recover(const Call& call) {
  SPARKMILL_ASSIGN(auto* kernel, as<secp256k1::Kernel>(call));
  const auto caller = static_cast<Caller>(call.form.policy);
  const Items& items = call.items;
  const std::size_t count = items.count;
  Bytes signatures(count * secp256k1::kRecoverableBytes);
  std::vector<std::size_t> refused;
  for (std::size_t i = 0; i < count; ++i) {
    const ByteView given = items.signature(call.form, i);
    std::uint8_t* to = signatures.data() + i * secp256k1::kRecoverableBytes;
    const auto id = recovery_id(caller, given.subspan(64));
    const bool taken = id && (!demands_low_s(caller) || is_low_s(given.subspan(32, 32)));
    // What is not taken stays r = 0 with an id over 3: no rule recovers from it.
    if (taken) std::memcpy(to, given.data(), 64);
    to[64] = taken ? *id : 0xff;
    if (!taken) refused.push_back(i);
  }
  Bytes own_keys;
  std::span<std::uint8_t> public_keys = call.results.public_keys;
  if (public_keys.empty()) {
    own_keys.resize(count * secp256k1::kPublicKeyBytes);
    public_keys = own_keys;
  }
  const kernels::SignatureBatch batch{count, {}, signatures, items.messages, items.message_offsets};
  const auto rule = ranges_r_and_s(caller) ? secp256k1::RecoverRule::in_range : secp256k1::RecoverRule::unranged;
  SPARKMILL_TRY(
      kernel->recover_vartime(rule, batch, {call.results.valid, call.results.evidence}, public_keys, call.stop));

  for (const std::size_t i : refused) refuse(call, i);
  Bytes addresses(count * 20);
  addresses_of(public_keys, addresses);
  if (caller == Caller::tron_transaction) {
    const auto nothing = address_of_nothing();
    for (std::size_t i = 0; i < count; ++i) {
      if (call.results.valid[i] != 0 ||
          !recovers_nothing(batch.signature(i, secp256k1::kRecoverableBytes), items.message(i))) {
        continue;
      }
      call.results.valid[i] = 1;
      std::copy(nothing.begin(), nothing.end(), addresses.begin() + static_cast<std::ptrdiff_t>(i * nothing.size()));
    }
  }
  const std::size_t prefix = is_tron(caller) ? 1 : 0;
  const std::size_t each = call.form.output_bytes;
  for (std::size_t i = 0; i < count; ++i) {
    std::uint8_t address[21] = {0x41};
    std::memcpy(address + prefix, addresses.data() + i * 20, 20);
    if (call.results.valid[i] == 0) std::memset(address, 0, sizeof address);
    if (!call.results.outputs.empty()) std::memcpy(call.results.outputs.data() + i * each, address, each);
    if (call.form.scheme == Scheme::ecdsa_address && std::memcmp(address, items.key(call.form, i).data(), each) != 0) {
      call.results.valid[i] = 0;
    }
  }
  return done();
}

Done musig2(const Call& call) {
  SPARKMILL_ASSIGN(auto* kernel, as<secp256k1::Kernel>(call));
  const Items& items = call.items;
  Bytes keys(items.count * secp256k1::kXOnlyKeyBytes), messages;
  std::vector<std::uint64_t> offsets{0};
  // Many votes are of one committee: each list is aggregated once.
  std::vector<std::vector<PlainKey>> lists;
  std::vector<std::size_t> whose;  // the list of an item
  std::map<std::string_view, std::size_t> known;
  for (std::size_t i = 0; i < items.count; ++i) {
    ByteReader message(items.message(i));
    const std::size_t signers = message.u16();
    const ByteView list = message.bytes(signers * sizeof(PlainKey));
    if (message.failed() || signers == 0) {
      return fail(Status::bad_input,
                  "musig2: item " + std::to_string(i) + ": its message of " + std::to_string(items.message(i).size()) +
                      " bytes does not begin with the keys of " + std::to_string(signers) + " signers",
                  "u16 signers | signers x 33-byte keys | message");
    }
    const auto [at, fresh] = known.emplace(text(list), lists.size());
    if (fresh) std::memcpy(lists.emplace_back(signers).data(), list.data(), list.size());
    whose.push_back(at->second);
    const ByteView rest = message.bytes(message.left());
    messages.insert(messages.end(), rest.begin(), rest.end());
    offsets.push_back(messages.size());
  }
  SPARKMILL_ASSIGN(const auto aggregates, aggregate_x_only(lists, *kernel, call.stop));
  std::vector<std::size_t> refused;
  for (std::size_t i = 0; i < items.count; ++i) {
    const std::optional<Hash32>& key = aggregates[whose[i]];
    if (key) std::memcpy(keys.data() + i * key->size(), key->data(), key->size());
    if (!key) refused.push_back(i);
  }
  SPARKMILL_TRY(kernel->verify_vartime(secp256k1::Check::bip340,
                                       {items.count, keys, items.signatures, messages, offsets},
                                       {call.results.valid, call.results.evidence}, call.stop));
  for (const std::size_t i : refused) refuse(call, i);
  return done();
}

Done ecvrf(const Call& call) {
  const VrfSuite suite = call.form.policy == 1 ? VrfSuite::tai : VrfSuite::ell2;
  // One a thread: an instance serves one thread at a time. nullptr: this processor has no lanes for it.
  thread_local const std::unique_ptr<ed25519::VrfKernel> lanes = ed25519::make_vrf_kernel();
  if (lanes != nullptr) {
    const Items& items = call.items;
    return lanes->verify_vartime(suite,
                                 {items.count, items.keys, items.signatures, items.messages, items.message_offsets},
                                 {call.results.valid, call.results.evidence, call.results.outputs}, call.stop);
  }
  for (std::size_t i = 0; i < call.items.count; ++i) {
    if (call.stop.stop_requested()) return fail(Status::cancelled, "stopped");
    VrfEvidence evidence{};
    const auto beta = vrf_verify_vartime(suite, call.items.key(call.form, i), call.items.signature(call.form, i),
                                         call.items.message(i), call.results.evidence.empty() ? nullptr : &evidence);
    call.results.valid[i] = beta ? 1 : 0;
    if (!call.results.evidence.empty()) {
      std::memcpy(call.results.evidence.data() + i * evidence.size(), evidence.data(), evidence.size());
    }
    if (!call.results.outputs.empty()) {
      const VrfOutput output = beta.value_or(VrfOutput{});
      std::memcpy(call.results.outputs.data() + i * output.size(), output.data(), output.size());
    }
  }
  return done();
}

}  // namespace sparkmill::signatures::translate

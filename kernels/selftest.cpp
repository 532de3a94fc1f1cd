// SPDX-License-Identifier: Apache-2.0
// Runs the known answers of kernels/<family>/vectors.h.
#include "kernels/selftest.h"

#include <algorithm>
#include <string>

#include "kernels/ed25519/ed25519.h"
#include "kernels/ed25519/known.h"
#include "kernels/hash/known.h"
#include "kernels/match/known.h"
#include "kernels/rsa/known.h"
#include "kernels/secp256k1/known.h"
#include "kernels/tensority/known.h"
#include "kernels/tensority/tensority.h"

namespace sparkmill::kernels {
namespace {

std::string first_difference(const match::TileResults& got, const match::KnownAnswer& want) {
  for (std::size_t d = 0; d < want.digests.size(); ++d) {
    if (d >= got.digests.size() || got.digests[d] != want.digests[d]) return "digest " + std::to_string(d);
  }
  if (got.digests.size() != want.digests.size()) return "number of digests";
  if (!std::equal(got.counts.begin(), got.counts.end(), want.counts.begin(), want.counts.end())) return "pair counts";
  if (got.pairs.size() != want.pairs.size()) return "number of pairs";
  for (std::size_t p = 0; p < want.pairs.size(); ++p) {
    if (got.pairs[p] != want.pairs[p]) return "pair " + std::to_string(p);
  }
  return {};
}

Done match_self_test(std::string_view row_id, match::Kernel& kernel) {
  for (const match::KnownAnswer& known : match::known_answers()) {
    const match::KnownTask task(known);
    for (const bool force_masked : {false, true}) {
      match::TileResults got;
      SPARKMILL_TRY(kernel.run(task.task(force_masked), got, StopToken()));
      const std::string difference = first_difference(got, known);
      if (!difference.empty()) {
        return fail(Status::self_test_failed,
                    "row " + std::string(row_id) + ", known answer \"" + std::string(known.name) + "\": " + difference +
                        " is wrong",
                    "this device or its driver computes wrong results; it must not be used");
      }
    }
  }
  return done();
}

/// All answers in one batch; the oracle, a second a hash, gives the first alone.
Done tensority_self_test(std::string_view row_id, tensority::Kernel& kernel) {
  const auto known = tensority::known_answers();
  const std::size_t count = kernel.row_id() == "tensority/reference" ? 1 : known.size();
  SPARKMILL_ASSIGN(const auto epoch, tensority::Epoch::build(tensority::known_seed()));
  std::vector<Hash32> headers, results(count);
  for (const tensority::KnownAnswer& k : known.first(count)) headers.push_back(k.header_hash);
  SPARKMILL_TRY(kernel.hash(*epoch, headers, results, StopToken()));
  for (std::size_t k = 0; k < count; ++k) {
    if (results[k] == known[k].result) continue;
    return fail(
        Status::self_test_failed,
        "row " + std::string(row_id) + ", known answer \"" + std::string(known[k].name) + "\": the hash is wrong",
        "this device or its driver computes wrong results; it must not be used");
  }
  return done();
}

/// All answers in one batch, once for each policy; evidence under `go`.
Done ed25519_self_test(std::string_view row_id, ed25519::Kernel& kernel) {
  const auto known = ed25519::known_answers();
  Bytes keys, signatures, messages;
  std::vector<std::uint64_t> offsets{0};
  for (const ed25519::KnownAnswer& k : known) {
    keys.insert(keys.end(), k.key.begin(), k.key.end());
    signatures.insert(signatures.end(), k.signature.begin(), k.signature.end());
    messages.insert(messages.end(), k.message.begin(),
                    k.message.begin() + static_cast<std::ptrdiff_t>(k.message_bytes));
    offsets.push_back(messages.size());
  }
  const SignatureBatch batch{known.size(), keys, signatures, messages, offsets};
  Bytes valid(known.size()), evidence(known.size() * ed25519::kEvidenceBytes);
  for (std::size_t p = 0; p < ed25519::kPolicies.size(); ++p) {
    const std::span<std::uint8_t> wanted = p == 0 ? std::span<std::uint8_t>(evidence) : std::span<std::uint8_t>();
    SPARKMILL_TRY(kernel.verify_vartime(ed25519::kPolicies[p], batch, {valid, wanted}, StopToken()));
    for (std::size_t i = 0; i < known.size(); ++i) {
      const bool same =
          p != 0 || std::equal(known[i].evidence.begin(), known[i].evidence.end(),
                               evidence.begin() + static_cast<std::ptrdiff_t>(i * ed25519::kEvidenceBytes));
      if (valid[i] == (known[i].valid >> p & 1) && same) continue;
      return fail(Status::self_test_failed,
                  "row " + std::string(row_id) + ", known answer \"" + std::string(known[i].name) + "\", policy " +
                      std::string(ed25519::name(ed25519::kPolicies[p])) + ": the " + (same ? "verdict" : "evidence") +
                      " is wrong",
                  "this device or its driver computes wrong results; it must not be used");
    }
  }
  return done();
}

}  // namespace

Done self_test(Family family, std::string_view row_id, Kernel& kernel) {
  switch (family) {
    case Family::match: {
      auto* match_kernel = dynamic_cast<match::Kernel*>(&kernel);
      if (match_kernel == nullptr) return fail(Status::internal, std::string(row_id) + " is not a match kernel");
      return match_self_test(row_id, *match_kernel);
    }
    case Family::tensority: {
      auto* tensority_kernel = dynamic_cast<tensority::Kernel*>(&kernel);
      if (tensority_kernel == nullptr)
        return fail(Status::internal, std::string(row_id) + " is not a tensority kernel");
      return tensority_self_test(row_id, *tensority_kernel);
    }
    case Family::ed25519: {
      auto* ed25519_kernel = dynamic_cast<ed25519::Kernel*>(&kernel);
      if (ed25519_kernel == nullptr) return fail(Status::internal, std::string(row_id) + " is not an ed25519 kernel");
      return ed25519_self_test(row_id, *ed25519_kernel);
    }
    case Family::hash: {
      auto* hash_kernel = dynamic_cast<hashes::Kernel*>(&kernel);
      if (hash_kernel == nullptr) return fail(Status::internal, std::string(row_id) + " is not a hash kernel");
      return hashes::check_known_answers(row_id, *hash_kernel);
    }
    case Family::secp256k1: {
      auto* secp256k1_kernel = dynamic_cast<secp256k1::Kernel*>(&kernel);
      if (secp256k1_kernel == nullptr)
        return fail(Status::internal, std::string(row_id) + " is not a secp256k1 kernel");
      return secp256k1::check_known_answers(row_id, *secp256k1_kernel);
    }
    case Family::rsa: {
      auto* rsa_kernel = dynamic_cast<rsa::Kernel*>(&kernel);
      if (rsa_kernel == nullptr) return fail(Status::internal, std::string(row_id) + " is not an rsa kernel");
      return rsa::check_known_answers(row_id, *rsa_kernel);
    }
  }
  return fail(Status::internal, "no self-test for this family");
}

}  // namespace sparkmill::kernels

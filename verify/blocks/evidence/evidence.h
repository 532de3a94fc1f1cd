// SPDX-License-Identifier: Apache-2.0
// Consensus evidence as JSON items, {"kind": .., "in": {..}}: what vector files hold and what people hand to
// `sparkmill verify-blocks`. Items of one kind are decoded, checked in one batch over the kernels, and answered with
// the object that a vector file has under "expect".
//
// Source: "Consensus evidence", head; docs/evidence.md for the fields of each kind.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/stop.h"
#include "kernels/hash/hash.h"
#include "kernels/rsa/rsa.h"
#include "kernels/secp256k1/secp256k1.h"

namespace sparkmill::evidence {

enum class System : std::uint8_t { bttc, btn };
std::string_view name(System system);

/// What a batch runs on; a null kernel refuses the kinds that need it (unsupported).
struct Kernels {
  hashes::Kernel* hash = nullptr;
  secp256k1::Kernel* secp256k1 = nullptr;
  rsa::Kernel* rsa = nullptr;
};

struct Answer {
  std::string json;    ///< the answer, one line; empty when the item could not be read
  bool ok = false;     ///< what the item claims is so; kinds that only compute say true
  std::string reason;  ///< first failing check; empty: ok, or a kind without reasons
  Error error;         ///< why the item could not be read; names the field
  bool read() const { return !json.empty(); }
};

struct Options {
  bool canonical = false;  ///< policy canonical, else contract, decides `ok` and `reason` of a checkpoint;
  bool stake = false;      ///< and rule stake, else count. All four columns stand in the JSON.
  bool sign = false;       ///< also answer items that hold a secret and ask for its signature: vector files only
};

/// Kinds of a system, for messages and help.
std::vector<std::string_view> kinds(System system);
/// True when this is a case of the system: "kind" is one of its kinds, "in" an object with the kind's first field.
bool is_item(System system, const nlohmann::json& item);

/// Answers in the order of the items. A malformed item is an answer with an error, never a crash. Errors: only those of
/// the kernels.
Result<std::vector<Answer>> answer(System system, std::span<const nlohmann::json> items, const Kernels& kernels,
                                   const Options& options, const StopToken& stop);

/// What differs between an answer and the "expect" of a vector case; empty: every field of `expect` is there and equal.
std::string difference(const Answer& answer, const nlohmann::json& expect);

}  // namespace sparkmill::evidence

// SPDX-License-Identifier: Apache-2.0
// Items of those kinds that are paid work, too (pack.h), read from their fields. A field that does not fit throws
// Malformed, one over a limit OverLimit, a value without a check Refused. Private to verify/blocks/evidence.
#pragma once

#include <memory>

#include "verify/blocks/btn/seal.h"
#include "verify/blocks/bttc/checkpoint.h"
#include "verify/blocks/bttc/exit.h"
#include "verify/blocks/evidence/fields.h"

namespace sparkmill::evidence {

inline constexpr std::size_t kMaxStates = 1u << 20;   ///< processed ids, seen events
inline constexpr std::size_t kMaxKeyText = 4096;      ///< bytes of a key or signature in a text; right ones have 256
inline constexpr std::uint64_t kMaxU32 = 0xffffffff;  ///< for integers of 32 bits

bttc::Amount read_amount(const Fields& f, const char* field);
/// [r, s, v]
bttc::SignatureWords read_words(const Json& list, const std::function<std::string()>& what);

struct CheckpointCase {
  std::vector<bttc::Validator> validators;
  bttc::ChainState state;  ///< without its set
  Bytes data;
  std::vector<bttc::SignatureWords> signatures;
};
CheckpointCase read_checkpoint(const Fields& f);

struct ExitCase {
  bttc::ExitState state;
  Bytes payload;
};
ExitCase read_exit(const Fields& f);

/// A draw or vote that owns its bytes.
struct OwnedDraw {
  Bytes n;
  std::uint32_t round = 0;
  Bytes signature;
  btn::Draw view() const { return {n, round, signature}; }
};
OwnedDraw read_draw(const Fields& f);
std::vector<OwnedDraw> read_draws(const Fields& f);
inline std::uint32_t read_u32(const Fields& f, const char* field) {
  return static_cast<std::uint32_t>(f.integer(field, kMaxU32));
}

/// Moves with its views: they point into vectors, which keep their memory.
struct BlockCase {
  std::array<std::vector<btn::Modulus>, 2> moduli;   ///< primary, secondary
  std::unique_ptr<std::array<btn::KeySet, 2>> sets;  ///< of these; stays where it is
  btn::BlockRules rules;
  std::vector<OwnedDraw> owned;  ///< draws, then the seal, then votes
  Bytes header, clerk_signature;
  btn::Block block;
};
BlockCase read_btn_block(const Fields& f);

struct EquivocationCase {
  Bytes n, signature_a, signature_b;
  btn::Equivocation item;
};
EquivocationCase read_equivocation(const Fields& f);

}  // namespace sparkmill::evidence

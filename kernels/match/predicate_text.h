// SPDX-License-Identifier: Apache-2.0
// The readable form of predicates, to byte-code and back.
//
//   expression = leaf | and(e, ...) | or(e, ...) | any(t, e, ...) | not(e) | seq(e, e) | wsum(term, ..., >= number)
//   program    = expression | limit(count, expression)
//   leaf       = name.dot >= number | name.frac(w2/w1) [>= number] | name.valid >= count | name.valid <= count
//   term       = [weight *] name.dot [>= number] | [weight *] name.frac(w2/w1) [>= number]
//
// `name.frac(2/7)` holds iff 7 dot - 2 K >= 0, i.e. ham/K <= 5/14. `name.valid >= 512` asks for 512 jointly valid
// elements: NOT(LEAF_FRAC(w1 = 0, w2 = 1, imm = 1 - 512)). A number inside a term is kept but decides nothing.
// Source: docs/formats.md.
#pragma once

#include <string>
#include <string_view>

#include "kernels/match/predicate.h"

namespace sparkmill::match {

inline constexpr std::size_t kMaxPredicateText = 16 * 1024;
inline constexpr std::size_t kMaxFieldName = 32;

/// A letter, then letters, digits, '_' or '-'; at most kMaxFieldName bytes.
bool valid_field_name(std::string_view name);

/// `names[f]` is field f. Error: bad_input; the message gives the column (from 1), what was expected and what stands
/// there.
Result<Predicate> parse_predicate(std::string_view text, std::span<const std::string> names);

/// Exact: parse_predicate(predicate_text(p, names), names) encodes to the same bytes as p. A field without a name is
/// written as "f" and its number. Requires valid, distinct names.
std::string predicate_text(const Predicate& predicate, std::span<const std::string> names);

}  // namespace sparkmill::match

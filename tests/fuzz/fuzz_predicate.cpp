// SPDX-License-Identifier: Apache-2.0
// Predicates: the input as byte-code and as text. What is accepted survives every round trip, and evaluating it on
// masks agrees with evaluating it pair by pair.
#include <cstdlib>
#include <string>
#include <vector>

#include "kernels/match/predicate_text.h"

namespace {

using namespace sparkmill;

const std::vector<std::string> kNames = {"face", "voice", "iris", "a", "b", "c", "d", "and"};

void check(const match::Predicate& p) {
  const Bytes code = p.encode();
  const auto decoded = match::Predicate::decode(code);
  if (!decoded || decoded->encode() != code) std::abort();
  const std::string text = match::predicate_text(p, kNames);
  const auto back = match::parse_predicate(text, kNames);
  if (!back || back->encode() != code) std::abort();
  const std::size_t leaves = p.leaves().size();
  // Pair b of the mask: score words from a fixed mix of b and the leaf.
  std::vector<std::uint64_t> masks(leaves, 0);
  std::vector<std::uint64_t> sums;
  for (const match::Op& op : p.ops()) {
    if (op.code == match::OpCode::wsum) sums.push_back(0);
  }
  std::uint64_t expected = 0;
  for (unsigned b = 0; b < 64; ++b) {
    std::vector<std::uint32_t> v(leaves);
    for (std::size_t l = 0; l < leaves; ++l) {
      const std::uint32_t mix = (b * 2654435761u) ^ static_cast<std::uint32_t>(l) * 40503u;
      const std::uint32_t k = mix >> 20;
      v[l] = (k == 0 ? 0 : mix % k) | k << 16;
      masks[l] |= std::uint64_t{p.leaves()[l].holds(v[l])} << b;
    }
    std::size_t w = 0;
    for (const match::Op& op : p.ops()) {
      if (op.code != match::OpCode::wsum) continue;
      std::int64_t sum = 0;
      for (const match::WeightedTerm& t : op.terms) sum += p.leaves()[t.leaf].score(v[t.leaf]) * t.weight;
      sums[w++] |= std::uint64_t{sum >= op.imm} << b;
    }
    expected |= std::uint64_t{p.matches(v)} << b;
  }
  std::uint64_t out = 0;
  std::vector<std::uint64_t> scratch;
  p.combine(masks, sums, 1, {&out, 1}, scratch);
  if (out != expected) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView bytes(data, size);
  const auto code = match::Predicate::decode(bytes);
  if (code) {
    const Bytes again = code->encode();
    if (!std::equal(again.begin(), again.end(), bytes.begin(), bytes.end())) std::abort();
    check(*code);
  }
  const auto parsed = match::parse_predicate(text(bytes), kNames);
  if (parsed) {
    check(*parsed);
  } else if (parsed.error().message.find("predicate") != 0) {
    std::abort();
  }
  return 0;
}

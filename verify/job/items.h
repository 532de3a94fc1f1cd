// SPDX-License-Identifier: Apache-2.0
// What the kinds over a list of items share (tensority.check, verify.batch, verify.blocks): each item gets a verdict
// byte and 32 bytes of evidence, hashed with the lease and the worker so that nobody can hand in another's.
// Leaf i = H(0x00 | u32 i | u8 verdict | evidence). Outcome::evidence: the items' evidence in order. Opening: that of
// the opened items. Slice result: u64 tag | u32 first | u32 count | count * (evidence[32] | u8 verdict); the tag ties
// it to job, lease and worker. Source: jobs and proofs 7.
#pragma once

#include <mutex>
#include <set>
#include <string>

#include "kernels/registry.h"
#include "verify/job/job.h"

namespace sparkmill::job {

inline constexpr std::size_t kEvidenceBytes = sizeof(Hash32);

/// Verdict 1 says that an item is good; every other byte says that it is not, and which one why. All claims of the
/// second sort are recomputed, with their reasons.
class ItemWork : public Work {
 public:
  ~ItemWork() override = default;
  std::unique_ptr<Work> rebind(const Binding& binding) const override;
  std::uint64_t units() const override { return units_before(items()); }
  std::uint64_t leaf_count() const override { return items(); }
  std::vector<Slice> slice(std::uint64_t target_units) const override;
  Result<Bytes> run(const Slice& slice, kernels::Kernel& kernel, const StopToken& stop) const override;
  Result<Outcome> assemble(std::span<const Bytes> slice_results) const override;
  Done recheck(const Outcome& outcome) const override;
  Result<Bytes> open(const Outcome& outcome, std::span<const std::uint64_t> leaves) const override;
  /// All opened items in one slice, so that kernels with many lanes are full.
  Result<OpeningCheck> check_opening(ByteView opening, std::span<const std::uint64_t> leaves, ByteView answer,
                                     Executor& executor) const override;
  Done check_answer(ByteView answer) const override;
  Result<Outcome> rebuild(ByteView evidence, ByteView answer) const override;

 protected:
  ItemWork() = default;
  /// Copies of a work share what they compute, never what they saw.
  ItemWork(const ItemWork& other) : Work(other), binding_(other.binding_), tag_(other.tag_) {}
  ItemWork& operator=(const ItemWork&) = delete;
  /// Ends every constructor and rebind(): derive keys here.
  virtual void bind(const Binding& binding);
  const Binding& binding() const { return binding_; }

  virtual std::unique_ptr<ItemWork> clone() const = 0;
  virtual std::string_view what() const = 0;  ///< the kind's name, for messages
  virtual std::size_t items() const = 0;
  /// Units of the first n items. Never falls; units_before(0) = 0.
  virtual std::uint64_t units_before(std::size_t n) const = 0;
  /// Decides the items with these indices (ascending): a verdict and the evidence of each. Both spans have their size.
  virtual Done decide(std::span<const std::uint32_t> indices, kernels::Kernel& kernel, const StopToken& stop,
                      std::span<std::uint8_t> verdicts, std::span<Hash32> evidence) const = 0;
  /// As decide, for a second look at bad items before they are handed in: kernels beside `kernel` are others, too.
  virtual Done decide_again(std::span<const std::uint32_t> indices, kernels::Kernel& kernel, const StopToken& stop,
                            std::span<std::uint8_t> verdicts, std::span<Hash32> evidence) const {
    return decide(indices, kernel, stop, verdicts, evidence);
  }
  /// The answer's layout, one verdict byte an item. Error: bad_input.
  virtual Bytes encode_answer(ByteView verdicts) const = 0;
  virtual Result<Bytes> decode_answer(ByteView answer) const = 0;
  /// Recomputes every item that `verdicts` calls bad, on rows not in `not_by` where there is another. Error: mismatch.
  virtual Done check_bad(ByteView verdicts, std::span<const std::string> not_by) const;

  Error bad(const std::string& why) const;

 private:
  struct Part;
  Result<Part> parse(ByteView bytes) const;

  Binding binding_;
  std::uint64_t tag_ = 0;
  std::vector<std::uint32_t> chosen_;  ///< for openings: slices then count along this list; empty: all items
  mutable std::mutex mutex_;
  mutable std::set<std::string> used_rows_;  ///< what recheck() must not use
};

/// Verdicts 0 and 1 as "u32 count | count bytes".
Bytes encode_verdict_bytes(ByteView verdicts);
/// Error: bad_input naming `what`, unless there are `count` bytes, none above `highest`.
Result<Bytes> decode_verdict_bytes(ByteView answer, std::size_t count, std::uint8_t highest, std::string_view what);
/// The same as "u32 count | ceil(count / 8) bytes": bit i mod 8, lowest first, of byte i / 8; unused bits 0.
Bytes encode_verdict_bits(ByteView verdicts);
Result<Bytes> decode_verdict_bits(ByteView answer, std::size_t count, std::string_view what);

/// The verdicts of what was not planted, in order. Requires `planted` to be ascending by its members `index`.
template <class Planted>
Bytes without_planted(ByteView verdicts, std::span<const Planted> planted) {
  Bytes rest;
  auto next = planted.begin();
  for (std::uint32_t at = 0; at < verdicts.size(); ++at) {
    if (next != planted.end() && next->index == at) {
      ++next;
    } else {
      rest.push_back(verdicts[at]);
    }
  }
  return rest;
}

/// The fastest row of the family on the processor that is not in `not_by` (row ids); the oracle when no other is left.
/// Errors: internal (no such row), what making it reports.
Result<std::unique_ptr<kernels::Kernel>> other_cpu_kernel(kernels::Family family, std::span<const std::string> not_by);

/// For split(): stretches of items as pieces. `params` and `blob` give a piece's own, for items [first, end).
Result<std::vector<Piece>> split_items(const Job& whole, const std::vector<Slice>& ranges, const KeepBlob& keep,
                                       const std::function<Bytes(std::size_t first, std::size_t end)>& params,
                                       const std::function<Bytes(std::size_t first, std::size_t end)>& blob,
                                       std::string_view what);
/// For combine(): the verdict bytes of pieces that cover `total` items once, in order. `decode` reads a piece's answer.
/// Error: bad_input (a gap or overlap).
Result<Bytes> join_verdicts(std::span<const PieceAnswer> parts, std::size_t total,
                            const std::function<Result<Bytes>(const PieceAnswer&)>& decode, std::string_view what);

}  // namespace sparkmill::job

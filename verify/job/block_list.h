// SPDX-License-Identifier: Apache-2.0
// What a chain brings to the job kind `verify.blocks`: how its items are decoded, what they cost, how they are judged.
// verify_blocks.cpp holds the table of chains and what they share. Private to verify/job.
#pragma once

#include <memory>
#include <vector>

#include "base/hash.h"
#include "verify/job/items.h"
#include "verify/job/verify_blocks.h"

namespace sparkmill::job {

inline constexpr std::string_view kBlocksName = "verify.blocks";
/// Verdicts: 0 is none, 1 says valid; a chain's words from 2 on are reasons, "other" stands for all without a number.
inline constexpr std::uint8_t kValid = 1;

inline Error bad_blocks(const std::string& why) {
  return fail(Status::bad_input, std::string(kBlocksName) + ": " + why);
}

/// Kernels on the processor beside the one that the lane brings. `again`: for a second look, another row than the best
/// where there is one.
class Helpers {
 public:
  explicit Helpers(bool again) : again_(again) {}
  /// Errors: those of other_cpu_kernel; internal.
  template <class K>
  Result<K*> get(kernels::Family family) {
    SPARKMILL_ASSIGN(auto made, make(family));
    auto* typed = dynamic_cast<K*>(made.get());
    if (typed == nullptr) return fail(Status::internal, "a row makes a kernel of another family");
    owned_.push_back(std::move(made));
    return typed;
  }

 private:
  Result<std::unique_ptr<kernels::Kernel>> make(kernels::Family family) const;
  bool again_;
  std::vector<std::unique_ptr<kernels::Kernel>> owned_;
};

/// T of an item: H("sparkmill/block-work/v1" | tag | own | points). `own`: what the chain computes beside signatures,
/// zeros where there is nothing. An item that no computation reached has zeros and no points.
Hash32 block_work(std::uint8_t tag, const Hash32& own, ByteView points);

/// The decoded items of a job. Immutable, shared by threads.
class BlockList {
 public:
  virtual ~BlockList() = default;
  virtual std::size_t size() const = 0;
  /// In the chain's unit: what an item costs after those before it. Cheap ones share a unit, so it may be 0; all
  /// together have at least 1.
  virtual std::uint64_t units(std::size_t index) const = 0;
  /// Verdict and T of each of these items, whatever else is among them. `kernel` is of the chain's family.
  virtual Done judge(std::span<const std::uint32_t> indices, kernels::Kernel& kernel, Helpers& helpers,
                     const StopToken& stop, std::span<std::uint8_t> verdicts, std::span<Hash32> work) const = 0;
  /// A blob of the items [first, end) and of what they refer to.
  virtual Bytes part(std::size_t first, std::size_t end) const = 0;
};

/// What stands in front of every blob.
inline constexpr std::size_t kBlobHeadBytes = 12;
void put_blob_head(ByteWriter& w, Chain chain, std::size_t items);
/// Error: unsupported, for a blob of another chain.
Done expect_chain(const BlockBlobHead& head, Chain chain);

/// One row a chain.
struct ChainRow {
  Chain chain;
  std::string_view name;
  kernels::Family family;
  std::string_view unit;
  std::uint64_t microcobble_per_gi_unit;
  std::uint64_t most_units;                 ///< judged in one go: bounds memory, whatever a slice has
  std::span<const std::string_view> words;  ///< by verdict; numbers are never reused
  /// `r` stands behind the head. What the items point to is kept by the caller. Errors: bad_input naming item and
  /// field.
  Result<std::unique_ptr<BlockList>> (*decode)(ByteReader& r, std::uint32_t count);
  std::uint8_t highest() const { return static_cast<std::uint8_t>(words.size() - 1); }
};
/// The number of a reason, or that of "other".
std::uint8_t verdict_of(std::span<const std::string_view> words, std::string_view reason);

Result<std::unique_ptr<BlockList>> decode_bytom_list(ByteReader& r, std::uint32_t count);
Result<std::unique_ptr<BlockList>> decode_bttc_list(ByteReader& r, std::uint32_t count);
Result<std::unique_ptr<BlockList>> decode_btn_list(ByteReader& r, std::uint32_t count);
extern const std::span<const std::string_view> kBytomWords, kBttcWords, kBtnWords;

}  // namespace sparkmill::job

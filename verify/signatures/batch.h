// SPDX-License-Identifier: Apache-2.0
// One call decides a batch of one form: verdicts as a bitmap with counts, and what was asked for beside them. Every
// item is decided by its own equation on a kernel row, exactly as the form says, whatever else is in the batch.
//
// A wrong signature is a result. Errors are for batches that contradict their own sizes, and name the item.
// Variable time: everything here is public.
// Source: the specification "Signatures and proofs" 1 to 5.
#pragma once

#include <cstdint>
#include <span>

#include "base/bytes.h"
#include "base/result.h"
#include "base/stop.h"
#include "verify/signatures/lanes.h"
#include "verify/signatures/scheme.h"

namespace sparkmill::signatures {

/// Item i: key i, signature i, message i. The caller keeps the memory.
struct Items {
  std::size_t count = 0;
  ByteView keys;        ///< count x form.key_bytes
  ByteView signatures;  ///< count x form.signature_bytes, or back to back as signature_offsets say
  std::span<const std::uint64_t> signature_offsets;  ///< count + 1 where form.signature_bytes is 0, else empty
  ByteView messages;                                 ///< back to back
  std::span<const std::uint64_t> message_offsets;    ///< count + 1, never falling

  ByteView key(const Form& form, std::size_t i) const { return keys.subspan(i * form.key_bytes, form.key_bytes); }
  ByteView signature(const Form& form, std::size_t i) const;
  ByteView message(std::size_t i) const {
    return messages.subspan(message_offsets[i], message_offsets[i + 1] - message_offsets[i]);
  }
  /// Items [begin, end) without copying. Requires begin <= end <= count.
  Items part(const Form& form, std::size_t begin, std::size_t end) const;
};

/// All sizes agree with the form. Errors: bad_argument (spans of the caller), bad_input naming the item.
Done check(const Form& form, const Items& items);

/// An owner of items that grows one by one: what decoders and generators fill.
class ItemList {
 public:
  explicit ItemList(const Form& form) : form_(&form) {}
  /// Error: bad_input naming the part ("key: 31 bytes, expected 32"), too_large; then nothing was added.
  Done add(ByteView key, ByteView signature, ByteView message);
  std::size_t count() const { return message_offsets_.size() - 1; }
  std::size_t bytes() const { return keys_.size() + signatures_.size() + messages_.size(); }
  const Form& form() const { return *form_; }
  void clear();  ///< keeps the memory
  Items view() const;

 private:
  friend class StreamReader;
  const Form* form_;
  Bytes keys_, signatures_, messages_;
  std::vector<std::uint64_t> signature_offsets_{0}, message_offsets_{0};
};

/// Where verify_on writes; memory of the caller. Empty spans: not wanted.
struct Results {
  std::span<std::uint8_t> valid;        ///< count bytes, 1 or 0
  std::span<std::uint8_t> evidence;     ///< count x form.evidence_bytes, as the kernels' contracts say
  std::span<std::uint8_t> outputs;      ///< count x form.output_bytes; zeros where the item is not valid
  std::span<std::uint8_t> public_keys;  ///< recovery: count x 64, X || Y; zeros where nothing was recovered
};

/// Decides all items on one kernel of the form's family (nullptr where it has none): what a slice of a job does.
/// Evidence: of the item as translated for its kernel; zeros where a rule of the form refuses it before any kernel
/// (a malformed DER signature, a v that the caller does not take, a high s under low_s).
/// Errors: as check(); bad_argument for spans of another size, evidence that the form does not have, or a kernel of
/// another family; cancelled; what the kernel reports.
Done verify_on(const Form& form, const Items& items, const Results& results, kernels::Kernel* kernel,
               const StopToken& stop);

struct Wanted {
  bool evidence = false;
  bool outputs = false;
  bool public_keys = false;
};
struct Verdicts {
  std::size_t count = 0;
  std::size_t valid_count = 0;
  Bytes bitmap;                          ///< bit i mod 8, lowest first, of byte i / 8: item i is valid; unused bits 0
  Bytes evidence, outputs, public_keys;  ///< where wanted, as in Results
  bool valid(std::size_t i) const { return (bitmap[i / 8] >> (i % 8) & 1) != 0; }
};

/// The same over lanes, in slices of kSliceItems. Same items, same verdicts, whatever the lanes.
inline constexpr std::size_t kSliceItems = 4096;
Result<Verdicts> verify(const Form& form, const Items& items, const Wanted& wanted, Lanes& lanes,
                        const StopToken& stop = {});

/// Bytes 0 and 1 as a bitmap.
Bytes bitmap_of(ByteView valid);

}  // namespace sparkmill::signatures

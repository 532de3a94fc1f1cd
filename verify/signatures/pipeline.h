// SPDX-License-Identifier: Apache-2.0
// A stream of any length through kernels with flat memory: one thread reads, a thread a kernel decides, and the caller
// takes the verdicts in order, all at the same time. A fixed number of chunks goes round; a full pipeline slows the
// reader.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "verify/signatures/batch.h"

namespace sparkmill::signatures {

/// Replaces the list by the next items, none at the end (StreamReader::next, JsonLinesReader::next). After an error the
/// items before it are in the list.
using NextItems = std::function<Done(ItemList& list, std::size_t max_items, std::size_t max_bytes)>;

struct Chunk {
  explicit Chunk(const Form& form) : items(form) {}
  std::uint64_t first = 0;  ///< number of its first item in the stream
  ItemList items;
  Bytes valid;    ///< a byte an item
  Bytes outputs;  ///< where wanted
};
/// Takes chunks in the order of the stream, on the caller's thread.
using TakeChunk = std::function<Done(const Chunk& chunk)>;

struct PipelineSettings {
  std::size_t chunk_items = 4096;
  std::size_t chunk_bytes = std::size_t{8} << 20;  ///< a chunk ends early when it holds that much
  bool outputs = false;
  /// What decides a chunk; called by one lane at a time for each kernel. Empty: verify_on.
  std::function<Done(const Form& form, const Items& items, const Results& results, kernels::Kernel* kernel,
                     const StopToken& stop)>
      decide;
};
struct StreamTotals {
  std::uint64_t items = 0;
  std::uint64_t valid = 0;
};

/// Runs until the end of the stream. Every item read before an error of `next` is decided and taken first.
/// Errors: of next, of a kernel, of take; cancelled. Requires at least one lane (nullptr for forms without a family).
Result<StreamTotals> run_stream(const Form& form, const NextItems& next, const TakeChunk& take,
                                std::span<const std::unique_ptr<kernels::Kernel>> lanes,
                                const PipelineSettings& settings, const StopToken& stop);

/// How many items a kernel of the form's family likes at once, at least one device's fill.
std::size_t liked_batch(const Form& form, kernels::Kernel* kernel);

}  // namespace sparkmill::signatures

// SPDX-License-Identifier: Apache-2.0
// Where `sparkmill verify-batch` reads from.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "verify/signatures/json_lines.h"
#include "verify/signatures/pipeline.h"
#include "worker/cli/input.h"

namespace sparkmill::cli {

/// A file or standard input, packed or JSON lines, whichever its first bytes say.
class BatchInput {
 public:
  /// `path` "-" is standard input. `form` nullptr: the input names it; otherwise a packed input must have the same.
  /// `stop` ends a read that waits. Errors: not_found, io_error, bad_input, unsupported, cancelled.
  static Result<std::unique_ptr<BatchInput>> open(const std::string& path, const signatures::Form* form,
                                                  const StopToken& stop);

  const signatures::Form& form() const { return packed_ ? *packed_->header().form : lines_->form(); }
  bool packed() const { return packed_.has_value(); }
  /// Items that the header announces; 0: not known.
  std::uint64_t announced() const;
  Done next(signatures::ItemList& list, std::size_t max_items, std::size_t max_bytes);

 private:
  BatchInput() = default;
  std::unique_ptr<Input> input_;
  std::optional<signatures::StreamReader> packed_;
  std::optional<signatures::JsonLinesReader> lines_;
};

}  // namespace sparkmill::cli

// SPDX-License-Identifier: Apache-2.0
#include "worker/cli/verify_batch.h"

namespace sparkmill::cli {

Result<std::unique_ptr<BatchInput>> BatchInput::open(const std::string& path, const signatures::Form* form,
                                                     const StopToken& stop) {
  std::unique_ptr<BatchInput> in(new BatchInput);
  SPARKMILL_ASSIGN(in->input_, Input::open(path, stop));
  const std::string& name = in->input_->name();
  SPARKMILL_ASSIGN(const ByteView start, in->input_->look(signatures::kStreamMagic.size()));
  const bool packed = text(start) == signatures::kStreamMagic;
  const signatures::ReadSome read = [raw = in->input_.get()](std::span<std::uint8_t> into) { return raw->read(into); };
  if (!packed) {
    SPARKMILL_ASSIGN(in->lines_, signatures::JsonLinesReader::open(read, name, form));
    return in;
  }
  SPARKMILL_ASSIGN(in->packed_, signatures::StreamReader::open(read, name));
  if (form != nullptr && form != &in->form()) {
    const auto named = [](const signatures::Form& f) {
      return std::string(f.scheme_name) + "/" + std::string(f.policy_name);
    };
    return fail(Status::bad_input, name + ": its header says " + named(in->form()) + ", not " + named(*form),
                "leave --scheme and --policy out, a packed stream names both");
  }
  return in;
}

std::uint64_t BatchInput::announced() const {
  if (!packed_ || packed_->header().count == signatures::kUnknownCount) return 0;
  return packed_->header().count;
}

Done BatchInput::next(signatures::ItemList& list, std::size_t max_items, std::size_t max_bytes) {
  return packed_ ? packed_->next(list, max_items, max_bytes) : lines_->next(list, max_items, max_bytes);
}

}  // namespace sparkmill::cli

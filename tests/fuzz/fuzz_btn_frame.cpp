// SPDX-License-Identifier: Apache-2.0
// A stream of BtnCmd frames in two kinds of pieces gives the same commands, what arrives is well formed, and what has
// a right parameter can be written again. Input: u8 size of the pieces, then the stream.
#include <cstdlib>

#include "verify/blocks/btn/frame.h"
#include "verify/blocks/btn/seal.h"

namespace {

using namespace sparkmill;
using namespace sparkmill::btn;

void demand(bool holds) {
  if (!holds) std::abort();
}

struct Outcome {
  std::vector<Command> commands;
  std::string_view end;
};
Outcome read(ByteView stream, std::size_t piece) {
  FrameReader reader;
  Outcome out;
  for (std::size_t at = 0; at < stream.size(); at += piece) {
    reader.feed(stream.subspan(at, std::min(piece, stream.size() - at)), out.commands);
  }
  out.end = reader.end();
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView stream(data + 1, size - 1);
  const Outcome whole = read(stream, size), parts = read(stream, 1 + data[0] % 32u);
  demand(whole.commands == parts.commands && whole.end == parts.end);
  for (const Command& c : whole.commands) {
    demand(!c.name.empty() && is_utf8(c.name) && is_utf8(c.param_text));
    demand((c.param == Param::none) == c.param_text.empty());
    const auto written = encode_frame(c.name, c.param_text);
    demand(written.ok() == (c.param != Param::invalid));
    if (!written) continue;
    const Outcome again = read(*written, size);
    demand(again.commands.size() == 1 && again.commands[0] == c && again.end.empty());
  }
  if (const auto header = decode_header(stream); header) {
    const Bytes written = encode_header(*header);
    demand(std::equal(written.begin(), written.end(), stream.begin(), stream.end()));
  }
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
#include "verify/blocks/btn/frame.h"

namespace sparkmill::btn {
namespace {

constexpr std::size_t kHeader = 8;

std::uint32_t u32_at(ByteView in, std::size_t at) {
  return static_cast<std::uint32_t>(in[at]) << 24 | static_cast<std::uint32_t>(in[at + 1]) << 16 |
         static_cast<std::uint32_t>(in[at + 2]) << 8 | in[at + 3];
}

void put_u32(Bytes& out, std::uint32_t v) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<std::uint8_t>(v >> shift));
}

}  // namespace

std::string_view name(Param param) {
  switch (param) {
    case Param::none: return "none";
    case Param::object: return "object";
    case Param::invalid: return "invalid";
  }
  return "?";
}

/// Takes a whole frame off `rest`. False: wait for more, or an error.
bool FrameReader::next(ByteView& rest, Command& command) {
  if (rest.size() < 4) return false;
  if (u32_at(rest, 0) != flag_) return error_ = "bad_flag", false;
  if (rest.size() < kHeader) return false;
  const std::size_t length = u32_at(rest, 4);
  if (length == 0 || length > kMaxBody) return error_ = "bad_length", false;
  if (rest.size() < kHeader + length) return false;
  const std::string_view body = text(rest.subspan(kHeader, length));
  rest = rest.subspan(kHeader + length);
  if (!is_utf8(body)) return error_ = "bad_utf8", false;
  const std::size_t brace = body.find('{');
  command.name = body.substr(0, brace);
  if (command.name.empty()) return error_ = "empty_name", false;
  command.param_text = brace == body.npos ? "" : body.substr(brace);
  command.param = brace == body.npos                   ? Param::none
                  : is_json_object(command.param_text) ? Param::object
                                                       : Param::invalid;
  return true;
}

void FrameReader::feed(ByteView piece, std::vector<Command>& commands) {
  if (failed()) return;
  buffer_.insert(buffer_.end(), piece.begin(), piece.end());
  ByteView rest = buffer_;
  for (Command command; next(rest, command); command = {}) commands.push_back(std::move(command));
  buffer_.erase(buffer_.begin(), buffer_.end() - static_cast<std::ptrdiff_t>(rest.size()));
  if (failed()) buffer_ = {};
}

Result<Bytes> encode_frame(std::string_view name, std::string_view param_text, std::uint32_t flag) {
  if (name.empty() || name.find('{') != name.npos || !is_utf8(name)) {
    return fail(Status::bad_argument, "BtnCmd: a name is UTF-8, not empty and without '{'");
  }
  if (!param_text.empty() && (param_text[0] != '{' || !is_utf8(param_text) || !is_json_object(param_text))) {
    return fail(Status::bad_argument,
                "BtnCmd " + std::string(name.substr(0, 64)) + ": the parameter is no JSON object");
  }
  const std::size_t length = name.size() + param_text.size();
  if (length > kMaxBody) return fail(Status::too_large, "BtnCmd: a body has at most 1 MiB");
  Bytes frame;
  frame.reserve(kHeader + length);
  put_u32(frame, flag);
  put_u32(frame, static_cast<std::uint32_t>(length));
  for (const std::string_view part : {name, param_text}) frame.insert(frame.end(), part.begin(), part.end());
  return frame;
}

}  // namespace sparkmill::btn

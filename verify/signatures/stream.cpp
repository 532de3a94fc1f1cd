// SPDX-License-Identifier: Apache-2.0
#include "verify/signatures/stream.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace sparkmill::signatures {
namespace {

constexpr std::uint16_t kVersion = 1;
constexpr std::uint16_t kAnySignature = 0xffff;
constexpr std::uint32_t kAnyMessage = 0xffffffff;
constexpr std::size_t kBufferBytes = std::size_t{1} << 20;

std::uint16_t signature_field(const Form& form) {
  return form.signature_bytes == 0 ? kAnySignature : static_cast<std::uint16_t>(form.signature_bytes);
}

/// The one length of all messages; nothing when they differ or there are none.
std::optional<std::uint32_t> common_length(const Items& items) {
  for (std::size_t i = 1; i < items.count; ++i) {
    if (items.message(i).size() != items.message(0).size()) return std::nullopt;
  }
  if (items.count == 0) return std::nullopt;
  return static_cast<std::uint32_t>(items.message(0).size());
}

}  // namespace

Bytes encode(const StreamHeader& header) {
  const Form& form = *header.form;
  ByteWriter out;
  out.bytes(kStreamMagic).u16(kVersion).u16(static_cast<std::uint16_t>(form.scheme)).u16(form.policy);
  out.u16(static_cast<std::uint16_t>(form.key_bytes)).u16(signature_field(form)).u16(0);
  out.u32(header.message_bytes.value_or(kAnyMessage)).u32(0).u64(header.count);
  return std::move(out).data();
}

Result<StreamHeader> decode_stream_header(ByteView bytes, std::string_view what) {
  const auto bad = [&](const std::string& why, std::string hint = {}) {
    return fail(Status::bad_input, std::string(what) + ": " + why, std::move(hint));
  };
  ByteReader r(bytes);
  const ByteView magic = r.bytes(kStreamMagic.size());
  const std::uint16_t version = r.u16(), scheme = r.u16(), policy = r.u16(), key = r.u16(), signature = r.u16(),
                      zero = r.u16();
  const std::uint32_t message = r.u32(), zeros = r.u32();
  const std::uint64_t count = r.u64();
  if (!r.done()) {
    return bad("a header of " + std::to_string(bytes.size()) + " bytes, expected " +
               std::to_string(kStreamHeaderBytes));
  }
  if (text(magic) != kStreamMagic) {
    return bad("does not begin with \"SMSG\"", "packed signature streams and JSON lines are taken");
  }
  if (version != kVersion) {
    return fail(Status::unsupported, std::string(what) + ": signature stream of version " + std::to_string(version),
                "this build reads version 1");
  }
  StreamHeader out;
  out.form = find_form(scheme, policy);
  if (out.form == nullptr) {
    return fail(Status::unsupported,
                std::string(what) + ": scheme " + std::to_string(scheme) + ", policy " + std::to_string(policy) +
                    " is not known to this build",
                "docs/signatures.md lists the numbers");
  }
  const Form& form = *out.form;
  const std::string name = std::string(form.scheme_name) + "/" + std::string(form.policy_name);
  if (key != form.key_bytes) {
    return bad("keys of " + std::to_string(key) + " bytes, " + name + " has " + std::to_string(form.key_bytes));
  }
  if (signature != signature_field(form)) {
    return bad("signature size " + std::to_string(signature) + ", " + name + " has " +
               std::to_string(signature_field(form)));
  }
  if (zero != 0 || zeros != 0) return bad("reserved fields of the header are not 0");
  if (message != kAnyMessage) {
    if (!form.takes_message_of(message)) {
      return bad("messages of " + std::to_string(message) + " bytes, " + name + " has " + form.message_lengths());
    }
    out.message_bytes = message;
  } else if (form.message_bytes != 0) {
    return bad("messages of any length, " + name + " has " + form.message_lengths());
  }
  out.count = count;
  return out;
}

Done append_record(const StreamHeader& header, ByteView key, ByteView signature, ByteView message, Bytes& out) {
  const Form& form = *header.form;
  const bool fits = key.size() == form.key_bytes && signature.size() <= kMaxSignatureBytes &&
                    (form.signature_bytes == 0 || signature.size() == form.signature_bytes) &&
                    form.takes_message_of(message.size()) &&
                    (!header.message_bytes || message.size() == *header.message_bytes);
  if (!fits) {
    return fail(Status::bad_input, "a record of " + std::to_string(key.size()) + ", " +
                                       std::to_string(signature.size()) + " and " + std::to_string(message.size()) +
                                       " bytes does not fit its stream");
  }
  const auto append = [&](ByteView bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); };
  const auto little = [&](std::uint32_t n, unsigned bytes) {
    for (unsigned k = 0; k < bytes; ++k) out.push_back(static_cast<std::uint8_t>(n >> (8 * k)));
  };
  append(key);
  if (form.signature_bytes == 0) little(static_cast<std::uint32_t>(signature.size()), 2);
  append(signature);
  if (!header.message_bytes) little(static_cast<std::uint32_t>(message.size()), 4);
  append(message);
  return done();
}

std::size_t record_bytes(const StreamHeader& header) {
  if (header.form->signature_bytes == 0 || !header.message_bytes) return 0;
  return header.form->key_bytes + header.form->signature_bytes + *header.message_bytes;
}

Result<StreamReader> StreamReader::open(ReadSome read, std::string what) {
  StreamReader out;
  out.read_ = std::move(read);
  out.what_ = std::move(what);
  out.buffer_.resize(kBufferBytes);
  SPARKMILL_ASSIGN(const bool whole, out.fill(kStreamHeaderBytes));
  const std::size_t there = whole ? kStreamHeaderBytes : out.end_;
  SPARKMILL_ASSIGN(out.header_, decode_stream_header(ByteView(out.buffer_).first(there), out.what_));
  out.begin_ = kStreamHeaderBytes;
  out.offset_ = kStreamHeaderBytes;
  return out;
}

/// True when `bytes` from begin_ on are there; false when the input ends before.
Result<bool> StreamReader::fill(std::size_t bytes) {
  while (end_ - begin_ < bytes) {
    if (ended_) return false;
    if (begin_ + bytes > buffer_.size() || begin_ == end_) {
      std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
      if (buffer_.size() < bytes) buffer_.resize(bytes);
    }
    SPARKMILL_ASSIGN(const std::size_t got, read_(std::span(buffer_).subspan(end_)));
    ended_ = got == 0;
    end_ += got;
  }
  return true;
}

Error StreamReader::broken(const std::string& how) const {
  return fail(Status::bad_input,
              what_ + ": item " + std::to_string(items_) + " at byte " + std::to_string(offset_) + ": " + how,
              "docs/formats.md describes the record; " + std::to_string(items_) + " items before it are whole");
}

Done StreamReader::next(ItemList& list, std::size_t max_items, std::size_t max_bytes) {
  list.clear();
  const Form& form = *header_.form;
  const std::size_t signature_length = form.signature_bytes == 0 ? 2 : 0;
  const std::size_t message_length = header_.message_bytes ? 0 : 4;
  while (list.count() < max_items && list.bytes() < max_bytes) {
    if (items_ == header_.count) {
      SPARKMILL_ASSIGN(const bool more, fill(1));
      if (more) return broken("more bytes follow, but the header says " + std::to_string(header_.count) + " items");
      return done();
    }
    std::size_t need = form.key_bytes + signature_length;
    SPARKMILL_ASSIGN(const bool begun, fill(1));
    if (!begun) {
      if (header_.count == kUnknownCount) return done();
      return broken("the input ends here, but the header says " + std::to_string(header_.count) + " items");
    }
    const auto at = [&](std::size_t offset) { return buffer_.data() + begin_ + offset; };
    SPARKMILL_ASSIGN(bool whole, fill(need));
    if (!whole) return broken("its key is cut off");
    std::size_t signature = form.signature_bytes;
    if (signature_length != 0) {
      std::uint16_t length = 0;
      std::memcpy(&length, at(form.key_bytes), sizeof length);
      signature = length;
      if (signature > kMaxSignatureBytes) {
        return broken("its signature has " + std::to_string(signature) + " bytes, at most " +
                      std::to_string(kMaxSignatureBytes) + " are allowed");
      }
    }
    const std::size_t signature_at = need;
    need += signature + message_length;
    SPARKMILL_ASSIGN(whole, fill(need));
    if (!whole) return broken("its signature is cut off");
    std::size_t message = header_.message_bytes.value_or(0);
    if (message_length != 0) {
      std::uint32_t length = 0;
      std::memcpy(&length, at(need - message_length), sizeof length);
      message = length;
      if (!form.takes_message_of(message)) {
        return broken("its message has " + std::to_string(message) + " bytes, it must have " + form.message_lengths());
      }
    }
    const std::size_t message_at = need;
    need += message;
    SPARKMILL_ASSIGN(whole, fill(need));
    if (!whole) return broken("its message is cut off");
    const Done added = list.add({at(0), form.key_bytes}, {at(signature_at), signature}, {at(message_at), message});
    if (!added) return broken(added.error().message);
    begin_ += need;
    offset_ += need;
    ++items_;
  }
  return done();
}

Result<ItemList> decode_stream(ByteView bytes, std::string_view what, std::uint64_t max_items) {
  std::size_t at = 0;
  const auto read = [&](std::span<std::uint8_t> into) -> Result<std::size_t> {
    const std::size_t n = std::min(into.size(), bytes.size() - at);
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), n, into.begin());
    at += n;
    return n;
  };
  SPARKMILL_ASSIGN(StreamReader reader, StreamReader::open(read, std::string(what)));
  ItemList list(*reader.header().form);
  if (max_items == std::numeric_limits<std::uint64_t>::max()) --max_items;
  SPARKMILL_TRY(reader.next(list, max_items + 1, std::numeric_limits<std::size_t>::max()));
  if (list.count() > max_items) {
    return fail(Status::too_large, std::string(what) + ": more than " + std::to_string(max_items) + " items");
  }
  return list;
}

Bytes encode_stream(const Form& form, const Items& items) {
  StreamHeader header{&form, common_length(items), items.count};
  if (form.message_bytes != 0) header.message_bytes = static_cast<std::uint32_t>(form.message_bytes);
  Bytes out = encode(header);
  for (std::size_t i = 0; i < items.count; ++i) {
    // Sizes are those of checked items.
    (void)append_record(header, items.key(form, i), items.signature(form, i), items.message(i), out);
  }
  return out;
}

}  // namespace sparkmill::signatures

// SPDX-License-Identifier: Apache-2.0
#include "verify/chain/header.h"

#include <string>

#include "base/hash.h"
#include "base/hex.h"

namespace sparkmill::chain {

namespace {

constexpr std::uint8_t kHeaderOnly = 0x01;
constexpr std::uint8_t kFullBlock = 0x03;
constexpr std::uint8_t kCommitmentBytes = 64;
constexpr std::size_t kMaxVarintBytes = 9;  // 9 groups of 7 bits: exactly 63

void put_varint(Bytes& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<std::uint8_t>(value | 0x80));
  out.push_back(static_cast<std::uint8_t>(value));
}

/// Reads field after field; the first thing wrong is kept.
class HeaderReader {
 public:
  explicit HeaderReader(ByteView in) : in_(in) {}

  std::uint8_t byte(const char* field) {
    if (at_ == in_.size()) wrong(field, "the header ends here");
    return error_ ? 0 : in_[at_++];
  }
  std::uint64_t varint(const char* field) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < kMaxVarintBytes; ++i) {
      const std::uint8_t b = byte(field);
      if (error_) return 0;
      value |= std::uint64_t{b & 0x7fu} << (7 * i);
      if (b < 0x80) {
        if (b == 0 && i > 0) wrong(field, "an integer that is written longer than needed");
        return value;
      }
    }
    wrong(field, "an integer of 2^63 or more");
    return 0;
  }
  Hash32 hash(const char* field) {
    Hash32 out{};
    if (in_.size() - at_ < out.size()) {
      wrong(field, "the header ends within it");
    } else if (!error_) {
      std::memcpy(out.data(), in_.data() + at_, out.size());
      at_ += out.size();
    }
    return out;
  }
  void wrong(const char* field, std::string_view why) {
    if (!error_) {
      error_ = fail(Status::bad_input, std::string(field) + " at byte " + std::to_string(at_) + ": " + std::string(why),
                    "a serialised header is what get-work gives: 01, version, height, ...");
    }
  }
  Done finish() {
    if (!error_ && at_ != in_.size()) wrong("end", std::to_string(in_.size() - at_) + " bytes too many");
    if (error_) return *error_;
    return done();
  }

 private:
  ByteView in_;
  std::size_t at_ = 0;
  std::optional<Error> error_;
};

}  // namespace

Preimage preimage(const BlockHeader& h) {
  ByteWriter w;
  w.u64(h.version).u64(h.height).bytes(h.previous).u64(h.timestamp);
  w.bytes(h.transaction_merkle_root).bytes(h.transaction_status_hash).u64(h.bits).u64(h.nonce);
  Preimage out{};
  std::memcpy(out.data(), w.data().data(), out.size());
  return out;
}

Hash32 header_hash(const BlockHeader& header) {
  ByteWriter outer;
  outer.bytes("entryid:blockheader:").bytes(sha3_256(preimage(header)));
  return sha3_256(outer.data());
}

Result<Bytes> serialise(const BlockHeader& h) {
  const std::pair<const char*, std::uint64_t> integers[] = {
      {"version", h.version}, {"height", h.height}, {"timestamp", h.timestamp}, {"bits", h.bits}, {"nonce", h.nonce}};
  for (const auto& [field, value] : integers) {
    if (value > kMaxVarint63) {
      return fail(Status::bad_input, std::string(field) + " " + std::to_string(value) + ": not below 2^63",
                  "such a header hashes, but no node can store it");
    }
  }
  Bytes out{kHeaderOnly};
  out.reserve(kMaxSerialisedHeader);
  const auto put_hash = [&out](const Hash32& hash) { out.insert(out.end(), hash.begin(), hash.end()); };
  put_varint(out, h.version);
  put_varint(out, h.height);
  put_hash(h.previous);
  put_varint(out, h.timestamp);
  out.push_back(kCommitmentBytes);
  put_hash(h.transaction_merkle_root);
  put_hash(h.transaction_status_hash);
  put_varint(out, h.nonce);
  put_varint(out, h.bits);
  return out;
}

Result<BlockHeader> parse_header(ByteView bytes) {
  HeaderReader r(bytes);
  BlockHeader h;
  const std::uint8_t kind = r.byte("kind");
  if (kind == kFullBlock) r.wrong("kind", "03 is a whole block; only its header (01) is taken");
  if (kind != kHeaderOnly) r.wrong("kind", "not 01");
  h.version = r.varint("version");
  h.height = r.varint("height");
  h.previous = r.hash("previous_block_hash");
  h.timestamp = r.varint("timestamp");
  if (r.byte("length of the commitment") != kCommitmentBytes) r.wrong("length of the commitment", "not 40 (64 bytes)");
  h.transaction_merkle_root = r.hash("transaction_merkle_root");
  h.transaction_status_hash = r.hash("transaction_status_hash");
  h.nonce = r.varint("nonce");
  h.bits = r.varint("bits");
  SPARKMILL_TRY(r.finish());
  return h;
}

Result<BlockHeader> header_from_hex(std::string_view hex, std::string_view what) {
  if (hex.size() > 2 * kMaxSerialisedHeader) {
    return fail(Status::bad_input, std::string(what) + ": " + std::to_string(hex.size()) +
                                       " hex digits; a header has at most " + std::to_string(2 * kMaxSerialisedHeader));
  }
  SPARKMILL_ASSIGN(const Bytes bytes, from_hex(hex, what));
  auto header = parse_header(bytes);
  if (!header) return fail(Status::bad_input, std::string(what) + ": " + header.error().message, header.error().hint);
  return header;
}

}  // namespace sparkmill::chain

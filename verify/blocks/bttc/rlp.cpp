// SPDX-License-Identifier: Apache-2.0
#include "verify/blocks/bttc/rlp.h"

#include <algorithm>

namespace sparkmill::rlp {
namespace {

constexpr std::size_t kShort = 55;  ///< longest payload whose length stands in the first byte

void put_header(Bytes& out, std::uint8_t base, std::size_t length) {
  if (length <= kShort) {
    out.push_back(static_cast<std::uint8_t>(base + length));
    return;
  }
  int bytes = 1;
  while (bytes < 8 && length >> (8 * bytes) != 0) ++bytes;
  out.push_back(static_cast<std::uint8_t>(base + kShort + static_cast<std::size_t>(bytes)));
  for (int k = bytes - 1; k >= 0; --k) out.push_back(static_cast<std::uint8_t>(length >> (8 * k)));
}

}  // namespace

bool take(ByteView& in, Item& item) {
  if (in.empty()) return false;
  const std::uint8_t first = in[0];
  std::size_t header = 1, length = 0;
  if (first < 0x80) {
    header = 0;
    length = 1;
  } else {
    const std::size_t code = first < 0xc0 ? first - 0x80u : first - 0xc0u;
    if (code <= kShort) {
      length = code;
    } else {
      const std::size_t bytes = code - kShort;
      if (in.size() < 1 + bytes || in[1] == 0) return false;
      // Eight bytes of length can be read, but only what is there is believed.
      for (std::size_t k = 0; k < bytes; ++k) length = length << 8 | in[1 + k];
      if (length <= kShort) return false;
      header = 1 + bytes;
    }
  }
  if (length > in.size() - header) return false;
  item.list = first >= 0xc0;
  item.payload = in.subspan(header, length);
  item.whole = in.first(header + length);
  if (first == 0x81 && item.payload[0] < 0x80) return false;  // such a byte stands for itself
  in = in.subspan(header + length);
  return true;
}

bool parse(ByteView in, Item& item) { return take(in, item) && in.empty(); }

std::optional<std::vector<Item>> children(const Item& list, std::size_t most) {
  if (!list.list) return std::nullopt;
  std::vector<Item> items;
  for (ByteView rest = list.payload; !rest.empty();) {
    Item item;
    if (items.size() == most || !take(rest, item)) return std::nullopt;
    items.push_back(item);
  }
  return items;
}

bool well_formed(const Item& item) {
  if (!item.list) return true;
  std::array<ByteView, kMaxDepth> open;  // what is left of each list around the place
  std::size_t depth = 0;
  open[0] = item.payload;
  while (true) {
    if (open[depth].empty()) {
      if (depth == 0) return true;
      --depth;
      continue;
    }
    Item inner;
    if (!take(open[depth], inner)) return false;
    if (!inner.list) continue;
    if (++depth == kMaxDepth) return false;
    open[depth] = inner.payload;
  }
}

std::optional<Hash32> word(const Item& item) {
  const ByteView bytes = item.payload;
  if (item.list || bytes.size() > 32 || (!bytes.empty() && bytes[0] == 0)) return std::nullopt;
  Hash32 out{};
  std::copy(bytes.begin(), bytes.end(), out.end() - static_cast<std::ptrdiff_t>(bytes.size()));
  return out;
}

std::optional<std::uint64_t> integer(const Item& item) {
  if (!word(item) || item.payload.size() > 8) return std::nullopt;
  std::uint64_t value = 0;
  for (const std::uint8_t byte : item.payload) value = value << 8 | byte;
  return value;
}

void put(Bytes& out, ByteView string) {
  if (string.size() != 1 || string[0] >= 0x80) put_header(out, 0x80, string.size());
  out.insert(out.end(), string.begin(), string.end());
}

void put(Bytes& out, std::uint64_t integer) {
  std::uint8_t bytes[8];
  std::size_t count = 0;
  for (; integer != 0; integer >>= 8) bytes[7 - count++] = static_cast<std::uint8_t>(integer);
  put(out, ByteView(bytes + 8 - count, count));
}

Bytes list(ByteView payload) {
  Bytes out;
  put_header(out, 0xc0, payload.size());
  out.insert(out.end(), payload.begin(), payload.end());
  return out;
}

}  // namespace sparkmill::rlp

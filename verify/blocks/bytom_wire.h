// SPDX-License-Identifier: Apache-2.0
// The pieces that Bytom's wire form and its id preimages share (Bytom blocks 1, 4): shortest LEB128, strings with their
// length in front, 8-byte little-endian integers.
#pragma once

#include "base/bytes.h"

namespace sparkmill::blocks::bytom {

inline void put_bytes(Bytes& out, ByteView bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }

inline void put_varint(Bytes& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<std::uint8_t>(value | 0x80));
  out.push_back(static_cast<std::uint8_t>(value));
}

inline void put_string(Bytes& out, ByteView bytes) {
  put_varint(out, bytes.size());
  put_bytes(out, bytes);
}

inline void put_le64(Bytes& out, std::uint64_t value) {
  for (unsigned k = 0; k < 8; ++k) out.push_back(static_cast<std::uint8_t>(value >> (8 * k)));
}

/// program(v, code) of the id preimages.
inline void put_program(Bytes& out, std::uint64_t vm_version, ByteView code) {
  put_le64(out, vm_version);
  put_string(out, code);
}

}  // namespace sparkmill::blocks::bytom

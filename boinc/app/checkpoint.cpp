// SPDX-License-Identifier: Apache-2.0
#include "boinc/app/checkpoint.h"

#include "base/hash.h"

namespace sparkmill::boinc::app {
namespace {

constexpr std::string_view kMagic = "SMKP";
constexpr std::uint16_t kVersion = 1;
constexpr std::size_t kMaxSlice = 1u << 30;

}  // namespace

Bytes encode(const Checkpoint& c) {
  ByteWriter w;
  w.bytes(kMagic).u16(kVersion).u16(0).bytes(c.unit_id).bytes(c.app_pub).len_bytes(c.result_name);
  w.u64(c.target_units).u32(static_cast<std::uint32_t>(c.slices.size()));
  for (const auto& [index, bytes] : c.slices) w.u32(index).len_bytes(bytes);
  w.bytes(sha256(w.data()));
  return std::move(w).data();
}

Result<Checkpoint> decode_checkpoint(ByteView bytes) {
  const auto bad = [](const char* why) { return fail(Status::corrupt, std::string("checkpoint: ") + why); };
  if (bytes.size() < sizeof(Hash32)) return bad("too short");
  const ByteView body = bytes.first(bytes.size() - sizeof(Hash32));
  const Hash32 hash = sha256(body);
  if (!std::equal(hash.begin(), hash.end(), bytes.end() - sizeof(Hash32))) return bad("its hash does not fit");
  ByteReader r(body);
  if (text(r.bytes(kMagic.size())) != kMagic || r.u16() != kVersion || r.u16() != 0) return bad("of another version");
  Checkpoint c;
  c.unit_id = r.array<32>();
  c.app_pub = r.array<32>();
  c.result_name = text(r.len_bytes(255));
  c.target_units = r.u64();
  const std::uint32_t count = r.u32();
  for (std::uint32_t k = 0; k < count && !r.failed(); ++k) {
    const std::uint32_t index = r.u32();
    const ByteView slice = r.len_bytes(kMaxSlice);
    c.slices[index].assign(slice.begin(), slice.end());
  }
  if (!r.done() || c.slices.size() != count) return bad("a slice is cut off or comes twice");
  return c;
}

}  // namespace sparkmill::boinc::app

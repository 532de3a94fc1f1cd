// SPDX-License-Identifier: Apache-2.0
#include "node/ledger/chain.h"

#include <algorithm>

#include "base/file.h"
#include "base/hash.h"
#include "node/ledger/economy.h"

namespace sparkmill::node {

namespace {

constexpr std::uint32_t kRun = 1024;
constexpr std::uint32_t kMaxLength = 1u << 24;
constexpr std::string_view kMagic = "SMBC";

std::uint32_t runs(std::uint32_t length) { return (length + kRun - 1) / kRun; }

}  // namespace

std::uint64_t ChainParams::blocks_per_day() const { return economy::blocks_per_day(interval_ms); }

Hash32 beacon(const Hash32& block_hash, const Hash32& secret) {
  ByteWriter w;
  w.bytes("sparkmill/beacon/v1").bytes(block_hash).bytes(secret);
  return sha256(w.data());
}

Result<BeaconChain> BeaconChain::create(const std::filesystem::path& file, std::uint32_t length) {
  if (length == 0 || length > kMaxLength) {
    return fail(Status::bad_argument, "beacon chain: length " + std::to_string(length) + " is not in 1 to 2^24");
  }
  BeaconChain chain;
  chain.length_ = length;
  chain.kept_.resize(runs(length));
  Hash32 c = random_array<32>();
  Sha256 hash;  // one object for a million hashes: making one costs more than a hash
  for (std::uint32_t i = length; i > 0; --i) {
    if (i == length || i % kRun == 0) chain.kept_[(i - 1) / kRun] = c;
    c = hash.update(c).finish();
  }
  chain.anchor_ = c;
  ByteWriter w;
  w.bytes(kMagic).u32(1).u32(length).u32(kRun);
  for (const Hash32& k : chain.kept_) w.bytes(k);
  w.bytes(sha256(w.data()));
  SPARKMILL_TRY(write_file_atomic(file, w.data(), 0600));
  return chain;
}

Result<BeaconChain> BeaconChain::load(const std::filesystem::path& file, const Hash32& anchor) {
  SPARKMILL_ASSIGN(const Bytes bytes, read_file(file, 16 + 32 * (runs(kMaxLength) + 1)));
  const auto bad = [&file](std::string_view why) {
    return fail(Status::corrupt, file.string() + ": " + std::string(why),
                "restore the file from a backup; the chain's beacons depend on it");
  };
  ByteReader r(bytes);
  const bool magic = text(r.bytes(4)) == kMagic;
  const std::uint32_t version = r.u32();
  BeaconChain chain;
  chain.length_ = r.u32();
  const std::uint32_t run = r.u32();
  if (!magic || version != 1 || run != kRun || chain.length_ == 0 || chain.length_ > kMaxLength) {
    return bad("not a beacon chain of this version");
  }
  for (std::uint32_t i = 0; i < runs(chain.length_); ++i) chain.kept_.push_back(r.array<32>());
  const Hash32 sum = r.array<32>();
  if (!r.done() || sum != sha256(ByteView(bytes).first(bytes.size() - 32))) return bad("damaged (checksum)");
  chain.expand(0);
  chain.anchor_ = sha256(chain.expanded_.front());
  if (chain.anchor_ != anchor) return bad("belongs to another ledger: it does not lead to the published anchor");
  return chain;
}

void BeaconChain::expand(std::uint32_t run) {
  if (run == run_) return;
  const std::uint32_t first = run * kRun + 1;
  const std::uint32_t last = std::min(first + kRun - 1, length_);
  expanded_.assign(last - first + 1, Hash32{});
  Hash32 c = kept_[run];
  for (std::uint32_t i = last; i >= first; --i) {
    expanded_[i - first] = c;
    c = sha256(c);
  }
  run_ = run;
}

Hash32 BeaconChain::secret(std::uint32_t index) {
  expand((index - 1) / kRun);
  return expanded_[(index - 1) % kRun];
}

}  // namespace sparkmill::node

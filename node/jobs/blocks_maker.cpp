// SPDX-License-Identifier: Apache-2.0
// Tasks of kind verify.blocks: fresh blocks and real ones, with planted bad ones. Chains in turn, among those whose
// work this machine does on fast rows: its own checks must not take longer than the work.
#include "node/jobs/blocks_maker.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/hash.h"
#include "kernels/backend/discover.h"
#include "kernels/registry.h"
#include "node/jobs/generator.h"
#include "node/jobs/maker.h"
#include "verify/blocks/bttc/sign.h"
#include "verify/job/block_plants.h"

extern "C" {
extern const unsigned char sparkmill_bytom_blocks[];
extern const unsigned char sparkmill_bytom_blocks_end[];
}

namespace sparkmill::node {

namespace {

constexpr std::uint16_t kSpecVersion = 1;
constexpr double kDuty = 0.15;
/// Signing costs ten to a hundred times as much as checking: smaller jobs.
constexpr std::uint32_t kSlowSigning = 4;

bool has_fast_row(kernels::Family family) {
  const auto choice = kernels::choose(family, kernels::cpu_device());
  return choice && choice->row->backend != kernels::Backend::reference;
}

/// Real blocks, if there are any of this chain.
Result<std::vector<job::BlockItem>> real_ones() {
  return job::decode_block_items(
      {sparkmill_bytom_blocks, static_cast<std::size_t>(sparkmill_bytom_blocks_end - sparkmill_bytom_blocks)});
}

class BlocksMaker final : public Maker {
 public:
  BlocksMaker(std::uint32_t items, BlobStore& blobs) : items_(items), blobs_(blobs) {
    if (has_fast_row(kernels::Family::tensority) && has_fast_row(kernels::Family::ed25519)) {
      chains_.push_back(job::Chain::bytom);
    }
    if (has_fast_row(kernels::Family::secp256k1) && bttc::signing_absent().empty()) {
      chains_.push_back(job::Chain::bttc);
    }
    if (has_fast_row(kernels::Family::rsa)) chains_.push_back(job::Chain::btn);
  }
  job::Kind kind() const override { return job::Kind::verify_blocks; }
  double duty() const override { return kDuty; }
  Result<MadeAttempt> make(const Task* again, std::uint64_t index, std::uint64_t deadline_ms,
                           const StopToken& stop) override;

 private:
  /// The first chain every other time, the next every other time of the rest, and so on: what follows costs more to
  /// make for what it is worth.
  job::Chain chain_of(std::uint64_t index) const {
    std::size_t at = 0;
    for (; index % 2 == 1 && at + 1 < chains_.size(); index /= 2) ++at;
    return chains_[at];
  }

  std::uint32_t items_;
  BlobStore& blobs_;
  std::vector<job::Chain> chains_;
};

Result<MadeAttempt> BlocksMaker::make(const Task* again, std::uint64_t index, std::uint64_t deadline_ms,
                                      const StopToken& stop) {
  BlocksSpec spec;
  if (again != nullptr) {
    SPARKMILL_ASSIGN(spec, decode_blocks_spec(again->spec));
  } else {
    if (chains_.empty()) {
      return fail(Status::no_device, "no blocks are given out: this processor has no fast rows for any chain");
    }
    spec.index = index;
    spec.chain = chain_of(index);
    spec.items = spec.chain == job::Chain::bytom ? items_ : std::max(kMinBlocks, items_ / kSlowSigning);
  }
  MadeAttempt made;
  made.spec = encode(spec);
  if (spec.chain != job::Chain::bytom) {
    SPARKMILL_ASSIGN(const job::PlantedBlob planted, spec.chain == job::Chain::bttc
                                                         ? job::plant_bttc_items(spec.items, random_array<32>(), stop)
                                                         : job::plant_btn_items(spec.items, random_array<32>(), stop));
    SPARKMILL_ASSIGN(const Hash32 input, blobs_.put(planted.blob));
    made.job = job::make_blocks_job({spec.chain, spec.items}, input, true, deadline_ms);
    made.secrets = job::encode(planted.plants);
    made.text = fmt::format("{} {} items: {} generated, {} planted", spec.items, job::name(spec.chain),
                            spec.items - planted.plants.list.size(), planted.plants.list.size());
    return made;
  }
  SPARKMILL_ASSIGN(const std::vector<job::BlockItem> real, real_ones());
  SPARKMILL_ASSIGN(const job::PlantedBlocks blocks,
                   job::plant_bytom_blocks(real, spec.items, random_array<32>(), stop));
  std::vector<job::BlockItem> items;
  for (const job::SampleBlock& item : blocks.items) items.push_back({item.context, item.block});
  SPARKMILL_ASSIGN(const Hash32 blob, blobs_.put(job::encode_block_items(items)));
  made.job = job::make_blocks_job({spec.chain, spec.items}, blob, true, deadline_ms);
  made.secrets = job::encode(blocks.plants);
  made.text = fmt::format("{} {} blocks: {} generated, {} real, {} planted; {} with proof of work", spec.items,
                          job::name(spec.chain), spec.items - real.size() - blocks.plants.list.size(), real.size(),
                          blocks.plants.list.size(), blocks.with_work);
  return made;
}

}  // namespace

Bytes encode(const BlocksSpec& spec) {
  ByteWriter w;
  w.u16(kSpecVersion).u64(spec.index).u16(static_cast<std::uint16_t>(spec.chain)).u32(spec.items);
  return std::move(w).data();
}

Result<BlocksSpec> decode_blocks_spec(ByteView bytes) {
  ByteReader r(bytes);
  const std::uint16_t version = r.u16();
  BlocksSpec spec;
  spec.index = r.u64();
  spec.chain = static_cast<job::Chain>(r.u16());
  spec.items = r.u32();
  if (!r.done() || version != kSpecVersion || job::block_plant_kinds(spec.chain).empty() ||
      spec.items < job::kMinPlantedBlocks || spec.items > job::kMaxBlockItems) {
    return fail(Status::corrupt, "blocks task: not the layout of version 1");
  }
  return spec;
}

std::unique_ptr<Maker> blocks_maker(const GeneratorSettings& settings, BlobStore& blobs) {
  return std::make_unique<BlocksMaker>(settings.blocks, blobs);
}

}  // namespace sparkmill::node

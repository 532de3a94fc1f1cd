// SPDX-License-Identifier: Apache-2.0
#include <sys/mman.h>

#include <algorithm>
#include <new>

#include "kernels/backend/cpu.h"
#include "kernels/tensority/epoch_parts.h"

namespace sparkmill::tensority {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;

/// Fewer seeds than this are built one by one: sixteen lanes take as long as these.
constexpr std::size_t kWorthwhile = 4;

bool has_lanes() {
#if defined(__x86_64__)
  static const bool ok = kernels::probe_isa(kernels::Isa::avx512vnni).ok;
  return ok;
#else
  return false;
#endif
}

/// Up to sixteen seeds; lanes that are left over repeat the first. False when stopped.
bool fill_lanes(std::span<const Hash32> seeds, std::span<std::int8_t* const> lists, const StopToken& stop) {
#if defined(__x86_64__)
  alignas(64) std::uint32_t words[kItemWords][kLanes];
  std::int8_t* to[kLanes];
  for (std::size_t s = 0; s < kLanes; ++s) {
    const std::size_t from = s < seeds.size() ? s : 0;
    const Item first = first_item(seeds[from]);
    for (std::size_t k = 0; k < kItemWords; ++k) words[k][s] = first.w[k];
    to[s] = lists[from];
  }
  for (unsigned chunk = 0; chunk < kChunks; ++chunk) {
    if (stop.stop_requested()) return false;
    fill_chunk_avx512(words, to);
    for (std::int8_t*& list : to) list += kChunkBytes;
  }
#else
  (void)seeds, (void)lists, (void)stop;
#endif
  return true;
}

}  // namespace

Result<std::vector<std::shared_ptr<const Epoch>>> Epoch::build_many(std::span<const Hash32> seeds,
                                                                    const StopToken& stop) {
  std::vector<std::shared_ptr<const Epoch>> all;
  try {
    for (std::size_t at = 0; at < seeds.size();) {
      const auto some = seeds.subspan(at, std::min<std::size_t>(kLanes, seeds.size() - at));
      if (some.size() < kWorthwhile || !has_lanes()) {
        SPARKMILL_ASSIGN(auto one, build(some[0], stop));
        all.push_back(std::move(one));
        ++at;
        continue;
      }
      std::vector<std::int8_t*> lists;
      for (const Hash32& seed : some) {
        const std::shared_ptr<Epoch> epoch = empty(seed, kHugePage);
        lists.push_back(epoch->list_.get());
#if defined(MADV_HUGEPAGE)
        // 8 page faults instead of 4,096, which would be half of the time here; a wish, no need.
        (void)madvise(lists.back(), kListBytes, MADV_HUGEPAGE);
#endif
        all.push_back(epoch);
      }
      if (!fill_lanes(some, lists, stop)) return stopped_building();
      at += some.size();
    }
  } catch (const std::bad_alloc&) {
    return no_room_for_an_epoch();
  }
  return all;
}

}  // namespace sparkmill::tensority

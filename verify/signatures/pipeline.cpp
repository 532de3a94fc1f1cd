// SPDX-License-Identifier: Apache-2.0
#include "verify/signatures/pipeline.h"

#include <algorithm>

#include "base/ordered_stages.h"
#include "kernels/ed25519/ed25519.h"
#include "kernels/rsa/rsa.h"
#include "kernels/secp256k1/secp256k1.h"

namespace sparkmill::signatures {
Result<StreamTotals> run_stream(const Form& form, const NextItems& next, const TakeChunk& take,
                                std::span<const std::unique_ptr<kernels::Kernel>> lanes,
                                const PipelineSettings& settings, const StopToken& stop) {
  StreamTotals totals;
  std::uint64_t read = 0;  // of the reading thread
  OrderedStages<Chunk> stages;
  stages.make = [&] { return std::make_unique<Chunk>(form); };
  stages.read = [&](Chunk& chunk) -> ReadStep {
    Done got = next(chunk.items, settings.chunk_items, settings.chunk_bytes);
    const std::size_t count = chunk.items.count();
    chunk.first = read;
    read += count;
    return {count, count == 0, std::move(got)};
  };
  stages.work = [&](Chunk& chunk, std::size_t lane) {
    chunk.valid.assign(chunk.items.count(), 0);
    chunk.outputs.assign(settings.outputs ? chunk.items.count() * form.output_bytes : 0, 0);
    const Results results{chunk.valid, {}, chunk.outputs, {}};
    return settings.decide ? settings.decide(form, chunk.items.view(), results, lanes[lane].get(), stop)
                           : verify_on(form, chunk.items.view(), results, lanes[lane].get(), stop);
  };
  stages.take = [&](const Chunk& chunk) {
    totals.items += chunk.items.count();
    totals.valid += static_cast<std::uint64_t>(std::count(chunk.valid.begin(), chunk.valid.end(), std::uint8_t{1}));
    return take(chunk);
  };
  // The number of chunks and their size limit what is held: no further limit.
  SPARKMILL_TRY(run_ordered(stages, lanes.size(), ~std::size_t{0}, stop));
  return totals;
}

std::size_t liked_batch(const Form& form, kernels::Kernel* kernel) {
  if (!form.family || kernel == nullptr) return 1;
  switch (*form.family) {
    case kernels::Family::ed25519: return dynamic_cast<ed25519::Kernel&>(*kernel).batch();
    case kernels::Family::secp256k1: return dynamic_cast<secp256k1::Kernel&>(*kernel).batch();
    case kernels::Family::rsa: return dynamic_cast<rsa::Kernel&>(*kernel).batch();
    default: return 1;
  }
}

}  // namespace sparkmill::signatures

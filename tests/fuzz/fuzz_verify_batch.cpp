// SPDX-License-Identifier: Apache-2.0
// verify.batch and verify.blocks: params, blobs, answers, planted items, openings and slice results from strangers:
// what parses encodes to the same bytes again, everything else is refused. The first byte says which.
#include <cstdio>
#include <cstdlib>

#include "base/hash.h"
#include "kernels/backend/discover.h"
#include "kernels/registry.h"
#include "verify/job/plants.h"
#include "verify/job/verify_batch.h"
#include "verify/job/verify_blocks_btn.h"
#include "verify/job/verify_blocks_bttc.h"

namespace sparkmill {
namespace {

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

Bytes copy(ByteView data) { return {data.begin(), data.end()}; }

/// Nine items that nobody would sign: a job is about bytes.
struct Sample {
  Sample() {
    const signatures::Form& form = **signatures::form_named("ed25519", "go");
    signatures::ItemList list(form);
    for (std::uint8_t k = 0; k < 9; ++k) (void)list.add(Bytes(32, k), Bytes(64, k), Bytes(k, k));
    job = job::make_batch_job({&form, 9, true}, blobs.add(signatures::encode_stream(form, list.view())), 0);
    work = std::move(*job::open(job, blobs, {}));
    const auto row = kernels::find_row(kernels::Family::ed25519, "reference");
    executor = std::make_unique<job::InlineExecutor>(std::move(*row->make(kernels::cpu_device())));
  }
  job::MemoryBlobs blobs;
  job::Job job;
  std::unique_ptr<job::Work> work;
  std::unique_ptr<job::InlineExecutor> executor;
};
Sample& sample() {
  static Sample s;
  return s;
}

/// What a blob's items encode to, and whether they may be a job: BTN's keys are looked at when it is opened.
struct Again {
  Bytes bytes;
  std::size_t items = 0;
  bool exact = true;  ///< bytes that count for nothing may differ
  bool opens = true;
};
template <class Items>
Again again_of(const Items& items, bool exact, bool opens) {
  return {job::encode_block_items(items), items.items.size(), exact, opens};
}
Result<Again> encode_again(job::Chain chain, ByteView data) {
  if (chain == job::Chain::bttc) {
    SPARKMILL_ASSIGN(const job::BttcItems items, job::decode_bttc_items(data));
    return again_of(items, true, true);
  }
  if (chain == job::Chain::btn) {
    SPARKMILL_ASSIGN(const job::BtnItems items, job::decode_btn_items(data));
    return again_of(items, true, false);
  }
  SPARKMILL_ASSIGN(const std::vector<job::BlockItem> items, job::decode_block_items(data));
  return Again{job::encode_block_items(items), items.size(), false, true};
}

void blocks(ByteView data) {
  const auto head = job::decode_block_head(data);
  if (!head.ok()) return;
  const auto again = encode_again(head->chain, data);
  job::MemoryBlobs blobs;
  const job::Job job = job::make_blocks_job(*head, blobs.add(copy(data)), true, 0);
  const auto work = job::open(job, blobs, {});
  require(again.ok() || !work.ok(), "what does not parse does not open");
  if (!again.ok()) return;
  require(again->bytes.size() == data.size() && encode_again(head->chain, again->bytes).ok(), "items keep their form");
  require(!again->exact || again->bytes == copy(data), "items have one form");
  require(work.ok() || !again->opens, "every list of items is a job");
  if (!work.ok()) return;
  require((*work)->leaf_count() == again->items, "a leaf for each item");
  (void)(*work)->check_answer(ByteWriter().u32(static_cast<std::uint32_t>(again->items)).data()).ok();
  if (head->chain == job::Chain::bytom || again->items > 4) return;
  // Every item has a verdict, and a piece of its own that says the same.
  const auto row = kernels::find_row((*work)->family(), "reference");
  const auto kernel = row->make(kernels::cpu_device());
  job::Slice whole;
  whole.range[1] = static_cast<std::uint32_t>(again->items);
  require((*work)->run(whole, **kernel, {}).ok(), "every item has a verdict");
  const auto keep = [&](Bytes bytes) { return blobs.add(std::move(bytes)), done(); };
  const auto pieces = job::split(job, blobs, 1, keep);
  require(pieces.ok(), "a job can be cut");
  std::uint64_t units = 0;
  for (const job::Piece& piece : *pieces) units += (*job::open(piece.job, blobs, {}))->units();
  require(units == (*work)->units(), "no item costs more in a piece");
}

void run(ByteView data) {
  if (data.empty()) return;
  const std::uint8_t mode = data[0];
  data = data.subspan(1);
  if (mode == 0) {
    const auto params = job::decode_batch_params(data);
    if (params.ok()) require(job::encode_batch_params(*params) == copy(data), "params have one form");
    job::Job job = sample().job;
    job.params = copy(data);
    job::seal(job);
    const auto work = job::open(job, sample().blobs, {});
    require(!work.ok() || params.ok(), "what does not parse does not open");
  } else if (mode == 1) {
    job::MemoryBlobs blobs;
    job::Job job = sample().job;
    job.blobs = {blobs.add(copy(data))};
    job::seal(job);
    const auto work = job::open(job, blobs, {});
    if (!work.ok()) return;
    require((*work)->leaf_count() == 9, "a blob has the items that the params say");
    std::uint64_t last = 0;
    for (const job::Slice& s : (*work)->slice(3)) {
      require(s.range[0] == last && s.range[1] > last, "slices follow each other");
      last = s.range[1];
    }
    require(last == 9, "slices cover the job");
  } else if (mode == 2) {
    const auto verdicts = job::decode_batch_answer(data, 9);
    if (verdicts.ok()) require(verdicts->size() == 9 && data.size() == 6, "an answer has one form");
    (void)sample().work->check_answer(data).ok();
  } else if (mode == 3) {
    const auto plants = job::decode_plants(data);
    if (!plants.ok()) return;
    require(job::encode(*plants) == copy(data), "planted items have one form");
    if (plants->items == 9) (void)job::strip_plants(*plants, ByteView(Bytes{9, 0, 0, 0, 0xff, 1})).ok();
  } else if (mode == 4) {
    // An opening of leaves 2 and 7 beside an honest answer.
    const std::uint64_t leaves[] = {2, 7};
    const Bytes answer = ByteWriter().u32(9).u16(0).data();
    const auto checked = sample().work->check_opening(data, leaves, answer, *sample().executor);
    require(checked.ok(), "a lie is a finding");
    require(!checked->finding.ok() || data.size() == 64, "only whole evidence is right");
  } else if (mode == 5) {
    const Bytes slices[] = {copy(data)};
    const auto outcome = sample().work->assemble(slices);
    if (outcome.ok()) require(outcome->leaves.size() == 9, "a leaf for each item");
    (void)sample().work->rebuild(data, Bytes{9, 0, 0, 0, 0, 0}).ok();
  } else if (mode == 6) {
    blocks(data);
  }
}

}  // namespace
}  // namespace sparkmill

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sparkmill::run({data, size});
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
// Jobs, match.h params, answers, ringer lists and stored slices: what parses encodes to the same bytes again, and a
// job over any params opens or says why not. The first byte says which.
#include <cstdio>
#include <cstdlib>

#include "base/hash.h"
#include "verify/job/match_tiles.h"
#include "verify/job/ringers.h"
#include "verify/template/template_file.h"

namespace sparkmill {
namespace {

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

Bytes copy(ByteView data) { return {data.begin(), data.end()}; }

/// Two blobs of 3 and 5 empty rows; every field of the job names them.
struct Blobs {
  Blobs() {
    templates::Header header;
    header.n = 64;
    header.rows = 3;
    requests = source.add(templates::build(header, Bytes(3 * 16)));
    header.rows = 5;
    users = source.add(templates::build(header, Bytes(5 * 16)));
  }
  job::MemoryBlobs source;
  Hash32 requests{};
  Hash32 users{};
};

void open_with_params(ByteView params) {
  static Blobs blobs;
  job::Job job;
  job.params = copy(params);
  const auto parsed = job::decode_match_params(params);
  for (std::size_t f = 0; f < (parsed.ok() ? parsed->fields : 1u); ++f) {
    job.blobs.push_back(blobs.requests);
    job.blobs.push_back(blobs.users);
  }
  job::seal(job);
  if (parsed.ok()) require(job::encode_match_params(*parsed) == job.params, "params have one form");
  const auto work = job::open(job, blobs.source, {});
  require(!work.ok() || parsed.ok(), "what does not parse does not open");
  if (!work.ok()) return;
  require((*work)->leaf_count() == 1 && (*work)->slice(0).size() == 1, "3 x 5 rows are one tile");
  require((*work)->check_answer(job::encode_pairs({})).ok(), "an empty answer claims nothing");
}

void run(ByteView data) {
  if (data.empty()) return;
  const std::uint8_t mode = data[0];
  data = data.subspan(1);
  if (mode == 0) {
    const auto job = job::decode(data);
    if (job.ok()) require(job::encode(*job) == copy(data), "a job has one form");
  } else if (mode == 1) {
    open_with_params(data);
  } else if (mode == 2) {
    const auto pairs = job::decode_pairs(data);
    if (pairs.ok()) require(job::encode_pairs(*pairs) == copy(data), "an answer has one form");
    const job::Ringers ringers{6, {{0, 2, true}, {1, 4, false}}};
    (void)job::check_ringers(ringers, data).ok();
    if (pairs.ok()) (void)job::strip(ringers, *pairs);
  } else if (mode == 3) {
    const auto ringers = job::decode_ringers(data);
    if (!ringers.ok()) return;
    require(job::encode(*ringers) == copy(data), "a ringer list has one form");
    if (ringers->users < 4096) require(job::new_to_old(*ringers).size() == ringers->users, "a row for each user");
  } else if (mode == 4) {
    const job::Grid grid{300, 600, 2, 3};
    const auto slice = job::SliceView::parse(data, grid, 7);
    if (!slice.ok()) return;
    require(grid.contains(slice->range()) && job::in_answer_order(grid, slice->pairs()), "a slice lies in its job");
  }
}

}  // namespace
}  // namespace sparkmill

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sparkmill::run({data, size});
  return 0;
}

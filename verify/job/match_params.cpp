// SPDX-License-Identifier: Apache-2.0
// Codecs of match.h that need no inputs: params, answers, LIMIT.
#include <algorithm>

#include "base/hash.h"
#include "verify/job/match_h.h"

namespace sparkmill::job {
namespace {

inline constexpr std::uint16_t kVersion = 1;
inline constexpr std::uint16_t kGeometryDisclosed = 1;

Error bad_params(const std::string& why) { return fail(Status::bad_input, "match.h params: " + why); }

Hash32 tie_break(const Id16& job_id, match::Pair p) {
  ByteWriter w;
  w.bytes(job_id).u32(p.i).u32(p.j);
  return sha256(w.data());
}

}  // namespace

Bytes encode_match_params(const MatchParams& params) {
  ByteWriter w;
  w.u16(kVersion).u16(kGeometryDisclosed).u16(params.fields).u16(0);
  w.u32(params.requests).u32(params.users).u32(match::kTile).len_bytes(params.predicate.encode());
  return std::move(w).data();
}

Result<MatchParams> decode_match_params(ByteView bytes) {
  ByteReader r(bytes);
  const std::uint16_t version = r.u16();
  const std::uint16_t flags = r.u16();
  const std::uint16_t fields = r.u16();
  const std::uint16_t reserved = r.u16();
  const std::uint32_t requests = r.u32();
  const std::uint32_t users = r.u32();
  const std::uint32_t tile = r.u32();
  const ByteView code = r.len_bytes(kMaxParams);
  if (r.failed()) return bad_params("too short, or the code length is over the limit");
  if (!r.done()) return bad_params(std::to_string(r.left()) + " bytes too many");
  if (version != kVersion) return bad_params("version is " + std::to_string(version) + ", expected 1");
  if (flags != kGeometryDisclosed) {
    return bad_params("flags are " + std::to_string(flags) +
                      ", expected 1 (profile H discloses the geometry and must say so)");
  }
  if (reserved != 0) return bad_params("the reserved u16 is not 0");
  if (fields == 0 || fields > match::kMaxFields) {
    return bad_params("fields is " + std::to_string(fields) + ", expected 1 to " + std::to_string(match::kMaxFields));
  }
  if (requests == 0 || requests > match::kMaxRows) {
    return bad_params("requests is " + std::to_string(requests) + ", expected 1 to " + std::to_string(match::kMaxRows));
  }
  if (users == 0 || users > match::kMaxRows) {
    return bad_params("users is " + std::to_string(users) + ", expected 1 to " + std::to_string(match::kMaxRows));
  }
  if (tile != match::kTile) return bad_params("tile is " + std::to_string(tile) + ", expected 256");
  auto predicate = match::Predicate::decode(code);
  if (!predicate) return fail(predicate.status(), "match.h params: predicate: " + predicate.error().message);
  if (predicate->field_count() > fields) {
    return bad_params("the predicate names field " + std::to_string(predicate->field_count() - 1) + ", the job has " +
                      std::to_string(fields) + " field(s)");
  }
  return MatchParams{requests, users, fields, std::move(*predicate)};
}

Job make_match_job(const MatchParams& params, std::vector<Hash32> blobs, std::uint64_t deadline_unix_ms) {
  Job job;
  job.salt = random_array<16>();
  job.kind = Kind::match_h;
  job.deadline_unix_ms = deadline_unix_ms;
  job.params = encode_match_params(params);
  job.blobs = std::move(blobs);
  seal(job);
  return job;
}

Bytes encode_pairs(std::span<const match::Pair> pairs) {
  Bytes out(sizeof(std::uint32_t) + pairs.size_bytes());
  const auto count = static_cast<std::uint32_t>(pairs.size());
  std::memcpy(out.data(), &count, sizeof count);
  if (!pairs.empty()) std::memcpy(out.data() + sizeof count, pairs.data(), pairs.size_bytes());
  return out;
}

Result<std::vector<match::Pair>> decode_pairs(ByteView answer) {
  ByteReader r(answer);
  const std::uint32_t count = r.u32();
  if (r.failed()) return fail(Status::bad_input, "answer: shorter than its count");
  if (count > kMaxAnswerPairs) {
    return fail(Status::bad_input,
                "answer: " + std::to_string(count) + " pairs, at most " + std::to_string(kMaxAnswerPairs));
  }
  if (r.left() != count * sizeof(match::Pair)) {
    return fail(Status::bad_input,
                "answer: " + std::to_string(r.left()) + " bytes for " + std::to_string(count) + " pairs of 8 bytes");
  }
  std::vector<match::Pair> pairs(count);
  const ByteView body = r.bytes(count * sizeof(match::Pair));
  if (count > 0) std::memcpy(pairs.data(), body.data(), body.size());
  return pairs;
}

std::vector<match::Pair> apply_limit(const match::Predicate& predicate, const Id16& job_id,
                                     std::vector<match::Pair> pairs,
                                     const std::function<void(match::Pair, std::span<std::uint32_t>)>& words) {
  std::sort(pairs.begin(), pairs.end());
  if (predicate.limit() == 0) return pairs;
  struct Ranked {
    std::int64_t score;
    Hash32 tie;
    match::Pair pair;
  };
  std::vector<match::Pair> kept;
  std::vector<Ranked> group;
  std::vector<std::uint32_t> v(predicate.leaves().size());
  for (std::size_t begin = 0, end = 0; begin < pairs.size(); begin = end) {
    while (end < pairs.size() && pairs[end].i == pairs[begin].i) ++end;
    group.clear();
    for (std::size_t k = begin; k < end; ++k) {
      words(pairs[k], v);
      group.push_back({predicate.rank_score(v), tie_break(job_id, pairs[k]), pairs[k]});
    }
    std::sort(group.begin(), group.end(),
              [](const Ranked& a, const Ranked& b) { return a.score != b.score ? a.score > b.score : a.tie < b.tie; });
    group.resize(std::min<std::size_t>(group.size(), predicate.limit()));
    for (const Ranked& r : group) kept.push_back(r.pair);
  }
  std::sort(kept.begin(), kept.end());
  return kept;
}

}  // namespace sparkmill::job

// SPDX-License-Identifier: Apache-2.0
// Tasks of kind match.h: real faces hidden in a synthetic population.
#include <fmt/format.h>

#include <optional>

#include "base/hash.h"
#include "kernels/match/predicate_text.h"
#include "node/jobs/generator.h"
#include "node/jobs/maker.h"
#include "node/jobs/population.h"
#include "verify/job/ringers.h"
#include "verify/template/template_file.h"

namespace sparkmill::node {

namespace {

class MatchMaker final : public Maker {
 public:
  MatchMaker(const GeneratorSettings& settings, BlobStore& blobs) : settings_(settings), blobs_(blobs) {}
  job::Kind kind() const override { return job::Kind::match_h; }
  Result<MadeAttempt> make(const Task* again, std::uint64_t index, std::uint64_t deadline_ms,
                           const StopToken& stop) override;

 private:
  const GeneratorSettings settings_;
  BlobStore& blobs_;
  std::optional<Population> population_;
};

Result<MadeAttempt> MatchMaker::make(const Task* again, std::uint64_t index, std::uint64_t deadline_ms,
                                     const StopToken& stop) {
  TaskSpec spec;
  if (again != nullptr) {
    SPARKMILL_ASSIGN(spec, decode_task_spec(again->spec));
  } else {
    spec = {index,       settings_.requests, settings_.users - kMatchRingers,
            settings_.n, settings_.seed,     settings_.predicate};
  }
  SPARKMILL_ASSIGN(match::Predicate predicate, match::parse_predicate(spec.predicate, kMatchFields));
  if (!population_ || population_->seed() != spec.seed || population_->enroller().n() != spec.n) {
    SPARKMILL_ASSIGN(population_, Population::make(spec.seed, spec.n));
  }
  const Layout layout = layout_of(spec);
  SPARKMILL_ASSIGN(const TaskRows rows, population_->rows(spec, layout, stop));
  const job::RingerField field{&rows.request_features, &population_->enroller(), population_->mean(), rows.request_rows,
                               rows.user_rows};
  SPARKMILL_ASSIGN(const job::Planted planted, job::plant(std::span(&field, 1), predicate, random_array<32>()));
  if (stop.stop_requested()) return fail(Status::cancelled, "stopped");

  templates::Header header;
  header.n = spec.n;
  header.app = population_->app();
  header.rows = spec.requests;
  SPARKMILL_ASSIGN(const Hash32 requests, blobs_.put(templates::build(header, rows.request_rows)));
  header.rows = planted.ringers.users;
  SPARKMILL_ASSIGN(const Hash32 users, blobs_.put(templates::build(header, planted.user_rows.front())));
  MadeAttempt made;
  made.spec = encode(spec);
  made.job = job::make_match_job({spec.requests, planted.ringers.users, 1, std::move(predicate)}, {requests, users},
                                 deadline_ms);
  made.secrets = job::encode(planted.ringers);
  made.text = fmt::format(
      "{} x {} at n = {}: {} real and {} synthetic requests, {} real and {} synthetic users, {} ringers", spec.requests,
      planted.ringers.users, spec.n, layout.real_requests, spec.requests - layout.real_requests, layout.real_users,
      spec.users - layout.real_users, kMatchRingers);
  return made;
}

}  // namespace

std::unique_ptr<Maker> match_maker(const GeneratorSettings& settings, BlobStore& blobs) {
  return std::make_unique<MatchMaker>(settings, blobs);
}

}  // namespace sparkmill::node

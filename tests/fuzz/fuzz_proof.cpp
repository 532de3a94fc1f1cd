// SPDX-License-Identifier: Apache-2.0
// Envelopes, commits, openings and file proofs against one real job (the case "edges" of the vectors). The first byte
// says which. With every leaf opened, nothing but the honest bytes may be accepted: that is checked, too.
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/hex.h"
#include "tests/verify/support.h"

namespace sparkmill {
namespace {

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

struct World {
  World() {
    const auto text = read_text_file(SPARKMILL_SOURCE_DIR "/tests/vectors/match_job.json", 1u << 20);
    require(text.ok(), "tests/vectors/match_job.json is readable");
    const nlohmann::json c = nlohmann::json::parse(*text)["cases"][0];
    const auto bytes = [](const nlohmann::json& v) { return *from_hex(v.get<std::string>()); };
    for (const auto& file : c["files"]) blobs.add(bytes(file));
    const auto lease = *array_from_hex<16>(c["lease_id"].get<std::string>());
    const auto worker = *array_from_hex<32>(c["worker_pub"].get<std::string>());
    work = std::move(*job::open(*job::decode(bytes(c["job"])), blobs, job::Binding::to_lease(lease, worker)));
    replay = std::make_unique<testing::ReplayExecutor>(*work);
    outcome = testing::outcome_of(*work);
    commit = testing::commit_of(outcome);
    commit_body = proof::encode(commit);
    opening_all = *proof::make_opening(*work, outcome, all);
    opening_some = *proof::make_opening(*work, outcome, some);
    file_proof = *proof::make_file_proof(*work, outcome);
  }
  const std::vector<std::uint64_t> all{0, 1, 2, 3};
  const std::vector<std::uint64_t> some{0, 3};
  job::MemoryBlobs blobs;
  std::unique_ptr<job::Work> work;
  std::unique_ptr<testing::ReplayExecutor> replay;
  job::Outcome outcome;
  proof::Commit commit;
  Bytes commit_body, opening_all, opening_some, file_proof;
};

void expect_only(const World& w, const proof::Commit& commit, std::span<const std::uint64_t> indices, ByteView opening,
                 bool honest) {
  const auto verdict = proof::check(*w.work, commit, indices, opening, *w.replay);
  require(verdict.ok(), "a lie is a verdict");
  require(verdict->accepted == honest, "only the honest proof is accepted");
}

void run(ByteView data) {
  static const World w;
  if (data.empty()) return;
  const std::uint8_t mode = data[0];
  data = data.subspan(1);
  const auto same = [&](const Bytes& honest) {
    return std::equal(data.begin(), data.end(), honest.begin(), honest.end());
  };
  if (mode == 0) {
    const auto e = proof::decode(data, 1u << 20);
    if (e.ok()) require(e->body.size() + proof::kEnvelopeOverhead == data.size(), "a frame has one length");
  } else if (mode == 1) {
    const auto commit = proof::decode_commit(data);
    if (!commit.ok()) return;
    require(proof::encode(*commit) == Bytes(data.begin(), data.end()), "a commit has one form");
    expect_only(w, *commit, w.all, w.opening_all, same(w.commit_body));
  } else if (mode == 2) {
    expect_only(w, w.commit, w.all, data, same(w.opening_all));
  } else if (mode == 3) {
    expect_only(w, w.commit, w.some, data, same(w.opening_some));
  } else if (mode == 4) {
    (void)proof::file_proof_job(data).ok();
    const auto verdict = proof::check_file_proof(*w.work, data, {}, 4, *w.replay);
    require(verdict.ok(), "a lie is a verdict");
    require(verdict->accepted == same(w.file_proof), "only the honest file proof is accepted");
  }
}

}  // namespace
}  // namespace sparkmill

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sparkmill::run({data, size});
  return 0;
}

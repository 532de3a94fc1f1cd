// SPDX-License-Identifier: Apache-2.0
// What checking costs and how long a proof is: one masked match job, its commit, a challenge of k leaves, the opening
// and its check on one core, against the time that the opened pairs take at the measured rate of the same run. JSON on
// stdout.
//   sparkmill_check_cost [log2 of the sides = 15] [n = 2048] [k = 128]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "base/hash.h"
#include "kernels/match/predicate_text.h"
#include "kernels/registry.h"
#include "verify/job/match_h.h"
#include "verify/merkle/merkle.h"
#include "verify/proof/proof.h"
#include "verify/template/template_file.h"

using namespace sparkmill;

namespace {

double now_s() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// Rows whose elements are valid with probability 3/4, as erased templates are.
Bytes random_file(std::uint64_t seed, std::uint32_t rows, std::uint32_t n) {
  Hash32 key{};
  std::memcpy(key.data(), &seed, sizeof seed);
  const std::size_t plane = n / 8;
  Bytes planes(std::size_t{rows} * plane * 2), noise(std::size_t{rows} * plane * 3);
  chacha20_stream(key, 0, 0, noise);
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t b = 0; b < plane; ++b) {
      const std::uint8_t* x = &noise[(r * plane + b) * 3];
      const auto valid = static_cast<std::uint8_t>(x[0] | x[1]);
      planes[r * plane * 2 + b] = static_cast<std::uint8_t>(x[2] & valid);
      planes[r * plane * 2 + plane + b] = valid;
    }
  }
  templates::Header header;
  header.n = n;
  header.rows = rows;
  return templates::build(header, planes);
}

int fail_with(const Error& error) {
  std::fprintf(stderr, "sparkmill_check_cost: %s\n", error.message.c_str());
  return exit_code(error.code);
}

std::unique_ptr<kernels::Kernel> best_kernel() {
  const kernels::Device cpu = kernels::discover_devices().front();
  auto choice = kernels::choose(kernels::Family::match, cpu);
  if (!choice) return nullptr;
  auto kernel = kernels::make_tested(*choice->row, cpu);
  return kernel ? std::move(*kernel) : nullptr;
}

int measure(std::uint32_t side, std::uint32_t n, std::uint32_t k) {
  job::MemoryBlobs blobs;
  const std::vector<Hash32> inputs{blobs.add(random_file(1, side, n)), blobs.add(random_file(2, side, n))};
  const std::string names[] = {"face"};
  auto predicate = match::parse_predicate("face.dot>=" + std::to_string(n / 3), names);
  if (!predicate) return fail_with(predicate.error());
  const job::MatchParams params{side, side, 1, *predicate};
  const job::Job job = job::make_match_job(params, inputs, 0);
  const Id16 lease = random_array<16>();
  auto work = job::open(job, blobs, job::Binding::to_lease(lease, {}));
  if (!work) return fail_with(work.error());

  job::InlineExecutor executor(best_kernel());
  std::vector<Bytes> results;
  const auto slices = (*work)->slice((*work)->units() / 8);
  double t0 = now_s();
  auto ran = executor.run(**work, slices,
                          [&](const job::Slice&, Bytes b) { return results.push_back(std::move(b)), done(); }, {});
  const double run_s = now_s() - t0;
  if (!ran) return fail_with(ran.error());
  const double rate = double(side) * side / run_s;
  auto outcome = (*work)->assemble(results);
  if (!outcome) return fail_with(outcome.error());
  t0 = now_s();
  const proof::Commit commit{merkle::root(outcome->leaves), outcome->leaves.size(), outcome->answer};
  const double root_ms = (now_s() - t0) * 1e3;

  std::vector<double> open_ms, check_ms;
  std::size_t proof_bytes = 0;
  for (int round = 0; round < 9; ++round) {
    const auto indices = proof::challenge_indices(random_array<32>(), commit.leaf_count, k);
    t0 = now_s();
    auto opening = proof::make_opening(**work, *outcome, indices);
    open_ms.push_back((now_s() - t0) * 1e3);
    if (!opening) return fail_with(opening.error());
    proof_bytes = std::max(proof_bytes, opening->size() + proof::kEnvelopeOverhead);
    t0 = now_s();
    auto verdict = proof::check(**work, commit, indices, *opening, executor);
    check_ms.push_back((now_s() - t0) * 1e3);
    if (!verdict) return fail_with(verdict.error());
    if (!verdict->accepted) return fail_with(fail(Status::mismatch, verdict->reason + ": " + verdict->detail));
  }
  std::sort(open_ms.begin(), open_ms.end());
  std::sort(check_ms.begin(), check_ms.end());
  const double opened = double(std::min<std::uint64_t>(k, commit.leaf_count)) * match::kTile * match::kTile;
  const double ideal_ms = opened / rate * 1e3;
  std::printf(
      "{\"schema\": 1, \"what\": \"check_cost\", \"side\": %u, \"n\": %u, \"k\": %u, \"leaves\": %llu,\n"
      " \"masked_pairs_per_s\": %.4g, \"root_ms\": %.2f, \"open_ms\": %.3f, \"check_ms\": %.3f,\n"
      " \"opened_pairs_ms\": %.3f, \"check_ratio\": %.3f, \"limit\": 1.3, \"opening_bytes\": %zu}\n",
      side, n, k, static_cast<unsigned long long>(commit.leaf_count), rate, root_ms, open_ms[4], check_ms[4], ideal_ms,
      check_ms[4] / ideal_ms, proof_bytes);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const unsigned long log2 = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 15;
  const unsigned long n = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 2048;
  const unsigned long k = argc > 3 ? std::strtoul(argv[3], nullptr, 10) : 128;
  if (log2 < 8 || log2 > 18 || n < 64 || n > match::kMaxN || n % 64 != 0 || k < 1 || k > 65536) {
    std::fprintf(stderr, "usage: sparkmill_check_cost [log2 8..18] [n 64..16384, multiple of 64] [k 1..65536]\n");
    return 2;
  }
  return measure(1u << log2, static_cast<std::uint32_t>(n), static_cast<std::uint32_t>(k));
}

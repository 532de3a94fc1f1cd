// SPDX-License-Identifier: Apache-2.0
// ECVRF: proofs a second in lanes, in turn with the ceiling of the unit that multiplies and the portable path, on one
// core. No Debian library verifies these proofs.
#include "bench/kernels/ecvrf.h"

#include <benchmark/benchmark.h>

#include <cstring>

#include "bench/kernels/mul_ceiling.h"
#include "bench/kernels/signature_rows.h"
#include "bench/measure.h"
#include "bench/report.h"
#include "verify/signatures/ecvrf.h"

namespace sparkmill::bench {
namespace {

using ed25519::VrfKernel;
using ed25519::VrfSuite;

constexpr std::size_t kBatch = 1024, kSingles = 8, kAlphaBytes = 32;

// Field products and squarings of one proof (kernels/ed25519/README.md counts them).
double instructions_a_proof(std::string_view isa, VrfSuite suite) {
  const double products = 2690, squarings = suite == VrfSuite::tai ? 2540 : 2290;
  return isa == "avx512" ? (products * 50 + squarings * 30) / 8 : (products * 109 + squarings * 60) / 4;
}

/// Distinct keys, one proof in 16 with another alpha.
struct Proofs {
  explicit Proofs(VrfSuite its) : suite(its), valid(kBatch), outputs(kBatch * ed25519::kVrfOutputBytes) {
    offsets.push_back(0);
    for (std::size_t i = 0; i < kBatch; ++i) {
      Hash32 secret{};
      std::memcpy(secret.data(), &i, sizeof i);
      Bytes alpha(kAlphaBytes, static_cast<std::uint8_t>(i));
      const auto key = signatures::vrf_public_key(secret);
      const auto proof = signatures::vrf_prove(suite, secret, alpha);
      keys.insert(keys.end(), key.begin(), key.end());
      if (proof) proofs.insert(proofs.end(), proof->begin(), proof->end());
      alpha[0] = static_cast<std::uint8_t>(alpha[0] ^ (wrong(i) ? 1 : 0));
      alphas.insert(alphas.end(), alpha.begin(), alpha.end());
      offsets.push_back(alphas.size());
    }
  }
  static bool wrong(std::size_t i) { return i % 16 == 5; }
  bool run(VrfKernel& kernel) {
    return bool(
        kernel.verify_vartime(suite, {kBatch, keys, proofs, alphas, offsets}, {valid, {}, outputs}, StopToken()));
  }
  bool right() const {
    for (std::size_t i = 0; i < kBatch; ++i) {
      if (valid[i] != (wrong(i) ? 0 : 1)) return false;
    }
    return true;
  }
  bool singles() const {
    bool good = true;
    for (std::size_t i = 0; i < kSingles; ++i) {
      good &= signatures::vrf_verify_vartime(suite, ByteView(keys).subspan(i * 32, 32),
                                             ByteView(proofs).subspan(i * 80, 80),
                                             ByteView(alphas).subspan(i * kAlphaBytes, kAlphaBytes))
                  .has_value() != wrong(i);
    }
    return good;
  }
  VrfSuite suite;
  Bytes keys, proofs, alphas, valid, outputs;
  std::vector<std::uint64_t> offsets;
};

Proofs& shared_proofs(VrfSuite suite) {
  static Proofs tai(VrfSuite::tai), ell2(VrfSuite::ell2);
  return suite == VrfSuite::tai ? tai : ell2;
}

void run(benchmark::State& state, const std::string& id, std::string_view isa, VrfSuite suite) {
  Proofs& work = shared_proofs(suite);
  const auto kernel = ed25519::make_vrf_kernel(isa);
  const MulCeiling* ceiling = find_mul_ceiling(isa);
  if (kernel == nullptr || ceiling == nullptr) return give_up(state, id, "not on this processor", false);
  const auto rounds = static_cast<std::uint64_t>(kBatch * instructions_a_proof(isa, suite) / ceiling->instructions);
  std::vector<double> lanes_s, ceiling_s, singles_s;
  bool good = true;
  for (auto _ : state) {
    lanes_s.push_back(timed(thread_seconds, [&] { good &= work.run(*kernel); }));
    state.SetIterationTime(lanes_s.back());
    ceiling_s.push_back(timed(thread_seconds, [&] { ceiling->run(rounds); }));
    singles_s.push_back(timed(thread_seconds, [&] { good &= work.singles(); }));
  }
  if (!good || !work.right()) return give_up(state, id, "an answer that was timed is wrong", true);
  const double rate = kBatch / median(lanes_s), single = kSingles / median(singles_s);
  state.counters["proofs_per_s"] = rate;
  state.counters["ceiling_proofs_per_s"] = kBatch / median(ceiling_s);
  state.counters["of_ceiling"] = median(ceiling_s) / median(lanes_s);
  state.counters["portable_per_s"] = single;
  state.counters["of_portable"] = rate / single;
}

}  // namespace

void register_ecvrf() {
  for (const char* isa : {"avx512", "avx2"}) {
    if (ed25519::make_vrf_kernel(isa) == nullptr) continue;
    for (const VrfSuite suite : {VrfSuite::tai, VrfSuite::ell2}) {
      const std::string id = std::string("ecvrf/cpu/") + isa + (suite == VrfSuite::tai ? "/tai" : "/ell2");
      add_rows(id, [id, isa, suite](benchmark::State& state) { run(state, id, isa, suite); });
    }
  }
}

}  // namespace sparkmill::bench

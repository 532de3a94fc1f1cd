// SPDX-License-Identifier: Apache-2.0
// Ed25519: verifications a second of each row under `go`, CPU rows in turn with the form with evidence, the ceiling of
// the unit that multiplies, libsodium and OpenSSL, so that clock changes and neighbours meet all alike; two cores.
#include "bench/kernels/ed25519.h"

#include <benchmark/benchmark.h>
#include <openssl/evp.h>
#include <sodium.h>

#include <algorithm>

#include "bench/kernels/data.h"
#include "bench/kernels/mul_ceiling.h"
#include "bench/kernels/pair_runner.h"
#include "bench/measure.h"
#include "bench/report.h"
#include "kernels/ed25519/ed25519.h"

namespace sparkmill::bench {

const MulCeiling* find_mul_ceiling(std::string_view isa) {
#if defined(SPARKMILL_HAVE_X86)
  static const MulCeiling table[] = {avx512_mul(), avx2_mul()};
  if (isa == "avx512") return &table[0];
  if (isa == "avx2") return &table[1];
#endif
  (void)isa;
  return nullptr;
}

namespace {

constexpr std::size_t kBatch = 4096;
constexpr std::size_t kPeerItems = 64;
constexpr std::size_t kMessageBytes = 64;

// Field products and squarings of one verification (kernels/ed25519/README.md counts them), and multiplications of
// each.
constexpr double kProducts = 1530, kSquarings = 1262;
double instructions_a_signature(std::string_view isa) {
  return isa == "avx512" ? (kProducts * 50 + kSquarings * 30) / 8 : (kProducts * 109 + kSquarings * 60) / 4;
}

template <class Body>
double timed(double (*clock)(), Body body) {
  const double start = clock();
  body();
  return clock() - start;
}

/// Distinct keys, messages of 64 bytes, one signature in 16 with a wrong message.
class Work {
 public:
  explicit Work(std::size_t count) : valid(count), evidence(count * ed25519::kEvidenceBytes) {
    keys.resize(count * ed25519::kKeyBytes);
    signatures.resize(count * ed25519::kSignatureBytes);
    messages.resize(count * kMessageBytes);
    offsets.resize(count + 1);
    for (std::size_t i = 0; i < count; ++i) {
      unsigned char seed[32] = {}, secret[64];
      std::memcpy(seed, &i, sizeof i);
      crypto_sign_seed_keypair(&keys[i * 32], secret, seed);
      std::memcpy(&messages[i * kMessageBytes], &i, sizeof i);
      crypto_sign_detached(&signatures[i * 64], nullptr, &messages[i * kMessageBytes], kMessageBytes, secret);
      if (wrong(i)) messages[i * kMessageBytes + 60] ^= 1;
      offsets[i + 1] = (i + 1) * kMessageBytes;
    }
  }
  static bool wrong(std::size_t i) { return i % 16 == 5; }
  Done run(ed25519::Kernel& kernel, std::size_t count, bool with_evidence) {
    const kernels::SignatureBatch batch{count, ByteView(keys).first(count * 32), ByteView(signatures).first(count * 64),
                                        messages, std::span(offsets).first(count + 1)};
    return kernel.verify_vartime(ed25519::Policy::go, batch,
                                 {std::span(valid).first(count),
                                  with_evidence ? std::span(evidence).first(count * 32) : std::span<std::uint8_t>()},
                                 StopToken());
  }
  bool right(std::size_t count) const {
    for (std::size_t i = 0; i < count; ++i) {
      if (valid[i] != (wrong(i) ? 0 : 1)) return false;
    }
    return true;
  }
  /// Verdicts of a peer on the first kPeerItems; false when one is not as expected.
  bool sodium() const {
    bool good = true;
    for (std::size_t i = 0; i < kPeerItems; ++i) {
      good &= (crypto_sign_verify_detached(&signatures[i * 64], &messages[i * kMessageBytes], kMessageBytes,
                                           &keys[i * 32]) == 0) != wrong(i);
    }
    return good;
  }
  bool openssl() const {
    bool good = true;
    for (std::size_t i = 0; i < kPeerItems; ++i) {
      EVP_PKEY* key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, &keys[i * 32], 32);
      EVP_MD_CTX* context = EVP_MD_CTX_new();
      good &= (EVP_DigestVerifyInit(context, nullptr, nullptr, nullptr, key) == 1 &&
               EVP_DigestVerify(context, &signatures[i * 64], 64, &messages[i * kMessageBytes], kMessageBytes) == 1) !=
              wrong(i);
      EVP_MD_CTX_free(context);
      EVP_PKEY_free(key);
    }
    return good;
  }

 private:
  Bytes keys, signatures, messages;
  std::vector<std::uint64_t> offsets;

 public:
  Bytes valid, evidence;
};

Work& shared_work() {
  static Work work(kBatch);
  return work;
}

void give_up(benchmark::State& state, const std::string& name, const std::string& why, bool wrong) {
  Report::instance().fail({name, why, wrong});
  state.SkipWithError(why.c_str());
}

std::unique_ptr<kernels::Kernel> prepare(benchmark::State& state, const Subject& subject) {
  auto kernel = kernels::make_tested(*subject.row, subject.device);
  if (kernel) return std::move(*kernel);
  give_up(state, subject.id(), kernel.error().message, kernel.status() == Status::self_test_failed);
  return nullptr;
}

/// One core, processor time: the row, its form with evidence, the ceiling and the peers in turn; medians.
void run_cpu(benchmark::State& state, const Subject& subject, std::size_t batch) {
  const auto owner = prepare(state, subject);
  if (owner == nullptr) return;
  auto& kernel = dynamic_cast<ed25519::Kernel&>(*owner);
  const MulCeiling* ceiling = find_mul_ceiling(subject.row->isa);
  const double instructions = static_cast<double>(batch) * instructions_a_signature(subject.row->isa);
  const auto rounds = ceiling != nullptr ? static_cast<std::uint64_t>(instructions / ceiling->instructions) : 0;
  Work& work = shared_work();
  std::vector<double> plain_s, evidence_s, ceiling_s, sodium_s, openssl_s;
  bool peers_right = true;
  for (auto _ : state) {
    plain_s.push_back(timed(thread_seconds, [&] {
      if (!work.run(kernel, batch, false)) state.SkipWithError("the kernel failed");
    }));
    state.SetIterationTime(plain_s.back());
    if (ceiling != nullptr) ceiling_s.push_back(timed(thread_seconds, [&] { ceiling->run(rounds); }));
    if (batch != kBatch) continue;
    evidence_s.push_back(timed(thread_seconds, [&] {
      if (!work.run(kernel, batch, true)) state.SkipWithError("the kernel failed");
    }));
    sodium_s.push_back(timed(thread_seconds, [&] { peers_right &= work.sodium(); }));
    openssl_s.push_back(timed(thread_seconds, [&] { peers_right &= work.openssl(); }));
  }
  if (!work.right(batch)) return give_up(state, subject.id(), "a verdict that was timed is wrong", true);
  if (!peers_right) return give_up(state, subject.id(), "a peer gives another verdict", true);
  const double items = static_cast<double>(batch);
  state.counters["signatures_per_s"] = items / median(plain_s);
  if (ceiling != nullptr) {
    state.counters["ceiling_signatures_per_s"] = items / median(ceiling_s);
    state.counters["of_ceiling"] = median(ceiling_s) / median(plain_s);
  }
  if (batch != kBatch) return;
  state.counters["signatures_per_s_with_evidence"] = items / median(evidence_s);
  state.counters["evidence_cost"] = median(evidence_s) / median(plain_s) - 1;
  const double peer_items = kPeerItems;
  state.counters["libsodium_per_s"] = peer_items / median(sodium_s);
  state.counters["openssl_per_s"] = peer_items / median(openssl_s);
  state.counters["of_libsodium"] = items / median(plain_s) * median(sodium_s) / peer_items;
  state.counters["of_openssl"] = items / median(plain_s) * median(openssl_s) / peer_items;
}

/// Rows that use other processors or devices: a batch, wall time.
void run_device(benchmark::State& state, const Subject& subject) {
  const auto owner = prepare(state, subject);
  if (owner == nullptr) return;
  auto& kernel = dynamic_cast<ed25519::Kernel&>(*owner);
  Work& work = shared_work();
  std::vector<double> seconds;
  for (auto _ : state) {
    seconds.push_back(timed(wall_seconds, [&] {
      if (!work.run(kernel, kBatch, false)) state.SkipWithError("the kernel failed");
    }));
    state.SetIterationTime(seconds.back());
  }
  if (!work.right(kBatch)) return give_up(state, subject.id(), "a verdict that was timed is wrong", true);
  state.counters["signatures_per_s"] = static_cast<double>(kBatch) / median(seconds);
}

/// The same batch on one pinned core, then on two at once; wall time, and processor time beside it.
void run_two_cores(benchmark::State& state, const Subject& subject, unsigned other_core) {
  const auto first = prepare(state, subject);
  const auto second = first != nullptr ? prepare(state, subject) : nullptr;
  if (second == nullptr) return;
  Work& mine = shared_work();
  Work theirs = mine;
  const auto run = [](kernels::Kernel& kernel, Work& work) {
    (void)work.run(dynamic_cast<ed25519::Kernel&>(kernel), kBatch, false);
  };
  PairRunner pair(other_core, [&] { run(*second, theirs); });
  std::vector<double> one_wall, two_wall, one_cpu, both_cpu;
  for (auto _ : state) {
    const double cpu = thread_seconds();
    one_wall.push_back(timed(wall_seconds, [&] { run(*first, mine); }));
    one_cpu.push_back(thread_seconds() - cpu);
    two_wall.push_back(timed(wall_seconds, [&] { pair.run([&] { run(*first, mine); }); }));
    state.SetIterationTime(two_wall.back());
    both_cpu.push_back(pair.own_seconds() + pair.other_seconds());
  }
  if (!mine.right(kBatch) || !theirs.right(kBatch))
    return give_up(state, subject.id(), "a verdict that was timed is wrong", true);
  state.counters["signatures_per_s"] = 2 * static_cast<double>(kBatch) / median(two_wall);
  state.counters["speedup"] = 2 * median(one_wall) / median(two_wall);
  state.counters["speedup_cpu_time"] = 4 * median(one_cpu) / median(both_cpu);
}

template <class Function>
auto* add(const std::string& name, Function function) {
  return benchmark::RegisterBenchmark(name.c_str(), function)->UseManualTime();
}

}  // namespace

void register_ed25519(const std::vector<unsigned>& cores) {
  bool best = true;  // rows come best first
  for (const Subject& subject : subjects(kernels::Family::ed25519)) {
    if (subject.row->backend == kernels::Backend::reference) {
      add(subject.id(), [subject](benchmark::State& state) { run_cpu(state, subject, 16); })->Iterations(1);
    } else if (subject.row->backend != kernels::Backend::cpu) {
      add(subject.id(), [subject](benchmark::State& state) { run_device(state, subject); });
    } else {
      add(subject.id(), [subject](benchmark::State& state) { run_cpu(state, subject, kBatch); });
      for (const std::size_t batch : {1u, 16u, 256u}) {
        add(subject.id() + "/batch:" + std::to_string(batch),
            [subject, batch](benchmark::State& state) { run_cpu(state, subject, batch); });
      }
      Report::instance().expect(
          {subject.id() + "/signatures_per_s", subject.row->isa == "avx512" ? 180e3 : 60e3, true});
      Report::instance().expect({subject.id() + "/evidence_cost", 0.03, false});
      if (!best || cores.size() < 2) continue;
      best = false;
      const std::string name = subject.id() + "/two_cores";
      const unsigned other = cores[cores.size() - 2];
      add(name, [subject, other](benchmark::State& state) { run_two_cores(state, subject, other); });
      Report::instance().expect({name + "/speedup", 1.9, true});
    }
  }
}

}  // namespace sparkmill::bench

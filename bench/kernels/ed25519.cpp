// SPDX-License-Identifier: Apache-2.0
// Ed25519: verifications a second of each row under `go`, CPU rows in turn with the form with evidence, the ceiling of
// the unit that multiplies, libsodium and OpenSSL, so that clock changes and neighbours meet all alike; two cores.
#include "bench/kernels/ed25519.h"

#include <benchmark/benchmark.h>
#include <openssl/evp.h>
#include <sodium.h>

#include <algorithm>
#include <map>

#include "bench/kernels/data.h"
#include "bench/kernels/signature_rows.h"
#include "bench/measure.h"
#include "bench/report.h"
#include "kernels/ed25519/ed25519.h"

namespace sparkmill::bench {

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

/// Messages of 64 bytes, one signature in 16 with a wrong message; every key `times` times, spread over the batch.
class Work {
 public:
  explicit Work(std::size_t count, std::size_t times = 1) : valid(count), evidence(count * ed25519::kEvidenceBytes) {
    keys.resize(count * ed25519::kKeyBytes);
    signatures.resize(count * ed25519::kSignatureBytes);
    messages.resize(count * kMessageBytes);
    offsets.resize(count + 1);
    for (std::size_t i = 0; i < count; ++i) {
      unsigned char seed[32] = {}, secret[64];
      const std::size_t key = i % (count / times);
      std::memcpy(seed, &key, sizeof key);
      crypto_sign_seed_keypair(&keys[i * 32], secret, seed);
      std::memcpy(&messages[i * kMessageBytes], &i, sizeof i);
      crypto_sign_detached(&signatures[i * 64], nullptr, &messages[i * kMessageBytes], kMessageBytes, secret);
      if (wrong(i)) messages[i * kMessageBytes + 60] ^= 1;
      offsets[i + 1] = (i + 1) * kMessageBytes;
    }
  }
  static bool wrong(std::size_t i) { return i % 16 == 5; }
  /// The next `count` items, so that the keys of a small batch are new to the kernel.
  Done run(ed25519::Kernel& kernel, std::size_t count, bool with_evidence) {
    first = first + 2 * count > valid.size() ? 0 : first + count;
    const kernels::SignatureBatch batch{count, ByteView(keys).subspan(first * 32, count * 32),
                                        ByteView(signatures).subspan(first * 64, count * 64), messages,
                                        std::span(offsets).subspan(first, count + 1)};
    return kernel.verify_vartime(ed25519::Policy::go, batch,
                                 {std::span(valid).subspan(first, count),
                                  with_evidence ? std::span(evidence).first(count * 32) : std::span<std::uint8_t>()},
                                 StopToken());
  }
  bool right(std::size_t count) const {
    for (std::size_t i = first; i < first + count; ++i) {
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
  std::size_t first = 0;  ///< of the last batch

 public:
  Bytes valid, evidence;
};

constexpr std::size_t kRepeats[] = {2, 8, 64};
Work& shared_work(std::size_t times = 1) {
  static std::map<std::size_t, Work> works;
  return works.try_emplace(times, kBatch, times).first->second;
}

SignatureLoad load_of(Work& work, std::size_t batch) {
  return {batch,
          [&work, batch](kernels::Kernel& kernel, bool with_evidence) {
            return bool(work.run(dynamic_cast<ed25519::Kernel&>(kernel), batch, with_evidence));
          },
          [&work, batch] { return work.right(batch); }};
}

void run_cpu(benchmark::State& state, const Subject& subject, std::size_t batch) {
  Work& work = shared_work();
  run_on_core(state, subject, load_of(work, batch),
              static_cast<double>(batch) * instructions_a_signature(subject.row->isa), batch == kBatch,
              {{"libsodium", kPeerItems, [&] { return work.sodium(); }},
               {"openssl", kPeerItems, [&] { return work.openssl(); }}});
}
/// Every key `times` times, in turn with a batch of distinct keys.
void run_repeated(benchmark::State& state, const Subject& subject, std::size_t times) {
  run_repeated_keys(state, subject, load_of(shared_work(times), kBatch), load_of(shared_work(), kBatch));
}
void run_device(benchmark::State& state, const Subject& subject) {
  run_on_device(state, subject, load_of(shared_work(), kBatch));
}
void run_two_cores(benchmark::State& state, const Subject& subject, unsigned other_core) {
  Work theirs = shared_work();
  run_on_two_cores(state, subject, other_core, load_of(shared_work(), kBatch), load_of(theirs, kBatch));
}

}  // namespace

void register_ed25519(const std::vector<unsigned>& cores) {
  bool best = true;  // rows come best first
  for (const Subject& subject : subjects(kernels::Family::ed25519)) {
    if (subject.row->backend == kernels::Backend::reference) {
      add_rows(subject.id(), [subject](benchmark::State& state) { run_cpu(state, subject, 16); })->Iterations(1);
    } else if (subject.row->backend != kernels::Backend::cpu) {
      add_rows(subject.id(), [subject](benchmark::State& state) { run_device(state, subject); });
    } else {
      add_rows(subject.id(), [subject](benchmark::State& state) { run_cpu(state, subject, kBatch); });
      for (const std::size_t batch : {1u, 16u, 256u}) {
        add_rows(subject.id() + "/batch:" + std::to_string(batch),
                 [subject, batch](benchmark::State& state) { run_cpu(state, subject, batch); });
      }
      for (const std::size_t times : kRepeats) {
        add_rows(subject.id() + "/go/keys:" + std::to_string(times),
                 [subject, times](benchmark::State& state) { run_repeated(state, subject, times); });
      }
      Report::instance().expect(
          {subject.id() + "/signatures_per_s", subject.row->isa == "avx512" ? 180e3 : 60e3, true});
      Report::instance().expect({subject.id() + "/evidence_cost", 0.03, false});
      if (!best || cores.size() < 2) continue;
      best = false;
      const std::string name = subject.id() + "/two_cores";
      const unsigned other = cores[cores.size() - 2];
      add_rows(name, [subject, other](benchmark::State& state) { run_two_cores(state, subject, other); });
      Report::instance().expect({name + "/speedup", 1.9, true});
    }
  }
}

}  // namespace sparkmill::bench

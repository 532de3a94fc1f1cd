// SPDX-License-Identifier: Apache-2.0
// secp256k1: verifications and recoveries a second of each row, CPU rows in turn with the form with evidence, the
// ceiling of the unit that multiplies, libsecp256k1 and OpenSSL, so that clock changes and neighbours meet all alike;
// two cores.
#include "bench/kernels/secp256k1.h"

#include <benchmark/benchmark.h>

#include <map>

#include "bench/kernels/data.h"
#include "bench/kernels/secp256k1_work.h"
#include "bench/kernels/signature_rows.h"
#include "bench/measure.h"
#include "bench/report.h"

namespace sparkmill::bench {
namespace {

constexpr std::size_t kBatch = 4096;

// Field products and squarings of one item (kernels/secp256k1/README.md counts them), and multiplications of each.
double instructions_an_item(std::string_view isa, Mode mode) {
  const double products = mode == Mode::ecdsa ? 1159 : mode == Mode::ecdsa_compressed ? 1172 : 1177;
  const double squarings = mode == Mode::ecdsa ? 783 : mode == Mode::ecdsa_compressed ? 1036 : 1068;
  return isa == "avx512" ? (products * 63 + squarings * 43) / 8 : (products * 111 + squarings * 66) / 4;
}
double goal(std::string_view isa, Mode mode) {
  if (isa == "avx512") return mode == Mode::recover ? 120e3 : 150e3;
  return mode == Mode::ecdsa ? 60e3 : 45e3;
}

SecpWork& shared_work(Mode mode) {
  static SecpWork work[] = {
      {Mode::ecdsa, kBatch}, {Mode::ecdsa_compressed, kBatch}, {Mode::bip340, kBatch}, {Mode::recover, kBatch}};
  return work[static_cast<std::size_t>(mode)];
}

SignatureLoad load_of(SecpWork& work, std::size_t batch) {
  return {batch,
          [&work, batch](kernels::Kernel& kernel, bool with_evidence) {
            return bool(work.run(dynamic_cast<secp256k1::Kernel&>(kernel), batch, with_evidence));
          },
          [&work, batch] { return work.right(batch); }};
}

void run_cpu(benchmark::State& state, const Subject& subject, Mode mode, std::size_t batch) {
  SecpWork& work = shared_work(mode);
  const bool whole = batch == kBatch;
  std::vector<SignaturePeer> peers;  // those that have this mode and are in this build
  if (whole && work.libsecp256k1())
    peers.push_back({"libsecp256k1", SecpWork::kPeerItems, [&] { return *work.libsecp256k1(); }});
  if (whole && work.openssl()) peers.push_back({"openssl", SecpWork::kPeerItems, [&] { return *work.openssl(); }});
  run_on_core(state, subject, load_of(work, batch),
              static_cast<double>(batch) * instructions_an_item(subject.row->isa, mode), whole, peers);
}
/// Every key `times` times, in turn with a batch of distinct keys.
void run_repeated(benchmark::State& state, const Subject& subject, Mode mode, std::size_t times) {
  static std::map<std::pair<Mode, std::size_t>, SecpWork> works;
  SecpWork& work = works.try_emplace({mode, times}, mode, kBatch, times).first->second;
  run_repeated_keys(state, subject, load_of(work, kBatch), load_of(shared_work(mode), kBatch));
}
void run_device(benchmark::State& state, const Subject& subject, Mode mode) {
  run_on_device(state, subject, load_of(shared_work(mode), kBatch));
}
void run_two_cores(benchmark::State& state, const Subject& subject, unsigned other_core) {
  SecpWork theirs = shared_work(Mode::ecdsa);
  run_on_two_cores(state, subject, other_core, load_of(shared_work(Mode::ecdsa), kBatch), load_of(theirs, kBatch));
}

}  // namespace

void register_secp256k1(const std::vector<unsigned>& cores) {
  bool best = true;  // rows come best first
  for (const Subject& subject : subjects(kernels::Family::secp256k1)) {
    for (const Mode mode : kModes) {
      const std::string id = subject.id() + "/" + name(mode);
      if (subject.row->backend == kernels::Backend::reference) {
        add_rows(id, [subject, mode](benchmark::State& state) { run_cpu(state, subject, mode, 16); })->Iterations(1);
      } else if (subject.row->backend != kernels::Backend::cpu) {
        add_rows(id, [subject, mode](benchmark::State& state) { run_device(state, subject, mode); });
      } else {
        add_rows(id, [subject, mode](benchmark::State& state) { run_cpu(state, subject, mode, kBatch); });
        Report::instance().expect({id + "/signatures_per_s", goal(subject.row->isa, mode), true});
        Report::instance().expect({id + "/evidence_cost", 0.10, false});
      }
    }
    if (subject.row->backend != kernels::Backend::cpu) continue;
    for (const Mode mode : {Mode::ecdsa, Mode::bip340}) {  // recovery has no keys
      for (const std::size_t times : {2u, 8u, 64u}) {
        add_rows(subject.id() + "/" + name(mode) + "/keys:" + std::to_string(times),
                 [subject, mode, times](benchmark::State& state) { run_repeated(state, subject, mode, times); });
      }
    }
    for (const std::size_t batch : {1u, 16u, 128u}) {
      add_rows(subject.id() + "/ecdsa/batch:" + std::to_string(batch),
               [subject, batch](benchmark::State& state) { run_cpu(state, subject, Mode::ecdsa, batch); });
    }
    if (!best || cores.size() < 2) continue;
    best = false;
    const std::string two = subject.id() + "/two_cores";
    const unsigned other = cores[cores.size() - 2];
    add_rows(two, [subject, other](benchmark::State& state) { run_two_cores(state, subject, other); });
    Report::instance().expect({two + "/speedup", 1.9, true});
  }
}

}  // namespace sparkmill::bench

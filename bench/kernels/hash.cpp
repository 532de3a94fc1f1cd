// SPDX-License-Identifier: Apache-2.0
// Hashes: messages a second of each row, CPU rows in turn with OpenSSL's EVP on the same messages, so that clock
// changes and neighbours meet both alike. Messages of 64 bytes (a node of a Merkle tree) and of 4 KiB.
#include "bench/kernels/hash.h"

#include <benchmark/benchmark.h>
#include <openssl/evp.h>

#include "base/hash.h"
#include "bench/kernels/data.h"
#include "bench/measure.h"
#include "bench/report.h"
#include "kernels/hash/hash.h"

namespace sparkmill::bench {
namespace {

using hashes::Algorithm;

/// OpenSSL 3.0 has no Keccak-256; SHA3-256 is the same work.
const EVP_MD* peer(Algorithm a) {
  switch (a) {
    case Algorithm::sha256: return EVP_sha256();
    case Algorithm::sha512: return EVP_sha512();
    case Algorithm::sha3_256:
    case Algorithm::keccak256: break;
  }
  return EVP_sha3_256();
}

struct Work {
  Bytes messages;
  std::vector<std::uint64_t> offsets;
  Bytes digests;
  Work(Algorithm a, std::size_t bytes, std::size_t count)
      : messages(bytes * count), digests(count * hashes::digest_bytes(a)) {
    chacha20_stream(Hash32{7}, 0, 0, messages);
    for (std::size_t i = 0; i <= count; ++i) offsets.push_back(i * bytes);
  }
  std::size_t count() const { return offsets.size() - 1; }
  hashes::Batch batch() const { return {messages, offsets}; }
};

void by_openssl(EVP_MD_CTX* context, const EVP_MD* method, const Work& work, Bytes& digests) {
  const std::size_t each = static_cast<std::size_t>(EVP_MD_get_size(method));
  for (std::size_t i = 0; i < work.count(); ++i) {
    const ByteView message = work.batch().message(i);
    EVP_DigestInit_ex(context, method, nullptr);
    EVP_DigestUpdate(context, message.data(), message.size());
    EVP_DigestFinal_ex(context, digests.data() + i * each, nullptr);
  }
}

void give_up(benchmark::State& state, const std::string& name, const std::string& why, bool wrong) {
  Report::instance().fail({name, why, wrong});
  state.SkipWithError(why.c_str());
}

void run(benchmark::State& state, const Subject& subject, Algorithm a, std::size_t bytes) {
  const std::string name = subject.id() + "/" + std::string(hashes::name(a));
  auto owner = kernels::make_tested(*subject.row, subject.device);
  if (!owner) return give_up(state, name, owner.error().message, owner.status() == Status::self_test_failed);
  auto& kernel = dynamic_cast<hashes::Kernel&>(**owner);
  const bool on_cpu = subject.row->backend == kernels::Backend::cpu;
  double (*clock)() = on_cpu ? thread_seconds : wall_seconds;
  Work work(a, bytes, bytes <= 64 ? 4096 : 512);
  const EVP_MD* method = peer(a);
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  Bytes theirs(work.digests.size());
  std::vector<double> ours_s, peer_s;
  for (auto _ : state) {
    const double start = clock();
    if (!kernel.hash(a, work.batch(), work.digests, StopToken())) state.SkipWithError("the kernel failed");
    ours_s.push_back(clock() - start);
    state.SetIterationTime(ours_s.back());
    const double before = thread_seconds();
    if (on_cpu) by_openssl(context, method, work, theirs);
    peer_s.push_back(thread_seconds() - before);
  }
  if (!on_cpu) by_openssl(context, method, work, theirs);
  EVP_MD_CTX_free(context);
  if (a != Algorithm::keccak256 && theirs != work.digests)
    return give_up(state, name, "digests differ from OpenSSL's", true);
  state.counters["messages_per_s"] = static_cast<double>(work.count()) / median(ours_s);
  state.counters["bytes_per_s"] = static_cast<double>(work.messages.size()) / median(ours_s);
  if (on_cpu) state.counters["of_openssl"] = median(peer_s) / median(ours_s);
}

}  // namespace

void register_hash() {
  for (const Subject& subject : subjects(kernels::Family::hash)) {
    for (const Algorithm a : hashes::kAlgorithms) {
      for (const std::size_t bytes : {std::size_t{64}, std::size_t{4096}}) {
        if (subject.row->backend == kernels::Backend::reference && bytes != 64) continue;
        const std::string name = subject.id() + "/" + std::string(hashes::name(a)) + "/bytes:" + std::to_string(bytes);
        benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
          run(state, subject, a, bytes);
        })->UseManualTime();
        if (subject.row->isa != "avx512") continue;
        const bool sponge = a == Algorithm::sha3_256 || a == Algorithm::keccak256;
        Report::instance().expect({name + "/of_openssl", sponge ? 3.0 : 1.0, true});
      }
    }
  }
}

}  // namespace sparkmill::bench

// SPDX-License-Identifier: Apache-2.0
// verify.batch jobs for tests: seeded signers, planted items, run inline on the best CPU row.
#pragma once

#include <gtest/gtest.h>

#include "kernels/backend/discover.h"
#include "kernels/registry.h"
#include "verify/job/plants.h"
#include "verify/job/verify_batch.h"
#include "verify/proof/proof.h"

namespace sparkmill::testing {

/// Sanitizers make kernels several times slower: fewer trials of the same thing will do.
#if defined(SPARKMILL_CHECKED) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

inline Hash32 seed_of(std::string_view text) { return sha256(view(text)); }

inline const signatures::Form* form(std::string_view scheme, std::string_view policy) {
  const auto found = signatures::form_named(scheme, policy);
  EXPECT_TRUE(found.ok());
  return *found;
}

/// All of Ed25519, and of the schemes that take long to sign those that differ in more than an encoding.
inline std::vector<const signatures::Form*> signed_forms() {
  std::vector<const signatures::Form*> out;
  for (const char* policy : {"go", "bytom_legacy", "rfc8032_canonical_cofactorless", "rfc8032_canonical_cofactored",
                             "zip215", "dalek_strict"}) {
    out.push_back(form("ed25519", policy));
  }
  for (const auto& [scheme, policy] :
       std::initializer_list<std::pair<const char*, const char*>>{{"ecdsa", "raw"},
                                                                  {"ecdsa", "compressed_der_low_s"},
                                                                  {"ecdsa_recover", "evm_precompile"},
                                                                  {"ecdsa_address", "ethereum_transaction"},
                                                                  {"ecdsa_address", "tron_transaction"},
                                                                  {"bip340", "bip340"},
                                                                  {"musig2", "bip327"},
                                                                  {"ecvrf", "tai"},
                                                                  {"rsa2048", "draw"},
                                                                  {"rsa2048", "pkcs1_sha256"}}) {
    out.push_back(form(scheme, policy));
  }
  return out;
}
/// Signing takes long.
inline bool slow(const signatures::Form& f) { return f.scheme != signatures::Scheme::ed25519; }

inline Result<std::unique_ptr<kernels::Kernel>> batch_kernel(kernels::Family family) {
  SPARKMILL_ASSIGN(const kernels::Choice choice, kernels::choose(family, kernels::cpu_device()));
  return choice.row->make(kernels::cpu_device());
}

inline job::InlineExecutor batch_executor(kernels::Family family) {
  const auto choice = kernels::choose(family, kernels::cpu_device());
  EXPECT_TRUE(choice.ok());
  return job::InlineExecutor(std::move(*choice->row->make(kernels::cpu_device())));
}

inline job::Outcome batch_outcome(const job::Work& work, std::uint64_t target_units) {
  std::vector<Bytes> results;
  const auto keep = [&](const job::Slice&, Bytes b) { return results.push_back(std::move(b)), done(); };
  job::InlineExecutor executor = batch_executor(work.family());
  const Done ran = executor.run(work, work.slice(target_units), keep, {});
  EXPECT_TRUE(ran.ok()) << (ran.ok() ? "" : ran.error().message);
  auto outcome = work.assemble(results);
  EXPECT_TRUE(outcome.ok()) << (outcome.ok() ? "" : outcome.error().message);
  return outcome.ok() ? std::move(*outcome) : job::Outcome{};
}

/// A job with planted items, opened for one lease.
struct BatchSample {
  BatchSample(const signatures::Form& f, std::uint32_t count, bool evidence = true, std::string_view name = "batch")
      : form(f) {
    const auto signers = signatures::make_signers(form, {seed_of(std::string(name) + "/keys"), {}});
    EXPECT_TRUE(signers.ok());
    flaws = (*signers)->flaws().size();
    auto planted = job::plant_batch(**signers, {}, count, seed_of(std::string(name) + "/plants"));
    EXPECT_TRUE(planted.ok()) << (planted.ok() ? "" : planted.error().message);
    plants = planted->plants;
    stream = signatures::encode_stream(form, planted->items.view());
    job = job::make_batch_job({&form, count, evidence}, blobs.add(stream), 0);
    auto opened = job::open(job, blobs, binding);
    EXPECT_TRUE(opened.ok()) << (opened.ok() ? "" : opened.error().message);
    work = std::move(*opened);
  }
  const signatures::Form& form;
  std::size_t flaws = 0;
  job::Plants plants;
  Bytes stream;
  job::MemoryBlobs blobs;
  job::Job job;
  job::Binding binding{Bytes{1, 2, 3}, {}};
  std::unique_ptr<job::Work> work;
};

}  // namespace sparkmill::testing

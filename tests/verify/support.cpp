// SPDX-License-Identifier: Apache-2.0
#include "tests/verify/support.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/hash.h"
#include "kernels/registry.h"
#include "verify/merkle/merkle.h"
#include "verify/template/template_file.h"

namespace sparkmill::testing {

Hash32 seed_of(std::string_view text) { return sha256(view(text)); }

Id16 id_of(std::string_view text) {
  const Hash32 h = seed_of(text);
  Id16 id{};
  std::copy_n(h.begin(), id.size(), id.begin());
  return id;
}

Bytes random_rows(const Hash32& seed, std::uint32_t count, std::uint32_t n) {
  const std::size_t plane = n / 8;
  Bytes rows(std::size_t{count} * 2 * plane);
  Bytes stream(std::size_t{count} * 3 * plane);
  chacha20_stream(seed, 0, 0, stream);
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint8_t* s = stream.data() + i * 3 * plane;
    std::uint8_t* row = rows.data() + i * 2 * plane;
    for (std::size_t b = 0; b < plane; ++b) {
      const auto valid = static_cast<std::uint8_t>(s[plane + b] | s[2 * plane + b]);
      row[b] = static_cast<std::uint8_t>(s[b] & valid);
      row[plane + b] = valid;
    }
  }
  return rows;
}

Bytes template_file(ByteView rows, std::uint32_t n, std::uint32_t field, std::string_view app) {
  templates::Header header;
  header.n = n;
  header.rows = static_cast<std::uint32_t>(rows.size() / (n / 4));
  header.field = field;
  header.app = id_of(app);
  return templates::build(header, rows);
}

std::unique_ptr<kernels::Kernel> cpu_kernel() {
  const std::vector<kernels::Device> devices = kernels::discover_devices();
  EXPECT_FALSE(devices.empty());
  auto choice = kernels::choose(kernels::Family::match, devices.front());
  EXPECT_TRUE(choice.ok());
  auto kernel = kernels::make_tested(*choice->row, devices.front());
  EXPECT_TRUE(kernel.ok());
  return std::move(*kernel);
}

job::InlineExecutor cpu_executor() { return job::InlineExecutor(cpu_kernel()); }

match::Predicate dots_at_least(std::span<const std::int32_t> thresholds) {
  std::vector<match::Op> ops;
  for (std::size_t f = 0; f < thresholds.size(); ++f) {
    match::Op op;
    op.code = match::OpCode::leaf_dot;
    op.field = static_cast<std::uint8_t>(f);
    op.imm = thresholds[f];
    ops.push_back(op);
  }
  if (thresholds.size() > 1) {
    match::Op all;
    all.code = match::OpCode::op_and;
    all.arg = static_cast<std::uint16_t>(thresholds.size());
    ops.push_back(all);
  }
  auto predicate = match::Predicate::make(std::move(ops));
  EXPECT_TRUE(predicate.ok());
  return std::move(*predicate);
}

Sample::Sample(const Shape& s, std::string_view name) : shape(s) {
  std::vector<Hash32> hashes;
  for (std::uint32_t f = 0; f < s.fields; ++f) {
    const std::string label = std::string(name) + "/" + std::to_string(f);
    const Bytes requests = random_rows(seed_of(label + "/requests"), s.requests, s.n);
    Bytes users = random_rows(seed_of(label + "/users"), s.users, s.n);
    const std::size_t row = s.n / 4;
    for (std::uint32_t t = 0; t < s.twins; ++t) {  // the same twins in each field
      const std::size_t i = std::uint64_t{t} * 7919 % s.requests;
      const std::size_t j = (std::uint64_t{t} * 104729 + 13) % s.users;
      std::copy_n(requests.begin() + static_cast<std::ptrdiff_t>(i * row), row,
                  users.begin() + static_cast<std::ptrdiff_t>(j * row));
    }
    hashes.push_back(blobs.add(template_file(requests, s.n, f)));
    hashes.push_back(blobs.add(template_file(users, s.n, f)));
  }
  const std::vector<std::int32_t> thresholds(s.fields, s.threshold);
  const job::MatchParams params{s.requests, s.users, static_cast<std::uint16_t>(s.fields), dots_at_least(thresholds)};
  job = job::make_match_job(params, hashes, 1'800'000'000'000);
  job.salt = id_of(name);
  job::seal(job);
  binding = job::Binding::to_lease(id_of("lease"), seed_of("worker"));
  work = open(binding);
}

std::unique_ptr<job::Work> Sample::open(const job::Binding& to) {
  auto opened = job::open(job, blobs, to);
  EXPECT_TRUE(opened.ok()) << (opened.ok() ? "" : opened.error().message);
  return opened.ok() ? std::move(*opened) : nullptr;
}

std::vector<Bytes> run_all(const job::Work& work, std::uint64_t target_units) {
  job::InlineExecutor executor = cpu_executor();
  const std::vector<job::Slice> slices = work.slice(target_units);
  std::vector<Bytes> results;
  const Done ran = executor.run(work, slices,
                                [&](const job::Slice&, Bytes bytes) {
                                  results.push_back(std::move(bytes));
                                  return done();
                                },
                                {});
  EXPECT_TRUE(ran.ok()) << (ran.ok() ? "" : ran.error().message);
  return results;
}

job::Outcome outcome_of(const job::Work& work, std::uint64_t target_units) {
  auto outcome = work.assemble(run_all(work, target_units));
  EXPECT_TRUE(outcome.ok()) << (outcome.ok() ? "" : outcome.error().message);
  return outcome.ok() ? std::move(*outcome) : job::Outcome{};
}

proof::Commit commit_of(const job::Outcome& outcome) {
  return {merkle::root(outcome.leaves), outcome.leaves.size(), outcome.answer};
}

ReplayExecutor::ReplayExecutor(const job::Work& work) {
  job::InlineExecutor executor = cpu_executor();
  const std::vector<job::Slice> tiles = work.slice(0);
  const Done ran = executor.run(work, tiles,
                                [&](const job::Slice& slice, Bytes bytes) {
                                  results_[slice.range] = std::move(bytes);
                                  return done();
                                },
                                {});
  EXPECT_TRUE(ran.ok());
}

Done ReplayExecutor::run(const job::Work&, std::span<const job::Slice> slices,
                         const std::function<Done(const job::Slice&, Bytes)>& done_with, const StopToken&) {
  for (const job::Slice& slice : slices) {
    const auto found = results_.find(slice.range);
    if (found == results_.end()) return fail(Status::not_found, "no result of this tile");
    SPARKMILL_TRY(done_with(slice, found->second));
  }
  return done();
}

}  // namespace sparkmill::testing

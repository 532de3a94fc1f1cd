// SPDX-License-Identifier: Apache-2.0
#include "bench/kernels/data.h"

#include <cmath>

#include "base/hash.h"

namespace sparkmill::bench {
namespace {

std::vector<std::uint64_t> make_rows(std::uint32_t count, std::uint32_t n, bool masked, std::uint8_t seed) {
  const std::size_t words = n / 64;
  Hash32 key{};
  key[0] = seed;
  std::vector<std::uint64_t> rows(count * 2 * words);
  chacha20_stream(key, n, 0, {reinterpret_cast<std::uint8_t*>(rows.data()), rows.size() * 8});
  std::vector<std::uint64_t> more(words);
  for (std::size_t r = 0; r < count; ++r) {
    std::uint64_t* row = &rows[r * 2 * words];
    for (std::size_t w = 0; w < words; ++w) {
      const std::uint64_t other = row[w] * 0x9e3779b97f4a7c15;
      row[words + w] = masked ? row[words + w] | (other ^ other >> 29) : ~std::uint64_t{0};
      row[w] &= row[words + w];
    }
  }
  return rows;
}

/// 4.75 standard deviations of an impostor's dot product.
std::int32_t threshold_for(std::uint32_t n, bool masked) {
  return static_cast<std::int32_t>(4.75 * std::sqrt(n * (masked ? 0.5625 : 1.0)));
}

std::uint64_t next_content_id() {
  static std::uint64_t id = 0x62656e6368000000;
  return id++;
}

}  // namespace

Population::Population(std::uint32_t n, bool masked, std::uint32_t request_tiles, std::uint32_t user_tiles)
    : requests_(make_rows(request_tiles * match::kTile, n, masked, 1)),
      users_(make_rows(user_tiles * match::kTile, n, masked, 2)),
      threshold_(threshold_for(n, masked)),
      predicate_(match::Predicate::make({{match::OpCode::leaf_dot, 0, 0, threshold_, {}}}).value()) {
  const auto planes = [&](const std::vector<std::uint64_t>& rows, std::uint32_t tiles) {
    return match::Planes{reinterpret_cast<const std::uint8_t*>(rows.data()), tiles * match::kTile, n, !masked,
                         next_content_id()};
  };
  field_ = {planes(requests_, request_tiles), planes(users_, user_tiles)};
  words_ = match::expand_digest_words(Hash32{}, field_.requests.count, field_.users.count);
}

match::Task Population::task(bool digest) const {
  match::Task t;
  t.fields = {&field_, 1};
  t.predicate = &predicate_;
  t.words = digest ? &words_ : nullptr;
  t.tiles = {0, field_.requests.count / match::kTile, 0, field_.users.count / match::kTile};
  return t;
}

std::vector<Subject> subjects(kernels::Family family) {
  std::vector<Subject> list;
  for (const kernels::Device& device : kernels::discover_devices()) {
    for (const kernels::Row& row : kernels::rows()) {
      if (row.family == family && row.probe(device).ok) list.push_back({&row, device});
    }
  }
  return list;
}

std::unique_ptr<kernels::Kernel> make(const Subject& subject, std::string& error) {
  auto kernel = kernels::make_tested(*subject.row, subject.device);
  if (kernel) return std::move(*kernel);
  error = kernel.error().message;
  return nullptr;
}

std::string verify(match::Kernel& kernel, const Population& population) {
  const auto reference = kernels::find_row(kernels::Family::match, "reference")->make(kernels::Device{});
  match::Task task = population.task(true);
  task.tiles = {0, 1, task.tiles.tj_end - 1, task.tiles.tj_end};
  match::TileResults want, got;
  const Done expected = dynamic_cast<match::Kernel&>(**reference).run(task, want, StopToken());
  if (!expected) return expected.error().message;
  const Done ran = kernel.run(task, got, StopToken());
  if (!ran) return ran.error().message;
  if (want.digests != got.digests || want.counts != got.counts || want.pairs != got.pairs) {
    return "its results differ from the oracle's";
  }
  return {};
}

}  // namespace sparkmill::bench

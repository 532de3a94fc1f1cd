// SPDX-License-Identifier: Apache-2.0
#include "node/jobs/population.h"

#include <algorithm>
#include <set>

#include "base/hash.h"

namespace sparkmill::node {

namespace {

constexpr std::uint16_t kVersion = 1;
constexpr std::size_t kMaxPredicate = 16u << 10;
constexpr std::uint32_t kWindowShare = 16;  // a task's window is 1/16 new
constexpr std::uint32_t kBatch = 256;       // rows between two looks at the stop token

Hash32 derived(std::string_view what, const Hash32& seed, std::uint64_t index = 0) {
  return sha256(ByteWriter().bytes(what).bytes(seed).u64(index).data());
}

bool is_original(const templates::Features::Label& label) { return label.variant == "orig"; }

void shuffle(std::vector<std::int64_t>& list, ChaChaWords& words) {
  for (std::size_t i = list.size(); i > 1; --i) std::swap(list[i - 1], list[words.below(i)]);
}

/// First number of the synthetic window of a task.
std::uint64_t window_first(std::uint64_t index, std::uint32_t count) {
  return index * std::max<std::uint32_t>(1, count / kWindowShare);
}

std::vector<std::int64_t> side(const TaskSpec& spec, std::uint32_t size, bool originals, std::uint32_t& real) {
  const templates::Features& faces = templates::real_faces();
  std::vector<std::int64_t> out;
  for (std::uint32_t i = 0; i < faces.count() && out.size() < size; ++i) {
    if (is_original(faces.labels[i]) == originals) out.push_back(i);
  }
  real = static_cast<std::uint32_t>(out.size());
  const std::uint32_t synthetic = size - real;
  const std::uint64_t first = window_first(spec.index, size);
  for (std::uint32_t i = 0; i < synthetic; ++i) out.push_back(-1 - static_cast<std::int64_t>(first + i));
  ChaChaWords words(
      derived(originals ? "sparkmill/demo-requests/v1" : "sparkmill/demo-users/v1", spec.seed, spec.index));
  shuffle(out, words);
  return out;
}

}  // namespace

Bytes encode(const TaskSpec& s) {
  ByteWriter w;
  w.u16(kVersion).u64(s.index).u32(s.requests).u32(s.users).u32(s.n).bytes(s.seed).len_bytes(s.predicate);
  return std::move(w).data();
}

Result<TaskSpec> decode_task_spec(ByteView bytes) {
  ByteReader r(bytes);
  const std::uint16_t version = r.u16();
  TaskSpec s;
  s.index = r.u64();
  s.requests = r.u32();
  s.users = r.u32();
  s.n = r.u32();
  s.seed = r.array<32>();
  s.predicate = text(r.len_bytes(kMaxPredicate));
  if (!r.done() || version != kVersion) return fail(Status::corrupt, "task: not a specification of version 1");
  return s;
}

Layout layout_of(const TaskSpec& spec) {
  Layout out;
  out.requests = side(spec, spec.requests, true, out.real_requests);
  out.users = side(spec, spec.users, false, out.real_users);
  return out;
}

TaskReport report_of(const TaskSpec& spec, std::span<const match::Pair> pairs) {
  const Layout layout = layout_of(spec);
  const templates::Features& faces = templates::real_faces();
  TaskReport out;
  for (const std::int64_t i : layout.requests) {
    for (const std::int64_t j : layout.users) {
      if (i >= 0 && j >= 0 && faces.labels[i].person == faces.labels[j].person) ++out.altered_shown;
    }
  }
  for (const match::Pair p : pairs) {
    if (p.i >= layout.requests.size() || p.j >= layout.users.size()) continue;
    const std::int64_t i = layout.requests[p.i];
    const std::int64_t j = layout.users[p.j];
    if (i < 0 || j < 0) {
      ++out.synthetic_false;
    } else {
      ++(faces.labels[i].person == faces.labels[j].person ? out.altered_found : out.real_false);
    }
  }
  return out;
}

Population::Population(const Hash32& seed, templates::Enroller enroller, std::vector<float> mean, const Id16& app)
    : seed_(seed), enroller_(std::move(enroller)), mean_(std::move(mean)), app_(app) {
  requests_.seed = derived("sparkmill/demo-requests-rows/v1", seed);
  users_.seed = derived("sparkmill/demo-users-rows/v1", seed);
}

Result<Population> Population::make(const Hash32& seed, std::uint32_t n) {
  const templates::Features& faces = templates::real_faces();
  std::vector<float> mean = templates::mean_of(faces);
  const Hash32 secret = derived("sparkmill/demo-app/v1", seed);
  Id16 app{};
  std::memcpy(app.data(), derived("sparkmill/demo-epoch/v1", seed).data(), app.size());
  SPARKMILL_ASSIGN(templates::Enroller enroller,
                   templates::Enroller::make(templates::projection_key(secret, app, 0), n, mean));
  Population out(seed, std::move(enroller), std::move(mean), app);
  const std::size_t row = n / 4;
  out.real_rows_.resize(faces.count() * row);
  for (std::uint32_t i = 0; i < faces.count(); ++i) {
    SPARKMILL_TRY(out.enroller_.enrol(faces.row(i), std::span(out.real_rows_).subspan(i * row, row)));
  }
  return out;
}

/// Makes the window hold exactly [first, first + count): keeps what overlaps, enrols the rest.
Done Population::move(Window& w, std::uint64_t first, std::uint32_t count, const StopToken& stop) const {
  const templates::Features& faces = templates::real_faces();
  const std::size_t row = enroller_.n() / 4;
  const std::size_t d = faces.dimension;
  std::uint64_t have = w.rows.size() / row;
  if (first + count > 0xffffffffu) return fail(Status::bad_argument, "the synthetic sequence is used up");
  if (first < w.first || first >= w.first + have) {
    w.features.clear(), w.rows.clear();
  } else {
    const auto drop = static_cast<std::ptrdiff_t>(first - w.first);
    w.rows.erase(w.rows.begin(), w.rows.begin() + drop * static_cast<std::ptrdiff_t>(row));
    w.features.erase(w.features.begin(), w.features.begin() + drop * static_cast<std::ptrdiff_t>(d));
  }
  w.first = first;
  have = w.rows.size() / row;
  if (have > count) w.rows.resize(count * row), w.features.resize(count * d), have = count;
  while (have < count) {
    if (stop.stop_requested()) return fail(Status::cancelled, "stopped while enrolling the population");
    const auto batch = static_cast<std::uint32_t>(std::min<std::uint64_t>(kBatch, count - have));
    const templates::Features fresh =
        templates::synthetic(faces, w.seed, static_cast<std::uint32_t>(first + have), batch);
    Bytes rows(batch * row);
    for (std::uint32_t i = 0; i < batch; ++i) {
      SPARKMILL_TRY(enroller_.enrol(fresh.row(i), std::span(rows).subspan(i * row, row)));
    }
    w.features.insert(w.features.end(), fresh.values.begin(), fresh.values.end());
    w.rows.insert(w.rows.end(), rows.begin(), rows.end());
    have += batch;
  }
  return done();
}

Result<TaskRows> Population::rows(const TaskSpec& spec, const Layout& layout, const StopToken& stop) {
  if (spec.n != enroller_.n() || spec.seed != seed_) {
    return fail(Status::bad_argument, "the task belongs to another population");
  }
  SPARKMILL_TRY(move(requests_, window_first(spec.index, spec.requests), spec.requests - layout.real_requests, stop));
  SPARKMILL_TRY(move(users_, window_first(spec.index, spec.users), spec.users - layout.real_users, stop));
  const templates::Features& faces = templates::real_faces();
  const std::size_t row = enroller_.n() / 4;
  const std::size_t d = faces.dimension;
  const auto place = [&](const Window& w, std::int64_t source) {
    return source >= 0 ? static_cast<std::size_t>(source)
                       : static_cast<std::size_t>(static_cast<std::uint64_t>(-1 - source) - w.first);
  };
  TaskRows out;
  out.request_features.dimension = faces.dimension;
  for (const std::int64_t source : layout.requests) {
    const std::size_t at = place(requests_, source);
    const std::uint8_t* r = (source >= 0 ? real_rows_ : requests_.rows).data() + at * row;
    const float* f = (source >= 0 ? faces.values : requests_.features).data() + at * d;
    out.request_rows.insert(out.request_rows.end(), r, r + row);
    out.request_features.values.insert(out.request_features.values.end(), f, f + d);
    out.request_features.labels.push_back(source >= 0 ? faces.labels[at]
                                                      : templates::Features::Label{-1, -1, "synthetic"});
  }
  for (const std::int64_t source : layout.users) {
    const std::uint8_t* r = (source >= 0 ? real_rows_ : users_.rows).data() + place(users_, source) * row;
    out.user_rows.insert(out.user_rows.end(), r, r + row);
  }
  return out;
}

}  // namespace sparkmill::node

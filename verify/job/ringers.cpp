// SPDX-License-Identifier: Apache-2.0
#include "verify/job/ringers.h"

#include <algorithm>
#include <optional>
#include <set>

#include "base/hash.h"

namespace sparkmill::job {
namespace {

inline constexpr std::uint32_t kVersion = 1;
inline constexpr std::uint32_t kMaxRingers = 1u << 16;
inline constexpr int kBisections = 14;
/// Noise this many times as strong as the signal leaves nothing of the request.
inline constexpr double kMaxNoise = 32.0;
/// Draws of a request in a row that may fail before the predicate is called unfit.
inline constexpr int kMaxMisses = 64;

/// Rows of one candidate, one for each field.
using Candidate = std::vector<Bytes>;

class Planter {
 public:
  Planter(std::span<const RingerField> fields, const match::Predicate& predicate, const Hash32& seed)
      : fields_(fields),
        predicate_(predicate),
        seed_(seed),
        draws_(Sha256().update("sparkmill/ringers/v1").update(seed).finish()),
        words_(predicate.leaves().size()) {}

  ChaChaWords& draws() { return draws_; }

  /// A row just above or just below the threshold of a drawn request.
  Result<std::pair<std::uint32_t, Candidate>> make(bool above) {
    for (int miss = 0; miss < kMaxMisses; ++miss) {
      const auto request = static_cast<std::uint32_t>(draws_.below(fields_.front().requests->count()));
      ++attempt_;
      SPARKMILL_ASSIGN(std::optional<Candidate> found, bisect(request, above));
      if (found) return std::pair{request, std::move(*found)};
    }
    return fail(Status::bad_input, "no ringers: the predicate has no threshold between a request and noise",
                "use a predicate that a request satisfies against itself, and that strangers do not");
  }

 private:
  Hash32 noise_seed(std::uint32_t field) const {
    ByteWriter w;
    w.bytes("sparkmill/ringer-noise/v1").bytes(seed_).u32(attempt_).u32(field);
    return sha256(w.data());
  }

  /// Enrols the request with this much noise; whether the predicate holds between the two.
  Result<bool> holds(std::uint32_t request, double amount, Candidate& rows) {
    rows.resize(fields_.size());
    for (std::size_t f = 0; f < fields_.size(); ++f) {
      const RingerField& field = fields_[f];
      rows[f].resize(field.enroller->n() / 4);
      const std::vector<float> features = templates::perturbed(field.requests->row(request), field.mean, amount,
                                                               noise_seed(static_cast<std::uint32_t>(f)));
      SPARKMILL_TRY(field.enroller->enrol(features, rows[f]));
    }
    const auto leaves = predicate_.leaves();
    for (std::size_t k = 0; k < leaves.size(); ++k) {
      const RingerField& field = fields_[leaves[k].field];
      const std::uint32_t n = field.enroller->n();
      words_[k] = match::score_word(field.request_rows.data() + std::size_t{request} * (n / 4),
                                    rows[leaves[k].field].data(), n);
    }
    return predicate_.matches(words_);
  }

  Result<std::optional<Candidate>> bisect(std::uint32_t request, bool above) {
    Candidate inside;
    Candidate outside;
    SPARKMILL_ASSIGN(const bool itself, holds(request, 0, inside));
    if (!itself) return std::optional<Candidate>{};
    double low = 0;
    double high = 0.25;
    for (;; low = high, high *= 2) {
      if (high > kMaxNoise) return std::optional<Candidate>{};
      SPARKMILL_ASSIGN(const bool still, holds(request, high, outside));
      if (!still) break;
      std::swap(inside, outside);
    }
    Candidate middle;
    for (int step = 0; step < kBisections; ++step) {
      const double amount = (low + high) / 2;
      SPARKMILL_ASSIGN(const bool still, holds(request, amount, middle));
      (still ? low : high) = amount;
      std::swap(still ? inside : outside, middle);
    }
    return std::optional<Candidate>(above ? std::move(inside) : std::move(outside));
  }

  std::span<const RingerField> fields_;
  const match::Predicate& predicate_;
  Hash32 seed_;
  ChaChaWords draws_;
  std::vector<std::uint32_t> words_;
  std::uint32_t attempt_ = 0;
};

/// Checks that the fields fit each other; returns the number of users.
Result<std::uint32_t> check_fields(std::span<const RingerField> fields, const match::Predicate& predicate,
                                   std::uint32_t each_side) {
  if (fields.empty() || predicate.field_count() > fields.size()) {
    return fail(Status::bad_argument, "ringers: the predicate names a field that is not there");
  }
  const std::uint32_t requests = fields.front().requests->count();
  const std::size_t users = fields.front().user_rows.size() / (fields.front().enroller->n() / 4);
  for (const RingerField& f : fields) {
    const std::size_t row = f.enroller->n() / 4;
    if (f.requests->count() != requests || f.request_rows.size() != requests * row ||
        f.user_rows.size() != users * row || f.mean.size() != f.enroller->dimension() ||
        f.requests->dimension != f.enroller->dimension()) {
      return fail(Status::bad_argument, "ringers: features, rows and enrollers of the fields do not fit each other");
    }
  }
  if (requests == 0) return fail(Status::bad_argument, "ringers: there are no requests");
  if (each_side > kMaxRingers / 2) return fail(Status::bad_argument, "ringers: too many");
  if (users + 2 * std::size_t{each_side} > match::kMaxRows) {
    return fail(Status::too_large, "ringers: more than " + std::to_string(match::kMaxRows) + " users");
  }
  return static_cast<std::uint32_t>(users);
}

}  // namespace

Bytes encode(const Ringers& ringers) {
  ByteWriter w;
  w.u32(kVersion).u32(ringers.users).u32(static_cast<std::uint32_t>(ringers.list.size()));
  for (const Ringer& r : ringers.list) w.u32(r.request).u32(r.user).u8(r.above ? 1 : 0);
  return std::move(w).data();
}

Result<Ringers> decode_ringers(ByteView bytes) {
  ByteReader r(bytes);
  const std::uint32_t version = r.u32();
  Ringers out;
  out.users = r.u32();
  const std::uint32_t count = r.u32();
  if (r.failed() || version != kVersion || count > kMaxRingers || out.users > match::kMaxRows ||
      r.left() != std::size_t{count} * 9) {
    return fail(Status::bad_input, "ringers: not the layout of version 1");
  }
  for (std::uint32_t k = 0; k < count; ++k) {
    Ringer ringer;
    ringer.request = r.u32();
    ringer.user = r.u32();
    const std::uint8_t above = r.u8();
    ringer.above = above == 1;
    if (above > 1 || ringer.user >= out.users || (k > 0 && ringer.user <= out.list.back().user)) {
      return fail(Status::bad_input, "ringers: entry " + std::to_string(k) + " is out of order or out of range");
    }
    out.list.push_back(ringer);
  }
  return out;
}

std::vector<std::uint32_t> new_to_old(const Ringers& ringers) {
  std::vector<std::uint32_t> map(ringers.users);
  std::size_t passed = 0;
  for (std::uint32_t j = 0; j < ringers.users; ++j) {
    if (passed < ringers.list.size() && ringers.list[passed].user == j) {
      map[j] = kRingerRow;
      ++passed;
    } else {
      map[j] = j - static_cast<std::uint32_t>(passed);
    }
  }
  return map;
}

Result<Planted> plant(std::span<const RingerField> fields, const match::Predicate& predicate, const Hash32& seed,
                      std::uint32_t each_side) {
  SPARKMILL_ASSIGN(const std::uint32_t users, check_fields(fields, predicate, each_side));
  Planter planter(fields, predicate, seed);
  Planted out;
  out.ringers.users = users + 2 * each_side;
  std::set<std::uint32_t> drawn;
  std::vector<std::uint32_t> positions;  // in drawing order: the first half is for those above
  while (positions.size() < 2 * std::size_t{each_side}) {
    const auto at = static_cast<std::uint32_t>(planter.draws().below(out.ringers.users));
    if (drawn.insert(at).second) positions.push_back(at);
  }
  std::vector<std::pair<Ringer, Candidate>> made;
  for (std::size_t k = 0; k < positions.size(); ++k) {
    const bool above = k < each_side;
    SPARKMILL_ASSIGN(auto found, planter.make(above));
    made.push_back({Ringer{found.first, positions[k], above}, std::move(found.second)});
  }
  std::sort(made.begin(), made.end(), [](const auto& a, const auto& b) { return a.first.user < b.first.user; });
  for (const auto& [ringer, rows] : made) out.ringers.list.push_back(ringer);
  for (std::size_t f = 0; f < fields.size(); ++f) {
    const std::size_t row = fields[f].enroller->n() / 4;
    Bytes rows;
    rows.reserve(out.ringers.users * row);
    std::size_t copied = 0;  // old rows so far
    const auto copy_until = [&](std::size_t old_rows) {
      const ByteView part = fields[f].user_rows.subspan(copied * row, (old_rows - copied) * row);
      rows.insert(rows.end(), part.begin(), part.end());
      copied = old_rows;
    };
    for (std::size_t k = 0; k < made.size(); ++k) {
      copy_until(made[k].first.user - k);
      rows.insert(rows.end(), made[k].second[f].begin(), made[k].second[f].end());
    }
    copy_until(users);
    out.user_rows.push_back(std::move(rows));
  }
  return out;
}

std::vector<match::Pair> strip(const Ringers& ringers, std::span<const match::Pair> pairs) {
  const std::vector<std::uint32_t> map = new_to_old(ringers);
  std::vector<match::Pair> out;
  for (const match::Pair p : pairs) {
    if (p.j < map.size() && map[p.j] != kRingerRow) out.push_back({p.i, map[p.j]});
  }
  std::sort(out.begin(), out.end());
  return out;
}

Result<std::vector<match::Pair>> final_pairs(const Work& work, ByteView answer, const Ringers& ringers) {
  SPARKMILL_ASSIGN(std::vector<match::Pair> pairs, decode_pairs(answer));
  const std::vector<std::uint32_t> map = new_to_old(ringers);
  std::erase_if(pairs, [&map](match::Pair p) { return p.j < map.size() && map[p.j] == kRingerRow; });
  SPARKMILL_ASSIGN(const std::vector<match::Pair> kept, final_pairs(work, encode_pairs(pairs)));
  return strip(ringers, kept);
}

Finding check_ringers(const Ringers& ringers, ByteView answer) {
  auto pairs = decode_pairs(answer);
  if (!pairs) return {"malformed", pairs.error().message};
  std::sort(pairs->begin(), pairs->end());
  std::size_t missing = 0;
  std::size_t invented = 0;
  for (const Ringer& r : ringers.list) {
    const bool claimed = std::binary_search(pairs->begin(), pairs->end(), match::Pair{r.request, r.user});
    missing += r.above && !claimed ? 1 : 0;
    invented += !r.above && claimed ? 1 : 0;
  }
  if (missing > 0) return {"ringer_missing", std::to_string(missing) + " planted matches were not found"};
  if (invented > 0) return {"ringer_invented", std::to_string(invented) + " planted non-matches were claimed"};
  return {};
}

}  // namespace sparkmill::job

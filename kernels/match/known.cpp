// SPDX-License-Identifier: Apache-2.0
// Builds the inputs of the known answers.
#include "kernels/match/known.h"

#include "base/hash.h"
#include "kernels/match/vectors.h"

namespace sparkmill::match {

std::span<const KnownAnswer> known_answers() { return kKnownAnswers; }

namespace {

std::vector<std::uint64_t> make_rows(const Hash32& key, std::uint64_t nonce, std::uint32_t count, KnownField field) {
  const std::size_t words = field.n / 64;
  std::vector<std::uint64_t> stream(count * words * 3);
  chacha20_stream(key, nonce, 0, {reinterpret_cast<std::uint8_t*>(stream.data()), stream.size() * 8});
  std::vector<std::uint64_t> rows(count * words * 2);
  for (std::size_t r = 0; r < count; ++r) {
    const std::uint64_t* x = &stream[r * words * 3];
    std::uint64_t* row = &rows[r * words * 2];
    for (std::size_t w = 0; w < words; ++w) {
      const std::uint64_t valid = field.all_valid ? ~std::uint64_t{0} : x[words + w] | x[2 * words + w];
      row[w] = x[w] & valid;
      row[words + w] = valid;
    }
  }
  return rows;
}

/// User 5 + 7 r becomes request r with every 16th sign flipped where it is valid.
void plant(std::vector<std::uint64_t>& users, const std::vector<std::uint64_t>& requests, const KnownAnswer& known,
           std::size_t words) {
  constexpr std::uint64_t kFlip = 0x0001000100010001;
  for (std::uint32_t r = 0; r < known.planted && r < known.requests && 5 + 7 * r < known.users; ++r) {
    const std::uint64_t* from = &requests[std::size_t{r} * words * 2];
    std::uint64_t* to = &users[(5 + 7 * std::size_t{r}) * words * 2];
    for (std::size_t w = 0; w < words; ++w) {
      to[words + w] = from[words + w];
      to[w] = (from[w] ^ kFlip) & from[words + w];
    }
  }
}

}  // namespace

KnownTask::KnownTask(const KnownAnswer& known) : tiles_(known.tiles) {
  Hash32 key;
  key.fill(known.seed);
  storage_.reserve(known.fields.size() * 2);
  for (std::size_t f = 0; f < known.fields.size(); ++f) {
    const KnownField& field = known.fields[f];
    storage_.push_back(make_rows(key, 16 + 2 * f, known.requests, field));
    storage_.push_back(make_rows(key, 17 + 2 * f, known.users, field));
    plant(storage_[2 * f + 1], storage_[2 * f], known, field.n / 64);
    const auto side = [&](std::size_t s, std::uint32_t count) {
      return Planes{reinterpret_cast<const std::uint8_t*>(storage_[2 * f + s].data()), count, field.n, field.all_valid,
                    0};
    };
    fields_.push_back({side(0, known.requests), side(1, known.users)});
  }
  predicate_.push_back(Predicate::decode(known.predicate).value());
  words_ = expand_digest_words(key, known.requests, known.users);
}

Task KnownTask::task(bool force_masked) const {
  Task t;
  t.fields = fields_;
  t.predicate = &predicate_.front();
  t.words = &words_;
  t.tiles = tiles_;
  t.force_masked = force_masked;
  return t;
}

}  // namespace sparkmill::match

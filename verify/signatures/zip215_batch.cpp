// SPDX-License-Identifier: Apache-2.0
// Over the group of the Ed25519 oracle, with Pippenger's buckets.
#include "verify/signatures/zip215_batch.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <vector>

#include "base/hash.h"
#include "kernels/ed25519/ed25519.h"
#include "kernels/ed25519/reference.h"
#include "kernels/ed25519/scalar.h"

namespace sparkmill::signatures {
namespace {

using ed25519::Words4;
using Group = ed25519::reference::Group<ed25519::reference::Curve25519>;
using Point = Group::Point;

/// Fewer are decided singly: below this, an equation costs more than it saves.
constexpr std::size_t kFewest = 16;

Words4 words(ByteView bytes) {
  Words4 out{};
  std::memcpy(out.data(), bytes.data(), std::min(bytes.size(), sizeof out));
  return out;
}

/// a b mod L.
Words4 product(const Words4& a, const Words4& b) {
  __extension__ using Wide = unsigned __int128;
  std::uint64_t wide[8] = {};
  for (std::size_t i = 0; i < 4; ++i) {
    std::uint64_t carry = 0;
    for (std::size_t j = 0; j < 4; ++j) {
      const Wide sum = Wide{a[i]} * b[j] + wide[i + j] + carry;
      wide[i + j] = static_cast<std::uint64_t>(sum);
      carry = static_cast<std::uint64_t>(sum >> 64);
    }
    wide[i + 4] = carry;
  }
  return ed25519::modulo_order(wide);
}
/// a + b mod L, both below L.
Words4 sum_of(const Words4& a, const Words4& b) {
  __extension__ using Wide = unsigned __int128;
  std::uint64_t wide[8] = {};
  std::uint64_t carry = 0;
  for (std::size_t k = 0; k < 4; ++k) {
    const Wide sum = Wide{a[k]} + b[k] + carry;
    wide[k] = static_cast<std::uint64_t>(sum);
    carry = static_cast<std::uint64_t>(sum >> 64);
  }
  return ed25519::modulo_order(wide);
}

/// One summand n P of an equation.
struct Term {
  Words4 n;
  const Point* p;
};

unsigned digit(const Words4& n, unsigned at, unsigned width) {
  std::uint64_t part = n[at / 64] >> (at % 64);
  if (at % 64 + width > 64 && at / 64 < 3) part |= n[at / 64 + 1] << (64 - at % 64);
  return static_cast<unsigned>(part & ((std::uint64_t{1} << width) - 1));
}

/// sum n_i P_i by buckets: for each window of bits every term lands in the bucket of its digit, and the buckets are
/// added up from the top.
Point add_up(std::span<const Term> terms) {
  constexpr unsigned kScalarBits = 253;
  unsigned width = 3;
  while (width < 11 && (std::size_t{4} << width) < terms.size()) ++width;
  std::vector<std::optional<Point>> buckets(std::size_t{1} << width);
  Point total = Group::identity();
  for (unsigned window = (kScalarBits + width - 1) / width; window-- > 0;) {
    for (unsigned k = 0; k < width; ++k) total = Group::add(total, total);
    std::fill(buckets.begin(), buckets.end(), std::nullopt);
    for (const Term& term : terms) {
      auto& bucket = buckets[digit(term.n, window * width, width)];
      bucket = bucket ? Group::add(*bucket, *term.p) : *term.p;
    }
    // The bucket of digit d counts d times: once in each running sum from d down to 1.
    std::optional<Point> running, sum;
    for (std::size_t d = buckets.size(); d-- > 1;) {
      if (buckets[d]) running = running ? Group::add(*running, *buckets[d]) : *buckets[d];
      if (running) sum = sum ? Group::add(*sum, *running) : *running;
    }
    if (sum) total = Group::add(total, *sum);
  }
  return total;
}

/// An item ready for equations.
struct Ready {
  std::size_t index;  ///< in the caller's batch
  Point a, r;         ///< -A and -R
  Words4 z, zk, zs;   ///< zk, zs mod L
};

/// One batch with what every equation over its parts shares.
class Batch {
 public:
  Batch(const Form& form, const Items& items, std::span<std::uint8_t> valid, kernels::Kernel& kernel,
        const StopToken& stop, Zip215Stats& stats)
      : form_(form), items_(items), valid_(valid), kernel_(kernel), stop_(stop), stats_(stats) {}

  /// Decodes; what does not decode or has S >= L is refused at once.
  std::vector<Ready> prepare(std::span<const std::size_t> indices, ChaChaWords& random) {
    std::vector<Ready> out;
    for (const std::size_t i : indices) {
      const ByteView key = items_.key(form_, i), signature = items_.signature(form_, i);
      Group::Encoded a{}, r{};
      std::memcpy(a.data(), key.data(), a.size());
      std::memcpy(r.data(), signature.data(), r.size());
      const Words4 s = words(signature.subspan(32));
      bool canonical = false;
      const auto point_a = Group::decode(a, canonical);
      const auto point_r = Group::decode(r, canonical);
      valid_[i] = 0;
      if (!point_a || !point_r || !ed25519::below_order(s)) continue;
      const Words4 k = words(ed25519::reference::challenge(r, a, items_.message(i)));
      const Words4 z{random.u64() | 1, random.u64(), 0, 0};  // never 0; 127 random bits
      out.push_back({i, Group::negate(*point_a), Group::negate(*point_r), z, product(z, k), product(z, s)});
    }
    return out;
  }

  bool holds(std::span<const Ready> part) {
    ++stats_.equations;
    stats_.equation_items += part.size();
    static const Point base = Group::base();
    std::vector<Term> terms;
    terms.reserve(2 * part.size() + 1);
    Words4 s{};
    for (const Ready& item : part) {
      terms.push_back({item.z, &item.r});
      terms.push_back({item.zk, &item.a});
      s = sum_of(s, item.zs);
    }
    terms.push_back({s, &base});
    return Group::is_identity(Group::times_eight(add_up(terms)));
  }

  /// Decides a part; `failed`: it is known that its equation does not hold. `clean` gets false when it does not.
  Done decide(std::span<const Ready> part, bool failed, bool& clean) {
    if (stop_.stop_requested()) return fail(Status::cancelled, "stopped");
    if (part.empty()) return done();
    if (part.size() < kFewest) {
      std::vector<std::size_t> indices;
      for (const Ready& item : part) indices.push_back(item.index);
      SPARKMILL_TRY(singles(indices));
      for (const std::size_t i : indices) clean = clean && valid_[i] != 0;
      return done();
    }
    if (!failed && holds(part)) {
      for (const Ready& item : part) valid_[item.index] = 1;
      return done();
    }
    clean = false;
    // When the left half holds, the right one cannot: the equations add up with the same z.
    const auto left = part.first(part.size() / 2), right = part.subspan(part.size() / 2);
    bool left_clean = true;
    SPARKMILL_TRY(decide(left, false, left_clean));
    return decide(right, left_clean, clean);
  }

  /// The same items one by one on the kernel.
  Done singles(std::span<const std::size_t> indices) {
    stats_.singles += indices.size();
    ItemList list(form_);
    for (const std::size_t i : indices) {
      SPARKMILL_TRY(list.add(items_.key(form_, i), items_.signature(form_, i), items_.message(i)));
    }
    Bytes valid(indices.size());
    SPARKMILL_TRY(verify_on(form_, list.view(), {valid, {}, {}, {}}, &kernel_, stop_));
    for (std::size_t k = 0; k < indices.size(); ++k) valid_[indices[k]] = valid[k];
    return done();
  }

 private:
  const Form& form_;
  const Items& items_;
  std::span<std::uint8_t> valid_;
  kernels::Kernel& kernel_;
  const StopToken& stop_;
  Zip215Stats& stats_;
};

/// Fixed only after the batch: a hash of all of it and randomness of the operating system.
Hash32 seed_of(const Items& items) {
  return Sha256()
      .update(view("sparkmill/zip215-batch/v1"))
      .update(random_array<32>())
      .update(items.keys)
      .update(items.signatures)
      .update(items.messages)
      .finish();
}

}  // namespace

Done Zip215Batch::verify(const Form& form, const Items& items, std::span<const std::uint32_t> sources,
                         std::span<std::uint8_t> valid, kernels::Kernel* kernel, const StopToken& stop) {
  if (form.scheme != Scheme::ed25519 || form.policy_name != "zip215") {
    return fail(Status::bad_argument, "the batch equation decides zip215 and nothing else");
  }
  if (kernel == nullptr || valid.size() != items.count || (!sources.empty() && sources.size() != items.count)) {
    return fail(Status::bad_argument, "zip215 batch: a kernel, and a verdict and a source for each item are needed");
  }
  SPARKMILL_TRY(check(form, items));
  std::map<std::uint32_t, std::vector<std::size_t>> by_source;
  for (std::size_t i = 0; i < items.count; ++i) by_source[sources.empty() ? 0 : sources[i]].push_back(i);
  ChaChaWords random(seed_of(items));
  Batch batch(form, items, valid, *kernel, stop, stats_);
  for (const auto& [source, indices] : by_source) {
    if (distrusted_.count(source) != 0) {
      SPARKMILL_TRY(batch.singles(indices));
      continue;
    }
    const std::vector<Ready> ready = batch.prepare(indices, random);
    bool clean = ready.size() == indices.size();
    SPARKMILL_TRY(batch.decide(ready, false, clean));
    if (!clean) distrusted_.insert(source);
  }
  return done();
}

}  // namespace sparkmill::signatures

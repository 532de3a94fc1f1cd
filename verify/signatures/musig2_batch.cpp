// SPDX-License-Identifier: Apache-2.0
#include "verify/signatures/musig2_batch.h"

#include <cstring>

#include "kernels/secp256k1/reference.h"
#include "verify/signatures/musig2.h"

namespace sparkmill::signatures {
namespace {

using secp256k1::Words4;
using Group = secp256k1::reference::Group<secp256k1::reference::Secp256k1>;
using Field = Group::F;
using Scalar = Group::S;
using Point = Group::Point;

/// Keys multiplied in one call; a list is never cut.
constexpr std::size_t kKeysOfCall = 4096;

/// Lists of one call of the kernel.
class Call {
 public:
  std::size_t keys() const { return offsets_.size() - 1; }
  void add(std::size_t list, ByteView bytes) {
    std::vector<PlainKey> keys(bytes.size() / sizeof(PlainKey));
    for (std::size_t k = 0; k < keys.size(); ++k) std::memcpy(keys[k].data(), bytes.data() + k * 33, 33);
    const std::vector<Scalar32> factors = key_coefficients(keys);
    bool usable = true, odd_one = false;
    for (std::size_t k = 0; k < keys.size(); ++k) {
      Words4 x = secp256k1::from_big_endian(keys[k].data() + 1);
      const Scalar r = Scalar::reduced(x);
      usable = usable && (keys[k][0] == 2 || keys[k][0] == 3);
      odd_one = odd_one || r.is_zero();  // x = 0 or N: no r stands for it
      // Recovery takes x = r + N for ids 2 and 3.
      const bool large = !secp256k1::less(x, Scalar::modulus());
      const Words4 s = (Scalar::reduced(secp256k1::from_big_endian(factors[k].data())) * r).number();
      std::uint8_t item[secp256k1::kRecoverableBytes];
      secp256k1::to_big_endian(r.number(), item);
      secp256k1::to_big_endian(s, item + 32);
      item[64] = static_cast<std::uint8_t>((keys[k][0] & 1) | (large ? 2 : 0));
      signatures_.insert(signatures_.end(), item, item + sizeof item);
      offsets_.push_back(offsets_.back() + secp256k1::kDigestBytes);
    }
    lists_.push_back({list, keys.size(), usable, odd_one ? keys : std::vector<PlainKey>()});
  }
  /// Fills `out` at the lists' places, and begins afresh.
  Done run(secp256k1::Kernel& kernel, std::vector<std::optional<Hash32>>& out, const StopToken& stop);

 private:
  struct List {
    std::size_t place, signers;
    bool usable;
    std::vector<PlainKey> by_hand;  ///< not empty: the kernel cannot have all of it
  };
  std::vector<List> lists_;
  Bytes signatures_;
  std::vector<std::uint64_t> offsets_{0};
};

/// Sum of points X || Y; nothing where one is missing or the sum is infinity.
std::optional<Point> sum_of(ByteView keys, ByteView valid) {
  Point sum = Group::infinity();
  for (std::size_t k = 0; k < valid.size(); ++k) {
    if (valid[k] == 0) return std::nullopt;
    const std::uint8_t* at = keys.data() + k * secp256k1::kPublicKeyBytes;
    sum = Group::add(sum, Group::point({Field::reduced(secp256k1::from_big_endian(at)),
                                        Field::reduced(secp256k1::from_big_endian(at + 32))}));
  }
  return Group::is_infinity(sum) ? std::nullopt : std::optional(sum);
}

Done Call::run(secp256k1::Kernel& kernel, std::vector<std::optional<Hash32>>& out, const StopToken& stop) {
  const std::size_t count = keys();
  const Bytes digests(count * secp256k1::kDigestBytes);
  Bytes valid(count), found(count * secp256k1::kPublicKeyBytes);
  SPARKMILL_TRY(kernel.recover_vartime(secp256k1::RecoverRule::unranged, {count, {}, signatures_, digests, offsets_},
                                       {valid, {}}, found, stop));
  std::vector<std::pair<std::size_t, Point>> sums;  // place and Q
  std::size_t at = 0;
  for (const List& list : lists_) {
    if (!list.by_hand.empty()) {
      const auto key = aggregate_keys(list.by_hand);
      if (key) out[list.place] = key->x_only();
    } else if (list.usable) {
      const auto sum =
          sum_of(ByteView(found).subspan(at * secp256k1::kPublicKeyBytes, list.signers * secp256k1::kPublicKeyBytes),
                 ByteView(valid).subspan(at, list.signers));
      if (sum) sums.emplace_back(list.place, *sum);
    }
    at += list.signers;
  }
  // One inversion for all.
  std::vector<Field> prefix{Field::one()};
  for (const auto& [place, sum] : sums) prefix.push_back(prefix.back() * sum.z);
  Field inverse = prefix.back().inverse();
  for (std::size_t k = sums.size(); k-- > 0;) {
    const Field own = inverse * prefix[k];
    inverse = inverse * sums[k].second.z;
    Hash32 x{};
    secp256k1::to_big_endian((sums[k].second.x * own * own).number(), x.data());
    out[sums[k].first] = x;
  }
  *this = {};
  return done();
}

}  // namespace

Result<std::vector<std::optional<Hash32>>> aggregate_lists(std::span<const ByteView> lists, secp256k1::Kernel& kernel,
                                                           const StopToken& stop) {
  std::vector<std::optional<Hash32>> out(lists.size());
  Call call;
  for (std::size_t i = 0; i < lists.size(); ++i) {
    call.add(i, lists[i]);
    if (call.keys() >= kKeysOfCall || i + 1 == lists.size()) SPARKMILL_TRY(call.run(kernel, out, stop));
  }
  return out;
}

}  // namespace sparkmill::signatures

// SPDX-License-Identifier: Apache-2.0
// MuSig2 where BIP-327's vectors do not reach; they themselves run through `sparkmill vectors`.
#include "verify/signatures/musig2.h"

#include <gtest/gtest.h>

#include "base/hash.h"
#include "base/hex.h"
#include "kernels/registry.h"
#include "kernels/secp256k1/reference.h"

namespace sparkmill::signatures {
namespace {

PlainKey key(const char* hex) { return *array_from_hex<33>(hex); }
const PlainKey kOne = key("02f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9");
const PlainKey kTwo = key("03dff1d77f2a671c5f36183726db2341be58feae1da2deced843240f7b502ba659");
const PlainKey kThree = key("023590a94e768f8e1815c2f24b4d80a8e3149316c3518ce7b7ad338368d038ca66");

std::string aggregated(std::vector<PlainKey> keys) {
  const auto got = aggregate_keys(keys);
  EXPECT_TRUE(got);
  return got ? to_hex(got->x_only()) : "";
}

TEST(MuSig2, AggregatesAsBip327Does) {
  // The four of key_agg_vectors.json.
  EXPECT_EQ(aggregated({kOne, kTwo, kThree}), "90539eede565f5d054f32cc0c220126889ed1e5d193baf15aef344fe59d4610c");
  EXPECT_EQ(aggregated({kThree, kTwo, kOne}), "6204de8b083426dc6eaf9502d27024d53fc826bf7d2012148a0575435df54b2b");
  EXPECT_EQ(aggregated({kOne, kOne, kOne}), "b436e3bad62b8cd409969a224731c193d051162d8c5ae8b109306127da3aa935");
  EXPECT_EQ(aggregated({kOne, kOne, kTwo, kTwo}), "69bc22bfa5d106306e48a20679de1d7389386124d07571d0d872686028c26a3e");
}

// Lists of keys that are points, that are none, that repeat, and whose x is not below N: as the host aggregates them.
TEST(MuSig2, ListsOnEveryRowAsOnTheHost) {
  using Group = secp256k1::reference::Group<secp256k1::reference::Secp256k1>;
  ChaChaWords draw(sha256(view("lists")));
  std::vector<PlainKey> pool = {kOne, kTwo, kThree};
  for (std::uint64_t t = 1; pool.size() < 6; ++t) {
    secp256k1::Words4 x{};
    secp256k1::add_words(x, {t, 0, 0, 0}, Group::S::modulus());
    if (!Group::compressed_key(3, x)) continue;
    PlainKey large{3};
    secp256k1::to_big_endian(x, large.data() + 1);
    pool.push_back(large);
  }
  PlainKey bad_head = kOne, no_point = kTwo, order{2}, past{2};
  bad_head[0] = 4;
  while (Group::compressed_key(no_point[0], secp256k1::from_big_endian(no_point.data() + 1))) ++no_point[32];
  secp256k1::to_big_endian(Group::S::modulus(), order.data() + 1);
  past.fill(0xff);
  past[0] = 2;
  for (const PlainKey& key : {bad_head, no_point, order, past}) pool.push_back(key);
  std::vector<std::vector<PlainKey>> lists(60);
  for (std::vector<PlainKey>& list : lists) {
    for (std::uint64_t n = 1 + draw.below(5); n > 0; --n) {
      list.push_back(pool[draw.below(draw.below(3) == 0 ? pool.size() : 6)]);
    }
  }
  kernels::Device cpu;
  cpu.id = "cpu";
  std::size_t none = 0;
  for (const char* name : {"reference", "cpu/avx2", "cpu/avx512"}) {
    const kernels::Row* row = kernels::find_row(kernels::Family::secp256k1, name);
    if (row == nullptr || !row->probe(cpu).ok) continue;
    const auto made = row->make(cpu);
    ASSERT_TRUE(made.ok());
    const auto got = aggregate_x_only(lists, dynamic_cast<secp256k1::Kernel&>(**made), {});
    ASSERT_TRUE(got.ok()) << got.error().message;
    for (std::size_t k = 0; k < lists.size(); ++k) {
      const auto want = aggregate_keys(lists[k]);
      ASSERT_EQ((*got)[k].has_value(), want.ok()) << name << ", list " << k;
      none += want.ok() ? 0 : 1;
      if (want) {
        EXPECT_EQ(*(*got)[k], want->x_only()) << name << ", list " << k;
      }
    }
  }
  EXPECT_GT(none, 5u);
}

TEST(MuSig2, ManyListsOnAKernelAreWhatOneIs) {
  PlainKey off_curve = kOne, odd_head = kTwo, huge = kTwo;
  off_curve[32] ^= 1;
  odd_head[0] = 4;
  std::fill(huge.begin() + 1, huge.end(), 0xff);
  PlainKey negated = kOne;
  negated[0] = 3;
  std::vector<std::vector<PlainKey>> lists = {
      {kOne, kTwo, kThree}, {kThree, kTwo, kOne}, {kOne, kOne, kOne}, {kOne, kOne, kTwo, kTwo}, {kTwo},     {},
      {kOne, off_curve},    {odd_head, kOne},     {kOne, huge},       {negated, kOne},          {off_curve}};
  // Enough for a second call of the kernel.
  lists.emplace_back(8192, kThree);
  lists.emplace_back(2, kTwo);
  kernels::Device cpu;
  cpu.id = "cpu";
  const auto choice = kernels::choose(kernels::Family::secp256k1, cpu);
  ASSERT_TRUE(choice);
  auto kernel = choice->row->make(cpu);
  ASSERT_TRUE(kernel);
  const auto got = aggregate_x_only(lists, dynamic_cast<secp256k1::Kernel&>(**kernel), {});
  ASSERT_TRUE(got);
  ASSERT_EQ(got->size(), lists.size());
  EXPECT_EQ(to_hex(*got->front()), "90539eede565f5d054f32cc0c220126889ed1e5d193baf15aef344fe59d4610c");
  for (std::size_t i = 0; i < lists.size(); ++i) {
    if (lists[i].size() > 100) continue;  // minutes under the sanitizers
    const auto one = aggregate_keys(lists[i]);
    EXPECT_EQ((*got)[i], one ? std::optional(one->x_only()) : std::nullopt) << i;
  }
  EXPECT_TRUE((*got)[11].has_value());
}

TEST(MuSig2, TheSecondDistinctKeyHasFactorOne) {
  const std::vector<PlainKey> keys = {kOne, kOne, kTwo, kThree, kTwo};
  Scalar32 one{};
  one[31] = 1;
  EXPECT_EQ(key_coefficient(keys, kTwo), one);
  EXPECT_NE(key_coefficient(keys, kOne), one);
  EXPECT_NE(key_coefficient(keys, kThree), one);
}

TEST(MuSig2, ErrorsNameTheSigner) {
  PlainKey wrong = kTwo;
  wrong[0] = 4;
  auto got = aggregate_keys(std::vector<PlainKey>{kOne, wrong});
  ASSERT_EQ(got.status(), Status::bad_input);
  EXPECT_NE(got.error().message.find("signer 1"), std::string::npos);
  EXPECT_EQ(aggregate_keys({}).status(), Status::bad_input);

  PublicNonce nonce{};
  std::copy(kOne.begin(), kOne.end(), nonce.begin());
  std::copy(kTwo.begin(), kTwo.end(), nonce.begin() + 33);
  PublicNonce bent = nonce;
  bent[33] = 7;
  const auto sum = aggregate_nonces(std::vector<PublicNonce>{nonce, bent});
  ASSERT_EQ(sum.status(), Status::bad_input);
  EXPECT_NE(sum.error().message.find("signer 1"), std::string::npos);

  Tweak large;
  large.value.fill(0xff);
  got = aggregate_keys(std::vector<PlainKey>{kOne, kTwo}, {&large, 1});
  ASSERT_EQ(got.status(), Status::bad_input);
  EXPECT_NE(got.error().message.find("tweak 0"), std::string::npos);
}

TEST(MuSig2, OppositeNoncesGiveTheGenerator) {
  PublicNonce nonce{}, opposite{};
  std::copy(kOne.begin(), kOne.end(), nonce.begin());
  std::copy(kTwo.begin(), kTwo.end(), nonce.begin() + 33);
  opposite = nonce;
  opposite[0] ^= 1;
  opposite[33] ^= 1;
  const auto sum = aggregate_nonces(std::vector<PublicNonce>{nonce, opposite});
  ASSERT_TRUE(sum);
  EXPECT_EQ(*sum, PublicNonce{}) << "infinity is 33 zero bytes";
  const std::vector<PlainKey> keys = {kOne, kTwo};
  const Session session{*sum, keys, {}, view("message")};
  EXPECT_TRUE(aggregate_partials(session, {})) << "R is then G";
  const auto foreign = verify_partial(session, Bytes(32), nonce, kThree);
  EXPECT_EQ(foreign.status(), Status::bad_input);
  const auto wrong = verify_partial(session, Bytes(32, 1), nonce, kOne);
  ASSERT_TRUE(wrong);
  EXPECT_FALSE(*wrong);
}

}  // namespace
}  // namespace sparkmill::signatures

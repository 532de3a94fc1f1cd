// SPDX-License-Identifier: Apache-2.0
// The batch equation gives the verdicts of singles, whatever the share of wrong items; it trusts nobody twice.
#include "verify/signatures/zip215_batch.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "kernels/registry.h"
#include "verify/signatures/signers/generate.h"

namespace sparkmill::signatures {
namespace {

const Form& form() { return **form_named("ed25519", "zip215"); }

std::unique_ptr<kernels::Kernel> kernel() {
  kernels::Device cpu;
  cpu.id = "cpu";
  return std::move(*kernels::find_row(kernels::Family::ed25519, "reference")->make(cpu));
}

TEST(Zip215Batch, GivesTheVerdictsOfSingles) {
  const auto singles = kernel();
  struct Case {
    std::size_t count;
    std::uint32_t bad_one_in;
  };
  for (const Case& c : {Case{1, 0}, {15, 0}, {16, 0}, {70, 0}, {70, 40}, {70, 5}, {70, 1}}) {
    const auto made = generate(form(), c.count, {Hash32{static_cast<std::uint8_t>(c.bad_one_in)}, c.bad_one_in, 24});
    ASSERT_TRUE(made);
    const Items items = made->items.view();
    Bytes right(c.count), got(c.count, 7);
    ASSERT_TRUE(verify_on(form(), items, {right, {}, {}, {}}, singles.get(), StopToken()));
    Zip215Batch batch;
    ASSERT_TRUE(batch.verify(form(), items, {}, got, singles.get(), StopToken()));
    EXPECT_EQ(got, right) << c.count << " items, one in " << c.bad_one_in << " bad";
    const bool all = std::all_of(right.begin(), right.end(), [](std::uint8_t v) { return v == 1; });
    if (all && c.count >= 16) {
      EXPECT_EQ(batch.stats().equations, 1u);
      EXPECT_EQ(batch.stats().singles, 0u);
    }
  }
}

TEST(Zip215Batch, FindsOneWrongItemByHalving) {
  const auto singles = kernel();
  const auto made = generate(form(), 64, {Hash32{4}, 0, 24});
  ASSERT_TRUE(made);
  const Items items = made->items.view();
  for (const std::size_t bad : {std::size_t{0}, std::size_t{37}, std::size_t{63}}) {
    Bytes signatures(items.signatures.begin(), items.signatures.end());
    signatures[bad * 64 + 40] ^= 1;
    Items bent = items;
    bent.signatures = signatures;
    Bytes got(64);
    Zip215Batch batch;
    ASSERT_TRUE(batch.verify(form(), bent, {}, got, singles.get(), StopToken()));
    for (std::size_t i = 0; i < 64; ++i) EXPECT_EQ(got[i] != 0, i != bad) << i;
    EXPECT_LE(batch.stats().singles, 16u) << "the other items were not decided singly";
  }
}

TEST(Zip215Batch, ASourceIsDistrustedAfterItsFirstWrongItem) {
  const auto singles = kernel();
  const auto made = generate(form(), 64, {Hash32{6}, 0, 24});
  ASSERT_TRUE(made);
  Items items = made->items.view();
  Bytes signatures(items.signatures.begin(), items.signatures.end());
  signatures[1 * 64 + 5] ^= 1;  // of source 1
  items.signatures = signatures;
  std::vector<std::uint32_t> sources(64);
  for (std::size_t i = 0; i < 64; ++i) sources[i] = i % 2;
  Zip215Batch batch;
  Bytes got(64);
  ASSERT_TRUE(batch.verify(form(), items, sources, got, singles.get(), StopToken()));
  for (std::size_t i = 0; i < 64; ++i) EXPECT_EQ(got[i] != 0, i != 1) << i;
  const std::size_t before = batch.stats().singles;
  ASSERT_TRUE(batch.verify(form(), items, sources, got, singles.get(), StopToken()));
  EXPECT_EQ(batch.stats().singles - before, 32u) << "source 1 singly, source 0 by one equation";
  for (std::size_t i = 0; i < 64; ++i) EXPECT_EQ(got[i] != 0, i != 1) << i;
}

TEST(Zip215Batch, DecidesNoOtherPolicy) {
  const auto singles = kernel();
  const Form& go = **form_named("ed25519", "go");
  Zip215Batch batch;
  EXPECT_EQ(batch.verify(go, ItemList(go).view(), {}, {}, singles.get(), StopToken()).status(), Status::bad_argument);
  EXPECT_EQ(batch.verify(form(), ItemList(form()).view(), {}, {}, nullptr, StopToken()).status(), Status::bad_argument);
  EXPECT_TRUE(batch.verify(form(), ItemList(form()).view(), {}, {}, singles.get(), StopToken()));
}

}  // namespace
}  // namespace sparkmill::signatures

// SPDX-License-Identifier: Apache-2.0
// Every form over generated sets: honest items pass, bent ones fail as the form's rules say, lanes and rows agree, and
// batches that contradict themselves are errors that name the item.
#include "verify/signatures/batch.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/hash.h"
#include "base/hex.h"
#include "kernels/registry.h"
#include "verify/signatures/ecdsa.h"
#include "verify/signatures/signers/generate.h"

namespace sparkmill::signatures {
namespace {

std::unique_ptr<kernels::Kernel> kernel_of(const Form& form, std::string_view row) {
  if (!form.family) return nullptr;
  const kernels::Row* found = kernels::find_row(*form.family, row);
  if (found == nullptr) return nullptr;
  kernels::Device cpu;
  cpu.id = "cpu";
  if (!found->probe(cpu).ok) return nullptr;
  auto made = found->make(cpu);
  return made ? std::move(*made) : nullptr;
}

Verdicts decide(const Form& form, const Items& items, Lanes& lanes, Wanted wanted = {}) {
  auto verdicts = verify(form, items, wanted, lanes);
  EXPECT_TRUE(verdicts) << form.scheme_name << "/" << form.policy_name << ": "
                        << (verdicts ? "" : verdicts.error().message);
  return verdicts ? std::move(*verdicts) : Verdicts{};
}

class Forms : public testing::TestWithParam<const Form*> {};

/// Whether an item with this flaw passes; nothing where it depends on the draw.
std::optional<bool> expected(const Form& form, Flaw flaw) {
  if (flaw == Flaw::none) return true;
  const std::string policy(form.policy_name);
  const bool cofactored = policy == "zip215" || policy == "rfc8032_canonical_cofactored";
  const bool canonical = policy.rfind("rfc8032", 0) == 0, strict = policy == "dalek_strict";
  const bool caller = form.has_public_keys(), tron = policy == "tron_transaction";
  const bool low_s = caller ? demands_low_s(static_cast<Caller>(form.policy)) : policy.find("low_s") != policy.npos;
  switch (flaw) {
    case Flaw::torsion_key: return cofactored ? std::optional(true) : std::nullopt;    // k may be a multiple of 8
    case Flaw::torsion_commitment: return cofactored || form.scheme == Scheme::ecvrf;  // the output is the same
    case Flaw::small_order_key: return !strict && form.scheme != Scheme::ecvrf;        // validate_key
    case Flaw::neutral_commitment: return !strict;
    case Flaw::odd_key_encoding: return !strict && !canonical;
    case Flaw::odd_point_encoding: return policy == "zip215";
    case Flaw::scalar_plus_order: return policy == "bytom_legacy" || tron;
    case Flaw::high_s: return !low_s;
    case Flaw::large_x: return !caller || tron;
    case Flaw::odd_v: return false;
    case Flaw::zero_scalar:
    case Flaw::r_plus_order:
      if (form.scheme == Scheme::ecdsa_recover && tron) return std::nullopt;
      return false;
    default:
      // Almost anything recovers some other key.
      return form.scheme == Scheme::ecdsa_recover ? std::nullopt : std::optional(false);
  }
}

TEST_P(Forms, DecideEveryFlaw) {
  const Form& form = *GetParam();
  const auto signers = make_signers(form, {sha256(view(form.policy_name)), {}});
  ASSERT_TRUE(signers.ok());
  ItemList list(form);
  std::vector<Flaw> made;
  const auto add = [&](Flaw flaw) {
    const auto item = flaw == Flaw::none ? (*signers)->good() : (*signers)->bad(flaw);
    ASSERT_TRUE(item.ok()) << name(flaw);
    const Done added = list.add(item->key, item->signature, item->message);
    ASSERT_TRUE(added.ok()) << name(flaw) << ": " << added.error().message;
    made.push_back(flaw);
  };
  for (int round = 0; round < 2; ++round) {
    for (const Flaw flaw : (*signers)->flaws()) add(flaw);
    for (int k = 0; k < 3; ++k) add(Flaw::none);
  }
  const std::size_t count = made.size();
  const auto kernel = kernel_of(form, "reference");
  ASSERT_TRUE(kernel || !form.family);
  InlineLanes lanes(kernel.get());
  const Verdicts verdicts =
      decide(form, list.view(), lanes, {form.evidence_bytes != 0, form.output_bytes != 0, form.has_public_keys()});
  ASSERT_EQ(verdicts.count, count);
  std::size_t valid = 0;
  for (std::size_t i = 0; i < count; ++i) {
    valid += verdicts.valid(i) ? 1 : 0;
    const auto want = expected(form, made[i]);
    if (want) {
      EXPECT_EQ(verdicts.valid(i), *want) << "item " << i << ", " << name(made[i]);
    }
    const auto zero = [](ByteView bytes) {
      return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t b) { return b == 0; });
    };
    if (form.output_bytes != 0 && form.scheme != Scheme::ecdsa_address) {
      const ByteView output = ByteView(verdicts.outputs).subspan(i * form.output_bytes, form.output_bytes);
      EXPECT_EQ(zero(output), !verdicts.valid(i)) << i;
    }
    if (verdicts.valid(i)) {
      EXPECT_FALSE(zero(ByteView(verdicts.evidence).subspan(i * form.evidence_bytes, form.evidence_bytes))) << i;
    }
  }
  EXPECT_EQ(verdicts.valid_count, valid);
  EXPECT_EQ(verdicts.outputs.size(), count * form.output_bytes);
}

TEST_P(Forms, RowsAgree) {
  const Form& form = *GetParam();
  if (!form.family) GTEST_SKIP() << "decided on the host";
  const auto made = generate(form, 32, {sha256(view("rows")), 2, 45});
  ASSERT_TRUE(made);
  const auto reference = kernel_of(form, "reference");
  InlineLanes oracle(reference.get());
  const Wanted wanted{form.evidence_bytes != 0, form.output_bytes != 0, form.has_public_keys()};
  const Verdicts right = decide(form, made->items.view(), oracle, wanted);
  for (const char* row : {"cpu/avx2", "cpu/avx512"}) {
    const auto kernel = kernel_of(form, row);
    if (kernel == nullptr) continue;
    InlineLanes lanes(kernel.get());
    const Verdicts got = decide(form, made->items.view(), lanes, wanted);
    EXPECT_EQ(got.bitmap, right.bitmap) << row;
    EXPECT_EQ(got.evidence, right.evidence) << row;
    EXPECT_EQ(got.outputs, right.outputs) << row;
    EXPECT_EQ(got.public_keys, right.public_keys) << row;
  }
}

std::vector<const Form*> all_forms() {
  std::vector<const Form*> out;
  for (const Form& form : forms()) out.push_back(&form);
  return out;
}
INSTANTIATE_TEST_SUITE_P(All, Forms, testing::ValuesIn(all_forms()), [](const auto& test) {
  return std::string(test.param->scheme_name) + "_" + std::string(test.param->policy_name);
});

TEST(Table, NumbersAndNamesAreUnique) {
  std::set<std::pair<std::uint16_t, std::uint16_t>> numbers;
  std::set<std::pair<std::string_view, std::string_view>> names;
  for (const Form& form : forms()) {
    EXPECT_TRUE(numbers.emplace(static_cast<std::uint16_t>(form.scheme), form.policy).second);
    EXPECT_TRUE(names.emplace(form.scheme_name, form.policy_name).second);
    EXPECT_EQ(find_form(static_cast<std::uint16_t>(form.scheme), form.policy), &form);
    EXPECT_EQ(*form_named(form.scheme_name, form.policy_name), &form);
  }
  EXPECT_EQ(find_form(99, 1), nullptr);
  EXPECT_NE(form_named("ed25519", "gone").error().hint.find("zip215"), std::string::npos);
  EXPECT_NE(form_named("rot13", "").error().hint.find("ecvrf"), std::string::npos);
}

TEST(Batch, SlicesOverLanesAreOneBatch) {
  const Form& form = **form_named("ed25519", "go");
  const auto made = generate(form, 64, {Hash32{7}, 4, 20});
  ASSERT_TRUE(made);
  // More than one slice: the set over and over.
  ItemList many(form);
  const Items items = made->items.view();
  const std::size_t count = kSliceItems + 700;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = i * 13 % items.count;
    ASSERT_TRUE(many.add(items.key(form, at), items.signature(form, at), items.message(at)));
  }
  const auto row = [&] {
    auto fast = kernel_of(form, "cpu/avx2");
    return fast ? std::move(fast) : kernel_of(form, "reference");
  };
  const auto one = row();
  InlineLanes inline_lanes(one.get());
  const Verdicts once = decide(form, items, inline_lanes);
  std::vector<std::unique_ptr<kernels::Kernel>> three;
  for (int k = 0; k < 3; ++k) three.push_back(row());
  ThreadLanes lanes(std::move(three));
  const Verdicts all = decide(form, many.view(), lanes, {true, false, false});
  for (std::size_t i = 0; i < count; ++i) ASSERT_EQ(all.valid(i), once.valid(i * 13 % items.count)) << i;
}

TEST(Batch, StopsAndRefusesForeignKernels) {
  const Form& form = **form_named("ed25519", "go");
  const auto made = generate(form, 3, {});
  ASSERT_TRUE(made);
  const auto kernel = kernel_of(form, "reference");
  StopSource stop;
  stop.request_stop();
  InlineLanes lanes(kernel.get());
  EXPECT_EQ(verify(form, made->items.view(), {}, lanes, stop.token()).status(), Status::cancelled);
  std::vector<std::unique_ptr<kernels::Kernel>> two;
  two.push_back(kernel_of(form, "reference"));
  two.push_back(kernel_of(form, "reference"));
  ThreadLanes threads(std::move(two));
  EXPECT_EQ(verify(form, made->items.view(), {}, threads, stop.token()).status(), Status::cancelled);
  const auto other = kernel_of(**form_named("bip340", ""), "reference");
  InlineLanes foreign(other.get());
  EXPECT_EQ(verify(form, made->items.view(), {}, foreign).status(), Status::bad_argument);
  InlineLanes none(nullptr);
  EXPECT_EQ(verify(form, made->items.view(), {}, none).status(), Status::bad_argument);
}

TEST(Batch, ContradictionsNameTheItem) {
  const Form& form = **form_named("ecdsa", "raw_der");
  const auto made = generate(form, 3, {});
  ASSERT_TRUE(made);
  const auto kernel = kernel_of(form, "reference");
  InlineLanes lanes(kernel.get());
  Items items = made->items.view();
  ASSERT_TRUE(verify(form, items, {}, lanes));
  std::vector<std::uint64_t> offsets(items.message_offsets.begin(), items.message_offsets.end());
  offsets[2] -= 1;
  Items bent = items;
  bent.message_offsets = offsets;
  auto got = verify(form, bent, {}, lanes);
  ASSERT_EQ(got.status(), Status::bad_input);
  EXPECT_NE(got.error().message.find("item 1"), std::string::npos) << got.error().message;
  std::vector<std::uint64_t> signatures(items.signature_offsets.begin(), items.signature_offsets.end());
  signatures[1] = items.signatures.size() + 1;
  bent = items;
  bent.signature_offsets = signatures;
  got = verify(form, bent, {}, lanes);
  ASSERT_EQ(got.status(), Status::bad_input);
  EXPECT_NE(got.error().message.find("item 0"), std::string::npos) << got.error().message;
  bent = items;
  bent.keys = bent.keys.subspan(1);
  EXPECT_EQ(verify(form, bent, {}, lanes).status(), Status::bad_argument);
  bent = items;
  bent.count = 2;
  EXPECT_EQ(verify(form, bent, {}, lanes).status(), Status::bad_argument);

  ItemList list(form);
  EXPECT_EQ(list.add(Bytes(63), Bytes(70), Bytes(32)).status(), Status::bad_input);
  EXPECT_EQ(list.add(Bytes(64), Bytes(70), Bytes(31)).status(), Status::bad_input);
  EXPECT_EQ(list.add(Bytes(64), Bytes(kMaxSignatureBytes + 1), Bytes(32)).status(), Status::too_large);
  EXPECT_EQ(list.count(), 0u);
  EXPECT_TRUE(list.add(Bytes(64), Bytes(0), Bytes(32)));
  const Verdicts verdicts = decide(form, list.view(), lanes);
  EXPECT_FALSE(verdicts.valid(0)) << "an empty DER signature is wrong, not an error";
}

TEST(Batch, EmptyOnesAreRight) {
  for (const Form& form : forms()) {
    const auto kernel = kernel_of(form, "reference");
    InlineLanes lanes(kernel.get());
    const Verdicts verdicts = decide(form, ItemList(form).view(), lanes);
    EXPECT_EQ(verdicts.count, 0u);
    EXPECT_TRUE(verdicts.bitmap.empty());
  }
}

TEST(Batch, MuSig2MessagesWithoutTheirKeysAreErrors) {
  const Form& form = **form_named("musig2", "");
  const auto kernel = kernel_of(form, "reference");
  InlineLanes lanes(kernel.get());
  for (const Bytes& message : {Bytes{}, Bytes{0, 0}, Bytes{1, 0, 2}, Bytes(2 + 33 * 2)}) {
    ItemList list(form);
    Bytes one = message;
    if (one.size() == 68) one[0] = 3;  // three signers, the keys of two
    ASSERT_TRUE(list.add({}, Bytes(64), one));
    const auto got = verify(form, list.view(), {}, lanes);
    ASSERT_EQ(got.status(), Status::bad_input);
    EXPECT_NE(got.error().message.find("item 0"), std::string::npos);
  }
  ItemList list(form);
  Bytes no_point(2 + 33);
  no_point[0] = 1;
  ASSERT_TRUE(list.add({}, Bytes(64), no_point));
  EXPECT_FALSE(decide(form, list.view(), lanes).valid(0)) << "a key that is no point makes it wrong, not an error";
}

TEST(Batch, JavaTronTakesThePointAtInfinityForTheEmptyKey) {
  // R = G (r its x, even y), s z^-1 such that s R = z G: s = z.
  const Form& form = **form_named("ecdsa_recover", "tron_transaction");
  const Bytes x = {0x79, 0xbe, 0x66, 0x7e, 0xf9, 0xdc, 0xbb, 0xac, 0x55, 0xa0, 0x62, 0x95, 0xce, 0x87, 0x0b, 0x07,
                   0x02, 0x9b, 0xfc, 0xdb, 0x2d, 0xce, 0x28, 0xd9, 0x59, 0xf2, 0x81, 0x5b, 0x16, 0xf8, 0x17, 0x98};
  Bytes z(32, 0x11);
  Bytes signature = x;
  signature.insert(signature.end(), z.begin(), z.end());
  signature.push_back(27);
  ItemList list(form);
  ASSERT_TRUE(list.add({}, signature, z));
  const auto kernel = kernel_of(form, "reference");
  InlineLanes lanes(kernel.get());
  const Verdicts verdicts = decide(form, list.view(), lanes, {false, true, false});
  EXPECT_TRUE(verdicts.valid(0));
  // The last 20 bytes of Keccak-256 of nothing.
  EXPECT_EQ(to_hex(verdicts.outputs), "41dcc703c0e500b653ca82273b7bfad8045d85a470");
  const Form& multisign = **form_named("ecdsa_recover", "tron_multisign");
  ItemList other(multisign);
  ASSERT_TRUE(other.add({}, signature, z));
  EXPECT_FALSE(decide(multisign, other.view(), lanes).valid(0));
}

}  // namespace
}  // namespace sparkmill::signatures

// SPDX-License-Identifier: Apache-2.0
// A validator never contradicts itself: not after a restart, not for another span, not for other data of the same one.
#include "worker/signing/checkpoint_signer.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/base/temp_folder.h"
#include "tests/verify/blocks/support.h"

namespace sparkmill::signing {
namespace {

using blocks::test::cpu_kernels;

constexpr Hash32 kSecret = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};

Bytes data_of(std::uint64_t start, std::uint64_t end, std::uint64_t chain = 199, std::uint8_t root = 1) {
  bttc::CheckpointFields f;
  f.start = start;
  f.end = end;
  f.bor_chain_id = chain;
  f.root_hash[0] = root;
  return bttc::checkpoint_data(f);
}

class CheckpointSignerTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!bttc::signing_absent().empty()) GTEST_SKIP() << bttc::signing_absent();
  }
  std::unique_ptr<CheckpointSigner> open(const Hash32& secret = kSecret) {
    auto key = bttc::Signer::from_secret(secret, *cpu_kernels().hash);
    EXPECT_TRUE(key.ok());
    auto signer = CheckpointSigner::open(folder_ / "marks", std::move(*key), *cpu_kernels().hash);
    EXPECT_TRUE(signer.ok());
    return std::move(*signer);
  }
  static std::string_view reason(CheckpointSigner& signer, const Bytes& data) {
    const auto r = signer.sign(data);
    EXPECT_TRUE(r.ok());
    EXPECT_EQ(r->signature.has_value(), r->reason.empty());
    return r->reason;
  }
  test::TempFolder folder_;
};

TEST_F(CheckpointSignerTest, SignsForwardOnly) {
  const auto signer = open();
  EXPECT_EQ(reason(*signer, data_of(100, 200)), "");
  EXPECT_EQ(reason(*signer, data_of(100, 200)), "") << "the same vote again";
  EXPECT_EQ(reason(*signer, data_of(100, 200, 199, 2)), "below_mark") << "another root of the same span";
  EXPECT_EQ(reason(*signer, data_of(100, 300)), "below_mark") << "a longer span from the same start";
  EXPECT_EQ(reason(*signer, data_of(150, 300)), "below_mark") << "overlaps";
  EXPECT_EQ(reason(*signer, data_of(1, 50)), "below_mark");
  EXPECT_EQ(reason(*signer, data_of(201, 300)), "");
  EXPECT_EQ(reason(*signer, data_of(100, 200)), "below_mark") << "once signed, but no longer the last";
  EXPECT_EQ(reason(*signer, data_of(1, 50, 1029)), "") << "another chain has a mark of its own";
  EXPECT_EQ(reason(*signer, Bytes(191)), "bad_length");
}

TEST_F(CheckpointSignerTest, RemembersAcrossRestartsAndKeepsKeysApart) {
  Hash32 other = kSecret;
  other[31] = 1;
  std::optional<bttc::Signature> first;
  {
    const auto signer = open();
    first = signer->sign(data_of(100, 200))->signature;
  }
  const auto signer = open();
  EXPECT_EQ(reason(*signer, data_of(100, 300)), "below_mark");
  EXPECT_EQ(signer->sign(data_of(100, 200))->signature, first) << "the nonce is a function of key and vote";
  const auto second = CheckpointSigner::open(
      folder_ / "marks", std::move(*bttc::Signer::from_secret(other, *cpu_kernels().hash)), *cpu_kernels().hash);
  EXPECT_EQ(second.status(), Status::locked) << "a second process would not see the first one's marks in time";
}

TEST_F(CheckpointSignerTest, TwoKeysInOneStore) {
  Hash32 other = kSecret;
  other[31] = 1;
  EXPECT_EQ(reason(*open(), data_of(100, 200)), "");
  EXPECT_EQ(reason(*open(other), data_of(100, 200)), "");
  EXPECT_EQ(reason(*open(other), data_of(100, 201)), "below_mark");
}

TEST_F(CheckpointSignerTest, HugeNumbersAreKept) {
  const std::uint64_t top = ~std::uint64_t{0};
  EXPECT_EQ(reason(*open(), data_of(top - 100, top, top)), "");
  EXPECT_EQ(reason(*open(), data_of(top - 1, top, top)), "below_mark");
  EXPECT_EQ(reason(*open(), data_of(5, 9, top)), "below_mark");
}

TEST_F(CheckpointSignerTest, KeyFilesAreTheOwners) {
  const auto path = folder_ / "key";
  const auto write = [&](const std::string& text, mode_t mode) {
    std::ofstream(path) << text;
    ASSERT_EQ(::chmod(path.c_str(), mode), 0);
  };
  auto& hash = *cpu_kernels().hash;
  EXPECT_EQ(load_validator_key(path, hash).status(), Status::not_found);
  write(std::string(63, '0') + "1\n", 0644);
  EXPECT_EQ(load_validator_key(path, hash).status(), Status::refused);
  write(std::string(63, '0') + "1\n", 0600);
  const auto key = load_validator_key(path, hash);
  ASSERT_TRUE(key.ok());
  EXPECT_EQ(key->address(), (bttc::Address{0x7e, 0x5f, 0x45, 0x52, 0x09, 0x1a, 0x69, 0x12, 0x5d, 0x5d,
                                           0xfc, 0xb7, 0xb8, 0xc2, 0x65, 0x90, 0x29, 0x39, 0x5b, 0xdf}))
      << "the well-known address of the secret 1";
  write(std::string(64, '0'), 0600);
  EXPECT_EQ(load_validator_key(path, hash).status(), Status::bad_input);
  write(std::string(64, 'f'), 0600);
  EXPECT_EQ(load_validator_key(path, hash).status(), Status::bad_input);
  write("secret words", 0600);
  const auto bad = load_validator_key(path, hash);
  EXPECT_EQ(bad.status(), Status::bad_input);
  EXPECT_EQ(bad.error().message.find("secret words"), std::string::npos);
}

}  // namespace
}  // namespace sparkmill::signing

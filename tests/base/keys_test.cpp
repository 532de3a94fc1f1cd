// SPDX-License-Identifier: Apache-2.0
// Key files and role keys: derivation against fixed answers, the file's layout, rights, damage and passphrases.
#include "base/keys/keys.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/hex.h"
#include "tests/base/temp_folder.h"

namespace sparkmill::keys {
namespace {

using test::TempFolder;

Hash32 counting_seed() {
  Hash32 seed{};
  for (std::size_t i = 0; i < seed.size(); ++i) seed[i] = static_cast<std::uint8_t>(i);
  return seed;
}

// From an independent derivation: tests/base/keys_oracle.py (HKDF by hmac/hashlib, Ed25519 by RFC 8032's formulas).
TEST(Keys, RoleKeysMatchTheIndependentDerivation) {
  const KeyFile key = KeyFile::from_seed(counting_seed());
  EXPECT_EQ(to_hex(key.role("envelope").public_key()),
            "056108ab0f81efac722d875e5158606dcc04ce882e2b04d244c048f6dd412000");
  EXPECT_EQ(to_hex(key.role("request").public_key()),
            "44ee56156bc95cc39526a76b8c4264fba16cc57a4de473e36f112761d2cc0978");
  EXPECT_EQ(to_hex(key.role("seal").sign("sparkmill/test/v1", view("message"))),
            "eb35c29b5fcb522adea3731b99e5ad2083b512762b48f5d3d01d844f2164931b5071859dd88198c6cd78d80d61d92491739814d705"
            "86f10f5b408ce34fe8d601");
}

TEST(Keys, RolesDifferAndSignaturesBelongToDomainAndRole) {
  const KeyFile key = KeyFile::from_seed(counting_seed());
  std::vector<PublicKey> seen;
  for (std::string_view role : kRoles) {
    seen.push_back(key.role(role).public_key());
    for (std::size_t i = 0; i + 1 < seen.size(); ++i) EXPECT_NE(seen[i], seen.back()) << role;
  }
  const SigningKey a = key.role("envelope");
  const SigningKey b = key.role("request");
  const Signature s = a.sign("sparkmill/envelope/v1", view("x"));
  EXPECT_TRUE(verify(a.public_key(), "sparkmill/envelope/v1", view("x"), s));
  EXPECT_FALSE(verify(a.public_key(), "sparkmill/envelope/v2", view("x"), s));
  EXPECT_FALSE(verify(a.public_key(), "sparkmill/envelope/v1", view("y"), s));
  EXPECT_FALSE(verify(b.public_key(), "sparkmill/envelope/v1", view("x"), s));
  for (std::size_t i = 0; i < s.size(); ++i) {
    Signature bad = s;
    bad[i] ^= 1;
    EXPECT_FALSE(verify(a.public_key(), "sparkmill/envelope/v1", view("x"), bad)) << "byte " << i;
  }
}

TEST(Keys, StrictRuleRefusesSmallOrderAndLargeS) {
  // A = the neutral point, R = the neutral point, S = 0 satisfies the plain equation for every message.
  PublicKey neutral{1};
  Signature zero{1};
  EXPECT_FALSE(verify(neutral, "d", view("anything"), zero));
  const SigningKey key = KeyFile::from_seed(counting_seed()).role("seal");
  Signature s = key.sign("d", view("m"));
  ASSERT_TRUE(verify(key.public_key(), "d", view("m"), s));
  // S + L is the same scalar in another encoding.
  const auto order = from_hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
  unsigned carry = 0;
  for (std::size_t i = 0; i < 32; ++i) {
    carry += static_cast<unsigned>(s[32 + i]) + (*order)[i];
    s[32 + i] = static_cast<std::uint8_t>(carry);
    carry >>= 8;
  }
  EXPECT_FALSE(verify(key.public_key(), "d", view("m"), s));
}

TEST(KeysDeathTest, UnknownRoleAborts) {
  const KeyFile key = KeyFile::from_seed(counting_seed());
  EXPECT_DEATH((void)key.role("wallet"), "");
}

TEST(KeyFile, CreatedOwnerOnlyAndLoadedAgain) {
  const TempFolder folder;
  const auto path = folder / "sub/worker.key";
  const mode_t old = ::umask(0);
  const auto made = KeyFile::create(path);
  ::umask(old);
  ASSERT_TRUE(made.ok()) << made.error().message;
  struct stat st {};
  ASSERT_EQ(::stat(path.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 0600u);
  EXPECT_EQ(st.st_size, 120);
  const auto loaded = KeyFile::load(path);
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  EXPECT_EQ(made->role("seal").public_key(), loaded->role("seal").public_key());
}

TEST(KeyFile, NeverReplacesAFile) {
  const TempFolder folder;
  const auto path = folder / "worker.key";
  const auto first = KeyFile::create(path);
  ASSERT_TRUE(first.ok());
  const auto second = KeyFile::create(path);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, Status::refused);
  EXPECT_EQ(KeyFile::load(path)->role("seal").public_key(), first->role("seal").public_key());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1) << "no temporary is left";
}

TEST(KeyFile, RefusesRightsOfOthers) {
  const TempFolder folder;
  const auto path = folder / "worker.key";
  ASSERT_TRUE(KeyFile::create(path).ok());
  for (const mode_t mode : {0640, 0604, 0620, 0602, 0610}) {
    ASSERT_EQ(::chmod(path.c_str(), mode), 0);
    const auto key = KeyFile::load(path);
    ASSERT_FALSE(key.ok()) << mode;
    EXPECT_EQ(key.error().code, Status::refused);
    EXPECT_EQ(key.error().hint, "chmod 600 " + path.string());
  }
}

TEST(KeyFile, MissingFileIsNotFound) {
  const TempFolder folder;
  const auto key = KeyFile::load(folder / "none.key");
  ASSERT_FALSE(key.ok());
  EXPECT_EQ(key.error().code, Status::not_found);
}

TEST(KeyFile, EveryFlippedByteAndEveryLengthIsRefused) {
  const TempFolder folder;
  const auto path = folder / "worker.key";
  ASSERT_TRUE(KeyFile::create(path).ok());
  const Bytes good = *read_file(path, 1000);
  for (std::size_t i = 0; i < good.size(); ++i) {
    Bytes bad = good;
    bad[i] ^= 0x40;
    ASSERT_TRUE(write_file_atomic(path, bad, 0600).ok());
    const auto key = KeyFile::load(path);
    ASSERT_FALSE(key.ok()) << "byte " << i;
    EXPECT_EQ(key.error().code, Status::bad_input);
    EXPECT_NE(key.error().message.find(path.string()), std::string::npos);
  }
  for (const std::size_t n : {std::size_t{0}, std::size_t{1}, good.size() - 1, good.size() + 1}) {
    Bytes bad = good;
    bad.resize(n);
    ASSERT_TRUE(write_file_atomic(path, bad, 0600).ok());
    EXPECT_EQ(KeyFile::load(path).status(), Status::bad_input) << n;
  }
}

TEST(KeyFile, PassphraseWrapsTheSeed) {
  const TempFolder folder;
  const auto path = folder / "worker.key";
  const auto made = KeyFile::create(path, "correct horse");
  ASSERT_TRUE(made.ok());
  EXPECT_EQ(KeyFile::load(path).status(), Status::refused);
  EXPECT_EQ(KeyFile::load(path, "wrong horse").status(), Status::refused);
  const auto loaded = KeyFile::load(path, "correct horse");
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  EXPECT_EQ(made->role("vrf").public_key(), loaded->role("vrf").public_key());
}

TEST(KeyFile, HostilePassphraseParametersAreNotObeyed) {
  const TempFolder folder;
  const auto path = folder / "worker.key";
  ASSERT_TRUE(KeyFile::create(path, "p").ok());
  Bytes bad = *read_file(path, 1000);
  bad[24 + 4] = 0xff;  // 2^32 and more passes
  const Hash32 sum = sha256({bad.data(), 112});
  std::copy_n(sum.begin(), 8, bad.begin() + 112);
  ASSERT_TRUE(write_file_atomic(path, bad, 0600).ok());
  EXPECT_EQ(KeyFile::load(path, "p").status(), Status::bad_input);
}

}  // namespace
}  // namespace sparkmill::keys

// SPDX-License-Identifier: Apache-2.0
// BOINC's signatures: text forms, the padded block itself, and what must be refused. That the stock client accepts them
// is shown end to end (tests/e2e/boinc.py).
#include "boinc/project/signing.h"

#include <gtest/gtest.h>
#include <openssl/bn.h>
#include <sys/stat.h>

#include <algorithm>
#include <sstream>

#include "base/file.h"
#include "tests/base/temp_folder.h"

namespace sparkmill::boinc::project {
namespace {

using test::TempFolder;

std::string hex_of(const std::string& lines) {
  std::string out;
  for (const char c : lines.substr(0, lines.find('.'))) {
    if (c != '\n') out.push_back(c);
  }
  return out;
}

TEST(Signing, TextFormOfThePublicKey) {
  const SigningKey key = SigningKey::generate();
  std::istringstream in(key.public_text());
  std::string line;
  std::getline(in, line);
  EXPECT_EQ(line, "1024");
  for (int i = 0; i < 8; ++i) {
    std::getline(in, line);
    EXPECT_EQ(line.size(), 64u);
  }
  EXPECT_EQ(line, std::string(59, '0') + "10001") << "the exponent is padded to 128 bytes";
  std::getline(in, line);
  EXPECT_EQ(line, ".");
}

// The rule itself, with nothing but a power: signature^e mod n = 00 01 ff .. ff 00 and the MD5 in hex.
TEST(Signing, BlockIsThePaddedHexOfTheMd5) {
  const SigningKey key = SigningKey::generate();
  const std::string text = "<name>upper_wu1_0_r546732464_0</name><max_nbytes>100000</max_nbytes>";
  EXPECT_EQ(upload_text("upper_wu1_0_r546732464_0", 100'000), text);
  const std::string digits = hex_of(key.public_text().substr(5));
  BIGNUM *n = nullptr, *e = nullptr, *s = nullptr, *block = BN_new();
  BN_hex2bn(&n, digits.substr(0, 256).c_str());
  BN_hex2bn(&e, digits.substr(256).c_str());
  BN_hex2bn(&s, hex_of(key.sign(text)).c_str());
  BN_CTX* ctx = BN_CTX_new();
  ASSERT_EQ(BN_mod_exp(block, s, e, n, ctx), 1);
  Bytes out(128);
  ASSERT_EQ(BN_bn2binpad(block, out.data(), 128), 128);
  Bytes want(128, 0xff);
  want[0] = 0;
  want[1] = 1;
  want[95] = 0;
  const std::string md5 = md5_hex(text);
  std::copy(md5.begin(), md5.end(), want.begin() + 96);
  EXPECT_EQ(out, want);
  BN_free(n), BN_free(e), BN_free(s), BN_free(block), BN_CTX_free(ctx);
}

TEST(Signing, HoldsForItsTextAndKeyOnly) {
  const SigningKey key = SigningKey::generate(), other = SigningKey::generate();
  const std::string signature = key.sign("a text");
  EXPECT_TRUE(signature_holds(key.public_text(), "a text", signature));
  EXPECT_TRUE(signature_holds(key.public_text(), "a text", "\n" + signature + "\n")) << "the client trims";
  EXPECT_FALSE(signature_holds(key.public_text(), "b text", signature));
  EXPECT_FALSE(signature_holds(other.public_text(), "a text", signature));
  for (const std::string& bad : {std::string(), std::string("."), signature.substr(1), signature.substr(0, 40),
                                 std::string(256, '0'), std::string(256, 'f'), std::string("zz")}) {
    EXPECT_FALSE(signature_holds(key.public_text(), "a text", bad)) << bad;
  }
  for (const std::string bad_key : {"", "1024\n.", "512\nab\n.", "1024\nxyz\n."}) {
    EXPECT_FALSE(signature_holds(bad_key, "a text", signature));
  }
}

TEST(Signing, PrivateTextComesBack) {
  const SigningKey key = SigningKey::generate();
  EXPECT_EQ(hex_of(key.private_text().substr(5)).size(), 2 * 704u);
  const auto again = SigningKey::from_private_text(key.private_text());
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ(again->private_text(), key.private_text());
  EXPECT_EQ(again->sign("x"), key.sign("x"));
  std::string bent = key.private_text();
  bent[300] = bent[300] == '0' ? '1' : '0';
  EXPECT_EQ(SigningKey::from_private_text(bent).status(), Status::bad_input);
  EXPECT_EQ(SigningKey::from_private_text(key.public_text()).status(), Status::bad_input);
  EXPECT_EQ(SigningKey::from_private_text("").status(), Status::bad_input);
}

TEST(Signing, KeysAreMadeOnceAndForTheOwnerOnly) {
  const TempFolder folder;
  const auto key = SigningKey::load_or_create(folder / "keys", "upload");
  ASSERT_TRUE(key.ok()) << key.error().message;
  struct stat st {};
  ASSERT_EQ(::stat((folder / "keys/upload_private").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0600u);
  EXPECT_EQ(*read_text_file(folder / "keys/upload_public", 9999), key->public_text());
  const auto again = SigningKey::load_or_create(folder / "keys", "upload");
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->public_text(), key->public_text());
  ::chmod((folder / "keys/upload_private").c_str(), 0644);
  const auto open = SigningKey::load_or_create(folder / "keys", "upload");
  EXPECT_EQ(open.status(), Status::refused);
  EXPECT_NE(open.error().hint.find("chmod 600"), std::string::npos);
}

TEST(Signing, SumsOfFiles) {
  const TempFolder folder;
  ASSERT_TRUE(write_file_atomic(folder / "a", view("abc")).ok());
  const auto sum = sum_file(folder / "a");
  ASSERT_TRUE(sum.ok());
  EXPECT_EQ(sum->md5, "900150983cd24fb0d6963f7d28e17f72");  // RFC 1321
  EXPECT_EQ(sum->nbytes, 3u);
  EXPECT_EQ(sum_file(folder / "b").status(), Status::not_found);
}

}  // namespace
}  // namespace sparkmill::boinc::project

// SPDX-License-Identifier: Apache-2.0
#include "boinc/rpc/password.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <fstream>

#include "boinc/rpc/client.h"
#include "tests/base/temp_folder.h"

namespace sparkmill::boinc::rpc {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

void write(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file) << text;
}

struct PasswordTest : ::testing::Test {
  PasswordTest() {
    places.current = folder.path() / "here";
    places.properties = folder.path() / "config.properties";
    places.usual = {folder.path() / "usual"};
    fs::create_directories(places.current);
  }
  test::TempFolder folder;
  Places places;
};

TEST_F(PasswordTest, NoFileAnywhereIsAnEmptyPassword) {
  const auto p = find_password(places);
  ASSERT_TRUE(p) << p.error().message;
  EXPECT_EQ(p->text, "");
  EXPECT_EQ(p->file, "");
}

TEST_F(PasswordTest, LooksInTheOrderOfTheClientTools) {
  write(folder.path() / "usual" / "gui_rpc_auth.cfg", "usual\n");
  EXPECT_EQ(find_password(places)->text, "usual");
  write(folder.path() / "debian" / "gui_rpc_auth.cfg", "debian\n");
  write(places.properties, "# comment\nother=1\n data_dir = " + (folder.path() / "debian").string() + " \n");
  EXPECT_EQ(find_password(places)->text, "debian");
  write(places.current / "gui_rpc_auth.cfg", "  here \r\nsecond line");
  EXPECT_EQ(find_password(places)->text, "here");
  places.data_dir = folder.path() / "usual";
  EXPECT_EQ(find_password(places)->text, "usual");
  places.password_file = folder.path() / "own";
  write(places.password_file, "own");
  const auto p = find_password(places);
  EXPECT_EQ(p->text, "own");
  EXPECT_EQ(p->file, places.password_file);
}

TEST_F(PasswordTest, DebiansEmptyPasswordIsFound) {
  write(folder.path() / "usual" / "gui_rpc_auth.cfg", "\n");
  const auto p = find_password(places);
  ASSERT_TRUE(p);
  EXPECT_EQ(p->text, "");
  EXPECT_EQ(p->file, folder.path() / "usual" / "gui_rpc_auth.cfg");
}

TEST_F(PasswordTest, AConfiguredFileMustBeThere) {
  places.password_file = folder.path() / "nowhere";
  const auto p = find_password(places);
  ASSERT_FALSE(p);
  EXPECT_EQ(p.status(), Status::not_found);
  EXPECT_THAT(p.error().message, HasSubstr("nowhere"));
}

TEST_F(PasswordTest, AnUnreadableFileNamesItselfAndTheGroup) {
  const fs::path file = folder.path() / "usual" / "gui_rpc_auth.cfg";
  write(file, "secret\n");
  const uid_t me = ::geteuid();
  if (me == 0) {  // root reads everything: look at it as somebody else, whom nothing belongs to
    ASSERT_EQ(::chown(file.c_str(), 0, 12), 0);  // 12: man, on every Debian
    fs::permissions(file, fs::perms(0640));
    fs::permissions(folder.path(), fs::perms(0755));
    ASSERT_EQ(::seteuid(65534), 0);
  } else {
    fs::permissions(file, fs::perms(0));
  }
  const auto p = find_password(places);
  ASSERT_TRUE(me != 0 || ::seteuid(0) == 0);
  ASSERT_FALSE(p);
  EXPECT_EQ(p.status(), Status::refused);
  EXPECT_THAT(p.error().message, HasSubstr(file.string()));
  EXPECT_THAT(p.error().message, ::testing::Not(HasSubstr("secret")));
  EXPECT_THAT(p.error().hint, HasSubstr(me == 0 ? "adduser nobody man" : "run this as"));
}

TEST(BoincAddress, Parses) {
  EXPECT_EQ(parse_address("127.0.0.1:31999")->port, 31999);
  EXPECT_EQ(parse_address("localhost")->port, kPort);
  EXPECT_EQ(parse_address("[::1]:5")->host, "::1");
  EXPECT_EQ(parse_address("[::1]:5")->text(), "[::1]:5");
  EXPECT_EQ(parse_address("unix:/a/b")->unix_socket, "/a/b");
  for (const char* bad : {"", ":5", "h:", "h:0", "h:65536", "h:5x", "[::1", "unix:"})
    EXPECT_FALSE(parse_address(bad)) << bad;
}

TEST(BoincUrl, BecomesCanonical) {
  EXPECT_EQ(*canonical_url(" HTTP://Example.org//a//b "), "http://Example.org/a/b/");
  EXPECT_EQ(*canonical_url("https://example.org"), "https://example.org/");
  EXPECT_EQ(*canonical_url("http://127.0.0.1:8099/demo"), "http://127.0.0.1:8099/demo/");
  for (const char* bad : {"", "example.org", "ftp://example.org/", "http://", "http:///x", "http://nodots/",
                          "http://a.b/<x>", "http://a.b/ c", "https://a.b/\n"}) {
    const auto u = canonical_url(bad);
    if (std::string_view(bad) == "https://a.b/\n") {
      EXPECT_TRUE(u);  // white space around it is nothing
      continue;
    }
    ASSERT_FALSE(u) << bad;
    EXPECT_EQ(u.status(), Status::bad_input) << bad;
  }
  EXPECT_FALSE(canonical_url("http://a.b/" + std::string(300, 'x')));
}

}  // namespace
}  // namespace sparkmill::boinc::rpc

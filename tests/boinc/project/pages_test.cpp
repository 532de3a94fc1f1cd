// SPDX-License-Identifier: Apache-2.0
// The server over HTTP: what clients, managers and people fetch; where it may listen.
#include "base/http/client.h"
#include "node/credit/ownership.h"
#include "node/protocol/boinc.h"
#include "tests/boinc/project/rig.h"

namespace sparkmill::test {
namespace {

class PagesTest : public ::testing::Test {
 protected:
  http::Response get(const std::string& target, const std::string& method = "GET", const std::string& body = {}) {
    http::Client client(*http::Url::parse(rig.project->master_url()));
    http::Request r;
    r.method = method;
    r.target = target;
    r.body.assign(body.begin(), body.end());
    auto answer = client.call(r);
    EXPECT_TRUE(answer.ok()) << (answer ? "" : answer.error().message);
    return answer ? std::move(*answer) : http::Response();
  }
  std::string page(const std::string& target) { return std::string(text(get(target).body)); }
  Rig rig;
};

TEST_F(PagesTest, AccountOwnershipIsWhatANodesCreditAdapterTakes) {
  const auto key = rig.project->books().create_account("ann@example.org", std::string(32, 'a'), "ann");
  ASSERT_TRUE(key.ok());
  const auto user = rig.project->books().user_id(*key);
  ASSERT_TRUE(user.ok());
  protocol::OwnershipText statement;
  statement.cpid[0] = 7;
  statement.worker_pub[1] = 8;
  statement.node_pub[2] = 9;
  statement.time_s = 1'795'000'000;
  std::string said = protocol::format(statement);
  for (std::size_t at = 0; (at = said.find(' ', at)) != std::string::npos;) said.replace(at, 1, "+");  // as forms do
  const auto post = [&](const std::string& body) { return get("/account_ownership.php", "POST", body); };
  const http::Response answer = post("authenticator=" + *key + "&user_data=" + said);
  ASSERT_EQ(answer.status, 200);
  const auto binding = protocol::binding_from_page(text(answer.body));
  ASSERT_TRUE(binding.ok()) << binding.error().message;
  EXPECT_EQ(binding->project, rig.project->master_url());

  const std::string all = page("/get_project_config.php");
  const auto top = boinc::xml::find(all, "project_config");
  ASSERT_TRUE(top.has_value()) << all;
  const auto published =
      node::credit::OwnershipKey::parse(boinc::xml::child_text(top->inner, "account_ownership_public_key"));
  ASSERT_TRUE(published.ok()) << published.error().message;
  const auto owner = node::credit::check_ownership(*published, *binding);
  ASSERT_TRUE(owner.ok()) << owner.error().message;
  EXPECT_EQ(owner->user_id, static_cast<std::uint64_t>(*user));
  EXPECT_EQ(owner->text.worker_pub, statement.worker_pub);
  // The key outlives a restart; nobody signs for another, and not without limits.
  rig.down();
  rig.start();
  const std::string again = page("/get_project_config.php");
  EXPECT_NE(again.find(boinc::xml::child_text(top->inner, "account_ownership_public_key")), std::string::npos);
  EXPECT_EQ(post("authenticator=" + std::string(32, '0') + "&user_data=x").status, 403);
  EXPECT_EQ(post("authenticator=" + *key + "&user_data=").status, 400);
  EXPECT_EQ(post("authenticator=" + *key + "&user_data=" + std::string(5000, 'x')).status, 400);
  EXPECT_NE(page("/account_ownership.php").find("user_data"), std::string::npos);
}

TEST_F(PagesTest, MasterPageNamesTheScheduler) {
  const std::string all = page("/");
  const std::string tag = "<scheduler>" + rig.project->master_url() + "cgi</scheduler>";
  const std::size_t at = all.find(tag);
  ASSERT_NE(at, std::string::npos);
  EXPECT_LT(tag.size(), 256u);
  EXPECT_TRUE(all[at - 1] == '\n') << "on a short line of its own";
  EXPECT_NE(all.find("for tests and demos"), std::string::npos);
  EXPECT_EQ(get("/other").status, 404);
}

TEST_F(PagesTest, Accounts) {
  EXPECT_NE(page("/get_project_config.php").find("<min_passwd_length>6</min_passwd_length>"), std::string::npos);
  const std::string query = "email_addr=Ann%40example%2Eorg&passwd_hash=0123456789abcdef0123456789abcdef";
  EXPECT_NE(page("/lookup_account.php?" + query).find("-136"), std::string::npos);
  const std::string made = page("/create_account.php?" + query + "&user_name=Ann%20%3Cb%3E");
  ASSERT_NE(made.find("<authenticator>"), std::string::npos) << made;
  EXPECT_EQ(page("/lookup_account.php?" + query), made);
  EXPECT_EQ(page("/create_account.php?" + query + "&user_name=Ann"), made) << "the same password finds it";
  const std::string wrong = "email_addr=ann%40example%2Eorg&passwd_hash=ffffffffffffffffffffffffffffffff";
  EXPECT_NE(page("/lookup_account.php?" + wrong).find("-206"), std::string::npos);
  EXPECT_NE(page("/create_account.php?" + wrong + "&user_name=Ann").find("-137"), std::string::npos);
  EXPECT_NE(page("/create_account.php?email_addr=x&passwd_hash=x&user_name=x").find("-205"), std::string::npos);
  EXPECT_NE(page("/lookup_account.php?email_addr=ann%40example%2Eorg").find("<success/>"), std::string::npos);
  EXPECT_EQ(page("/").find("<b>Ann"), std::string::npos);
  EXPECT_EQ(page("/").find("Ann <b>"), std::string::npos) << "names are escaped";
  const std::string secret = boinc::xml::child_text(boinc::xml::find(made, "account_out")->inner, "authenticator");
  EXPECT_EQ((page("/") + page("/status.json")).find(secret), std::string::npos);
  EXPECT_EQ(page("/status.json").find("example.org"), std::string::npos);
}

TEST_F(PagesTest, SchedulerAnswersRubbish) {
  const http::Response r = get("/cgi", "POST", "rubbish");
  EXPECT_EQ(r.status, 200);
  EXPECT_NE(std::string(text(r.body)).find("incomplete message"), std::string::npos);
  EXPECT_EQ(get("/cgi").status, 404);
}

TEST_F(PagesTest, DownloadsAndPublicFiles) {
  const std::string path = "/download/" + spread("sum_1") + "/sum_1";
  EXPECT_EQ(page(path), "#!/bin/true\n");
  EXPECT_EQ(get("/download/0/sum_1").status, spread("sum_1") == "0" ? 200 : 404);
  EXPECT_EQ(get("/download/" + spread("none") + "/none").status, 404);
  write_all(rig.folder() / "data/sparkmill/public/receipts/r.receipt", "SMR1");
  write_all(rig.folder() / "data/sparkmill/secret", "x");
  EXPECT_EQ(page("/public/receipts/r.receipt"), "SMR1");
  for (const std::string bad : {"/public/../secret", "/public/receipts/../../secret", "/public/%2e%2e/secret",
                                "/download/../keys/upload_private", "/public//etc/passwd"}) {
    EXPECT_EQ(get(bad).status, 404) << bad;
  }
}

TEST_F(PagesTest, StatisticsAreAGzipFile) {
  Host ann(rig, "ann");
  rig.add_unit("u");
  ann.ask();
  ann.finish_all();
  rig.pass();
  const Bytes gz = get("/stats/user.gz").body;
  ASSERT_GT(gz.size(), 18u);
  write_all(rig.folder() / "user.gz", text(gz));
  const std::string command =
      "gzip -dc " + (rig.folder() / "user.gz").string() + " > " + (rig.folder() / "user").string();
  ASSERT_EQ(std::system(command.c_str()), 0) << "gzip takes it";
  const std::string users = read_all(rig.folder() / "user");
  EXPECT_NE(users.find("<total_credit>12.500000</total_credit>"), std::string::npos) << users;
  EXPECT_NE(users.find("<cpid>"), std::string::npos);
  // More than one stored block.
  const std::string large(200'000, 'x');
  write_all(rig.folder() / "large.gz", text(gzip_stored(large)));
  ASSERT_EQ(std::system(("gzip -t " + (rig.folder() / "large.gz").string()).c_str()), 0);
}

// MD5("3e26..aa" + "vol@example.org"), computed by a real server.
TEST(Cpid, IsTheRealServers) {
  UserView u;
  u.cross_project_id = "3e26107f114456ebfeba4f9dbbf349aa";
  u.email = "vol@example.org";
  EXPECT_EQ(u.external_cpid(), "3538eb46a08ee6ca65a2905634d5f0e5");
}

TEST(Listen, LoopbackUnlessTold) {
  const TempFolder folder;
  Settings s;
  s.data = folder / "data";
  s.port = 0;
  s.background = false;
  s.listen = "0.0.0.0";
  auto refused = Project::start(s);
  ASSERT_EQ(refused.status(), Status::bad_config);
  EXPECT_NE(refused.error().hint.find("--allow-remote"), std::string::npos);
  s.allow_remote = true;
  EXPECT_EQ(Project::start(s).status(), Status::bad_config) << "clients need a name to come back to";
  s.url = "http://project.example:8791";
  EXPECT_EQ(Project::start(s).status(), Status::bad_config) << "no slash at the end";
  s.url += "/";
  auto open = Project::start(s);
  ASSERT_TRUE(open.ok()) << open.error().message;
  EXPECT_EQ((*open)->master_url(), "http://project.example:8791/");
  s.listen = "127.0.0.1";
  s.url = "";
  EXPECT_EQ(Project::start(s).status(), Status::locked) << "a second server on the folder";
}

}  // namespace
}  // namespace sparkmill::test

// SPDX-License-Identifier: Apache-2.0
// Exports, account signatures, the list of projects and what the ledger books of them: each credit once, through
// replays, falls, other hands and kill -9.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <csignal>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/hash.h"
#include "base/hex.h"
#include "base/http/server.h"
#include "node/credit/adapter.h"
#include "rsa_project.h"
#include "temp_folder.h"

namespace sparkmill::node {
namespace {

using credit::ExportedUser;
using credit::StatsLimits;
using credit::StatsReader;
using credit::StatsSummary;
using protocol::BindingState;
using protocol::CreditState;
using ::testing::HasSubstr;

const std::filesystem::path kVectors = std::filesystem::path(SPARKMILL_SOURCE_DIR) / "tests" / "vectors" / "boinc";
const std::string kProject = "https://far.example/astro/";
const std::string kOwn = "https://ours.example/mill/";
constexpr std::uint64_t kNow = 1'700'000'000'000;

Bytes packed(std::string_view plain) {
  Bytes out(compressBound(plain.size()) + 64);
  z_stream z{};
  deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
  z.avail_in = static_cast<uInt>(plain.size());
  z.next_out = out.data();
  z.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&z, Z_FINISH), Z_STREAM_END);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

std::string cpid_text(int user) {
  const std::string digit = std::to_string(user % 10);
  std::string out;
  for (int i = 0; i < 32; ++i) out += digit;
  return out;
}

std::string record(int user, const std::string& total, const std::string& cpid = {}) {
  return "<user>\n <id>" + std::to_string(user) + "</id>\n <name>n</name>\n <total_credit>" + total +
         "</total_credit>\n <cpid>" + (cpid.empty() ? cpid_text(user) : cpid) + "</cpid>\n</user>\n";
}

std::string users(const std::string& records) { return "<users>\n" + records + "</users>\n"; }

struct Read {
  std::vector<ExportedUser> users;
  Result<StatsSummary> summary = fail(Status::internal, "not read");
};

/// Feeds in pieces of `step` bytes.
Read read(ByteView bytes, std::size_t step = 1u << 20, StatsLimits limits = {}) {
  Read out;
  StatsReader reader([&](const ExportedUser& u) { out.users.push_back(u); }, limits);
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    const Done fed = reader.feed(bytes.subspan(at, std::min(step, bytes.size() - at)));
    if (!fed) {
      out.summary = fed.error();
      return out;
    }
  }
  out.summary = reader.finish();
  return out;
}

TEST(StatsReader, ReadsTheOraclesExportInPiecesOfAnySize) {
  const auto file = read_file(kVectors / "user.gz", 1 << 20);
  const auto text = read_text_file(kVectors / "ownership.json", 1 << 20);
  ASSERT_TRUE(file && text);
  const auto expected = nlohmann::json::parse(*text)["users"];
  for (const std::size_t step : {std::size_t{1}, std::size_t{2}, std::size_t{7}, std::size_t{64}, file->size()}) {
    const Read r = read(*file, step);
    ASSERT_TRUE(r.summary) << r.summary.error().message;
    EXPECT_EQ(r.summary->users, expected.size());
    EXPECT_EQ(r.summary->skipped, 0u);
    EXPECT_EQ(r.summary->hash, sha256(*file));
    ASSERT_EQ(r.users.size(), expected.size());
    for (std::size_t i = 0; i < r.users.size(); ++i) {
      EXPECT_EQ(r.users[i].id, expected[i]["id"].get<std::uint64_t>());
      EXPECT_EQ(r.users[i].total_micro, expected[i]["total_micro"].get<std::uint64_t>());
      EXPECT_EQ(to_hex(r.users[i].cpid), expected[i]["cpid"].get<std::string>());
    }
  }
}

TEST(StatsReader, TakesPlainTextOneLineRecordsSeveralMembersAndPadding) {
  const std::string one =
      "<users><user><id>1</id><name>Vol</name><total_credit>0.578687</total_credit><expavg_credit>"
      "0.057291</expavg_credit><cpid>3538eb46a08ee6ca65a2905634d5f0e5</cpid></user>";
  const std::string two = record(2, "3") + "</users>";
  Read r = read(view(one + two));
  ASSERT_TRUE(r.summary) << r.summary.error().message;
  ASSERT_EQ(r.users.size(), 2u);
  EXPECT_EQ(r.users[0].total_micro, 578'687u);
  EXPECT_EQ(r.users[1].total_micro, 3'000'000u);
  Bytes members = packed(one);
  const Bytes more = packed(two);
  members.insert(members.end(), more.begin(), more.end());
  members.insert(members.end(), 100, 0);
  r = read(members, 5);
  ASSERT_TRUE(r.summary) << r.summary.error().message;
  EXPECT_EQ(r.users.size(), 2u);
  EXPECT_TRUE(read(view("<users>\n</users>\n")).summary);
}

TEST(StatsReader, SkipsARecordThatCannotBeTrustedAndSaysWhere) {
  const struct {
    const char* inside;
    const char* why;
  } cases[] = {
      {"<total_credit>1</total_credit><cpid>11111111111111111111111111111111</cpid>", "no <id>"},
      {"<id>0</id>", "not a positive number"},
      {"<id>5</id><cpid>11111111111111111111111111111111</cpid>", "no <total_credit>"},
      {"<id>5</id><total_credit>-1.0</total_credit>", "decimal"},
      {"<id>5</id><total_credit>nan</total_credit>", "decimal"},
      {"<id>5</id><total_credit>1e9</total_credit>", "decimal"},
      {"<id>5</id><total_credit>1234567890123.0</total_credit>", "decimal"},
      {"<id>5</id><total_credit>1</total_credit><cpid>12</cpid>", "hex"},
      {"<id>5</id><total_credit>1</total_credit><total_credit>9</total_credit>", "a second"},
      {"<id>5</id><name>x<total_credit>1</total_credit>", "<name> is not closed"},
  };
  for (const auto& c : cases) {
    const Read r = read(view(users(record(1, "1.5") + "<user>" + c.inside + "</user>\n" + record(2, "2.5"))));
    ASSERT_TRUE(r.summary) << r.summary.error().message;
    EXPECT_EQ(r.users.size(), 2u) << c.inside;
    EXPECT_EQ(r.summary->skipped, 1u);
    EXPECT_THAT(r.summary->first_skipped, HasSubstr(c.why));
    EXPECT_THAT(r.summary->first_skipped, HasSubstr("line 8, byte 1"));
  }
}

TEST(StatsReader, ANameCannotSetCredit) {
  const Read r =
      read(view(users("<user><id>5</id><name><total_credit>9</total_credit> & <b</name>"
                      "<total_credit>1</total_credit><cpid>" +
                      cpid_text(5) + "</cpid></user>")));
  ASSERT_TRUE(r.summary) << r.summary.error().message;
  ASSERT_EQ(r.users.size(), 1u);
  EXPECT_EQ(r.users[0].total_micro, 1'000'000u);
}

TEST(StatsReader, RefusesDamagedFilesWithThePosition) {
  const std::string good = users(record(1, "1") + record(2, "2"));
  Bytes gz = packed(good);
  for (const std::size_t cut : {gz.size() - 1, gz.size() / 2, std::size_t{3}}) {
    const Read r = read(ByteView(gz).first(cut));
    EXPECT_EQ(r.summary.status(), Status::corrupt);
    EXPECT_THAT(r.summary.error().message, HasSubstr("packed byte"));
  }
  gz[gz.size() - 5] ^= 1;  // checksum
  EXPECT_EQ(read(gz).summary.status(), Status::corrupt);
  const Read half = read(view(good.substr(0, good.size() - 20)));
  EXPECT_EQ(half.summary.status(), Status::corrupt);
  EXPECT_THAT(half.summary.error().message, HasSubstr("line"));
  EXPECT_EQ(read(view("<html><body>404</body></html>")).summary.status(), Status::bad_input);
  EXPECT_EQ(read({}).summary.status(), Status::bad_input);
  EXPECT_EQ(read(view(users("<user><id>1</id><user><id>2</id></user>"))).summary.status(), Status::bad_input);
  EXPECT_EQ(read(view("<users><user><name>" + std::string(70'000, 'x'))).summary.status(), Status::too_large);
  EXPECT_EQ(read(view("<users><" + std::string(70'000, 'x'))).summary.status(), Status::bad_input);
  StatsLimits small;
  small.text_bytes = 100;
  EXPECT_EQ(read(packed(good), 1, small).summary.status(), Status::too_large);
  small = {};
  small.packed_bytes = 10;
  EXPECT_EQ(read(packed(good), 1, small).summary.status(), Status::too_large);
}

TEST(StatsReader, CreditIsReadExactly) {
  EXPECT_EQ(*credit::parse_micro("0"), 0u);
  EXPECT_EQ(*credit::parse_micro("0.000001"), 1u);
  EXPECT_EQ(*credit::parse_micro("12.5786879"), 12'578'687u);
  EXPECT_EQ(*credit::parse_micro("999999999999.999999"), 999'999'999'999'999'999u);
  for (const char* bad : {"", ".", "-1", "+1", "1.2.3", "1,5", "inf", "0x10", "1000000000000"}) {
    EXPECT_FALSE(credit::parse_micro(bad)) << bad;
  }
}

TEST(Ownership, TheOraclesSignatureHoldsAndNoOther) {
  const auto text = read_text_file(kVectors / "ownership.json", 1 << 20);
  ASSERT_TRUE(text);
  const auto v = nlohmann::json::parse(*text);
  const auto key = credit::OwnershipKey::parse(v["public_key"].get<std::string>());
  ASSERT_TRUE(key) << key.error().message;
  const auto binding = protocol::binding_from_page(v["page"].get<std::string>());
  ASSERT_TRUE(binding) << binding.error().message;
  EXPECT_EQ(binding->project, kProject);
  const auto owner = credit::check_ownership(*key, *binding);
  ASSERT_TRUE(owner) << owner.error().message;
  EXPECT_EQ(owner->user_id, 17u);
  EXPECT_EQ(to_hex(owner->text.worker_pub), v["worker_pub"].get<std::string>());
  EXPECT_EQ(owner->text.time_s, v["time_s"].get<std::uint64_t>());

  // A saved page has the box escaped; a mail may have broken the signature into lines.
  std::string page = "<html>" + v["page"].get<std::string>();
  for (const auto& [from, to] : {std::pair<std::string, std::string>{"<", "&lt;"}, {">", "&gt;"}}) {
    for (std::size_t at = 0; (at = page.find(from, at)) != std::string::npos; at += to.size()) {
      page.replace(at, from.size(), to);
    }
  }
  const std::size_t signature = page.find("signature&gt;") + 13;
  page.insert(signature + 64, "\r\n");
  const auto saved = protocol::binding_from_page(page);
  ASSERT_TRUE(saved) << saved.error().message;
  EXPECT_TRUE(credit::check_ownership(*key, *saved));
  EXPECT_EQ(protocol::to_json(*saved), protocol::to_json(*binding));

  protocol::BoincBinding forged = *binding;
  forged.message[0] = '2';
  EXPECT_EQ(credit::check_ownership(*key, forged).status(), Status::refused);
  forged = *binding;
  forged.message.back() ^= 1;
  EXPECT_EQ(credit::check_ownership(*key, forged).status(), Status::refused);
  forged = *binding;
  forged.signature = "AAAA";
  EXPECT_EQ(credit::check_ownership(*key, forged).status(), Status::refused);
  forged.signature = "not base64!";
  EXPECT_EQ(credit::check_ownership(*key, forged).status(), Status::bad_input);
  const testing::RsaProject other;
  EXPECT_EQ(credit::check_ownership(*credit::OwnershipKey::parse(other.published()), *binding).status(),
            Status::refused);
  // Signed by the project, but not our text.
  const auto own_key = credit::OwnershipKey::parse(other.published());
  const std::string good = v["message"].get<std::string>().substr(3);
  EXPECT_TRUE(credit::check_ownership(*own_key, other.sign(kProject, 17, good)));
  for (const std::string& odd :
       {good + " ", good + "0x", " " + good, std::string("hello"), good.substr(1), std::string()}) {
    EXPECT_EQ(credit::check_ownership(*own_key, other.sign(kProject, 17, odd)).status(), Status::bad_input) << odd;
  }
  EXPECT_EQ(protocol::binding_from_page("<msg>1</msg>").status(), Status::bad_input);
  for (const char* bad : {"", "AAAA", "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n"}) {
    EXPECT_EQ(credit::OwnershipKey::parse(bad).status(), Status::bad_config) << bad;
  }
}

TEST(Projects, TheListIsCheckedAsAWhole) {
  const testing::RsaProject rsa;
  const std::string own = R"({"url": ")" + kOwn + R"(", "assimilator_key": ")" + std::string(64, 'a') + "\"}";
  const std::string foreign = R"({"url": ")" + kProject + R"(", "ownership_key": ")" + rsa.published() +
                              R"(", "stats": "/data/user.gz", "every_s": 5})";
  const auto list = [](const std::string& items) { return "{\"projects\": [" + items + "]}"; };
  const auto good = credit::Projects::parse(list(own + "," + foreign), "list");
  ASSERT_TRUE(good) << good.error().message;
  ASSERT_NE(good->find(kProject), nullptr);
  EXPECT_TRUE(good->find(kProject)->foreign());
  EXPECT_FALSE(good->find(kOwn)->foreign());
  EXPECT_EQ(good->find(*good->find(kOwn)->assimilator)->url, kOwn);
  EXPECT_EQ(good->find("https://other.example/"), nullptr);
  const auto swap = [](std::string s, const std::string& from, const std::string& to) {
    return s.replace(s.find(from), from.size(), to);
  };
  for (const auto& [items, named] : std::vector<std::pair<std::string, std::string>>{
           {own + "," + own, "another project has it"},
           {foreign + "," + foreign, "named twice"},
           {swap(own, kOwn, "https://ours.example/mill"), "slash at its end"},
           {swap(own, kOwn, "ftp://ours.example/"), "http"},
           {swap(own, "\"assimilator_key\"", "\"ownership_key\": \"x\", \"assimilator_key\""), "not both"},
           {swap(own, "}", ", \"stats\": \"x\"}"), "stats"},
           {swap(foreign, "/data/user.gz", "https://far.example/stats/user.gz"), "3600"},
           {swap(foreign, "\"every_s\"", "\"often\""), "often"},
           {swap(foreign, rsa.published(), "QUJD"), "ownership_key"},
           {"7", "not an object"}}) {
    const auto bad = credit::Projects::parse(list(items), "list");
    ASSERT_EQ(bad.status(), Status::bad_config) << items;
    EXPECT_THAT(bad.error().message + bad.error().hint, HasSubstr(named));
    EXPECT_THAT(bad.error().message, HasSubstr("list"));
  }
  EXPECT_EQ(credit::Projects::parse("[]", "list").status(), Status::bad_config);
  EXPECT_EQ(credit::Projects::load("/nowhere/list.json").status(), Status::not_found);
}

keys::PublicKey worker(std::uint8_t n) {
  keys::PublicKey out{};
  out.fill(n);
  return out;
}

Id16 cpid_of(int user) { return *array_from_hex<16>(cpid_text(user)); }

class CreditTest : public ::testing::Test {
 protected:
  CreditTest() {
    options_.folder = folder_.path();
    options_.chain.beacon_length = 100;
    options_.chain.foundation = worker(201);
    options_.chain.operations = worker(202);
    options_.requester = worker(200);
    open();
  }
  void open() {
    ledger_.reset();
    auto opened = Ledger::open(options_, key_, now_);
    ASSERT_TRUE(opened) << opened.error().message;
    ledger_ = std::move(*opened);
  }
  protocol::Block block() {
    now_ += options_.chain.interval_ms;
    auto made = ledger_->append_block(now_, 1);
    EXPECT_TRUE(made) << made.error().message;
    return made->block;
  }
  std::uint64_t credit_of(std::uint8_t n) {
    const auto account = ledger_->account(worker(n));
    return account ? account->credit_microcobble : 0;
  }
  CreditRule own_rule(std::uint64_t day = 1'000'000, std::uint64_t result = 1'000) {
    CreditRule rule;
    rule.max_day_microcobble = day;
    rule.max_result_microcobble = result;
    return rule;
  }
  CreditRule foreign_rule(std::uint64_t day = 1'000'000'000'000) {
    CreditRule rule;
    rule.foreign = true;
    rule.max_day_microcobble = day;
    return rule;
  }
  ResultCredit result(const std::string& name, std::uint8_t to = 1, std::uint64_t credit = 500) {
    ResultCredit out;
    out.project = kOwn;
    out.result = name;
    out.job_id = Id16{3};
    out.user_id = 7;
    out.host_id = 8;
    out.worker = worker(to);
    out.output_hash = sha256(view(name));
    out.units = 4 * credit;
    out.microcobble = credit;
    out.rule = own_rule();
    return out;
  }
  protocol::CreditAnswer credit_one(const ResultCredit& r) {
    auto answers = ledger_->credit_results({r});
    EXPECT_TRUE(answers) << answers.error().message;
    return answers->at(0);
  }
  void bind(int user, std::uint8_t to, std::uint64_t time_s = 1) {
    const auto bound =
        ledger_->bind_account({kProject, static_cast<std::uint64_t>(user), cpid_of(user), worker(to), time_s});
    ASSERT_TRUE(bound) << bound.error().message;
  }
  /// Totals in whole credits by user.
  ExportReport take(const std::map<int, std::uint64_t>& totals, const CreditRule& rule) {
    std::map<std::uint64_t, ExportEntry> listed;
    for (const auto& [user, total] : totals) {
      listed[static_cast<std::uint64_t>(user)] = {cpid_of(user), total * 1'000'000};
    }
    auto report = ledger_->credit_export(kProject, rule, random_array<32>(), listed, now_);
    EXPECT_TRUE(report) << report.error().message;
    return *report;
  }
  protocol::BoincBindingInfo info(std::uint8_t of) {
    const auto list = ledger_->bindings(worker(of));
    EXPECT_TRUE(list && list->size() == 1);
    return list->at(0);
  }

  testing::TempFolder folder_;
  keys::SigningKey key_ = keys::KeyFile::from_seed(Hash32{7}).role("receipt");
  LedgerOptions options_;
  std::uint64_t now_ = kNow;
  std::unique_ptr<Ledger> ledger_;
};

TEST_F(CreditTest, AResultIsCreditedOnceByAReceiptInTheNextBlock) {
  const auto first = credit_one(result("wu_1_0"));
  EXPECT_EQ(first.state, CreditState::credited);
  EXPECT_EQ(credit_of(1), 500u);
  for (int i = 0; i < 3; ++i) {
    const auto again = credit_one(result("wu_1_0"));
    EXPECT_EQ(again.state, CreditState::credited);
    EXPECT_EQ(again.receipt_id, first.receipt_id);
    if (i == 1) open();
  }
  EXPECT_EQ(credit_one(result("wu_1_0", 2)).state, CreditState::refused);
  EXPECT_EQ(credit_one(result("wu_1_0", 1, 900)).state, CreditState::credited);
  EXPECT_EQ(credit_of(1), 500u);
  EXPECT_EQ(credit_of(2), 0u);
  const auto receipt = ledger_->receipt(first.receipt_id);
  ASSERT_TRUE(receipt);
  EXPECT_TRUE(receipt->accepted);
  EXPECT_EQ(receipt->units, 2'000u);
  EXPECT_EQ(receipt->answer_hash, sha256(view("wu_1_0")));
  EXPECT_THAT(receipt->detail, HasSubstr("wu_1_0 of user 7, host 8 at " + kOwn));
  EXPECT_TRUE(
      keys::verify(key_.public_key(), "sparkmill/receipt/v1", protocol::signed_bytes(*receipt), receipt->signature));
  const protocol::Block b = block();
  EXPECT_EQ(b.height, receipt->height);
  EXPECT_EQ(b.receipts, 1u);
  // The workers' share of the block's reward goes by accepted credit, and nobody else has any.
  EXPECT_GT(ledger_->account(worker(1))->balance, 0u);
  block();
  EXPECT_EQ(ledger_->tip().receipts, 0u);
}

TEST_F(CreditTest, CapsOfResultAndDayHoldAndNothingIsLost) {
  EXPECT_EQ(credit_one(result("big", 1, 5'000)).state, CreditState::credited);
  EXPECT_EQ(credit_of(1), 1'000u);
  ResultCredit late = result("late");
  late.rule.max_day_microcobble = 1'400;
  EXPECT_EQ(credit_one(late).state, CreditState::pending);
  EXPECT_THAT(credit_one(late).reason, HasSubstr("day_cap"));
  late.rule.max_day_microcobble = 1'500;
  EXPECT_EQ(credit_one(late).state, CreditState::credited);
  EXPECT_EQ(credit_of(1), 1'500u);
  // Nor more than the node's own account has.
  ledger_.reset();
  testing::TempFolder other;
  options_.folder = other.path();
  options_.requester_allowance_microcobble = 700;
  open();
  EXPECT_EQ(credit_one(result("a")).state, CreditState::credited);
  EXPECT_EQ(credit_one(result("b")).state, CreditState::pending);
  EXPECT_EQ(credit_of(1), 500u);
  ledger_.reset();
}

TEST_F(CreditTest, KillDashNineCostsNothingAndDoublesNothing) {
  constexpr int kResults = 60;
  ledger_.reset();
  int pipes[2];
  ASSERT_EQ(::pipe(pipes), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto ledger = Ledger::open(options_, key_, now_);
    for (int i = 0; ledger && i < kResults; ++i) {
      if (!(*ledger)->credit_results({result("r" + std::to_string(i))})) break;
      const char c = 1;
      if (::write(pipes[1], &c, 1) != 1) break;
    }
    ::pause();
    ::_exit(1);
  }
  ::close(pipes[1]);
  char c = 0;
  for (int i = 0; i < 10; ++i) ASSERT_EQ(::read(pipes[0], &c, 1), 1);
  ::kill(child, SIGKILL);
  ::close(pipes[0]);
  ::waitpid(child, nullptr, 0);
  open();
  EXPECT_GE(credit_of(1), 10u * 500);
  std::vector<ResultCredit> all;
  for (int i = 0; i < kResults; ++i) all.push_back(result("r" + std::to_string(i)));
  for (int round = 0; round < 2; ++round) {
    const auto answers = ledger_->credit_results(all);
    ASSERT_TRUE(answers);
    for (const auto& a : *answers) EXPECT_EQ(a.state, CreditState::credited);
  }
  EXPECT_EQ(credit_of(1), kResults * 500u);
}

TEST_F(CreditTest, FirstSightIsTheBaseLineAndOnlyGainsCount) {
  const CreditRule rule = foreign_rule();
  bind(1, 1);
  EXPECT_EQ(info(1).state, BindingState::pending);
  EXPECT_EQ(take({{2, 50}}, rule).unlisted, 1u);
  EXPECT_EQ(take({{1, 1000}, {2, 50}}, rule).first_seen, 1u);
  EXPECT_EQ(info(1).state, BindingState::confirmed);
  EXPECT_EQ(credit_of(1), 0u);
  EXPECT_EQ(take({{1, 1000}}, rule).credited, 0u);
  EXPECT_EQ(take({{1, 1007}}, rule).microcobble, 7'000'000u);
  EXPECT_EQ(credit_of(1), 7'000'000u);
  open();
  EXPECT_EQ(take({{1, 1007}}, rule).credited, 0u);
  // An older export, or a reset, credits nothing, now or on the way back.
  EXPECT_EQ(take({{1, 1002}}, rule).fallen, 1u);
  EXPECT_EQ(take({{1, 1007}}, rule).credited, 0u);
  EXPECT_EQ(take({{1, 0}}, rule).fallen, 1u);
  EXPECT_EQ(take({{1, 500}}, rule).fallen, 1u);
  EXPECT_EQ(take({{1, 1010}}, rule).microcobble, 3'000'000u);
  EXPECT_EQ(info(1).credit_microcobble, 10'000'000u);
  EXPECT_EQ(info(1).total_micro, 1'010'000'000u);
  // The operator says that the project began afresh.
  CreditRule fresh = rule;
  fresh.generation = 2;
  EXPECT_EQ(take({{1, 3}}, fresh).first_seen, 1u);
  EXPECT_EQ(take({{1, 5}}, fresh).microcobble, 2'000'000u);
  EXPECT_EQ(credit_of(1), 12'000'000u);
  EXPECT_EQ(block().receipts, 3u);
}

TEST_F(CreditTest, AnotherCpidOrNoneStopsTheCredit) {
  const CreditRule rule = foreign_rule();
  bind(1, 1);
  take({{1, 10}}, rule);
  std::map<std::uint64_t, ExportEntry> other{{1, {cpid_of(9), 20'000'000}}};
  auto report = ledger_->credit_export(kProject, rule, Hash32{1}, other, now_);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->other_cpid, 1u);
  EXPECT_EQ(info(1).state, BindingState::pending);
  EXPECT_THAT(info(1).reason, HasSubstr(cpid_text(9)));
  EXPECT_EQ(credit_of(1), 0u);
  ASSERT_TRUE(ledger_->bind_account({kProject, 1, cpid_of(9), worker(1), 2}));
  report = ledger_->credit_export(kProject, rule, Hash32{1}, other, now_);
  EXPECT_EQ(report->microcobble, 10'000'000u);
}

TEST_F(CreditTest, ANewerTextMovesTheAccountAndNoOlderOneMovesItBack) {
  const CreditRule rule = foreign_rule();
  bind(1, 1, 100);
  take({{1, 10}}, rule);
  take({{1, 14}}, rule);
  bind(1, 1, 100);  // the same again
  EXPECT_EQ(info(1).state, BindingState::confirmed);
  bind(1, 2, 200);
  EXPECT_EQ(ledger_->bind_account({kProject, 1, cpid_of(1), worker(1), 100}).status(), Status::late);
  EXPECT_EQ(ledger_->bind_account({kProject, 1, cpid_of(1), worker(1), 200}).status(), Status::late);
  // What was credited to the first key is not credited again to the second.
  EXPECT_EQ(take({{1, 15}}, rule).microcobble, 1'000'000u);
  EXPECT_EQ(credit_of(1), 4'000'000u);
  EXPECT_EQ(credit_of(2), 1'000'000u);
  EXPECT_TRUE(ledger_->bindings(worker(1))->empty());
  for (int user = 100; user < 163; ++user) bind(user, 2);
  EXPECT_EQ(ledger_->bind_account({kProject, 500, cpid_of(5), worker(2), 1}).status(), Status::too_large);
}

TEST_F(CreditTest, TheCapOfTheDayIsSharedInProportionAndTheRestWaits) {
  bind(1, 1);
  bind(2, 2);
  CreditRule rule = foreign_rule(10'000'000);
  rule.weight_ppm = 500'000;
  take({{1, 0}, {2, 0}}, rule);
  ExportReport report = take({{1, 30}, {2, 10}}, rule);  // worth 20 cobblestones, 10 allowed
  EXPECT_TRUE(report.capped);
  EXPECT_EQ(report.microcobble, 10'000'000u);
  EXPECT_EQ(credit_of(1), 7'500'000u);
  EXPECT_EQ(credit_of(2), 2'500'000u);
  EXPECT_EQ(take({{1, 30}, {2, 10}}, rule).credited, 0u);
  for (std::uint64_t i = 0; i <= options_.chain.blocks_per_day() && ledger_->tip().height < 40; ++i) block();
  rule.max_day_microcobble = 1'000'000'000;
  report = take({{1, 30}, {2, 10}}, rule);
  EXPECT_FALSE(report.capped);
  EXPECT_EQ(credit_of(1), 15'000'000u);
  EXPECT_EQ(credit_of(2), 5'000'000u);
  // The most that any export can say.
  rule.weight_ppm = 1'000'000'000;
  rule.max_day_microcobble = std::uint64_t{1} << 60;
  take({{1, 999'999'999'999}, {2, 999'999'999'999}}, rule);
  EXPECT_LE(credit_of(1) + credit_of(2), options_.requester_allowance_microcobble);
  EXPECT_GT(credit_of(1), options_.requester_allowance_microcobble / 3);
}

TEST_F(CreditTest, ManySmallPartsDoNotPassTheCap) {
  for (int user = 1; user <= 60; ++user) bind(user, 1);
  CreditRule rule = foreign_rule(59);
  rule.weight_ppm = 1'900;
  std::map<std::uint64_t, ExportEntry> listed;
  for (std::uint64_t user = 1; user <= 60; ++user) listed[user] = {cpid_of(static_cast<int>(user)), 0};
  ASSERT_TRUE(ledger_->credit_export(kProject, rule, Hash32{1}, listed, now_));
  for (auto& [user, entry] : listed) entry.total_micro = 1'000;  // worth 1.9 each
  const auto report = ledger_->credit_export(kProject, rule, Hash32{2}, listed, now_);
  ASSERT_TRUE(report);
  EXPECT_LE(report->microcobble, 59u);
  EXPECT_LE(credit_of(1), 59u);
}

TEST_F(CreditTest, RulesLeaveATraceAndMayNotTurnRound) {
  EXPECT_TRUE(ledger_->set_credit_rules({{kOwn, own_rule()}, {kProject, foreign_rule()}}));
  EXPECT_TRUE(ledger_->set_credit_rules({{kOwn, own_rule(5)}}));
  open();
  EXPECT_EQ(ledger_->set_credit_rules({{kOwn, foreign_rule()}}).status(), Status::bad_config);
  CreditRule later = foreign_rule();
  later.generation = 3;
  EXPECT_TRUE(ledger_->set_credit_rules({{kProject, later}}));
  EXPECT_EQ(ledger_->set_credit_rules({{kProject, foreign_rule()}}).status(), Status::bad_config);
}

TEST_F(CreditTest, AClaimCreditsNothingAndTellsTheState) {
  const std::map<std::string, CreditRule> rules{{kOwn, own_rule()}, {kProject, foreign_rule()}};
  const auto claim = [&](std::uint8_t who, const std::string& project, const std::string& name) {
    auto answers = ledger_->claim_results(worker(who), {{project, name, {1}}}, rules, now_);
    EXPECT_TRUE(answers) << answers.error().message;
    return answers->at(0).state + " " + answers->at(0).reason;
  };
  EXPECT_EQ(claim(1, "https://nobody.example/", "x"), "refused unknown_project");
  EXPECT_EQ(claim(1, kOwn, "wu_1_0"), "recorded no_receipt");
  const auto credited = credit_one(result("wu_1_0"));
  EXPECT_EQ(claim(1, kOwn, "wu_1_0"), "credited ");
  EXPECT_EQ(credited.receipt_id, protocol::boinc_result_id(kOwn, "wu_1_0"));
  EXPECT_EQ(claim(2, kOwn, "wu_1_0"), "duplicate credited_to_another_key");
  EXPECT_EQ(claim(1, kProject, "far_0"), "recorded no_binding");
  bind(1, 1);
  EXPECT_EQ(claim(1, kProject, "far_0"), "recorded binding_pending");
  take({{1, 10}}, rules.at(kProject));
  EXPECT_EQ(claim(1, kProject, "far_0"), "recorded export_decides");
  EXPECT_EQ(credit_of(1), 500u);
}

class AdapterTest : public CreditTest {
 protected:
  void write_list(std::uint64_t every_s = 100) {
    const nlohmann::json list = {{"projects",
                                  {{{"url", kProject},
                                    {"ownership_key", rsa_.published()},
                                    {"stats", stats_.string()},
                                    {"every_s", every_s},
                                    {"max_day_cobblestones", 1'000'000}}}}};
    const std::string text = list.dump();
    ASSERT_TRUE(write_file_atomic(list_, view(text)));
  }
  void write_export(const std::string& records) { ASSERT_TRUE(write_file_atomic(stats_, packed(users(records)))); }
  void make() {
    adapter_.reset();
    auto made = credit::Adapter::make({list_, {}, {}}, *ledger_, time_);
    ASSERT_TRUE(made) << made.error().message;
    adapter_ = std::move(*made);
  }

  testing::RsaProject rsa_;
  std::filesystem::path list_ = folder_.path() / "projects.json";
  std::filesystem::path stats_ = folder_.path() / "user.gz";
  ManualClock clock_{kNow};
  NodeTime time_{clock_};
  std::unique_ptr<credit::Adapter> adapter_;
};

TEST_F(AdapterTest, ExportsAreTakenWhenDueAndOnlyAsAWhole) {
  write_list();
  write_export(record(1, "10"));
  make();
  adapter_->look();  // nobody is bound: nothing is read
  EXPECT_EQ(*ledger_->last_export_ms(kProject), 0u);
  bind(1, 1);
  adapter_->look();
  EXPECT_EQ(info(1).total_micro, 10'000'000u);
  write_export(record(1, "12.5"));
  adapter_->look();  // not due
  EXPECT_EQ(credit_of(1), 0u);
  clock_.advance_ms(100'000);
  adapter_->look();
  EXPECT_EQ(credit_of(1), 2'500'000u);

  // A restart forgets neither totals nor the time of the last one.
  open();
  make();
  write_export(record(1, "13"));
  adapter_->look();
  EXPECT_EQ(credit_of(1), 2'500'000u);
  clock_.advance_ms(100'000);
  adapter_->look();
  EXPECT_EQ(credit_of(1), 3'000'000u);

  // Cut off in the middle: the first record was read, but nothing is credited. It is tried again.
  clock_.advance_ms(100'000);
  const Bytes whole = packed(users(record(1, "20") + record(2, "1")));
  ASSERT_TRUE(write_file_atomic(stats_, ByteView(whole).first(whole.size() - 9)));
  adapter_->look();
  EXPECT_EQ(credit_of(1), 3'000'000u);
  ASSERT_TRUE(write_file_atomic(stats_, whole));
  adapter_->look();  // failed a moment ago
  EXPECT_EQ(credit_of(1), 3'000'000u);
  clock_.advance_ms(100'000);
  adapter_->look();
  EXPECT_EQ(credit_of(1), 10'000'000u);

  // Twice in one export: nobody knows which is right.
  clock_.advance_ms(100'000);
  write_export(record(1, "21") + record(1, "99"));
  adapter_->look();
  EXPECT_EQ(credit_of(1), 10'000'000u);
}

TEST_F(AdapterTest, AChangedListCountsAtOnceAndABadOneNot) {
  write_list();
  make();
  EXPECT_EQ(adapter_->projects()->all().size(), 1u);
  ASSERT_TRUE(write_file_atomic(list_, view("{\"projects\": [{}]}")));
  adapter_->look();
  EXPECT_EQ(adapter_->projects()->all().size(), 1u);
  EXPECT_EQ(adapter_->reload().status(), Status::bad_config);
  ASSERT_TRUE(write_file_atomic(list_, view("{\"projects\": []}")));
  adapter_->look();
  EXPECT_TRUE(adapter_->projects()->all().empty());
  std::filesystem::remove(list_);
  adapter_->look();
  EXPECT_EQ(credit::Adapter::make({list_, {}, {}}, *ledger_, time_).status(), Status::not_found);
}

TEST_F(AdapterTest, AnExportComesFromAUrlToo) {
  http::Server server;
  Bytes body = packed(users(record(1, "5")));
  std::atomic<int> status{200};
  server.route("GET", "/astro/stats/user.gz", [&](const http::Request&) {
    http::Response r;
    r.status = status;
    r.headers["content-type"] = "application/gzip";
    if (r.status == 302) r.headers["location"] = "https://elsewhere.example/user.gz";
    r.body = body;
    return r;
  });
  ASSERT_TRUE(server.start("127.0.0.1", 0));
  write_list();
  make();
  credit::Project p;
  p.url = kProject;
  p.rule = foreign_rule();
  p.stats = "http://127.0.0.1:" + std::to_string(server.port()) + "/astro/stats/user.gz";
  bind(1, 1);
  auto report = adapter_->take_export(p);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->first_seen, 1u);
  body = packed(users(record(1, "6")));
  report = adapter_->take_export(p);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->microcobble, 1'000'000u);
  status = 302;
  report = adapter_->take_export(p);
  EXPECT_EQ(report.status(), Status::unreachable);
  EXPECT_THAT(report.error().message, HasSubstr(p.stats + ": answered HTTP 302"));
  EXPECT_THAT(report.error().hint, HasSubstr("https://elsewhere.example/user.gz"));
  status = 200;
  body = {'<', 'h', '1', '>'};
  EXPECT_EQ(adapter_->take_export(p).status(), Status::bad_input);
  p.stats = folder_.path().string();
  EXPECT_EQ(adapter_->take_export(p).status(), Status::bad_input);
  p.stats = "/nowhere/user.gz";
  EXPECT_EQ(adapter_->take_export(p).status(), Status::not_found);
  server.stop();
  EXPECT_EQ(credit_of(1), 1'000'000u);
}

}  // namespace
}  // namespace sparkmill::node

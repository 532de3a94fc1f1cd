// SPDX-License-Identifier: Apache-2.0
// Work generator, validator and assimilator over real units: a job split in 16 gives the answer of one machine; bent,
// lazy, copied, exchanged and unknown results are refused; nothing is counted or credited twice.
#include <gtest/gtest.h>

#include <fstream>

#include "base/hash.h"
#include "base/hex.h"
#include "boinc/server/assimilate.h"
#include "boinc/server/validate.h"
#include "boinc/server/work.h"
#include "boinc/xml/scan.h"
#include "tests/base/temp_folder.h"
#include "tests/verify/support.h"
#include "verify/merkle/merkle.h"
#include "verify/unit/receipt.h"
#include "verify/unit/result.h"

namespace sparkmill::boinc::server {
namespace {

namespace fs = std::filesystem;
using testing::seed_of;

keys::SigningKey app_key(std::string_view name) { return keys::KeyFile::from_seed(seed_of(name)).role("envelope"); }

struct Computed {
  std::string name;  ///< of the result
  std::unique_ptr<job::Work> work;
  job::Outcome outcome;
  StoredUnit stored;
};

class Server : public ::testing::Test {
 protected:
  void SetUp() override { make(0); }

  void make(std::uint32_t hold_s) {
    project.reset();
    fs::remove_all(folder.path() / "sparkmill");
    Settings settings;
    settings.url = "http://127.0.0.1/demo/";
    settings.hold_s = hold_s;
    settings.openings_new = 8;
    auto made = Project::make(folder.path(), settings, clock);
    ASSERT_TRUE(made.ok()) << made.error().message;
    project = std::move(*made);
    fs::create_directories(folder.path() / "upload" / "2aa");
  }

  JobPlan plan_of(const testing::Sample& sample, std::uint32_t tiles, std::uint32_t quorum = 1) {
    WorkOptions options;
    options.unit_units = sample.work->units() / sample.work->leaf_count() * tiles;
    options.quorum = quorum;
    auto source = sample.blobs;
    auto plan = create_job(*project, sample.job, source, options);
    EXPECT_TRUE(plan.ok()) << (plan.ok() ? "" : plan.error().message);
    return std::move(*plan);
  }

  /// An honest computation of a unit under a result name.
  Computed compute(const UnitPlan& u, const keys::SigningKey& by, int number = 0) {
    Computed c;
    c.name = u.name + "_" + std::to_string(number);
    c.stored = *load_unit(*project, *unit::parse_unit_name(u.name));
    InputFiles inputs(*project);
    c.work = *job::open(c.stored.unit.piece.job, inputs, unit::binding(c.name, by.public_key()));
    c.outcome = testing::outcome_of(*c.work);
    return c;
  }
  static Bytes sign(const Computed& c, const keys::SigningKey& by, const Bytes& statement = {}) {
    return *unit::encode_result(c.stored.unit, c.stored.id, *c.work, c.outcome, {c.name, 7, 8, statement}, by);
  }
  fs::path upload(const std::string& name, const Bytes& bytes) {
    const fs::path file = folder.path() / "upload" / "2aa" / (name + "_r546732464_0");
    EXPECT_TRUE(write_file_atomic(file, bytes).ok());
    return file;
  }
  std::string verdict(const fs::path& file) {
    const auto v = validate(*project, file);
    return v.ok() ? v->reason : "error: " + v.error().message;
  }
  Bytes receipt_of(const std::string& result) {
    auto bytes = read_file(project->public_folder() / "receipts" / (result + ".receipt"), 4096);
    return bytes.ok() ? std::move(*bytes) : Bytes();
  }
  std::int64_t count(std::string_view sql) {
    sqlite::Statement q = project->db().prepare(sql);
    q.step();
    return q.integer(0);
  }

  ManualClock clock{1'795'233'900'000};
  test::TempFolder folder;
  std::unique_ptr<Project> project;
  const keys::SigningKey key = app_key("volunteer");
};

TEST_F(Server, ASplitJobGivesTheAnswerOfOneMachine) {
  testing::Shape shape;
  shape.requests = shape.users = 1u << 12;
  shape.twins = 300;
  testing::Sample whole(shape);
  const Bytes expected = testing::outcome_of(*whole.work).answer;
  ASSERT_GE(job::decode_pairs(expected)->size(), 200u);
  const JobPlan plan = plan_of(whole, 16);
  ASSERT_EQ(plan.units.size(), 16u);
  std::uint64_t credit = 0;
  for (const UnitPlan& u : plan.units) credit += u.credit_microcobble;
  EXPECT_LE(credit, job::credit_microcobble(*job::find_kind(job::Kind::match_h), whole.work->units()));
  for (std::size_t k = plan.units.size(); k-- > 0;) {
    const Computed c = compute(plan.units[k], key);
    const auto taken = assimilate(*project, upload(c.name, sign(c, key)));
    ASSERT_TRUE(taken.ok()) << taken.error().message;
    EXPECT_EQ(taken->units_left, k);
    EXPECT_EQ(taken->job_done, k == 0);
  }
  EXPECT_EQ(*read_file(project->job_folder(whole.job.id) / "answer", 1u << 20), expected);
  EXPECT_EQ(count("SELECT count(*) FROM receipts WHERE bytes NOT NULL"), 16);
}

TEST_F(Server, WhatIsNotHonestIsRefused) {
  const testing::Sample sample({});
  const JobPlan plan = plan_of(sample, 12);
  const Computed c = compute(plan.units[0], key);
  const Bytes honest = sign(c, key);

  Bytes bent = honest;
  bent[bent.size() / 2] ^= 1;
  EXPECT_EQ(verdict(upload(c.name, bent)), "bad_signature");
  // The same name again, now with the honest file: its draw was made for another content.
  EXPECT_EQ(verdict(upload(c.name, honest)), "exchanged");

  Computed lazy = compute(plan.units[0], key, 1);  // digests never computed, the answer guessed from somewhere
  for (std::uint8_t& byte : lazy.outcome.evidence) byte = static_cast<std::uint8_t>(byte ^ 0x40);
  for (std::size_t t = 0; t < lazy.outcome.evidence.size(); t += 12) {
    std::copy_n(c.outcome.evidence.begin() + static_cast<std::ptrdiff_t>(t) + 8, 4,
                lazy.outcome.evidence.begin() + static_cast<std::ptrdiff_t>(t) + 8);
  }
  lazy.outcome = *lazy.work->rebuild(lazy.outcome.evidence, lazy.outcome.answer);
  EXPECT_EQ(verdict(upload(lazy.name, sign(lazy, key))), "leaf_mismatch");

  Computed empty = compute(plan.units[0], key, 2);  // claims that nothing matches
  for (std::size_t t = 8; t < empty.outcome.evidence.size(); t += 12) {
    std::fill_n(empty.outcome.evidence.begin() + static_cast<std::ptrdiff_t>(t), 4, std::uint8_t{0});
  }
  empty.outcome = *empty.work->rebuild(empty.outcome.evidence, job::encode_pairs({}));
  EXPECT_EQ(verdict(upload(empty.name, sign(empty, key))), "leaf_mismatch");

  const std::string third = plan.units[0].name + "_3";  // a copy of somebody's file
  EXPECT_EQ(verdict(upload(third, honest)), "wrong_name");
  EXPECT_EQ(verdict(folder.path() / "upload" / "2aa" / (plan.units[0].name + "_9_r1_0")), "no_file");
  EXPECT_EQ(verdict(upload("somebody_elses_wu_0", honest)), "wrong_name");
  EXPECT_EQ(verdict(upload(plan.units[0].name + "_4", {})), "malformed");

  for (const std::string& name : {c.name, lazy.name, third}) {
    const auto taken = assimilate(*project, folder.path() / "upload" / "2aa" / (name + "_r546732464_0"));
    EXPECT_EQ(taken.status(), Status::refused) << name;
  }
  EXPECT_EQ(count("SELECT count(*) FROM receipts"), 0);
}

TEST_F(Server, OwnFailuresAreNeverInvalid) {
  const testing::Sample sample({});
  const JobPlan plan = plan_of(sample, 12);
  const Computed c = compute(plan.units[0], key);
  const fs::path file = upload(c.name, sign(c, key));
  // A unit of a job that is not here.
  const auto unknown = validate(*project, upload(unit::unit_name(testing::id_of("other"), 0) + "_0", sign(c, key)));
  EXPECT_EQ(unknown.status(), Status::not_found);
  EXPECT_NE(unknown.error().message.find("is unknown here"), std::string::npos);
  // The upload folder is away; an input is away.
  EXPECT_FALSE(validate(*project, folder.path() / "upload" / "gone" / file.filename()).ok());
  const fs::path piece_input = plan.units[0].files[1].path;
  fs::rename(piece_input, piece_input.string() + ".away");
  EXPECT_FALSE(validate(*project, file).ok());
  fs::rename(piece_input.string() + ".away", piece_input);
  // The draw that was logged stands; the verdict comes now.
  EXPECT_EQ(verdict(file), "accepted");
}

TEST_F(Server, NothingIsCountedTwice) {
  const testing::Sample sample({});
  const JobPlan plan = plan_of(sample, 6);
  const Computed c = compute(plan.units[0], key);
  const fs::path file = upload(c.name, sign(c, key));
  EXPECT_FALSE(assimilate(*project, file)->again);
  const Bytes first = receipt_of(c.name);
  clock.advance_ms(1000);
  EXPECT_TRUE(assimilate(*project, file)->again);
  EXPECT_EQ(receipt_of(c.name), first);
  const Computed late = compute(plan.units[0], app_key("late"), 1);
  const auto other = assimilate(*project, upload(late.name, sign(late, app_key("late"))));
  EXPECT_EQ(other.status(), Status::refused);
  EXPECT_EQ(count("SELECT count(*) FROM receipts"), 1);

  const auto receipt = unit::decode_receipt(first);
  ASSERT_TRUE(receipt.ok());
  EXPECT_EQ(receipt->project_pub, project->key().public_key());
  EXPECT_EQ(receipt->worker_pub, key.public_key());
  EXPECT_EQ(receipt->result, c.name);
  EXPECT_EQ(receipt->user_id, 7u);
  EXPECT_EQ(receipt->host_id, 8u);
  EXPECT_EQ(receipt->flags, 0);  // the application said so
  EXPECT_EQ(receipt->credit_microcobble, plan.units[0].credit_microcobble);
  EXPECT_EQ(receipt->output_hash, sha256(*read_file(file, 1u << 20)));
}

TEST_F(Server, TheProjectsWordOnUserAndHost) {
  const testing::Sample sample({});
  const JobPlan plan = plan_of(sample, 6);
  const Computed a = compute(plan.units[0], key);
  ::setenv("SPARKMILL_RESULT_IDS", (a.name + " 11 22").c_str(), 1);
  EXPECT_TRUE(assimilate(*project, upload(a.name, sign(a, key))).ok());
  ::unsetenv("SPARKMILL_RESULT_IDS");
  auto receipt = unit::decode_receipt(receipt_of(a.name));
  EXPECT_EQ(receipt->user_id, 11u);
  EXPECT_EQ(receipt->host_id, 22u);
  EXPECT_EQ(receipt->flags, unit::kIdsConfirmed);

  fs::create_directories(folder.path() / "bin");
  const fs::path program = folder.path() / "bin" / "sparkmill-result-ids";
  std::ofstream(program) << "#!/bin/sh\necho \"33 44\"\n";
  fs::permissions(program, fs::perms::owner_all);
  const Computed b = compute(plan.units[1], key);
  const auto worker = app_key("worker");  // and paid to the worker that the key belongs to
  EXPECT_TRUE(
      assimilate(*project, upload(b.name, sign(b, key, unit::make_statement(worker, key.public_key(), 1)))).ok());
  receipt = unit::decode_receipt(receipt_of(b.name));
  EXPECT_EQ(receipt->user_id, 33u);
  EXPECT_EQ(receipt->flags, unit::kIdsConfirmed);
  EXPECT_EQ(receipt->worker_pub, worker.public_key());
  EXPECT_EQ(receipt->app_pub, key.public_key());
}

TEST_F(Server, QuorumComparesAnswersAndPaysBoth) {
  const testing::Sample sample({});
  const JobPlan plan = plan_of(sample, 12, 2);
  EXPECT_NE(input_template(plan).find("<min_quorum>2</min_quorum>"), std::string::npos);
  const auto other = app_key("other");
  const Computed a = compute(plan.units[0], key, 0);
  const Computed b = compute(plan.units[0], other, 1);
  const fs::path file_a = upload(a.name, sign(a, key));
  const fs::path file_b = upload(b.name, sign(b, other));
  EXPECT_NE(*read_file(file_a, 1u << 20), *read_file(file_b, 1u << 20));
  EXPECT_EQ(verdict(file_a), "accepted");
  EXPECT_EQ(verdict(file_b), "accepted");
  EXPECT_TRUE(*same_answers({{file_a}}, {{file_b}}));
  Computed wrong = compute(plan.units[0], other, 2);
  auto pairs = *job::decode_pairs(wrong.outcome.answer);
  pairs.pop_back();
  wrong.outcome.answer = job::encode_pairs(pairs);
  EXPECT_FALSE(*same_answers({{file_a}}, {{upload(wrong.name, sign(wrong, other))}}));
  EXPECT_FALSE(same_answers({{file_a}}, {{fs::path("/nowhere/x")}}).ok());
  EXPECT_TRUE(assimilate(*project, file_a).ok());
  EXPECT_EQ(unit::decode_receipt(receipt_of(a.name))->flags, unit::kQuorum);
  EXPECT_EQ(unit::decode_receipt(receipt_of(b.name))->worker_pub, other.public_key());
}

TEST_F(Server, HeldReceiptsAreVoidedByALie) {
  make(24 * 3600);
  const testing::Sample sample({});
  const JobPlan plan = plan_of(sample, 2);
  const auto honest_key = app_key("honest");
  const Computed honest = compute(plan.units[0], honest_key);
  const Computed good = compute(plan.units[1], key);
  EXPECT_TRUE(assimilate(*project, upload(honest.name, sign(honest, honest_key))).ok());
  EXPECT_TRUE(assimilate(*project, upload(good.name, sign(good, key))).ok());
  EXPECT_EQ(*publish(*project, true), 0u);  // held
  // Somebody hands in a copy of the honest one's file: that blames nobody.
  EXPECT_EQ(verdict(upload(plan.units[0].name + "_5", sign(honest, honest_key))), "wrong_name");
  Computed lie = compute(plan.units[2], key);
  for (std::size_t t = 0; t < lie.outcome.evidence.size(); t += 12) lie.outcome.evidence[t] ^= 1;
  lie.outcome = *lie.work->rebuild(lie.outcome.evidence, lie.outcome.answer);
  EXPECT_EQ(verdict(upload(lie.name, sign(lie, key))), "leaf_mismatch");
  clock.advance_ms(24ull * 3600 * 1000 - 1);
  EXPECT_EQ(*publish(*project, true), 0u);
  clock.advance_ms(1);
  EXPECT_EQ(*publish(*project, true), 1u);
  EXPECT_FALSE(receipt_of(honest.name).empty());
  EXPECT_TRUE(receipt_of(good.name).empty());
  EXPECT_NE(status_json(*project)->find("\"void\": 1"), std::string::npos);
}

TEST_F(Server, DaysAreProvable) {
  const testing::Sample sample({});
  const JobPlan plan = plan_of(sample, 2);
  std::vector<std::string> names;
  for (std::size_t k = 0; k < 3; ++k) {
    const Computed c = compute(plan.units[k], key);
    EXPECT_TRUE(assimilate(*project, upload(c.name, sign(c, key))).ok());
    names.push_back(c.name);
  }
  const fs::path stem = project->public_folder() / "days" / date_text(project->today());
  EXPECT_TRUE(publish(*project, false).ok());
  EXPECT_FALSE(fs::exists(stem.string() + ".root"));  // the day is not over
  const std::string before = *read_text_file(project->public_folder() / "draws.json", 1u << 16);
  const Hash32 secret = project->day_secret(project->today());
  EXPECT_EQ(before.find(to_hex(secret)), std::string::npos);
  EXPECT_NE(before.find(to_hex(sha256(secret))), std::string::npos);
  clock.advance_ms(86'400'000);
  EXPECT_TRUE(publish(*project, false).ok());
  const auto root = unit::decode_day_root(*read_file(stem.string() + ".root", 4096));
  ASSERT_TRUE(root.ok());
  EXPECT_EQ(root->receipts, 3u);
  EXPECT_EQ(root->secret_hash, sha256(secret));
  const Bytes list = *read_file(stem.string() + ".leaves", 4096);
  std::vector<Hash32> leaves;
  for (ByteReader r(list); r.left() > 0;) leaves.push_back(r.array<32>());
  EXPECT_EQ(merkle::root(leaves), root->root);
  for (const std::string& name : names) {
    EXPECT_EQ(std::count(leaves.begin(), leaves.end(), unit::receipt_leaf(receipt_of(name))), 1);
  }
  EXPECT_NE(read_text_file(project->public_folder() / "draws.json", 1u << 16)->find(to_hex(secret)), std::string::npos);
}

TEST_F(Server, KnownKeysAreSampledLess) {
  make(0);
  const testing::Sample sample({});
  const JobPlan plan = plan_of(sample, 1);
  // project.json is the administrator's: twelve units are more than "known after two".
  std::ofstream(project->folder() / "project.json")
      << R"({"url": "http://127.0.0.1/demo/", "openings_new": 3, "openings_known": 1, "known_after": 2, "hold_s": 0})";
  project = std::move(*Project::open(folder.path(), clock));
  for (std::size_t k = 0; k < 4; ++k) {
    const Computed c = compute(plan.units[k], key);
    EXPECT_EQ(verdict(upload(c.name, sign(c, key))), "accepted");
  }
  EXPECT_EQ(count("SELECT sum(openings) FROM results"), 3 + 3 + 1 + 1);
}

TEST_F(Server, FailedUnitsAndUnknownOnes) {
  const testing::Sample sample({});
  const JobPlan plan = plan_of(sample, 12);
  EXPECT_TRUE(give_up(*project, plan.units[0].name, 8).ok());
  EXPECT_NE(status_json(*project)->find("\"failed\": 1"), std::string::npos);
  EXPECT_EQ(give_up(*project, unit::unit_name(testing::id_of("x"), 0), 8).status(), Status::not_found);
  EXPECT_EQ(give_up(*project, "upper_wu1", 8).status(), Status::bad_input);
  const Computed c = compute(plan.units[0], key);  // made again after all
  EXPECT_TRUE(assimilate(*project, upload(c.name, sign(c, key))).ok());
  EXPECT_NE(status_json(*project)->find("\"failed\": 0"), std::string::npos);
}

TEST_F(Server, PlansSayWhatABoincServerWants) {
  const testing::Sample sample({});
  const JobPlan plan = plan_of(sample, 6);
  const JobPlan again = plan_of(sample, 6);
  EXPECT_EQ(manifest_json(plan), manifest_json(again));
  WorkOptions other;
  other.unit_units = 1;
  auto source = sample.blobs;
  EXPECT_EQ(create_job(*project, sample.job, source, other).status(), Status::duplicate);
  const std::string in = input_template(plan);
  const auto wu = xml::find(xml::find(in, "input_template")->inner, "workunit");
  ASSERT_TRUE(wu);
  EXPECT_EQ(xml::child_text(xml::find(wu->inner, "file_ref")->inner, "open_name"), "unit");
  EXPECT_GE(plan.units[0].disk_bound, 1e8);
  EXPECT_GT(plan.units[0].fpops_bound, plan.units[0].fpops_est);
  EXPECT_NE(output_template(plan).find("<open_name>result</open_name>"), std::string::npos);
  const std::string script = create_script(plan);
  for (const UnitPlan& u : plan.units) EXPECT_NE(script.find("unit " + u.name + " "), std::string::npos);
}

}  // namespace
}  // namespace sparkmill::boinc::server

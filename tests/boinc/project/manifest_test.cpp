// SPDX-License-Identifier: Apache-2.0
// Work on its way in, applications, and how a second start finds them.
#include "tests/boinc/project/rig.h"

namespace sparkmill::test {
namespace {

std::string manifest(const std::string& more = {}, const std::string& name = "m_0") {
  return R"({"version": 1, "app": "sum", "job": "00", "kind": "match.h", "units": [{"name": ")" + name +
         R"(", "index": 0,
    "files": [{"name": "in_1", "open_name": "in", "path": "data/in.bin", "bytes": 3}],
    "output": {"open_name": "out", "max_nbytes": 1000}, "command_line": "",
    "rsc_fpops_est": 1e9, "rsc_fpops_bound": 1e12, "rsc_memory_bound": 1e6, "rsc_disk_bound": 1e8,
    "delay_bound": 3600, "min_quorum": 1, "target_nresults": 1, "max_error_results": 3, "max_total_results": 12,
    "max_success_results": 6, "units": 1000, "credit": 0.5)" +
         more + "}]}";
}

TEST(Manifest, OfTheWorkGenerator) {
  const auto m = parse_manifest(manifest(), "/folder");
  ASSERT_TRUE(m.ok()) << m.error().message;
  ASSERT_EQ(m->units.size(), 1u);
  const UnitSpec& u = m->units[0].unit;
  EXPECT_EQ(u.name, "m_0");
  EXPECT_EQ(u.credit_microcobble, 500'000);
  EXPECT_EQ(u.limits.max_total, 12u);
  EXPECT_EQ(u.inputs.at(0).open_name, "in");
  EXPECT_EQ(m->units[0].sources.at(0), std::filesystem::path("/folder/data/in.bin"));
}

TEST(Manifest, BadInputNamesTheMember) {
  const auto message = [](const std::string& json) {
    const auto m = parse_manifest(json, "/");
    EXPECT_EQ(m.status(), Status::bad_input) << json;
    return m ? std::string() : m.error().message;
  };
  EXPECT_NE(message("{"), "");
  EXPECT_NE(message("[]"), "");
  EXPECT_NE(message(manifest(R"(, "crdit": 1)")).find("crdit"), std::string::npos);
  std::string text = manifest();
  text.replace(text.find("3600"), 4, "\"x\"");
  EXPECT_NE(message(text).find("delay_bound"), std::string::npos);
  EXPECT_NE(message(R"({"version": 2, "app": "sum", "units": [{}]})").find("version"), std::string::npos);
  EXPECT_NE(message(R"({"version": 1, "app": "sum", "units": [{}]})").find("name"), std::string::npos);
  EXPECT_NE(message(R"({"cancel": [1]})").find("cancel"), std::string::npos);
}

TEST(Manifest, ThroughTheFolderOfTheServer) {
  Rig rig;
  write_all(rig.folder() / "job/data/in.bin", "abc");
  write_all(rig.folder() / "job/manifest.json", manifest());
  const Spool spool(rig.folder() / "data/work");
  auto name = spool.leave(rig.folder() / "job/manifest.json");
  ASSERT_TRUE(name.ok()) << name.error().message;
  EXPECT_FALSE(spool.fate(*name).has_value());
  rig.pass();
  ASSERT_TRUE(spool.fate(*name).has_value());
  EXPECT_TRUE(spool.fate(*name)->ok());
  EXPECT_EQ(rig.result("m_0_0").state, "unsent");
  EXPECT_EQ(read_all(rig.project->downloads().path("in_1")), "abc");
  // Again: what is there stays.
  name = spool.leave(rig.folder() / "job/manifest.json");
  rig.pass();
  EXPECT_TRUE(spool.fate(*name)->ok());
  EXPECT_EQ(rig.project->books().overview(10)->units.size(), 1u);
  // A file's content never changes under its name.
  write_all(rig.folder() / "job/data/in.bin", "abd");
  write_all(rig.folder() / "job/manifest.json", manifest("", "m_1"));
  name = spool.leave(rig.folder() / "job/manifest.json");
  rig.pass();
  ASSERT_TRUE(spool.fate(*name).has_value());
  EXPECT_FALSE(spool.fate(*name)->ok());
  EXPECT_NE(spool.fate(*name)->error().message.find("in_1"), std::string::npos);
  name = spool.leave_names("cancel", {"m_0"});
  rig.pass();
  EXPECT_TRUE(spool.fate(*name)->ok());
  EXPECT_EQ(rig.unit("m_0").error_mask, kCancelled);
  write_all(rig.folder() / "data/work/broken.json", "{");
  rig.pass();
  EXPECT_FALSE(spool.fate("broken.json")->ok());
}

TEST(Manifest, UnitsThatCannotBe) {
  Rig rig;
  const auto add = [&](auto change) {
    UnitSpec u;
    u.name = "x";
    u.app = "sum";
    u.fpops_est = u.fpops_bound = u.memory_bytes = u.disk_bytes = u.delay_s = 1;
    u.outputs.push_back({"out", 10, false});
    change(u);
    return rig.project->books().add_unit(u).status();
  };
  EXPECT_EQ(add([](UnitSpec& u) { u.app = "other"; }), Status::not_found);
  EXPECT_EQ(add([](UnitSpec& u) { u.name = "../x"; }), Status::bad_input);
  EXPECT_EQ(add([](UnitSpec& u) { u.outputs.clear(); }), Status::bad_input);
  EXPECT_EQ(add([](UnitSpec& u) { u.limits.target = 0; }), Status::bad_input);
  EXPECT_EQ(add([](UnitSpec& u) { u.delay_s = 0; }), Status::bad_input);
  EXPECT_EQ(add([](UnitSpec& u) { u.fpops_bound = 0; }), Status::bad_input);
  EXPECT_EQ(add([](UnitSpec&) {}), Status::ok);
  EXPECT_EQ(add([](UnitSpec&) {}), Status::duplicate);
  Policy any;
  any.repeat = Repeat::any;
  Rig loose(any);
  UnitSpec u;
  u.name = "x";
  u.app = "sum";
  u.fpops_est = u.fpops_bound = u.memory_bytes = u.disk_bytes = u.delay_s = 1;
  u.outputs.push_back({"out", 10, false});
  u.limits.quorum = u.limits.target = 2;
  EXPECT_EQ(loose.project->books().add_unit(u).status(), Status::bad_input) << "a host would confirm itself";
}

TEST(Catalog, WhatIsWrongWithAFolderIsSaid) {
  const TempFolder folder;
  const Downloads downloads(folder / "download");
  const SigningKey key = SigningKey::generate();
  const auto version = folder / "apps/sum/1.00/x86_64-pc-linux-gnu__avx2";
  const auto load = [&] { return Catalog::load(folder / "apps", folder / "none.xml", downloads, key); };
  write_all(version / "sum_1", "one");
  EXPECT_EQ(load().status(), Status::bad_input) << "no version.xml";
  write_all(version / "version.xml", "<version><file><physical_name>sum_1</physical_name></file></version>");
  EXPECT_NE(load().error().message.find("api_version"), std::string::npos);
  write_all(version / "version.xml",
            "<version><api_version>7.20.5</api_version><file><physical_name>sum_1</physical_name></file></version>");
  EXPECT_NE(load().error().message.find("main_program"), std::string::npos);
  const std::string good =
      "<version><api_version>7.20.5</api_version><file><physical_name>sum_1</physical_name><main_program/></file>"
      "</version>";
  write_all(version / "version.xml", good);
  auto catalog = load();
  ASSERT_TRUE(catalog.ok()) << catalog.error().message;
  SchedulerRequest host;
  host.platforms = {"x86_64-pc-linux-gnu"};
  EXPECT_EQ(catalog->choose("sum", "CPU", host), nullptr) << "no avx2";
  host.features = "fpu avx2 bmi";
  const Version* v = catalog->choose("sum", "CPU", host);
  ASSERT_NE(v, nullptr);
  EXPECT_EQ(v->number, 100);
  EXPECT_EQ(v->plan_class, "avx2");
  host.features = "fpu avx2x";
  EXPECT_EQ(catalog->choose("sum", "CPU", host), nullptr) << "a word, not a part of one";
  write_all(version / "sum_1", "two");
  const auto changed = load();
  EXPECT_EQ(changed.status(), Status::duplicate);
  EXPECT_NE(changed.error().hint.find("new name"), std::string::npos);
  write_all(folder / "apps/sum/one/x/a", "");
  EXPECT_FALSE(load().ok());
}

}  // namespace
}  // namespace sparkmill::test

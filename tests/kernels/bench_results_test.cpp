// SPDX-License-Identifier: Apache-2.0
// Result files: what is refused, what counts as noise and what as change, and the page that shows several of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "bench/compare.h"
#include "bench/page/figure.h"
#include "bench/page/page.h"

namespace sparkmill::bench {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

json row(const std::string& name, double median, double spread) {
  return {{"name", name}, {"median", median}, {"spread", spread}, {"samples", {median, median}}};
}
json results(json rows, const std::string& cpu = "A") {
  return {{"schema", 1},
          {"machine", {{"cpu", cpu}, {"cores", 2}, {"memory_bytes", 1u << 30}, {"devices", {{{"name", cpu}}}}}},
          {"rows", std::move(rows)},
          {"ratios", json::array()}};
}
ResultFile parsed(const json& j, const std::string& path = "r.json") { return parse_results(path, j.dump()).value(); }

TEST(Judge, NoiseGrowsWithTheSpreadAndNeverVanishes) {
  EXPECT_EQ(judge(100, 0, 100.9, 0, true).change, Change::same);
  EXPECT_EQ(judge(100, 0, 102, 0, true).change, Change::faster);
  EXPECT_EQ(judge(100, 0, 98, 0, true).change, Change::slower);
  EXPECT_EQ(judge(100, 0.03, 105, 0.03, true).change, Change::same);
  EXPECT_EQ(judge(100, 0.03, 115, 0.03, true).change, Change::faster);
  EXPECT_NEAR(judge(100, 0.03, 105, 0.04, true).noise, 0.10, 1e-9);
}

TEST(Judge, SmallerIsBetterForOverheadsAndTimes) {
  EXPECT_EQ(judge(0.02, 0, 0.03, 0, false).change, Change::slower);
  EXPECT_EQ(judge(0.02, 0, 0.01, 0, false).change, Change::faster);
  EXPECT_EQ(judge(-0.001, 0, 0.01, 0, false).change, Change::same) << "no ratio around zero";
  EXPECT_FALSE(larger_is_better("k/digest_overhead"));
  EXPECT_FALSE(larger_is_better("tensority/seed/ms"));
  EXPECT_TRUE(larger_is_better("k/pairs_per_s"));
}

TEST(Compare, SaysWhatChangedWhatIsMissingAndOtherMachines) {
  const ResultFile a = parsed(results(
      json::array({row("k/pairs_per_s", 100, 0.001), row("gone/pairs_per_s", 1, 0), row("k/of_ceiling", 0.9, 0)})));
  const ResultFile b = parsed(results(
      json::array({row("k/pairs_per_s", 130, 0.001), row("new/pairs_per_s", 1, 0), row("k/of_ceiling", 0.9, 0)}), "B"));
  const std::string text = compare(a, b);
  EXPECT_THAT(text, HasSubstr("different machines: cpu: \"A\" and \"B\""));
  EXPECT_THAT(text, HasSubstr("x 1.300"));
  EXPECT_THAT(text, HasSubstr("faster"));
  EXPECT_THAT(text, HasSubstr("same within noise"));
  EXPECT_THAT(text, HasSubstr("only in the first: gone/pairs_per_s"));
  EXPECT_THAT(text, HasSubstr("only in the second: new/pairs_per_s"));
  EXPECT_THAT(compare(a, a), Not(HasSubstr("different machines")));
  EXPECT_THAT(compare(b, a), HasSubstr("slower"));
}

TEST(ResultFile, ErrorsNameTheFileAndTheField) {
  const auto refused = [](const json& j) {
    const auto r = parse_results("mine.json", j.dump());
    EXPECT_EQ(r.status(), Status::bad_input) << j;
    return r.ok() ? std::string() : r.error().message;
  };
  const auto with = [](const char* pointer, const json& value) {
    json j = results(json::array({row("x", 1, 0), row("y", 1, 0)}));
    j["ratios"].push_back({{"name", "x"}, {"median", 1}, {"at_least", 2}, {"met", false}});
    j[json::json_pointer(pointer)] = value;
    return j;
  };
  EXPECT_TRUE(parse_results("mine.json", with("/machine/cores", 3).dump()).ok());
  EXPECT_THAT(parse_results("mine.json", "{\"rows\": [").error().message,
              AllOf(HasSubstr("mine.json"), HasSubstr("byte 11")));
  EXPECT_EQ(parse_results("mine.json", "").status(), Status::bad_input);
  EXPECT_THAT(refused(json::array({1})), HasSubstr("no object"));
  EXPECT_THAT(refused({{"name", "a foreign file"}}), AllOf(HasSubstr("mine.json"), HasSubstr("\"schema\": missing")));
  EXPECT_THAT(refused(with("/schema", 2)), HasSubstr("\"schema\": not 1"));
  EXPECT_THAT(refused(with("/machine", 2)), HasSubstr("\"machine\": not an object"));
  EXPECT_THAT(refused(with("/machine/devices", 2)), HasSubstr("\"machine.devices\": not a list"));
  EXPECT_THAT(refused(with("/machine/devices/0", 2)), HasSubstr("\"machine.devices[0]\": not an object"));
  EXPECT_THAT(refused(with("/rows", 3)), HasSubstr("\"rows\": not a list"));
  EXPECT_THAT(refused(with("/rows/1", 3)), HasSubstr("\"rows[1]\": not an object"));
  EXPECT_THAT(refused(with("/rows/1/name", 3)), HasSubstr("\"rows[1].name\": not a text"));
  EXPECT_THAT(refused(with("/rows/1/name", std::string(201, 'a'))), HasSubstr("\"rows[1].name\": longer"));
  EXPECT_THAT(refused(with("/rows/1/median", nullptr)), HasSubstr("\"rows[1].median\": not a number"));
  EXPECT_THAT(refused(with("/rows/1/spread", -1)), HasSubstr("\"rows[1].spread\": below zero"));
  EXPECT_THAT(refused(with("/rows/1/samples", "many")), HasSubstr("\"rows[1].samples\": not a list"));
  EXPECT_THAT(refused(with("/ratios/0/met", 1)), HasSubstr("\"ratios[0].met\": neither"));
  EXPECT_THAT(refused(with("/ratios/0/at_least", "1")), HasSubstr("\"ratios[0].at_least\": not a number"));
  EXPECT_EQ(read_results("/no/such/file.json").status(), Status::not_found);
}

/// Two machines: the second has a GPU, no peer, and a hostile name in everything that is shown.
json first_machine() {
  json j =
      results(json::array({row("tensority/seed/ms", 20, 0.01), row("tensority/cpu/avx512/hashes_per_s", 107.1, 0.015),
                           row("tensority/cpu/avx512/ceiling_hashes_per_s", 112.4, 0.005),
                           row("tensority/cpu/avx512/of_ceiling", 0.953, 0.008),
                           row("tensority/reference/hashes_per_s", 2.4, 0.01),
                           row("match/cpu/avx2/plain/n:2048/pairs_per_s", 2.25e8, 0.02),
                           row("peer/faiss/Flat/plain/n:2048/pairs_per_s", 1.78e7, 0.02)}),
              "EPYC");
  j["ratios"].push_back(
      {{"name", "tensority/cpu/avx512/of_ceiling"}, {"median", 0.953}, {"at_least", 0.9}, {"met", true}});
  return j;
}
constexpr const char* kHostile = "<script>alert(1)</script>'; system \"true\" `id` & \n";
json second_machine() {
  json j = results(json::array({row("tensority/cpu/avx512/hashes_per_s", 214.2, 0.001),
                                row("tensority/cuda@cuda:0/hashes_per_s", 150000, 0.001),
                                row(std::string("tensority/cuda@") + kHostile + "/hashes_per_s", 10, 0.001)}),
                   kHostile);
  j["ratios"].push_back(
      {{"name", "tensority/cpu/avx512/of_ceiling"}, {"median", 0.8}, {"at_least", 0.9}, {"met", false}});
  return j;
}

TEST(SideBySide, PutsKernelsOfTheSameWorkTogether) {
  const std::vector<ResultFile> files = {parsed(first_machine()), parsed(second_machine())};
  const auto works = side_by_side(files);
  std::vector<std::string> titles;
  for (const Workload& w : works) titles.push_back(w.family + "|" + w.title + "|" + w.quantity);
  EXPECT_THAT(titles, ElementsAre("tensority|seed|ms", "tensority||hashes_per_s", HasSubstr("tensority|script>"),
                                  "match|plain n:2048|pairs_per_s", "peer|plain n:2048|pairs_per_s"));
  const Workload& hashes = works[1];
  ASSERT_EQ(hashes.kernels.size(), 3u);
  EXPECT_EQ(hashes.kernels[0].kernel, "cpu/avx512");
  EXPECT_EQ(hashes.kernels[0].cells[0]->ceiling, 112.4);
  EXPECT_EQ(hashes.kernels[0].cells[0]->ratio, 0.953);
  EXPECT_EQ(hashes.kernels[0].cells[1]->rate.median, 214.2);
  EXPECT_FALSE(hashes.kernels[0].cells[1]->ratio);
  EXPECT_FALSE(hashes.kernels[1].cells[1]) << "the second has no reference row";
  EXPECT_EQ(hashes.kernels[2].kernel, "cuda@cuda:0");
  EXPECT_FALSE(hashes.kernels[2].cells[0]);
  EXPECT_EQ(works[4].kernels[0].kernel, "faiss/Flat");
}

TEST(Quantity, IsShownInItsUnit) {
  EXPECT_EQ(show_quantity("pairs_per_s", 1.1618e9), "1.16 G pairs/s");
  EXPECT_EQ(show_quantity("hashes_per_s", 107.12), "107 H/s");
  EXPECT_EQ(show_quantity("hashes_per_s", 150000), "150 kH/s");
  EXPECT_EQ(show_quantity("ms", 9.105), "9.11 ms");
  EXPECT_EQ(show_quantity("ms", 5e-5), "50 ns");
  EXPECT_EQ(show_quantity("ms", 0.0213), "21.3 us");
  EXPECT_EQ(show_quantity("of_ceiling", 0.9535), "95.3 %");
  EXPECT_EQ(show_quantity("speedup", 1.978), "1.98 x");
  EXPECT_EQ(show_quantity("whatever", 12345.6), "12346");
}

TEST(Page, ShowsRunsMachinesRatiosAndTargetsAndEscapesAll) {
  const std::vector<ResultFile> files = {parsed(first_machine(), "a/epyc.json"),
                                         parsed(second_machine(), "b/<gpu>.json"),
                                         parsed(first_machine(), "a/again.json")};
  const auto works = side_by_side(files);
  const std::string page = make_page(files, works, {{}, "gnuplot is not installed"});
  EXPECT_THAT(page, AllOf(HasSubstr("epyc"), HasSubstr("&lt;gpu&gt;"), HasSubstr("the machine of run 1")));
  EXPECT_THAT(page, AllOf(HasSubstr("<dt>memory</dt><dd>1.0 GiB</dd>"), HasSubstr("<dt>device</dt><dd>EPYC</dd>")));
  EXPECT_THAT(page, AllOf(HasSubstr("<td>107 H/s<small>+- 1.5 %</small><small>95.3 % of the ceiling</small></td>"),
                          HasSubstr("<small class=\"good\">x 2 of run 1</small>"), HasSubstr("150 kH/s")));
  EXPECT_THAT(page, AllOf(HasSubstr("at least 90 %"), HasSubstr("<small class=\"good\">met</small>"),
                          HasSubstr("<small class=\"bad\">missed</small>")));
  EXPECT_THAT(page, HasSubstr("No figures: gnuplot is not installed."));
  EXPECT_THAT(page, HasSubstr("&lt;script&gt;alert(1)&lt;/script&gt;&#39;; system &quot;true&quot; `id` &amp;"));
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_THAT(page, AllOf(Not(HasSubstr("http")), Not(HasSubstr("src=")), Not(HasSubstr("<svg"))))
      << "nothing is loaded";
}

TEST(Page, ShowsAPipelineFile) {
  json j = {{"schema", 1}, {"what", "pipeline"}, {"machine", {{"cpu", "EPYC"}}}, {"jobs", 100}, {"pairs_per_s", 7.7e8}};
  const std::vector<ResultFile> files = {parsed(j)};
  const std::string page = make_page(files, side_by_side(files), {});
  EXPECT_THAT(page, AllOf(HasSubstr("Node and worker together"), HasSubstr("<dt>jobs</dt><dd>100</dd>"),
                          HasSubstr("<dt>pairs per s</dt><dd>7.7e+08</dd>")));
}

TEST(Figure, GivesGnuplotNothingOfAFileButHarmlessText) {
  Workload work{
      "f", kHostile, "hashes_per_s", {{kHostile, {Cell{{"n", 3, 0.1, 1}, 4.0, 0.75}, Cell{{"n", 2, 0, 1}, {}, {}}}}}};
  const std::string script = figure_script(work);
  EXPECT_THAT(script,
              AllOf(HasSubstr("'?script?alert(1)?/script???"), Not(HasSubstr("`")), Not(HasSubstr("system \""))));
  EXPECT_TRUE(has_figure(work));
  work.kernels[0].cells.pop_back();
  EXPECT_FALSE(has_figure(work)) << "nothing to compare";
}

class WritePage : public testing::Test {
 protected:
  WritePage() : folder_(fs::temp_directory_path() / ("sparkmill-report-" + std::to_string(::getpid()))) {
    fs::create_directories(folder_ / "in");
    std::ofstream(folder_ / "in/b.json") << second_machine();
    std::ofstream(folder_ / "in/a.json") << first_machine();
    std::ofstream(folder_ / "in/notes.txt") << "not ours";
  }
  ~WritePage() override { fs::remove_all(folder_); }
  Result<std::string> write(const fs::path& input) {
    const std::vector<std::string> inputs = {input.string()};
    return write_page(folder_ / "out/page", inputs);
  }
  fs::path folder_;
};

TEST_F(WritePage, FromAFolderWithFiguresByGnuplot) {
  const auto said = write(folder_ / "in");
  ASSERT_TRUE(said.ok()) << said.error().message;
  ASSERT_EQ(*said, "") << "scripts/packages-test.txt names gnuplot-nox";
  const std::string page = read_text_file(folder_ / "out/page/index.html", 1 << 20).value();
  EXPECT_LT(page.find("</span> a</h3>"), page.find("</span> b</h3>")) << "files in order of their names";
  EXPECT_THAT(page, AllOf(HasSubstr("<figure><svg"), Not(HasSubstr("<defs>")), Not(HasSubstr("<script")),
                          HasSubstr("<text>cpu/avx512</text>"), HasSubstr("107 H/s, 95.3 %")));
  const std::string svg = read_text_file(folder_ / "out/page/tensority-hashes-per-s.svg", 1 << 20).value();
  EXPECT_THAT(svg, AllOf(HasSubstr("<?xml"), HasSubstr("</svg>")));
}

TEST_F(WritePage, WithoutGnuplotSaysWhichPackage) {
  const std::string path = std::getenv("PATH");
  setenv("PATH", (folder_ / "in").c_str(), 1);
  const auto said = write(folder_ / "in");
  setenv("PATH", path.c_str(), 1);
  ASSERT_TRUE(said.ok()) << said.error().message;
  EXPECT_THAT(*said, HasSubstr("gnuplot-nox"));
  const std::string page = read_text_file(folder_ / "out/page/index.html", 1 << 20).value();
  EXPECT_THAT(page, AllOf(HasSubstr("gnuplot-nox"), Not(HasSubstr("<svg")), HasSubstr("107 H/s")));
}

TEST_F(WritePage, RefusesBadFilesAndEmptyFolders) {
  std::ofstream(folder_ / "in/c.json") << "{}";
  const auto bad = write(folder_ / "in");
  ASSERT_FALSE(bad.ok());
  EXPECT_THAT(bad.error().message, AllOf(HasSubstr("in/c.json"), HasSubstr("schema")));
  EXPECT_FALSE(fs::exists(folder_ / "out")) << "nothing is written when a file is bad";
  fs::create_directories(folder_ / "empty");
  EXPECT_EQ(write(folder_ / "empty").status(), Status::bad_argument);
}

TEST(Figure, WhatGnuplotRefusesIsAnErrorWithItsWords) {
  const auto drawn = draw("no_such_command\n");
  ASSERT_FALSE(drawn.ok());
  EXPECT_THAT(drawn.error().message, HasSubstr("invalid command"));
}

}  // namespace
}  // namespace sparkmill::bench

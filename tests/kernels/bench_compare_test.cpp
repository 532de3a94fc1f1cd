// SPDX-License-Identifier: Apache-2.0
// Comparing two result files: what counts as noise, what as change, and what is refused.
#include "bench/compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

namespace sparkmill::bench {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

json row(const std::string& name, double median, double spread) {
  return {{"name", name}, {"median", median}, {"spread", spread}};
}
json results(json rows, const std::string& cpu = "A") {
  return {{"machine", {{"cpu", cpu}, {"cores", 2}}}, {"rows", std::move(rows)}};
}

TEST(Judge, NoiseGrowsWithTheSpreadAndNeverVanishes) {
  EXPECT_EQ(judge(100, 0, 100.9, 0, true).change, Change::same);
  EXPECT_EQ(judge(100, 0, 102, 0, true).change, Change::faster);
  EXPECT_EQ(judge(100, 0, 98, 0, true).change, Change::slower);
  EXPECT_EQ(judge(100, 0.03, 105, 0.03, true).change, Change::same);
  EXPECT_EQ(judge(100, 0.03, 115, 0.03, true).change, Change::faster);
  EXPECT_NEAR(judge(100, 0.03, 105, 0.04, true).noise, 0.10, 1e-9);
}

TEST(Judge, SmallerIsBetterForOverheads) {
  EXPECT_EQ(judge(0.02, 0, 0.03, 0, false).change, Change::slower);
  EXPECT_EQ(judge(0.02, 0, 0.01, 0, false).change, Change::faster);
  EXPECT_EQ(judge(-0.001, 0, 0.01, 0, false).change, Change::same) << "no ratio around zero";
}

TEST(Compare, SaysWhatChangedWhatIsMissingAndOtherMachines) {
  const json a = results(
      json::array({row("k/pairs_per_s", 100, 0.001), row("gone/pairs_per_s", 1, 0), row("k/of_ceiling", 0.9, 0)}));
  const json b = results(
      json::array({row("k/pairs_per_s", 130, 0.001), row("new/pairs_per_s", 1, 0), row("k/of_ceiling", 0.9, 0)}), "B");
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

TEST(ReadResults, RefusesWhatIsNotAResultFile) {
  const auto folder = std::filesystem::temp_directory_path() / ("sparkmill-compare-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const auto write = [&](const std::string& text) {
    std::ofstream(folder / "r.json") << text;
    return read_results((folder / "r.json").string());
  };
  EXPECT_EQ(write("").status(), Status::bad_input);
  EXPECT_EQ(write("[1]").status(), Status::bad_input);
  EXPECT_EQ(write("{\"rows\": 3}").status(), Status::bad_input);
  EXPECT_EQ(write("{\"rows\": [{\"name\": \"x\"}]}").status(), Status::bad_input);
  EXPECT_EQ(write("{\"rows\": [{\"name\": 1, \"median\": 1, \"spread\": 0}]}").status(), Status::bad_input);
  EXPECT_TRUE(write(results(json::array({row("x", 1, 0)})).dump()).ok());
  EXPECT_EQ(read_results((folder / "none.json").string()).status(), Status::not_found);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace sparkmill::bench

// SPDX-License-Identifier: Apache-2.0
// Log lines: JSON that nothing can break out of, levels and targets that change while running.
#include "base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/file.h"
#include "tests/base/temp_folder.h"

namespace sparkmill::log {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string content(const std::filesystem::path& path) { return *read_text_file(path, 64u << 20); }

Settings to_file(const std::filesystem::path& path, bool json, const std::string& level = "info") {
  Settings s;
  s.file = path.string();
  s.json = json;
  s.level = level;
  return s;
}

TEST(Log, JsonLinesStayWhole) {
  const test::TempFolder folder;
  configure(to_file(folder / "log", true));
  const std::string evil = "a \"quote\", a \\ and\na new line {\"level\":\"fake\"} \x01\xff \xc3\xa9";
  get("part")->warn("{}", evil);
  get("part")->flush();
  const std::string text = content(folder / "log");
  ASSERT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
  const auto line = nlohmann::json::parse(text);
  EXPECT_EQ(line["level"], "warning");
  EXPECT_EQ(line["part"], "part");
  EXPECT_THAT(line["text"].get<std::string>(), HasSubstr("a \"quote\", a \\ and\na new line"));
  EXPECT_THAT(line["text"].get<std::string>(), HasSubstr("\xc3\xa9"));
  EXPECT_THAT(line["time"].get<std::string>(), testing::MatchesRegex("....-..-..T..:..:..\\....Z"));
}

TEST(Log, HeldLoggersFollowTheConfiguration) {
  const test::TempFolder folder;
  configure(to_file(folder / "a", false));
  const auto held = get("held");
  held->debug("quiet");
  held->info("one");
  configure(to_file(folder / "b", false, "debug"));
  held->debug("two");
  held->flush();
  EXPECT_THAT(content(folder / "a"), testing::AllOf(HasSubstr("one"), Not(HasSubstr("quiet")), Not(HasSubstr("two"))));
  EXPECT_THAT(content(folder / "b"), HasSubstr("two"));
  EXPECT_EQ(get("held"), held);
}

TEST(Log, ChangesWhileOthersLog) {
  const test::TempFolder folder;
  configure(to_file(folder / "a", false));
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    while (!stop) get("busy")->info("x");
  });
  for (int i = 0; i < 20; ++i) configure(to_file(folder / (i % 2 == 0 ? "a" : "b"), i % 2 == 0));
  stop = true;
  writer.join();
  configure({});
}

TEST(Log, UnknownLevelAndUnwritableFile) {
  Settings bad;
  bad.level = "loud";
  EXPECT_THROW(configure(bad), std::invalid_argument);
  testing::internal::CaptureStderr();
  configure(to_file("/proc/none/log", false));
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("/proc/none"));
  configure({});
}

}  // namespace
}  // namespace sparkmill::log

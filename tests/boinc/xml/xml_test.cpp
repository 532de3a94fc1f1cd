// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <chrono>
#include <vector>

#include "boinc/xml/scan.h"
#include "boinc/xml/write.h"

namespace sparkmill::boinc::xml {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> names(std::string_view text) {
  std::vector<std::string> out;
  Scanner s(text);
  for (Element e; s.next(e);) out.emplace_back(e.name);
  return out;
}

TEST(BoincXml, FindsChildrenAndNotGrandchildren) {
  const std::string_view text =
      "<result>\n  <name>wu_1_0</name>\n<active_task>\n<slot>3</slot>\n</active_task>\n <ready_to_report/>\n</result>";
  EXPECT_THAT(names(text), ElementsAre("result"));
  const auto result = find(text, "result");
  ASSERT_TRUE(result);
  EXPECT_THAT(names(result->inner), ElementsAre("name", "active_task", "ready_to_report"));
  EXPECT_EQ(result->outer, text);
  EXPECT_FALSE(find(result->inner, "slot"));
  EXPECT_EQ(child_integer(find(result->inner, "active_task")->inner, "slot"), 3);
  EXPECT_TRUE(child_flag(result->inner, "ready_to_report"));
  EXPECT_FALSE(child_flag(result->inner, "got_server_ack"));
}

TEST(BoincXml, ReadsFlagsAsBoincWritesThem) {
  const auto is = [](std::string_view text) { return flag(*find(text, "x")); };
  EXPECT_TRUE(is("<x/>"));
  EXPECT_TRUE(is("<x />"));
  EXPECT_TRUE(is("<x>1</x>"));
  EXPECT_TRUE(is("<x>\n 1.000000 </x>"));
  EXPECT_FALSE(is("<x>0</x>"));
  EXPECT_FALSE(is("<x></x>"));
  EXPECT_FALSE(is("<x>yes</x>"));
}

TEST(BoincXml, ReadsNumbers) {
  EXPECT_EQ(child_integer("<n> 42\n</n>", "n"), 42);
  EXPECT_EQ(child_integer("<n>60000000000.700000</n>", "n"), 60000000000);
  EXPECT_EQ(child_integer("<n>-204</n>", "n"), -204);
  EXPECT_EQ(child_integer("<n>9223372036854775807</n>", "n"), INT64_MAX);
  EXPECT_EQ(child_integer("<n>1e300</n>", "n", 7), 7);
  EXPECT_EQ(child_integer("<n>12 apples</n>", "n", 7), 7);
  EXPECT_EQ(child_integer("", "n", 7), 7);
  EXPECT_DOUBLE_EQ(child_real("<r>1795234684.959912</r>", "r"), 1795234684.959912);
  EXPECT_DOUBLE_EQ(child_real("<r>1e+13</r>", "r"), 1e13);
  EXPECT_DOUBLE_EQ(child_real("<r>nan</r>", "r", -1), -1);
  EXPECT_DOUBLE_EQ(child_real("<r>inf</r>", "r", -1), -1);
  EXPECT_DOUBLE_EQ(child_real("<r></r>", "r", -1), -1);
}

TEST(BoincXml, TakesCdataAsItIs) {
  const std::string_view msg =
      "<msg>\n <project></project>\n<body><![CDATA[\n  a </body> & &lt;b&gt; </msg>\n]]></body>\n<time>5</time></msg>";
  const auto e = find(msg, "msg");
  ASSERT_TRUE(e);
  EXPECT_EQ(child_text(e->inner, "body"), "a </body> & &lt;b&gt; </msg>");
  EXPECT_EQ(child_integer(e->inner, "time"), 5);
  EXPECT_EQ(child_text(e->inner, "project", "x"), "");
}

TEST(BoincXml, SkipsDeclarationsAndComments) {
  EXPECT_THAT(names("<?xml version=\"1.0\"?>\n<!-- <a>1</a> --><b>2</b><!DOCTYPE c><d/>"), ElementsAre("b", "d"));
}

TEST(BoincXml, KeepsAttributesAside) {
  const auto e = find("<message priority=\"low\">x &amp; y</message>", "message");
  ASSERT_TRUE(e);
  EXPECT_EQ(e->attributes, "priority=\"low\"");
  EXPECT_EQ(text(*e), "x & y");
  const auto link = find("<link rel=\"boinc_scheduler\" href=\"http://h/cgi\">", "link");
  ASSERT_TRUE(link);
  EXPECT_FALSE(link->closed);
  EXPECT_EQ(link->attributes, "rel=\"boinc_scheduler\" href=\"http://h/cgi\"");
}

TEST(BoincXml, BalancesElementsOfOneName) {
  const auto e = find("<a>1<a>2</a>3<a/></a><b/>", "a");
  ASSERT_TRUE(e);
  EXPECT_EQ(e->inner, "1<a>2</a>3<a/>");
  EXPECT_THAT(names("<a>1<a>2</a>3<a/></a><b/>"), ElementsAre("a", "b"));
}

TEST(BoincXml, SurvivesWhatIsNotWellFormed) {
  EXPECT_THAT(names("a < b <3 </stray> <ok>1</ok> <cut"), ElementsAre("ok"));
  EXPECT_THAT(names("<p><url>http://x/?a=1&b=2</url><open><q>1</q>"), ElementsAre("p", "url", "open", "q"));
  EXPECT_EQ(child_text("<url>http://x/?a=1&b=2&amp;c=&unknown;</url>", "url"), "http://x/?a=1&b=2&c=&unknown;");
  // An end tag too few: the first one counts.
  const auto e = find("<a>1<a>2</a><b>3</b>", "a");
  ASSERT_TRUE(e);
  EXPECT_EQ(e->inner, "1<a>2");
  EXPECT_THAT(names("<![CDATA[ never ends <a>1</a>"), ElementsAre("a"));
  EXPECT_THAT(names(""), ElementsAre());
  EXPECT_THAT(names("<"), ElementsAre());
}

TEST(BoincXml, TakesLinearTimeOnHostileText) {
  const auto t0 = std::chrono::steady_clock::now();
  for (const char* piece : {"<a>", "<a><a></a>", "<a ", "<![CDATA[", "<!--", "</a>", "<a/>", "&#", "<a></b>"}) {
    std::string text;
    while (text.size() < (1u << 18)) text += piece;
    Scanner s(text);
    std::size_t n = 0;
    for (Element e; s.next(e);) ++n;
    EXPECT_LE(n, text.size()) << piece;
    EXPECT_LE(unescape(text).size(), text.size()) << piece;
  }
  EXPECT_LT(std::chrono::steady_clock::now() - t0, std::chrono::seconds(60));  // quadratic would be hours
}

TEST(BoincXml, EscapesAndUnescapes) {
  const std::string odd = "a<b>&\"'\tc\nd\re\xc3\xa9 &amp;";
  EXPECT_EQ(escape("<&\x03>\n"), "&lt;&amp;&gt;&#10;");
  EXPECT_EQ(unescape(escape(odd)), odd);
  EXPECT_EQ(unescape("&#195;&#169;&#x20AC;&#x1F600;"), "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
  EXPECT_EQ(unescape("&;&#;&#0;&#x110000;&#99999999999;&lt"), "&;&#;&#0;&#x110000;&#99999999999;&lt");
}

TEST(BoincXml, CutsLongText) {
  const std::string longer = "<x>" + std::string(100, 'a') + "</x>";
  EXPECT_EQ(text(*find(longer, "x"), 10).size(), 10u);
}

TEST(BoincXml, WhatIsWrittenIsRead) {
  Writer w;
  w.open("r").text("name", "a<&>b").integer("n", -5).real("t", 1.5).flag("yes").flag("no", false).close("r");
  EXPECT_EQ(w.str(), "<r>\n<name>a&lt;&amp;&gt;b</name>\n<n>-5</n>\n<t>1.500000</t>\n<yes/>\n</r>\n");
  const std::string in(find(w.str(), "r")->inner);
  EXPECT_EQ(child_text(in, "name"), "a<&>b");
  EXPECT_EQ(child_integer(in, "n"), -5);
  EXPECT_DOUBLE_EQ(child_real(in, "t"), 1.5);
  EXPECT_TRUE(child_flag(in, "yes"));
  EXPECT_FALSE(child_flag(in, "no"));
}

}  // namespace
}  // namespace sparkmill::boinc::xml

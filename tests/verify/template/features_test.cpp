// SPDX-License-Identifier: Apache-2.0
// Feature readers: the three formats agree, and each malformed file gets an error that names the place.
#include <gmock/gmock.h>

#include "verify/template/population.h"

namespace sparkmill::templates {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Result<Features> read(std::string_view content) { return read_features(view(content), "in"); }

std::string npy(std::string_view header, std::string_view values, char major = 1) {
  std::string out = "\x93NUMPY";
  out += major;
  out += '\0';
  const auto length = static_cast<std::uint32_t>(header.size());
  out.append(reinterpret_cast<const char*>(&length), major == 1 ? 2 : 4);
  out += header;
  out += values;
  return out;
}

std::string floats(std::initializer_list<float> values) {
  return {reinterpret_cast<const char*>(values.begin()), values.size() * 4};
}

void refused(std::string_view content, const std::string& words) {
  auto f = read(content);
  ASSERT_FALSE(f.ok()) << words;
  EXPECT_TRUE(f.status() == Status::bad_input || f.status() == Status::too_large);
  EXPECT_THAT(f.error().message, HasSubstr("in: "));
  EXPECT_THAT(f.error().message, HasSubstr(words));
}

TEST(Features, ThreeFormatsOneContent) {
  const auto expect = [](const Result<Features>& f) {
    ASSERT_TRUE(f.ok()) << f.error().message;
    EXPECT_EQ(f->dimension, 3u);
    EXPECT_EQ(f->count(), 2u);
    EXPECT_EQ(f->labels.size(), 2u);
    EXPECT_THAT(f->values, ElementsAre(0.1f, -2.0f, 3e-7f, 4.0f, 5.0f, 6.0f));
  };
  expect(read("0.1,-2,3e-7\n4, 5 ,\t6\n"));
  expect(read("0.1,-2,3e-7\r\n4,5,6"));
  expect(read(R"({"source":"s","dimension":3,"rows":[{"descriptor":[0.1,-2,3e-7]},{"descriptor":[4,5.0,6]}]})"));
  const std::string values = floats({0.1f, -2.0f, 3e-7f, 4.0f, 5.0f, 6.0f});
  expect(read(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }   \n", values)));
  expect(read(npy("{'shape': (2, 3), 'fortran_order': False, 'descr': '<f4'}\n", values, 2)));
}

TEST(Features, LabelsOfJson) {
  auto f =
      read(R"({"dimension":1,"rows":[{"person":3,"photo":2,"variant":"dark","descriptor":[1]},{"descriptor":[2]}]})");
  ASSERT_TRUE(f.ok());
  EXPECT_EQ(f->labels[0].person, 3);
  EXPECT_EQ(f->labels[0].photo, 2);
  EXPECT_EQ(f->labels[0].variant, "dark");
  EXPECT_EQ(f->labels[1].person, -1);
}

TEST(Features, BadCsv) {
  refused("", "is empty");
  refused("  \n \n", "is empty");
  refused("a,b\n1,2\n", "line 1: column 1: \"a\" is not a finite number");
  refused("1,2\n3\n", "line 2: 1 columns, the first line has 2");
  refused("1,2\n3,\n", "line 2: column 2: \"\"");
  refused("1,2\n\n3,4\n", "line 2: column 1: \"\"");
  refused("1,nan\n", "line 1: column 2");
  refused("1,inf\n", "line 1: column 2");
  refused("1,1e39\n", "line 1: column 2: \"1e39\"");
  refused("1;2\n", "\"1;2\"");
  refused("0x10\n", "\"0x10\"");
  std::string wide = "1";
  for (int i = 0; i < 4096; ++i) wide += ",1";
  refused(wide, "more than 4096 columns");
}

TEST(Features, BadJson) {
  refused("{", "not valid JSON");
  refused("[1]", "not a JSON object");
  refused(R"({"rows":[]})", "dimension is missing");
  refused(R"({"dimension":2})", "rows is missing");
  refused(R"({"dimension":2,"rows":[]})", "no rows");
  refused(R"({"dimension":0,"rows":[{}]})", "0 values a row");
  refused(R"({"dimension":4097,"rows":[{}]})", "4097 values a row");
  refused(R"({"dimension":-1,"rows":[{}]})", "dimension is missing or not a count");
  refused(R"({"dimension":18446744073709551615,"rows":[{}]})", "values a row");
  refused(R"({"dimension":1,"rows":[1]})", "rows[0]: is not an object");
  refused(R"({"dimension":1,"rows":[{}]})", "rows[0]: has no descriptor");
  refused(R"({"dimension":1,"rows":[{"descriptor":[1]},{"descriptor":[1,2]}]})", "rows[1]: descriptor has 2 values");
  refused(R"({"dimension":1,"rows":[{"descriptor":["1"]}]})", "descriptor[0] is not a finite number");
  refused(R"({"dimension":1,"rows":[{"descriptor":[1e39]}]})", "descriptor[0] is not a finite number");
  refused(R"({"dimension":1,"rows":[{"descriptor":[1],"name":"x"}]})", "unknown key \"name\"");
  refused(R"({"dimension":1,"rows":[{"descriptor":[1],"person":"x"}]})", "person is not a whole number");
  refused(R"({"dimension":1,"rows":[{"descriptor":[1],"person":4294967296}]})", "person is not a whole number");
  refused(R"({"dimension":1,"rows":[{"descriptor":[1],"variant":7}]})", "variant is not a text");
  refused(R"({"dimension":1,"rows":[{"descriptor":[1]}],"extra":1})", "unknown key \"extra\"");
  EXPECT_FALSE(read(std::string(100000, '[')).ok());
}

TEST(Features, BadNpy) {
  const std::string good = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }\n";
  const std::string values = floats({1, 2});
  ASSERT_TRUE(read(npy(good, values)).ok());
  refused(npy(good, values.substr(1)), "7 bytes of values, the shape says 8");
  refused(npy(good, values + "x"), "9 bytes of values");
  refused(npy(good, values, 4), "npy version 4");
  refused(npy(good, values).substr(0, 40), "header is cut off");
  refused("\x93NUMPY", "header is cut off");
  refused(npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1), }", values), "npy descr is '<f8'");
  refused(npy("{'descr': '<f4', 'fortran_order': True, 'shape': (1, 2), }", values), "fortran_order");
  refused(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", values), "npy shape is (2,)");
  refused(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 1), }", values), "npy shape");
  refused(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 2), }", ""), "no rows");
  refused(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999, 2), }", ""), "npy shape");
  refused(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (16777217, 2), }", ""), "2^24 rows");
  refused(npy("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }", values), "npy descr");
  refused(npy("", values), "npy descr");
  const std::string nan = floats({1, __builtin_nanf("")});
  refused(npy(good, nan), "row 0, value 1 is not a finite number");
}

}  // namespace
}  // namespace sparkmill::templates

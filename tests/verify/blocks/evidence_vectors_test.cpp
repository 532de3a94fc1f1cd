// SPDX-License-Identifier: Apache-2.0
// Every case of the two evidence vector files, as one batch and one by one, on the best rows and on the oracles.
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "tests/verify/blocks/support.h"
#include "verify/blocks/evidence/evidence.h"

namespace sparkmill {
namespace {

using evidence::System;
using nlohmann::json;

std::vector<json> load(const char* name) {
  const auto bytes = read_file(std::string(SPARKMILL_SOURCE_DIR "/tests/vectors/") + name, 16u << 20);
  EXPECT_TRUE(bytes.ok());
  return json::parse(bytes->begin(), bytes->end()).at("cases").get<std::vector<json>>();
}

std::string title(const json& c) {
  return c.at("kind").get<std::string>() + " " + c.at("id").dump() + ": " + c.at("why").get<std::string>();
}

/// True where this build cannot sign.
bool skipped(const evidence::Answer& a) { return a.error.code == Status::unsupported; }

void expect_all(System system, std::span<const json> cases, const evidence::Kernels& kernels) {
  const auto answers = evidence::answer(system, cases, kernels, {.sign = true}, StopToken());
  ASSERT_TRUE(answers.ok()) << answers.error().message;
  ASSERT_EQ(answers->size(), cases.size());
  for (std::size_t i = 0; i < cases.size(); ++i) {
    if (skipped((*answers)[i])) continue;
    EXPECT_EQ(evidence::difference((*answers)[i], cases[i].at("expect")), "") << title(cases[i]);
  }
}

struct Oracles {
  std::unique_ptr<hashes::Kernel> hash = blocks::test::make_kernel<hashes::Kernel>(kernels::Family::hash, "reference");
  std::unique_ptr<secp256k1::Kernel> secp256k1 =
      blocks::test::make_kernel<secp256k1::Kernel>(kernels::Family::secp256k1, "reference");
  std::unique_ptr<rsa::Kernel> rsa = blocks::test::make_kernel<rsa::Kernel>(kernels::Family::rsa, "reference");
};

class Files : public testing::TestWithParam<std::pair<System, const char*>> {};
INSTANTIATE_TEST_SUITE_P(Evidence, Files,
                         testing::Values(std::pair{System::bttc, "bttc_checkpoint.json"},
                                         std::pair{System::btn, "btn_seal.json"}),
                         [](const auto& test) { return std::string(evidence::name(test.param.first)); });

TEST_P(Files, AsOneBatchOnTheBestRows) {
  const auto cases = load(GetParam().second);
  auto& k = blocks::test::cpu_kernels();
  expect_all(GetParam().first, cases, {k.hash.get(), k.secp256k1.get(), k.rsa.get()});
}

TEST_P(Files, OnTheOracles) {
  const Oracles k;
  expect_all(GetParam().first, load(GetParam().second), {k.hash.get(), k.secp256k1.get(), k.rsa.get()});
}

TEST_P(Files, OneByOneBackwards) {
  const auto cases = load(GetParam().second);
  auto& k = blocks::test::cpu_kernels();
  for (std::size_t i = cases.size(); i-- > 0;) {
    expect_all(GetParam().first, std::span(cases).subspan(i, 1), {k.hash.get(), k.secp256k1.get(), k.rsa.get()});
  }
}

TEST_P(Files, EveryKindIsInTheFile) {
  const auto cases = load(GetParam().second);
  for (const std::string_view kind : evidence::kinds(GetParam().first)) {
    EXPECT_TRUE(std::any_of(cases.begin(), cases.end(), [&](const json& c) { return c.at("kind") == kind; })) << kind;
  }
  for (const json& c : cases) EXPECT_TRUE(evidence::is_item(GetParam().first, c)) << title(c);
}

/// Any field missing, of another type, or with a bad digit: an error that names it, or an answer; never a crash.
TEST_P(Files, BrokenFieldsAreNamed) {
  const auto cases = load(GetParam().second);
  auto& k = blocks::test::cpu_kernels();
  const evidence::Kernels kernels{k.hash.get(), k.secp256k1.get(), k.rsa.get()};
  std::vector<json> broken;
  std::vector<std::string> fields;
  std::string last;
  for (const json& c : cases) {
    if (c.at("kind") == last) continue;  // one case of each run of a kind
    last = c.at("kind").get<std::string>();
    for (const auto& [field, value] : c.at("in").items()) {
      for (const json& bad : {json(nullptr), json(-1), json("zz"), json(json::array({1})), json(1.5), json(true)}) {
        broken.push_back(c);
        broken.back().at("in")[field] = bad;
        fields.push_back("in." + field);
      }
    }
  }
  const auto answers = evidence::answer(GetParam().first, broken, kernels, {.sign = true}, StopToken());
  ASSERT_TRUE(answers.ok()) << answers.error().message;
  unsigned refused = 0;
  for (std::size_t i = 0; i < broken.size(); ++i) {
    const evidence::Answer& a = (*answers)[i];
    if (a.read() || skipped(a)) continue;
    ++refused;
    EXPECT_NE(a.error.message.find(fields[i]), std::string::npos) << title(broken[i]) << ": " << a.error.message;
  }
  EXPECT_GT(refused, broken.size() * 3 / 4);
}

TEST(Evidence, SaysWhatDiffers) {
  const evidence::Answer a{R"({"ok":true,"more":1,"list":[{"x":1}]})", true, "", {}};
  EXPECT_EQ(evidence::difference(a, {{"ok", true}}), "");
  EXPECT_NE(evidence::difference(a, {{"ok", false}}), "");
  EXPECT_NE(evidence::difference(a, {{"absent", 1}}), "");
  EXPECT_NE(evidence::difference(a, {{"list", json::array({{{"x", 2}}})}}), "");
}

TEST(Evidence, UnknownKindsAndMissingKernels) {
  const std::vector<json> items = {json::parse(R"({"kind":"draw","in":{}})"), json::parse(R"({"kind":7})"), json(3),
                                   json::parse(R"({"kind":"mpt"})")};
  auto& k = blocks::test::cpu_kernels();
  const auto answers = evidence::answer(System::bttc, items, {k.hash.get(), nullptr, nullptr}, {}, StopToken());
  ASSERT_TRUE(answers.ok());
  for (const auto& a : *answers) EXPECT_FALSE(a.read());
  const std::vector<json> one = {json::parse(R"({"kind":"recover","in":{}})")};
  EXPECT_EQ(evidence::answer(System::bttc, one, {k.hash.get(), nullptr, nullptr}, {}, StopToken()).status(),
            Status::unsupported);
}

}  // namespace
}  // namespace sparkmill

// SPDX-License-Identifier: Apache-2.0
// Blocks of tests/vectors/bytom_blocks.json, and kernels to judge them with.
#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/hex.h"
#include "kernels/registry.h"
#include "verify/blocks/bytom_window.h"

namespace sparkmill::testing {

namespace bytom = blocks::bytom;

inline const nlohmann::json& bytom_vectors() {
  static const nlohmann::json document = [] {
    const auto text = read_text_file(SPARKMILL_SOURCE_DIR "/tests/vectors/bytom_blocks.json", 8u << 20);
    EXPECT_TRUE(text.ok());
    return nlohmann::json::parse(*text);
  }();
  return document;
}

inline const nlohmann::json& bytom_case(const std::string& name) {
  for (const auto& c : bytom_vectors()["cases"]) {
    if (c["name"] == name) return c;
  }
  ADD_FAILURE() << "no case " << name;
  return bytom_vectors()["cases"][0];
}

inline Bytes bytes_of(const nlohmann::json& c) { return *from_hex(c["hex"].get<std::string>()); }
inline Bytes block_bytes(const std::string& name) { return bytes_of(bytom_case(name)); }

inline std::optional<bytom::Context> context_of(const nlohmann::json& c) {
  if (!c.contains("context")) return std::nullopt;
  const auto& j = c["context"];
  bytom::Context out;
  if (j.contains("seed")) out.seed = *array_from_hex<32>(j["seed"].get<std::string>());
  if (!j.contains("parent_id")) return out;
  out.parent_id = *array_from_hex<32>(j["parent_id"].get<std::string>());
  out.parent_height = j["parent_height"].get<std::uint64_t>();
  out.bits = std::stoull(j["bits"].get<std::string>());
  out.median_time = j["median_time"].get<std::uint64_t>();
  return out;
}

/// Lanes of the processor with its best rows.
inline bytom::ThreadLanes& lanes(std::size_t count) {
  static std::map<std::size_t, std::unique_ptr<bytom::ThreadLanes>> made;
  auto& mine = made[count];
  if (!mine) {
    auto lanes = bytom::ThreadLanes::make(kernels::discover_devices().front(), count, {});
    if (!lanes) throw std::runtime_error(lanes.error().message);
    mine = std::move(*lanes);
  }
  return *mine;
}

inline std::vector<bytom::Judged> judge(std::span<const bytom::Item> items) {
  std::vector<bytom::Judged> out;
  const Done ran = lanes(1).run([&](const bytom::Engines& engines) -> Done {
    SPARKMILL_ASSIGN(out, bytom::judge(items, engines));
    return done();
  });
  EXPECT_TRUE(ran.ok()) << ran.error().message;
  return out;
}

/// Verdict of one block's bytes: "valid", or the reason.
inline std::string verdict_of(const Bytes& bytes, std::optional<bytom::Context> context = std::nullopt) {
  const auto block = bytom::decode(bytes);
  if (!block) return std::string(bytom::undecodable(block.error()).reason);
  const bytom::Item item{&*block, context};
  const auto judged = judge({&item, 1});
  return judged[0].verdict.ok ? "valid" : std::string(judged[0].verdict.reason);
}

}  // namespace sparkmill::testing

// SPDX-License-Identifier: Apache-2.0
// Reads tests/vectors/tensority.json: real headers and difficulties of Bytom.
#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/hex.h"
#include "verify/chain/header.h"

namespace sparkmill::testing {

inline const nlohmann::json& tensority_vectors() {
  static const nlohmann::json document = [] {
    const auto text = read_text_file(SPARKMILL_SOURCE_DIR "/tests/vectors/tensority.json", 1u << 20);
    EXPECT_TRUE(text.ok());
    return nlohmann::json::parse(*text);
  }();
  return document;
}

inline Hash32 hash_of(const nlohmann::json& value) { return *array_from_hex<32>(value.get<std::string>()); }
/// The file writes what may exceed 2^53 as decimal text.
inline std::uint64_t number_of(const nlohmann::json& value) {
  return value.is_string() ? std::stoull(value.get<std::string>()) : value.get<std::uint64_t>();
}
inline std::uint64_t hex_number(const nlohmann::json& value) {
  return std::stoull(value.get<std::string>(), nullptr, 16);
}

inline chain::BlockHeader header_of(const nlohmann::json& v) {
  return {number_of(v["version"]),
          number_of(v["height"]),
          hash_of(v["previous_block_hash"]),
          number_of(v["timestamp"]),
          hash_of(v["transaction_merkle_root"]),
          hash_of(v["transaction_status_hash"]),
          number_of(v["bits"]),
          number_of(v["nonce"])};
}

}  // namespace sparkmill::testing

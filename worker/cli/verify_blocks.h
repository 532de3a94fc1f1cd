// SPDX-License-Identifier: Apache-2.0
// The systems whose blocks and evidence `sparkmill verify-blocks` checks: one row a system. A new one adds a file with
// its checker and a row.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/stop.h"
#include "verify/blocks/evidence/evidence.h"
#include "worker/cli/args.h"

namespace sparkmill::cli {

/// Checks items of one system, in the order of the input; may keep state from one call to the next.
class BlocksChecker {
 public:
  virtual ~BlocksChecker() = default;
  /// An answer an item. Errors: those of kernels; a malformed item is an answer with an error.
  virtual Result<std::vector<evidence::Answer>> check(std::span<const nlohmann::json> items, const StopToken& stop) = 0;
  /// The rows that compute, for the summary: "secp256k1/cpu/avx512, hash/cpu/avx512".
  virtual std::string rows() const = 0;
};

struct BlocksSystem {
  std::string_view name;   ///< value of --system
  std::string_view about;  ///< its kinds of items
  bool (*fits)(const nlohmann::json& item);
  /// Errors: bad_argument (options), no_device, self_test_failed.
  Result<std::unique_ptr<BlocksChecker>> (*make)(const Args& args);
};
std::span<const BlocksSystem> blocks_systems();

// One file a system.
Result<std::unique_ptr<BlocksChecker>> make_bttc_checker(const Args& args);
Result<std::unique_ptr<BlocksChecker>> make_btn_checker(const Args& args);

/// The row `backend` of a family if it is one of that family, else the best that runs on the CPU, self-tested.
struct TestedKernel {
  std::unique_ptr<kernels::Kernel> kernel;
  std::string row;
};
Result<TestedKernel> tested_kernel(kernels::Family family, const std::string& backend);

}  // namespace sparkmill::cli

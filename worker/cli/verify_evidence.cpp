// SPDX-License-Identifier: Apache-2.0
// BTTC and BTN in `sparkmill verify-blocks`.
#include <nlohmann/json.hpp>

#include "kernels/registry.h"
#include "worker/cli/offline.h"
#include "worker/cli/verify_blocks.h"

namespace sparkmill::cli {
namespace {

using evidence::System;
using kernels::Family;

class EvidenceChecker final : public BlocksChecker {
 public:
  EvidenceChecker(System system, evidence::Options options, TestedKernel signatures, TestedKernel hash)
      : system_(system), options_(options), signatures_(std::move(signatures)), hash_(std::move(hash)) {}

  Result<std::vector<evidence::Answer>> check(std::span<const nlohmann::json> items, const StopToken& stop) override {
    const evidence::Kernels kernels{dynamic_cast<hashes::Kernel*>(hash_.kernel.get()),
                                    dynamic_cast<secp256k1::Kernel*>(signatures_.kernel.get()),
                                    dynamic_cast<rsa::Kernel*>(signatures_.kernel.get())};
    return evidence::answer(system_, items, kernels, options_, stop);
  }
  std::string rows() const override { return signatures_.row + ", " + hash_.row; }

 private:
  System system_;
  evidence::Options options_;
  TestedKernel signatures_, hash_;
};

Result<bool> either(const Args& args, const char* option, std::string_view first, std::string_view second) {
  const std::string text = args.get(option, std::string(first));
  if (text == first || text == second) return text == second;
  return fail(Status::bad_argument, std::string("--") + option + ": '" + text.substr(0, 40) + "' is unknown",
              std::string(first) + " or " + std::string(second));
}

Result<std::unique_ptr<BlocksChecker>> make(System system, Family family, const Args& args) {
  evidence::Options options;
  SPARKMILL_ASSIGN(options.canonical, either(args, "policy", "contract", "canonical"));
  SPARKMILL_ASSIGN(options.stake, either(args, "rule", "count", "stake"));
  SPARKMILL_ASSIGN(TestedKernel signatures, tested_kernel(family, args.get("backend")));
  SPARKMILL_ASSIGN(TestedKernel hash, tested_kernel(Family::hash, {}));
  return std::unique_ptr<BlocksChecker>(
      std::make_unique<EvidenceChecker>(system, options, std::move(signatures), std::move(hash)));
}

}  // namespace

Result<TestedKernel> tested_kernel(Family family, const std::string& backend) {
  SPARKMILL_ASSIGN(const kernels::Device device, device_for(family, backend));
  SPARKMILL_ASSIGN(const kernels::Choice choice, kernels::choose(family, device, backend));
  SPARKMILL_ASSIGN(std::unique_ptr<kernels::Kernel> kernel, kernels::make_tested(*choice.row, device));
  return TestedKernel{std::move(kernel), choice.row->id()};
}

Result<std::unique_ptr<BlocksChecker>> make_bttc_checker(const Args& args) {
  return make(System::bttc, Family::secp256k1, args);
}
Result<std::unique_ptr<BlocksChecker>> make_btn_checker(const Args& args) {
  return make(System::btn, Family::rsa, args);
}

}  // namespace sparkmill::cli

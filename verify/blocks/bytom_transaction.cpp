// SPDX-License-Identifier: Apache-2.0
#include "verify/blocks/bytom_transaction.h"

#include <algorithm>
#include <map>

namespace sparkmill::blocks::bytom {
namespace {

constexpr std::uint64_t kTransactionVersion = 1;
constexpr std::int64_t kGasPrice = 200;      // units of 10^-8 BTM for a unit of gas
constexpr std::int64_t kGasCredit = 30'000;  // before gas_valid
constexpr std::size_t kMaxCoinbaseData = 128;

class Judgement {
 public:
  Judgement(const Transaction& tx, const TransactionIds& ids, std::uint64_t height, bool first, SignatureOracle& oracle)
      : tx_(tx), ids_(ids), height_(height), first_(first), oracle_(oracle) {
    for (std::size_t i = 0; i < tx.inputs.size(); ++i) owner_[ids.entries[i]] = i;
  }

  TransactionFacts run() {
    std::string_view reason = before_gas();
    if (reason.empty()) reason = balance();
    if (reason.empty()) reason = btm_programs();
    if (reason.empty()) reason = pay_storage();
    if (reason.empty()) reason = other_programs();
    facts_.size = tx_.size;
    facts_.reason = reason;
    facts_.status_fail = !reason.empty();
    facts_.gas_used = static_cast<std::uint64_t>(used_);
    return facts_;
  }

 private:
  bool is_btm(const Input& input) const { return input.asset == kBtm; }

  /// Steps 1 to 3.
  std::string_view before_gas() const {
    if (tx_.version != kTransactionVersion) return "tx_version";
    if (tx_.time_range != 0 && tx_.time_range < height_) return "time_range";
    if (height_ >= kUniqueInputsFrom && std::count(ids_.table.begin(), ids_.table.end(), Hash32{}) != 0) {
      return "empty_input_id";
    }
    for (const Input& input : tx_.inputs) {
      if (input.type == InputType::spend && is_btm(input) && !is_standard(input.program)) return "not_standard";
    }
    for (const Output& output : tx_.outputs) {
      if (output.asset == kBtm && !output.retired() && !is_standard(output.program)) return "not_standard";
    }
    return {};
  }

  /// Step 4: every asset by itself.
  std::string_view balance() {
    if (tx_.outputs.empty()) return "no_results";
    std::map<Hash32, std::int64_t> rest;
    for (const Input& input : tx_.inputs) {
      std::int64_t& sum = rest[input.asset];
      if (__builtin_add_overflow(sum, static_cast<std::int64_t>(input.amount), &sum)) return "overflow";
    }
    for (const Output& output : tx_.outputs) {
      const auto found = rest.find(output.asset);
      if (found == rest.end()) return "no_source";
      if (__builtin_sub_overflow(found->second, static_cast<std::int64_t>(output.amount), &found->second)) {
        return "overflow";
      }
    }
    for (const auto& [asset, left] : rest) {
      if (asset != kBtm && left != 0) return "unbalanced";
    }
    const auto btm = rest.find(kBtm);
    if (btm == rest.end()) return {};
    if (btm->second < 0) return "gas_math";
    facts_.fee = static_cast<std::uint64_t>(btm->second);
    gas_ = std::min(btm->second / kGasPrice, kMaxGas);
    storage_ = static_cast<std::int64_t>(tx_.size);
    return {};
  }

  std::string_view run_input(std::size_t i) {
    const Input& input = tx_.inputs[i];
    const RunResult ran = run_program({height_, tx_.version, ids_.sighashes[i]}, input.vm_version, input.program,
                                      input.arguments, gas_, oracle_);
    if (!ran.passed()) return ran.reason;
    used_ += gas_ - ran.gas_left;
    gas_ = ran.gas_left;
    return {};
  }

  std::string_view coinbase(std::size_t i) {
    const Input& input = tx_.inputs[i];
    if (!first_ || i != 0) return "coinbase";
    if (!is_btm(input)) return "coinbase_asset";
    if (input.data.size() > kMaxCoinbaseData) return "coinbase_data";
    storage_ = 0;
    return {};
  }

  /// Step 5. Of several inputs with one id only the last one is there.
  std::string_view btm_programs() {
    for (std::size_t i = 0; i < tx_.inputs.size(); ++i) {
      const Input& input = tx_.inputs[i];
      std::string_view reason;
      if (input.type == InputType::coinbase) {
        reason = coinbase(i);
      } else if (input.type == InputType::spend && is_btm(input) && owner_.at(ids_.entries[i]) == i) {
        reason = run_input(i);
        if (reason.empty() && (used_ > kGasCredit || storage_ > gas_)) reason = "gas_credit";
      }
      if (!reason.empty()) return reason;
    }
    return {};
  }

  /// Step 6.
  std::string_view pay_storage() {
    gas_ -= storage_;
    if (gas_ < 0) return "gas_math";
    used_ += storage_;
    facts_.gas_valid = true;
    return {};
  }

  /// Step 7.
  std::string_view other_programs() {
    for (std::size_t i = 0; i < tx_.inputs.size(); ++i) {
      const Input& input = tx_.inputs[i];
      if (owner_.at(ids_.entries[i]) != i) return "duplicate_input";
      if (input.type == InputType::coinbase || (input.type == InputType::spend && is_btm(input))) continue;
      if (const std::string_view reason = run_input(i); !reason.empty()) return reason;
    }
    return {};
  }

  const Transaction& tx_;
  const TransactionIds& ids_;
  const std::uint64_t height_;
  const bool first_;
  SignatureOracle& oracle_;
  std::map<Hash32, std::size_t> owner_;  ///< which input has the entry of an id
  TransactionFacts facts_;
  std::int64_t gas_ = 0, used_ = 0, storage_ = 0;
};

}  // namespace

TransactionFacts judge_transaction(const Transaction& tx, const TransactionIds& ids, std::uint64_t height, bool first,
                                   SignatureOracle& oracle) {
  return Judgement(tx, ids, height, first, oracle).run();
}

}  // namespace sparkmill::blocks::bytom

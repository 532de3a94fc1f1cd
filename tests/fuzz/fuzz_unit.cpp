// SPDX-License-Identifier: Apache-2.0
// Unit files, result files, receipts, day roots, statements and names: what parses encodes to the same bytes where the
// key is known, and nothing crashes. The first byte says which. A last byte of 's' signs the rest afresh, so that the
// fuzzer gets behind the signature.
#include <cstdio>
#include <cstdlib>

#include "base/hash.h"
#include "verify/unit/receipt.h"
#include "verify/unit/result.h"
#include "verify/unit/unit.h"

namespace sparkmill {
namespace {

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

Bytes copy(ByteView data) { return {data.begin(), data.end()}; }

const keys::SigningKey& key() {
  static const keys::SigningKey k = keys::KeyFile::from_seed(sha256(view("fuzz"))).role("receipt");
  return k;
}

/// Puts our key where the format has its signer's, and our signature at the end.
Bytes sign_again(ByteView data, std::size_t key_at, std::string_view domain) {
  Bytes out = copy(data);
  if (out.empty() || out.back() != 's') return out;
  out.pop_back();
  if (out.size() < key_at + 32 + 64) return out;
  std::copy(key().public_key().begin(), key().public_key().end(), out.begin() + static_cast<std::ptrdiff_t>(key_at));
  const ByteView body = ByteView(out).first(out.size() - 64);
  const keys::Signature signature = key().sign(domain, body);
  std::copy(signature.begin(), signature.end(), out.end() - 64);
  return out;
}

void run(ByteView data) {
  if (data.empty()) return;
  const std::uint8_t mode = data[0];
  data = data.subspan(1);
  const bool ours = !data.empty() && data.back() == 's';
  if (mode == 0) {
    const Bytes file = sign_again(data, 8, "sparkmill/unit/v1");
    const auto unit = unit::decode(file);
    if (unit.ok() && ours) require(unit::encode(*unit, key()) == file, "a unit has one form");
  } else if (mode == 1) {
    const Bytes file = sign_again(data, 4 + 2 + 2 + 4 + 32 + 16 + 16, "sparkmill/envelope/v1");
    const auto result = unit::decode_result(file);
    if (result.ok()) (void)unit::answer_of(file).ok();
    require(result.ok() || !unit::answer_of(file).ok(), "no answer without a result");
  } else if (mode == 2) {
    const Bytes file = sign_again(data, 8, "sparkmill/boinc-receipt/v1");
    const auto receipt = unit::decode_receipt(file);
    if (receipt.ok() && ours) require(unit::encode(*receipt, key()) == file, "a receipt has one form");
  } else if (mode == 3) {
    const Bytes file = sign_again(data, 8, "sparkmill/boinc-day/v1");
    const auto day = unit::decode_day_root(file);
    if (day.ok() && ours) require(unit::encode(*day, key()) == file, "a day root has one form");
  } else if (mode == 4) {
    const auto name = unit::parse_result_name(text(data));
    if (!name.ok()) return;
    require(unit::unit_name(name->whole_id, name->index) == name->unit, "a unit has one name");
    require(unit::parse_result_name(name->result).ok(), "a result's name is one");
  } else if (mode == 5) {
    (void)unit::decode_statement(data, {}).ok();
  }
}

}  // namespace
}  // namespace sparkmill

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sparkmill::run({data, size});
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
#include "worker/boinc/claimant.h"

#include <algorithm>
#include <set>

#include "base/http/client.h"
#include "base/log.h"
#include "verify/unit/receipt.h"
#include "verify/unit/unit.h"

namespace sparkmill::worker::boinc {

namespace {

constexpr std::uint64_t kReceiptFirstMs = 2'000;  // a project without a hold signs at once
constexpr std::uint64_t kClaimFirstMs = 60'000;
constexpr std::uint64_t kLongestMs = 6 * 3'600'000ull;
constexpr std::uint64_t kMonthMs = 30 * 86'400'000ull;
constexpr unsigned kMaxTries = 200;               // for results whose client told no time
constexpr std::uint64_t kNoPlaceMs = 3'600'000;   // the node takes no such thing
constexpr std::uint64_t kUnreachableMs = 60'000;  // the node does not answer
constexpr std::size_t kReceiptsAtOnce = 64;

protocol::BoincClaim claim_of(const BoincRow& r) {
  protocol::BoincClaim c;
  c.own_application = r.app.rfind("sparkmill", 0) == 0;
  c.project_url = r.project_url;
  c.result_name = r.name;
  c.app_name = r.app;
  c.user_id = r.user_id;
  c.host_id = r.host_id;
  c.cpid = r.cpid;
  c.exit_status = r.exit_status;
  c.elapsed_ms = r.elapsed_ms;
  c.cpu_ms = r.cpu_ms;
  c.completed_ms = r.completed_ms;
  c.output_hash = r.output_hash;
  return c;
}

/// "unknown_key: this node trusts .." -> "unknown_key".
std::string code_of(const std::string& reason) { return reason.substr(0, std::min<std::size_t>(reason.find(':'), 64)); }

}  // namespace

Result<Bytes> fetch_published_receipt(const std::string& project_url, const std::string& result,
                                      const std::string& ca_file, StopToken stop) {
  SPARKMILL_ASSIGN(const unit::ResultName name, unit::parse_result_name(result));
  if (name.result != result) return fail(Status::bad_input, result.substr(0, 80) + ": is no result of ours");
  SPARKMILL_ASSIGN(const http::Url url, http::Url::parse(project_url));
  http::ClientOptions options;
  options.ca_file = ca_file;
  options.body_limit = protocol::kMaxReceiptBytes;
  http::Client client(url, options);
  http::Request request;
  request.target = "/public/receipts/" + result + ".receipt";
  SPARKMILL_ASSIGN(const http::Response answer, client.call(request, 0, std::move(stop)));
  if (answer.status == 404) return fail(Status::not_found, project_url + " has published no receipt of " + result);
  if (answer.status != 200) {
    return fail(Status::bad_input, project_url + ": HTTP status " + std::to_string(answer.status) + " for a receipt");
  }
  return answer.body;
}

void Claimant::start() {
  if (!settings_.claims && !settings_.receipts) return;
  thread_ = std::thread([this] { loop(); });
}

void Claimant::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Claimant::poke() {
  {
    std::lock_guard lock(mutex_);
    poked_ = true;
  }
  wake_.notify_all();
}

void Claimant::loop() {
  for (;;) {
    pass();
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, std::chrono::milliseconds(settings_.poll_ms), [this] { return stopping_ || poked_; });
    if (stopping_) return;
    poked_ = false;
  }
}

void Claimant::pass() {
  learned_ = false;
  if (settings_.receipts && parts_.bring_receipts && parts_.fetch_receipt) carry_receipts();
  if (settings_.claims && parts_.send_claims) send_claims();
  if (learned_ && parts_.changed) parts_.changed();
}

std::uint64_t Claimant::again(const BoincRow& row, std::uint64_t first_ms) const {
  const std::uint64_t now = parts_.clock.unix_ms();
  const bool old = row.completed_ms != 0 && now > row.completed_ms + kMonthMs;
  if (old || row.tries >= kMaxTries) return 0;
  return now + std::min(kLongestMs, first_ms << std::min(row.tries, 16u));
}

void Claimant::keep(const Done& kept) {
  learned_ = true;
  if (!kept) log::get("boinc")->warn("{}", kept.error().message);
}

void Claimant::receipt_later(const BoincRow& row, const std::string& reason) {
  const std::uint64_t next = again(row, kReceiptFirstMs);
  if (next == 0) log::get("boinc")->warn("receipt of {}: given up, {}", row.name, reason);
  keep(parts_.store.set_boinc_receipt(row, {next == 0 ? "expired" : "", reason, 0, next}));
}

void Claimant::carry_receipts() {
  if (!receipts_pause_.over(parts_.clock.steady_ms())) return;
  const auto rows = parts_.store.boinc_receipts_due(kReceiptsAtOnce, parts_.clock.unix_ms());
  if (!rows || rows->empty()) return;
  std::vector<BoincRow> found;
  protocol::BoincReceipts batch;
  std::set<std::string> down;  // one time-out a pass is enough
  for (const BoincRow& row : *rows) {
    {
      std::lock_guard lock(mutex_);
      if (stopping_) return;
    }
    if (down.count(row.project_url) != 0) {
      receipt_later(row, "unreachable");
      continue;
    }
    const auto bytes = parts_.fetch_receipt(row.project_url, row.name);
    if (!bytes) {
      if (bytes.status() == Status::cancelled) return;
      if (bytes.status() == Status::unreachable || bytes.status() == Status::timeout) down.insert(row.project_url);
      receipt_later(row, bytes.status() == Status::not_found ? "no_receipt" : std::string(name(bytes.status())));
      continue;
    }
    const auto receipt = unit::decode_receipt(*bytes);
    if (!receipt || receipt->result != row.name || receipt->project != row.project_url) {
      receipt_later(row, receipt ? "other_result" : "bad_receipt");
      continue;
    }
    if (row.output_hash != Hash32{} && receipt->output_hash != row.output_hash) {
      log::get("boinc")->warn("receipt of {}: it is for another file than the application wrote here", row.name);
    }
    found.push_back(row);
    batch.receipts.push_back(*bytes);
  }
  if (found.empty()) return;
  const auto answers = parts_.bring_receipts(batch);
  if (!answers || answers->size() != found.size()) {
    const bool no_place = !answers && answers.status() == Status::not_found;
    receipts_pause_.until_ms = parts_.clock.steady_ms() + (no_place ? kNoPlaceMs : kUnreachableMs);
    log::get("boinc")->debug("receipts are kept: {}",
                             answers ? "the node answered another number" : answers.error().message);
    return;
  }
  for (std::size_t i = 0; i < found.size(); ++i) settle_receipt(found[i], batch.receipts[i], (*answers)[i]);
}

void Claimant::settle_receipt(const BoincRow& row, const Bytes& bytes, const protocol::CreditAnswer& answer) {
  const std::string code = code_of(answer.reason);
  // The operator may put the project into his list later.
  if (answer.state == protocol::CreditState::pending || code == "unknown_key") return receipt_later(row, code);
  if (answer.state == protocol::CreditState::refused) {
    log::get("boinc")->warn("the node refuses the receipt of {}: {}", row.name, answer.reason);
    return keep(parts_.store.set_boinc_receipt(row, {"refused", code, 0, 0}));
  }
  const auto receipt = unit::decode_receipt(bytes);
  if (!receipt) return;
  if (receipt->worker_pub != parts_.worker_pub) {
    log::get("boinc")->info("{} is credited to another key than this worker's: it was begun before they were bound",
                            row.name);
    return keep(parts_.store.set_boinc_receipt(row, {"other_key", "", 0, 0}));
  }
  log::get("boinc")->info("{}: credited, {} micro-cobblestones", row.name, receipt->credit_microcobble);
  keep(parts_.store.set_boinc_receipt(row, {"credited", "", receipt->credit_microcobble, 0}));
  if (parts_.credited) parts_.credited();
}

void Claimant::send_claims() {
  if (!claims_pause_.over(parts_.clock.steady_ms())) return;
  const auto rows = parts_.store.boinc_claims_due(protocol::kMaxBoincClaims, parts_.clock.unix_ms());
  if (!rows || rows->empty()) return;
  std::vector<protocol::BoincClaim> claims;
  for (const BoincRow& r : *rows) claims.push_back(claim_of(r));
  const auto answers = parts_.send_claims(std::move(claims));
  if (!answers) {
    const bool no_place = answers.status() == Status::not_found;
    claims_pause_.until_ms = parts_.clock.steady_ms() + (no_place ? kNoPlaceMs : kUnreachableMs);
    log::get("boinc")->debug("claims are kept: {}", answers.error().message);
    return;
  }
  for (const BoincRow& row : *rows) {
    const Id16 id = protocol::boinc_result_id(row.project_url, row.name);
    const auto a = std::find_if(answers->begin(), answers->end(), [&](const auto& x) { return x.id == id; });
    if (a == answers->end()) continue;
    BoincFate fate{a->state, a->reason, a->credit_microcobble, 0};
    // An export names totals: it never decides about a single result.
    if (fate.state == "recorded" && fate.reason != "export_decides") {
      fate.again_ms = again(row, kClaimFirstMs);
      if (fate.again_ms == 0) fate.state = "expired";
    }
    keep(parts_.store.set_boinc_claim(row, fate));
  }
}

}  // namespace sparkmill::worker::boinc

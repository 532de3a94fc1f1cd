// SPDX-License-Identifier: Apache-2.0
#include "worker/source/mining.h"

namespace sparkmill::mining {

tensority::Preimage preimage(const MiningJob& job) { return chain::preimage(job.header); }

Hash32 search_bound(const MiningJob& job) {
  const Hash32 share = job.share_target.bound();
  if (!job.block_target.possible()) return share;
  const Hash32 block = job.block_target.bound();
  return tensority::meets(share, block) ? block : share;
}

bool makes_block(const MiningJob& job, const Hash32& result) { return chain::meets(result, job.block_target); }

bool same_header(const MiningJob& a, const MiningJob& b) { return a.header == b.header && a.seed == b.seed; }

std::string_view name(ShareEnd end) {
  switch (end) {
    case ShareEnd::accepted: return "accepted";
    case ShareEnd::stale: return "stale";
    case ShareEnd::rejected: return "rejected";
    case ShareEnd::unknown: return "unknown";
    case ShareEnd::not_sent: return "not_sent";
  }
  return "unknown";
}

std::string_view name(ShareReason reason) {
  switch (reason) {
    case ShareReason::none: return "none";
    case ShareReason::low_difficulty: return "low_difficulty";
    case ShareReason::job_gone: return "job_gone";
    case ShareReason::duplicate: return "duplicate";
    case ShareReason::unauthorised: return "unauthorised";
    case ShareReason::bad_format: return "bad_format";
    case ShareReason::bad_timestamp: return "bad_timestamp";
    case ShareReason::other: return "other";
    case ShareReason::line_broke: return "line_broke";
    case ShareReason::no_verdict: return "no_verdict";
  }
  return "other";
}

std::string_view name(SourcePhase phase) {
  switch (phase) {
    case SourcePhase::connecting: return "connecting";
    case SourcePhase::connected: return "connected";
    case SourcePhase::waiting: return "waiting";
    case SourcePhase::unreachable: return "unreachable";
    case SourcePhase::refused: return "refused";
    case SourcePhase::idle: return "idle";
    case SourcePhase::stopped: return "stopped";
  }
  return "stopped";
}

void Books::count(const ShareAnswer& answer) {
  if (answer.end != ShareEnd::accepted) ++reasons[static_cast<std::size_t>(answer.reason)];
  if (answer.end == ShareEnd::not_sent) {
    ++not_sent;
    return;
  }
  --open;
  switch (answer.end) {
    case ShareEnd::accepted: ++accepted, blocks += answer.block; break;
    case ShareEnd::stale: ++stale; break;
    case ShareEnd::rejected: ++rejected; break;
    default: ++unknown; break;
  }
}

std::string printable(std::string_view text, std::size_t limit) {
  std::string out(text.substr(0, limit));
  for (char& c : out) {
    if (c < ' ' || c > '~') c = '?';
  }
  return out;
}

}  // namespace sparkmill::mining

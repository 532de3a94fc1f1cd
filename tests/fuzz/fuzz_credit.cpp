// SPDX-License-Identifier: Apache-2.0
// What decides about credit from BOINC: exports (plain and packed, in pieces), receipts of assimilators, ownership
// pages and their texts, messages, the operator's list. The first byte picks the parser. What parses must come out the
// same.
#include <cstdlib>

#include "node/credit/projects.h"
#include "node/credit/stats_reader.h"
#include "verify/unit/receipt.h"

namespace {

using namespace sparkmill;
using node::credit::ExportedUser;
using node::credit::StatsLimits;
using node::credit::StatsReader;

void demand(bool holds) {
  if (!holds) std::abort();
}

struct Outcome {
  bool ok = false;
  std::vector<std::uint64_t> seen;
  bool operator==(const Outcome&) const = default;
};

/// Reads in pieces of `step` bytes; how a file is cut must not change what it says.
Outcome read(ByteView bytes, std::size_t step) {
  Outcome out;
  StatsLimits limits;
  limits.text_bytes = 1u << 20;
  limits.record_bytes = 1u << 12;
  StatsReader reader(
      [&](const ExportedUser& u) {
        demand(u.id > 0 && u.total_micro < std::uint64_t{1} << 60);
        out.seen.push_back(u.id);
        out.seen.push_back(u.total_micro);
      },
      limits);
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    const Done fed = reader.feed(bytes.subspan(at, std::min(step, bytes.size() - at)));
    if (fed) continue;
    demand(!fed.error().message.empty());
    return out;
  }
  const auto summary = reader.finish();
  out.ok = summary.ok();
  if (summary)
    demand(2 * summary->users == out.seen.size() && (summary->skipped == 0) == summary->first_skipped.empty());
  return out;
}

template <class Read>
void round_trip(std::string_view text, Read parse) {
  const auto first = parse(text);
  if (!first) return demand(!first.error().message.empty());
  const std::string written = protocol::to_json(*first);
  const auto second = parse(written);
  demand(second.ok() && protocol::to_json(*second) == written);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const ByteView body(data + 2, size - 2);
  const std::string_view text = sparkmill::text(body);
  switch (data[0] % 10) {
    case 0:
    case 1: {
      const Outcome whole = read(body, body.size() + 1);
      const Outcome cut = read(body, data[1] % 64 + 1);
      // Records before a damage may or may not have been handed out; the verdict is the same.
      demand(whole.ok == cut.ok && (!whole.ok || whole == cut));
      break;
    }
    case 2: {
      // Nobody guesses a signature: this is about lengths and texts.
      const auto r = unit::decode_receipt(body);
      demand(r.ok() || !r.error().message.empty());
      break;
    }
    case 3: {
      const auto b = protocol::binding_from_page(text);
      if (b) demand(protocol::check_project_url(b->project).ok());
      break;
    }
    case 4: {
      const auto t = protocol::parse_ownership_text(text);
      if (t) demand(protocol::format(*t) == text);
      break;
    }
    case 5: round_trip(text, protocol::boinc_binding_from_json); break;
    case 6: round_trip(text, protocol::boinc_receipts_from_json); break;
    case 7: {
      const auto list = protocol::boinc_claims_from_json(text);
      if (list) demand(protocol::boinc_claims_from_json(protocol::boinc_claims_to_json(*list)).ok());
      const auto claim = protocol::decode_boinc_claim(body);
      demand(claim.ok() || !claim.error().message.empty());
      break;
    }
    case 8:
      round_trip(text, protocol::boinc_bindings_from_json);
      round_trip(text, protocol::credit_answers_from_json);
      round_trip(text, protocol::boinc_claim_answers_from_json);
      break;
    default: {
      const auto list = node::credit::Projects::parse(text, "list");
      demand(list.ok() || list.status() == Status::bad_config);
    }
  }
  return 0;
}

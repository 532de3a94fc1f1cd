// SPDX-License-Identifier: Apache-2.0
// What a pool sends, in any cutting: the same messages come out, and whatever they are, every share of a session ends
// exactly once. The first byte picks the size of the pieces, the second the byte order of nonces.
#include <algorithm>
#include <cstdlib>
#include <set>

#include "worker/source/stratum_session.h"

namespace {

using namespace sparkmill;
using namespace sparkmill::mining;

void demand(bool holds) {
  if (!holds) std::abort();
}

std::vector<std::string> split(std::string_view text, std::size_t piece) {
  stratum::Splitter splitter;
  std::vector<std::string> out;
  while (!text.empty()) {
    const std::size_t n = std::min(piece, text.size());
    if (!splitter.feed(text.substr(0, n), [&out](std::string_view m) { out.emplace_back(m); })) break;
    text.remove_prefix(n);
  }
  demand(splitter.held() <= stratum::kMaxMessage);
  return out;
}

/// Submits a share after each piece while there is a job, and counts how they end.
void run_session(std::string_view text, std::size_t piece, stratum::NonceOrder order) {
  const ManualClock clock;
  std::atomic<std::uint64_t> serials{0};
  stratum::Session session({"user", "x", "agent", order}, 1, serials, clock);
  session.hello();
  std::set<std::uint64_t> open;
  std::uint64_t ticket = 0;
  std::vector<stratum::Event> events;
  const auto settle = [&] {
    for (const stratum::Event& e : events) {
      if (e.kind == stratum::Event::Kind::answer) demand(open.erase(e.answer.ticket) == 1);
      if (e.kind == stratum::Event::Kind::job) {
        demand(e.job.share_target.possible() && e.job.block_target.possible());
        demand(e.job.nonces.count > 0 && e.job.nonces.first + (e.job.nonces.count - 1) <= chain::kMaxVarint63);
        demand(chain::serialise(e.job.header).ok());
      }
    }
    events.clear();
  };
  while (!text.empty()) {
    const std::size_t n = std::min(piece, text.size());
    const bool alive = session.feed(text.substr(0, n), events).ok();
    settle();
    if (!alive) break;
    if (const MiningJob* job = session.current_job(); job != nullptr && open.size() < 32) {
      const auto sent = session.submit({++ticket, {job->serial, ticket, {}, ""}, false});
      if (sent) open.insert(ticket);
    }
    demand(session.open_shares() == open.size());
    text.remove_prefix(n);
  }
  session.lost(events);
  settle();
  demand(open.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::size_t piece = 1 + data[0];
  demand(split(text, text.size() + 1) == split(text, piece));
  run_session(text, piece, static_cast<stratum::NonceOrder>(data[1] % 3));
  const std::string shown = printable(text);
  demand(shown.size() <= 200 && std::all_of(shown.begin(), shown.end(), [](char c) { return c >= ' ' && c <= '~'; }));
  if (const auto url = stratum::parse_pool_url(text)) {
    const auto again = stratum::parse_pool_url(url->text());
    demand(again.ok() && again->host == url->host && again->port == url->port && again->tls == url->tls);
  }
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
// The state as text for people. Colour repeats what a word already says.
#include <fmt/format.h>

#include <ctime>

#include "worker/state/state.h"

namespace sparkmill::worker {

namespace {

/// Node, driver and job texts come from elsewhere: nothing in them may steer a terminal.
std::string safe(std::string_view text) {
  std::string out;
  for (char c : text.substr(0, 300)) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  return out;
}

std::string duration(std::uint64_t s) {
  if (s < 60) return fmt::format("{} s", s);
  if (s < 3600) return fmt::format("{} min {} s", s / 60, s % 60);
  if (s < 86400) return fmt::format("{} h {} min", s / 3600, s % 3600 / 60);
  return fmt::format("{} d {} h", s / 86400, s % 86400 / 3600);
}

std::string clock_text(std::uint64_t unix_ms) {
  const auto t = static_cast<std::time_t>(unix_ms / 1000);
  std::tm tm{};
  char out[40] = {};
  if (::localtime_r(&t, &tm) == nullptr) return "?";
  std::strftime(out, sizeof out, "%Y-%m-%d %H:%M:%S", &tm);
  return out;
}

std::string quantity(double v) {
  static constexpr const char* kSteps[] = {"", " k", " M", " G", " T", " P"};
  std::size_t i = 0;
  while (v >= 1000 && i + 1 < std::size(kSteps)) v /= 1000, ++i;
  return i == 0 ? fmt::format("{:.0f} ", v) : fmt::format("{:.3g}{}", v, kSteps[i]);
}

std::string bytes_text(std::uint64_t n) {
  static constexpr const char* kSteps[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto v = static_cast<double>(n);
  std::size_t i = 0;
  while (v >= 1024 && i + 1 < std::size(kSteps)) v /= 1024, ++i;
  return i == 0 ? fmt::format("{} B", n) : fmt::format("{:.1f} {}", v, kSteps[i]);
}

std::string eta_text(const JobState& j) {
  if (j.eta_lo_s < 0 || j.eta_hi_s < 0) return "time left not known yet";
  const auto lo = static_cast<std::uint64_t>(j.eta_lo_s + 0.5);
  const auto hi = static_cast<std::uint64_t>(j.eta_hi_s + 0.5);
  return lo == hi ? duration(lo) + " left" : duration(lo) + " to " + duration(hi) + " left";
}

class Writer {
 public:
  explicit Writer(bool color) : color_(color) {}
  std::string state(std::string_view word) const {
    if (!color_) return std::string(word);
    const bool good = word == "running" || word == "connected";
    const bool bad = word == "quarantined" || word == "absent" || word == "refused" || word == "unreachable";
    return fmt::format("\x1b[{}m{}\x1b[0m", good ? 32 : bad ? 31 : 33, word);
  }
  void line(std::string_view label, const std::string& text) { out += fmt::format("{:<9}{}\n", label, text); }
  void reasons(const std::vector<Reason>& list, std::uint64_t now) {
    for (const Reason& r : list) {
      std::string text = "         why: " + safe(r.text) + " [" + safe(r.code) + "]";
      if (r.since_ms != 0 && now > r.since_ms) text += ", for " + duration((now - r.since_ms) / 1000);
      if (r.until_ms != 0) text += ", until " + clock_text(r.until_ms);
      out += text + "\n";
    }
  }
  std::string out;

 private:
  bool color_;
};

std::string rate_text(const DeviceState& d) {
  if (d.slices == 0) return "no rate yet";
  if (d.hash_rate.s60 != 0 || d.signature_rate.s60 != 0) {
    std::string out;
    if (d.rate.s60 != 0) out = quantity(d.rate.s60) + d.rate_unit;
    if (d.signature_rate.s60 != 0) out += (out.empty() ? "" : ", ") + quantity(d.signature_rate.s60) + "signatures/s";
    if (d.hash_rate.s60 != 0) {
      out += (out.empty() ? "" : ", ") + fmt::format("{:.1f} H/s (10 s: {:.1f}, 15 min: {:.1f})", d.hash_rate.s60,
                                                     d.hash_rate.s10, d.hash_rate.m15);
    }
    return out;
  }
  const std::string& unit = d.rate_unit;
  return fmt::format("{}{} (10 s: {}, 15 min: {})", quantity(d.rate.s60), unit, quantity(d.rate.s10),
                     quantity(d.rate.m15));
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& w : words) out += (out.empty() ? "" : ", ") + w;
  return out;
}

/// Nothing where there is no client: that is how most machines are.
void add_boinc(Writer& w, const BoincState& b) {
  if (!b.on || (b.state == "absent" && b.results == 0)) return;
  std::string line = w.state(b.state);
  if (!b.version.empty()) line += fmt::format(", {}, {} of {} tasks run", b.version, b.running, b.task_count);
  if (!b.suspended.empty()) line += ", suspended: " + joined(b.suspended);
  line += fmt::format(", policy {}; {} finished, {} failed", b.policy, b.results, b.failed);
  if (!b.detail.empty()) line += ": " + safe(b.detail);
  w.line("boinc", line);
  for (const BoincGiveState& g : b.gives) {
    w.out += fmt::format("         {}: {} ours: {} [{}]\n", safe(g.device),
                         g.share <= 0 ? "nothing" : fmt::format("{:.0f} %", g.share * 100), safe(g.text), safe(g.code));
  }
  if (b.receipts_waiting + b.receipts_credited + b.receipts_refused + b.claims_credited != 0) {
    w.line("", fmt::format("receipts {} credited ({:.6f} cobblestones), {} waiting, {} refused; claims {} credited, {} "
                           "waiting",
                           b.receipts_credited, static_cast<double>(b.credit_microcobble) / 1e6, b.receipts_waiting,
                           b.receipts_refused, b.claims_credited, b.claims_waiting));
  }
  if (!b.remark.empty()) w.out += "         note: " + safe(b.remark) + "\n";
  for (const BoincTaskState& t : b.tasks) {
    if (t.phase != "running") continue;
    w.line("", fmt::format("{}  {:5.1f} %, {} left by the client's guess", safe(t.name).substr(0, 48), t.progress * 100,
                           duration(static_cast<std::uint64_t>(t.left_s > 0 ? t.left_s : 0))));
  }
}

}  // namespace

std::string to_text(const Snapshot& s, const Clock& clock, bool color) {
  Writer w(color);
  const std::uint64_t now = clock.unix_ms();
  const std::uint64_t up = now > s.started_ms ? (now - s.started_ms) / 1000 : 0;
  w.line("worker", fmt::format("sparkmill {}, {}, up {}{}", s.version, w.state(s.mode), duration(up),
                               s.worker_pub.empty() ? "" : ", key " + safe(s.worker_pub).substr(0, 16)));
  w.reasons(s.reasons, now);
  std::string source = s.source.name.empty() ? "none yet" : safe(s.source.name);
  source += ", " + w.state(s.source.state);
  if (s.source.state == "none") source = "no node, mining only";
  if (s.source.state == "connected") source += fmt::format(", {} ms", s.source.latency_ms);
  if (s.source.height != 0) source += fmt::format(", block {}", s.source.height);
  if (!s.source.node_pub.empty() && s.source.operator_trusted) source += ", receipts are operator-trusted";
  if (!s.source.detail.empty()) source += ": " + safe(s.source.detail);
  w.line("source", source);
  if (s.mining.on) {
    const MiningState& m = s.mining;
    w.line("mining",
           fmt::format("{}, {}, {} hashes, {} shares accepted, {} stale, {} rejected, {} unknown; {} blocks{}",
                       safe(m.source), w.state(m.state), m.hashes, m.accepted, m.stale, m.rejected, m.unknown, m.blocks,
                       m.detail.empty() ? "" : ": " + safe(m.detail)));
  }
  add_boinc(w, s.boinc);
  for (const DeviceState& d : s.devices) {
    w.line("device", fmt::format("{}  {}, {}{}, {}{}", safe(d.id), safe(d.name), w.state(name(d.activity)),
                                 d.kernel.empty() ? "" : ", " + safe(d.kernel), rate_text(d),
                                 d.errors == 0 ? "" : fmt::format(", {} errors", d.errors)));
    w.reasons(d.reasons, now);
  }
  for (const JobState& j : s.jobs) {
    w.line("job", fmt::format("{}  {}, {}, {:5.1f} %, {}, {} found", safe(j.id).substr(0, 12), safe(j.kind),
                              safe(j.phase), j.progress * 100, eta_text(j), j.answers));
  }
  w.line("results", fmt::format("{} accepted, {} stale, {} rejected, {} wrong; {} pairs found, {} signatures checked",
                                s.results.accepted, s.results.stale, s.results.rejected, s.results.wrong, s.pairs_found,
                                s.items_checked));
  if (!s.source.node_pub.empty()) {
    w.line("credit",
           fmt::format("{:.6f} cobblestones, balance {}.{:08} BTK", static_cast<double>(s.credit_microcobble) / 1e6,
                       s.balance_units / 100'000'000, s.balance_units % 100'000'000));
  }
  w.line("store", fmt::format("{} results waiting for their receipt, {}", s.store_queued, bytes_text(s.store_bytes)));
  return w.out;
}

}  // namespace sparkmill::worker

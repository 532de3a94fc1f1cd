// SPDX-License-Identifier: Apache-2.0
// Bytom 1.x in `sparkmill verify-blocks`: blocks in chain order, judged over the sliding window.
#include <chrono>
#include <cstdio>

#include "base/hex.h"
#include "verify/blocks/bytom_window.h"
#include "worker/cli/args.h"
#include "worker/cli/block_file.h"
#include "worker/cli/offline.h"
#include "worker/cli/verify_blocks.h"

namespace sparkmill::cli {
namespace {

namespace bytom = blocks::bytom;

std::string json_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out + '"';
}

std::string line_of(const bytom::Delivery& d) {
  const bytom::BlockVerdict& verdict = d.judged.verdict;
  const bytom::Facts& facts = verdict.facts;
  const std::string_view word = verdict.ok ? "valid" : verdict.reason == "undecided" ? "undecided" : "invalid";
  std::string line = "{\"block\":" + std::to_string(d.number) + ",\"verdict\":" + json_text(word);
  if (!verdict.ok) {
    line += ",\"reason\":" + json_text(verdict.reason) + ",\"detail\":" + json_text(verdict.detail);
  }
  if (d.block == nullptr) return line + "}\n";
  std::size_t failed = 0;
  for (const bytom::TransactionFacts& t : facts.transactions) failed += t.status_fail ? 1 : 0;
  line += ",\"height\":" + std::to_string(facts.height) + ",\"id\":\"" + to_hex(facts.id) + "\"" +
          ",\"transactions\":" + std::to_string(facts.transactions.size()) + ",\"failed\":" + std::to_string(failed) +
          ",\"signatures\":" + std::to_string(facts.signatures) + ",\"gas\":" + std::to_string(facts.gas_used) +
          ",\"fees\":\"" + std::to_string(facts.fees) + "\",\"checked\":[\"body\"";
  const std::pair<const char*, bool> parts[] = {{"links", facts.scope.links},
                                                {"bits", facts.scope.bits},
                                                {"time", facts.scope.time},
                                                {"work", facts.scope.work},
                                                {"state", facts.scope.state}};
  for (const auto& [name, checked] : parts) line += checked ? std::string(",\"") + name + "\"" : "";
  return line + "]}\n";
}

std::uint64_t now_seconds() {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count());
}

Result<bytom::WindowSummary> verify(const Args& args, Input& input, const StopToken& stop) {
  SPARKMILL_ASSIGN(const std::uint64_t mib, number_option("window", args.get("window", "64"), 1, 1u << 16));
  SPARKMILL_ASSIGN(const std::uint64_t threads, number_option("threads", args.get("threads", "0"), 0, 1024));
  std::optional<Hash32> seed;
  if (args.has("seed")) {
    SPARKMILL_ASSIGN(seed, array_from_hex<32>(args.get("seed"), "--seed"));
  }
  SPARKMILL_ASSIGN(const auto file, BlockFile::open(input));
  bytom::HeaderWalk walk(now_seconds());
  SPARKMILL_TRY(file->prime(walk, seed));
  bytom::AssumedCoins assumed;
  std::unique_ptr<CoinFile> coins;
  if (args.has("utxo")) {
    SPARKMILL_ASSIGN(coins, CoinFile::load(args.get("utxo")));
  }
  bytom::State state(coins ? static_cast<bytom::CoinSource&>(*coins) : assumed);

  SPARKMILL_ASSIGN(const kernels::Device device, device_for(kernels::Family::tensority, args.get("backend")));
  SPARKMILL_ASSIGN(const auto lanes,
                   bytom::ThreadLanes::make(device, static_cast<std::size_t>(threads), {{}, {}, args.get("backend")}));
  const bool quiet = args.has("quiet");
  if (!quiet) {
    std::fprintf(stderr, "verify-blocks: %zu lane(s), %s, %s, %s; %llu header(s) before the blocks\n", lanes->count(),
                 lanes->rows().work.c_str(), lanes->rows().signatures.c_str(), lanes->rows().hash.c_str(),
                 static_cast<unsigned long long>(file->headers()));
  }
  bytom::WindowOptions options;
  options.bytes = static_cast<std::size_t>(mib) << 20;
  options.go_on = args.has("all");
  const bool only_invalid = args.has("invalid");
  Progress progress("verify-blocks", "bytes", input.size(), quiet);
  std::uint64_t shown = 0;
  bool written = true;
  const auto deliver = [&](const bytom::Delivery& d) {
    const std::string line = line_of(d);
    if (!only_invalid || !d.judged.verdict.ok) {
      written = std::fwrite(line.data(), 1, line.size(), stdout) == line.size();
    }
    progress.add(input.bytes_read() - shown);
    shown = input.bytes_read();
    return written;
  };
  const auto next = [&file] { return file->next(); };
  SPARKMILL_ASSIGN(const bytom::WindowSummary summary,
                   bytom::judge_window(next, walk, &state, coins != nullptr, *lanes, options, deliver, stop));
  if (summary.blocks == 0) return fail(Status::bad_input, input.name() + ": there is no block in it");
  if (!written || std::fflush(stdout) != 0) return fail(Status::io_error, "stdout does not take the verdicts");
  progress.finish();
  if (!quiet) {
    const double seconds = std::max(progress.seconds(), 1e-9);
    std::fprintf(stderr, "verify-blocks: %llu blocks, %llu valid, %llu transactions, %llu signatures, %s blocks/s%s\n",
                 static_cast<unsigned long long>(summary.blocks), static_cast<unsigned long long>(summary.valid),
                 static_cast<unsigned long long>(summary.transactions),
                 static_cast<unsigned long long>(summary.signatures),
                 short_number(static_cast<double>(summary.blocks) / seconds).c_str(),
                 summary.ended_early ? "; ended at the first invalid one (--all goes on)" : "");
  }
  return summary;
}

}  // namespace

Result<int> verify_bytom_blocks(const Args& args, Input& input, const StopToken& stop) {
  SPARKMILL_ASSIGN(const bytom::WindowSummary summary, verify(args, input, stop));
  return summary.valid == summary.blocks ? 0 : exit_code(Status::mismatch);
}

}  // namespace sparkmill::cli

// SPDX-License-Identifier: Apache-2.0
// `sparkmill verify-blocks`: blocks of Bytom, evidence of BTTC and BTN; which of them, the file's first character says.
#include "worker/cli/verify_blocks.h"

#include "worker/cli/block_job.h"
#include "worker/cli/command.h"
#include "worker/cli/offline.h"

namespace sparkmill::cli {
namespace {

constexpr OwnOption kOwn[] = {
    {"system", "NAME", "bytom, bttc or btn (default: what the file looks like)"},
    {"quiet", "", "no progress and no summary on stderr"},
    {"invalid", "", "print only what is not valid"},
    {"backend", "ROW",
     "row of the proof of work (Bytom) or of the signatures (BTTC, BTN), for example cpu/avx2 (default: the best of "
     "the processor)"},
    {"seed", "HEX", "Bytom: the Tensority seed of the first block (default: what the file's headers and heights tell)"},
    {"utxo", "FILE",
     "Bytom: the coins that exist before the first block; without it only double spends inside the file show"},
    {"all", "", "Bytom: go on above the first invalid block"},
    {"window", "MIB", "Bytom: blocks in flight, decoded form included (default 64)"},
    {"threads", "N", "lanes to use (default: all of the device)"},
    {"policy", "NAME", "BTTC: whose rules decide, contract or canonical (default: contract)"},
    {"rule", "NAME", "BTTC: what is counted, count or stake (default: count)"},
    {"pack", "OUT", "judge nothing; write the items as a blob for jobs of the kind verify.blocks"},
    {"proof", "OUT", "the file is such a blob: also write a proof that `sparkmill verify` checks"},
    {"key", "FILE", "key that signs the proof (default: a throw-away key)"},
};
constexpr Usage kUsage = {
    "verify-blocks",
    "FILE|-",
    "Judges Bytom 1.x blocks in chain order (headers, Tensority, ids, roots, programs, signatures, balances, "
    "coinbase), "
    "or consensus evidence of BTTC and BTN as JSON lines (checkpoints, proofs, exits, events; draws, committees, "
    "seals, "
    "frames), or a blob that --pack made of either. docs/blocks.md and docs/evidence.md tell the forms. A JSON line an "
    "item on stdout, with the first "
    "reason. Exit 0: all valid, "
    "11: something is not, 12: stopped, 13: the file or an item of it cannot be read.",
    kOwn,
    1,
    false};

/// True when the first character that is no white space opens a JSON value that has parts.
Result<bool> looks_like_json(Input& input) {
  for (std::size_t count = 1; count <= Input::kAhead; ++count) {
    SPARKMILL_ASSIGN(const ByteView start, input.look(count));
    if (start.size() < count) return false;
    const std::uint8_t c = start.back();
    if (c != ' ' && c != '\t' && c != '\r' && c != '\n') return c == '{' || c == '[';
  }
  return false;
}

Result<int> verify_blocks(const Args& args) {
  if (args.words.empty()) {
    return fail(Status::bad_argument, "no file is named", "sparkmill verify-blocks FILE, or - for standard input");
  }
  const std::string system = args.get("system");
  if (!system.empty() && system != "bytom" && system != "bttc" && system != "btn") {
    return fail(Status::bad_argument, "--system: '" + system.substr(0, 40) + "' is unknown", "bytom, bttc or btn");
  }
  const StopToken stop = stop_on_signal();
  SPARKMILL_ASSIGN(const std::unique_ptr<Input> input, Input::open(args.words[0], stop));
  SPARKMILL_ASSIGN(const bool blob, looks_like_blob(*input));
  if (blob) return verify_block_job(args, *input, stop);
  if (args.has("proof") || args.has("key")) {
    return fail(Status::bad_argument, "--proof and --key are for a file that --pack made",
                "sparkmill verify-blocks --pack OUT " + args.words[0]);
  }
  SPARKMILL_ASSIGN(const bool json, looks_like_json(*input));
  const bool bytom = system.empty() ? !json : system == "bytom";
  for (const char* option : {"seed", "utxo", "all", "window"}) {
    if (!bytom && args.has(option)) return fail(Status::bad_argument, std::string("--") + option + " is for Bytom");
  }
  for (const char* option : {"policy", "rule"}) {
    if (bytom && args.has(option)) return fail(Status::bad_argument, std::string("--") + option + " is for BTTC");
  }
  if (args.has("pack")) return pack_blocks(args, *input, !bytom);
  return bytom ? verify_bytom_blocks(args, *input, stop) : verify_evidence(args, *input, stop);
}

}  // namespace

int run_verify_blocks(std::span<const std::string> args) {
  auto parsed = parse_args(kUsage, args);
  if (!parsed) return report("verify-blocks", parsed.error());
  if (parsed->help) return 0;
  const auto exit = verify_blocks(*parsed);
  return exit ? *exit : report("verify-blocks", exit.error());
}

}  // namespace sparkmill::cli

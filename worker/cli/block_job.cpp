// SPDX-License-Identifier: Apache-2.0
#include "worker/cli/block_job.h"

#include <chrono>
#include <cstdio>
#include <deque>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/hex.h"
#include "node/protocol/json_reader.h"
#include "verify/blocks/evidence/pack.h"
#include "verify/job/verify_blocks.h"
#include "worker/cli/block_file.h"
#include "worker/cli/offline.h"
#include "worker/cli/proof_file.h"
#include "worker/cli/verify_blocks.h"

namespace sparkmill::cli {
namespace {

namespace bytom = blocks::bytom;

constexpr std::string_view kBlobMagic = "SMBK";
constexpr std::size_t kMaxLine = 64u << 20;

std::uint64_t now_seconds() {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count());
}

Error at(const std::string& where, const Error& error) {
  return fail(error.code, where + ": " + error.message, error.hint);
}

struct Packed {
  Bytes blob;
  std::size_t items = 0;
};

/// Blocks with what the headers before them demand, as `judge_window` would judge them; without coins.
Result<Packed> pack_bytom(const Args& args, Input& input) {
  std::optional<Hash32> seed;
  if (args.has("seed")) {
    SPARKMILL_ASSIGN(seed, array_from_hex<32>(args.get("seed"), "--seed"));
  }
  SPARKMILL_ASSIGN(const auto file, BlockFile::open(input));
  bytom::HeaderWalk walk(now_seconds());
  SPARKMILL_TRY(file->prime(walk, seed));
  std::deque<Bytes> raw;
  std::vector<job::BlockItem> items;
  while (true) {
    SPARKMILL_ASSIGN(std::optional<Bytes> bytes, file->next());
    if (!bytes) break;
    if (items.size() == job::kMaxBlockItems) {
      return fail(Status::too_large, input.name() + ": over " + std::to_string(job::kMaxBlockItems) + " blocks",
                  "pack them in parts");
    }
    job::BlockItem item;
    item.block = raw.emplace_back(std::move(*bytes));
    if (const auto block = bytom::decode(item.block)) {
      item.context = walk.next(block->header.height);
      walk.append(block->header, chain::header_hash(block->header));
    } else {
      walk.forget();
    }
    items.push_back(std::move(item));
  }
  if (items.empty()) return fail(Status::bad_input, input.name() + ": there is no block in it");
  return Packed{job::encode_block_items(items), items.size()};
}

Result<Packed> pack_evidence(const Args& args, Input& input) {
  SPARKMILL_ASSIGN(const evidence::Options options, evidence_options(args));
  const std::string wanted = args.get("system");
  std::unique_ptr<evidence::BlockPacker> packer;
  std::string line;
  while (true) {
    SPARKMILL_ASSIGN(const bool more, input.line(line, kMaxLine));
    if (!more) break;
    if (line.find_first_not_of(" \t\r") == line.npos) continue;
    SPARKMILL_ASSIGN(const nlohmann::json item, protocol::parse_object(line, input.here(), kMaxLine));
    if (packer == nullptr) {
      auto system = wanted == "bttc"  ? Result<evidence::System>(evidence::System::bttc)
                    : wanted == "btn" ? Result<evidence::System>(evidence::System::btn)
                                      : system_of(item, input.here());
      if (!system) return system.error();
      packer = std::make_unique<evidence::BlockPacker>(*system, options);
    }
    if (const Done added = packer->add(item); !added) return at(input.here(), added.error());
  }
  if (packer == nullptr) return fail(Status::bad_input, input.name() + ": there is no item in it");
  SPARKMILL_ASSIGN(Bytes blob, packer->finish());
  return Packed{std::move(blob), packer->size()};
}

Result<Bytes> read_all(Input& input) {
  Bytes out;
  constexpr std::size_t kStep = std::size_t{1} << 20;
  while (true) {
    const std::size_t have = out.size();
    out.resize(have + kStep);
    SPARKMILL_ASSIGN(const std::size_t some, input.read(std::span(out).subspan(have)));
    out.resize(have + some);
    if (some == 0) return out;
    if (out.size() > job::kMaxBlockBlobBytes) return fail(Status::too_large, input.name() + ": over 1 GiB");
  }
}

}  // namespace

Result<bool> looks_like_blob(Input& input) {
  // A packed file of Bytom blocks begins with SMBLOCK1.
  SPARKMILL_ASSIGN(const ByteView start, input.look(kBlobMagic.size()));
  return text(start) == kBlobMagic;
}

Result<int> pack_blocks(const Args& args, Input& input, bool json) {
  const std::string out = args.get("pack");
  SPARKMILL_ASSIGN(const Packed packed, json ? pack_evidence(args, input) : pack_bytom(args, input));
  if (packed.blob.size() > job::kMaxBlockBlobBytes) {
    return fail(Status::too_large,
                input.name() + ": the blob would have " + std::to_string(packed.blob.size()) + " bytes, at most 1 GiB",
                "pack them in parts");
  }
  SPARKMILL_TRY(write_file_atomic(out, packed.blob));
  if (!args.has("quiet")) {
    std::fprintf(stderr, "verify-blocks: %zu items in %zu bytes: %s\n", packed.items, packed.blob.size(), out.c_str());
  }
  return 0;
}

Result<int> verify_block_job(const Args& args, Input& input, const StopToken& stop) {
  for (const char* option : {"pack", "seed", "utxo", "all", "window", "policy", "rule", "system"}) {
    if (args.has(option)) {
      return fail(Status::bad_argument, std::string("--") + option + ": " + input.name() + " is a packed blob",
                  "what it says was fixed when it was packed");
    }
  }
  SPARKMILL_ASSIGN(const std::uint64_t threads, number_option("threads", args.get("threads", "0"), 0, 1024));
  SPARKMILL_ASSIGN(const std::optional<ProofSigner> signer, make_proof_signer(args));
  SPARKMILL_ASSIGN(Bytes blob, read_all(input));
  const auto head = job::decode_block_head(blob);
  if (!head) return at(input.name(), head.error());
  job::MemoryBlobs blobs;
  job::Job job = job::make_blocks_job(*head, blobs.add(std::move(blob)), true, 0);
  job.salt = {};  // the same blob gives the same job
  job::seal(job);
  auto opened = job::open(job, blobs, signer ? signer->binding() : job::Binding{});
  if (!opened) return at(input.name(), opened.error());
  const job::Work& work = **opened;
  SPARKMILL_ASSIGN(const auto lanes, Lanes::make(args.get("backend"), static_cast<unsigned>(threads), work.family()));
  const bool quiet = args.has("quiet");
  Progress progress("verify-blocks", "units", work.units(), quiet);
  std::vector<Bytes> results;
  const auto take = [&](const job::Slice& slice, Bytes bytes) {
    results.push_back(std::move(bytes));
    progress.add(slice.units);
    return done();
  };
  SPARKMILL_TRY(lanes->run(work, cut_for(work, *lanes), take, stop));
  progress.finish();
  SPARKMILL_ASSIGN(const job::Outcome outcome, work.assemble(results));
  SPARKMILL_TRY(work.recheck(outcome));
  if (signer) SPARKMILL_TRY(write_proof(args.get("proof"), *signer, work, outcome));
  const ByteView verdicts = ByteView(outcome.answer).subspan(4);
  std::size_t valid = 0;
  std::string lines;
  for (std::size_t k = 0; k < verdicts.size(); ++k) {
    const std::string_view word = job::block_reason(head->chain, verdicts[k]);
    const bool ok = word == "valid";
    valid += ok ? 1 : 0;
    if (ok && args.has("invalid")) continue;
    lines += "{\"item\":" + std::to_string(k) + ",\"ok\":" + (ok ? "true" : "false") + ",\"reason\":\"" +
             (ok ? "" : std::string(word)) + "\"}\n";
  }
  if (std::fwrite(lines.data(), 1, lines.size(), stdout) != lines.size() || std::fflush(stdout) != 0) {
    return fail(Status::io_error, "stdout does not take the verdicts");
  }
  if (!quiet) {
    std::fprintf(stderr, "verify-blocks: %s, %zu items, %zu valid, %s on %zu lane(s)\n",
                 std::string(job::name(head->chain)).c_str(), verdicts.size(), valid, lanes->row_id().c_str(),
                 lanes->count());
  }
  return valid == verdicts.size() ? 0 : exit_code(Status::mismatch);
}

}  // namespace sparkmill::cli

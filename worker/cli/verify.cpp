// SPDX-License-Identifier: Apache-2.0
// `sparkmill verify`: checks a proof file against its inputs, with leaves drawn by fresh randomness of this machine; or
// a block header (verify_header.cpp).
#include <cmath>
#include <cstdio>

#include "base/hash.h"
#include "base/hex.h"
#include "kernels/match/predicate_text.h"
#include "verify/proof/proof.h"
#include "worker/cli/args.h"
#include "worker/cli/command.h"
#include "worker/cli/offline.h"
#include "worker/cli/tensority.h"

namespace sparkmill::cli {
namespace {

constexpr std::uint64_t kMaxProofBytes = 1ull << 30;

constexpr OwnOption kOwn[] = {
    {"requests", "NAME=FILE,..", "the requests' template files, fields in the same order as for `sparkmill match`"},
    {"users", "NAME=FILE,..", "the users' template files"},
    {"blob", "FILE", "instead of --requests and --users: what a proof of `sparkmill verify-blocks --proof` is about"},
    {"openings", "K", "tiles or items to recompute, drawn at random (default 128)"},
    {"backend", "ROW", "kernel row that recomputes (default: the best that runs)"},
    {"threads", "N", "lanes to use (default: all of the device)"},
    {"header", "HEX", "instead of FILE: a serialised block header, as get-work gives it with the nonce filled in"},
    {"seed", "HEX", "with --header: the seed, 64 hex digits (default: the initial one, for heights up to 256)"},
};
constexpr Usage kUsage = {"verify",
                          "[FILE]",
                          "Checks a proof of `sparkmill match --proof` or `sparkmill verify-blocks --proof`: "
                          "signature, inputs, every claimed "
                          "pair or bad item, and K tiles or items recomputed; or, with --header, the form and proof of "
                          "work of a block header. Exit 0: accepted, 11: refused, 13: a "
                          "file or value cannot be read.",
                          kOwn,
                          1,
                          false};

proof::Verdict refuse(std::string reason, std::string detail) { return {false, std::move(reason), std::move(detail)}; }

/// The proof must be about exactly these files.
proof::Verdict compare_inputs(const job::Job& job, const Inputs& inputs) {
  if (job.blobs.size() != inputs.blobs.size()) {
    return refuse("wrong_inputs", "the proof is about " + std::to_string(job.blobs.size() / 2) + " field(s), " +
                                      std::to_string(inputs.names.size()) + " are given");
  }
  for (std::size_t k = 0; k < job.blobs.size(); ++k) {
    if (job.blobs[k] != inputs.blobs[k]) {
      return refuse("wrong_inputs", "field '" + inputs.names[k / 2] + "': the proof is about another file of " +
                                        (k % 2 == 0 ? "requests" : "users") + ", with SHA-256 " + to_hex(job.blobs[k]));
    }
  }
  return {true, "accepted", {}};
}

/// What a proof is checked against: template files, or the one blob of other kinds.
struct Evidence {
  const Inputs* templates = nullptr;
  job::MemoryBlobs source;
  Hash32 blob{};
  proof::Verdict compare(const job::Job& job) const {
    if (templates != nullptr) return compare_inputs(job, *templates);
    if (job.blobs.size() == 1 && job.blobs[0] == blob) return {true, "accepted", {}};
    return refuse("wrong_inputs", "the proof is about " + std::to_string(job.blobs.size()) +
                                      " file(s), the first with SHA-256 " +
                                      (job.blobs.empty() ? "none" : to_hex(job.blobs[0])));
  }
};

void print_facts(const proof::Envelope& envelope, const job::Job& job, const Inputs* templates) {
  std::printf("worker   %s\n", to_hex(envelope.worker_pub).c_str());
  std::printf("job      %s\n", to_hex(job.id).c_str());
  if (templates == nullptr) {
    const job::KindRow* row = job::find_kind(job.kind);
    std::printf("kind     %s\n", row != nullptr ? std::string(row->name).c_str() : "unknown here");
    return;
  }
  const Inputs& inputs = *templates;
  const auto params = job::decode_match_params(job.params);
  if (!params) return;
  std::printf("inputs   %u requests x %u users, %u field(s); profile H: scores are open to the worker\n",
              params->requests, params->users, params->fields);
  std::printf("rule     %s\n", match::predicate_text(params->predicate, inputs.names).c_str());
}

Result<proof::Verdict> check(const std::string& path, const Evidence& given, const Args& args) {
  SPARKMILL_ASSIGN(const std::uint64_t openings, number_option("openings", args.get("openings", "128"), 1, 1u << 22));
  SPARKMILL_ASSIGN(const std::uint64_t threads, number_option("threads", args.get("threads", "0"), 0, 1024));
  SPARKMILL_ASSIGN(const Bytes bytes, read_file(path, kMaxProofBytes));
  const auto envelope = proof::decode(bytes, kMaxProofBytes);
  if (!envelope) {
    if (envelope.status() == Status::refused) return refuse("bad_signature", envelope.error().message);
    return fail(envelope.status(), path + ": " + envelope.error().message,
                "is this a file of `sparkmill match --proof`, or of verify-blocks?");
  }
  if (envelope->kind != proof::EnvelopeKind::file_proof) {
    return fail(Status::bad_input, path + ": a message of another kind, not a proof file");
  }
  auto job = proof::file_proof_job(envelope->body);
  if (!job) return fail(Status::bad_input, path + ": " + job.error().message);
  print_facts(*envelope, *job, given.templates);
  if (job->id != envelope->job_id) return refuse("wrong_job", "the envelope names another job than the proof");
  if (proof::Verdict same = given.compare(*job); !same.accepted) return same;
  const job::Binding binding = job::Binding::to_lease(envelope->lease_id, envelope->worker_pub);
  auto source = given.source;  // handles only
  SPARKMILL_ASSIGN(const std::unique_ptr<job::Work> work, job::open(*job, source, binding));
  SPARKMILL_ASSIGN(const std::unique_ptr<Lanes> lanes,
                   Lanes::make(args.get("backend"), static_cast<unsigned>(threads), work->family()));
  const auto k = static_cast<std::uint32_t>(std::min<std::uint64_t>(openings, work->leaf_count()));
  SPARKMILL_ASSIGN(proof::Verdict verdict,
                   proof::check_file_proof(*work, envelope->body, random_array<32>(), k, *lanes));
  if (verdict.accepted && k < work->leaf_count()) {
    std::printf("odds     a worker that skipped 5 %% of the %s would be caught with %.4f %%\n",
                given.templates != nullptr ? "tiles" : "items", 100 * (1 - std::pow(0.95, k)));
  }
  return verdict;
}

int print_verdict(const Result<proof::Verdict>& verdict) {
  if (!verdict) return report("verify", verdict.error());
  std::printf("verdict  %s%s%s%s\n",
              verdict->accepted ? "accepted" : "refused: ", verdict->accepted ? "" : verdict->reason.c_str(),
              verdict->detail.empty() ? "" : ", ", verdict->detail.c_str());
  return verdict->accepted ? 0 : exit_code(Status::mismatch);
}

}  // namespace

int run_verify(std::span<const std::string> args) {
  auto parsed = parse_args(kUsage, args);
  if (!parsed) return report("verify", parsed.error());
  if (parsed->help) return 0;
  if (parsed->has("header")) return print_verdict(verify_header(*parsed));
  if (parsed->has("seed")) return report("verify", fail(Status::bad_argument, "--seed belongs to --header HEX"));
  if (parsed->words.empty())
    return report("verify", fail(Status::bad_argument, "no proof file is named", "sparkmill help verify"));
  Evidence given;
  if (parsed->has("blob")) {
    if (parsed->has("requests") || parsed->has("users")) {
      return report("verify", fail(Status::bad_argument, "--blob goes without --requests and --users"));
    }
    auto file = MappedFile::open(parsed->get("blob"));
    if (!file) return report("verify", file.error());
    given.blob = given.source.add(std::move(*file));
    return print_verdict(check(parsed->words[0], given, *parsed));
  }
  for (const char* needed : {"requests", "users"}) {
    if (parsed->get(needed).empty()) {
      return report("verify",
                    fail(Status::bad_argument, std::string("--") + needed + " is missing", "sparkmill help verify"));
    }
  }
  const auto inputs = load_inputs(parsed->get("requests"), parsed->get("users"));
  if (!inputs) return report("verify", inputs.error());
  given.templates = inputs->get();
  given.source = (*inputs)->source;
  return print_verdict(check(parsed->words[0], given, *parsed));
}

}  // namespace sparkmill::cli

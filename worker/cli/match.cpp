// SPDX-License-Identifier: Apache-2.0
// `sparkmill match`: the whole M:N match of template files on this machine, with a proof if asked for.
#include <cstdio>

#include "kernels/match/predicate_text.h"
#include "worker/cli/args.h"
#include "worker/cli/command.h"
#include "worker/cli/faces_report.h"
#include "worker/cli/match_output.h"
#include "worker/cli/offline.h"
#include "worker/cli/proof_file.h"

namespace sparkmill::cli {
namespace {

constexpr OwnOption kOwn[] = {
    {"requests", "NAME=FILE,..", "template files of the requests, one a field: face=A.pcbt,voice=VA.pcbt"},
    {"users", "NAME=FILE,..", "template files of the users, the same fields (with --report: how many synthetic users)"},
    {"predicate", "TEXT", "for example 'and(face.dot>=523, or(voice.frac(2/7), voice.dot>=700))'"},
    {"format", "jsonl|csv", "form of the pairs on stdout (default jsonl)"},
    {"proof", "FILE", "also write a proof that `sparkmill verify` checks"},
    {"key", "FILE", "key that signs the proof (default: a throw-away key)"},
    {"backend", "ROW", "kernel row, for example cpu/avx2 (default: the best that runs)"},
    {"threads", "N", "lanes to use (default: all of the device)"},
    {"quiet", "", "no progress on stderr"},
    {"report", "faces", "instead: hide the built-in real faces in a synthetic crowd and report what is found"},
    {"seed", "TEXT", "with --report: seed of the crowd (default sparkmill)"},
};
constexpr Usage kUsage = {
    "match",
    "",
    "Matches all requests with all users and prints the pairs that satisfy the predicate, in order of request "
    "and user, with the score of each test. Exit 12 when stopped.",
    kOwn,
    0,
    false};

Result<PairFormat> parse_format(const std::string& text) {
  if (text == "jsonl") return PairFormat::jsonl;
  if (text == "csv") return PairFormat::csv;
  return fail(Status::bad_argument, "--format: '" + text + "' is neither jsonl nor csv");
}

Result<unsigned> parse_threads(const Args& args) {
  SPARKMILL_ASSIGN(const std::uint64_t n, number_option("threads", args.get("threads", "0"), 0, 1024));
  return static_cast<unsigned>(n);
}

Done match_files(const Args& args) {
  for (const char* needed : {"requests", "users", "predicate"}) {
    if (args.get(needed).empty()) {
      return fail(Status::bad_argument, std::string("--") + needed + " is missing", "sparkmill help match");
    }
  }
  SPARKMILL_ASSIGN(const PairFormat format, parse_format(args.get("format", "jsonl")));
  SPARKMILL_ASSIGN(const unsigned threads, parse_threads(args));
  SPARKMILL_ASSIGN(const std::unique_ptr<Inputs> inputs, load_inputs(args.get("requests"), args.get("users")));
  auto predicate = match::parse_predicate(args.get("predicate"), inputs->names);
  if (!predicate) return fail(Status::bad_argument, predicate.error().message, predicate.error().hint);
  SPARKMILL_ASSIGN(const std::optional<ProofSigner> signer, make_proof_signer(args));
  SPARKMILL_ASSIGN(const std::unique_ptr<Lanes> lanes, Lanes::make(args.get("backend"), threads));
  SPARKMILL_ASSIGN(const job::Job job, make_job(*inputs, *predicate));
  SPARKMILL_ASSIGN(const std::unique_ptr<job::Work> work,
                   job::open(job, inputs->source, signer ? signer->binding() : job::Binding{}));
  const bool quiet = args.has("quiet");
  if (!quiet) {
    std::fprintf(stderr, "match: %u requests x %u users, %s, %s on %zu lane(s)\n", inputs->request_count(),
                 inputs->user_count(), match::predicate_text(*predicate, inputs->names).c_str(),
                 lanes->row_id().c_str(), lanes->count());
  }
  SPARKMILL_ASSIGN(const job::Outcome outcome, run_whole(*work, *lanes, stop_on_signal(), quiet));
  if (signer) SPARKMILL_TRY(write_proof(args.get("proof"), *signer, *work, outcome));
  SPARKMILL_ASSIGN(const std::vector<match::Pair> pairs, job::final_pairs(*work, outcome.answer));
  SPARKMILL_TRY(write_pairs(*inputs, *predicate, pairs, format));
  if (!quiet) std::fprintf(stderr, "match: %zu pairs, each recomputed by the scalar code\n", pairs.size());
  return done();
}

Done report_faces(const Args& args) {
  if (args.get("report") != "faces") {
    return fail(Status::bad_argument, "--report: '" + args.get("report") + "' is unknown", "--report faces");
  }
  for (const char* other : {"requests", "predicate", "proof", "key", "format"}) {
    if (args.has(other)) return fail(Status::bad_argument, std::string("--") + other + " does not go with --report");
  }
  FacesSettings settings;
  SPARKMILL_ASSIGN(const std::uint64_t users, number_option("users", args.get("users", "131072"), 0, 1u << 22));
  settings.users = static_cast<std::uint32_t>(users);
  settings.seed = args.get("seed", "sparkmill");
  settings.quiet = args.has("quiet");
  SPARKMILL_ASSIGN(const unsigned threads, parse_threads(args));
  SPARKMILL_ASSIGN(const std::unique_ptr<Lanes> lanes, Lanes::make(args.get("backend"), threads));
  SPARKMILL_ASSIGN(const FacesReport report, make_faces_report(settings, *lanes, stop_on_signal()));
  std::fputs(faces_report_text(settings, report).c_str(), stdout);
  return done();
}

}  // namespace

int run_match(std::span<const std::string> args) {
  auto parsed = parse_args(kUsage, args);
  if (!parsed) return report("match", parsed.error());
  if (parsed->help) return 0;
  const Done result = parsed->has("report") ? report_faces(*parsed) : match_files(*parsed);
  if (result.status() == Status::cancelled) {
    return report("match", fail(Status::cancelled, "stopped before the end; no pairs and no proof were written"));
  }
  return result ? 0 : report("match", result.error());
}

}  // namespace sparkmill::cli

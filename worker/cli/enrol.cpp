// SPDX-License-Identifier: Apache-2.0
// `sparkmill enrol`: float descriptors to a template file.
#include "verify/template/enrol.h"

#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/hash.h"
#include "base/hex.h"
#include "worker/cli/args.h"
#include "worker/cli/command.h"
#include "worker/cli/offline.h"

namespace sparkmill::cli {
namespace {

constexpr std::size_t kMinSecret = 16;
constexpr std::size_t kMaxSecret = 4096;
constexpr std::uint32_t kChunk = 8192;

constexpr OwnOption kOwn[] = {
    {"in", "FEATURES", "JSON, CSV or .npy with one row a person, or the word faces (110 real descriptors built in)"},
    {"out", "FILE", "the template file to write (.pcbt)"},
    {"secret-file", "FILE", "the application's secret, 16 to 4096 bytes, readable by its owner only"},
    {"epoch", "HEX|TEXT", "epoch or application: 32 hex digits, or any text; both sides of a match need the same"},
    {"field", "N|NAME", "which field of the application these are: a number, or a name (default 0)"},
    {"n", "N", "elements of a template, a multiple of 64 from 64 to 16384 (default 2048)"},
    {"mean", "FILE", "features whose mean is taken off each row (default: the input's own); also the word faces"},
    {"synthetic", "COUNT", "append COUNT synthetic rows, drawn with the input's mean and spread"},
    {"seed", "TEXT", "seed of the synthetic rows"},
};
constexpr Usage kUsage = {
    "enrol",
    "",
    "Turns float descriptors into a file of trit templates. Use the same secret, epoch, field, n and mean on "
    "both sides of a match.",
    kOwn,
    0,
    false};

/// Reads the secret after checking that nobody else can.
Result<Bytes> read_secret(const std::string& path) {
  const std::string make = "make one with: (umask 077; head -c 32 /dev/urandom > " + path + ")";
  struct stat st {};
  if (::stat(path.c_str(), &st) != 0) {
    Error error = errno_error(errno, "--secret-file " + path);
    error.hint = make;
    return error;
  }
  if (!S_ISREG(st.st_mode)) return fail(Status::bad_input, "--secret-file " + path + ": not a regular file", make);
  if ((st.st_mode & 077) != 0) {
    return fail(Status::refused, "--secret-file " + path + ": others than its owner may use it", "chmod 600 " + path);
  }
  if (st.st_uid != ::geteuid()) {
    return fail(Status::refused, "--secret-file " + path + ": belongs to another user", "use a copy of your own");
  }
  SPARKMILL_ASSIGN(Bytes secret, read_file(path, kMaxSecret));
  if (secret.size() < kMinSecret) {
    return fail(Status::bad_input,
                "--secret-file " + path + ": " + std::to_string(secret.size()) + " bytes, expected at least " +
                    std::to_string(kMinSecret),
                make);
  }
  return secret;
}

/// 32 hex digits stand for themselves; any other text for the first 16 bytes of H("sparkmill/epoch/v1" | text).
Result<Id16> parse_epoch(const std::string& value) {
  if (value.empty()) return fail(Status::bad_argument, "--epoch is missing", "--epoch 2026-11, or 32 hex digits");
  if (value.size() == 32 && value.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos) {
    return array_from_hex<16>(value, "--epoch");
  }
  const Hash32 hash = Sha256().update("sparkmill/epoch/v1").update(value).finish();
  Id16 epoch{};
  std::copy_n(hash.begin(), epoch.size(), epoch.begin());
  return epoch;
}

/// A name stands for the first 4 bytes of H("sparkmill/field/v1" | name).
Result<std::uint32_t> parse_field(const std::string& value) {
  if (value.find_first_not_of("0123456789") == std::string::npos) {
    SPARKMILL_ASSIGN(const std::uint64_t number, number_option("field", value, 0, 0xffffffff));
    return static_cast<std::uint32_t>(number);
  }
  const Hash32 hash = Sha256().update("sparkmill/field/v1").update(value).finish();
  std::uint32_t field = 0;
  std::memcpy(&field, hash.data(), sizeof field);
  return field;
}

struct Plan {
  templates::Features input;
  std::uint32_t synthetic = 0;
  Hash32 seed{};
  templates::Header header;
};

Done enrol_rows(const templates::Enroller& enroller, const templates::Features& rows, const std::string& name,
                std::span<std::uint8_t> out) {
  const std::size_t size = enroller.n() / 4;
  return on_all_cores(rows.count(), [&](std::uint32_t begin, std::uint32_t end) -> Done {
    for (std::uint32_t i = begin; i < end; ++i) {
      if (Done r = enroller.enrol(rows.row(i), out.subspan(i * size, size)); !r.ok()) {
        return fail(r.status(), name + ": row " + std::to_string(i) + ": " + r.error().message, r.error().hint);
      }
    }
    return done();
  });
}

Result<Bytes> enrol_all(const Plan& plan, const templates::Enroller& enroller, const std::string& name) {
  const std::size_t size = enroller.n() / 4;
  Bytes rows(std::size_t{plan.header.rows} * size);
  const std::span<std::uint8_t> all(rows);
  Progress progress("enrol", "rows", plan.header.rows);
  SPARKMILL_TRY(enrol_rows(enroller, plan.input, name, all));
  progress.add(plan.input.count());
  for (std::uint32_t at = 0; at < plan.synthetic; at += kChunk) {
    const std::uint32_t count = std::min(kChunk, plan.synthetic - at);
    const templates::Features drawn = templates::synthetic(plan.input, plan.seed, at, count);
    SPARKMILL_TRY(enrol_rows(enroller, drawn, "synthetic", all.subspan((plan.input.count() + at) * size)));
    progress.add(count);
  }
  progress.finish();
  return rows;
}

Result<Plan> make_plan(const Args& args) {
  Plan plan;
  SPARKMILL_ASSIGN(plan.input, load_features(args.get("in")));
  if (args.has("synthetic")) {
    SPARKMILL_ASSIGN(const std::uint64_t count, number_option("synthetic", args.get("synthetic"), 0, match::kMaxRows));
    if (args.get("seed").empty()) return fail(Status::bad_argument, "--synthetic needs --seed TEXT");
    plan.synthetic = static_cast<std::uint32_t>(count);
    plan.seed = sha256(view(args.get("seed")));
  } else if (args.has("seed")) {
    return fail(Status::bad_argument, "--seed belongs to --synthetic COUNT");
  }
  SPARKMILL_ASSIGN(const std::uint64_t n, number_option("n", args.get("n", "2048"), match::kMinN, match::kMaxN));
  if (n % 64 != 0) return fail(Status::bad_argument, "--n: " + std::to_string(n) + " is not a multiple of 64");
  plan.header.n = static_cast<std::uint32_t>(n);
  const std::uint64_t rows = std::uint64_t{plan.input.count()} + plan.synthetic;
  if (rows > match::kMaxRows) {
    return fail(Status::bad_argument,
                std::to_string(rows) + " rows, a template file holds at most " + std::to_string(match::kMaxRows));
  }
  plan.header.rows = static_cast<std::uint32_t>(rows);
  SPARKMILL_ASSIGN(plan.header.field, parse_field(args.get("field", "0")));
  SPARKMILL_ASSIGN(plan.header.app, parse_epoch(args.get("epoch")));
  return plan;
}

Result<std::vector<float>> mean_for(const Args& args, const Plan& plan) {
  if (!args.has("mean")) return templates::mean_of(plan.input);
  SPARKMILL_ASSIGN(const templates::Features features, load_features(args.get("mean")));
  if (features.dimension != plan.input.dimension) {
    return fail(Status::bad_input, "--mean " + args.get("mean") + ": " + std::to_string(features.dimension) +
                                       " values a row, " + args.get("in") + " has " +
                                       std::to_string(plan.input.dimension));
  }
  return templates::mean_of(features);
}

Done enrol(const Args& args) {
  for (const char* needed : {"in", "out", "secret-file", "epoch"}) {
    if (args.get(needed).empty()) {
      return fail(Status::bad_argument, std::string("--") + needed + " is missing", "sparkmill help enrol");
    }
  }
  SPARKMILL_ASSIGN(const Plan plan, make_plan(args));
  SPARKMILL_ASSIGN(const std::vector<float> mean, mean_for(args, plan));
  SPARKMILL_ASSIGN(Bytes secret, read_secret(args.get("secret-file")));
  const Hash32 key = templates::projection_key(secret, plan.header.app, plan.header.field);
  sodium_memzero(secret.data(), secret.size());
  SPARKMILL_ASSIGN(const templates::Enroller enroller, templates::Enroller::make(key, plan.header.n, mean));
  SPARKMILL_ASSIGN(const Bytes rows, enrol_all(plan, enroller, args.get("in")));
  const Bytes file = templates::build(plan.header, rows);
  SPARKMILL_TRY(write_file_atomic(args.get("out"), file));
  if (!args.has("mean")) {
    std::fprintf(stderr, "note: rows were centred on the mean of %s; give the other side --mean %s\n",
                 args.get("in").c_str(), args.get("in").c_str());
  }
  std::printf("file   %s\n", args.get("out").c_str());
  std::printf("rows   %u (%u from %s, %u synthetic)\n", plan.header.rows, plan.input.count(), args.get("in").c_str(),
              plan.synthetic);
  std::printf("n      %u\n", plan.header.n);
  std::printf("field  %u\n", plan.header.field);
  std::printf("epoch  %s\n", to_hex(plan.header.app).c_str());
  std::printf("sha256 %s\n", to_hex(sha256(file)).c_str());
  return done();
}

}  // namespace

int run_enrol(std::span<const std::string> args) {
  auto parsed = parse_args(kUsage, args);
  if (!parsed) return report("enrol", parsed.error());
  if (parsed->help) return 0;
  const Done result = enrol(*parsed);
  return result ? 0 : report("enrol", result.error());
}

}  // namespace sparkmill::cli

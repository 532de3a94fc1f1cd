// SPDX-License-Identifier: Apache-2.0
// `sparkmill verify-blocks`: a file or stream of blocks, checkpoints, seals and other evidence, an item a line of JSON.
#include "worker/cli/verify_blocks.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>

#include "node/protocol/json_reader.h"
#include "worker/cli/command.h"
#include "worker/cli/offline.h"

namespace sparkmill::cli {
namespace {

using Json = nlohmann::json;
using evidence::System;

constexpr std::size_t kMaxLine = 64u << 20;
constexpr std::size_t kBatchItems = 1024;
constexpr std::size_t kBatchBytes = 16u << 20;

constexpr OwnOption kOwn[] = {
    {"system", "NAME", "bttc or btn (default: what the first item looks like)"},
    {"policy", "NAME", "BTTC: whose rules decide, contract or canonical (default: contract)"},
    {"rule", "NAME", "BTTC: what is counted, count or stake (default: count)"},
    {"output", "FORM",
     "on stdout: jsonl (a line an item), invalid (only what was refused or malformed), summary (one JSON line), none "
     "(default: jsonl)"},
    {"backend", "ROW", "kernel row for the signatures, for example cpu/avx2 (default: the best of the CPU)"},
    {"quiet", "", "no progress and no summary on stderr"},
};
constexpr Usage kUsage = {
    "verify-blocks",
    "FILE|-",
    "Checks blocks, checkpoints, seals and other consensus evidence: JSON lines of {\"kind\": .., \"in\": ..} "
    "(docs/blocks.md). Each answer says the first check that failed. Exit 11 says that something was refused, 0 that "
    "nothing was, 13 that an item is malformed, 12 that it was stopped.",
    kOwn,
    1,
    false};

constexpr BlocksSystem kSystems[] = {
    {"bttc", "checkpoints, signers, block and receipt proofs, exits, events",
     [](const Json& item) { return evidence::is_item(System::bttc, item); }, make_bttc_checker},
    {"btn", "draws, committees, block states, equivocation, command frames",
     [](const Json& item) { return evidence::is_item(System::btn, item); }, make_btn_checker},
};

/// Lines of a file or of standard input; holds one line and what was read behind it.
class Lines {
 public:
  static Result<Lines> open(const std::string& path) {
    Lines lines;
    lines.name_ = path == "-" ? "standard input" : path;
    lines.file_.reset(path == "-" ? stdin : std::fopen(path.c_str(), "rb"));
    if (lines.file_ != nullptr) return lines;
    return errno_error(errno, path);
  }
  /// False at the end. Errors: io_error, too_large.
  Result<bool> next(std::string& line) {
    line.clear();
    while (true) {
      const auto* end = static_cast<const char*>(std::memchr(buffer_.data() + at_, '\n', filled_ - at_));
      const std::size_t stop = end != nullptr ? static_cast<std::size_t>(end - buffer_.data()) : filled_;
      line.append(buffer_, at_, stop - at_);
      at_ = stop + (end != nullptr ? 1 : 0);
      if (line.size() > kMaxLine) return fail(Status::too_large, name_ + ": a line over 64 MiB");
      if (end != nullptr) return true;
      at_ = 0;
      filled_ = std::fread(buffer_.data(), 1, buffer_.size(), file_.get());
      if (filled_ != 0) continue;
      if (std::ferror(file_.get()) != 0) return errno_error(errno, name_);
      return !line.empty();
    }
  }

 private:
  struct Close {
    void operator()(std::FILE* f) const {
      if (f != stdin) std::fclose(f);
    }
  };
  std::unique_ptr<std::FILE, Close> file_;
  std::string name_;
  std::string buffer_ = std::string(1u << 20, '\0');
  std::size_t at_ = 0, filled_ = 0;
};

struct Totals {
  std::uint64_t items = 0, ok = 0, refused = 0, malformed = 0;
};

enum class Output { jsonl, invalid, summary, none };
Result<Output> parse_output(const std::string& text) {
  static constexpr std::pair<std::string_view, Output> kForms[] = {
      {"jsonl", Output::jsonl}, {"invalid", Output::invalid}, {"summary", Output::summary}, {"none", Output::none}};
  for (const auto& [name, output] : kForms) {
    if (text == name) return output;
  }
  return fail(Status::bad_argument, "--output: '" + text.substr(0, 40) + "' is unknown",
              "jsonl, invalid, summary or none");
}

std::string in_json(std::string_view text) { return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace); }

/// One run over the input.
class Checker {
 public:
  Checker(const Args& args, Output output, StopToken stop) : args_(args), output_(output), stop_(std::move(stop)) {}

  Result<Totals> run(Lines& lines, Progress& progress) {
    std::string line;
    while (true) {
      if (stop_.stop_requested()) return fail(Status::cancelled, "stopped");
      SPARKMILL_ASSIGN(const bool more, lines.next(line));
      if (more) SPARKMILL_TRY(take(line));
      if (!more || entries_.size() >= kBatchItems || bytes_ >= kBatchBytes) {
        progress.add(entries_.size());
        SPARKMILL_TRY(flush());
      }
      if (!more) return totals_;
    }
  }
  std::string rows() const { return checker_ != nullptr ? checker_->rows() : "nothing"; }

 private:
  /// A line that waits for its batch.
  struct Entry {
    std::string head;  ///< "line", "id" and "kind" of its answer
    Error error;       ///< why it is no item; then it is not among items_
    bool item = true;
  };

  Done take(const std::string& text) {
    ++line_;
    if (text.find_first_not_of(" \t\r") == text.npos) return done();
    bytes_ += text.size();
    std::string head = "{\"line\":" + std::to_string(line_);
    auto item = protocol::parse_object(text, "line " + std::to_string(line_), kMaxLine);
    if (!item) {
      entries_.push_back({std::move(head), item.error(), false});
      return done();
    }
    if (checker_ == nullptr) SPARKMILL_TRY(choose(*item));
    if (const auto id = item->find("id"); id != item->end() && (id->is_number() || id->is_string())) {
      head += ",\"id\":" + (id->is_string() ? in_json(id->get_ref<const std::string&>()) : id->dump());
    }
    if (const auto kind = item->find("kind"); kind != item->end() && kind->is_string()) {
      head += ",\"kind\":" + in_json(kind->get_ref<const std::string&>());
    }
    items_.push_back(std::move(*item));
    entries_.push_back({std::move(head), {}, true});
    return done();
  }

  Done choose(const Json& first) {
    const std::string wanted = args_.get("system");
    std::string known;
    for (const BlocksSystem& system : blocks_systems()) {
      if (wanted.empty() ? system.fits(first) : system.name == wanted) {
        SPARKMILL_ASSIGN(checker_, system.make(args_));
        return done();
      }
      known += (known.empty() ? "" : "; ") + std::string(system.name) + ": " + std::string(system.about);
    }
    if (!wanted.empty())
      return fail(Status::bad_argument, "--system: '" + wanted.substr(0, 40) + "' is unknown", known);
    return fail(Status::bad_input, "line " + std::to_string(line_) + ": an item of no known system",
                "--system NAME; " + known);
  }

  Done flush() {
    std::vector<evidence::Answer> answers;
    if (!items_.empty()) {
      SPARKMILL_ASSIGN(answers, checker_->check(items_, stop_));
    }
    std::size_t next = 0;
    for (Entry& e : entries_) {
      evidence::Answer malformed;
      malformed.error = std::move(e.error);
      SPARKMILL_TRY(tell(e.head, e.item ? answers[next++] : malformed));
    }
    entries_.clear();
    items_.clear();
    bytes_ = 0;
    return done();
  }

  Done tell(const std::string& head, const evidence::Answer& a) {
    ++totals_.items;
    ++(!a.read() ? totals_.malformed : a.ok ? totals_.ok : totals_.refused);
    if (output_ == Output::summary || output_ == Output::none || (output_ == Output::invalid && a.read() && a.ok)) {
      return done();
    }
    if (!a.read()) return print(head + ",\"error\":" + in_json(a.error.message) + "}\n");
    return print(head + ",\"ok\":" + (a.ok ? "true" : "false") + ",\"reason\":" + in_json(a.reason) +
                 ",\"answer\":" + a.json + "}\n");
  }

  static Done print(const std::string& text) {
    if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size()) return done();
    return fail(Status::io_error, "stdout does not take the verdicts");
  }

  const Args& args_;
  const Output output_;
  const StopToken stop_;
  std::unique_ptr<BlocksChecker> checker_;
  std::vector<Entry> entries_;
  std::vector<Json> items_;
  std::size_t bytes_ = 0;
  std::uint64_t line_ = 0;
  Totals totals_;
};

std::string summary_line(const Totals& t, const std::string& rows, double seconds) {
  char numbers[224];
  std::snprintf(numbers, sizeof numbers,
                "{\"items\":%llu,\"ok\":%llu,\"refused\":%llu,\"malformed\":%llu,\"seconds\":%.6g,"
                "\"items_per_second\":%.6g,\"rows\":",
                static_cast<unsigned long long>(t.items), static_cast<unsigned long long>(t.ok),
                static_cast<unsigned long long>(t.refused), static_cast<unsigned long long>(t.malformed), seconds,
                static_cast<double>(t.items) / std::max(seconds, 1e-9));
  return numbers + in_json(rows) + "}\n";
}

Result<Totals> verify_blocks(const Args& args) {
  if (args.words.empty()) {
    return fail(Status::bad_argument, "no file is named", "sparkmill verify-blocks FILE, or - for standard input");
  }
  SPARKMILL_ASSIGN(const Output output, parse_output(args.get("output", "jsonl")));
  SPARKMILL_ASSIGN(Lines lines, Lines::open(args.words[0]));
  const bool quiet = args.has("quiet");
  Progress progress("verify-blocks", "items", 0, quiet);
  Checker checker(args, output, stop_on_signal());
  SPARKMILL_ASSIGN(const Totals totals, checker.run(lines, progress));
  if (output == Output::summary) std::fputs(summary_line(totals, checker.rows(), progress.seconds()).c_str(), stdout);
  if (std::fflush(stdout) != 0) return fail(Status::io_error, "stdout does not take the verdicts");
  progress.finish();
  if (!quiet) {
    std::fprintf(stderr, "verify-blocks: %s: %llu ok, %llu refused, %llu malformed\n", checker.rows().c_str(),
                 static_cast<unsigned long long>(totals.ok), static_cast<unsigned long long>(totals.refused),
                 static_cast<unsigned long long>(totals.malformed));
  }
  return totals;
}

}  // namespace

std::span<const BlocksSystem> blocks_systems() { return kSystems; }

int run_verify_blocks(std::span<const std::string> args) {
  auto parsed = parse_args(kUsage, args);
  if (!parsed) return report("verify-blocks", parsed.error());
  if (parsed->help) return 0;
  const auto totals = verify_blocks(*parsed);
  if (!totals) return report("verify-blocks", totals.error());
  if (totals->malformed != 0) return exit_code(Status::bad_input);
  return totals->refused != 0 ? exit_code(Status::mismatch) : 0;
}

}  // namespace sparkmill::cli

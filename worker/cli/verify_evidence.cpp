// SPDX-License-Identifier: Apache-2.0
// BTTC and BTN in `sparkmill verify-blocks`: JSON lines in, a JSON line an item out, batches in between.
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>

#include "node/protocol/json_reader.h"
#include "verify/blocks/evidence/evidence.h"
#include "worker/cli/offline.h"
#include "worker/cli/verify_blocks.h"

namespace sparkmill::cli {
namespace {

using Json = nlohmann::json;
using evidence::System;
using kernels::Family;

constexpr std::size_t kMaxLine = 64u << 20;
constexpr std::size_t kBatchItems = 1024;
constexpr std::size_t kBatchBytes = 16u << 20;

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

Result<bool> either(const Args& args, const char* option, std::string_view first, std::string_view second) {
  const std::string text = args.get(option, std::string(first));
  if (text == first || text == second) return text == second;
  return fail(Status::bad_argument, std::string("--") + option + ": '" + text.substr(0, 40) + "' is unknown",
              std::string(first) + " or " + std::string(second));
}

/// Items of one system on rows of this machine.
class EvidenceChecker {
 public:
  static Result<std::unique_ptr<EvidenceChecker>> make(System system, const Args& args) {
    auto checker = std::make_unique<EvidenceChecker>();
    checker->system_ = system;
    SPARKMILL_ASSIGN(checker->options_.canonical, either(args, "policy", "contract", "canonical"));
    SPARKMILL_ASSIGN(checker->options_.stake, either(args, "rule", "count", "stake"));
    const Family family = system == System::bttc ? Family::secp256k1 : Family::rsa;
    SPARKMILL_ASSIGN(checker->signatures_, tested_kernel(family, args.get("backend")));
    SPARKMILL_ASSIGN(checker->hash_, tested_kernel(Family::hash, {}));
    return checker;
  }
  Result<std::vector<evidence::Answer>> check(std::span<const Json> items, const StopToken& stop) {
    const evidence::Kernels kernels{dynamic_cast<hashes::Kernel*>(hash_.kernel.get()),
                                    dynamic_cast<secp256k1::Kernel*>(signatures_.kernel.get()),
                                    dynamic_cast<rsa::Kernel*>(signatures_.kernel.get())};
    return evidence::answer(system_, items, kernels, options_, stop);
  }
  std::string rows() const { return signatures_.row + ", " + hash_.row; }

 private:
  System system_ = System::bttc;
  evidence::Options options_;
  TestedKernel signatures_, hash_;
};

struct Totals {
  std::uint64_t items = 0, ok = 0, refused = 0, malformed = 0;
};

std::string in_json(std::string_view text) { return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace); }

/// One run over the input.
class Checker {
 public:
  Checker(const Args& args, StopToken stop) : args_(args), only_invalid_(args.has("invalid")), stop_(std::move(stop)) {}

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
    for (const System system : {System::bttc, System::btn}) {
      if (wanted.empty() ? !evidence::is_item(system, first) : wanted != evidence::name(system)) continue;
      SPARKMILL_ASSIGN(checker_, EvidenceChecker::make(system, args_));
      return done();
    }
    std::string known;
    for (const System system : {System::bttc, System::btn}) {
      known += (known.empty() ? "" : "; ") + std::string(evidence::name(system)) + ":";
      for (const std::string_view kind : evidence::kinds(system)) known += " " + std::string(kind);
    }
    return fail(Status::bad_input, "line " + std::to_string(line_) + ": \"kind\" is of no system",
                "--system NAME, or one of " + known);
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
    if (only_invalid_ && a.read() && a.ok) return done();
    if (!a.read()) return print(head + ",\"error\":" + in_json(a.error.message) + "}\n");
    return print(head + ",\"ok\":" + (a.ok ? "true" : "false") + ",\"reason\":" + in_json(a.reason) +
                 ",\"answer\":" + a.json + "}\n");
  }

  static Done print(const std::string& text) {
    if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size()) return done();
    return fail(Status::io_error, "stdout does not take the verdicts");
  }

  const Args& args_;
  const bool only_invalid_;
  const StopToken stop_;
  std::unique_ptr<EvidenceChecker> checker_;
  std::vector<Entry> entries_;
  std::vector<Json> items_;
  std::size_t bytes_ = 0;
  std::uint64_t line_ = 0;
  Totals totals_;
};

}  // namespace

Result<TestedKernel> tested_kernel(Family family, const std::string& backend) {
  SPARKMILL_ASSIGN(const kernels::Device device, device_for(family, backend));
  SPARKMILL_ASSIGN(const kernels::Choice choice, kernels::choose(family, device, backend));
  SPARKMILL_ASSIGN(std::unique_ptr<kernels::Kernel> kernel, kernels::make_tested(*choice.row, device));
  return TestedKernel{std::move(kernel), choice.row->id()};
}

Result<int> verify_evidence(const Args& args) {
  SPARKMILL_ASSIGN(Lines lines, Lines::open(args.words[0]));
  const bool quiet = args.has("quiet");
  Progress progress("verify-blocks", "items", 0, quiet);
  Checker checker(args, stop_on_signal());
  SPARKMILL_ASSIGN(const Totals totals, checker.run(lines, progress));
  if (std::fflush(stdout) != 0) return fail(Status::io_error, "stdout does not take the verdicts");
  progress.finish();
  if (!quiet) {
    std::fprintf(stderr, "verify-blocks: %s: %llu valid, %llu refused, %llu malformed\n", checker.rows().c_str(),
                 static_cast<unsigned long long>(totals.ok), static_cast<unsigned long long>(totals.refused),
                 static_cast<unsigned long long>(totals.malformed));
  }
  if (totals.malformed != 0) return exit_code(Status::bad_input);
  return totals.refused != 0 ? exit_code(Status::mismatch) : 0;
}

}  // namespace sparkmill::cli

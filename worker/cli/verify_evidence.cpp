// SPDX-License-Identifier: Apache-2.0
// BTTC and BTN in `sparkmill verify-blocks`: JSON lines in, a JSON line an item out. One thread reads lines, each lane
// parses, checks and words a chunk of them, the answers are printed in the order of the lines.
#include <cstdio>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/ordered_stages.h"
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
constexpr std::size_t kChunkItems = 1024;
constexpr std::size_t kChunkBytes = 512u << 10;
constexpr std::size_t kKeptBytes = 2 * kChunkBytes;  ///< memory that a chunk keeps for its next lines
/// Values of a text take some twenty times its room: texts from here on are parsed one at a time, whatever the lanes.
constexpr std::size_t kHeavyBytes = 2 * kChunkBytes;

Result<bool> either(const Args& args, const char* option, std::string_view first, std::string_view second) {
  const std::string text = args.get(option, std::string(first));
  if (text == first || text == second) return text == second;
  return fail(Status::bad_argument, std::string("--") + option + ": '" + text.substr(0, 40) + "' is unknown",
              std::string(first) + " or " + std::string(second));
}

struct Totals {
  std::uint64_t items = 0, ok = 0, refused = 0, malformed = 0;
  Totals& operator+=(const Totals& other) {
    items += other.items;
    ok += other.ok;
    refused += other.refused;
    malformed += other.malformed;
    return *this;
  }
};

/// Lines that are checked together, and what comes of them.
struct Chunk {
  struct Line {
    std::uint64_t number = 0;
    std::size_t begin = 0, end = 0;  ///< in text
  };
  std::string text;
  std::vector<Line> lines;
  std::string answers;
  Totals totals;
};

bool blank(std::string_view line) { return line.find_first_not_of(" \t\r") == line.npos; }

std::string in_json(std::string_view text) { return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace); }

Result<Json> parse(std::string_view text, std::uint64_t number) {
  return protocol::parse_object(text, "line " + std::to_string(number), kMaxLine);
}

/// Lines to chunks. A line that was looked at first comes first.
class Reader {
 public:
  explicit Reader(Input& input) : input_(input) {}

  /// The next line that is not blank stays here for next(); false at the end.
  Result<bool> look() {
    while (!ahead_) {
      SPARKMILL_ASSIGN(const bool more, input_.line(line_, kMaxLine));
      if (!more) return false;
      ahead_ = !blank(line_);
    }
    return true;
  }
  const std::string& line() const { return line_; }
  void drop() { ahead_ = false; }  ///< the line that look() found
  std::uint64_t number() const { return input_.line_number(); }

  ReadStep next(Chunk& chunk) {
    chunk.text.clear();
    chunk.lines.clear();
    if (chunk.text.capacity() > kKeptBytes) chunk.text.shrink_to_fit();
    ReadStep step;
    while (chunk.lines.size() < kChunkItems && chunk.text.size() < kChunkBytes) {
      const auto more = look();
      if (!more) step.how = more.error();
      step.end = !more || !*more;
      if (step.end) break;
      ahead_ = false;
      chunk.lines.push_back({number(), chunk.text.size(), chunk.text.size() + line_.size()});
      chunk.text += line_;
    }
    if (line_.capacity() > kKeptBytes) line_ = {};
    step.weight = chunk.text.size();
    return step;
  }

 private:
  Input& input_;
  std::string line_;
  bool ahead_ = false;
};

/// What all lanes go by.
struct Rules {
  System system = System::bttc;
  evidence::Options options;
  bool only_invalid = false;
  std::mutex heavy;
};

/// One lane: chunks of lines on kernels of its own.
class Lane {
 public:
  static Result<std::unique_ptr<Lane>> make(Rules& rules, const std::string& backend) {
    auto lane = std::make_unique<Lane>();
    lane->rules_ = &rules;
    const Family family = rules.system == System::bttc ? Family::secp256k1 : Family::rsa;
    SPARKMILL_ASSIGN(lane->signatures_, tested_kernel(family, backend));
    SPARKMILL_ASSIGN(lane->hash_, tested_kernel(Family::hash, {}));
    lane->kernels_ = {dynamic_cast<hashes::Kernel*>(lane->hash_.kernel.get()),
                      dynamic_cast<secp256k1::Kernel*>(lane->signatures_.kernel.get()),
                      dynamic_cast<rsa::Kernel*>(lane->signatures_.kernel.get())};
    return lane;
  }
  std::string rows() const { return signatures_.row + ", " + hash_.row; }

  /// Fills chunk.answers and chunk.totals. Errors: cancelled, those of the kernels.
  Done work(Chunk& chunk, const StopToken& stop) {
    std::unique_lock heavy(rules_->heavy, std::defer_lock);
    if (chunk.text.size() > kHeavyBytes) heavy.lock();
    heads_.clear();
    items_.clear();
    chunk.answers.clear();
    chunk.totals = {};
    for (const Chunk::Line& line : chunk.lines) {
      if (stop.stop_requested()) return fail(Status::cancelled, "stopped");
      read(std::string_view(chunk.text).substr(line.begin, line.end - line.begin), line.number);
    }
    SPARKMILL_ASSIGN(const auto answers, evidence::answer(rules_->system, items_, kernels_, rules_->options, stop));
    std::size_t next = 0;
    for (const Head& head : heads_) tell(head, head.error ? nullptr : &answers[next++], chunk);
    items_.clear();
    return done();
  }

 private:
  struct Head {
    std::string text;            ///< "line", "id" and "kind" of the answer
    std::optional<Error> error;  ///< why the line is no item; then it is not among items_
  };

  void read(std::string_view text, std::uint64_t number) {
    Head& head = heads_.emplace_back();
    head.text = "{\"line\":" + std::to_string(number);
    auto item = parse(text, number);
    if (!item) {
      head.error = item.error();
      return;
    }
    if (const auto id = item->find("id"); id != item->end() && (id->is_number() || id->is_string())) {
      head.text += ",\"id\":" + (id->is_string() ? in_json(id->get_ref<const std::string&>()) : id->dump());
    }
    if (const auto kind = item->find("kind"); kind != item->end() && kind->is_string()) {
      head.text += ",\"kind\":" + in_json(kind->get_ref<const std::string&>());
    }
    items_.push_back(std::move(*item));
  }

  void tell(const Head& head, const evidence::Answer* answer, Chunk& chunk) const {
    Totals& t = chunk.totals;
    ++t.items;
    if (answer == nullptr || !answer->read()) {
      ++t.malformed;
      const Error& error = answer == nullptr ? *head.error : answer->error;
      chunk.answers += head.text + ",\"error\":" + in_json(error.message) + "}\n";
      return;
    }
    ++(answer->ok ? t.ok : t.refused);
    if (rules_->only_invalid && answer->ok) return;
    chunk.answers += head.text;
    chunk.answers += answer->ok ? ",\"ok\":true,\"reason\":" : ",\"ok\":false,\"reason\":";
    chunk.answers += in_json(answer->reason) + ",\"answer\":" + answer->json + "}\n";
  }

  Rules* rules_ = nullptr;
  TestedKernel signatures_, hash_;
  evidence::Kernels kernels_;
  std::vector<Head> heads_;
  std::vector<Json> items_;
};

Done print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size()) return done();
  return fail(Status::io_error, "stdout does not take the verdicts");
}

/// The system that --system names, or else that of the first line that is an object. Lines before it are counted and
/// answered here. Nothing: there is no such line.
Result<std::optional<System>> choose_system(const std::string& wanted, Reader& reader, Totals& totals) {
  for (const System system : {System::bttc, System::btn}) {
    if (wanted == evidence::name(system)) return std::optional(system);
  }
  while (true) {
    SPARKMILL_ASSIGN(const bool more, reader.look());
    if (!more) return std::optional<System>();
    const auto item = parse(reader.line(), reader.number());
    if (item) {
      SPARKMILL_ASSIGN(const System system, system_of(*item, "line " + std::to_string(reader.number())));
      return std::optional(system);
    }
    ++totals.items;
    ++totals.malformed;
    SPARKMILL_TRY(
        print("{\"line\":" + std::to_string(reader.number()) + ",\"error\":" + in_json(item.error().message) + "}\n"));
    reader.drop();
  }
}

/// How many lanes: all of the device that signatures run on, unless --threads says.
Result<std::size_t> lane_count(const Args& args, System system) {
  SPARKMILL_ASSIGN(const std::uint64_t threads, number_option("threads", args.get("threads", "0"), 0, 1024));
  if (threads != 0) return static_cast<std::size_t>(threads);
  const Family family = system == System::bttc ? Family::secp256k1 : Family::rsa;
  SPARKMILL_ASSIGN(const kernels::Device device, device_for(family, args.get("backend")));
  return static_cast<std::size_t>(std::max(1u, device.lanes));
}

}  // namespace

Result<TestedKernel> tested_kernel(Family family, const std::string& backend) {
  SPARKMILL_ASSIGN(const kernels::Device device, device_for(family, backend));
  SPARKMILL_ASSIGN(const kernels::Choice choice, kernels::choose(family, device, backend));
  SPARKMILL_ASSIGN(std::unique_ptr<kernels::Kernel> kernel, kernels::make_tested(*choice.row, device));
  return TestedKernel{std::move(kernel), choice.row->id()};
}

Result<evidence::Options> evidence_options(const Args& args) {
  evidence::Options options;
  SPARKMILL_ASSIGN(options.canonical, either(args, "policy", "contract", "canonical"));
  SPARKMILL_ASSIGN(options.stake, either(args, "rule", "count", "stake"));
  return options;
}

Result<System> system_of(const Json& item, const std::string& where) {
  std::string known;
  for (const System system : {System::bttc, System::btn}) {
    if (evidence::is_item(system, item)) return system;
    known += (known.empty() ? "" : "; ") + std::string(evidence::name(system)) + ":";
    for (const std::string_view kind : evidence::kinds(system)) known += " " + std::string(kind);
  }
  return fail(Status::bad_input, where + ": \"kind\" is of no system", "--system NAME, or one of " + known);
}

Result<int> verify_evidence(const Args& args, Input& input, const StopToken& stop) {
  const bool quiet = args.has("quiet");
  Rules rules;
  SPARKMILL_ASSIGN(rules.options, evidence_options(args));
  rules.only_invalid = args.has("invalid");
  Progress progress("verify-blocks", "items", 0, quiet);
  Reader reader(input);
  Totals totals;
  SPARKMILL_ASSIGN(const auto system, choose_system(args.get("system"), reader, totals));
  std::vector<std::unique_ptr<Lane>> lanes;
  if (system) {
    rules.system = *system;
    SPARKMILL_ASSIGN(const std::size_t count, lane_count(args, *system));
    while (lanes.size() < count) {
      SPARKMILL_ASSIGN(auto lane, Lane::make(rules, args.get("backend")));
      lanes.push_back(std::move(lane));
    }
    OrderedStages<Chunk> stages;
    stages.make = [] { return std::make_unique<Chunk>(); };
    stages.read = [&](Chunk& chunk) { return reader.next(chunk); };
    stages.work = [&](Chunk& chunk, std::size_t lane) { return lanes[lane]->work(chunk, stop); };
    stages.take = [&](const Chunk& chunk) -> Done {
      totals += chunk.totals;
      progress.add(chunk.totals.items);
      return print(chunk.answers);
    };
    // Chunks of usual lines always fit; of long ones fewer are in flight.
    SPARKMILL_TRY(run_ordered(stages, count, (2 * count + 2) * kChunkBytes, stop));
  }
  if (totals.items == 0) return fail(Status::bad_input, input.name() + ": there is no item in it");
  if (std::fflush(stdout) != 0) return fail(Status::io_error, "stdout does not take the verdicts");
  progress.finish();
  if (!quiet) {
    std::fprintf(stderr, "verify-blocks: %s on %s, %zu lane(s): %llu valid, %llu refused, %llu malformed\n",
                 system ? std::string(evidence::name(*system)).c_str() : "nothing",
                 lanes.empty() ? "nothing" : lanes.front()->rows().c_str(), lanes.size(),
                 static_cast<unsigned long long>(totals.ok), static_cast<unsigned long long>(totals.refused),
                 static_cast<unsigned long long>(totals.malformed));
  }
  if (totals.malformed != 0) return exit_code(Status::bad_input);
  return totals.refused != 0 ? exit_code(Status::mismatch) : 0;
}

}  // namespace sparkmill::cli

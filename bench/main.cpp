// SPDX-License-Identifier: Apache-2.0
// sparkmill-bench: checks each row against the oracle, times it on a pinned core beside the ceiling of its unit, and
// prints a table (stderr) and JSON.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/file.h"
#include "bench/blocks/blocks.h"
#include "bench/compare.h"
#include "bench/kernels/ecvrf.h"
#include "bench/kernels/ed25519.h"
#include "bench/kernels/hash.h"
#include "bench/kernels/match.h"
#include "bench/kernels/rsa.h"
#include "bench/kernels/secp256k1.h"
#include "bench/kernels/tensority.h"
#include "bench/machine_card.h"
#include "bench/measure.h"
#include "bench/page/page.h"
#include "bench/report.h"

namespace sparkmill::bench {
namespace {

constexpr const char* kUsage =
    "usage: sparkmill bench [--json FILE] [--filter REGEX] [--list] [--repetitions N] [--seconds S] [--core N]\n"
    "       sparkmill bench compare A.json B.json\n"
    "       sparkmill bench report DIR FILE|FOLDER...\n"
    "  --json FILE      results as JSON (\"-\": standard output)\n"
    "  --filter REGEX   only benchmarks whose name matches\n"
    "  --list           names of the benchmarks, nothing is run\n"
    "  --repetitions N  repetitions of each, 2 to 1000 (default 8; the first, cold one is not counted)\n"
    "  --seconds S      timed seconds a repetition, 0.001 to 60 (default 0.1)\n"
    "  --core N         pin to this core (default: the last one allowed)\n"
    "  compare          two result files, line by line: faster, slower, or the same within noise\n"
    "  report           DIR/index.html with the kernels of all result files side by side, and DIR/*.svg\n";

struct Options {
  std::string json, filter = ".";
  bool list = false;
  int repetitions = 8;
  double seconds = 0.1;
  int core = -1;
};

/// Keeps every repetition but the cold first, and passes everything on to Google Benchmark's own JSON writer.
class Collector final : public benchmark::BenchmarkReporter {
 public:
  Collector() { writer_.SetOutputStream(&text_), writer_.SetErrorStream(&text_); }
  bool ReportContext(const Context& context) override { return writer_.ReportContext(context); }
  void ReportRuns(const std::vector<Run>& runs) override {
    writer_.ReportRuns(runs);
    std::vector<Series> series;
    for (const Run& run : runs) {
      if (run.run_type != Run::RT_Iteration || run.repetition_index == 0) continue;
      for (const auto& [counter, value] : run.counters) {
        const std::string name = run.run_name.function_name + "/" + counter;
        Series* found = nullptr;
        for (Series& s : series) found = s.name == name ? &s : found;
        if (found == nullptr) found = &series.emplace_back(Series{name, {}});
        found->samples.push_back(value.value);
      }
    }
    for (Series& s : series) {
      std::fprintf(stderr, "%-70s %s\n", s.name.c_str(), format_value(median(s.samples)).c_str());
      Report::instance().add(std::move(s));
    }
  }
  void Finalize() override { writer_.Finalize(); }
  std::string text() const { return text_.str(); }

 private:
  std::ostringstream text_;
  benchmark::JSONReporter writer_;
};

int usage(const std::string& problem) {
  std::fprintf(stderr, "sparkmill bench: %s\n%s", problem.c_str(), kUsage);
  return exit_code(Status::bad_argument);
}

bool number(const char* text, double low, double high, double& out) {
  char* end = nullptr;
  out = std::strtod(text, &end);
  return end != text && *end == 0 && out >= low && out <= high;
}

/// Error text, or empty.
std::string parse(int argc, char** argv, Options& o) {
  for (int k = 1; k < argc; ++k) {
    const std::string arg = argv[k];
    if (arg == "--list") {
      o.list = true;
      continue;
    }
    if (arg != "--json" && arg != "--filter" && arg != "--repetitions" && arg != "--seconds" && arg != "--core") {
      return "unknown option " + arg;
    }
    if (++k == argc) return arg + " needs a value";
    double value = 0;
    if (arg == "--json") {
      o.json = argv[k];
    } else if (arg == "--filter") {
      o.filter = argv[k];
    } else if (!number(argv[k],
                       arg == "--core"      ? 0
                       : arg == "--seconds" ? 0.001
                                            : 2,
                       arg == "--seconds" ? 60 : 1000, value)) {
      return arg + ": " + argv[k] + " is not a number in its range";
    } else if (arg == "--seconds") {
      o.seconds = value;
    } else {
      (arg == "--core" ? o.core : o.repetitions) = static_cast<int>(value);
    }
  }
  return {};
}

int run_compare(int argc, char** argv) {
  if (argc != 4) return usage("compare takes two result files");
  const auto a = read_results(argv[2]);
  const auto b = read_results(argv[3]);
  for (const auto* result : {&a, &b}) {
    if (result->ok()) continue;
    std::fprintf(stderr, "sparkmill bench: %s\n%s\n", result->error().message.c_str(), result->error().hint.c_str());
    return exit_code(result->status());
  }
  std::fputs(compare(*a, *b).c_str(), stdout);
  return 0;
}

int run_report(int argc, char** argv) {
  if (argc < 4) return usage("report takes a folder for the page and at least one result file");
  const std::vector<std::string> inputs(argv + 3, argv + argc);
  const auto written = write_page(argv[2], inputs);
  if (!written) {
    std::fprintf(stderr, "sparkmill bench: %s\n%s\n", written.error().message.c_str(), written.error().hint.c_str());
    return exit_code(written.status());
  }
  if (!written->empty()) std::fprintf(stderr, "no figures: %s\n", written->c_str());
  std::printf("%s/index.html\n", argv[2]);
  return 0;
}

/// Hands our options to Google Benchmark, which appends "/manual_time" to each name.
void initialize(Options o) {
  if (!o.filter.empty() && o.filter.back() == '$') o.filter.insert(o.filter.size() - 1, "(/manual_time)");
  static char name[] = "sparkmill-bench";  // the library keeps this pointer
  std::vector<std::string> words{"--benchmark_filter=" + o.filter,
                                 "--benchmark_repetitions=" + std::to_string(o.repetitions),
                                 "--benchmark_min_time=" + std::to_string(o.seconds),
                                 "--benchmark_list_tests=" + std::string(o.list ? "true" : "false")};
  std::vector<char*> argv{name};
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  int argc = static_cast<int>(words.size()) + 1;
  benchmark::Initialize(&argc, argv.data());
}

int write_json(const Options& o, const std::string& google, nlohmann::json machine) {
  nlohmann::json all = nlohmann::json::parse(google, nullptr, false);
  if (!all.is_object()) all = nlohmann::json::object();
  all["schema"] = 1;
  all["machine"] = std::move(machine);
  all["rows"] = Report::instance().rows();
  all["ratios"] = Report::instance().ratios();
  const std::string text = all.dump(1) + "\n";
  if (o.json == "-") {
    std::fputs(text.c_str(), stdout);
    return 0;
  }
  const Done written = write_file_atomic(o.json, view(text));
  if (written) return 0;
  std::fprintf(stderr, "sparkmill bench: %s\n", written.error().message.c_str());
  return exit_code(written.status());
}

int run(const Options& o) {
  std::vector<unsigned> cores = allowed_cores();
  if (o.core >= 0) {
    const auto wanted = static_cast<unsigned>(o.core);
    const auto at = std::find(cores.begin(), cores.end(), wanted);
    if (at == cores.end()) return usage("--core: this process may not use core " + std::to_string(o.core));
    std::rotate(at, at + 1, cores.end());
  }
  const nlohmann::json machine = machine_card(cores.empty() ? 0 : cores.back());
  if (!cores.empty() && !pin_to(cores.back())) std::fprintf(stderr, "not pinned: the system refused\n");
  register_match(cores);
  register_tensority(cores);
  register_ed25519(cores);
  register_ecvrf();
  register_secp256k1(cores);
  register_rsa(cores);
  register_hash();
  register_bytom(cores);
  register_evidence();
  register_proofs();
  register_peers();
  if (*peers_absent() != 0) std::fprintf(stderr, "no peers: %s\n", peers_absent());
  initialize(o);
  if (!o.list) std::fprintf(stderr, "machine: %s\n", machine.dump().c_str());
  Collector collector;
  if (benchmark::RunSpecifiedBenchmarks(&collector) == 0) return usage("no benchmark matches " + o.filter);
  if (o.list) return 0;
  std::fprintf(stderr, "\n%s", Report::instance().table().c_str());
  if (!o.json.empty()) {
    if (const int code = write_json(o, collector.text(), machine); code != 0) return code;
  }
  for (const Failure& f : Report::instance().failures()) {
    if (f.wrong_result) return exit_code(Status::mismatch);
  }
  return 0;
}

}  // namespace
}  // namespace sparkmill::bench

int main(int argc, char** argv) {
  using namespace sparkmill::bench;
  if (argc > 1 && (std::strcmp(argv[1], "--help") == 0 || std::strcmp(argv[1], "help") == 0)) {
    std::fputs(kUsage, stdout);
    return 0;
  }
  if (argc > 1 && std::strcmp(argv[1], "compare") == 0) return run_compare(argc, argv);
  if (argc > 1 && std::strcmp(argv[1], "report") == 0) return run_report(argc, argv);
  Options options;
  if (const std::string problem = parse(argc, argv, options); !problem.empty()) return usage(problem);
  return run(options);
}

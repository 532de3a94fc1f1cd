// SPDX-License-Identifier: Apache-2.0
// `sparkmill verify-batch`: a file or stream of signatures of one scheme and policy, decided on kernel rows.
#include "worker/cli/verify_batch.h"

#include <algorithm>
#include <cstdio>

#include "base/hash.h"
#include "base/hex.h"
#include "kernels/registry.h"
#include "verify/signatures/signers/generate.h"
#include "verify/signatures/zip215_batch.h"
#include "worker/cli/args.h"
#include "worker/cli/command.h"
#include "worker/cli/offline.h"
#include "worker/cli/table.h"

namespace sparkmill::cli {
namespace {

using signatures::Form;

constexpr OwnOption kOwn[] = {
    {"scheme", "NAME", "ed25519, ecdsa, ecdsa_recover, ecdsa_address, bip340, musig2, rsa2048, ecvrf"},
    {"policy", "NAME", "whose rules, for example bytom_legacy (default: the scheme's first)"},
    {"list", "", "instead: print every scheme and policy with its sizes"},
    {"output", "FORM",
     "on stdout: jsonl (a line an item), invalid (only those), bitmap (bytes), summary (one JSON "
     "line), none. Default: jsonl for JSON lines, summary for packed streams"},
    {"plan", "singles|batch",
     "ed25519 zip215 only: each item by its own equation (default), or the randomised batch "
     "equation, which gives the same verdicts"},
    {"backend", "ROW", "kernel row, for example cpu/avx2 (default: the best that runs)"},
    {"threads", "N", "lanes to use (default: all of the device)"},
    {"quiet", "", "no progress and no summary on stderr"},
    {"generate", "N",
     "instead: write a stream of N signatures to stdout, drawn again and again from a pool that is "
     "signed first; needs --scheme"},
    {"format", "packed|jsonl", "with --generate: form of the stream (default packed)"},
    {"pool", "N", "with --generate: how many different signatures (default 4096)"},
    {"bad", "N",
     "with --generate: one in N of the pool is bad, in every way that the scheme knows; 0: none "
     "(default 64)"},
    {"message-bytes", "N", "with --generate: length of messages where the scheme leaves it open (default 32)"},
    {"seed", "TEXT", "with --generate: what the draws follow from (default sparkmill)"},
};
constexpr Usage kUsage = {
    "verify-batch",
    "FILE|-",
    "Decides signatures of one scheme under one chain's exact rules: JSON lines, or a packed stream "
    "(docs/signatures.md). Wrong signatures are results; exit 11 says that there are some, 0 that all are valid, "
    "13 that the input is malformed, 12 that it was stopped.",
    kOwn,
    1,
    false};

constexpr std::size_t kWriteBytes = std::size_t{1} << 18;

enum class Output { jsonl, invalid, bitmap, summary, none };

Result<Output> parse_output(const std::string& text) {
  static constexpr std::pair<std::string_view, Output> kForms[] = {{"jsonl", Output::jsonl},
                                                                   {"invalid", Output::invalid},
                                                                   {"bitmap", Output::bitmap},
                                                                   {"summary", Output::summary},
                                                                   {"none", Output::none}};
  for (const auto& [name, output] : kForms) {
    if (text == name) return output;
  }
  return fail(Status::bad_argument, "--output: '" + text.substr(0, 40) + "' is unknown",
              "jsonl, invalid, bitmap, summary or none");
}

std::string name_of(const Form& form) { return std::string(form.scheme_name) + "/" + std::string(form.policy_name); }

/// The kernels that decide, and what they are.
struct Deciders {
  std::vector<std::unique_ptr<kernels::Kernel>> lanes;
  std::string row;
};

Result<Deciders> make_deciders(const Form& form, const std::string& backend, unsigned threads) {
  Deciders out;
  if (!form.family) {
    if (!backend.empty()) {
      return fail(Status::bad_argument, "--backend: " + name_of(form) + " runs on the host, it has no kernel rows");
    }
    SPARKMILL_ASSIGN(const kernels::Device cpu, device_for(kernels::Family::ed25519, {}));
    out.lanes.resize(threads == 0 ? std::max(1u, cpu.lanes) : threads);
    out.row = "host";
    return out;
  }
  SPARKMILL_ASSIGN(const kernels::Device device, device_for(*form.family, backend));
  SPARKMILL_ASSIGN(const kernels::Choice choice, kernels::choose(*form.family, device, backend));
  const unsigned count = threads == 0 ? std::max(1u, device.lanes) : threads;
  for (unsigned k = 0; k < count; ++k) {
    // The first lane answers for the row; the others run the same code on the same device.
    auto kernel = k == 0 ? kernels::make_tested(*choice.row, device) : choice.row->make(device);
    if (!kernel) return kernel.error();
    out.lanes.push_back(std::move(*kernel));
  }
  out.row = choice.row->id();
  return out;
}

Done put(const void* bytes, std::size_t size) {
  if (std::fwrite(bytes, 1, size, stdout) == size) return done();
  return fail(Status::io_error, "stdout does not take the verdicts");
}

/// Prints chunks in order. A bitmap runs on across chunks.
class Printer {
 public:
  Printer(const Form& form, Output output) : form_(form), output_(output) {}

  Done take(const signatures::Chunk& chunk) {
    if (output_ == Output::bitmap) return take_bits(chunk);
    if (output_ != Output::jsonl && output_ != Output::invalid) return done();
    std::string lines;
    for (std::size_t i = 0; i < chunk.valid.size(); ++i) {
      const bool valid = chunk.valid[i] != 0;
      if (valid && output_ == Output::invalid) continue;
      lines += "{\"item\":" + std::to_string(chunk.first + i) + ",\"valid\":" + (valid ? "true" : "false");
      if (form_.output_bytes != 0 && valid) {
        const auto output = ByteView(chunk.outputs).subspan(i * form_.output_bytes, form_.output_bytes);
        lines += std::string(",\"") + (form_.scheme == signatures::Scheme::ecvrf ? "beta" : "address") + "\":\"" +
                 to_hex(output) + "\"";
      }
      lines += "}\n";
    }
    return put(lines.data(), lines.size());
  }
  Done finish() {
    if (output_ == Output::bitmap && bits_ != 0) SPARKMILL_TRY(put(&byte_, 1));
    if (std::fflush(stdout) == 0) return done();
    return fail(Status::io_error, "stdout does not take the verdicts");
  }

 private:
  Done take_bits(const signatures::Chunk& chunk) {
    Bytes out;
    for (const std::uint8_t valid : chunk.valid) {
      byte_ = static_cast<std::uint8_t>(byte_ | (valid != 0 ? 1 : 0) << bits_);
      if (++bits_ < 8) continue;
      out.push_back(byte_);
      byte_ = 0;
      bits_ = 0;
    }
    return put(out.data(), out.size());
  }
  const Form& form_;
  const Output output_;
  std::uint8_t byte_ = 0;
  unsigned bits_ = 0;
};

std::string summary_line(const Form& form, const Deciders& deciders, const signatures::StreamTotals& totals,
                         double seconds) {
  char numbers[192];
  std::snprintf(numbers, sizeof numbers,
                "\"items\":%llu,\"valid\":%llu,\"invalid\":%llu,\"seconds\":%.6g,\"items_per_second\":%.6g",
                static_cast<unsigned long long>(totals.items), static_cast<unsigned long long>(totals.valid),
                static_cast<unsigned long long>(totals.items - totals.valid), seconds,
                static_cast<double>(totals.items) / std::max(seconds, 1e-9));
  return std::string("{\"scheme\":\"") + std::string(form.scheme_name) + "\",\"policy\":\"" +
         std::string(form.policy_name) + "\",\"row\":\"" + deciders.row +
         "\",\"lanes\":" + std::to_string(deciders.lanes.size()) + "," + numbers + "}\n";
}

void print_forms() {
  std::vector<std::vector<std::string>> table{
      {"SCHEME", "POLICY", "NUMBERS", "KEY", "SIGNATURE", "MESSAGE", "ROWS", "ABOUT"}};
  const auto size = [](std::size_t bytes, const char* otherwise) {
    return bytes == 0 ? std::string(otherwise) : std::to_string(bytes);
  };
  const auto messages_of = [&](const Form& form) {
    if (form.message_bytes != 0 || form.most_message_bytes == signatures::kMaxMessageBytes) {
      return size(form.message_bytes, "any");
    }
    return std::to_string(form.least_message_bytes) + "-" + std::to_string(form.most_message_bytes);
  };
  for (const Form& form : signatures::forms()) {
    table.push_back({std::string(form.scheme_name), std::string(form.policy_name),
                     std::to_string(static_cast<unsigned>(form.scheme)) + "." + std::to_string(form.policy),
                     size(form.key_bytes, "none"), size(form.signature_bytes, "any"), messages_of(form),
                     form.family ? std::string(kernels::name(*form.family)) : "host", std::string(form.about)});
  }
  std::fputs(table_text(table).c_str(), stdout);
}

/// Writes the stream that --generate asks for.
Done write_stream(const Args& args, const StopToken& stop) {
  if (!args.words.empty()) return fail(Status::bad_argument, "--generate reads no file");
  if (!args.has("scheme")) return fail(Status::bad_argument, "--generate needs --scheme", "--list shows them");
  SPARKMILL_ASSIGN(const Form* form, signatures::form_named(args.get("scheme"), args.get("policy")));
  const auto number = [&](const char* name, const char* otherwise, std::uint64_t low, std::uint64_t high) {
    return number_option(name, args.get(name, otherwise), low, high);
  };
  SPARKMILL_ASSIGN(const std::uint64_t count, number("generate", "", 1, std::uint64_t{1} << 48));
  SPARKMILL_ASSIGN(const std::uint64_t pool, number("pool", "4096", 1, 1u << 20));
  SPARKMILL_ASSIGN(const std::uint64_t bad, number("bad", "64", 0, 1u << 30));
  SPARKMILL_ASSIGN(const std::uint64_t message_bytes, number("message-bytes", "32", 0, 65536));
  const std::string format = args.get("format", "packed");
  if (format != "packed" && format != "jsonl") {
    return fail(Status::bad_argument, "--format: '" + format.substr(0, 40) + "' is neither packed nor jsonl");
  }
  const signatures::GenerateSettings settings{sha256(view(args.get("seed", "sparkmill"))),
                                              static_cast<std::uint32_t>(bad),
                                              static_cast<std::uint32_t>(message_bytes)};
  SPARKMILL_ASSIGN(const signatures::Generated made,
                   signatures::generate(*form, static_cast<std::size_t>(std::min(pool, count)), settings));
  const signatures::Items items = made.items.view();
  // Records of the pool ready to be written; all messages have one length, those of MuSig2 as well.
  const signatures::StreamHeader header{form, static_cast<std::uint32_t>(items.message(0).size()), count};
  std::vector<Bytes> records(items.count);
  for (std::size_t i = 0; i < items.count; ++i) {
    const ByteView key = items.key(*form, i), signature = items.signature(*form, i), message = items.message(i);
    if (format == "packed") {
      SPARKMILL_TRY(signatures::append_record(header, key, signature, message, records[i]));
    } else {
      const std::string line = signatures::json_line(*form, key, signature, message, true);
      records[i].assign(line.begin(), line.end());
    }
  }
  Bytes out = format == "packed" ? signatures::encode(header) : Bytes();
  ChaChaWords words(settings.seed, 1);
  for (std::uint64_t i = 0; i < count; ++i) {
    const Bytes& record = records[i < items.count ? i : words.below(items.count)];
    out.insert(out.end(), record.begin(), record.end());
    if (out.size() < kWriteBytes) continue;
    if (stop.stop_requested()) return fail(Status::cancelled, "stopped");
    SPARKMILL_TRY(put(out.data(), out.size()));
    out.clear();
  }
  SPARKMILL_TRY(put(out.data(), out.size()));
  if (std::fflush(stdout) != 0) return fail(Status::io_error, "stdout does not take the stream");
  if (!args.has("quiet")) {
    const auto bad_items = std::count_if(made.flaws.begin(), made.flaws.end(),
                                         [](signatures::Flaw f) { return f != signatures::Flaw::none; });
    std::fprintf(stderr, "verify-batch: wrote %llu of %s from a pool of %zu, %lld of these with a flaw\n",
                 static_cast<unsigned long long>(count), name_of(*form).c_str(), items.count,
                 static_cast<long long>(bad_items));
  }
  return done();
}

/// The batch equation over a chunk; nobody is remembered from one chunk to the next.
Done decide_as_batch(const Form& form, const signatures::Items& items, const signatures::Results& results,
                     kernels::Kernel* kernel, const StopToken& stop) {
  signatures::Zip215Batch batch;
  return batch.verify(form, items, {}, results.valid, kernel, stop);
}

/// Whether --plan asks for the batch equation.
Result<bool> as_batch(const Args& args, const Form& form) {
  const std::string plan = args.get("plan", "singles");
  if (plan == "singles") return false;
  if (plan != "batch") {
    return fail(Status::bad_argument, "--plan: '" + plan.substr(0, 40) + "' is neither singles nor batch");
  }
  if (form.scheme == signatures::Scheme::ed25519 && form.policy_name == "zip215") return true;
  return fail(Status::bad_argument, "--plan batch decides ed25519 under zip215 and nothing else, not " + name_of(form),
              "leave --plan out");
}

/// True when all signatures are valid.
Result<bool> verify_batch(const Args& args) {
  if (args.words.empty()) {
    return fail(Status::bad_argument, "no file is named", "sparkmill verify-batch FILE, or - for standard input");
  }
  const Form* wanted = nullptr;
  if (args.has("scheme")) {
    SPARKMILL_ASSIGN(wanted, signatures::form_named(args.get("scheme"), args.get("policy")));
  } else if (args.has("policy")) {
    return fail(Status::bad_argument, "--policy needs --scheme");
  }
  SPARKMILL_ASSIGN(const std::uint64_t threads, number_option("threads", args.get("threads", "0"), 0, 1024));
  SPARKMILL_ASSIGN(Output output, parse_output(args.get("output", "jsonl")));
  const StopToken stop = stop_on_signal();
  SPARKMILL_ASSIGN(const std::unique_ptr<BatchInput> input, BatchInput::open(args.words[0], wanted, stop));
  if (!args.has("output")) output = input->packed() ? Output::summary : Output::jsonl;
  const Form& form = input->form();
  SPARKMILL_ASSIGN(const bool batch, as_batch(args, form));
  SPARKMILL_ASSIGN(const Deciders deciders, make_deciders(form, args.get("backend"), static_cast<unsigned>(threads)));

  const bool quiet = args.has("quiet");
  Progress progress("verify-batch", "signatures", input->announced(), quiet);
  Printer printer(form, output);
  signatures::PipelineSettings settings;
  const bool slow = deciders.row == "host" || deciders.row.find("reference") != std::string::npos;
  settings.chunk_items =
      slow ? 256 : std::max<std::size_t>(4096, signatures::liked_batch(form, deciders.lanes.front().get()));
  if (batch) settings.decide = decide_as_batch;
  settings.outputs = form.output_bytes != 0 && (output == Output::jsonl || output == Output::invalid);
  SPARKMILL_ASSIGN(const signatures::StreamTotals totals,
                   signatures::run_stream(
                       form,
                       [&](signatures::ItemList& list, std::size_t items, std::size_t bytes) {
                         return input->next(list, items, bytes);
                       },
                       [&](const signatures::Chunk& chunk) -> Done {
                         SPARKMILL_TRY(printer.take(chunk));
                         progress.add(chunk.valid.size());
                         return done();
                       },
                       deciders.lanes, settings, stop));
  const double seconds = progress.seconds();
  if (output == Output::summary) {
    const std::string line = summary_line(form, deciders, totals, seconds);
    SPARKMILL_TRY(put(line.data(), line.size()));
  }
  SPARKMILL_TRY(printer.finish());
  progress.finish();
  if (!quiet) {
    std::fprintf(stderr, "verify-batch: %s on %s, %zu lane(s): %llu valid, %llu invalid\n", name_of(form).c_str(),
                 deciders.row.c_str(), deciders.lanes.size(), static_cast<unsigned long long>(totals.valid),
                 static_cast<unsigned long long>(totals.items - totals.valid));
  }
  return totals.valid == totals.items;
}

}  // namespace

int run_verify_batch(std::span<const std::string> args) {
  auto parsed = parse_args(kUsage, args);
  if (!parsed) return report("verify-batch", parsed.error());
  if (parsed->help) return 0;
  if (parsed->has("list")) {
    print_forms();
    return 0;
  }
  if (parsed->has("generate")) {
    const Done written = write_stream(*parsed, stop_on_signal());
    return written ? 0 : report("verify-batch", written.error());
  }
  const auto result = verify_batch(*parsed);
  if (!result) {
    std::fflush(stdout);
    return report("verify-batch", result.error());
  }
  return *result ? 0 : exit_code(Status::mismatch);
}

}  // namespace sparkmill::cli

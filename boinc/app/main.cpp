// SPDX-License-Identifier: Apache-2.0
// sparkmill-boinc: the BOINC application. Started by a client in a slot, or by hand in a folder with the files `unit`,
// `in0`, `in1`, ..; writes `result`.
#include <charconv>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string_view>

#include "boinc/app/boinc_client.h"
#include "boinc/app/key.h"
#include "boinc/app/run.h"

using namespace sparkmill;
using namespace sparkmill::boinc::app;

namespace {

constexpr const char* kUsage =
    "usage: sparkmill-boinc [options]     computes the work unit in this folder (files unit, in0, in1 ..; writes "
    "result)\n"
    "  --plan CLASS        kernels to use: avx2, avx512, opencl, cuda (default: the best of the CPU)\n"
    "  --device N          device number, for clients that do not tell it otherwise\n"
    "  --nthreads N        lanes on the CPU (default 1)\n"
    "  --checkpoint-s N    also write a checkpoint every N seconds\n"
    "  --key FILE          key that signs the result (default: sparkmill-app.key in the project's folder, or here)\n"
    "  --result-name NAME  without a client: the result's name (default: the unit's first)\n"
    "  --version, --help\n";

constexpr int kRetryDevice_s = 300;
constexpr int kRetryDisk_s = 600;

struct Line {
  Options options;
  int device = -1;
};

bool number(std::string_view text, unsigned& out) {
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), out);
  return ec == std::errc() && end == text.data() + text.size() && !text.empty();
}

/// Error: bad_argument. Words that clients add by themselves (--fromappversion and the like) are ignored: a task must
/// not fail because of them.
Result<Line> parse(int argc, char** argv) {
  Line line;
  for (int k = 1; k < argc; ++k) {
    const std::string_view arg = argv[k];
    const auto value = [&]() -> std::string_view { return k + 1 < argc ? argv[++k] : std::string_view(); };
    const auto count = [&](unsigned& out) { return number(value(), out); };
    bool good = true;
    if (arg == "--plan")
      line.options.plan = value();
    else if (arg == "--key")
      line.options.key = value();
    else if (arg == "--result-name")
      line.options.result_name = value();
    else if (arg == "--nthreads")
      good = count(line.options.threads) && line.options.threads <= 1024;
    else if (arg == "--checkpoint-s")
      good = count(line.options.checkpoint_s);
    else if (arg == "--device") {
      unsigned device = 0;
      good = count(device) && device < 1024;
      line.device = static_cast<int>(device);
    } else {
      std::fprintf(stderr, "sparkmill-boinc: '%s' is ignored\n", argv[k]);
    }
    if (!good) return fail(Status::bad_argument, std::string(arg) + " needs a number");
  }
  return line;
}

/// --device of old clients, where init_data.xml does not say.
class WithDevice final : public Client {
 public:
  WithDevice(Client& inner, int device) : inner_(inner), task_(inner.task()) {
    if (task_.gpu_device < 0) task_.gpu_device = device;
    if (task_.gpu_opencl_index < 0) task_.gpu_opencl_index = device;
  }
  const Task& task() const override { return task_; }
  Result<std::filesystem::path> resolve(std::string_view name) override { return inner_.resolve(name); }
  Wish wish() override { return inner_.wish(); }
  void fraction_done(double fraction) override { inner_.fraction_done(fraction); }
  bool time_to_checkpoint() override { return inner_.time_to_checkpoint(); }
  void checkpoint_completed() override { inner_.checkpoint_completed(); }

 private:
  Client& inner_;
  Task task_;
};

[[noreturn]] void end_with(const Error& error) {
  switch (error.code) {
    case Status::no_device: come_back_later(kRetryDevice_s, error.message);
    case Status::no_space:
    case Status::io_error: come_back_later(kRetryDisk_s, error.message);
    default: break;
  }
  std::fprintf(stderr, "sparkmill-boinc: %s\n", error.message.c_str());
  if (!error.hint.empty()) std::fprintf(stderr, "  %s\n", error.hint.c_str());
  finish(exit_code(error.code));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--help") == 0) return std::fputs(kUsage, stdout), 0;
  if (argc == 2 && std::strcmp(argv[1], "--version") == 0) return std::puts("sparkmill-boinc " SPARKMILL_VERSION), 0;
  auto client = connect();  // before any thread
  if (!client) {
    std::fprintf(stderr, "sparkmill-boinc: %s\n", client.error().message.c_str());
    return exit_code(client.status());
  }
  try {
    const auto line = parse(argc, argv);
    if (!line) end_with(line.error());
    WithDevice with_device(**client, line->device);
    const auto end = run_unit(with_device, line->options);
    if (!end) end_with(end.error());
    if (*end == End::quit) leave(0);
    if (*end == End::aborted) leave(kExitAborted);
  } catch (const std::exception& e) {
    end_with(fail(Status::internal, e.what()));
  }
  finish(0);
}

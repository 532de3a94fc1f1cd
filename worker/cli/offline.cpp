// SPDX-License-Identifier: Apache-2.0
#include "worker/cli/offline.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <csignal>
#include <mutex>
#include <thread>

#include "base/hex.h"
#include "kernels/backend/discover.h"
#include "kernels/match/predicate_text.h"

namespace sparkmill::cli {

namespace {

/// A slice of about a tenth of a second on one core at n = 2048, masked.
constexpr std::uint64_t kSliceUnits = 1ull << 26;
constexpr std::uint64_t kSlicesPerLane = 8;
constexpr std::uint64_t kMaxFeatureBytes = 1ull << 30;

struct Named {
  std::string name;
  std::string path;
};

Result<std::vector<Named>> parse_list(std::string_view option, const std::string& text) {
  std::vector<Named> out;
  std::string_view rest = text;
  for (;;) {
    const std::size_t comma = rest.find(',');
    const std::string_view item = rest.substr(0, comma);
    const std::size_t equals = item.find('=');
    Named n;
    n.name = equals == std::string_view::npos ? "face" : std::string(item.substr(0, equals));
    n.path = std::string(equals == std::string_view::npos ? item : item.substr(equals + 1));
    if (n.path.empty() || !match::valid_field_name(n.name)) {
      return fail(Status::bad_argument, std::string(option) + ": '" + std::string(item) + "' is not NAME=FILE",
                  "for example " + std::string(option) +
                      " face=A.pcbt,voice=B.pcbt; a name is a letter, then letters, "
                      "digits, '_' or '-', at most " +
                      std::to_string(match::kMaxFieldName));
    }
    for (const Named& other : out) {
      if (other.name == n.name) {
        return fail(Status::bad_argument, std::string(option) + ": the field '" + n.name + "' comes twice");
      }
    }
    out.push_back(std::move(n));
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  if (out.size() > match::kMaxFields) {
    return fail(Status::bad_argument, std::string(option) + ": " + std::to_string(out.size()) + " fields, at most " +
                                          std::to_string(match::kMaxFields) + " are allowed");
  }
  return out;
}

Result<templates::TemplateFile> load(const std::string& path, Inputs& in) {
  SPARKMILL_ASSIGN(std::shared_ptr<const MappedFile> file, MappedFile::open(path));
  SPARKMILL_ASSIGN(templates::TemplateFile parsed, templates::parse(file->bytes(), path));
  in.blobs.push_back(in.source.add(std::move(file)));
  return parsed;
}

/// Both sides of a field must be enrolled alike, and all fields must have the same people.
Done check_pair(const Inputs& in, const Named& a, const Named& b) {
  const templates::Header& r = in.requests.back().header;
  const templates::Header& u = in.users.back().header;
  const std::string both = a.path + " and " + b.path;
  if (r.n != u.n) {
    return fail(Status::bad_input, both + ": n is " + std::to_string(r.n) + " and " + std::to_string(u.n),
                "enrol both sides with the same --n");
  }
  if (r.app != u.app) {
    return fail(Status::bad_input, both + ": enrolled for different epochs, " + to_hex(r.app) + " and " + to_hex(u.app),
                "enrol both sides with the same secret and --epoch");
  }
  if (r.field != u.field) {
    return fail(Status::bad_input,
                both + ": enrolled as different fields, " + std::to_string(r.field) + " and " + std::to_string(u.field),
                "enrol both sides with the same --field");
  }
  if (r.rows == 0 || u.rows == 0) return fail(Status::bad_input, (r.rows == 0 ? a.path : b.path) + ": has no rows");
  if (r.rows != in.request_count() || u.rows != in.user_count()) {
    return fail(Status::bad_input,
                both + ": " + std::to_string(r.rows) + " requests and " + std::to_string(u.rows) +
                    " users, the first field has " + std::to_string(in.request_count()) + " and " +
                    std::to_string(in.user_count()),
                "row i of every field must be the same person");
  }
  return done();
}

/// Real pairs of a slice; its range is in tiles, the last ones are clipped.
std::uint64_t pairs_of(const job::Slice& slice, const job::MatchParams& params) {
  const auto span = [](std::uint32_t begin, std::uint32_t end, std::uint32_t count) {
    return std::uint64_t{std::min(end * match::kTile, count)} - begin * match::kTile;
  };
  return span(slice.range[0], slice.range[1], params.requests) * span(slice.range[2], slice.range[3], params.users);
}

std::atomic<StopSource*> g_stop{nullptr};

extern "C" void on_stop_signal(int signal) {
  if (StopSource* stop = g_stop.load()) stop->request_stop();
  std::signal(signal, SIG_DFL);
}

}  // namespace

Result<std::unique_ptr<Inputs>> load_inputs(const std::string& requests, const std::string& users) {
  SPARKMILL_ASSIGN(const std::vector<Named> a, parse_list("--requests", requests));
  SPARKMILL_ASSIGN(const std::vector<Named> b, parse_list("--users", users));
  auto in = std::make_unique<Inputs>();
  for (const Named& field : a) {
    const auto other = std::find_if(b.begin(), b.end(), [&](const Named& n) { return n.name == field.name; });
    if (other == b.end()) {
      return fail(Status::bad_argument, "--users has no file for the field '" + field.name + "'",
                  "give --users " + field.name + "=FILE");
    }
    in->names.push_back(field.name);
    SPARKMILL_ASSIGN(templates::TemplateFile r, load(field.path, *in));
    in->requests.push_back(r);
    SPARKMILL_ASSIGN(templates::TemplateFile u, load(other->path, *in));
    in->users.push_back(u);
    SPARKMILL_TRY(check_pair(*in, field, *other));
  }
  for (const Named& field : b) {
    if (std::find(in->names.begin(), in->names.end(), field.name) == in->names.end()) {
      return fail(Status::bad_argument, "--requests has no file for the field '" + field.name + "'",
                  "give --requests " + field.name + "=FILE");
    }
  }
  return in;
}

Result<job::Job> make_job(const Inputs& inputs, const match::Predicate& predicate) {
  if (predicate.field_count() > inputs.names.size()) {
    return fail(Status::bad_argument, "the predicate names field " + std::to_string(predicate.field_count() - 1) +
                                          ", only " + std::to_string(inputs.names.size()) + " are given");
  }
  job::MatchParams params{inputs.request_count(), inputs.user_count(), static_cast<std::uint16_t>(inputs.names.size()),
                          predicate};
  job::Job job = job::make_match_job(params, inputs.blobs, 0);
  job.salt = {};
  job::seal(job);
  return job;
}

Result<kernels::Device> device_for(kernels::Family family, const std::string& backend) {
  if (backend.empty()) return kernels::cpu_device();
  const std::vector<kernels::Device> devices = kernels::discover_devices();
  const kernels::Row* row = kernels::find_row(family, backend);
  std::string why;
  for (const kernels::Device& d : devices) {
    if (row == nullptr) break;
    const kernels::Probe probe = row->probe(d);
    if (probe.ok) return d;
    why += (why.empty() ? "" : "; ") + d.id + ": " + probe.why;
  }
  SPARKMILL_TRY(kernels::choose(family, devices.front(), backend));  // unknown rows list the known ones
  return fail(Status::no_device, "--backend " + backend + " cannot run here: " + why);
}

Result<std::unique_ptr<Lanes>> Lanes::make(const std::string& backend, unsigned threads, kernels::Family family) {
  std::unique_ptr<Lanes> lanes(new Lanes);
  SPARKMILL_ASSIGN(lanes->device_, device_for(family, backend));
  SPARKMILL_ASSIGN(lanes->choice_, kernels::choose(family, lanes->device_, backend));
  const unsigned count = threads == 0 ? std::max(1u, lanes->device_.lanes) : threads;
  for (unsigned k = 0; k < count; ++k) {
    // The first lane answers for the row; the others run the same code on the same device.
    auto kernel =
        k == 0 ? kernels::make_tested(*lanes->choice_.row, lanes->device_) : lanes->choice_.row->make(lanes->device_);
    if (!kernel) return kernel.error();
    lanes->kernels_.push_back(std::move(*kernel));
  }
  return lanes;
}

Done Lanes::run(const job::Work& work, std::span<const job::Slice> slices,
                const std::function<Done(const job::Slice&, Bytes)>& done_slice, const StopToken& stop) {
  std::atomic<std::size_t> next{0};
  StopSource failed;  // the first error ends the other lanes at their next slice
  std::mutex mutex;
  Done result = done();
  const auto give_up = [&](const Error& error) {
    const std::lock_guard lock(mutex);
    if (result.ok()) result = error;
    failed.request_stop();
  };
  const auto lane = [&](kernels::Kernel& kernel) {
    while (!failed.stop_requested()) {
      const std::size_t at = next.fetch_add(1);
      if (at >= slices.size()) return;
      if (stop.stop_requested()) return give_up(fail(Status::cancelled, "stopped"));
      auto bytes = work.run(slices[at], kernel, stop);
      if (!bytes) return give_up(bytes.error());
      const std::lock_guard lock(mutex);
      if (!result.ok()) return;
      if (Done taken = done_slice(slices[at], std::move(*bytes)); !taken.ok()) {
        result = taken.error();
        failed.request_stop();
      }
    }
  };
  std::vector<std::thread> threads;
  for (std::size_t k = 1; k < std::min(kernels_.size(), slices.size()); ++k) {
    threads.emplace_back([&lane, kernel = kernels_[k].get()] { lane(*kernel); });
  }
  lane(*kernels_.front());
  for (std::thread& t : threads) t.join();
  return result;
}

std::vector<job::Slice> cut_for(const job::Work& work, const Lanes& lanes) {
  const std::uint64_t share = work.units() / (lanes.count() * kSlicesPerLane) + 1;
  return work.slice(std::min(kSliceUnits, share));
}

Result<job::Outcome> run_whole(const job::Work& work, Lanes& lanes, const StopToken& stop, bool quiet) {
  const std::vector<job::Slice> slices = cut_for(work, lanes);
  SPARKMILL_ASSIGN(const job::MatchParams params, job::decode_match_params(work.job().params));
  std::vector<Bytes> results;
  results.reserve(slices.size());
  Progress progress("match", "pairs", std::uint64_t{params.requests} * params.users, quiet);
  const auto take = [&](const job::Slice& slice, Bytes bytes) -> Done {
    results.push_back(std::move(bytes));
    progress.add(pairs_of(slice, params));
    return done();
  };
  SPARKMILL_TRY(lanes.run(work, slices, take, stop));
  progress.finish();
  SPARKMILL_ASSIGN(job::Outcome outcome, work.assemble(results));
  SPARKMILL_TRY(work.recheck(outcome));
  return outcome;
}

Done on_all_cores(std::uint32_t count, const std::function<Done(std::uint32_t, std::uint32_t)>& part) {
  const std::uint32_t parts = std::clamp(std::thread::hardware_concurrency(), 1u, std::max(1u, count));
  std::vector<Done> results(parts, done());
  const auto run = [&](std::uint32_t p) {
    const auto edge = [&](std::uint32_t k) { return static_cast<std::uint32_t>(std::uint64_t{count} * k / parts); };
    results[p] = part(edge(p), edge(p + 1));
  };
  std::vector<std::thread> threads;
  for (std::uint32_t p = 1; p < parts; ++p) threads.emplace_back(run, p);
  run(0);
  for (std::thread& t : threads) t.join();
  for (const Done& r : results) SPARKMILL_TRY(r);
  return done();
}

Result<templates::Features> load_features(const std::string& path) {
  if (path == "faces") return templates::real_faces();
  SPARKMILL_ASSIGN(const Bytes content, read_file(path, kMaxFeatureBytes));
  return templates::read_features(content, path);
}

StopToken stop_on_signal() {
  static StopSource source;
  g_stop.store(&source);
  std::signal(SIGINT, on_stop_signal);
  std::signal(SIGTERM, on_stop_signal);
  return source.token();
}

Result<std::uint64_t> number_option(std::string_view name, const std::string& text, std::uint64_t low,
                                    std::uint64_t high) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size() || value < low || value > high) {
    return fail(Status::bad_argument, "--" + std::string(name) + ": '" + text.substr(0, 40) +
                                          "' is not a whole number from " + std::to_string(low) + " to " +
                                          std::to_string(high));
  }
  return value;
}

}  // namespace sparkmill::cli

// SPDX-License-Identifier: Apache-2.0
// The OpenCL row of `tensority`: matrices uploaded once per epoch, a batch of hashes at a time, launches of opencl.cl
// cut to about 20 ms (some steps of all chains at once), everything from header to result on the device.
#include <fmt/format.h>

#include <chrono>

#include "kernels/backend/opencl.h"
#include "kernels/tensority/device_batch.h"
#include "kernels/tensority/opencl_form.h"
#include "kernels/tensority/rows.h"

// Texts embedded by kernels/backend/CMakeLists.txt.
extern "C" {
extern const unsigned char sparkmill_text_dialect[], sparkmill_text_dialect_end[];
extern const unsigned char sparkmill_text_tensority_device[], sparkmill_text_tensority_device_end[];
extern const unsigned char sparkmill_text_tensority_opencl[], sparkmill_text_tensority_opencl_end[];
}

namespace sparkmill::tensority {
namespace {

namespace ocl = kernels::opencl;
constexpr std::size_t kItems = 256;      // of a group that has rows of a chain, and of `tail`
constexpr std::size_t kSmallItems = 64;  // of the rest
constexpr std::size_t kLocalBytes = 16 * 64 * 4;
constexpr std::size_t kStateBytes = kChains * kMatrixBytes;  // of a hash
constexpr double kLaunchSeconds = 0.020;

std::string source() {
  std::string text;
  text.append(sparkmill_text_dialect, sparkmill_text_dialect_end);
  text.append(sparkmill_text_tensority_device, sparkmill_text_tensority_device_end);
  text.append(sparkmill_text_tensority_opencl, sparkmill_text_tensority_opencl_end);
  return text;
}

/// The list as opencl.cl wants it for SM_COLUMNS 1: [matrix][panel of 32 rows][column][32].
void pack_panels(const std::int8_t* from, std::int8_t* to) {
  for (std::size_t m = 0; m < kMatrices; ++m) {
    const std::int8_t* b = from + m * kMatrixBytes;
    for (std::size_t panel = 0; panel < kDim; panel += 32) {
      for (std::size_t n = 0; n < kDim; ++n)
        for (std::size_t c = 0; c < 32; ++c) *to++ = b[(panel + c) * kDim + n];
    }
  }
}

/// Where a batch of hashes comes from: headers, or nonces of a preimage.
struct Source {
  std::span<const Hash32> headers;
  bool by_nonce = false;
  std::uint64_t first_nonce = 0;
};

struct Upload {
  Hash32 seed{};
  ocl::Buffer list;
  std::uint64_t last_use = 0;  ///< 0: empty
};

class OpenclKernel final : public Kernel {
 public:
  static Result<std::unique_ptr<kernels::Kernel>> make(const kernels::Device& device, OpenclForm form);

  Done prepare(const Epoch& epoch) override;
  Done hash(const Epoch& epoch, std::span<const Hash32> headers, std::span<Hash32> out, const StopToken& stop) override;
  Result<SearchResult> search(const SearchTask& task, const StopToken& stop) override;
  std::size_t batch() const override { return batch_; }
  std::string row_id() const override { return "tensority/opencl"; }
  std::string note() const override {
    return columns_  ? "computes 32 columns at a time"
           : packed_ ? "multiplies with packed dot products"
                     : "multiplies byte by byte";
  }

 private:
  OpenclKernel() = default;
  Done build(bool packed_dot);
  Done reserve();
  Result<Upload*> upload(const Epoch& epoch);
  Done chains(Upload& epoch, std::size_t count, const StopToken& stop);
  Done run(Upload& epoch, const Source& from, std::size_t count, const StopToken& stop);

  std::shared_ptr<ocl::Context> context_;
  ocl::Function front_, chain_, tail_, last_, collect_;
  bool columns_ = false, packed_ = false;
  std::size_t batch_ = 1, chain_items_ = kItems;
  Pace pace_{1, kSteps, kLaunchSeconds};
  Upload uploads_[2];
  std::uint64_t clock_ = 0;
  ocl::Buffer headers_, preimage_, sequences_, state_, messages_, results_, target_, hits_;
  std::vector<Hash32> host_results_;
  std::vector<std::uint32_t> host_hits_;
};

Result<std::unique_ptr<kernels::Kernel>> OpenclKernel::make(const kernels::Device& device, OpenclForm form) {
  std::unique_ptr<OpenclKernel> k(new OpenclKernel);
  SPARKMILL_ASSIGN(k->context_, ocl::Context::open(device));
  k->columns_ = form == OpenclForm::columns || (form == OpenclForm::chosen && k->context_->limits().on_cpu);
  k->chain_items_ = k->columns_ ? kSmallItems : kItems;
  bool packed_dot = false;
  std::string note;
  const ocl::Api* cl = ocl::api(note);
  for (const ocl::Found& f : ocl::find_devices(note)) {
    if (f.device.id != device.id) continue;
    const std::uint64_t units = std::max<std::uint64_t>(1, ocl::device_number(*cl, f.id, CL_DEVICE_MAX_COMPUTE_UNITS));
    // A group a core of a CPU, four groups a multiprocessor of a GPU.
    k->batch_ = std::clamp<std::uint64_t>(k->columns_ ? (units + kChains - 1) / kChains : units, 1, 1024);
    packed_dot =
        ocl::device_text(*cl, f.id, CL_DEVICE_EXTENSIONS).find("cl_khr_integer_dot_product") != std::string::npos;
  }
  // A driver may name the extension and still not compile it for this version of the language.
  k->packed_ = packed_dot && !k->columns_ && k->build(true).ok();
  if (!k->packed_) SPARKMILL_TRY(k->build(false));
  SPARKMILL_TRY(k->reserve());
  return Result<std::unique_ptr<kernels::Kernel>>(std::move(k));
}

Done OpenclKernel::build(bool packed_dot) {
  const std::string text = source();
  const std::string options = fmt::format("-cl-std=CL1.2 -DSM_COLUMNS={} -DSM_ON_CPU={}{}", columns_ ? 1 : 0,
                                          context_->limits().on_cpu ? 1 : 0, packed_dot ? " -DSM_KHR_DOT" : "");
  SPARKMILL_ASSIGN(front_, context_->function(text, options, "front"));
  SPARKMILL_ASSIGN(chain_, context_->function(text, options, "chain_steps"));
  SPARKMILL_ASSIGN(tail_, context_->function(text, options, "tail"));
  SPARKMILL_ASSIGN(last_, context_->function(text, options, "last"));
  SPARKMILL_ASSIGN(collect_, context_->function(text, options, "collect"));
  for (const auto& [function, items] : {std::pair{&chain_, chain_items_}, {&tail_, kItems}, {&collect_, kSmallItems}}) {
    if (function->max_items() < items)
      return fail(Status::unsupported,
                  fmt::format("this OpenCL device runs the tensority kernels with {} items a group, {} are needed",
                              function->max_items(), items));
  }
  return done();
}

Done OpenclKernel::reserve() {
  const ocl::Limits& l = context_->limits();
  const std::uint64_t room = std::min<std::uint64_t>(l.memory_bytes / 8, l.buffer_bytes) / kStateBytes;
  batch_ = std::clamp<std::uint64_t>(room, 1, batch_);
  SPARKMILL_TRY(context_->reserve(headers_, batch_ * sizeof(Hash32)));
  SPARKMILL_TRY(context_->reserve(preimage_, sizeof(Preimage)));
  SPARKMILL_TRY(context_->reserve(sequences_, batch_ * SM_SEQUENCE_BYTES));
  SPARKMILL_TRY(context_->reserve(state_, batch_ * kStateBytes));
  SPARKMILL_TRY(context_->reserve(messages_, batch_ * 256));
  SPARKMILL_TRY(context_->reserve(results_, batch_ * sizeof(Hash32)));
  SPARKMILL_TRY(context_->reserve(target_, sizeof(Hash32)));
  SPARKMILL_TRY(context_->reserve(hits_, (batch_ + 2) * 4));
  host_results_.resize(batch_);
  host_hits_.resize(batch_ + 2);
  return done();
}

/// The epoch's list on the device.
Result<Upload*> OpenclKernel::upload(const Epoch& epoch) {
  const auto [to, there] = place_of(uploads_, epoch.seed(), clock_);
  if (there) return to;
  SPARKMILL_TRY(context_->reserve(to->list, kListBytes));
  if (columns_) {
    std::vector<std::int8_t> packed(kListBytes);
    pack_panels(epoch.matrices().data(), packed.data());
    SPARKMILL_TRY(context_->write(to->list, 0, packed.data(), kListBytes));
  } else {
    SPARKMILL_TRY(context_->write(to->list, 0, epoch.matrices().data(), kListBytes));
  }
  to->seed = epoch.seed();
  to->last_use = ++clock_;
  return to;
}

Done OpenclKernel::prepare(const Epoch& epoch) {
  SPARKMILL_ASSIGN([[maybe_unused]] Upload * there, upload(epoch));
  return done();
}

/// All steps of the chains of `count` hashes, some steps a launch.
Done OpenclKernel::chains(Upload& epoch, std::size_t count, const StopToken& stop) {
  for (std::uint64_t step = 0; step < kSteps;) {
    if (stop.stop_requested()) return fail(Status::cancelled, "tensority: stopped between launches");
    const std::uint64_t steps = std::min<std::uint64_t>(pace_.units(), kSteps - step);
    SPARKMILL_TRY(
        chain_.args(epoch.list, sequences_, state_, static_cast<cl_uint>(step), static_cast<cl_uint>(step + steps)));
    const auto begin = std::chrono::steady_clock::now();
    SPARKMILL_TRY(chain_.launch(count * kChains, chain_items_));
    SPARKMILL_TRY(context_->finish());
    pace_.took(steps, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    step += steps;
  }
  return done();
}

/// Results of a batch into results_.
Done OpenclKernel::run(Upload& epoch, const Source& from, std::size_t count, const StopToken& stop) {
  const std::size_t groups = (count + kSmallItems - 1) / kSmallItems;
  if (!from.by_nonce) SPARKMILL_TRY(context_->write(headers_, 0, from.headers.data(), count * sizeof(Hash32)));
  SPARKMILL_TRY(front_.args(headers_, preimage_, static_cast<cl_ulong>(from.first_nonce),
                            static_cast<cl_uint>(from.by_nonce ? 1 : 0), static_cast<cl_uint>(count), sequences_));
  SPARKMILL_TRY(front_.launch(groups, kSmallItems));
  SPARKMILL_TRY(chains(epoch, count, stop));
  SPARKMILL_TRY(tail_.args(state_, messages_));
  SPARKMILL_TRY(tail_.launch(count, kItems));
  SPARKMILL_TRY(last_.args(messages_, static_cast<cl_uint>(count), results_));
  return last_.launch(groups, kSmallItems);
}

Done OpenclKernel::hash(const Epoch& epoch, std::span<const Hash32> headers, std::span<Hash32> out,
                        const StopToken& stop) {
  if (headers.size() != out.size())
    return fail(Status::bad_argument, "tensority: as many results as headers are needed");
  if (headers.empty()) return done();
  SPARKMILL_ASSIGN(Upload * list, upload(epoch));
  for (std::size_t at = 0; at < headers.size();) {
    const std::size_t count = std::min(batch_, headers.size() - at);
    SPARKMILL_TRY(run(*list, {headers.subspan(at, count)}, count, stop));
    SPARKMILL_TRY(context_->read(results_, 0, out.data() + at, count * sizeof(Hash32)));
    at += count;
  }
  return done();
}

Result<SearchResult> OpenclKernel::search(const SearchTask& task, const StopToken& stop) {
  SPARKMILL_TRY(check(task));
  SearchResult out;
  if (task.count == 0) return out;
  SPARKMILL_ASSIGN(Upload * list, upload(*task.epoch));
  SPARKMILL_TRY(context_->write(preimage_, 0, task.preimage.data(), task.preimage.size()));
  SPARKMILL_TRY(context_->write(target_, 0, task.target.data(), task.target.size()));
  for (bool room = true; room && out.count < task.count;) {
    const std::size_t count = std::min<std::uint64_t>(batch_, task.count - out.count);
    const std::uint64_t first = task.first_nonce + out.count;
    if (Done ran = run(*list, {{}, true, first}, count, stop); !ran) {
      if (ran.error().code == Status::cancelled) break;
      return ran.error();
    }
    SPARKMILL_TRY(collect_.args(results_, target_, static_cast<cl_uint>(count), hits_));
    SPARKMILL_TRY(collect_.launch(1, kSmallItems));
    SPARKMILL_TRY(context_->read(results_, 0, host_results_.data(), count * sizeof(Hash32)));
    SPARKMILL_TRY(context_->read(hits_, 0, host_hits_.data(), (count + 2) * 4));
    if (host_hits_[0] > count || host_hits_[1] >= count)
      return fail(Status::internal, "tensority: the OpenCL device wrote an impossible list of hits");
    room = add_batch(first, std::span(host_results_).first(count), std::span(host_hits_).subspan(2, host_hits_[0]),
                     host_hits_[1], out);
  }
  return out;
}

kernels::Probe probe(const kernels::Device& device) {
  if (device.backend != kernels::Backend::opencl) return {false, "this is not an OpenCL device"};
  std::string note;
  const ocl::Api* cl = ocl::api(note);
  for (const ocl::Found& f : ocl::find_devices(note)) {
    if (f.device.id != device.id) continue;
    const ocl::Limits l = ocl::limits(*cl, f.id);
    if (l.group_items < kItems)
      return {false, fmt::format("its work-groups have at most {} items, {} are needed", l.group_items, kItems)};
    if (l.local_bytes < kLocalBytes)
      return {false, fmt::format("it has {} bytes of local memory, {} are needed", l.local_bytes, kLocalBytes)};
    if (l.buffer_bytes < kListBytes)
      return {false, fmt::format("its buffers have at most {} bytes, {} are needed", l.buffer_bytes, kListBytes)};
    if (ocl::device_number(*cl, f.id, CL_DEVICE_ENDIAN_LITTLE) == 0) return {false, "it is big-endian"};
    if (ocl::device_number(*cl, f.id, CL_DEVICE_COMPILER_AVAILABLE) == 0)
      return {false, "its OpenCL driver has no compiler"};
    const bool dot =
        ocl::device_text(*cl, f.id, CL_DEVICE_EXTENSIONS).find("cl_khr_integer_dot_product") != std::string::npos;
    return {true, l.on_cpu ? "OpenCL on a CPU, 16-bit vectors"
                           : fmt::format("OpenCL, {}", dot ? "packed dot products" : "no packed dot products")};
  }
  return {false, note.empty() ? fmt::format("no OpenCL device has the id {} now", device.id) : note};
}

Result<std::unique_ptr<kernels::Kernel>> make(const kernels::Device& device) {
  return OpenclKernel::make(device, OpenclForm::chosen);
}

}  // namespace

Result<std::unique_ptr<kernels::Kernel>> make_opencl(const kernels::Device& device, OpenclForm form) {
  return OpenclKernel::make(device, form);
}

kernels::Row opencl_row() { return {kernels::Family::tensority, kernels::Backend::opencl, "", 60, 1, probe, make}; }

}  // namespace sparkmill::tensority

// SPDX-License-Identifier: Apache-2.0
// The OpenCL row of `hash`: a message a work-item, a launch for some thousand messages.
#include "kernels/backend/opencl.h"

#include <fmt/format.h>

#include "kernels/hash/device_batch.h"
#include "kernels/hash/rows.h"

// Texts embedded by kernels/backend/CMakeLists.txt.
extern "C" {
extern const unsigned char sparkmill_text_dialect[], sparkmill_text_dialect_end[];
extern const unsigned char sparkmill_text_hash_constants[], sparkmill_text_hash_constants_end[];
extern const unsigned char sparkmill_text_hash_device[], sparkmill_text_hash_device_end[];
extern const unsigned char sparkmill_text_hash_opencl[], sparkmill_text_hash_opencl_end[];
}

namespace sparkmill::hashes {
namespace {

namespace ocl = kernels::opencl;
constexpr std::size_t kItems = 64;  // of a group

std::string source() {
  std::string text;
  text.append(sparkmill_text_dialect, sparkmill_text_dialect_end);
  text.append(sparkmill_text_hash_constants, sparkmill_text_hash_constants_end);
  text.append(sparkmill_text_hash_device, sparkmill_text_hash_device_end);
  text.append(sparkmill_text_hash_opencl, sparkmill_text_hash_opencl_end);
  return text;
}

class OpenclKernel final : public Kernel {
 public:
  static Result<std::unique_ptr<kernels::Kernel>> make(const kernels::Device& device) {
    std::unique_ptr<OpenclKernel> k(new OpenclKernel);
    SPARKMILL_ASSIGN(k->context_, ocl::Context::open(device));
    return Result<std::unique_ptr<kernels::Kernel>>(std::move(k));
  }
  std::string row_id() const override { return "hash/opencl"; }

  Done hash(Algorithm algorithm, const Batch& batch, std::span<std::uint8_t> out, const StopToken& stop) override {
    return for_each_launch(algorithm, batch, out, stop,
                           [&](const Launch& l) { return launch(algorithm, batch, out, l); });
  }

 private:
  OpenclKernel() = default;

  /// The program of an algorithm, built when it is first wanted.
  Result<ocl::Function*> function(Algorithm algorithm) {
    std::unique_ptr<ocl::Function>& f = functions_[static_cast<std::size_t>(algorithm)];
    if (f == nullptr) {
      SPARKMILL_ASSIGN(
          ocl::Function made,
          context_->function(source(), fmt::format("-cl-std=CL1.2 -DSM_ALGORITHM={}", device_algorithm(algorithm)),
                             "hash_messages", kItems));
      f = std::make_unique<ocl::Function>(std::move(made));
    }
    return f.get();
  }

  Done launch(Algorithm algorithm, const Batch& batch, std::span<std::uint8_t> out, const Launch& l) {
    const std::size_t digest = digest_bytes(algorithm);
    SPARKMILL_ASSIGN(ocl::Function * f, function(algorithm));
    SPARKMILL_TRY(context_->reserve(digests_, l.count * digest));
    host_offsets_.resize(l.count + 1);
    for (std::size_t i = 0; i <= l.count; ++i) host_offsets_[i] = batch.offsets[l.first + i] - l.base;
    SPARKMILL_TRY(context_->send(messages_, batch.messages.data() + l.base, l.bytes));
    SPARKMILL_TRY(context_->send(offsets_, host_offsets_.data(), host_offsets_.size() * 8));
    SPARKMILL_TRY(f->args(messages_, offsets_, static_cast<cl_uint>(l.count), digests_));
    SPARKMILL_TRY(f->launch((l.count + kItems - 1) / kItems, kItems));
    return context_->read(digests_, 0, out.data() + l.first * digest, l.count * digest);
  }

  std::shared_ptr<ocl::Context> context_;
  std::unique_ptr<ocl::Function> functions_[kAlgorithms.size()];
  ocl::Buffer messages_, offsets_, digests_;
  std::vector<std::uint64_t> host_offsets_;
};

kernels::Probe probe(const kernels::Device& device) {
  return ocl::probe_groups(device, kItems, "a message a work-item");
}

}  // namespace

kernels::Row opencl_row() {
  return {kernels::Family::hash, kernels::Backend::opencl, "", 50, 1, probe, OpenclKernel::make};
}

}  // namespace sparkmill::hashes

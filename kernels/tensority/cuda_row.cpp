// SPDX-License-Identifier: Apache-2.0
// The CUDA row of `tensority`: which form runs here, epochs on the device, and two lanes of buffers and streams, so
// that one launch computes while the results of the one before are read.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "kernels/backend/cuda.h"
#include "kernels/tensority/cuda_launch.h"
#include "kernels/tensority/device_batch.h"
#include "kernels/tensority/known.h"
#include "kernels/tensority/rows.h"

namespace sparkmill::tensority {
namespace {

namespace cu = kernels::cuda;

constexpr std::size_t kStateBytes = kChains * kMatrixBytes;  // of a hash
constexpr std::uint64_t kMostHashes = 4096;                  // of a launch
constexpr double kLaunchSeconds = 0.015;                     // two are under way when a stop request comes

const char* name(CudaForm form) {
  switch (form) {
    case CudaForm::dot: return "dp4a";
    case CudaForm::mma: return "mma.sync";
    case CudaForm::wgmma: return "wgmma";
  }
  return "unknown";
}

struct Capability {
  int major = 0, minor = 0, shared = 0, processors = 0;
  bool has(CudaForm form) const {
    switch (form) {
      case CudaForm::dot: return major * 10 + minor >= 75;  // what the build has code for
      case CudaForm::mma: return major >= 8;
      case CudaForm::wgmma: return major == 9 && minor == 0 && shared >= static_cast<int>(device::kWgmmaSharedBytes);
    }
    return false;
  }
};

Result<Capability> capability(int ordinal) {
  Capability c;
  const std::pair<int*, cudaDeviceAttr> wanted[] = {{&c.major, cudaDevAttrComputeCapabilityMajor},
                                                    {&c.minor, cudaDevAttrComputeCapabilityMinor},
                                                    {&c.shared, cudaDevAttrMaxSharedMemoryPerBlockOptin},
                                                    {&c.processors, cudaDevAttrMultiProcessorCount}};
  for (const auto& [to, what] : wanted)
    SPARKMILL_TRY(cu::check(cudaDeviceGetAttribute(to, what, ordinal), "cudaDeviceGetAttribute"));
  return c;
}

/// An epoch on the device, in the layout of the form.
struct Upload {
  Hash32 seed{};
  cu::DeviceBuffer matrices, first;
  std::uint64_t last_use = 0;  ///< 0: empty
};

/// One launch in flight.
struct Lane {
  cu::Stream stream;
  cu::DeviceBuffer headers, sequences, states, messages, results, target, hits, late;
  cu::PinnedBuffer host_headers, host_results, host_hits, host_late;
  std::uint64_t first = 0;  ///< place of the first hash in the whole task
  std::size_t count = 0;    ///< 0: idle
};

/// Where hashes come from: headers, or nonces of a preimage.
struct Source {
  std::span<const Hash32> headers;
  const SearchTask* task = nullptr;
};

class CudaKernel final : public Kernel {
 public:
  static Result<std::unique_ptr<CudaKernel>> open(const kernels::Device& device, CudaForm form);

  Done prepare(const Epoch& epoch) override;
  Done hash(const Epoch& epoch, std::span<const Hash32> headers, std::span<Hash32> out, const StopToken& stop) override;
  Result<SearchResult> search(const SearchTask& task, const StopToken& stop) override;
  std::size_t batch() const override { return most_; }
  std::string row_id() const override { return "tensority/cuda"; }
  std::string note() const override { return note_; }
  void set_note(std::string note) { note_ = std::move(note); }
  /// Known answers in a batch that keeps every multiprocessor busy with several chains.
  Done check_answers(const Epoch& epoch);

 private:
  CudaKernel() = default;
  Result<Upload*> upload(const Epoch& epoch);
  Done reserve(Lane& lane, std::size_t count, bool by_nonce);
  Done launch(Lane& lane, Upload& epoch, const Source& from, std::uint64_t first, std::size_t count);
  Done launch_chains(Lane& lane, Upload& epoch);
  Done finish(Lane& lane);
  std::size_t next_count(std::uint64_t left) const;
  template <class Take>
  Result<bool> run(const Epoch& epoch, const Source& from, std::uint64_t total, const StopToken& stop, Take take);

  int ordinal_ = 0;
  CudaForm form_ = CudaForm::dot;
  std::uint32_t processors_ = 1;
  std::size_t most_ = 1;
  std::string note_;
  Pace pace_{1, 1, kLaunchSeconds};
  Upload uploads_[2];
  std::uint64_t clock_ = 0;
  cu::Stream copies_;
  cu::DeviceBuffer list_;  ///< as the epoch has it, before packing
  Lane lanes_[2];
};

Result<std::unique_ptr<CudaKernel>> CudaKernel::open(const kernels::Device& device, CudaForm form) {
  std::unique_ptr<CudaKernel> k(new CudaKernel);
  SPARKMILL_ASSIGN(k->ordinal_, cu::find_ordinal(device));
  SPARKMILL_TRY(cu::check(cudaSetDevice(k->ordinal_), "cudaSetDevice"));
  SPARKMILL_ASSIGN(const Capability c, capability(k->ordinal_));
  if (!c.has(form))
    return fail(Status::unsupported, fmt::format("{} (compute capability {}.{}) cannot run the {} form of tensority",
                                                 device.id, c.major, c.minor, name(form)));
  if (form == CudaForm::wgmma) SPARKMILL_TRY(cu::check(device::prepare_wgmma(), "cudaFuncSetAttribute"));
  k->form_ = form;
  k->processors_ = static_cast<std::uint32_t>(std::max(1, c.processors));
  std::size_t free_bytes = 0, all_bytes = 0;
  SPARKMILL_TRY(cu::check(cudaMemGetInfo(&free_bytes, &all_bytes), "cudaMemGetInfo"));
  k->most_ = std::clamp<std::uint64_t>(free_bytes / 16 / kStateBytes, 1, kMostHashes);
  k->pace_ = Pace(std::min<std::uint64_t>(k->most_, k->processors_), k->most_, kLaunchSeconds);
  SPARKMILL_TRY(k->copies_.open());
  for (Lane& lane : k->lanes_) SPARKMILL_TRY(lane.stream.open());
  return k;
}

/// The epoch on the device.
Result<Upload*> CudaKernel::upload(const Epoch& epoch) {
  const auto [to, there] = place_of(uploads_, epoch.seed(), clock_);
  if (there) return to;
  const bool packed = form_ != CudaForm::dot;
  SPARKMILL_TRY(to->matrices.reserve(kListBytes));
  if (packed) {
    SPARKMILL_TRY(to->first.reserve(kListBytes));
    SPARKMILL_TRY(list_.reserve(kListBytes));
  }
  auto* list = (packed ? list_ : to->matrices).as<unsigned char>();
  SPARKMILL_TRY(copies_.upload(list, epoch.matrices().data(), kListBytes));
  if (packed)
    SPARKMILL_TRY(
        cu::check(device::launch_pack(list, to->matrices.as<sm_u32>(), to->first.as<sm_u32>(), copies_.handle()),
                  "launch of pack"));
  SPARKMILL_TRY(copies_.wait());
  to->seed = epoch.seed();
  to->last_use = ++clock_;
  return to;
}

Done CudaKernel::prepare(const Epoch& epoch) {
  SPARKMILL_TRY(cu::check(cudaSetDevice(ordinal_), "cudaSetDevice"));  // instances may move between threads
  SPARKMILL_ASSIGN([[maybe_unused]] Upload * there, upload(epoch));
  return done();
}

Done CudaKernel::reserve(Lane& lane, std::size_t count, bool by_nonce) {
  if (!by_nonce) {
    SPARKMILL_TRY(lane.headers.reserve(count * sizeof(Hash32)));
    SPARKMILL_TRY(lane.host_headers.reserve(count * sizeof(Hash32)));
  } else {
    SPARKMILL_TRY(lane.target.reserve(sizeof(Hash32)));
    SPARKMILL_TRY(lane.hits.reserve((count + 2) * 4));
    SPARKMILL_TRY(lane.host_hits.reserve((count + 2) * 4));
  }
  SPARKMILL_TRY(lane.sequences.reserve(count * SM_SEQUENCE_BYTES));
  SPARKMILL_TRY(lane.states.reserve(count * kStateBytes));
  SPARKMILL_TRY(lane.messages.reserve(count * 256));
  SPARKMILL_TRY(lane.results.reserve(count * sizeof(Hash32)));
  SPARKMILL_TRY(lane.host_results.reserve(count * sizeof(Hash32)));
  SPARKMILL_TRY(lane.late.reserve(4));
  return lane.host_late.reserve(4);
}

Done CudaKernel::launch_chains(Lane& lane, Upload& epoch) {
  const device::ChainArgs args{
      epoch.matrices.as<unsigned char>(), epoch.first.as<unsigned char>(), lane.sequences.as<unsigned char>(),
      lane.states.as<sm_u32>(),           lane.late.as<sm_u32>(),          static_cast<sm_u32>(lane.count * kChains)};
  switch (form_) {
    case CudaForm::dot: return cu::check(device::launch_dot(args, lane.stream.handle()), "launch of chain_dot");
    case CudaForm::mma:
      return cu::check(device::launch_mma(args, processors_, lane.stream.handle()), "launch of chain_mma");
    case CudaForm::wgmma:
      return cu::check(device::launch_wgmma(args, processors_, lane.stream.handle()), "launch of chain_wgmma");
  }
  return fail(Status::internal, "tensority: no such form");
}

/// Everything for the hashes first .. first + count - 1 of the task, up to their results in host memory.
Done CudaKernel::launch(Lane& lane, Upload& epoch, const Source& from, std::uint64_t first, std::size_t count) {
  const cudaStream_t stream = lane.stream.handle();
  SPARKMILL_TRY(reserve(lane, count, from.task != nullptr));
  lane.first = first;
  lane.count = count;
  device::FrontArgs front{};
  front.sequences = lane.sequences.as<sm_u64>();
  front.count = static_cast<sm_u32>(count);
  if (from.task == nullptr) {
    std::memcpy(lane.host_headers.as<Hash32>(), from.headers.data() + first, count * sizeof(Hash32));
    SPARKMILL_TRY(cu::check(cudaMemcpyAsync(lane.headers.as<void>(), lane.host_headers.as<void>(),
                                            count * sizeof(Hash32), cudaMemcpyHostToDevice, stream),
                            "cudaMemcpyAsync of headers"));
    front.headers = lane.headers.as<sm_u64>();
  } else {
    std::memcpy(front.preimage, from.task->preimage.data(), sizeof front.preimage);
    front.first_nonce = from.task->first_nonce + first;
    SPARKMILL_TRY(cu::check(cudaMemcpyAsync(lane.target.as<void>(), from.task->target.data(), sizeof(Hash32),
                                            cudaMemcpyHostToDevice, stream),
                            "cudaMemcpyAsync of the target"));
  }
  SPARKMILL_TRY(cu::check(cudaMemsetAsync(lane.late.as<void>(), 0, 4, stream), "cudaMemsetAsync"));
  SPARKMILL_TRY(lane.stream.mark_begin());
  SPARKMILL_TRY(cu::check(device::launch_front(front, stream), "launch of front"));
  SPARKMILL_TRY(launch_chains(lane, epoch));
  SPARKMILL_TRY(cu::check(device::launch_tail(lane.states.as<sm_u32>(), form_, front.count, lane.messages.as<sm_u32>(),
                                              lane.results.as<sm_u64>(), stream),
                          "launch of tail"));
  auto back = [stream](const cu::PinnedBuffer& to, const cu::DeviceBuffer& bytes_of, std::size_t bytes) {
    return cu::check(cudaMemcpyAsync(to.as<void>(), bytes_of.as<void>(), bytes, cudaMemcpyDeviceToHost, stream),
                     "cudaMemcpyAsync of results");
  };
  if (from.task != nullptr) {
    SPARKMILL_TRY(cu::check(device::launch_collect(lane.results.as<sm_u64>(), lane.target.as<sm_u64>(), front.count,
                                                   lane.hits.as<sm_u32>(), stream),
                            "launch of collect"));
    SPARKMILL_TRY(back(lane.host_hits, lane.hits, (count + 2) * 4));
  }
  SPARKMILL_TRY(lane.stream.mark_end());
  SPARKMILL_TRY(back(lane.host_late, lane.late, 4));
  return back(lane.host_results, lane.results, count * sizeof(Hash32));
}

/// Waits for a lane's launch. Its results are then in host memory.
Done CudaKernel::finish(Lane& lane) {
  SPARKMILL_TRY(lane.stream.wait());
  pace_.took(lane.count, lane.stream.seconds());
  if (*lane.host_late.as<std::uint32_t>() != 0)
    return fail(Status::internal, "tensority: a copy of a matrix to shared memory never arrived on the device");
  return done();
}

/// Hashes of the next launch: as many as the pace allows, in whole rounds of all multiprocessors.
std::size_t CudaKernel::next_count(std::uint64_t left) const {
  const std::uint64_t round = std::max<std::uint64_t>(1, processors_ / kChains);
  const std::uint64_t want = pace_.units() > round ? pace_.units() / round * round : pace_.units();
  return std::min(want, left);
}

/// Launches over `total` hashes, alternating between the lanes; take(lane) gets them in order and says whether to go
/// on. False: stopped by the token.
template <class Take>
Result<bool> CudaKernel::run(const Epoch& epoch, const Source& from, std::uint64_t total, const StopToken& stop,
                             Take take) {
  SPARKMILL_TRY(cu::check(cudaSetDevice(ordinal_), "cudaSetDevice"));
  SPARKMILL_ASSIGN(Upload * list, upload(epoch));
  bool room = true, stopped = false;
  auto settle = [&](Lane& lane) -> Done {
    if (lane.count == 0) return done();
    SPARKMILL_TRY(finish(lane));
    if (room) room = take(lane);
    lane.count = 0;
    return done();
  };
  auto all = [&]() -> Done {
    unsigned turn = 0;
    for (std::uint64_t first = 0; first < total && room; turn ^= 1) {
      SPARKMILL_TRY(settle(lanes_[turn]));
      stopped = stop.stop_requested();
      if (stopped || !room) break;
      const std::size_t count = next_count(total - first);
      SPARKMILL_TRY(launch(lanes_[turn], *list, from, first, count));
      first += count;
    }
    SPARKMILL_TRY(settle(lanes_[turn]));  // the older of the two comes first
    return settle(lanes_[turn ^ 1]);
  };
  Done result = all();
  for (Lane& lane : lanes_) {
    // After an error nothing may still write into buffers that the next call uses.
    if (Done waited = lane.stream.wait(); !waited && result) result = waited.error();
    lane.count = 0;
  }
  if (!result) return result.error();
  return !stopped;
}

Done CudaKernel::hash(const Epoch& epoch, std::span<const Hash32> headers, std::span<Hash32> out,
                      const StopToken& stop) {
  if (headers.size() != out.size())
    return fail(Status::bad_argument, "tensority: as many results as headers are needed");
  if (headers.empty()) return done();
  SPARKMILL_ASSIGN(const bool whole, run(epoch, {headers, nullptr}, headers.size(), stop, [&out](const Lane& lane) {
                     std::copy_n(lane.host_results.as<Hash32>(), lane.count, out.begin() + lane.first);
                     return true;
                   }));
  return whole ? done() : Done(fail(Status::cancelled, "tensority: stopped between launches"));
}

Result<SearchResult> CudaKernel::search(const SearchTask& task, const StopToken& stop) {
  SPARKMILL_TRY(check(task));
  SearchResult out;
  if (task.count == 0) return out;
  bool sound = true;
  SPARKMILL_ASSIGN(
      [[maybe_unused]] const bool whole, run(*task.epoch, {{}, &task}, task.count, stop, [&](const Lane& lane) {
        const auto* hits = lane.host_hits.as<std::uint32_t>();
        sound = hits[0] <= lane.count && hits[1] < lane.count;
        return sound && add_batch(task.first_nonce + lane.first, {lane.host_results.as<Hash32>(), lane.count},
                                  {hits + 2, hits[0]}, hits[1], out);
      }));
  if (!sound) return fail(Status::internal, "tensority: the CUDA device wrote an impossible list of hits");
  return out;
}

Done CudaKernel::check_answers(const Epoch& epoch) {
  const std::span<const KnownAnswer> known = known_answers();
  std::vector<Hash32> headers(std::min<std::size_t>(most_, processors_)), results(headers.size());
  for (std::size_t k = 0; k < headers.size(); ++k) headers[k] = known[k % known.size()].header_hash;
  SPARKMILL_TRY(hash(epoch, headers, results, {}));
  for (std::size_t k = 0; k < headers.size(); ++k) {
    if (results[k] != known[k % known.size()].result)
      return fail(Status::self_test_failed, fmt::format("{} gives wrong hashes here", name(form_)));
  }
  return done();
}

/// "multiplies with wgmma, 168 registers a thread, nothing spilled".
std::string report(CudaForm form) {
  cudaFuncAttributes of{};
  const cudaError_t asked = form == CudaForm::wgmma ? device::wgmma_attributes(of)
                            : form == CudaForm::mma ? device::mma_attributes(of)
                                                    : device::dot_attributes(of);
  std::string text = fmt::format("multiplies with {}", name(form));
  if (asked != cudaSuccess) return text;
  text += fmt::format(", {} registers a thread, ", of.numRegs);
  return text + (of.localSizeBytes == 0 ? "nothing spilled" : fmt::format("{} bytes spilled", of.localSizeBytes));
}

/// The fastest form that gives right answers. One that does not costs speed and a sentence, not the row.
Result<std::unique_ptr<kernels::Kernel>> make(const kernels::Device& device) {
  SPARKMILL_ASSIGN(const int ordinal, cu::find_ordinal(device));
  SPARKMILL_ASSIGN(const Capability c, capability(ordinal));
  SPARKMILL_ASSIGN(const std::shared_ptr<const Epoch> epoch, Epoch::build(known_seed()));
  std::string refused;
  for (const CudaForm form : {CudaForm::wgmma, CudaForm::mma, CudaForm::dot}) {
    if (!c.has(form)) continue;
    Result<std::unique_ptr<CudaKernel>> k = CudaKernel::open(device, form);
    Done tested = k ? (*k)->check_answers(*epoch) : Done(k.error());
    if (tested) {
      (*k)->set_note(report(form) + (refused.empty() ? "" : ", because " + refused));
      return Result<std::unique_ptr<kernels::Kernel>>(std::move(*k));
    }
    refused += (refused.empty() ? "" : "; ") + tested.error().message;
  }
  return fail(Status::self_test_failed, fmt::format("tensority on {}: {}", device.id, refused),
              "this device or its driver computes wrong results; it must not be used");
}

kernels::Probe probe(const kernels::Device& device) {
  if (device.backend != kernels::Backend::cuda) return {false, "this is not a CUDA device"};
  const Result<int> ordinal = cu::find_ordinal(device);
  if (!ordinal) return {false, ordinal.error().message};
  const Result<Capability> c = capability(*ordinal);
  if (!c) return {false, "the CUDA driver does not answer for this device"};
  if (!c->has(CudaForm::dot))
    return {false, fmt::format("compute capability {}.{} is too old, 7.5 is needed", c->major, c->minor)};
  const CudaForm form = c->has(CudaForm::wgmma) ? CudaForm::wgmma
                        : c->has(CudaForm::mma) ? CudaForm::mma
                                                : CudaForm::dot;
  return {true, fmt::format("compute capability {}.{}, has {}", c->major, c->minor, name(form))};
}

}  // namespace

Result<std::unique_ptr<kernels::Kernel>> make_cuda(const kernels::Device& device, CudaForm form) {
  SPARKMILL_ASSIGN(std::unique_ptr<CudaKernel> k, CudaKernel::open(device, form));
  return Result<std::unique_ptr<kernels::Kernel>>(std::move(k));
}

kernels::Row cuda_row() { return {kernels::Family::tensority, kernels::Backend::cuda, "", 80, 1, probe, make}; }

}  // namespace sparkmill::tensority

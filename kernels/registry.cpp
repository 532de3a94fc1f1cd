// SPDX-License-Identifier: Apache-2.0
// The table of rows, the list of devices, and the choice between rows.
#include "kernels/registry.h"

#include <algorithm>

#include "kernels/backend/discover.h"
#include "kernels/ed25519/rows.h"
#include "kernels/hash/rows.h"
#include "kernels/match/rows.h"
#include "kernels/rsa/rows.h"
#include "kernels/secp256k1/rows.h"
#include "kernels/selftest.h"
#include "kernels/tensority/rows.h"

#ifndef SPARKMILL_HAVE_OPENCL
#define SPARKMILL_HAVE_OPENCL 0
#endif
#ifndef SPARKMILL_HAVE_CUDA
#define SPARKMILL_HAVE_CUDA 0
#endif
#ifndef SPARKMILL_HAVE_TORCH
#define SPARKMILL_HAVE_TORCH 0
#endif
#ifndef SPARKMILL_WHY_OPENCL
#define SPARKMILL_WHY_OPENCL "not part of this build"
#endif
#ifndef SPARKMILL_WHY_CUDA
#define SPARKMILL_WHY_CUDA "not part of this build"
#endif
#ifndef SPARKMILL_WHY_TORCH
#define SPARKMILL_WHY_TORCH "not part of this build"
#endif

namespace sparkmill::kernels {

std::string_view name(Family family) {
  switch (family) {
    case Family::match: return "match";
    case Family::tensority: return "tensority";
    case Family::ed25519: return "ed25519";
    case Family::hash: return "hash";
    case Family::secp256k1: return "secp256k1";
    case Family::rsa: return "rsa";
  }
  return "unknown";
}

std::string_view name(Backend backend) {
  switch (backend) {
    case Backend::reference: return "reference";
    case Backend::cpu: return "cpu";
    case Backend::opencl: return "opencl";
    case Backend::cuda: return "cuda";
    case Backend::torch: return "torch";
  }
  return "unknown";
}

std::string Row::id() const {
  std::string id = std::string(name(family)) + "/" + std::string(name(backend));
  if (!isa.empty()) id += "/" + std::string(isa);
  return id;
}

std::span<const Row> rows() {
  static const std::vector<Row> table = [] {
    std::vector<Row> t {
      match::reference_row(),
#if SPARKMILL_HAVE_X86
          match::avx512_row(), match::avx2_row(),
#endif
#if SPARKMILL_HAVE_OPENCL
          match::opencl_row(),
#endif
#if SPARKMILL_HAVE_CUDA
          match::cuda_row(),
#endif
#if SPARKMILL_HAVE_TORCH
          match::torch_row(),
#endif
          tensority::reference_row(),
#if SPARKMILL_HAVE_X86
          tensority::amx_row(), tensority::avx512_row(), tensority::avxvnni_row(), tensority::avx2_row(),
#endif
#if SPARKMILL_HAVE_OPENCL
          tensority::opencl_row(),
#endif
#if SPARKMILL_HAVE_CUDA
          tensority::cuda_row(),
#endif
#if SPARKMILL_HAVE_TORCH
          tensority::torch_row(),
#endif
          ed25519::reference_row(),
#if SPARKMILL_HAVE_X86
          ed25519::avx512_row(), ed25519::avx2_row(),
#endif
#if SPARKMILL_HAVE_OPENCL
          ed25519::opencl_row(),
#endif
#if SPARKMILL_HAVE_CUDA
          ed25519::cuda_row(),
#endif
          hashes::reference_row(),
#if SPARKMILL_HAVE_X86
          hashes::avx512_row(), hashes::avx2_row(),
#endif
#if SPARKMILL_HAVE_OPENCL
          hashes::opencl_row(),
#endif
#if SPARKMILL_HAVE_CUDA
          hashes::cuda_row(),
#endif
          secp256k1::reference_row(),
#if SPARKMILL_HAVE_X86
          secp256k1::avx512_row(), secp256k1::avx2_row(),
#endif
#if SPARKMILL_HAVE_OPENCL
          secp256k1::opencl_row(),
#endif
#if SPARKMILL_HAVE_CUDA
          secp256k1::cuda_row(),
#endif
          rsa::reference_row(),
#if SPARKMILL_HAVE_X86
          rsa::avx512_row(), rsa::avx2_row(),
#endif
#if SPARKMILL_HAVE_OPENCL
          rsa::opencl_row(),
#endif
#if SPARKMILL_HAVE_CUDA
          rsa::cuda_row(),
#endif
    };
    std::stable_sort(t.begin(), t.end(), [](const Row& a, const Row& b) {
      return a.family != b.family ? a.family < b.family : a.rank > b.rank;
    });
    return t;
  }();
  return table;
}

std::span<const AbsentBackend> absent_backends() {
  static const std::vector<AbsentBackend> list = [] {
    std::vector<AbsentBackend> absent;
    if (!SPARKMILL_HAVE_X86) absent.push_back({"cpu", "this build is for a processor without AVX2 and AVX-512 rows"});
    if (!SPARKMILL_HAVE_OPENCL) absent.push_back({"opencl", SPARKMILL_WHY_OPENCL});
    if (!SPARKMILL_HAVE_CUDA) absent.push_back({"cuda", SPARKMILL_WHY_CUDA});
    if (!SPARKMILL_HAVE_TORCH) absent.push_back({"torch", SPARKMILL_WHY_TORCH});
    return absent;
  }();
  return list;
}

std::vector<Device> discover_devices(std::vector<std::string>* notes) {
  std::vector<Device> devices{cpu_device()};
  for (auto* find : {&opencl_devices, &cuda_devices}) {
    std::string note;
    for (Device& d : find(note)) devices.push_back(std::move(d));
    if (notes != nullptr && !note.empty()) notes->push_back(std::move(note));
  }
  return devices;
}

const Row* find_row(Family family, std::string_view id) {
  const std::string with_family = std::string(name(family)) + "/" + std::string(id);
  for (const Row& row : rows()) {
    if (row.family != family) continue;
    const std::string own = row.id();
    if (own == id || own == with_family) return &row;
  }
  return nullptr;
}

namespace {

/// "match/cpu/avx2, match/reference": the rows of a family, all or only those that can run.
std::string list_rows(Family family, const Device* device) {
  std::string list;
  for (const Row& row : rows()) {
    if (row.family != family || (device != nullptr && !row.probe(*device).ok)) continue;
    list += (list.empty() ? "" : ", ") + row.id();
  }
  return list.empty() ? "none" : list;
}

Result<Choice> choose_forced(Family family, const Device& device, std::string_view forced) {
  const Row* row = find_row(family, forced);
  if (row == nullptr) {
    return fail(Status::bad_argument, "kernel row \"" + std::string(forced) + "\" is not in this build",
                "possible rows: " + list_rows(family, nullptr));
  }
  const Probe probe = row->probe(device);
  if (!probe.ok) {
    return fail(Status::no_device, "forced row " + row->id() + " cannot run on " + device.id + ": " + probe.why,
                "rows that can run on " + device.id + ": " + list_rows(family, &device));
  }
  return Choice{row, "forced"};
}

}  // namespace

Result<Choice> choose(Family family, const Device& device, std::string_view forced, std::string_view tuned) {
  if (!forced.empty()) return choose_forced(family, device, forced);
  if (!tuned.empty()) {
    const Row* row = find_row(family, tuned);
    if (row != nullptr && row->probe(device).ok) return Choice{row, "tuned"};
  }
  for (const Row& row : rows()) {
    if (row.family == family && row.probe(device).ok) return Choice{&row, "rank"};
  }
  return fail(Status::no_device, "no row of the family " + std::string(name(family)) + " can run on " + device.id);
}

Result<std::unique_ptr<Kernel>> make_tested(const Row& row, const Device& device) {
  SPARKMILL_ASSIGN(std::unique_ptr<Kernel> kernel, row.make(device));
  SPARKMILL_TRY(self_test(row.family, row.id(), *kernel));
  return kernel;
}

}  // namespace sparkmill::kernels

// SPDX-License-Identifier: Apache-2.0
// Tasks of kind verify.batch: forms in turn, among those that this machine decides with a fast row (its own
// checks must not take longer than the work).
#include <fmt/format.h>

#include <algorithm>

#include "base/hash.h"
#include "kernels/backend/discover.h"
#include "kernels/ed25519/vrf.h"
#include "kernels/registry.h"
#include "node/jobs/batch_maker.h"
#include "node/jobs/generator.h"
#include "node/jobs/maker.h"
#include "verify/job/plants.h"
#include "verify/job/verify_batch.h"

extern "C" {
extern const unsigned char sparkmill_bytom_signatures[];
extern const unsigned char sparkmill_bytom_signatures_end[];
}

namespace sparkmill::node {

namespace {

constexpr std::uint16_t kSpecVersion = 1;
constexpr double kDuty = 0.15;
/// Signing takes some five to ten times as long as checking, with RSA keys a hundred, of VRFs thirty: then jobs are
/// smaller.
constexpr std::uint32_t kSlowSigning = 4;

/// Signatures of real blocks, if there are any of this form.
signatures::ItemList real_ones(const signatures::Form& form) {
  const ByteView stream(sparkmill_bytom_signatures,
                        static_cast<std::size_t>(sparkmill_bytom_signatures_end - sparkmill_bytom_signatures));
  auto all = signatures::decode_stream(stream, "bytom_signatures.smsg", job::kMaxBatchItems);
  return all && &all->form() == &form ? std::move(*all) : signatures::ItemList(form);
}

std::vector<const signatures::Form*> forms_here() {
  std::vector<const signatures::Form*> out;
  const kernels::Device cpu = kernels::cpu_device();
  for (const signatures::Form& form : signatures::forms()) {
    if (form.family) {
      const auto choice = kernels::choose(*form.family, cpu);
      if (choice && choice->row->backend != kernels::Backend::reference) out.push_back(&form);
    } else if (ed25519::make_vrf_kernel() != nullptr) {  // ECVRF: lanes without a row
      out.push_back(&form);
    }
  }
  return out;
}

class BatchMaker final : public Maker {
 public:
  BatchMaker(std::uint32_t items, BlobStore& blobs) : items_(items), blobs_(blobs), forms_(forms_here()) {}
  job::Kind kind() const override { return job::Kind::verify_batch; }
  double duty() const override { return kDuty; }
  Result<MadeAttempt> make(const Task* again, std::uint64_t index, std::uint64_t deadline_ms,
                           const StopToken& stop) override;

 private:
  /// The first scheme every other time, the others in turn between; and of each one policy after the other.
  const signatures::Form* form_of(std::uint64_t index) const {
    std::vector<std::vector<const signatures::Form*>> schemes;
    for (const signatures::Form* form : forms_) {
      if (schemes.empty() || schemes.back().front()->scheme != form->scheme) schemes.emplace_back();
      schemes.back().push_back(form);
    }
    const std::uint64_t others = schemes.size() - 1, turn = index / 2;
    const bool first = others == 0 || index % 2 == 0;
    const auto& policies = schemes[first ? 0 : 1 + turn % others];
    return policies[(first ? turn : turn / others) % policies.size()];
  }

  std::uint32_t items_;
  BlobStore& blobs_;
  std::vector<const signatures::Form*> forms_;
};

Result<MadeAttempt> BatchMaker::make(const Task* again, std::uint64_t index, std::uint64_t deadline_ms,
                                     const StopToken& stop) {
  BatchSpec spec;
  if (again != nullptr) {
    SPARKMILL_ASSIGN(spec, decode_batch_spec(again->spec));
  } else {
    if (forms_.empty()) {
      return fail(Status::no_device, "no signatures are given out: this processor has no fast row for any scheme");
    }
    spec.index = index;
    spec.form = form_of(index);
    const bool slow =
        spec.form->scheme == signatures::Scheme::rsa2048 || spec.form->scheme == signatures::Scheme::ecvrf;
    spec.items = slow ? std::max(kMinSignatures, items_ / kSlowSigning) : items_;
  }
  SPARKMILL_ASSIGN(const auto signers, signatures::make_signers(*spec.form, {random_array<32>(), {}}));
  const signatures::ItemList real = real_ones(*spec.form);
  SPARKMILL_ASSIGN(const job::PlantedBatch batch,
                   job::plant_batch(*signers, real.view(), spec.items, random_array<32>(), stop));
  SPARKMILL_ASSIGN(const Hash32 stream, blobs_.put(signatures::encode_stream(*spec.form, batch.items.view())));
  MadeAttempt made;
  made.spec = encode(spec);
  made.job = job::make_batch_job({spec.form, spec.items, true}, stream, deadline_ms);
  made.secrets = job::encode(batch.plants);
  made.text = fmt::format("{} {} signatures, {}: {} generated, {} of real blocks, {} planted", spec.items,
                          spec.form->scheme_name, spec.form->policy_name,
                          spec.items - real.count() - batch.plants.list.size(), real.count(), batch.plants.list.size());
  return made;
}

}  // namespace

Bytes encode(const BatchSpec& spec) {
  ByteWriter w;
  w.u16(kSpecVersion).u64(spec.index).u16(static_cast<std::uint16_t>(spec.form->scheme)).u16(spec.form->policy);
  return std::move(w.u32(spec.items)).data();
}

Result<BatchSpec> decode_batch_spec(ByteView bytes) {
  ByteReader r(bytes);
  const std::uint16_t version = r.u16();
  BatchSpec spec;
  spec.index = r.u64();
  const std::uint16_t scheme = r.u16();
  const std::uint16_t policy = r.u16();
  spec.items = r.u32();
  spec.form = signatures::find_form(scheme, policy);
  if (!r.done() || version != kSpecVersion || spec.form == nullptr || spec.items < job::kMinPlantedItems ||
      spec.items > job::kMaxBatchItems) {
    return fail(Status::corrupt, "batch task: not the layout of version 1");
  }
  return spec;
}

std::unique_ptr<Maker> batch_maker(const GeneratorSettings& settings, BlobStore& blobs) {
  return std::make_unique<BatchMaker>(settings.signatures, blobs);
}

}  // namespace sparkmill::node

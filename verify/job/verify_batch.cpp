// SPDX-License-Identifier: Apache-2.0
#include "verify/job/verify_batch.h"

#include <algorithm>

#include "base/hash.h"
#include "verify/job/items.h"
#include "verify/signatures/ecvrf.h"
#include "verify/signatures/musig2.h"

namespace sparkmill::job {
namespace {

using signatures::Form;
using signatures::ItemList;
using signatures::Items;
using signatures::Scheme;

constexpr std::string_view kName = "verify.batch";
constexpr std::uint16_t kVersion = 1;
constexpr std::uint16_t kEvidenceFlag = 1;
constexpr std::uint64_t kWeightOfUnit = 64;
/// A message this long fits into the two SHA-512 blocks that every Ed25519 item has; each 128 bytes more cost a block.
constexpr std::size_t kFreeMessageBytes = 47;
constexpr std::size_t kBlockBytes = 128;
constexpr std::uint64_t kBlockWeight = 2;

Error bad(const std::string& why) { return fail(Status::bad_input, std::string(kName) + ": " + why); }

struct Inputs {
  Inputs(Job j, const BatchParams& p, ItemList l)
      : job(std::move(j)), params(p), list(std::move(l)), items(list.view()) {}
  Job job;
  BatchParams params;
  ItemList list;
  Items items;                           ///< of `list`
  std::vector<std::uint64_t> weight{0};  ///< of the first n items
};

class BatchWork final : public ItemWork {
 public:
  BatchWork(std::shared_ptr<const Inputs> inputs, const Binding& binding) : in_(std::move(inputs)) {
    ItemWork::bind(binding);
  }
  const Job& job() const override { return in_->job; }
  /// Schemes without kernels run on the lanes of Ed25519: they are of that curve, and never touch the kernel.
  kernels::Family family() const override { return in_->params.form->family.value_or(kernels::Family::ed25519); }
  bool needs_quorum() const override { return !in_->params.evidence; }

 protected:
  std::unique_ptr<ItemWork> clone() const override { return std::unique_ptr<ItemWork>(new BatchWork(*this)); }
  std::string_view what() const override { return kName; }
  std::size_t items() const override { return in_->items.count; }
  std::uint64_t units_before(std::size_t n) const override {
    return (in_->weight[n] + kWeightOfUnit - 1) / kWeightOfUnit;
  }
  Done decide(std::span<const std::uint32_t> indices, kernels::Kernel& kernel, const StopToken& stop,
              std::span<std::uint8_t> verdicts, std::span<Hash32> evidence) const override;
  /// VRF proofs have lanes, but no rows to choose another of: the portable code looks again.
  Done decide_again(std::span<const std::uint32_t> indices, kernels::Kernel& kernel, const StopToken& stop,
                    std::span<std::uint8_t> verdicts, std::span<Hash32> evidence) const override;
  Bytes encode_answer(ByteView verdicts) const override { return encode_verdict_bits(verdicts); }
  Result<Bytes> decode_answer(ByteView answer) const override { return decode_verdict_bits(answer, items(), kName); }

 private:
  BatchWork(const BatchWork&) = default;
  std::shared_ptr<const Inputs> in_;
};

Done BatchWork::decide(std::span<const std::uint32_t> indices, kernels::Kernel& kernel, const StopToken& stop,
                       std::span<std::uint8_t> verdicts, std::span<Hash32> evidence) const {
  if (indices.empty()) return done();
  const Form& form = *in_->params.form;
  const std::size_t first = indices.front(), count = indices.size();
  ItemList gathered(form);
  Items items = in_->items.part(form, first, first + 1);
  if (indices.back() - first + 1 == count) {
    items = in_->items.part(form, first, first + count);
  } else {
    for (const std::uint32_t at : indices) {
      SPARKMILL_TRY(gathered.add(in_->items.key(form, at), in_->items.signature(form, at), in_->items.message(at)));
    }
    items = gathered.view();
  }
  const std::size_t point = in_->params.evidence ? form.evidence_bytes : 0;
  Bytes points(count * point);
  const signatures::Results results{verdicts, points, {}, {}};
  SPARKMILL_TRY(signatures::verify_on(form, items, results, form.family ? &kernel : nullptr, stop));
  Sha256 hash;
  for (std::size_t k = 0; k < count; ++k) {
    evidence[k] = hash.update(binding().worker_pub)
                      .update(binding().context)
                      .update(ByteView(points).subspan(k * point, point))
                      .finish();
  }
  return done();
}

Done BatchWork::decide_again(std::span<const std::uint32_t> indices, kernels::Kernel& kernel, const StopToken& stop,
                             std::span<std::uint8_t> verdicts, std::span<Hash32> evidence) const {
  const Form& form = *in_->params.form;
  if (form.scheme != Scheme::ecvrf) return decide(indices, kernel, stop, verdicts, evidence);
  const auto suite = form.policy == 1 ? signatures::VrfSuite::tai : signatures::VrfSuite::ell2;
  Sha256 hash;
  for (std::size_t k = 0; k < indices.size(); ++k) {
    if (stop.stop_requested()) return fail(Status::cancelled, "stopped");
    const std::uint32_t at = indices[k];
    signatures::VrfEvidence point{};
    verdicts[k] = signatures::vrf_verify_vartime(suite, in_->items.key(form, at), in_->items.signature(form, at),
                                                 in_->items.message(at), &point)
                      ? 1
                      : 0;
    evidence[k] = hash.update(binding().worker_pub)
                      .update(binding().context)
                      .update(in_->params.evidence ? ByteView(point) : ByteView())
                      .finish();
  }
  return done();
}

/// Time on a core against Ed25519 `go`, in 64ths, AVX-512 rows with evidence on a Zen 5 core: Ed25519 239 k/s (218 k/s
/// with R decoded), ECDSA 230, recovery 208, BIP-340 212, RSA-2048 424, ECVRF 120
/// (TAI) and 131 (ELL2).
std::uint64_t scheme_weight(const Form& form) {
  switch (form.scheme) {
    case Scheme::ed25519:
      return form.policy_name == "zip215" || form.policy_name == "rfc8032_canonical_cofactored" ? 70 : 64;
    case Scheme::ecdsa: return form.key_bytes == 33 ? 74 : 66;
    case Scheme::ecdsa_recover:
    case Scheme::ecdsa_address: return 74;
    case Scheme::bip340:
    case Scheme::musig2: return 72;
    case Scheme::rsa2048: return 36;
    case Scheme::ecvrf: return form.policy_name == "tai" ? 133 : 122;
  }
  return kWeightOfUnit;
}

}  // namespace

std::uint64_t item_weight(const Form& form, ByteView message, ByteView before) {
  std::uint64_t weight = scheme_weight(form);
  if (message.size() > kFreeMessageBytes) {
    weight += (message.size() - kFreeMessageBytes + kBlockBytes - 1) / kBlockBytes * kBlockWeight;
  }
  if (form.scheme != Scheme::musig2 || message.size() < 2) return weight;
  // Each signer's key is decoded and multiplied by its coefficient, once for votes that come together.
  const std::size_t signers = ByteReader(message).u16(), list = 2 + signers * sizeof(signatures::PlainKey);
  const bool again = message.size() >= list && before.size() >= list &&
                     std::equal(message.begin(), message.begin() + static_cast<std::ptrdiff_t>(list), before.begin());
  return weight + (again ? 0 : scheme_weight(form) * signers);
}

Bytes encode_batch_params(const BatchParams& p) {
  return ByteWriter()
      .u16(kVersion)
      .u16(p.evidence ? kEvidenceFlag : 0)
      .u16(static_cast<std::uint16_t>(p.form->scheme))
      .u16(p.form->policy)
      .u32(p.count)
      .data();
}

Result<BatchParams> decode_batch_params(ByteView bytes) {
  ByteReader r(bytes);
  const std::uint16_t version = r.u16();
  const std::uint16_t flags = r.u16();
  const std::uint16_t scheme = r.u16();
  const std::uint16_t policy = r.u16();
  BatchParams p;
  p.count = r.u32();
  if (!r.done()) return bad("params of " + std::to_string(bytes.size()) + " bytes, expected 12");
  if (version != kVersion) return bad("params version " + std::to_string(version) + ", this program knows 1");
  if ((flags & ~kEvidenceFlag) != 0) return bad("flags " + std::to_string(flags) + ", this program knows bit 0");
  p.evidence = flags != 0;
  p.form = signatures::find_form(scheme, policy);
  if (p.form == nullptr) {
    return fail(Status::unsupported,
                std::string(kName) + ": scheme " + std::to_string(scheme) + ", policy " + std::to_string(policy) +
                    " is unknown here",
                "update sparkmill");
  }
  if (p.count == 0 || p.count > kMaxBatchItems) return bad("count is " + std::to_string(p.count));
  if (p.evidence && p.form->evidence_bytes == 0) return bad("this form has no evidence");
  return p;
}

Job make_batch_job(const BatchParams& params, const Hash32& stream, std::uint64_t deadline_unix_ms) {
  Job job;
  job.salt = random_array<16>();
  job.kind = Kind::verify_batch;
  job.deadline_unix_ms = deadline_unix_ms;
  job.params = encode_batch_params(params);
  job.blobs = {stream};
  seal(job);
  return job;
}

Result<std::unique_ptr<Work>> open_verify_batch(const Job& job, BlobSource& blobs, const Binding& binding) {
  SPARKMILL_ASSIGN(const BatchParams params, decode_batch_params(job.params));
  if (job.blobs.size() != 1) return bad(std::to_string(job.blobs.size()) + " blobs, expected 1");
  SPARKMILL_ASSIGN(const Blob blob, blobs.get(job.blobs[0]));
  if (blob.bytes.size() > kMaxBatchBytes) return bad("a blob of " + std::to_string(blob.bytes.size()) + " bytes");
  SPARKMILL_ASSIGN(ItemList list, signatures::decode_stream(blob.bytes, "the job's blob", kMaxBatchItems));
  if (&list.form() != params.form) return bad("the blob is of another form than the params say");
  if (list.count() != params.count) return bad("the blob has another number of items than the params say");
  auto in = std::make_shared<Inputs>(job, params, std::move(list));
  for (std::size_t k = 0; k < params.count; ++k) {
    const ByteView before = k == 0 ? ByteView() : in->items.message(k - 1);
    in->weight.push_back(in->weight.back() + item_weight(*params.form, in->items.message(k), before));
  }
  return std::unique_ptr<Work>(std::make_unique<BatchWork>(std::move(in), binding));
}

Result<std::vector<Piece>> split_verify_batch(const Job& whole, BlobSource& blobs, std::uint64_t target_units,
                                              const KeepBlob& keep) {
  SPARKMILL_ASSIGN(const auto work, open_verify_batch(whole, blobs, {}));
  SPARKMILL_ASSIGN(const BatchParams whole_params, decode_batch_params(whole.params));
  SPARKMILL_ASSIGN(const Blob blob, blobs.get(whole.blobs[0]));
  SPARKMILL_ASSIGN(const ItemList list, signatures::decode_stream(blob.bytes, "the job's blob", kMaxBatchItems));
  const auto params = [&](std::size_t first, std::size_t end) {
    BatchParams own = whole_params;
    own.count = static_cast<std::uint32_t>(end - first);
    return encode_batch_params(own);
  };
  const auto part = [&](std::size_t first, std::size_t end) {
    return signatures::encode_stream(*whole_params.form, list.view().part(*whole_params.form, first, end));
  };
  return split_items(whole, work->slice(target_units), keep, params, part, kName);
}

Result<Bytes> combine_verify_batch(const Job& whole, std::span<const PieceAnswer> parts) {
  SPARKMILL_ASSIGN(const BatchParams params, decode_batch_params(whole.params));
  const auto decode = [](const PieceAnswer& part) -> Result<Bytes> {
    SPARKMILL_ASSIGN(const BatchParams own, decode_batch_params(part.piece->job.params));
    return decode_verdict_bits(part.answer, own.count, kName);
  };
  SPARKMILL_ASSIGN(const Bytes verdicts, join_verdicts(parts, params.count, decode, kName));
  return encode_verdict_bits(verdicts);
}

Result<Bytes> decode_batch_answer(ByteView answer, std::uint32_t count) {
  return decode_verdict_bits(answer, count, kName);
}

}  // namespace sparkmill::job

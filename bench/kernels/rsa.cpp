// SPDX-License-Identifier: Apache-2.0
// RSA-2048: draws verified a second by each row with one key, 64 keys and a key for each item; CPU rows in turn with
// the form with evidence, the ceiling of the unit that multiplies and OpenSSL, so that clock changes and neighbours
// meet all alike; two cores.
#include "bench/kernels/rsa.h"

#include <benchmark/benchmark.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include <algorithm>

#include "base/hash.h"
#include "bench/kernels/data.h"
#include "bench/kernels/signature_rows.h"
#include "bench/measure.h"
#include "bench/report.h"
#include "kernels/rsa/encoding.h"

namespace sparkmill::bench {
namespace {

constexpr std::size_t kBatch = 4096;
constexpr std::size_t kSigned = 64;  // items with a real signature, over and over
constexpr std::size_t kBytes = rsa::kModulusBytes;

/// Multiplications of one verification: kernels/rsa/README.md counts them.
double instructions_a_signature(std::string_view isa) { return isa == "avx512" ? 90360.0 / 8 : 153750.0 / 4; }

struct Free {
  void operator()(BIGNUM* n) const { BN_free(n); }
  void operator()(BN_CTX* c) const { BN_CTX_free(c); }
  void operator()(EVP_PKEY* k) const { EVP_PKEY_free(k); }
  void operator()(EVP_PKEY_CTX* c) const { EVP_PKEY_CTX_free(c); }
  void operator()(OSSL_PARAM_BLD* b) const { OSSL_PARAM_BLD_free(b); }
  void operator()(OSSL_PARAM* p) const { OSSL_PARAM_free(p); }
};
using Big = std::unique_ptr<BIGNUM, Free>;
using PublicKey = std::unique_ptr<EVP_PKEY, Free>;

struct Item {
  std::array<std::uint8_t, kBytes> n, signature;
  Hash32 message;
};

PublicKey parsed(const Item& item) {
  const std::unique_ptr<OSSL_PARAM_BLD, Free> build(OSSL_PARAM_BLD_new());
  const Big n(BN_bin2bn(item.n.data(), kBytes, nullptr)), e(BN_new());
  BN_set_word(e.get(), rsa::kExponent);
  OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_N, n.get());
  OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_E, e.get());
  const std::unique_ptr<OSSL_PARAM, Free> parameters(OSSL_PARAM_BLD_to_param(build.get()));
  const std::unique_ptr<EVP_PKEY_CTX, Free> context(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr));
  EVP_PKEY* key = nullptr;
  EVP_PKEY_fromdata_init(context.get());
  EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get());
  return PublicKey(key);
}

/// The public operation of OpenSSL and EM compared.
bool openssl_valid(EVP_PKEY_CTX* context, const Item& item) {
  std::uint8_t out[kBytes];
  std::size_t bytes = sizeof out;
  if (EVP_PKEY_verify_recover(context, out, &bytes, item.signature.data(), item.signature.size()) != 1) return false;
  const auto em = rsa::encoded(rsa::Encoding::draw, item.message);
  return bytes == kBytes && std::equal(em.begin(), em.end(), out);
}
std::unique_ptr<EVP_PKEY_CTX, Free> recovering(EVP_PKEY* key) {
  std::unique_ptr<EVP_PKEY_CTX, Free> context(EVP_PKEY_CTX_new(key, nullptr));
  EVP_PKEY_verify_recover_init(context.get());
  EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_NO_PADDING);
  return context;
}

/// kSigned draws under 64 keys, products of pairs of twelve primes, or all under one of them.
std::vector<Item> signed_items(bool one_key) {
  static const std::vector<Big> primes = [] {
    std::vector<Big> list;
    for (unsigned k = 0; k < 12; ++k) {
      list.emplace_back(BN_new());
      BN_generate_prime_ex(list.back().get(), 1024, 0, nullptr, nullptr, nullptr);
    }
    return list;
  }();
  const std::unique_ptr<BN_CTX, Free> context(BN_CTX_new());
  std::vector<Item> items;
  for (unsigned pair = 0; items.size() < kSigned; ++pair) {
    const unsigned i = one_key ? 0 : pair / 12, j = one_key ? 1 : pair % 12;
    if (i >= j) continue;
    const Big n(BN_new()), p1(BN_dup(primes[i].get())), q1(BN_dup(primes[j].get())), phi(BN_new()), e(BN_new()),
        s(BN_new());
    BN_mul(n.get(), primes[i].get(), primes[j].get(), context.get());
    BN_sub_word(p1.get(), 1);
    BN_sub_word(q1.get(), 1);
    BN_mul(phi.get(), p1.get(), q1.get(), context.get());
    BN_set_word(e.get(), rsa::kExponent);
    const Big d(BN_mod_inverse(nullptr, e.get(), phi.get(), context.get()));
    Item item;
    item.message = sha256(view(std::to_string(pair)));
    const auto em = rsa::encoded(rsa::Encoding::draw, item.message);
    const Big m(BN_bin2bn(em.data(), kBytes, nullptr));
    BN_mod_exp(s.get(), m.get(), d.get(), n.get(), context.get());
    BN_bn2binpad(n.get(), item.n.data(), kBytes);
    BN_bn2binpad(s.get(), item.signature.data(), kBytes);
    items.push_back(item);
  }
  return items;
}

enum class Keys { one, sixty_four, all_distinct };
constexpr const char* name(Keys keys) {
  return keys == Keys::one ? "one_key" : keys == Keys::sixty_four ? "64_keys" : "distinct_keys";
}

/// One item in 16 has another message. Of distinct keys one in 64 is real; the others are random numbers of the right
/// shape, whose signatures are wrong, and cost the same.
class Work {
 public:
  explicit Work(Keys kind)
      : pool(signed_items(kind == Keys::one)), valid(kBatch), evidence(kBatch * rsa::kEvidenceBytes) {
    ChaChaWords words(sha256(view("bench rsa")));
    for (std::size_t i = 0; i < kBatch; ++i) {
      Item item = pool[kind == Keys::all_distinct ? i / 64 : i % kSigned];
      bool right = !wrong(i);
      if (!right) item.message[3] ^= 1;
      if (kind == Keys::all_distinct && i % 64 != 0) {
        for (std::uint8_t& b : item.n) b = static_cast<std::uint8_t>(words.u32());
        item.n.front() |= 0x80;
        item.n.back() |= 1;
        item.signature.front() &= 0x7f;
        right = false;
      }
      keys.insert(keys.end(), item.n.begin(), item.n.end());
      signatures.insert(signatures.end(), item.signature.begin(), item.signature.end());
      messages.insert(messages.end(), item.message.begin(), item.message.end());
      offsets.push_back(messages.size());
      expected.push_back(right ? 1 : 0);
    }
    for (const Item& item : pool) openssl_keys.push_back(parsed(item));
    for (const PublicKey& key : openssl_keys) contexts.push_back(recovering(key.get()));
  }
  static bool wrong(std::size_t i) { return i % 16 == 5; }
  Done run(rsa::Kernel& kernel, std::size_t count, bool with_evidence) {
    const kernels::SignatureBatch batch{count, ByteView(keys).first(count * kBytes),
                                        ByteView(signatures).first(count * kBytes), messages,
                                        std::span(offsets).first(count + 1)};
    const auto wanted =
        with_evidence ? std::span(evidence).first(count * rsa::kEvidenceBytes) : std::span<std::uint8_t>();
    return kernel.verify_vartime(rsa::Encoding::draw, batch, {std::span(valid).first(count), wanted}, StopToken());
  }
  bool right(std::size_t count) const { return std::equal(valid.begin(), valid.begin() + count, expected.begin()); }
  /// OpenSSL on the pool, with keys parsed before and with keys parsed for each item.
  bool openssl() const {
    bool good = true;
    for (std::size_t i = 0; i < kSigned; ++i) good &= openssl_valid(contexts[i].get(), pool[i]);
    return good;
  }
  bool openssl_parsing() const {
    bool good = true;
    for (const Item& item : pool) {
      const PublicKey key = parsed(item);
      good &= openssl_valid(recovering(key.get()).get(), item);
    }
    return good;
  }

 private:
  std::vector<Item> pool;
  std::vector<PublicKey> openssl_keys;
  std::vector<std::unique_ptr<EVP_PKEY_CTX, Free>> contexts;
  Bytes keys, signatures, messages, expected;
  std::vector<std::uint64_t> offsets{0};

 public:
  Bytes valid, evidence;
};

Work& shared_work(Keys keys) {
  static std::unique_ptr<Work> works[3];
  auto& work = works[static_cast<std::size_t>(keys)];
  if (work == nullptr) work = std::make_unique<Work>(keys);
  return *work;
}

SignatureLoad load_of(Work& work, std::size_t batch) {
  return {batch,
          [&work, batch](kernels::Kernel& kernel, bool with_evidence) {
            return bool(work.run(dynamic_cast<rsa::Kernel&>(kernel), batch, with_evidence));
          },
          [&work, batch] { return work.right(batch); }};
}

void run_cpu(benchmark::State& state, const Subject& subject, std::size_t batch, Keys keys) {
  Work& work = shared_work(keys);
  run_on_core(state, subject, load_of(work, batch),
              static_cast<double>(batch) * instructions_a_signature(subject.row->isa), batch == kBatch,
              {{"openssl", kSigned, [&] { return work.openssl(); }},
               {"openssl_parsing", kSigned, [&] { return work.openssl_parsing(); }}});
}
void run_device(benchmark::State& state, const Subject& subject) {
  run_on_device(state, subject, load_of(shared_work(Keys::all_distinct), kBatch));
}
void run_two_cores(benchmark::State& state, const Subject& subject, unsigned other_core) {
  Work theirs(Keys::all_distinct);
  run_on_two_cores(state, subject, other_core, load_of(shared_work(Keys::all_distinct), kBatch),
                   load_of(theirs, kBatch));
}

void register_cpu_row(const Subject& subject) {
  for (const Keys keys : {Keys::all_distinct, Keys::one, Keys::sixty_four}) {
    const std::string id = subject.id() + (keys == Keys::all_distinct ? "" : std::string("/") + name(keys));
    add_rows(id, [subject, keys](benchmark::State& state) { run_cpu(state, subject, kBatch, keys); });
  }
  for (const std::size_t batch : {1u, 8u, 256u}) {
    add_rows(subject.id() + "/batch:" + std::to_string(batch),
             [subject, batch](benchmark::State& state) { run_cpu(state, subject, batch, Keys::all_distinct); });
  }
  if (subject.row->isa == "avx512") Report::instance().expect({subject.id() + "/signatures_per_s", 150e3, true});
  Report::instance().expect({subject.id() + "/evidence_cost", 0.03, false});
}

}  // namespace

void register_rsa(const std::vector<unsigned>& cores) {
  bool best = true;  // rows come best first
  for (const Subject& subject : subjects(kernels::Family::rsa)) {
    if (subject.row->backend == kernels::Backend::reference) {
      add_rows(subject.id(), [subject](benchmark::State& state) {
        run_cpu(state, subject, 16, Keys::all_distinct);
      })->Iterations(1);
    } else if (subject.row->backend != kernels::Backend::cpu) {
      add_rows(subject.id(), [subject](benchmark::State& state) { run_device(state, subject); });
    } else {
      register_cpu_row(subject);
      if (!best || cores.size() < 2) continue;
      best = false;
      const std::string name = subject.id() + "/two_cores";
      const unsigned other = cores[cores.size() - 2];
      add_rows(name, [subject, other](benchmark::State& state) { run_two_cores(state, subject, other); });
      Report::instance().expect({name + "/speedup", 1.9, true});
    }
  }
}

}  // namespace sparkmill::bench

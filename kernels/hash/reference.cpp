// SPDX-License-Identifier: Apache-2.0
// The oracle of the family: FIPS 180-4 and FIPS 202 word for word, a message after the other.
#include <bit>
#include <cstring>
#include <memory>
#include <vector>

#include "kernels/hash/constants.h"
#include "kernels/hash/hash.h"
#include "kernels/hash/rows.h"

namespace sparkmill::hashes {
namespace {

#define ENTRY(index, value) value,
constexpr std::array<std::uint32_t, 64> kSha256Rounds = {SM_SHA256_ROUNDS(ENTRY)};
constexpr std::array<std::uint64_t, 80> kSha512Rounds = {SM_SHA512_ROUNDS(ENTRY)};
constexpr std::array<std::uint32_t, 8> kSha256Start = {SM_SHA256_START(ENTRY)};
constexpr std::array<std::uint64_t, 8> kSha512Start = {SM_SHA512_START(ENTRY)};
constexpr std::array<std::uint64_t, 24> kKeccakRounds = {SM_KECCAK_ROUNDS(ENTRY)};
#undef ENTRY

/// What differs between SHA-256 and SHA-512: FIPS 180-4, 4.1.2 and 4.1.3.
struct Sha256 {
  using Word = std::uint32_t;
  static constexpr auto& kRounds = kSha256Rounds;
  static constexpr auto& kStart = kSha256Start;
  static Word upper0(Word x) { return std::rotr(x, 2) ^ std::rotr(x, 13) ^ std::rotr(x, 22); }
  static Word upper1(Word x) { return std::rotr(x, 6) ^ std::rotr(x, 11) ^ std::rotr(x, 25); }
  static Word lower0(Word x) { return std::rotr(x, 7) ^ std::rotr(x, 18) ^ (x >> 3); }
  static Word lower1(Word x) { return std::rotr(x, 17) ^ std::rotr(x, 19) ^ (x >> 10); }
};
struct Sha512 {
  using Word = std::uint64_t;
  static constexpr auto& kRounds = kSha512Rounds;
  static constexpr auto& kStart = kSha512Start;
  static Word upper0(Word x) { return std::rotr(x, 28) ^ std::rotr(x, 34) ^ std::rotr(x, 39); }
  static Word upper1(Word x) { return std::rotr(x, 14) ^ std::rotr(x, 18) ^ std::rotr(x, 41); }
  static Word lower0(Word x) { return std::rotr(x, 1) ^ std::rotr(x, 8) ^ (x >> 7); }
  static Word lower1(Word x) { return std::rotr(x, 19) ^ std::rotr(x, 61) ^ (x >> 6); }
};

template <class S>
void compress(std::array<typename S::Word, 8>& h, const std::uint8_t* block) {
  using Word = typename S::Word;
  constexpr std::size_t rounds = S::kRounds.size();
  std::array<Word, rounds> w{};
  for (std::size_t t = 0; t < 16; ++t) {
    for (std::size_t k = 0; k < sizeof(Word); ++k) w[t] = w[t] << 8 | block[t * sizeof(Word) + k];
  }
  for (std::size_t t = 16; t < rounds; ++t) w[t] = S::lower1(w[t - 2]) + w[t - 7] + S::lower0(w[t - 15]) + w[t - 16];
  auto v = h;  // a, b, c, d, e, f, g, h
  for (std::size_t t = 0; t < rounds; ++t) {
    const Word t1 = v[7] + S::upper1(v[4]) + ((v[4] & v[5]) ^ (~v[4] & v[6])) + S::kRounds[t] + w[t];
    const Word t2 = S::upper0(v[0]) + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
    v = {t1 + t2, v[0], v[1], v[2], v[3] + t1, v[4], v[5], v[6]};
  }
  for (std::size_t k = 0; k < 8; ++k) h[k] += v[k];
}

/// 5.1: a one bit, zeros, the length in bits.
template <class S>
void sha2(ByteView message, std::uint8_t* out) {
  using Word = typename S::Word;
  constexpr std::size_t block = 16 * sizeof(Word), length = 2 * sizeof(Word);
  std::vector<std::uint8_t> padded(message.begin(), message.end());
  padded.push_back(0x80);
  while (padded.size() % block != block - length) padded.push_back(0);
  const std::uint64_t bits = std::uint64_t{message.size()} * 8;
  padded.resize(padded.size() + length - 8);
  for (int shift = 56; shift >= 0; shift -= 8) padded.push_back(static_cast<std::uint8_t>(bits >> shift));
  auto h = S::kStart;
  for (std::size_t at = 0; at < padded.size(); at += block) compress<S>(h, padded.data() + at);
  for (const Word word : h) {
    for (std::size_t k = sizeof(Word); k-- > 0;) *out++ = static_cast<std::uint8_t>(word >> (8 * k));
  }
}

using Lanes = std::array<std::array<std::uint64_t, 5>, 5>;  // [x][y]

/// FIPS 202, 3.2: theta, rho and pi, chi, iota.
void keccak_f(Lanes& a) {
  for (std::size_t round = 0; round < 24; ++round) {
    std::array<std::uint64_t, 5> c;
    for (std::size_t x = 0; x < 5; ++x) c[x] = a[x][0] ^ a[x][1] ^ a[x][2] ^ a[x][3] ^ a[x][4];
    for (std::size_t x = 0; x < 5; ++x) {
      for (std::uint64_t& lane : a[x]) lane ^= c[(x + 4) % 5] ^ std::rotl(c[(x + 1) % 5], 1);
    }
    Lanes b;
    b[0][0] = a[0][0];
    for (std::size_t t = 0, x = 1, y = 0; t < 24; ++t) {  // (x, y) goes to (y, 2x + 3y), turned by t(t+1)/2 + ... bits
      const int by = static_cast<int>((t + 1) * (t + 2) / 2 % 64);
      const std::size_t to_y = (2 * x + 3 * y) % 5;
      b[y][to_y] = std::rotl(a[x][y], by);
      x = y;
      y = to_y;
    }
    for (std::size_t x = 0; x < 5; ++x) {
      for (std::size_t y = 0; y < 5; ++y) a[x][y] = b[x][y] ^ (~b[(x + 1) % 5][y] & b[(x + 2) % 5][y]);
    }
    a[0][0] ^= kKeccakRounds[round];
  }
}

/// Rate 1,088 bits; `pad` holds the domain bits and the first bit of the padding.
void sponge(ByteView message, std::uint8_t pad, std::uint8_t* out) {
  constexpr std::size_t rate = 136;
  std::vector<std::uint8_t> padded(message.begin(), message.end());
  padded.push_back(pad);
  while (padded.size() % rate != 0) padded.push_back(0);
  padded.back() |= 0x80;
  Lanes a{};
  for (std::size_t at = 0; at < padded.size(); at += rate) {
    for (std::size_t byte = 0; byte < rate; ++byte) {
      const std::size_t lane = byte / 8;
      a[lane % 5][lane / 5] ^= std::uint64_t{padded[at + byte]} << (8 * (byte % 8));
    }
    keccak_f(a);
  }
  for (std::size_t byte = 0; byte < 32; ++byte) {
    out[byte] = static_cast<std::uint8_t>(a[byte / 8][0] >> (8 * (byte % 8)));
  }
}

class ReferenceKernel final : public Kernel {
 public:
  Done hash(Algorithm algorithm, const Batch& batch, std::span<std::uint8_t> out, const StopToken& stop) override {
    SPARKMILL_TRY(check(algorithm, batch, out.size()));
    for (std::size_t i = 0; i < batch.count(); ++i) {
      if (stop.stop_requested()) return fail(Status::cancelled, "stopped");
      std::uint8_t* to = out.data() + i * digest_bytes(algorithm);
      switch (algorithm) {
        case Algorithm::sha256: sha2<Sha256>(batch.message(i), to); break;
        case Algorithm::sha512: sha2<Sha512>(batch.message(i), to); break;
        case Algorithm::sha3_256: sponge(batch.message(i), 0x06, to); break;
        case Algorithm::keccak256: sponge(batch.message(i), 0x01, to); break;
      }
    }
    return done();
  }
  std::string row_id() const override { return "hash/reference"; }
};

}  // namespace

kernels::Row reference_row() {
  return {kernels::Family::hash,
          kernels::Backend::reference,
          "",
          0,
          1,
          [](const kernels::Device& device) {
            return device.id == "cpu" ? kernels::Probe{true, "scalar, for checking"}
                                      : kernels::Probe{false, "runs on the device \"cpu\" only"};
          },
          [](const kernels::Device&) -> Result<std::unique_ptr<kernels::Kernel>> {
            return std::unique_ptr<kernels::Kernel>(std::make_unique<ReferenceKernel>());
          }};
}

}  // namespace sparkmill::hashes

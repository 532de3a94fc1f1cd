// SPDX-License-Identifier: Apache-2.0
#include "boinc/project/signing.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

#include "base/file.h"
#include "base/hex.h"

namespace sparkmill::boinc::project {

namespace {

constexpr int kBits = 1024;  // the client's structs hold no more
constexpr std::size_t kBytes = kBits / 8;
constexpr std::size_t kLineDigits = 64;

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* p) const {
    Free(p);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Context = std::unique_ptr<EVP_PKEY_CTX, Freed<EVP_PKEY_CTX_free>>;
using Number = std::unique_ptr<BIGNUM, Freed<BN_clear_free>>;

struct Part {
  const char* name;
  std::size_t bytes;
};
constexpr Part kParts[] = {
    {OSSL_PKEY_PARAM_RSA_N, kBytes},
    {OSSL_PKEY_PARAM_RSA_E, kBytes},
    {OSSL_PKEY_PARAM_RSA_D, kBytes},
    {OSSL_PKEY_PARAM_RSA_FACTOR1, kBytes / 2},
    {OSSL_PKEY_PARAM_RSA_FACTOR2, kBytes / 2},
    {OSSL_PKEY_PARAM_RSA_EXPONENT1, kBytes / 2},
    {OSSL_PKEY_PARAM_RSA_EXPONENT2, kBytes / 2},
    {OSSL_PKEY_PARAM_RSA_COEFFICIENT1, kBytes / 2},
};
constexpr std::size_t kPublicParts = 2;
constexpr std::size_t kAllParts = std::size(kParts);

/// Lines of 64 digits, then a line with a dot.
std::string in_lines(const std::string& hex) {
  std::string out;
  for (std::size_t at = 0; at < hex.size(); at += kLineDigits) out += hex.substr(at, kLineDigits) + "\n";
  return out + ".";
}

/// The digits before the dot; spaces and line breaks are dropped.
std::string digits_of(std::string_view lines) {
  std::string out;
  for (const char c : lines.substr(0, lines.find('.'))) {
    if (c != ' ' && c != '\n' && c != '\r' && c != '\t') out.push_back(c);
  }
  return out;
}

std::string key_text(EVP_PKEY* key, std::size_t parts) {
  Bytes all;
  for (const Part& part : std::span(kParts).first(parts)) {
    BIGNUM* raw = nullptr;
    if (EVP_PKEY_get_bn_param(key, part.name, &raw) != 1) std::abort();  // no memory
    const Number number(raw);
    Bytes bytes(part.bytes);
    if (BN_bn2binpad(raw, bytes.data(), static_cast<int>(bytes.size())) < 0) std::abort();
    all.insert(all.end(), bytes.begin(), bytes.end());
  }
  return std::to_string(kBits) + "\n" + in_lines(to_hex(all)) + "\n";
}

Result<Key> parse_key(std::string_view text, std::size_t parts) {
  const Error bad = fail(Status::bad_input, "not an RSA key of 1024 bits in BOINC's text form");
  const std::size_t line = text.find('\n');
  if (line == std::string_view::npos || text.substr(0, line).find("1024") == std::string_view::npos) return bad;
  const auto bytes = from_hex(digits_of(text.substr(line + 1)), "key");
  if (!bytes) return bad;
  std::size_t want = 0;
  for (const Part& part : std::span(kParts).first(parts)) want += part.bytes;
  if (bytes->size() != want) return bad;
  const std::unique_ptr<OSSL_PARAM_BLD, Freed<OSSL_PARAM_BLD_free>> build(OSSL_PARAM_BLD_new());
  std::vector<Number> numbers;
  std::size_t at = 0;
  for (const Part& part : std::span(kParts).first(parts)) {
    numbers.emplace_back(BN_bin2bn(bytes->data() + at, static_cast<int>(part.bytes), nullptr));
    at += part.bytes;
    if (OSSL_PARAM_BLD_push_BN(build.get(), part.name, numbers.back().get()) != 1) return bad;
  }
  const std::unique_ptr<OSSL_PARAM, Freed<OSSL_PARAM_free>> params(OSSL_PARAM_BLD_to_param(build.get()));
  const Context context(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr));
  EVP_PKEY* raw = nullptr;
  if (EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &raw, parts == kAllParts ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY,
                        params.get()) != 1) {
    return bad;
  }
  Key key(raw);
  if (EVP_PKEY_get_bits(key.get()) != kBits) return bad;
  if (parts == kAllParts) {
    const Context check(EVP_PKEY_CTX_new(key.get(), nullptr));
    if (EVP_PKEY_check(check.get()) != 1) return bad;
  }
  return key;
}

}  // namespace

std::string md5_hex(ByteView bytes) {
  std::array<std::uint8_t, 16> out{};
  unsigned size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), out.data(), &size, EVP_md5(), nullptr) != 1) std::abort();
  return to_hex(out);
}

Result<FileSum> sum_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return errno_error(errno != 0 ? errno : ENOENT, path.string());
  const std::unique_ptr<EVP_MD_CTX, Freed<EVP_MD_CTX_free>> context(EVP_MD_CTX_new());
  if (EVP_DigestInit_ex(context.get(), EVP_md5(), nullptr) != 1) std::abort();
  FileSum out;
  std::vector<char> piece(256u << 10);
  while (in) {
    in.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    const auto n = static_cast<std::size_t>(in.gcount());
    EVP_DigestUpdate(context.get(), piece.data(), n);
    out.nbytes += n;
  }
  if (in.bad()) return fail(Status::io_error, path.string() + ": cannot be read");
  std::array<std::uint8_t, 16> sum{};
  unsigned size = 0;
  EVP_DigestFinal_ex(context.get(), sum.data(), &size);
  out.md5 = to_hex(sum);
  return out;
}

struct SigningKey::State {
  Key key;
};

SigningKey SigningKey::generate() {
  SigningKey out;
  Key key(EVP_RSA_gen(static_cast<unsigned>(kBits)));
  if (!key) std::abort();  // no randomness or no memory
  out.state_ = std::make_shared<State>(State{std::move(key)});
  return out;
}

Result<SigningKey> SigningKey::from_private_text(std::string_view text) {
  SPARKMILL_ASSIGN(Key key, parse_key(text, kAllParts));
  SigningKey out;
  out.state_ = std::make_shared<State>(State{std::move(key)});
  return out;
}

Result<SigningKey> SigningKey::load_or_create(const std::filesystem::path& folder, const std::string& name) {
  const std::filesystem::path secret = folder / (name + "_private");
  struct stat st {};
  if (::stat(secret.c_str(), &st) == 0) {
    if ((st.st_mode & 077) != 0) {
      return fail(Status::refused, secret.string() + ": others may read this private key",
                  "chmod 600 " + secret.string());
    }
    SPARKMILL_ASSIGN(const std::string text, read_text_file(secret, 8192));
    auto key = from_private_text(text);
    if (!key) return fail(key.status(), secret.string() + ": " + key.error().message, "restore it from a copy");
    return key;
  }
  std::error_code ec;
  std::filesystem::create_directories(folder, ec);
  const SigningKey key = generate();
  SPARKMILL_TRY(write_file_atomic(folder / (name + "_public"), view(key.public_text())));
  SPARKMILL_TRY(write_file_atomic(secret, view(key.private_text()), 0600));
  return key;
}

std::string SigningKey::public_text() const { return key_text(state_->key.get(), kPublicParts); }
std::string SigningKey::private_text() const { return key_text(state_->key.get(), kAllParts); }

std::string SigningKey::sign_md5(std::string_view md5) const {
  const Context context(EVP_PKEY_CTX_new(state_->key.get(), nullptr));
  std::array<std::uint8_t, kBytes> out{};
  std::size_t size = out.size();
  // No digest is set: the padded block then holds the 32 characters themselves, as the client expects.
  if (EVP_PKEY_sign_init(context.get()) != 1 || EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_PADDING) != 1 ||
      EVP_PKEY_sign(context.get(), out.data(), &size, view(md5).data(), md5.size()) != 1) {
    std::abort();  // no memory
  }
  return in_lines(to_hex(out));
}

std::string upload_text(std::string_view name, std::uint64_t max_nbytes) {
  return "<name>" + std::string(name) + "</name><max_nbytes>" + std::to_string(max_nbytes) + "</max_nbytes>";
}

bool signature_holds(std::string_view public_text, std::string_view text, std::string_view signature) {
  const auto key = parse_key(public_text, kPublicParts);
  const auto bytes = from_hex(digits_of(signature), "signature");
  if (!key || !bytes || bytes->size() != kBytes) return false;
  const Context context(EVP_PKEY_CTX_new(key->get(), nullptr));
  std::array<std::uint8_t, kBytes> block{};
  std::size_t size = block.size();
  if (EVP_PKEY_verify_recover_init(context.get()) != 1 ||
      EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_PADDING) != 1 ||
      EVP_PKEY_verify_recover(context.get(), block.data(), &size, bytes->data(), bytes->size()) != 1) {
    return false;
  }
  return sparkmill::text(ByteView(block).first(size)) == md5_hex(text);
}

}  // namespace sparkmill::boinc::project

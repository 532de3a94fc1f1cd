// SPDX-License-Identifier: Apache-2.0
#include "node/credit/ownership.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <sodium.h>

#include <charconv>

#include "base/hash.h"

namespace sparkmill::node::credit {

namespace {

constexpr std::size_t kMaxKeyText = 32u << 10;

using Key = std::shared_ptr<void>;

Key owned(EVP_PKEY* key) {
  return {key, [](void* p) { EVP_PKEY_free(static_cast<EVP_PKEY*>(p)); }};
}

EVP_PKEY* raw(const Key& key) { return static_cast<EVP_PKEY*>(key.get()); }

Key from_pem(std::string_view pem) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())),
                                                      BIO_free);
  return owned(PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr));
}

}  // namespace

Result<Bytes> from_base64(std::string_view text, std::string_view what) {
  Bytes out(text.size());
  std::size_t length = 0;
  const char* end = nullptr;
  // sodium takes no null pointer, which an empty view may hold; nobody signs with nothing either.
  if (text.empty() ||
      sodium_base642bin(out.data(), out.size(), text.data(), text.size(), " \r\n\t", &length, &end,
                        sodium_base64_VARIANT_ORIGINAL) != 0 ||
      end != text.data() + text.size()) {
    return fail(Status::bad_input, std::string(what) + ": not base64");
  }
  out.resize(length);
  return out;
}

Result<OwnershipKey> OwnershipKey::parse(std::string_view published) {
  const Error bad = fail(Status::bad_config, "ownership_key: not a public RSA key",
                         "copy <account_ownership_public_key> from the project's get_project_config.php");
  if (published.size() > kMaxKeyText) return bad;
  OwnershipKey out;
  if (published.find("-----BEGIN") != std::string_view::npos) {
    out.key_ = from_pem(published);
  } else {
    const auto bytes = from_base64(published, "ownership_key");
    if (!bytes) return bad;
    out.key_ = from_pem(text(*bytes));
    if (!out.key_) {
      const unsigned char* at = bytes->data();
      out.key_ = owned(d2i_PUBKEY(nullptr, &at, static_cast<long>(bytes->size())));
    }
  }
  if (!out.key_ || EVP_PKEY_get_base_id(raw(out.key_)) != EVP_PKEY_RSA) return bad;
  const int bits = EVP_PKEY_get_bits(raw(out.key_));
  if (bits < 2048 || bits > 16'384) {
    return fail(Status::bad_config,
                "ownership_key: an RSA key of " + std::to_string(bits) + " bits, not 2048 to 16384");
  }
  unsigned char* der = nullptr;
  const int length = i2d_PUBKEY(raw(out.key_), &der);
  if (length <= 0) return bad;
  out.hash_ = sha256(ByteView(der, static_cast<std::size_t>(length)));
  OPENSSL_free(der);
  return out;
}

bool OwnershipKey::verify(std::string_view message, ByteView signature) const {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> md(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  if (!md || EVP_DigestVerifyInit(md.get(), nullptr, EVP_sha512(), nullptr, raw(key_)) != 1) return false;
  const ByteView m = view(message);
  return EVP_DigestVerify(md.get(), signature.data(), signature.size(), m.data(), m.size()) == 1;
}

Result<Ownership> check_ownership(const OwnershipKey& key, const protocol::BoincBinding& binding) {
  SPARKMILL_ASSIGN(const Bytes signature, from_base64(binding.signature, "binding.signature"));
  if (!key.verify(binding.message, signature)) {
    return fail(
        Status::refused, "binding.signature: not made by " + binding.project + " over this message",
        "copy the whole box of the project's account_ownership.php; the node's operator pins the project's key");
  }
  const std::string_view message = binding.message;
  const std::size_t space = message.find(' ');
  Ownership out;
  const std::string_view id = message.substr(0, space);
  const auto [end, code] = std::from_chars(id.data(), id.data() + id.size(), out.user_id);
  if (space == std::string_view::npos || code != std::errc() || end != id.data() + id.size() || out.user_id == 0 ||
      out.user_id >> 63 != 0) {
    return fail(Status::bad_input, "binding.message: does not begin with a user id");
  }
  SPARKMILL_ASSIGN(out.text, protocol::parse_ownership_text(message.substr(space + 1)));
  return out;
}

}  // namespace sparkmill::node::credit

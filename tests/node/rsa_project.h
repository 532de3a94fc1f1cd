// SPDX-License-Identifier: Apache-2.0
// The account_ownership page of a BOINC project, reduced to its key: signs "<userid> <text>" and publishes its public
// key as the page does, base64 of PEM.
#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <stdexcept>
#include <string>

#include "base/bytes.h"
#include "node/protocol/boinc.h"

namespace sparkmill::testing {

inline std::string base64(ByteView bytes) {
  std::string out(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  out.resize(static_cast<std::size_t>(
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), bytes.data(), static_cast<int>(bytes.size()))));
  return out;
}

class RsaProject {
 public:
  RsaProject() : key_(EVP_RSA_gen(2048)) {
    if (key_ == nullptr) throw std::runtime_error("no RSA key");
  }
  ~RsaProject() { EVP_PKEY_free(key_); }
  RsaProject(const RsaProject&) = delete;

  std::string published() const {
    BIO* bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PUBKEY(bio, key_);
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    const std::string pem(data, static_cast<std::size_t>(size));
    BIO_free(bio);
    return base64(view(pem));
  }

  protocol::BoincBinding sign(const std::string& project, std::uint64_t user, const std::string& text) const {
    protocol::BoincBinding out;
    out.project = project;
    out.message = std::to_string(user) + " " + text;
    Bytes signature(512);
    std::size_t size = signature.size();
    EVP_MD_CTX* md = EVP_MD_CTX_new();
    EVP_DigestSignInit(md, nullptr, EVP_sha512(), nullptr, key_);
    const ByteView m = view(out.message);
    if (EVP_DigestSign(md, signature.data(), &size, m.data(), m.size()) != 1) throw std::runtime_error("not signed");
    EVP_MD_CTX_free(md);
    signature.resize(size);
    out.signature = base64(signature);
    return out;
  }

 private:
  EVP_PKEY* key_;
};

}  // namespace sparkmill::testing

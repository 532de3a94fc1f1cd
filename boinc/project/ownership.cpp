// SPDX-License-Identifier: Apache-2.0
#include "boinc/project/ownership.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <sys/stat.h>

#include "base/file.h"
#include "boinc/xml/write.h"

namespace sparkmill::boinc::project {

namespace {

constexpr unsigned kBits = 2048;
constexpr std::uint64_t kMaxPem = 16u << 10;

using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;

Error broken(const std::string& what) { return fail(Status::internal, "OpenSSL: " + what); }

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long n = BIO_get_mem_data(bio, &data);
  return n > 0 ? std::string(data, static_cast<std::size_t>(n)) : std::string();
}

std::string base64(ByteView bytes) {
  std::string out(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int n =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), bytes.data(), static_cast<int>(bytes.size()));
  out.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return out;
}

}  // namespace

Done OwnershipSigner::open() {
  if (key_) return done();
  const std::filesystem::path file = folder_ / "ownership_private";
  struct stat st {};
  if (::stat(file.c_str(), &st) == 0) {
    if ((st.st_mode & 077) != 0) {
      return fail(Status::refused, file.string() + ": others may read it", "chmod 600 " + file.string());
    }
    SPARKMILL_ASSIGN(const std::string pem, read_text_file(file, kMaxPem));
    const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
    EVP_PKEY* key = PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr);
    if (key == nullptr) return fail(Status::bad_input, file.string() + ": is no private key in PEM");
    key_ = std::shared_ptr<void>(key, [](void* k) { EVP_PKEY_free(static_cast<EVP_PKEY*>(k)); });
    return done();
  }
  EVP_PKEY* key = EVP_RSA_gen(kBits);
  if (key == nullptr) return broken("no RSA key");
  std::shared_ptr<void> made(key, [](void* k) { EVP_PKEY_free(static_cast<EVP_PKEY*>(k)); });
  const Bio secret(BIO_new(BIO_s_mem()), BIO_free), shown(BIO_new(BIO_s_mem()), BIO_free);
  if (PEM_write_bio_PrivateKey(secret.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1 ||
      PEM_write_bio_PUBKEY(shown.get(), key) != 1) {
    return broken("the key cannot be written");
  }
  SPARKMILL_TRY(write_file_atomic(folder_ / "ownership_public", view(text_of(shown.get()))));
  SPARKMILL_TRY(write_file_atomic(file, view(text_of(secret.get())), 0600));
  key_ = std::move(made);
  return done();
}

Result<std::string> OwnershipSigner::public_key() {
  std::lock_guard lock(mutex_);
  SPARKMILL_TRY(open());
  const Bio bio(BIO_new(BIO_s_mem()), BIO_free);
  if (PEM_write_bio_PUBKEY(bio.get(), static_cast<EVP_PKEY*>(key_.get())) != 1) return broken("no public key");
  return base64(view(text_of(bio.get())));
}

Result<std::string> OwnershipSigner::sign(const std::string& message) {
  std::lock_guard lock(mutex_);
  SPARKMILL_TRY(open());
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  auto* key = static_cast<EVP_PKEY*>(key_.get());
  std::size_t size = static_cast<std::size_t>(EVP_PKEY_get_size(key));
  Bytes out(size);
  const auto* data = reinterpret_cast<const unsigned char*>(message.data());
  if (EVP_DigestSignInit(context.get(), nullptr, EVP_sha512(), nullptr, key) != 1 ||
      EVP_DigestSign(context.get(), out.data(), &size, data, message.size()) != 1) {
    return broken("cannot sign");
  }
  out.resize(size);
  return base64(out);
}

std::string ownership_page(const std::string& master_url, const std::string& message, const std::string& signature) {
  using xml::escape;
  std::string out =
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Proof of account "
      "ownership</title></head>"
      "<body>\n<h1>Proof of account ownership</h1>\n";
  if (signature.empty()) {
    return out +
           "<p>Signs a text with the number of your account, for somebody else who asks whose it is. On a real server "
           "you "
           "would be logged in; here the account key says who you are.</p>\n<form method=\"post\" "
           "action=\"account_ownership.php\"><p>Account key <input name=\"authenticator\" size=\"40\"></p>\n<p>Text "
           "<textarea name=\"user_data\" rows=\"4\" cols=\"60\"></textarea></p>\n<p><input type=\"submit\" "
           "value=\"Generate\"></p></form></body></html>\n";
  }
  return out + "<textarea rows=\"13\" cols=\"60\" readonly><account_ownership_verification>\n<master_url>" +
         escape(master_url) + "</master_url>\n<msg>" + message + "</msg>\n<signature>" + signature +
         "</signature>\n</account_ownership_verification></textarea></body></html>\n";
}

}  // namespace sparkmill::boinc::project

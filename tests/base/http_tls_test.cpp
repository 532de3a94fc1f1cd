// SPDX-License-Identifier: Apache-2.0
// https: verified by default, against the name in the URL; a private authority by ca_file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include "base/file.h"
#include "base/http/client.h"
#include "tests/base/raw_server.h"
#include "tests/base/temp_folder.h"
#include "tests/base/tls_certificate.h"

namespace sparkmill::http {
namespace {

using test::Certificate;
using test::RawServer;
using testing::HasSubstr;

/// Answers every request on a TLS connection with a body of 100,000 bytes.
class TlsServer {
 public:
  explicit TlsServer(const Certificate& certificate) : context_(SSL_CTX_new(TLS_server_method())) {
    SSL_CTX_use_certificate(context_, certificate.x509);
    SSL_CTX_use_PrivateKey(context_, certificate.key);
    raw_ = std::make_unique<RawServer>([this](int fd, int) { serve(fd); });
  }
  ~TlsServer() {
    raw_.reset();
    SSL_CTX_free(context_);
  }
  std::string url(const std::string& host) const { return "https://" + host + ":" + std::to_string(raw_->port()); }
  std::string name_asked() const { return name_; }

 private:
  void serve(int fd) {
    SSL* ssl = SSL_new(context_);
    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1) {
      const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
      name_ = name == nullptr ? "" : name;
      std::string seen;
      char c = 0;
      const std::string body(100'000, 't');
      while (SSL_read(ssl, &c, 1) == 1) {
        seen += c;
        if (seen.find("\r\n\r\n") == std::string::npos) continue;
        seen.clear();
        const std::string all = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + body;
        SSL_write(ssl, all.data(), static_cast<int>(all.size()));
      }
      SSL_shutdown(ssl);
    }
    SSL_free(ssl);
  }
  SSL_CTX* context_;
  std::string name_;
  std::unique_ptr<RawServer> raw_;
};

class Tls : public testing::Test {
 protected:
  void SetUp() override { certificate_.write(folder_ / "ca.pem"); }
  std::string ca() const { return (folder_ / "ca.pem").string(); }
  test::TempFolder folder_;
  Certificate certificate_{"IP:127.0.0.1,DNS:localhost"};
};

TEST_F(Tls, TrustedByTheNamedAuthority) {
  TlsServer server(certificate_);
  Request request;
  request.target = "/";
  ClientOptions options;
  options.ca_file = ca();
  {
    Client client(*Url::parse(server.url("127.0.0.1")), options);
    for (int i = 0; i < 3; ++i) {
      const auto r = client.call(request);
      ASSERT_TRUE(r.ok()) << r.error().message;
      EXPECT_EQ(r->body.size(), 100'000u);
    }
  }
  Client named(*Url::parse(server.url("localhost")), options);
  const auto r = named.call(request);
  ASSERT_TRUE(r.ok()) << r.error().message;
  EXPECT_EQ(server.name_asked(), "localhost");
}

TEST_F(Tls, UnknownAuthorityIsRefused) {
  TlsServer server(certificate_);
  Request request;
  request.target = "/";
  const auto r = Client(*Url::parse(server.url("127.0.0.1"))).call(request);
  ASSERT_FALSE(r.ok());
  EXPECT_EQ(r.error().code, Status::refused);
  EXPECT_THAT(r.error().message, HasSubstr("certificate"));
  EXPECT_THAT(r.error().hint, HasSubstr("ca_file"));
}

TEST_F(Tls, AnotherNameIsRefused) {
  const Certificate other("DNS:somewhere.example");
  other.write(folder_ / "other.pem");
  TlsServer server(other);
  for (const char* host : {"127.0.0.1", "localhost"}) {
    Request request;
    request.target = "/";
    ClientOptions options;
    options.ca_file = (folder_ / "other.pem").string();
    EXPECT_EQ(Client(*Url::parse(server.url(host)), options).call(request).status(), Status::refused) << host;
  }
}

TEST_F(Tls, PlainHttpBehindAnHttpsUrlIsRefused) {
  RawServer server([](int fd, int) { RawServer::send_all(fd, "HTTP/1.1 400 Bad Request\r\n\r\n"); });
  Request request;
  request.target = "/";
  const auto r = Client(*Url::parse("https://127.0.0.1:" + std::to_string(server.port()))).call(request);
  EXPECT_EQ(r.status(), Status::refused);
}

TEST_F(Tls, ABrokenAuthorityFileIsNamed) {
  TlsServer server(certificate_);
  const auto file = folder_ / "broken.pem";
  ASSERT_TRUE(write_file_atomic(file, view("nothing")).ok());
  Request request;
  request.target = "/";
  ClientOptions options;
  options.ca_file = file.string();
  const auto r = Client(*Url::parse(server.url("127.0.0.1")), options).call(request);
  EXPECT_EQ(r.status(), Status::bad_config);
  EXPECT_THAT(r.error().message, HasSubstr("broken.pem"));
}

}  // namespace
}  // namespace sparkmill::http

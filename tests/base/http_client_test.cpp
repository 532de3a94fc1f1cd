// SPDX-License-Identifier: Apache-2.0
// The HTTP client against peers that hang, lie, flood or leave.
#include "base/http/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/un.h>

#include <chrono>
#include <thread>

#include "tests/base/raw_server.h"
#include "tests/base/temp_folder.h"

namespace sparkmill::http {
namespace {

using test::RawServer;
using testing::HasSubstr;
using Clock = std::chrono::steady_clock;

constexpr char kOk[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

int ms_since(Clock::time_point t) {
  return static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - t).count());
}

Request get(std::string target = "/") {
  Request r;
  r.target = std::move(target);
  return r;
}

/// Answers each connection's first request with `text`, then closes.
std::function<void(int, int)> says(std::string text) {
  return [text = std::move(text)](int fd, int) {
    if (!RawServer::read_head(fd).empty()) RawServer::send_all(fd, text);
  };
}

Status status_for(const std::string& answer, ClientOptions options = {}) {
  RawServer server(says(answer));
  return Client(*Url::parse(server.url()), options).call(get()).status();
}

TEST(HttpClient, ParsesUrls) {
  const auto a = Url::parse("https://node.example/base/");
  ASSERT_TRUE(a.ok());
  EXPECT_TRUE(a->tls);
  EXPECT_EQ(a->host, "node.example");
  EXPECT_EQ(a->port, 443);
  EXPECT_EQ(a->base, "/base");
  const auto b = Url::parse("http://[::1]:8080");
  ASSERT_TRUE(b.ok());
  EXPECT_EQ(b->host, "::1");
  EXPECT_EQ(b->port, 8080);
  EXPECT_EQ(b->base, "");
  for (const char* bad :
       {"", "ftp://x", "http://", "http://:80", "http://x:0", "http://x:65536", "http://x:8a", "http://u@x",
        "http://x/?q", "http://x#f", "http://[::1", "http://[::1]8", "http://a b", "x:80"}) {
    EXPECT_EQ(Url::parse(bad).status(), Status::bad_input) << bad;
  }
}

TEST(HttpClient, NobodyThere) {
  std::uint16_t port = 0;
  {
    RawServer gone([](int, int) {});
    port = gone.port();
  }
  const auto r = Client(*Url::parse("http://127.0.0.1:" + std::to_string(port))).call(get());
  ASSERT_FALSE(r.ok());
  EXPECT_EQ(r.error().code, Status::unreachable);
  EXPECT_THAT(r.error().message, HasSubstr(std::to_string(port)));
  EXPECT_EQ(Client(*Url::parse("http://no-such-host.invalid")).call(get()).status(), Status::unreachable);
}

TEST(HttpClient, APeerThatHangsIsATimeout) {
  RawServer server([](int fd, int) {
    RawServer::read_head(fd);
    RawServer::read_head(fd);  // until the client goes
  });
  Client client(*Url::parse(server.url()));
  const auto start = Clock::now();
  EXPECT_EQ(client.call(get(), 300).status(), Status::timeout);
  EXPECT_GE(ms_since(start), 290);
  EXPECT_LT(ms_since(start), 900);
}

TEST(HttpClient, ADripDoesNotStretchTheTimeout) {
  RawServer server([](int fd, int) {
    RawServer::read_head(fd);
    RawServer::send_all(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
    while (RawServer::send_all(fd, "x")) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  });
  Client client(*Url::parse(server.url()));
  const auto start = Clock::now();
  EXPECT_EQ(client.call(get(), 300).status(), Status::timeout);
  EXPECT_LT(ms_since(start), 900);
}

TEST(HttpClient, AStopTokenCutsTheWait) {
  RawServer server([](int fd, int) {
    RawServer::read_head(fd);
    RawServer::read_head(fd);
  });
  Client client(*Url::parse(server.url()));
  StopSource stop;
  std::thread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    stop.request_stop();
  });
  const auto start = Clock::now();
  EXPECT_EQ(client.call(get(), 20'000, stop.token()).status(), Status::cancelled);
  EXPECT_LT(ms_since(start), 100 + 2'000) << "of 20 s; the machine may be busy";
  later.join();
}

TEST(HttpClient, GarbageIsNotHttp) {
  for (const std::string bad : {"\x16\x03\x01 nonsense", "SSH-2.0-OpenSSH\r\n", "HTTP/1.1 abc\r\n\r\n",
                                "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
                                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    EXPECT_EQ(status_for(bad), Status::bad_input) << bad;
  }
  EXPECT_EQ(status_for("HTTP/1.1 200 OK\r\nx: " + std::string(100'000, 'y')), Status::bad_input);
}

TEST(HttpClient, LeavingEarlyIsUnreachable) {
  EXPECT_EQ(status_for(""), Status::unreachable);
  EXPECT_EQ(status_for("HTTP/1.1 200"), Status::unreachable);
  EXPECT_EQ(status_for("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"), Status::unreachable);
  EXPECT_EQ(status_for("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"), Status::unreachable);
}

TEST(HttpClient, BodiesOfAllFramings) {
  const auto body = [](const std::string& answer) {
    RawServer server(says(answer));
    const auto r = Client(*Url::parse(server.url())).call(get());
    return r ? std::string(text(r->body)) : r.error().message;
  };
  EXPECT_EQ(body(kOk), "ok");
  EXPECT_EQ(body("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"), "abcde");
  EXPECT_EQ(body("HTTP/1.0 200 OK\r\n\r\nto the end"), "to the end");
  EXPECT_EQ(body("HTTP/1.1 100 Continue\r\n\r\n" + std::string(kOk)), "ok");
  EXPECT_EQ(body("HTTP/1.1 204 No Content\r\n\r\n"), "");
}

/// Sends 10 GB, or until the client has had enough; counts what went out.
struct Flood {
  std::atomic<std::uint64_t> sent{0};
  std::function<void(int, int)> behave(std::string head) {
    return [this, head = std::move(head)](int fd, int) {
      if (RawServer::read_head(fd).empty()) return;
      RawServer::send_all(fd, head);
      const std::string piece(1u << 20, 'x');
      while (sent < 10'000'000'000 && RawServer::send_all(fd, piece)) sent += piece.size();
    };
  }
};

TEST(HttpClient, TenGigabytesAreCutAtTheLimit) {
  ClientOptions options;
  options.body_limit = 1u << 20;
  for (const std::string head : {"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"}) {
    Flood flood;
    RawServer server(flood.behave(head));
    const auto r = Client(*Url::parse(server.url()), options).call(get());
    ASSERT_FALSE(r.ok());
    EXPECT_EQ(r.error().code, Status::too_large);
    EXPECT_THAT(r.error().message, HasSubstr("1048576"));
    EXPECT_LT(flood.sent, 100'000'000u);
  }
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  EXPECT_LT(usage.ru_maxrss, 500'000) << "KiB; the flood must not be held in memory";
}

TEST(HttpClient, DownloadGoesToTheSinkAndIsCutAtItsLimit) {
  const std::string content(300'000, 'b');
  RawServer server(says("HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + content));
  Client client(*Url::parse(server.url()));
  std::string got;
  const auto sink = [&](ByteView bytes) {
    got += text(bytes);
    return done();
  };
  const auto r = client.download(get(), sink, 300'000);
  ASSERT_TRUE(r.ok()) << r.error().message;
  EXPECT_TRUE(got == content);
  EXPECT_TRUE(r->body.empty());
  got.clear();
  EXPECT_EQ(client.download(get(), sink, 299'999).status(), Status::too_large);
  EXPECT_TRUE(got.empty()) << "the length was announced, so nothing is taken";
  const auto full = client.download(
      get(), [](ByteView) -> Done { return fail(Status::no_space, "disk full"); }, 300'000);
  EXPECT_EQ(full.status(), Status::no_space);
}

TEST(HttpClient, AnErrorAnswerToADownloadIsNotContent) {
  RawServer server(says("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone"));
  bool touched = false;
  const auto r = Client(*Url::parse(server.url()))
                     .download(
                         get(), [&](ByteView) { return touched = true, done(); }, 1'000);
  ASSERT_TRUE(r.ok());
  EXPECT_EQ(r->status, 404);
  EXPECT_EQ(text(r->body), "gone");
  EXPECT_FALSE(touched);
}

TEST(HttpClient, KeepsTheConnection) {
  RawServer server([](int fd, int) {
    while (!RawServer::read_head(fd).empty()) RawServer::send_all(fd, kOk);
  });
  Client client(*Url::parse(server.url()));
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(client.call(get()).ok());
  EXPECT_EQ(server.accepted(), 1);
}

TEST(HttpClient, AGetIsSentAgainOnAStaleConnectionAndAPostIsNot) {
  // Every connection answers once; the second request on it is read and then dropped without an answer.
  RawServer server([](int fd, int) {
    RawServer::read_head(fd);
    RawServer::send_all(fd, kOk);
    RawServer::read_head(fd);
  });
  Client client(*Url::parse(server.url()));
  EXPECT_TRUE(client.call(get()).ok());
  EXPECT_TRUE(client.call(get()).ok()) << "transparently sent again";
  EXPECT_EQ(server.accepted(), 2);
  Request post = get();
  post.method = "POST";
  const auto r = client.call(post);
  EXPECT_EQ(r.status(), Status::unreachable) << "may have been acted upon: the caller decides";
  EXPECT_TRUE(client.call(get()).ok());
}

TEST(HttpClient, AClosedIdleConnectionIsNoticedBeforeAPost) {
  RawServer server(says(kOk));
  Client client(*Url::parse(server.url()));
  Request post = get();
  post.method = "POST";
  EXPECT_TRUE(client.call(post).ok());
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_TRUE(client.call(post).ok());
}

TEST(HttpClient, AnswersNobodyAskedForAreNotBelieved) {
  RawServer server([](int fd, int) {
    RawServer::read_head(fd);
    RawServer::send_all(fd, std::string(kOk) + "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged");
    RawServer::read_head(fd);
  });
  Client client(*Url::parse(server.url()));
  for (int i = 0; i < 3; ++i) {
    const auto r = client.call(get());
    ASSERT_TRUE(r.ok());
    EXPECT_EQ(text(r->body), "ok");
  }
}

TEST(HttpClient, RefusesToSendBrokenHeaders) {
  Client client(*Url::parse("http://127.0.0.1:9"));
  Request r = get("/a b");
  EXPECT_EQ(client.call(r).status(), Status::bad_argument);
  r = get();
  r.headers["x"] = "1\r\nevil: 2";
  EXPECT_EQ(client.call(r).status(), Status::bad_argument);
}

TEST(HttpClient, EventsInOddPieces) {
  RawServer server([](int fd, int) {
    RawServer::read_head(fd);
    RawServer::send_all(fd, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
    for (const std::string piece :
         {": ping\n\nev", "ent: a\r\nda", "ta: 1\r\ndata:2\n\n", "data: x\n\n", "event: empty\n\n"}) {
      RawServer::send_all(fd, piece);
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  });
  std::vector<std::string> got;
  Client client(*Url::parse(server.url()));
  const Done r = client.events(get(),
                               [&](std::string_view e, std::string_view d) {
                                 return got.push_back(std::string(e) + "=" + std::string(d)), true;
                               },
                               {});
  EXPECT_EQ(r.status(), Status::unreachable);
  EXPECT_THAT(got, testing::ElementsAre("a=1\n2", "message=x"));
}

TEST(HttpClient, AnEndlessEventIsCut) {
  ClientOptions options;
  options.body_limit = 100'000;
  Flood flood;
  RawServer server(flood.behave("HTTP/1.1 200 OK\r\n\r\ndata: "));
  Client client(*Url::parse(server.url()), options);
  EXPECT_EQ(client.events(get(), [](std::string_view, std::string_view) { return true; }, {}).status(),
            Status::too_large);
  EXPECT_LT(flood.sent, 100'000'000u);
}

TEST(HttpClient, EventsEndByTheStopToken) {
  RawServer server([](int fd, int) {
    RawServer::read_head(fd);
    RawServer::send_all(fd, "HTTP/1.1 200 OK\r\n\r\n");
    RawServer::read_head(fd);
  });
  StopSource stop;
  std::thread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    stop.request_stop();
  });
  Client client(*Url::parse(server.url()));
  const auto start = Clock::now();
  EXPECT_EQ(client
                .events(
                    get(), [](std::string_view, std::string_view) { return true; }, stop.token())
                .status(),
            Status::cancelled);
  EXPECT_LT(ms_since(start), 100 + 2'000) << "of 20 s; the machine may be busy";
  later.join();
}

TEST(HttpClient, UnixSocket) {
  const test::TempFolder folder;
  const std::string path = (folder / "s").string();
  const int listener = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un a{};
  a.sun_family = AF_UNIX;
  path.copy(a.sun_path, sizeof a.sun_path - 1);
  ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&a), sizeof a), 0);
  ASSERT_EQ(::listen(listener, 1), 0);
  std::thread server([&] {
    const int fd = ::accept(listener, nullptr, nullptr);
    RawServer::read_head(fd);
    RawServer::send_all(fd, kOk);
    ::close(fd);
  });
  ClientOptions options;
  options.unix_socket = path;
  EXPECT_TRUE(Client(*Url::parse("http://worker"), options).call(get()).ok());
  server.join();
  ::close(listener);
  EXPECT_EQ(Client(*Url::parse("http://worker"), options).call(get()).status(), Status::unreachable);
}

}  // namespace
}  // namespace sparkmill::http

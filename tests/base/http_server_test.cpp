// SPDX-License-Identifier: Apache-2.0
// The HTTP server against well-behaved and hostile peers.
#include "base/http/server.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <thread>

#include "base/http/client.h"
#include "tests/base/raw_server.h"
#include "tests/base/temp_folder.h"

namespace sparkmill::http {
namespace {

using test::RawClient;
using testing::HasSubstr;
using testing::StartsWith;
using Clock = std::chrono::steady_clock;

int ms_since(Clock::time_point t) {
  return static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - t).count());
}

Client client_of(const Server& server) {
  return Client(*Url::parse("http://127.0.0.1:" + std::to_string(server.port())));
}

Request get(std::string target) {
  Request r;
  r.target = std::move(target);
  return r;
}

Request post(std::string target, std::size_t bytes) {
  Request r;
  r.method = "POST";
  r.target = std::move(target);
  r.body.assign(bytes, 'x');
  return r;
}

std::string body_of(const Result<Response>& r) { return r ? std::string(text(r->body)) : r.error().message; }

TEST(HttpServer, LongestRouteWinsAndMethodsCount) {
  Server server;
  server.route("GET", "/a/", [](const Request&) { return Response::text(200, "folder"); });
  server.route("GET", "/a/b", [](const Request&) { return Response::text(200, "exact"); });
  server.route("POST", "/a/", [](const Request& r) { return Response::text(200, "post " + r.query("q")); });
  ASSERT_TRUE(server.start("127.0.0.1", 0).ok());
  Client client = client_of(server);
  EXPECT_EQ(body_of(client.call(get("/a/b"))), "exact");
  EXPECT_EQ(body_of(client.call(get("/a/c?x=1"))), "folder");
  EXPECT_EQ(body_of(client.call(post("/a/b?q=1%20%2b", 0))), "post 1 +");
  EXPECT_EQ(client.call(get("/b"))->status, 404);
  Request put = post("/a/b", 0);
  put.method = "PUT";
  EXPECT_EQ(client.call(put)->status, 405);
  Request head = get("/a/b");
  head.method = "HEAD";
  const auto h = client.call(head);
  ASSERT_TRUE(h.ok());
  EXPECT_EQ(h->status, 200);
  EXPECT_TRUE(h->body.empty());
  EXPECT_EQ(h->headers.at("content-length"), "5");
}

TEST(HttpServer, ErrorBodiesAreEscapedJson) {
  const Response r = Response::error(400, "bad_input", "say \"hi\"\n\xff", "hint");
  EXPECT_EQ(text(r.body), "{\"code\":\"bad_input\",\"message\":\"say \\\"hi\\\"\\n\xEF\xBF\xBD\",\"hint\":\"hint\"}");
}

TEST(HttpServer, KeepsTheConnectionAndServesPipelinedRequests) {
  Server server;
  server.route("GET", "/n", [](const Request& r) { return Response::text(200, r.query("i")); });
  ASSERT_TRUE(server.start("127.0.0.1", 0).ok());
  RawClient peer(server.port());
  peer.send("GET /n?i=1 HTTP/1.1\r\nHost: x\r\n\r\nGET /n?i=2 HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string all = peer.receive(300);
  EXPECT_THAT(all, HasSubstr("\r\n\r\n1HTTP/1.1 200"));
  EXPECT_THAT(all, HasSubstr("\r\n\r\n2"));
}

TEST(HttpServer, RefusesALongBodyBeforeReadingIt) {
  Server server;
  std::atomic<int> handled{0};
  server.route(
      "POST", "/small", [&](const Request&) { return ++handled, Response{}; }, 10);
  ASSERT_TRUE(server.start("127.0.0.1", 0).ok());
  RawClient peer(server.port());
  peer.send("POST /small HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n");
  EXPECT_THAT(peer.receive(2'000), StartsWith("HTTP/1.1 413 "));  // not a byte of the body was sent
  EXPECT_EQ(handled, 0);
  Client client = client_of(server);
  const auto answer = client.call(post("/small", 30'000'000));  // sends on regardless, and still gets the answer
  ASSERT_TRUE(answer.ok()) << answer.error().message;
  EXPECT_EQ(answer->status, 413);
  EXPECT_EQ(client.call(post("/small", 10))->status, 200);
}

TEST(HttpServer, CountsChunkedBodies) {
  Server server;
  server.route(
      "POST", "/small", [](const Request& r) { return Response::text(200, std::string(text(r.body))); }, 10);
  ASSERT_TRUE(server.start("127.0.0.1", 0).ok());
  const std::string head = "POST /small HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  RawClient good(server.port());
  good.send(head + "5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n");
  EXPECT_THAT(good.receive(300), HasSubstr("helloworld"));
  RawClient sum(server.port());
  sum.send(head + "5\r\nhello\r\n6\r\nworld!\r\n0\r\n\r\n");
  EXPECT_THAT(sum.receive(300), StartsWith("HTTP/1.1 413 "));
  RawClient claim(server.port());
  claim.send(head + "ffffffffff\r\n");
  EXPECT_THAT(claim.receive(300), StartsWith("HTTP/1.1 413 "));
  RawClient endless(server.port());
  endless.send(head + "5;" + std::string(100'000, 'x'));
  EXPECT_THAT(endless.receive(300), StartsWith("HTTP/1.1 400 "));
}

TEST(HttpServer, AnswersGarbageWith400And431) {
  Server server;
  server.route("GET", "/", [](const Request&) { return Response{}; });
  ASSERT_TRUE(server.start("127.0.0.1", 0).ok());
  for (const std::string bad : {"\x16\x03\x01\x02\x00 this is TLS\r\n\r\n", "GET / HTTP/3.9\r\n\r\n", "GET\r\n\r\n",
                                "GET / HTTP/1.1\r\nbroken\r\n\r\n", "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                                "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
                                "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                                "GET http://x/ HTTP/1.1\r\n\r\n"}) {
    RawClient peer(server.port());
    peer.send(bad);
    EXPECT_THAT(peer.receive(1'000), StartsWith("HTTP/1.1 400 ")) << bad;
  }
  RawClient peer(server.port());
  peer.send("GET / HTTP/1.1\r\nx: " + std::string(40'000, 'y') + "\r\n\r\n");
  EXPECT_THAT(peer.receive(1'000), StartsWith("HTTP/1.1 431 "));
}

TEST(HttpServer, CutsSlowPeers) {
  Server server;
  server.route("POST", "/", [](const Request&) { return Response{}; });
  Limits limits;
  limits.read_timeout_ms = 400;
  ASSERT_TRUE(server.start("127.0.0.1", 0, limits).ok());
  RawClient header(server.port());
  RawClient body(server.port());
  body.send("POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\n");
  const auto start = Clock::now();
  bool closed = false;
  for (int i = 0; i < 12 && !closed; ++i) {  // a byte now and then must not keep the connection
    header.send("G");
    header.receive(100, &closed);
  }
  EXPECT_TRUE(closed);
  EXPECT_LT(ms_since(start), 1'100);
  body.receive(1'000, &closed);
  EXPECT_TRUE(closed);
}

TEST(HttpServer, TurnsAwayBeyondTheConnectionLimit) {
  Server server;
  server.route("GET", "/", [](const Request&) { return Response::text(200, "in"); });
  Limits limits;
  limits.connections = 2;
  ASSERT_TRUE(server.start("127.0.0.1", 0, limits).ok());
  RawClient a(server.port());
  RawClient b(server.port());
  a.send("GET / HTTP/1.1\r\n\r\n");
  b.send("GET / HTTP/1.1\r\n\r\n");
  EXPECT_THAT(a.receive(300), HasSubstr("in"));
  EXPECT_THAT(b.receive(300), HasSubstr("in"));
  RawClient c(server.port());
  c.send("GET / HTTP/1.1\r\n\r\n");
  EXPECT_THAT(c.receive(1'500), StartsWith("HTTP/1.1 503 "));
}

TEST(HttpServer, BlockedHandlersDoNotStopOthers) {
  Server server;
  std::atomic<bool> go{false};
  server.route("GET", "/slow", [&](const Request&) {
    while (!go && !server.stopping()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return Response::text(200, "slow");
  });
  server.route("GET", "/fast", [](const Request&) { return Response::text(200, "fast"); });
  ASSERT_TRUE(server.start("127.0.0.1", 0, {}, 2).ok());
  std::vector<std::thread> pollers;
  std::atomic<int> answered{0};
  for (int i = 0; i < 20; ++i) {
    pollers.emplace_back([&] {
      Client c = client_of(server);
      if (body_of(c.call(get("/slow"))) == "slow") ++answered;
    });
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  const auto start = Clock::now();
  Client client = client_of(server);
  EXPECT_EQ(body_of(client.call(get("/fast"))), "fast");
  EXPECT_LT(ms_since(start), 1'000);
  go = true;
  for (auto& p : pollers) p.join();
  EXPECT_EQ(answered, 20);
}

TEST(HttpServer, AHandlerThatThrowsIsA500) {
  Server server;
  server.route("GET", "/", [](const Request&) -> Response { throw std::runtime_error("secret path /x"); });
  ASSERT_TRUE(server.start("127.0.0.1", 0).ok());
  Client client = client_of(server);
  const auto r = client.call(get("/"));
  ASSERT_TRUE(r.ok());
  EXPECT_EQ(r->status, 500);
  EXPECT_EQ(body_of(r).find("secret"), std::string::npos);
}

class Files : public testing::Test {
 protected:
  void SetUp() override {
    for (int i = 0; i < 1'000'000; ++i) content_ += static_cast<char>(i * 7 % 251);
    std::ofstream(folder_ / "blob", std::ios::binary) << content_;
    server_.file_route("/f", [this](const Request&) { return Server::FileAnswer{folder_ / "blob", {}}; });
    server_.file_route("/no", [](const Request&) {
      return Server::FileAnswer{{}, Response::error(404, "not_found", "no such blob")};
    });
    ASSERT_TRUE(server_.start("127.0.0.1", 0).ok());
  }
  Result<Response> range(const std::string& value) {
    Request r = get("/f");
    r.headers["range"] = value;
    return client_of(server_).call(r);
  }
  test::TempFolder folder_;
  std::string content_;
  Server server_;
};

TEST_F(Files, WholeAndParts) {
  const auto whole = client_of(server_).call(get("/f"));
  ASSERT_TRUE(whole.ok());
  EXPECT_EQ(whole->status, 200);
  EXPECT_TRUE(text(whole->body) == content_);
  const auto middle = range("bytes=10-19");
  EXPECT_EQ(middle->status, 206);
  EXPECT_EQ(text(middle->body), content_.substr(10, 10));
  EXPECT_EQ(middle->headers.at("content-range"), "bytes 10-19/1000000");
  EXPECT_EQ(text(range("bytes=999990-")->body), content_.substr(999'990));
  EXPECT_EQ(text(range("bytes=-5")->body), content_.substr(999'995));
  EXPECT_EQ(text(range("bytes=999999-2000000")->body), content_.substr(999'999));
  EXPECT_EQ(range("bytes=-2000000")->body.size(), 1'000'000u);
}

TEST_F(Files, OtherRanges) {
  for (const char* beyond : {"bytes=1000000-", "bytes=2000000-3000000", "bytes=-0"}) {
    const auto r = range(beyond);
    EXPECT_EQ(r->status, 416) << beyond;
    EXPECT_EQ(r->headers.at("content-range"), "bytes */1000000");
  }
  for (const char* odd :
       {"bytes=5-2", "bytes=a-b", "bytes=-", "pages=1-2", "bytes=0-1,4-5", "bytes=99999999999999999999-"}) {
    const auto r = range(odd);
    EXPECT_EQ(r->status, 200) << odd << " is to be ignored";
    EXPECT_EQ(r->body.size(), 1'000'000u);
  }
  EXPECT_EQ(client_of(server_).call(get("/no"))->status, 404);
}

TEST(HttpServer, StreamsEventsAndStopWakesThem) {
  Server server;
  std::atomic<bool> ended{false};
  server.stream("/events", [&](const Request&, std::shared_ptr<EventStream> stream) {
    stream->send("first", "one\ntwo");
    stream->send("second", "");
    while (stream->open()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    ended = true;
  });
  ASSERT_TRUE(server.start("127.0.0.1", 0).ok());
  std::vector<std::string> got;
  std::thread reader([&] {
    Client client = client_of(server);
    const Done r = client.events(get("/events"),
                                 [&](std::string_view event, std::string_view data) {
                                   got.push_back(std::string(event) + "=" + std::string(data));
                                   return true;
                                 },
                                 {});
    EXPECT_EQ(r.status(), Status::unreachable) << "the peer went";
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  const auto start = Clock::now();
  server.stop();
  EXPECT_LT(ms_since(start), 1'000);
  reader.join();
  EXPECT_TRUE(ended);
  EXPECT_THAT(got, testing::ElementsAre("first=one\ntwo", "second="));
}

TEST(HttpServer, WhatWasSentLastArrivesBeforeTheEnd) {
  Server server;
  const std::string big(1u << 20, 'x');
  server.stream("/events", [&](const Request&, std::shared_ptr<EventStream> stream) {
    stream->send("big", big);
    stream->send("last", "word");
  });
  ASSERT_TRUE(server.start("127.0.0.1", 0).ok());
  for (int i = 0; i < 20; ++i) {
    std::vector<std::string> got;
    Client client = client_of(server);
    const Done r = client.events(
        get("/events"), [&](std::string_view event, std::string_view) { return got.emplace_back(event), true; }, {});
    EXPECT_EQ(r.status(), Status::unreachable);
    EXPECT_THAT(got, testing::ElementsAre("big", "last"));
  }
}

TEST(HttpServer, ProgramsThatWeStartDoNotHoldThePort) {
  pid_t child = 0;
  std::uint16_t port = 0;
  {
    Server server;
    ASSERT_TRUE(server.start("127.0.0.1", 0).ok());
    port = server.port();
    int started[2];
    ASSERT_EQ(::pipe2(started, O_CLOEXEC), 0);
    child = ::fork();
    if (child == 0) {
      ::execl("/bin/sleep", "sleep", "20", static_cast<char*>(nullptr));
      ::_exit(1);
    }
    ::close(started[1]);
    char c = 0;
    EXPECT_EQ(::read(started[0], &c, 1), 0) << "closed by the exec";
    ::close(started[0]);
  }
  Server again;
  EXPECT_TRUE(again.start("127.0.0.1", port).ok());
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

TEST(HttpServer, AStreamLearnsThatItsPeerHasGone) {
  Server server;
  std::atomic<bool> ended{false};
  server.stream("/events", [&](const Request&, std::shared_ptr<EventStream> stream) {
    while (stream->send("tick", "x")) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    ended = true;
  });
  ASSERT_TRUE(server.start("127.0.0.1", 0).ok());
  int seen = 0;
  Client client = client_of(server);
  EXPECT_TRUE(client.events(get("/events"), [&](std::string_view, std::string_view) { return ++seen < 3; }, {}).ok());
  for (int i = 0; i < 200 && !ended; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_TRUE(ended);
}

TEST(HttpServer, CutsAReaderThatDoesNotRead) {
  Server server;
  std::atomic<bool> cut{false};
  server.stream("/events", [&](const Request&, std::shared_ptr<EventStream> stream) {
    const std::string piece(100'000, 'x');
    for (int i = 0; i < 1'000; ++i) {  // 100 MB: far more than sockets and the backlog hold
      if (!stream->send("big", piece)) cut = true;
      if (cut) return;
    }
  });
  ASSERT_TRUE(server.start("127.0.0.1", 0).ok());
  RawClient peer(server.port());
  peer.send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
  for (int i = 0; i < 400 && !cut; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_TRUE(cut);
}

TEST(HttpServer, AStreamMayOutliveTheServer) {
  std::shared_ptr<EventStream> kept;
  {
    Server server;
    std::atomic<bool> have{false};
    server.stream("/e", [&](const Request&, std::shared_ptr<EventStream> s) {
      kept = std::move(s);
      have = true;
    });
    ASSERT_TRUE(server.start("127.0.0.1", 0).ok());
    RawClient peer(server.port());
    peer.send("GET /e HTTP/1.1\r\nHost: x\r\n\r\n");
    for (int i = 0; i < 400 && !have; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    ASSERT_TRUE(have);
  }
  EXPECT_FALSE(kept->open());
  EXPECT_FALSE(kept->send("x", "y"));
}

TEST(HttpServer, StopLetsARunningRequestFinish) {
  Server server;
  std::atomic<bool> inside{false};
  server.route("GET", "/", [&](const Request&) {
    inside = true;
    while (!server.stopping()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return Response::text(200, "done");
  });
  ASSERT_TRUE(server.start("127.0.0.1", 0).ok());
  std::string got;
  std::thread caller([&] { got = body_of(client_of(server).call(get("/"))); });
  while (!inside) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  server.stop();
  caller.join();
  EXPECT_EQ(got, "done");
}

TEST(HttpServer, ATakenPortIsNamed) {
  Server first;
  ASSERT_TRUE(first.start("127.0.0.1", 0).ok());
  Server second;
  const auto r = second.start("127.0.0.1", first.port());
  ASSERT_FALSE(r.ok());
  EXPECT_EQ(r.error().code, Status::locked);
  EXPECT_THAT(r.error().message, HasSubstr("127.0.0.1:" + std::to_string(first.port())));
  EXPECT_EQ(Server().start("localhost.invalid", 0).status(), Status::bad_config);
}

}  // namespace
}  // namespace sparkmill::http

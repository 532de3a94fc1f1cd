// SPDX-License-Identifier: Apache-2.0
#include "node/server/routes.h"

#include <algorithm>

#include <charconv>

#include "base/hex.h"
#include "base/log.h"
#include "verify/proof/proof.h"

namespace sparkmill::node {

namespace {

using http::Request;
using http::Response;

constexpr int kMaxWaitingLeases = 128;
constexpr int kMaxWaitingChecks = 32;

Response error_response(const Error& e) {
  if (e.code == Status::internal || e.code == Status::io_error || e.code == Status::corrupt) {
    log::get("node")->error("request failed: {}", e.message);
  }
  return Response::error(protocol::http_status(e.code), name(e.code), e.message, e.hint);
}

Response pending() {
  auto r = Response::error(202, "pending", "the check of this opening still runs", "GET the receipt in a moment");
  r.headers["retry-after"] = "1";
  return r;
}

/// What follows `prefix` in the path, and must be all of it.
std::string rest(const Request& request, std::string_view prefix) { return request.path().substr(prefix.size()); }

/// Counts a waiter for as long as it lives; `ok` is false over the limit.
struct Seat {
  Seat(std::atomic<int>& counter, int limit) : counter_(counter), ok(counter.fetch_add(1) < limit) {}
  ~Seat() { counter_.fetch_sub(1); }
  Seat(const Seat&) = delete;
  Seat& operator=(const Seat&) = delete;
  std::atomic<int>& counter_;
  bool ok;
};

Result<std::vector<std::uint16_t>> kinds_of(const std::vector<std::string>& names) {
  std::vector<std::uint16_t> out;
  std::string known;
  for (const job::KindRow& row : job::kinds()) {
    known += (known.empty() ? "" : ", ") + std::string(row.name);
    if (std::find(names.begin(), names.end(), row.name) != names.end()) {
      out.push_back(static_cast<std::uint16_t>(row.kind));
    }
  }
  if (out.empty()) return fail(Status::bad_input, "lease request.kinds: none of them is known here", "known: " + known);
  return out;
}

Result<proof::Envelope> open_envelope(ByteView body, std::uint64_t limit, proof::EnvelopeKind kind,
                                      const keys::PublicKey& node_pub, const Id16& lease,
                                      const keys::PublicKey& worker) {
  SPARKMILL_ASSIGN(proof::Envelope e, proof::decode(body, limit));
  if (e.kind != kind) return fail(Status::bad_input, "envelope: of another kind than this path takes");
  if (e.node_pub != node_pub) return fail(Status::refused, "envelope: made for another node");
  if (e.lease_id != lease) return fail(Status::bad_input, "envelope: made for another lease");
  if (e.worker_pub != worker) return fail(Status::refused, "envelope: made by another worker than the request");
  return e;
}

}  // namespace

void Routes::install(http::Server& server) {
  server_ = &server;
  server.route("GET", "/v1/info", [this](const Request&) { return info(); });
  server.route(
      "POST", "/v1/workers", [this](const Request& r) { return register_worker(r); }, kControlLimit);
  server.route(
      "POST", "/v1/leases", [this](const Request& r) { return take_leases(r); }, kControlLimit);
  server.route(
      "POST", "/v1/leases/", [this](const Request& r) { return lease_action(r); }, kCommitLimit);
  server.route(
      "POST", "/v1/solutions", [this](const Request& r) { return solve(r); }, kControlLimit);
  server.file_route("/v1/blobs/", [this](const Request& r) { return blob(r); });
  server.route("GET", "/v1/receipts/", [this](const Request& r) { return receipt(r); });
  server.route("GET", "/v1/blocks/", [this](const Request& r) { return block(r); });
  server.route("GET", "/v1/accounts/", [this](const Request& r) { return account(r); });
  server.stream("/v1/events", [this](const Request&, std::shared_ptr<http::EventStream> s) { events(std::move(s)); });
}

void Routes::wake() {
  std::lock_guard lock(mutex_);
  ++generation_;
  ready_.notify_all();
}

Result<keys::PublicKey> Routes::who(const Request& request, const keys::PublicKey* registering) {
  return authenticate(*c_.ledger, c_.identity, c_.time->now_ms(), request, registering);
}

Response Routes::info() {
  protocol::Info out = c_.info;
  out.time_ms = c_.time->now_ms();
  out.height = c_.ledger->tip().height;
  return Response::json(200, protocol::to_json(out));
}

Response Routes::register_worker(const Request& request) {
  const auto r = protocol::registration_from_json(text(request.body));
  if (!r) return error_response(r.error());
  const auto worker = who(request, &r->request_pub);
  if (!worker) return unauthorized(worker.error());
  if (*worker != r->worker_pub) {
    return error_response(fail(Status::refused, "registration.worker_pub: is not the worker that signed the request"));
  }
  const Bytes bound = ByteWriter().bytes(c_.identity.node_pub).bytes(r->request_pub).data();
  if (!keys::verify(r->worker_pub, "sparkmill/request-key/v1", bound, r->binding)) {
    return error_response(fail(Status::refused, "registration.binding: not signed by worker_pub for this node",
                               "sign node_pub | request_pub with the envelope key"));
  }
  const Done done = c_.ledger->register_worker(*r, c_.time->now_ms());
  if (!done) return error_response(done.error());
  log::get("node")->info("worker {} registered with {} device(s)", to_hex(r->worker_pub), r->devices.size());
  return Response::json(200, "{\"worker_pub\":\"" + to_hex(r->worker_pub) + "\"}");
}

Response Routes::take_leases(const Request& request) {
  const auto worker = who(request);
  if (!worker) return unauthorized(worker.error());
  const auto ask = protocol::lease_request_from_json(text(request.body));
  if (!ask) return error_response(ask.error());
  const auto kinds = kinds_of(ask->kinds);
  if (!kinds) return error_response(kinds.error());
  const auto search = static_cast<std::uint16_t>(job::Kind::tensority);
  if (std::find(kinds->begin(), kinds->end(), search) != kinds->end()) {
    if (kinds->size() == 1) return take_search(*worker, *ask);
    return error_response(fail(Status::bad_input, "lease request.kinds: tensority stands beside other kinds",
                               "searches end with each block: ask for them in a request of their own"));
  }
  const Seat seat(waiting_leases_, kMaxWaitingLeases);
  const auto until =
      std::chrono::steady_clock::now() + std::chrono::milliseconds(seat.ok ? ask->wait_ms : std::uint32_t{0});
  for (;;) {
    std::uint64_t seen = 0;
    {
      std::lock_guard lock(mutex_);
      seen = generation_;
    }
    auto leases = c_.ledger->take(*worker, *kinds, ask->max, c_.openings, c_.time->now_ms(), ask->held);
    // At the limit a worker waits like any other: its openings make room.
    if (!leases && leases.status() == Status::too_large) leases = std::vector<protocol::Lease>();
    if (!leases) return error_response(leases.error());
    const auto now = std::chrono::steady_clock::now();
    if (!leases->empty() || now >= until || server_->stopping()) {
      if (!leases->empty()) c_.on_taken();
      return Response::json(200, protocol::to_json(*leases));
    }
    // Short naps: some jobs become free for this worker by time alone, and a stop must be seen soon.
    std::unique_lock lock(mutex_);
    ready_.wait_for(lock, std::min<std::chrono::steady_clock::duration>(until - now, std::chrono::milliseconds(250)),
                    [&] { return generation_ != seen; });
  }
}

Response Routes::take_search(const keys::PublicKey& worker, const protocol::LeaseRequest& ask) {
  if (c_.mining == nullptr) {
    return error_response(fail(Status::unsupported, "this chain has no proof of work: its blocks come by a timer",
                               "attach to a node that was made without --no-pow"));
  }
  const Seat seat(waiting_leases_, kMaxWaitingLeases);
  auto lease = c_.mining->lease(worker, ask.held, seat.ok ? ask.wait_ms : 0);
  if (!lease) return error_response(lease.error());
  std::vector<protocol::Lease> out;
  if (*lease) out.push_back(std::move(**lease));
  return Response::json(200, protocol::to_json(out));
}

Response Routes::solve(const Request& request) {
  const auto worker = who(request);
  if (!worker) return unauthorized(worker.error());
  const auto solution = protocol::solution_from_json(text(request.body));
  if (!solution) return error_response(solution.error());
  if (c_.mining == nullptr) {
    return error_response(fail(Status::unsupported, "this chain has no proof of work: its blocks come by a timer"));
  }
  const auto answer = c_.mining->solve(*worker, *solution);
  return answer ? Response::json(200, protocol::to_json(*answer)) : error_response(answer.error());
}

/// POST /v1/leases/{id}/renew, /commit, /open
Response Routes::lease_action(const Request& request) {
  const std::string path = rest(request, "/v1/leases/");
  const std::size_t slash = path.find('/');
  const std::string action = slash == std::string::npos ? "" : path.substr(slash + 1);
  if (action != "renew" && action != "commit" && action != "open") {
    return error_response(
        fail(Status::not_found, "no such path: " + request.path(), "/v1/leases/{id}/renew, /commit or /open"));
  }
  const auto id = array_from_hex<16>(path.substr(0, slash), "lease id");
  if (!id) return error_response(id.error());
  const std::uint64_t limit = action == "commit" ? kCommitLimit : action == "open" ? kOpeningLimit : 2;
  if (request.body.size() > limit) {
    return error_response(fail(Status::too_large, action + ": a body of " + std::to_string(request.body.size()) +
                                                      " bytes, at most " + std::to_string(limit)));
  }
  const auto worker = who(request);
  if (!worker) return unauthorized(worker.error());
  if (action == "renew") return renew(*id, *worker);
  return action == "commit" ? commit(*id, *worker, request.body) : open(*id, *worker, request.body);
}

Response Routes::renew(const Id16& lease, const keys::PublicKey& worker) {
  const auto out = c_.ledger->renew(lease, worker, c_.time->now_ms());
  return out ? Response::json(200, protocol::to_json(*out)) : error_response(out.error());
}

Response Routes::commit(const Id16& lease, const keys::PublicKey& worker, ByteView body) {
  const auto e = open_envelope(body, kCommitLimit, proof::EnvelopeKind::commit, c_.identity.node_pub, lease, worker);
  if (!e) return error_response(e.error());
  const auto parsed = proof::decode_commit(e->body);
  if (!parsed) return error_response(parsed.error());
  const auto out = c_.ledger->commit(lease, worker, e->job_id, e->body, c_.time->now_ms());
  return out ? Response::json(200, protocol::to_json(*out)) : error_response(out.error());
}

Response Routes::open(const Id16& lease, const keys::PublicKey& worker, ByteView body) {
  const auto e = open_envelope(body, kOpeningLimit, proof::EnvelopeKind::opening, c_.identity.node_pub, lease, worker);
  if (!e) return error_response(e.error());
  const auto recorded = c_.ledger->open_lease(lease, worker, e->job_id, e->body, c_.time->now_ms());
  if (!recorded) return error_response(recorded.error());
  if (recorded->receipt) return Response::json(200, protocol::to_json(*recorded->receipt));
  c_.checker->wake();
  const Seat seat(waiting_checks_, kMaxWaitingChecks);
  const auto receipt = c_.checker->wait(lease, seat.ok ? kCheckWaitMs : 0);
  if (receipt) return Response::json(200, protocol::to_json(*receipt));
  return receipt.status() == Status::timeout ? pending() : error_response(receipt.error());
}

http::Server::FileAnswer Routes::blob(const Request& request) {
  const auto sha = array_from_hex<32>(rest(request, "/v1/blobs/"), "blob hash");
  if (!sha) return {{}, error_response(sha.error())};
  const auto worker = who(request);
  if (!worker) return {{}, unauthorized(worker.error())};
  if (!c_.ledger->may_read(*worker, *sha)) {
    return {{},
            error_response(fail(Status::refused, "blob " + to_hex(*sha) + ": belongs to none of your open leases"))};
  }
  auto file = c_.blobs->path(*sha);
  if (file.empty()) return {{}, error_response(fail(Status::not_found, "blob " + to_hex(*sha) + ": not stored here"))};
  return {std::move(file), {}};
}

Response Routes::receipt(const Request& request) {
  const auto id = array_from_hex<16>(rest(request, "/v1/receipts/"), "receipt id");
  if (!id) return error_response(id.error());
  const auto receipt = c_.ledger->receipt(*id);
  if (receipt) return Response::json(200, protocol::to_json(*receipt));
  const auto state = c_.ledger->lease_state(*id);
  if (state && *state == LeaseState::opened) return pending();
  if (state)
    return error_response(fail(Status::not_found, "receipt " + to_hex(*id) + ": the lease is not decided yet"));
  return error_response(receipt.error());
}

Response Routes::block(const Request& request) {
  const std::string which = rest(request, "/v1/blocks/");
  if (which == "latest") return Response::json(200, protocol::to_json(c_.ledger->tip()));
  std::uint64_t height = 0;
  const auto [end, bad] = std::from_chars(which.data(), which.data() + which.size(), height);
  if (which.empty() || which.size() > 18 || bad != std::errc() || end != which.data() + which.size()) {
    return error_response(fail(Status::bad_input, "block height: not a decimal number and not \"latest\""));
  }
  const auto block = c_.ledger->block(height);
  return block ? Response::json(200, protocol::to_json(*block)) : error_response(block.error());
}

Response Routes::account(const Request& request) {
  const auto pub = array_from_hex<32>(rest(request, "/v1/accounts/"), "account key");
  if (!pub) return error_response(pub.error());
  const auto account = c_.ledger->account(*pub);
  return account ? Response::json(200, protocol::to_json(*account)) : error_response(account.error());
}

void Routes::events(std::shared_ptr<http::EventStream> stream) {
  stream->send("block", protocol::to_json(c_.ledger->tip()));
  if (!c_.events->add(stream)) stream->send("full", "{\"message\":\"too many listeners\"}");
}

}  // namespace sparkmill::node

// SPDX-License-Identifier: Apache-2.0
#include "worker/source/node_client.h"

#include "base/hash.h"
#include "base/hex.h"

namespace sparkmill::worker {

namespace {

constexpr std::uint64_t kAnswerLimit = 4u << 20;

Error answer_error(const http::Response& r) { return protocol::error_from_json(text(r.body), r.status); }

std::string lease_path(const Id16& lease, const char* verb) { return "/v1/leases/" + to_hex(lease) + "/" + verb; }

}  // namespace

NodeLink::NodeLink(NodeLinkSettings settings, http::Url url, const keys::KeyFile& key, KeyMemory memory,
                   const Clock& clock)
    : settings_(std::move(settings)),
      url_(std::move(url)),
      envelope_(key.role("envelope")),
      request_(key.role("request")),
      memory_(std::move(memory)),
      clock_(clock) {
  if (settings_.pin_name.empty()) settings_.pin_name = settings_.url;
}

Result<std::shared_ptr<NodeLink>> NodeLink::make(NodeLinkSettings settings, const keys::KeyFile& key, KeyMemory memory,
                                                 const Clock& clock) {
  SPARKMILL_ASSIGN(http::Url url, http::Url::parse(settings.url));
  return std::shared_ptr<NodeLink>(new NodeLink(std::move(settings), std::move(url), key, std::move(memory), clock));
}

Done NodeLink::learn(const protocol::Info& info, std::uint64_t asked, std::uint64_t answered) {
  if (info.protocol != 1) {
    return fail(Status::refused,
                settings_.url + ": speaks protocol " + std::to_string(info.protocol) + ", this program speaks 1");
  }
  std::optional<keys::PublicKey> expected = settings_.trusted;
  if (!expected) {
    SPARKMILL_ASSIGN(expected, memory_.recall(settings_.pin_name));
  }
  if (expected && *expected != info.node_pub) {
    return fail(
        Status::refused,
        settings_.url + ": the node's key is " + to_hex(info.node_pub) + ", expected " + to_hex(*expected),
        "somebody else answers at this address, or the node was set up anew; if you trust the new key, name it in "
        "the configuration");
  }
  SPARKMILL_TRY(memory_.remember(settings_.pin_name, info.node_pub));
  std::lock_guard lock(mutex_);
  info_ = info;
  // The answer was made between asking and hearing it: the middle is off by half the round trip at most.
  offset_ms_ = static_cast<std::int64_t>(info.time_ms) - static_cast<std::int64_t>(asked + (answered - asked) / 2);
  return done();
}

bool NodeLink::known() const {
  std::lock_guard lock(mutex_);
  return info_.has_value();
}

protocol::Info NodeLink::info() const {
  std::lock_guard lock(mutex_);
  return info_.value_or(protocol::Info{});
}

std::uint64_t NodeLink::now_ms() const {
  std::lock_guard lock(mutex_);
  if (!info_) return 0;
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(clock_.steady_ms()) + offset_ms_);
}

std::string NodeLink::sign(std::string_view method, std::string_view target, ByteView body) const {
  const protocol::Info known = info();
  return protocol::format(
      protocol::sign_request(request_, worker_pub(), known.node_pub, known.boot_id, method, target, body, now_ms()));
}

protocol::Registration NodeLink::registration(const std::string& name, std::vector<std::string> devices) const {
  protocol::Registration r;
  r.worker_pub = worker_pub();
  r.request_pub = request_.public_key();
  ByteWriter message;
  message.bytes(info().node_pub).bytes(r.request_pub);
  r.binding = envelope_.sign("sparkmill/request-key/v1", message.data());
  r.name = name;
  for (const job::KindRow& kind : job::kinds()) r.kinds.emplace_back(kind.name);
  r.devices = std::move(devices);
  if (r.devices.size() > 64) r.devices.resize(64);
  for (std::string& d : r.devices) d.resize(std::min<std::size_t>(d.size(), 256));
  return r;
}

NodeClient::NodeClient(std::shared_ptr<NodeLink> link, StopToken stop)
    : link_(std::move(link)), stop_(std::move(stop)), client_(link_->url(), [this] {
        http::ClientOptions options;
        options.body_limit = kAnswerLimit;
        options.ca_file = link_->settings().ca_file;
        return options;
      }()) {}

Result<http::Response> NodeClient::get(const std::string& target) {
  http::Request request;
  request.target = target;
  SPARKMILL_ASSIGN(http::Response answer, client_.call(request, 0, stop_));
  if (answer.status != 200) return answer_error(answer);
  return answer;
}

Result<protocol::Info> NodeClient::info() {
  const std::uint64_t asked = link_->clock().steady_ms();
  SPARKMILL_ASSIGN(const http::Response answer, get("/v1/info"));
  SPARKMILL_ASSIGN(protocol::Info info, protocol::info_from_json(text(answer.body)));
  SPARKMILL_TRY(link_->learn(info, asked, link_->clock().steady_ms()));
  return info;
}

Result<http::Response> NodeClient::signed_call(const std::string& method, const std::string& target, Bytes body,
                                               unsigned timeout_ms) {
  for (int attempt = 0;; ++attempt) {
    if (!link_->known()) SPARKMILL_TRY(info());
    http::Request request;
    request.method = method;
    request.target = target;
    request.body = body;
    request.headers["content-type"] = !body.empty() && body[0] == '{' ? "application/json" : "application/octet-stream";
    request.headers[protocol::kSignatureHeader] = link_->sign(method, target, body);
    SPARKMILL_ASSIGN(http::Response answer, client_.call(request, timeout_ms, stop_));
    if (answer.status == 401 && attempt == 0) {
      // A restarted node has a new boot id, and clocks drift: ask again before believing the refusal.
      SPARKMILL_TRY(info());
      continue;
    }
    if (answer.status / 100 != 2) return answer_error(answer);
    return answer;
  }
}

Done NodeClient::enlist(const std::string& name, std::vector<std::string> devices) {
  if (!link_->known()) SPARKMILL_TRY(info());
  const std::string body = protocol::to_json(link_->registration(name, std::move(devices)));
  SPARKMILL_TRY(signed_call("POST", "/v1/workers", Bytes(body.begin(), body.end())));
  return done();
}

Result<std::vector<protocol::Lease>> NodeClient::leases(const std::vector<std::string>& kinds, std::uint32_t max,
                                                        std::uint32_t wait_ms, std::vector<Id16> held) {
  const std::string body = protocol::to_json(protocol::LeaseRequest{kinds, max, wait_ms, std::move(held)});
  SPARKMILL_ASSIGN(const http::Response answer,
                   signed_call("POST", "/v1/leases", Bytes(body.begin(), body.end()), wait_ms + 15'000));
  SPARKMILL_ASSIGN(auto leases, protocol::leases_from_json(text(answer.body)));
  if (leases.size() > max) {
    return fail(Status::bad_input,
                "the node sent " + std::to_string(leases.size()) + " leases, asked for at most " + std::to_string(max));
  }
  return leases;
}

Result<std::optional<protocol::Lease>> NodeClient::search(std::vector<Id16> held, std::uint32_t wait_ms) {
  SPARKMILL_ASSIGN(std::vector<protocol::Lease> list, leases({"tensority"}, 1, wait_ms, std::move(held)));
  if (list.empty()) return std::optional<protocol::Lease>();
  return std::optional<protocol::Lease>(std::move(list.front()));
}

Result<protocol::SolutionAnswer> NodeClient::solve(const protocol::Solution& solution) {
  const std::string body = protocol::to_json(solution);
  SPARKMILL_ASSIGN(const http::Response answer, signed_call("POST", "/v1/solutions", Bytes(body.begin(), body.end())));
  return protocol::solution_answer_from_json(text(answer.body));
}

Result<std::vector<protocol::BoincClaimAnswer>> NodeClient::claim(std::vector<protocol::BoincClaim> claims) {
  if (!link_->known()) SPARKMILL_TRY(info());
  std::vector<Bytes> bytes;
  for (protocol::BoincClaim& c : claims) {
    c.node_pub = link_->info().node_pub;
    bytes.push_back(protocol::encode(c, link_->envelope_key()));
  }
  const std::string body = protocol::boinc_claims_to_json(bytes);
  SPARKMILL_ASSIGN(const http::Response answer,
                   signed_call("POST", "/v1/boinc/claims", Bytes(body.begin(), body.end())));
  return protocol::boinc_claim_answers_from_json(text(answer.body));
}

Result<protocol::Renewal> NodeClient::renew(const Id16& lease) {
  SPARKMILL_ASSIGN(const http::Response answer, signed_call("POST", lease_path(lease, "renew"), {}));
  return protocol::renewal_from_json(text(answer.body));
}

Result<protocol::CommitAnswer> NodeClient::commit(const Id16& lease, const Bytes& envelope) {
  SPARKMILL_ASSIGN(const http::Response answer, signed_call("POST", lease_path(lease, "commit"), envelope));
  return protocol::commit_answer_from_json(text(answer.body));
}

Result<std::optional<protocol::Receipt>> NodeClient::receipt_answer(const Id16& lease,
                                                                    const Result<http::Response>& answer) {
  if (!answer) return answer.error();
  if (answer->status == 202) return std::optional<protocol::Receipt>();
  if (answer->status != 200) return answer_error(*answer);
  SPARKMILL_ASSIGN(protocol::Receipt receipt, protocol::receipt_from_json(text(answer->body)));
  const char* wrong = nullptr;
  if (receipt.id != lease) wrong = "it names another lease";
  if (receipt.worker_pub != link_->worker_pub()) wrong = "it names another worker";
  if (!keys::verify(link_->info().node_pub, "sparkmill/receipt/v1", protocol::signed_bytes(receipt),
                    receipt.signature)) {
    wrong = "its signature is not the node's";
  }
  if (wrong != nullptr) {
    return fail(Status::bad_input, "receipt of lease " + to_hex(lease) + ": " + wrong);
  }
  return std::optional<protocol::Receipt>(std::move(receipt));
}

Result<std::optional<protocol::Receipt>> NodeClient::open(const Id16& lease, const Bytes& envelope) {
  return receipt_answer(lease, signed_call("POST", lease_path(lease, "open"), envelope, 60'000));
}

Result<std::optional<protocol::Receipt>> NodeClient::receipt(const Id16& lease) {
  http::Request request;
  request.target = "/v1/receipts/" + to_hex(lease);
  return receipt_answer(lease, client_.call(request, 0, stop_));
}

Result<protocol::Block> NodeClient::block(std::uint64_t height) {
  SPARKMILL_ASSIGN(const http::Response answer, get("/v1/blocks/" + std::to_string(height)));
  SPARKMILL_ASSIGN(protocol::Block block, protocol::block_from_json(text(answer.body)));
  if (block.height != height) {
    return fail(Status::bad_input,
                "asked for block " + std::to_string(height) + ", got " + std::to_string(block.height));
  }
  return block;
}

Result<protocol::Block> NodeClient::latest_block() {
  SPARKMILL_ASSIGN(const http::Response answer, get("/v1/blocks/latest"));
  return protocol::block_from_json(text(answer.body));
}

Result<protocol::Account> NodeClient::account() {
  SPARKMILL_ASSIGN(const http::Response answer, get("/v1/accounts/" + to_hex(link_->worker_pub())));
  SPARKMILL_ASSIGN(protocol::Account account, protocol::account_from_json(text(answer.body)));
  if (account.pub != link_->worker_pub()) return fail(Status::bad_input, "the node sent another worker's account");
  return account;
}

Result<std::vector<protocol::CreditAnswer>> NodeClient::bring_receipts(const protocol::BoincReceipts& receipts) {
  const std::string body = protocol::to_json(receipts);
  SPARKMILL_ASSIGN(const http::Response answer,
                   signed_call("POST", "/v1/boinc/receipts", Bytes(body.begin(), body.end())));
  SPARKMILL_ASSIGN(std::vector<protocol::CreditAnswer> out, protocol::credit_answers_from_json(text(answer.body)));
  if (out.size() != receipts.receipts.size()) {
    return fail(Status::bad_input, "/v1/boinc/receipts: the node answered another number of items");
  }
  return out;
}

Result<protocol::BoincBindingInfo> NodeClient::bind_account(const protocol::BoincBinding& binding) {
  const std::string body = protocol::to_json(binding);
  SPARKMILL_ASSIGN(const http::Response answer,
                   signed_call("POST", "/v1/boinc/bindings", Bytes(body.begin(), body.end())));
  SPARKMILL_ASSIGN(const auto list, protocol::boinc_bindings_from_json(text(answer.body)));
  if (list.size() != 1) return fail(Status::bad_input, "/v1/boinc/bindings: the node answered no single binding");
  return list[0];
}

Result<std::vector<protocol::BoincBindingInfo>> NodeClient::bindings() {
  SPARKMILL_ASSIGN(const http::Response answer, get("/v1/boinc/bindings/" + to_hex(link_->worker_pub())));
  return protocol::boinc_bindings_from_json(text(answer.body));
}

Result<std::string> NodeClient::ownership_text(const Id16& cpid) {
  if (!link_->known()) SPARKMILL_TRY(info());
  return protocol::format(
      protocol::OwnershipText{cpid, link_->worker_pub(), link_->info().node_pub, link_->now_ms() / 1000});
}

BlobCache::Fetch NodeClient::blob_fetch() {
  return [this](const Hash32& hash, std::uint64_t offset, std::uint64_t limit,
                const BlobCache::Sink& sink) -> Result<int> {
    for (int attempt = 0;; ++attempt) {
      if (!link_->known()) SPARKMILL_TRY(info());
      http::Request request;
      request.target = "/v1/blobs/" + to_hex(hash);
      request.headers[protocol::kSignatureHeader] = link_->sign("GET", request.target, {});
      if (offset != 0) request.headers["range"] = "bytes=" + std::to_string(offset) + "-";
      SPARKMILL_ASSIGN(const http::Response answer, client_.download(request, sink, limit, stop_));
      if (answer.status == 401 && attempt == 0) {
        SPARKMILL_TRY(info());
        continue;
      }
      return answer.status;
    }
  };
}

Done NodeClient::events(const std::function<bool(std::string_view, std::string_view)>& on_event) {
  http::Request request;
  request.target = "/v1/events";
  return client_.events(request, on_event, stop_);
}

Done check_beacons(const protocol::Block& second, const protocol::Block& third, std::uint64_t commit_height) {
  auto wrong = [](const protocol::Block& b, const char* what) {
    return fail(Status::bad_input, "block " + std::to_string(b.height) + ": " + what);
  };
  if (second.height != commit_height + 2) return wrong(second, "not the height that was asked for");
  if (third.height != commit_height + 3) return wrong(third, "not the height that was asked for");
  for (const protocol::Block* b : {&second, &third}) {
    ByteWriter w;
    w.bytes("sparkmill/beacon/v1").bytes(b->hash).bytes(b->beacon_secret);
    if (sha256(w.data()) != b->beacon) return wrong(*b, "its beacon does not follow from its hash and secret");
  }
  if (third.previous != second.hash) return wrong(third, "does not follow the block before it");
  const Hash32 before = sha256(third.beacon_secret);
  if (before != second.beacon_secret && before != second.beacon_anchor) {
    return wrong(third, "its secret does not belong to the published hash chain");
  }
  return done();
}

}  // namespace sparkmill::worker

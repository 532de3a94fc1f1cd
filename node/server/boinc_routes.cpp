// SPDX-License-Identifier: Apache-2.0
#include "node/server/boinc_routes.h"

#include "base/hex.h"
#include "base/log.h"
#include "node/server/answers.h"
#include "verify/unit/receipt.h"

namespace sparkmill::node {

namespace {

using http::Request;
using http::Response;
using protocol::CreditAnswer;
using protocol::CreditState;

constexpr std::uint64_t kReceiptsLimit = 2u << 20;
constexpr std::uint64_t kClaimsLimit = 256u << 10;
constexpr std::uint64_t kBindingLimit = 64u << 10;
/// How far a signed text's time may lie ahead: the volunteer's clock wrote it. Later ones could lock the account out.
constexpr std::uint64_t kAhead_s = 3'600;

/// Names as the receipt says them, for the answer to a receipt that is refused before it is believed.
CreditAnswer refused(const unit::Receipt& r, std::string reason) {
  return {r.project, r.result, CreditState::refused, std::move(reason), {}};
}

}  // namespace

void BoincRoutes::install(http::Server& server) {
  server.route(
      "POST", "/v1/boinc/receipts", [this](const Request& r) { return receipts(r); }, kReceiptsLimit);
  server.route(
      "POST", "/v1/boinc/bindings", [this](const Request& r) { return bind(r); }, kBindingLimit);
  server.route("GET", "/v1/boinc/bindings/", [this](const Request& r) { return bindings(r); });
  server.route(
      "POST", "/v1/boinc/claims", [this](const Request& r) { return claims(r); }, kClaimsLimit);
}

/// Each receipt is judged by itself: one bad receipt does not hold up a batch.
Response BoincRoutes::receipts(const Request& request) {
  const auto batch = protocol::boinc_receipts_from_json(text(request.body));
  if (!batch) return error_response(batch.error());
  const auto projects = c_.adapter->projects();
  std::vector<CreditAnswer> answers;
  std::vector<ResultCredit> good;
  std::vector<std::size_t> places;
  for (const Bytes& bytes : batch->receipts) {
    const auto r = unit::decode_receipt(bytes);
    if (!r) {
      answers.push_back({{}, {}, CreditState::refused, std::string(name(r.status())) + ": " + r.error().message, {}});
      continue;
    }
    const credit::Project* project = projects->find(r->project_pub);
    const bool no_node = r->node_pub == keys::PublicKey{};
    if (project == nullptr) {
      answers.push_back(refused(*r, "unknown_key: this node trusts no project with key " + to_hex(r->project_pub)));
    } else if (r->project != project->url) {
      answers.push_back(refused(*r, "other_project: that key signs for " + project->url + " only"));
    } else if (r->node_pub != c_.identity.node_pub && !(no_node && project->any_node)) {
      answers.push_back(refused(*r, no_node ? "no_node: it names no node, and any_node is off for this project"
                                            : "other_node: it was made for node " + to_hex(r->node_pub)));
    } else if (r->worker_pub == keys::PublicKey{} || r->result.empty()) {
      answers.push_back(refused(*r, "bad_input: it names no worker or no result"));
    } else {
      places.push_back(answers.size());
      answers.push_back({});
      good.push_back({project->url, r->result, r->job_id, r->user_id, r->host_id, r->worker_pub, r->output_hash,
                      r->units, r->credit_microcobble, project->rule});
    }
  }
  if (!good.empty()) {
    auto credited = c_.ledger->credit_results(good);
    if (!credited) return error_response(credited.error());
    for (std::size_t i = 0; i < places.size(); ++i) answers[places[i]] = std::move((*credited)[i]);
  }
  for (const CreditAnswer& a : answers) {
    if (a.state == CreditState::refused) log::get("node")->warn("BOINC receipt {}: refused, {}", a.result, a.reason);
  }
  return Response::json(200, protocol::to_json(answers));
}

Response BoincRoutes::bind(const Request& request) {
  const auto worker = authenticate(*c_.ledger, c_.identity, c_.time->now_ms(), request);
  if (!worker) return unauthorized(worker.error());
  const auto binding = protocol::boinc_binding_from_json(text(request.body));
  if (!binding) return error_response(binding.error());
  const auto projects = c_.adapter->projects();
  const credit::Project* project = projects->find(binding->project);
  if (project == nullptr || !project->foreign()) {
    return error_response(
        fail(Status::not_found,
             binding->project + (project == nullptr ? ": this node credits nothing of it" : ": needs no binding here"),
             project == nullptr ? "ask the node's operator" : "its own receipts name the worker key"));
  }
  const auto owner = credit::check_ownership(*project->ownership, *binding);
  if (!owner) return error_response(owner.error());
  if (owner->text.node_pub != c_.identity.node_pub) {
    return error_response(fail(Status::refused, "binding.message: made for another node",
                               "let the project sign the text for node " + to_hex(c_.identity.node_pub)));
  }
  if (owner->text.worker_pub != *worker) {
    return error_response(fail(Status::refused, "binding.message: names another worker than the one that sent it"));
  }
  if (owner->text.time_s > c_.time->now_ms() / 1000 + kAhead_s) {
    return error_response(fail(Status::refused, "binding.message: its time lies ahead of this node's clock",
                               "let the project sign a text of now"));
  }
  const auto info = c_.ledger->bind_account(
      {project->url, owner->user_id, owner->text.cpid, owner->text.worker_pub, owner->text.time_s});
  if (!info) return error_response(info.error());
  log::get("node")->info("{}: user {} bound to worker {}", project->url, owner->user_id, to_hex(*worker));
  return Response::json(200, protocol::to_json(std::vector{*info}));
}

Response BoincRoutes::bindings(const Request& request) {
  const auto pub =
      array_from_hex<32>(request.path().substr(std::string_view("/v1/boinc/bindings/").size()), "worker key");
  if (!pub) return error_response(pub.error());
  const auto list = c_.ledger->bindings(*pub);
  return list ? Response::json(200, protocol::to_json(*list)) : error_response(list.error());
}

Response BoincRoutes::claims(const Request& request) {
  const auto worker = authenticate(*c_.ledger, c_.identity, c_.time->now_ms(), request);
  if (!worker) return unauthorized(worker.error());
  const auto claims = protocol::boinc_claims_from_json(text(request.body));
  if (!claims) return error_response(claims.error());
  std::vector<ResultClaim> list;
  for (const Bytes& bytes : *claims) {
    const auto claim = protocol::decode_boinc_claim(bytes);
    if (!claim) return error_response(claim.error());
    if (claim->worker_pub != *worker) {
      return error_response(fail(Status::refused, "BOINC claim: made by another worker than the request"));
    }
    if (claim->node_pub != c_.identity.node_pub) {
      return error_response(fail(Status::refused, "BOINC claim: made for another node"));
    }
    list.push_back({claim->project_url, claim->result_name, bytes});
  }
  const auto answers = c_.ledger->claim_results(*worker, list, c_.adapter->rules(), c_.time->now_ms());
  return answers ? Response::json(200, protocol::to_json(*answers)) : error_response(answers.error());
}

}  // namespace sparkmill::node

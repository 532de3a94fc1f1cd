// SPDX-License-Identifier: Apache-2.0
#include "scripted_worker.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "base/hash.h"
#include "base/hex.h"
#include "kernels/backend/discover.h"
#include "kernels/registry.h"
#include "verify/merkle/merkle.h"

namespace sparkmill::testing {

namespace {

keys::KeyFile key_of(std::uint8_t seed) {
  Hash32 bytes{};
  bytes.fill(seed);
  return keys::KeyFile::from_seed(bytes);
}

template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(*result);
}

}  // namespace

proof::Commit commit_of(const job::Outcome& outcome) {
  return {merkle::root(outcome.leaves), outcome.leaves.size(), outcome.answer};
}

ScriptedWorker::ScriptedWorker(std::string url, std::uint8_t seed)
    : envelope_(key_of(seed).role("envelope")),
      request_(key_of(seed).role("request")),
      client_(std::make_unique<http::Client>(must(http::Url::parse(url)))) {
  refresh();
}

protocol::Info ScriptedWorker::refresh() {
  info_ = must(protocol::info_from_json(text(get("/v1/info").body)));
  return info_;
}

http::Response ScriptedWorker::get(const std::string& target) {
  http::Request r;
  r.target = target;
  return must(client_->call(r));
}

http::Response ScriptedWorker::send(const std::string& method, const std::string& target, Bytes body,
                                    const Tamper& tamper) {
  const protocol::Info now = must(protocol::info_from_json(text(get("/v1/info").body)));
  last_ = {};
  last_.method = method;
  last_.target = target;
  last_.body = std::move(body);
  const auto signature = protocol::sign_request(
      request_, pub(), tamper.node_pub.value_or(info_.node_pub), tamper.boot_id.value_or(info_.boot_id), method,
      tamper.sign_target.empty() ? target : tamper.sign_target, tamper.sign_body ? *tamper.sign_body : last_.body,
      static_cast<std::uint64_t>(static_cast<std::int64_t>(now.time_ms) + tamper.time_offset_ms));
  last_.headers[protocol::kSignatureHeader] = tamper.header.empty() ? protocol::format(signature) : tamper.header;
  return must(client_->call(last_, 45'000));
}

http::Response ScriptedWorker::resend() { return must(client_->call(last_)); }

http::Response ScriptedWorker::enlist() {
  protocol::Registration r;
  r.worker_pub = pub();
  r.request_pub = request_.public_key();
  r.binding = envelope_.sign("sparkmill/request-key/v1",
                             ByteWriter().bytes(info_.node_pub).bytes(request_.public_key()).data());
  r.name = "scripted";
  r.kinds = kinds;
  r.devices = {"cpu: test"};
  const std::string body = protocol::to_json(r);
  return send("POST", "/v1/workers", Bytes(body.begin(), body.end()));
}

std::vector<protocol::Lease> ScriptedWorker::lease(std::uint32_t wait_ms, std::uint32_t max) {
  const std::string body = protocol::to_json(protocol::LeaseRequest{kinds, max, wait_ms});
  const auto answer = send("POST", "/v1/leases", Bytes(body.begin(), body.end()));
  if (answer.status != 200) throw std::runtime_error(std::string(text(answer.body)));
  return must(protocol::leases_from_json(text(answer.body)));
}

std::unique_ptr<Assignment> ScriptedWorker::take() {
  auto leases = lease();
  if (leases.empty()) throw std::runtime_error("no job within the wait");
  auto a = std::make_unique<Assignment>();
  a->lease = leases.front();
  a->job = must(job::decode(a->lease.job));
  for (const Hash32& sha : a->job.blobs) {
    const auto answer = send("GET", "/v1/blobs/" + to_hex(sha), {});
    if (answer.status != 200) throw std::runtime_error(std::string(text(answer.body)));
    if (a->blobs.add(answer.body) != sha) throw std::runtime_error("a blob does not fit its hash");
  }
  a->work = must(job::open(a->job, a->blobs, job::Binding::to_lease(a->lease.lease_id, pub())));
  return a;
}

job::Outcome ScriptedWorker::compute(const job::Work& work) {
  std::vector<Bytes> results;
  const auto slices = work.slice(std::uint64_t{1} << 22);
  std::unique_ptr<job::InlineExecutor>& executor = executors_[work.family()];
  if (!executor) {
    const kernels::Device cpu = kernels::cpu_device();
    const auto choice = must(kernels::choose(work.family(), cpu));
    executor = std::make_unique<job::InlineExecutor>(must(kernels::make_tested(*choice.row, cpu)));
  }
  const auto keep = [&results](const job::Slice&, Bytes bytes) { return results.push_back(std::move(bytes)), done(); };
  const Done ran = executor->run(work, slices, keep, {});
  if (!ran) throw std::runtime_error(ran.error().message);
  return must(work.assemble(results));
}

http::Response ScriptedWorker::commit(const Assignment& a, const proof::Commit& commit) {
  proof::Envelope e;
  e.kind = proof::EnvelopeKind::commit;
  e.node_pub = info_.node_pub;
  e.job_id = a.job.id;
  e.lease_id = a.lease.lease_id;
  e.body = proof::encode(commit);
  return send("POST", "/v1/leases/" + to_hex(a.lease.lease_id) + "/commit", proof::encode(e, envelope_));
}

protocol::Block ScriptedWorker::wait_block(std::uint64_t height) {
  for (int i = 0; i < 3'000; ++i) {
    const auto answer = get("/v1/blocks/" + std::to_string(height));
    if (answer.status == 200) return must(protocol::block_from_json(text(answer.body)));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  throw std::runtime_error("block " + std::to_string(height) + " did not come");
}

Bytes ScriptedWorker::opening_envelope(const Assignment& a, const protocol::CommitAnswer& answer,
                                       const proof::Commit& commit, const job::Outcome& outcome) {
  const protocol::Block third = wait_block(answer.height + 3);
  const protocol::Block second = wait_block(answer.height + 2);
  const Hash32 seed =
      proof::challenge_seed(second.beacon, third.beacon, a.job.id, a.lease.lease_id, pub(), commit.root);
  const auto indices = proof::challenge_indices(seed, commit.leaf_count, a.lease.openings);
  proof::Envelope e;
  e.kind = proof::EnvelopeKind::opening;
  e.node_pub = info_.node_pub;
  e.job_id = a.job.id;
  e.lease_id = a.lease.lease_id;
  e.body = must(proof::make_opening(*a.work, outcome, indices));
  return proof::encode(e, envelope_);
}

http::Response ScriptedWorker::post_opening(const Assignment& a, const Bytes& envelope) {
  return send("POST", "/v1/leases/" + to_hex(a.lease.lease_id) + "/open", envelope);
}

http::Response ScriptedWorker::open(const Assignment& a, const protocol::CommitAnswer& answer,
                                    const proof::Commit& commit, const job::Outcome& outcome) {
  return post_opening(a, opening_envelope(a, answer, commit, outcome));
}

protocol::Receipt ScriptedWorker::finish(const Assignment& a, const proof::Commit& c, const job::Outcome& outcome) {
  const auto committed = commit(a, c);
  if (committed.status != 200) throw std::runtime_error(std::string(text(committed.body)));
  const auto answer = must(protocol::commit_answer_from_json(text(committed.body)));
  auto opened = open(a, answer, c, outcome);
  for (int i = 0; opened.status == 202 && i < 300; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    opened = get("/v1/receipts/" + to_hex(a.lease.lease_id));
  }
  if (opened.status != 200) throw std::runtime_error(std::string(text(opened.body)));
  return must(protocol::receipt_from_json(text(opened.body)));
}

}  // namespace sparkmill::testing

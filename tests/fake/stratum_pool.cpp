// SPDX-License-Identifier: Apache-2.0
#include "tests/fake/stratum_pool.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace sparkmill::fake {

namespace {

using nlohmann::json;

std::string hex_of(const std::uint8_t* bytes, std::size_t n) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (std::size_t i = 0; i < n; ++i) {
    out += kDigits[bytes[i] >> 4];
    out += kDigits[bytes[i] & 15];
  }
  return out;
}
std::string hex(const Hash32& h) { return hex_of(h.data(), h.size()); }

std::string integer(std::uint64_t value, bool big_endian) {
  std::uint8_t bytes[8];
  for (int i = 0; i < 8; ++i) bytes[i] = static_cast<std::uint8_t>(value >> 8 * (big_endian ? 7 - i : i));
  return hex_of(bytes, 8);
}

/// floor((2^256 - 1) / d) as 32 bytes, most significant first, by schoolbook division.
std::array<std::uint8_t, 32> target_of(std::uint64_t difficulty) {
  std::array<std::uint8_t, 32> out{};
  unsigned __int128 rest = 0;
  for (std::uint8_t& b : out) {
    rest = rest << 8 | 0xff;
    b = static_cast<std::uint8_t>(rest / difficulty);
    rest %= difficulty;
  }
  return out;
}

/// The text of a share target: four bytes, or up to 32 without the zeros at the cheap end.
std::string target_text(std::uint64_t difficulty, bool trimmed) {
  const auto target = target_of(difficulty);
  if (!trimmed) {
    const std::uint8_t four[4] = {target[3], target[2], target[1], target[0]};
    return hex_of(four, 4);
  }
  std::size_t n = 32;  // this pool's difficulties are powers of two, so most of its target is ones
  while (n > 1 && target[n - 1] == 0) --n;
  std::string bytes(target.begin(), target.begin() + static_cast<std::ptrdiff_t>(n));
  std::reverse(bytes.begin(), bytes.end());
  return hex_of(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

bool low_enough(const Hash32& result, std::uint64_t difficulty) {
  const auto target = target_of(difficulty);
  return !std::lexicographical_compare(target.begin(), target.end(), result.rbegin(), result.rend());
}

bool makes_block(const Hash32& result, std::uint64_t bits) {
  const auto exponent = static_cast<std::size_t>(bits >> 56);
  std::array<std::uint8_t, 32> target{};
  for (std::size_t i = 0; i < 3; ++i) {
    const std::size_t power = exponent - 1 - i;  // byte of weight 256^power
    target[31 - power] = static_cast<std::uint8_t>(bits >> 8 * (2 - i));
  }
  return !std::lexicographical_compare(target.begin(), target.end(), result.rbegin(), result.rend());
}

}  // namespace

StratumPool::StratumPool(Judge judge, const Clock& clock, PoolManners manners, std::uint64_t seed)
    : judge_(std::move(judge)), clock_(clock), manners_(std::move(manners)), random_(seed) {
  new_template();
}

void StratumPool::new_template() {
  const auto hash = [this] {
    Hash32 h;
    for (std::uint8_t& b : h) b = static_cast<std::uint8_t>(random_());
    return h;
  };
  template_ = {};
  template_.height = ++height_;
  template_.previous = hash();
  template_.transaction_merkle_root = hash();
  template_.transaction_status_hash = hash();
  template_.bits = manners_.block_bits;
  template_.timestamp = clock_.unix_ms() / 1000;
  // A seed lives for 256 blocks, and the first of them has it as its parent.
  if (height_ % 256 == 1) seed_ = template_.previous;
  if (seed_ == Hash32{}) seed_ = hash();
}

int StratumPool::open() {
  Connection c;
  while (sessions_in_use_.count(c.session) != 0) ++c.session;  // recycled at once
  sessions_in_use_.insert(c.session);
  c.first_nonce = manners_.btcpool ? c.session << 32 : c.session << 45;
  c.active_ms = clock_.steady_ms();
  connections_[next_connection_] = c;
  return next_connection_++;
}

bool StratumPool::closed(int connection) const {
  const auto it = connections_.find(connection);
  return it == connections_.end() || it->second.closed;
}

void StratumPool::close(int connection) {
  const auto it = connections_.find(connection);
  if (it == connections_.end()) return;
  sessions_in_use_.erase(it->second.session);
  connections_.erase(it);
}

void StratumPool::tick() {
  for (auto& [number, c] : connections_) {
    if (clock_.steady_ms() - c.active_ms >= manners_.idle_close_ms) c.closed = true;
  }
}

void StratumPool::feed(int connection, std::string_view bytes) {
  Connection& c = connections_[connection];
  c.in += bytes;
  std::size_t end = 0;
  while (!c.closed && (end = c.in.find('\n')) != std::string::npos) {
    const std::string text = c.in.substr(0, end);
    c.in.erase(0, end + 1);
    line(c, text);
  }
  if (c.in.size() > 10u << 10) c.closed = true;
}

void StratumPool::line(Connection& c, const std::string& text) {
  c.active_ms = clock_.steady_ms();
  const json j = json::parse(text, nullptr, false);
  if (j.is_discarded() || !j.is_object() || !j.contains("method")) {
    ++totals_.unknown_methods;
    c.closed = true;
    return;
  }
  const std::string id = manners_.btcpool ? "1" : j.value("id", json()).dump();
  const json params = j.value("params", json::object());
  if (j["method"] == "login") return login(c, id, params.value("login", ""));
  if (j["method"] == "submit") {
    return submit(c, id, params.value("id", ""), params.value("job_id", ""), params.value("nonce", ""));
  }
  if (manners_.btcpool && j["method"] == "getwork") return notify(c);
  ++totals_.unknown_methods;
  c.closed = true;
}

void StratumPool::login(Connection& c, const std::string& id, const std::string& user) {
  ++totals_.logins;
  if (manners_.banned) {
    c.closed = true;
    return;
  }
  if (!c.login.empty()) {
    answer(c, id, 40, "Multiple Authorization");
    c.closed = true;
    return;
  }
  if (!manners_.only_login.empty() && user != manners_.only_login) {
    answer(c, id, 24, "Unauthorized Worker");
    c.closed = true;
    return;
  }
  c.login = user;
  const std::string job = job_text(c);
  c.out += R"({"id":)" + id + R"(,"jsonrpc":"2.0","result":{"id":)" + json(user).dump() + R"(,"job":)" + job +
           R"(,"status":"OK"},"error":null})" + "\n";
  if (!manners_.btcpool) c.out += R"({"jsonrpc":"2.0","method":"job","params":)" + job + "}\n";
}

std::string StratumPool::job_text(Connection& c) {
  const bool b = manners_.btcpool;
  Job job;
  job.id = b ? std::to_string(next_job_++ % 256) : std::to_string(random_());
  job.header = template_;
  job.seed = seed_;
  job.difficulty = manners_.difficulty;
  c.jobs.push_back(job);
  if (c.jobs.size() > 8) c.jobs.pop_front();
  const auto field = [](const char* name, const std::string& value) {
    return "\"" + std::string(name) + "\":\"" + value + "\"";
  };
  const chain::BlockHeader& h = job.header;
  return "{" + field("version", integer(h.version, false)) + "," + field("height", integer(h.height, false)) + "," +
         field("previous_block_hash", hex(h.previous)) + "," + field("timestamp", integer(h.timestamp, false)) + "," +
         field("transactions_merkle_root", hex(h.transaction_merkle_root)) + "," +
         field("transaction_status_hash", hex(h.transaction_status_hash)) + "," +
         field("nonce", integer(c.first_nonce, b)) + "," + field("bits", integer(h.bits, false)) + "," +
         field("job_id", job.id) + "," + field("seed", hex(seed_)) + "," +
         field("target", target_text(job.difficulty, b)) + "}";
}

void StratumPool::notify(Connection& c) {
  if (c.login.empty() || c.closed) return;
  c.active_ms = clock_.steady_ms();
  c.out += R"({"jsonrpc":"2.0","method":"job","params":)" + job_text(c) + "}";
  if (!manners_.btcpool) c.out += "\n";
}

void StratumPool::notify_all() {
  for (auto& [number, c] : connections_) notify(c);
}

void StratumPool::new_block() {
  new_template();
  notify_all();
}

void StratumPool::set_difficulty(std::uint64_t difficulty) {
  manners_.difficulty = difficulty;
  notify_all();
}

void StratumPool::say(std::string_view text) {
  for (auto& [number, c] : connections_) c.out += text;
}

void StratumPool::send_bad_job(int which) {
  for (auto& [number, c] : connections_) {
    if (c.login.empty()) continue;
    json job = json::parse(job_text(c));
    c.jobs.pop_back();
    switch (which % 7) {
      case 0: job["target"] = "00000000"; break;
      case 1: job["target"] = "fff"; break;
      case 2: job["seed"] = std::string(62, 'a'); break;
      case 3: job["nonce"] = "0000000000000080"; break;  // 2^63
      case 4: job["bits"] = integer(0x1e80000000011b68, false); break;
      case 5: job["height"] = "12"; break;
      default: job.erase("previous_block_hash"); break;
    }
    c.out += json{{"jsonrpc", "2.0"}, {"method", "job"}, {"params", job}}.dump() + "\n";
  }
}

void StratumPool::answer(Connection& c, const std::string& id, int code, const std::string& words) {
  const std::string head = R"({"id":)" + id + R"(,"jsonrpc":"2.0",)";
  if (code == 0) {
    c.out += head + R"("result":{"status":"OK"},"error":null})" + "\n";
  } else if (manners_.btcpool && words == "Duplicate share") {
    c.out += R"({"id":)" + id + R"(,"result":null,"error":[22,"Duplicate share",null]})" + "\n";
  } else {
    const json error = {{"code", manners_.btcpool ? -1 : code}, {"message", words}};
    c.out += head + R"("result":null,"error":)" + error.dump() + "}\n";
  }
}

void StratumPool::submit(Connection& c, const std::string& id, const std::string& user, const std::string& job_id,
                         const std::string& nonce) {
  ++totals_.received;
  if (c.login.empty() || user != c.login) {
    ++totals_.unauthorised;
    answer(c, id, 24, "Unauthorized Worker");
    c.closed = true;
    return;
  }
  if (nonce.size() != 16 || nonce.find_first_not_of("0123456789abcdef") != std::string::npos) {
    ++totals_.malformed;
    return answer(c, id, 32, "Invalid Submit Format");
  }
  const auto job = std::find_if(c.jobs.begin(), c.jobs.end(), [&](const Job& j) { return j.id == job_id; });
  if (job == c.jobs.end()) {
    ++totals_.stale;
    return answer(c, id, 21, manners_.btcpool ? "Block expired" : "Job Not Found");
  }
  if (job->header.height != height_) {
    ++totals_.stale;
    return answer(c, id, 32, manners_.btcpool ? "Block expired" : "Invalid Submit Format");
  }
  chain::BlockHeader header = job->header;
  header.nonce = std::stoull(nonce, nullptr, 16);
  if (header.nonce - c.first_nonce >= std::uint64_t{1} << 32) ++totals_.out_of_range;
  const Hash32 hash = chain::header_hash(header);
  if (!seen_.insert(hash).second) {
    ++totals_.twice;
    if (manners_.btcpool) return answer(c, id, -1, "Duplicate share");
  }
  const Hash32 result = judge_(hash, job->seed);
  const bool block = makes_block(result, header.bits);
  if (!block && !low_enough(result, job->difficulty)) {
    ++totals_.low;
    return answer(c, id, 23, manners_.btcpool ? "Low difficulty share" : "Low Difficulty Share");
  }
  ++totals_.accepted;
  answer(c, id, 0, "");
  if (block) {
    ++totals_.blocks;
    new_block();
  }
}

}  // namespace sparkmill::fake

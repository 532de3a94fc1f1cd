// SPDX-License-Identifier: Apache-2.0
// Blocks, rewards and accounts.
#include "base/hash.h"
#include "node/ledger/economy.h"
#include "node/ledger/ledger.h"
#include "node/ledger/rows.h"
#include "verify/chain/params.h"
#include "verify/merkle/merkle.h"

namespace sparkmill::node {

namespace {

chain::BlockHeader header_of(const protocol::Block& b) {
  return {chain::kBlockVersion, b.height, b.previous, b.time_ms, b.receipts_root, b.beacon_anchor, b.bits, b.nonce};
}

}  // namespace

Result<AppendedBlock> Ledger::append_block(std::uint64_t now_ms, std::uint64_t nonce) {
  std::lock_guard lock(mutex_);
  return sqlite::guarded("ledger", [&] { return append_locked(now_ms, nonce, false, nullptr, {}); });
}

Result<AppendedBlock> Ledger::append_solved(const chain::BlockHeader& header, const std::vector<ShareCredit>& shares) {
  std::lock_guard lock(mutex_);
  return sqlite::guarded("ledger", [&]() -> Result<AppendedBlock> {
    if (header.previous != tip_.hash) {
      return fail(Status::duplicate, "block " + std::to_string(header.height) + ": another one was made meanwhile");
    }
    return append_locked(header.timestamp, header.nonce, false, &header, shares);
  });
}

Result<AppendedBlock> Ledger::append_fallback(std::uint64_t now_ms, std::uint64_t nonce,
                                              const std::vector<ShareCredit>& shares) {
  std::lock_guard lock(mutex_);
  return sqlite::guarded("ledger", [&] { return append_locked(now_ms, nonce, true, nullptr, shares); });
}

Result<chain::BlockHeader> Ledger::candidate(std::uint64_t now_ms) {
  std::lock_guard lock(mutex_);
  return sqlite::guarded("ledger", [&]() -> Result<chain::BlockHeader> {
    std::vector<Hash32> leaves;
    return next_header(now_ms, leaves);
  });
}

/// With proof of work the receipts of the block being searched are fixed: a new one goes into the block after it.
std::uint64_t Ledger::receipt_height() const { return tip_.height + (options_.chain.bits == kNoWorkBits ? 1 : 2); }

Result<std::uint64_t> Ledger::bits_after(const protocol::Block& tip) {
  // The first two blocks have no span to learn from.
  if (options_.chain.bits == kNoWorkBits || tip.height == 0) return options_.chain.bits;
  const chain::Params params = chain::node_params(options_.chain.interval_ms);
  const auto earlier = find_block(static_cast<std::int64_t>(tip.height - params.retarget_blocks));
  if (!earlier) return fail(Status::corrupt, "block " + std::to_string(tip.height - 1) + ": missing from the ledger");
  return chain::next_bits(params, header_of(tip), earlier->time_ms, tip.fallback);
}

/// Header of the block after the tip, nonce 0, and the leaves of its receipts. Inside a transaction or alone.
Result<chain::BlockHeader> Ledger::next_header(std::uint64_t now_ms, std::vector<Hash32>& leaves) {
  const auto previous = find_block(-1);
  chain::BlockHeader h;
  h.height = previous ? previous->height + 1 : 0;
  if (previous) h.previous = previous->hash;
  h.timestamp = previous ? std::max(now_ms, previous->time_ms + 1) : now_ms;
  h.bits = options_.chain.bits;
  if (previous) {
    SPARKMILL_ASSIGN(h.bits, bits_after(*previous));
  }
  auto receipts = db_->prepare("SELECT leaf FROM receipts WHERE height = ? ORDER BY seq");
  receipts.all(h.height);
  while (receipts.step()) leaves.push_back(fixed<32>(receipts.blob(0)));
  h.transaction_merkle_root = merkle::root(leaves);
  SPARKMILL_ASSIGN(h.transaction_status_hash, anchor_for(h.height));
  return h;
}

/// The last block of a beacon chain carries the anchor of the next one, so it is fixed before its first secret counts.
Result<Hash32> Ledger::anchor_for(std::uint64_t height) {
  if (height - beacon_start_ + 1 != beacon_->length()) return beacon_->anchor();
  if (!next_beacon_) {
    const auto file = options_.folder / ("beacon-" + std::to_string(beacon_index_ + 1) + ".chain");
    SPARKMILL_ASSIGN(next_beacon_, BeaconChain::create(file, options_.chain.beacon_length));
  }
  return next_beacon_->anchor();
}

Result<AppendedBlock> Ledger::append_locked(std::uint64_t time_ms, std::uint64_t nonce, bool fallback,
                                            const chain::BlockHeader* solved, const std::vector<ShareCredit>& shares) {
  sqlite::Transaction t(*db_);
  std::vector<Hash32> leaves;
  SPARKMILL_ASSIGN(chain::BlockHeader header, next_header(time_ms, leaves));
  header.nonce = nonce & chain::kMaxVarint63;
  if (solved != nullptr && !(header == *solved)) {
    return fail(Status::internal, "block " + std::to_string(header.height) + ": its header changed under the search");
  }
  AppendedBlock out;
  protocol::Block& b = out.block;
  b.height = header.height;
  b.previous = header.previous;
  b.time_ms = header.timestamp;
  b.nonce = header.nonce;
  b.bits = header.bits;
  b.fallback = fallback;
  b.receipts = static_cast<std::uint32_t>(leaves.size());
  b.receipts_root = header.transaction_merkle_root;
  b.beacon_anchor = header.transaction_status_hash;
  b.beacon_secret = beacon_->secret(static_cast<std::uint32_t>(b.height - beacon_start_ + 1));
  if (next_beacon_) {
    db_->prepare("INSERT INTO chains(idx, start, anchor) VALUES(?, ?, ?)")
        .all(beacon_index_ + 1, b.height + 1, next_beacon_->anchor())
        .run();
  }
  b.hash = chain::header_hash(header);
  b.beacon = beacon(b.hash, b.beacon_secret);

  std::uint64_t carry_workers = 0;
  std::uint64_t carry_requesters = 0;
  pay_block(b, carry_workers, carry_requesters);
  db_->prepare(
         "INSERT INTO blocks(height, hash, previous, receipts_root, time_ms, nonce, secret, beacon, anchor, bits, "
         "reward, "
         "receipts, fallback, carry_workers, carry_requesters) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)")
      .all(b.height, b.hash, b.previous, b.receipts_root, b.time_ms, b.nonce, b.beacon_secret, b.beacon,
           b.beacon_anchor, b.bits, b.reward_units, b.receipts, b.fallback, carry_workers, carry_requesters)
      .run();
  for (const ShareCredit& share : shares) credit_shares(share, b.height + 2);
  auto challenged = db_->prepare("SELECT id FROM leases WHERE state = 2 AND commit_height = ?");
  challenged.all(static_cast<std::int64_t>(b.height) - static_cast<std::int64_t>(kBeaconDelay));
  while (challenged.step()) out.challenged.push_back(fixed<16>(challenged.blob(0)));
  challenged.reset();
  t.commit();
  tip_ = b;
  if (next_beacon_) {
    beacon_ = std::move(next_beacon_);
    next_beacon_.reset();
    beacon_index_ += 1;
    beacon_start_ = b.height + 1;
  }
  return out;
}

std::uint64_t Ledger::own_allowance() {
  auto s = db_->prepare("SELECT allowance FROM accounts WHERE pub = ?");
  s.all(options_.requester);
  return s.step() ? natural(s, 0) : 0;
}

/// A receipt for shares: paid by the node's own account, as far as its allowance goes.
void Ledger::credit_shares(const ShareCredit& share, std::uint64_t height) {
  protocol::Receipt r;
  r.id = share.lease_id;
  r.job_id = share.job_id;
  r.worker_pub = share.worker;
  r.accepted = true;
  r.reason = "accepted";
  r.units = share.hashes;
  r.credit_microcobble = economy::credit(share.hashes, share.microcobble_per_gi_unit, own_allowance());
  r.height = height;
  insert_receipt(r, options_.requester);
  db_->prepare("UPDATE accounts SET allowance = allowance - ? WHERE pub = ?")
      .all(r.credit_microcobble, options_.requester)
      .run();
}

/// Splits the block's reward and the amounts carried so far among those whose receipts it carries.
void Ledger::pay_block(protocol::Block& b, std::uint64_t& carry_workers, std::uint64_t& carry_requesters) {
  const std::uint64_t per_day = options_.chain.blocks_per_day();
  const std::uint64_t day = b.height / per_day;
  b.reward_units = economy::reward(b.height, per_day);
  const economy::Shares shares = economy::split(b.reward_units);
  auto carried = db_->prepare("SELECT carry_workers, carry_requesters FROM blocks WHERE height = ?");
  carried.all(static_cast<std::int64_t>(b.height) - 1);
  if (carried.step()) carry_workers = natural(carried, 0), carry_requesters = natural(carried, 1);
  carried.reset();

  const auto pay_by = [&](std::string_view sql, std::uint64_t pot) {
    std::vector<keys::PublicKey> who;
    std::vector<economy::Claim> claims;
    auto s = db_->prepare(sql);
    s.all(b.height);
    while (s.step()) {
      who.push_back(fixed<32>(s.blob(0)));
      const std::uint64_t need = economy::pledge_required(natural(s, 2), economy::halvings(b.height, per_day));
      claims.push_back({natural(s, 1), natural(s, 3) >= need});
    }
    s.reset();
    const economy::Payout payout = economy::distribute(pot, claims);
    for (std::size_t i = 0; i < who.size(); ++i) pay_income(who[i], payout.amounts[i], day);
    return payout.carried;
  };
  carry_workers = pay_by(
      "SELECT r.worker, sum(r.credit), max(a.capacity_t), max(a.pledged) FROM receipts r JOIN accounts a "
      "ON a.pub = r.worker WHERE r.height = ? AND r.accepted = 1 GROUP BY r.worker ORDER BY r.worker",
      shares.workers + carry_workers);
  // Requesters pledge nothing: no capacity, so any pledge suffices.
  carry_requesters = pay_by(
      "SELECT requester, sum(credit), 0, 0 FROM receipts WHERE height = ? AND accepted = 1 "
      "GROUP BY requester ORDER BY requester",
      shares.requesters + carry_requesters);
  pay_fund(options_.chain.foundation, shares.foundation, day);
  pay_fund(options_.chain.operations, shares.operations, day);
}

void Ledger::pay_income(const keys::PublicKey& pub, std::uint64_t amount, std::uint64_t day) {
  if (amount == 0) return;
  const std::uint64_t now = economy::free_at_once(amount);
  db_->prepare(
         "INSERT INTO accounts(pub, unlocked) VALUES(?1, ?2) ON CONFLICT(pub) DO UPDATE SET unlocked = unlocked + ?2")
      .all(pub, now)
      .run();
  db_->prepare(
         "INSERT INTO locks(pub, rule, day, amount) VALUES(?1, 0, ?2, ?3) "
         "ON CONFLICT(pub, rule, day) DO UPDATE SET amount = amount + ?3")
      .all(pub, day, amount - now)
      .run();
}

void Ledger::pay_fund(const keys::PublicKey& pub, std::uint64_t amount, std::uint64_t day) {
  if (amount == 0) return;
  db_->prepare("INSERT OR IGNORE INTO accounts(pub) VALUES(?)").all(pub).run();
  db_->prepare(
         "INSERT INTO locks(pub, rule, day, amount) VALUES(?1, 1, ?2, ?3) "
         "ON CONFLICT(pub, rule, day) DO UPDATE SET amount = amount + ?3")
      .all(pub, day, amount)
      .run();
}

std::optional<protocol::Block> Ledger::find_block(std::int64_t height) {
  const std::string columns =
      "SELECT height, hash, previous, receipts_root, time_ms, nonce, secret, beacon, anchor, bits, reward, receipts, "
      "fallback FROM blocks ";
  auto s = db_->prepare(columns + (height < 0 ? "ORDER BY height DESC LIMIT 1" : "WHERE height = ?"));
  if (height >= 0) s.all(height);
  if (!s.step()) return std::nullopt;
  protocol::Block b;
  b.height = natural(s, 0);
  b.hash = fixed<32>(s.blob(1));
  b.previous = fixed<32>(s.blob(2));
  b.receipts_root = fixed<32>(s.blob(3));
  b.time_ms = natural(s, 4);
  b.nonce = natural(s, 5);
  b.beacon_secret = fixed<32>(s.blob(6));
  b.beacon = fixed<32>(s.blob(7));
  b.beacon_anchor = fixed<32>(s.blob(8));
  b.bits = natural(s, 9);
  b.reward_units = natural(s, 10);
  b.receipts = static_cast<std::uint32_t>(s.integer(11));
  b.fallback = s.integer(12) != 0;
  return b;
}

Result<protocol::Block> Ledger::block(std::uint64_t height) {
  std::lock_guard lock(mutex_);
  return sqlite::guarded("ledger", [&]() -> Result<protocol::Block> {
    if (height > tip_.height) {
      return fail(Status::not_found, "block " + std::to_string(height) + ": not made yet (the latest is " +
                                         std::to_string(tip_.height) + ")");
    }
    auto b = find_block(static_cast<std::int64_t>(height));
    if (!b) return fail(Status::corrupt, "block " + std::to_string(height) + ": missing from the ledger");
    return *b;
  });
}

protocol::Block Ledger::tip() {
  std::lock_guard lock(mutex_);
  return tip_;
}

Hash32 Ledger::first_anchor() {
  std::lock_guard lock(mutex_);
  return first_anchor_;
}

Result<protocol::Account> Ledger::account(const keys::PublicKey& pub) {
  std::lock_guard lock(mutex_);
  return sqlite::guarded("ledger", [&]() -> Result<protocol::Account> {
    auto s = db_->prepare("SELECT unlocked, credit, accepted, refused FROM accounts WHERE pub = ?");
    s.all(pub);
    protocol::Account a;
    a.pub = pub;
    if (!s.step()) {
      auto known = db_->prepare("SELECT 1 FROM workers WHERE pub = ?");
      known.all(pub);
      if (!known.step()) return fail(Status::not_found, "this key has no account here");
      return a;
    }
    a.free = natural(s, 0);
    a.credit_microcobble = natural(s, 1);
    a.accepted = natural(s, 2);
    a.refused = natural(s, 3);
    const std::uint64_t today = tip_.height / options_.chain.blocks_per_day();
    auto locks = db_->prepare("SELECT rule, day, amount FROM locks WHERE pub = ?");
    locks.all(pub);
    while (locks.step()) {
      const std::uint64_t amount = natural(locks, 2);
      const std::uint64_t days = today - natural(locks, 1);
      const std::uint64_t released = static_cast<LockRule>(locks.integer(0)) == LockRule::income
                                         ? economy::released_income(amount, days)
                                         : economy::released_fund(amount, days);
      a.free += released;
      a.locked += amount - released;
    }
    a.balance = a.free + a.locked;
    return a;
  });
}

Result<std::uint64_t> Ledger::total_paid_and_carried() {
  std::lock_guard lock(mutex_);
  return sqlite::guarded("ledger", [&]() -> Result<std::uint64_t> {
    auto s = db_->prepare(
        "SELECT (SELECT coalesce(sum(unlocked), 0) FROM accounts) + (SELECT coalesce(sum(amount), 0) FROM locks) + "
        "(SELECT carry_workers + carry_requesters FROM blocks ORDER BY height DESC LIMIT 1)");
    s.step();
    return natural(s, 0);
  });
}

}  // namespace sparkmill::node

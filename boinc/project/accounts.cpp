// SPDX-License-Identifier: Apache-2.0
// Accounts and hosts of the books.
#include <sodium.h>

#include <algorithm>

#include "base/hash.h"
#include "base/hex.h"
#include "boinc/project/books.h"

namespace sparkmill::boinc::project {

namespace {

constexpr std::size_t kMaxAddress = 254;
constexpr std::size_t kMaxUserName = 254;

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return text;
}

bool is_hash(std::string_view text) { return text.size() == 32 && from_hex(text).ok(); }

Done check_address(std::string_view email) {
  const std::size_t at = email.find('@');
  const bool plain = std::all_of(email.begin(), email.end(), [](char c) {
    return c > 0x20 && c < 0x7f && c != '<' && c != '>' && c != '"' && c != '&' && c != '\'';
  });
  if (email.size() > kMaxAddress || at == 0 || at == std::string_view::npos || at + 1 == email.size() || !plain) {
    return fail(Status::bad_input, "invalid email address");
  }
  return done();
}

/// What the client sends is as good as the password, so it is kept like one.
std::string slow_hash(const std::string& passwd_hash) {
  std::array<char, crypto_pwhash_STRBYTES> out{};
  if (crypto_pwhash_str(out.data(), passwd_hash.data(), passwd_hash.size(), crypto_pwhash_OPSLIMIT_INTERACTIVE,
                        crypto_pwhash_MEMLIMIT_INTERACTIVE) != 0) {
    throw sqlite::Failure(Status::internal, "no memory for the password hash");
  }
  return out.data();
}

bool same_password(const std::string& kept, const std::string& passwd_hash) {
  return crypto_pwhash_str_verify(kept.c_str(), passwd_hash.data(), passwd_hash.size()) == 0;
}

UserView user_row(const sqlite::Statement& q) {
  UserView u;
  u.id = q.integer(0);
  u.created_ms = q.integer(1);
  u.name = q.str(2);
  u.email = q.str(3);
  u.cross_project_id = q.str(4);
  u.credit_microcobble = q.integer(5);
  u.average_microcobble = static_cast<double>(q.integer(6));
  u.average_ms = q.integer(7);
  return u;
}

}  // namespace

Result<std::string> Books::create_account(const std::string& email, const std::string& passwd_hash,
                                          const std::string& user) {
  const std::string address = lower(email);
  SPARKMILL_TRY(check_address(address));
  const std::string hash = lower(passwd_hash);
  if (!is_hash(hash)) return fail(Status::bad_input, "passwd_hash is not an MD5 in hex");
  if (user.empty() || user.size() > kMaxUserName) return fail(Status::bad_input, "invalid user name");
  return transact("account", [&]() -> Result<std::string> {
    auto q = db_->prepare("SELECT passwd, authenticator FROM user WHERE email = ?");
    q.all(address);
    if (q.step()) {
      if (same_password(q.str(0), hash)) return q.str(1);
      return fail(Status::duplicate, "that email address has an account already");
    }
    const std::string authenticator = to_hex(random_array<16>());
    run("INSERT INTO user(email, name, passwd, authenticator, cross_project_id, created_ms) VALUES (?,?,?,?,?,?)",
        address, user, slow_hash(hash), authenticator, to_hex(random_array<16>()), now());
    return authenticator;
  });
}

Result<std::string> Books::find_account(const std::string& email, const std::string& passwd_hash) {
  return transact("account", [&]() -> Result<std::string> {
    auto q = db_->prepare("SELECT passwd, authenticator FROM user WHERE email = ?");
    q.all(lower(email));
    if (!q.step()) return fail(Status::not_found, "no account with that email address");
    if (passwd_hash.empty()) return std::string();
    if (!same_password(q.str(0), lower(passwd_hash))) return fail(Status::refused, "Invalid password");
    return q.str(1);
  });
}

Result<std::int64_t> Books::user_id(const std::string& authenticator) {
  return transact("account", [&]() -> Result<std::int64_t> {
    const auto user = user_of(authenticator);
    if (!user) return fail(Status::refused, "no account has that key");
    return user->id;
  });
}

std::optional<UserView> Books::user_of(const std::string& authenticator) {
  auto q = db_->prepare(
      "SELECT id, created_ms, name, email, cross_project_id, credit, average, average_ms FROM user WHERE "
      "authenticator = ?");
  q.all(authenticator);
  if (!q.step()) return {};
  return user_row(q);
}

std::int64_t Books::host_of(const SchedulerRequest& r, const UserView& user, Answer& answer) {
  std::int64_t id = 0;
  {
    auto q = db_->prepare("SELECT seqno FROM host WHERE id = ? AND user_id = ?");
    q.all(r.host, user.id);
    // A number that went back: a copied or restored data folder, which is another host from now on.
    if (q.step() && r.seqno >= q.integer(0)) id = r.host;
  }
  if (id == 0 && r.host == 0 && !r.host_cpid.empty()) {  // detached and attached again
    auto q = db_->prepare("SELECT id FROM host WHERE user_id = ? AND cpid = ? ORDER BY id DESC LIMIT 1");
    q.all(user.id, r.host_cpid);
    if (q.step()) id = q.integer(0);
  }
  if (id == 0) {
    run("INSERT INTO host(user_id, cpid, seqno, created_ms, seen_ms, name, cpu) VALUES (?,?,0,?,?,'','')", user.id,
        r.host_cpid, now(), now());
    id = db_->last_insert_id();
  }
  if (id != r.host) answer.new_host = id;
  run("UPDATE host SET cpid = ?, seqno = ?, seen_ms = ?, name = ?, cpu = ? WHERE id = ?", r.host_cpid,
      id == r.host ? r.seqno : 0, now(), r.domain_name, r.cpu, id);
  auto q = db_->prepare("SELECT credit, average FROM host WHERE id = ?");
  q.all(id);
  q.step();
  answer.host_credit_microcobble = q.integer(0);
  answer.host_average_microcobble = static_cast<double>(q.integer(1));
  return id;
}

void Books::grant(std::int64_t result, std::int64_t credit) {
  auto q = db_->prepare("SELECT user_id, host_id FROM result WHERE id = ?");
  q.all(result);
  if (!q.step()) return;
  const std::int64_t user = q.integer(0), host = q.integer(1);
  q.reset();
  run("UPDATE result SET credit = ? WHERE id = ?", credit, result);
  const auto add = [&](const std::string& table, std::int64_t id) {
    auto row = db_->prepare("SELECT average, average_ms FROM " + table + " WHERE id = ?");
    row.all(id);
    if (!row.step()) return;
    const std::int64_t then = row.integer(1) == 0 ? now() : row.integer(1);
    const double average =
        average_credit(static_cast<double>(row.integer(0)), then, now(), static_cast<double>(credit));
    row.reset();
    run("UPDATE " + table + " SET credit = credit + ?, average = ?, average_ms = ? WHERE id = ?", credit,
        static_cast<std::int64_t>(average), now(), id);
  };
  add("user", user);
  add("host", host);
}

}  // namespace sparkmill::boinc::project

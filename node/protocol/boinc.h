// SPDX-License-Identifier: Apache-2.0
// Messages of BOINC credit (docs/boinc-credit.md; jobs and proofs 8; BOINC page 5): binding a project account to a
// worker key, sending assimilators' receipts. Claims: boinc_claim.h.
#pragma once

#include <string>
#include <vector>

#include "base/keys/keys.h"
#include "base/result.h"

namespace sparkmill::protocol {

inline constexpr std::size_t kMaxProjectUrl = 256;
inline constexpr std::size_t kMaxResultName = 256;
inline constexpr std::size_t kMaxBoincBatch = 256;  ///< receipts a request

/// Master URL in the one form that projects, nodes and workers compare: http(s)://, no doubled slashes, a slash at the
/// end (BOINC page 1.4). Error: bad_input naming the form that was expected.
Done check_project_url(std::string_view url);

/// What the owner of an account has signed by the project's page account_ownership.php:
///   "sparkmill-boinc-v1 cpid=<32 hex> worker=<64 hex> node=<64 hex> time=<unix s>"
/// The node key keeps it from counting at two nodes, the time keeps an older one from coming back. No character of it
/// is changed by the page's HTML escaping.
struct OwnershipText {
  Id16 cpid{};
  keys::PublicKey worker_pub{};
  keys::PublicKey node_pub{};
  std::uint64_t time_s = 0;
};
std::string format(const OwnershipText& text);
/// Exactly that form. Error: bad_input.
Result<OwnershipText> parse_ownership_text(std::string_view text);

/// POST /v1/boinc/bindings, signed by the worker: what the page shows,
///   <account_ownership_verification> <master_url>..</master_url> <msg>USERID TEXT</msg> <signature>BASE64</signature>
struct BoincBinding {
  std::string project;
  std::string message;    ///< "<userid> <text>"
  std::string signature;  ///< base64 of RSA PKCS #1 v1.5 with SHA-512 over `message`
};
/// From the text of the page's box, or any page text that holds one; entities are decoded, line ends inside the
/// signature dropped. Error: bad_input naming the part that is missing.
Result<BoincBinding> binding_from_page(std::string_view page);

enum class BindingState : std::uint8_t {
  pending = 1,   ///< no export has listed the account with this CPID yet
  confirmed = 2  ///< listed; increments are credited
};
std::string_view name(BindingState state);

/// Answer to it, and GET /v1/boinc/bindings/{worker_pub}.
struct BoincBindingInfo {
  std::string project;
  std::uint64_t user_id = 0;
  Id16 cpid{};
  keys::PublicKey worker_pub{};
  std::uint64_t time_s = 0;
  BindingState state = BindingState::pending;
  std::string reason;             ///< why it is pending; empty when confirmed
  std::uint64_t total_micro = 0;  ///< credited up to this total of the account, millionths of the project's credits
  std::uint64_t credit_microcobble = 0;  ///< by this account so far
};

/// What became of one receipt.
enum class CreditState : std::uint8_t {
  pending = 1,   ///< to be sent again; `reason` says when
  credited = 2,  ///< now or before; `receipt_id` is the node's receipt
  refused = 3    ///< never; `reason` says why
};
std::string_view name(CreditState state);
struct CreditAnswer {
  std::string project;
  std::string result;
  CreditState state = CreditState::pending;
  std::string reason;
  Id16 receipt_id{};  ///< zero unless credited
};

/// POST /v1/boinc/receipts: receipts of assimilators (verify/unit/receipt.h). They carry their own signatures and name
/// whom to credit, so anybody may bring them: {"receipts": ["<hex>", ..]}.
inline constexpr std::size_t kMaxReceiptBytes = 2048;
struct BoincReceipts {
  std::vector<Bytes> receipts;
};

std::string to_json(const BoincBinding&);
std::string to_json(const BoincReceipts&);
std::string to_json(const std::vector<BoincBindingInfo>&);
std::string to_json(const std::vector<CreditAnswer>&);
Result<BoincBinding> boinc_binding_from_json(std::string_view);
Result<BoincReceipts> boinc_receipts_from_json(std::string_view);
Result<std::vector<BoincBindingInfo>> boinc_bindings_from_json(std::string_view);
Result<std::vector<CreditAnswer>> credit_answers_from_json(std::string_view);

}  // namespace sparkmill::protocol

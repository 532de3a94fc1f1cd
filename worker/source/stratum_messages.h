// SPDX-License-Identifier: Apache-2.0
// The texts of Bytom's stratum (mining page B): splitting the stream, reading jobs and answers, writing login and
// submit. No sockets, no state of a session.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "worker/source/mining.h"

namespace sparkmill::mining::stratum {

inline constexpr std::size_t kMaxMessage = 64u << 10;

/// Cuts a stream into messages, fed in pieces of any size. A message ends with the brace that balances its first one,
/// or with a newline: some pools send jobs without one, and garbage is over at the next line.
class Splitter {
 public:
  using Callback = std::function<void(std::string_view message)>;
  /// Calls `on_message` for each complete message, without white space around it. Error: too_large when one grows over
  /// kMaxMessage; then the stream is lost.
  Done feed(std::string_view bytes, const Callback& on_message);
  std::size_t held() const { return held_.size(); }

 private:
  void finish(const Callback& on_message);
  std::string held_;
  std::size_t depth_ = 0;
  bool in_text_ = false;
  bool escaped_ = false;
};

/// Byte order of the `nonce` member of jobs. `automatic`: little-endian, unless its low 32 bits are not zero while
/// those of the big-endian reading are (B.4).
enum class NonceOrder : std::uint8_t { automatic, little, big };
std::uint64_t read_first_nonce(const std::array<std::uint8_t, 8>& bytes, NonceOrder order);

/// error member of an answer, in whichever form.
struct PoolError {
  std::int64_t code = 0;
  std::string message;
};
/// What an error means for the share it answers. `newer_job`: a job with another parent came since the share's one
/// (btmcpool says "invalid format" to those).
ShareReason classify(const PoolError& error, bool newer_job);

struct Message {
  enum class Kind : std::uint8_t {
    job,    ///< `job` or `bad_job`
    reply,  ///< `verdict`, and in the answer to a login also `job` or `bad_job`
    other   ///< a notification or request that is not ours to know: ignored
  };
  enum class Verdict : std::uint8_t { yes, no, unclear };
  Kind kind = Kind::other;
  std::optional<std::uint64_t> id;  ///< none: missing, null or not a number
  Verdict verdict = Verdict::unclear;
  PoolError error;               ///< when the verdict is no
  std::optional<MiningJob> job;  ///< serial and session are not filled in
  std::optional<Error> bad_job;  ///< a job that cannot be worked on, and why
  std::string method;            ///< of kind other
};
/// Error: bad_input for what is not a JSON object with known types.
Result<Message> read_message(std::string_view text, NonceOrder order);

/// Texts to send, each with its newline. `agent` and `user` must be printable.
std::string login_text(std::uint64_t id, const std::string& user, const std::string& pass, const std::string& agent);
std::string submit_text(std::uint64_t id, const std::string& user, const std::string& job_id, std::uint64_t nonce);
/// `method` with params {"id": user}.
std::string call_text(std::uint64_t id, const std::string& method, const std::string& user);

/// scheme://host:port. Schemes: stratum+tcp, stratum+tls (also stratum+ssl). Error: bad_config naming what is missing.
struct PoolUrl {
  bool tls = false;
  std::string host;
  std::uint16_t port = 0;
  std::string text() const;
};
Result<PoolUrl> parse_pool_url(std::string_view url);

}  // namespace sparkmill::mining::stratum

// SPDX-License-Identifier: Apache-2.0
// The GUI RPC of a BOINC client: one request at a time over TCP or a Unix socket. Any failure closes the connection, so
// that the next connect() begins afresh; nothing is sent twice by itself. Not thread-safe. Source: BOINC page 1.
#pragma once

#include <cstdint>
#include <string>

#include "base/http/socket.h"
#include "boinc/rpc/types.h"

namespace sparkmill::boinc::rpc {

inline constexpr std::uint16_t kPort = 31416;

struct Address {
  std::string host = "127.0.0.1";
  std::uint16_t port = kPort;
  std::string unix_socket;  ///< non-empty: instead of host and port
  std::string text() const;
};
/// "host:port", "host", "[::1]:port" or "unix:/path". Error: bad_input.
Result<Address> parse_address(const std::string& text);

struct ClientSettings {
  Address address;
  std::string name = "sparkmill";
  Version version;
  unsigned connect_ms = 5'000;
  unsigned reply_ms = 30'000;           ///< for a whole reply: the client answers from its main loop
  std::size_t reply_limit = 64u << 20;  ///< get_state of a busy host has megabytes
  StopToken stop;
};

class Client {
 public:
  explicit Client(ClientSettings settings) : settings_(std::move(settings)) {}

  /// Connects and exchanges versions. Errors: unreachable, timeout, cancelled, bad_input (no BOINC client answers).
  Done connect();
  bool connected() const { return socket_.open(); }
  void close() { socket_.close(); }
  const Version& version() const { return version_; }
  const ClientSettings& settings() const { return settings_; }

  /// The handshake; an empty password is a password. Error: refused.
  Done authorise(std::string_view password);

  /// Sends an element, returns what stands inside the reply. Errors: unreachable, timeout, cancelled; too_large;
  /// bad_input (no reply of a BOINC client); refused (not authorised, or an <error> of the client); not_found and
  /// duplicate (likewise, where its words say so). Requires connected().
  Result<std::string> call(std::string_view request);

  Result<CcStatus> cc_status();
  Result<ClientState> state();
  Result<HostInfo> host_info();
  Result<std::vector<Project>> projects();
  Result<std::vector<Task>> results(bool active_only = false);
  Result<std::vector<OldResult>> old_results();
  Result<std::vector<Message>> messages(std::int64_t after);
  Result<std::int64_t> message_count();
  Result<std::vector<Notice>> notices(std::int64_t after);
  Result<std::vector<FileTransfer>> file_transfers();
  Result<std::vector<ProjectStatistics>> statistics();

  enum class What : std::uint8_t { run, gpu, network };
  /// duration_s 0: for good.
  Done set_mode(What what, Mode mode, double duration_s = 0);
  /// op: "update", "suspend", "resume", "nomorework", "allowmorework", "reset", "detach", "detach_when_done",
  /// "dont_detach_when_done". Error: not_found (no such project).
  Done project_op(std::string_view op, const std::string& url);
  /// op: "abort", "suspend", "resume".
  Done result_op(std::string_view op, const std::string& url, const std::string& name);
  Done retry_file_transfer(const std::string& url, const std::string& file);
  Done read_cc_config() { return simple("<read_cc_config/>"); }
  Done read_prefs_override() { return simple("<read_global_prefs_override/>"); }
  Result<std::string> prefs_override();  ///< <global_preferences>...; empty when there is none
  Done set_prefs_override(std::string_view global_preferences);
  Done quit() { return simple("<quit/>"); }

  /// Start and poll pairs: the answer is only known on the connection that asked. A poll that is not ready has
  /// error_num kInProgress.
  static constexpr int kInProgress = -204;
  Done start_project_config(const std::string& url);
  Result<ProjectConfig> poll_project_config();
  /// password_hash = MD5(password | lower-case e-mail), hex.
  Done start_lookup(const std::string& url, const std::string& email, const std::string& password_hash);
  Result<AccountReply> poll_lookup();
  Done start_create(const std::string& url, const std::string& email, const std::string& password_hash,
                    const std::string& user_name);
  Result<AccountReply> poll_create();
  Done start_attach(const std::string& url, const std::string& authenticator, const std::string& name);
  Result<AttachReply> poll_attach();

 private:
  Result<std::string> exchange(std::string_view request);
  Done simple(std::string_view request);
  template <class T>
  Result<T> typed(std::string_view request, Result<T> (*parse)(std::string_view));

  ClientSettings settings_;
  http::Socket socket_;
  Version version_;
};

/// MD5(password | lower-case e-mail), hex.
std::string password_hash(std::string_view password, std::string_view email);

/// http(s)://host/path/ with doubled slashes collapsed, as the client keeps it. Error: bad_input.
Result<std::string> canonical_url(std::string_view url);

}  // namespace sparkmill::boinc::rpc

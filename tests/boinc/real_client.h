// SPDX-License-Identifier: Apache-2.0
// A stock BOINC client of its own for a test: own folder, own port, no network of its own accord, gone at the end.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "boinc/rpc/client.h"
#include "boinc/rpc/password.h"
#include "tests/base/temp_folder.h"

namespace sparkmill::test {

inline bool boinc_installed() { return ::access("/usr/bin/boinc", X_OK) == 0; }

inline std::uint16_t free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ::bind(fd, reinterpret_cast<sockaddr*>(&a), sizeof a);
  socklen_t n = sizeof a;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&a), &n);
  ::close(fd);
  return ntohs(a.sin_port);
}

class RealClient {
 public:
  /// `options` go inside <options> of cc_config.xml, `preferences` into global_prefs_override.xml.
  explicit RealClient(std::vector<std::string> arguments = {}, const std::string& options = "",
                      const std::string& preferences = "")
      : arguments_(std::move(arguments)), port_(free_port()) {
    std::ofstream(folder_ / "cc_config.xml") << "<cc_config><options><allow_multiple_clients>1</allow_multiple_clients>"
                                             << options << "</options></cc_config>\n";
    if (!preferences.empty()) {
      std::ofstream(folder_ / "global_prefs_override.xml")
          << "<global_preferences>" << preferences << "</global_preferences>\n";
    }
    start();
  }
  ~RealClient() { stop(); }
  RealClient(const RealClient&) = delete;
  RealClient& operator=(const RealClient&) = delete;

  const std::filesystem::path& folder() const { return folder_.path(); }
  std::uint16_t port() const { return port_; }
  std::string log() const {
    std::ifstream in(folder_ / "stdout.txt");
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::string password() const {
    boinc::rpc::Places places;
    places.data_dir = folder();
    const auto p = boinc::rpc::find_password(places);
    return p ? p->text : "?";
  }
  boinc::rpc::ClientSettings settings() const {
    boinc::rpc::ClientSettings s;
    s.address.port = port_;
    s.reply_ms = 60'000;
    return s;
  }
  /// True once it answers; false after half a minute.
  bool ready() const {
    for (int i = 0; i < 300; ++i) {
      boinc::rpc::Client probe(settings());
      if (probe.connect()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    return false;
  }

  void start() {
    std::vector<std::string> args = {"boinc",
                                     "--dir",
                                     folder().string(),
                                     "--gui_rpc_port",
                                     std::to_string(port_),
                                     "--allow_multiple_clients",
                                     "--no_info_fetch",
                                     "--skip_cpu_benchmarks",
                                     "--insecure"};
    args.insert(args.end(), arguments_.begin(), arguments_.end());
    const std::string out = (folder_ / "stdout.txt").string();
    std::vector<char*> argv;
    for (std::string& a : args) argv.push_back(a.data());
    argv.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ != 0) return;
    ::setpgid(0, 0);
    const int fd = ::open(out.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(fd, 1);
    ::dup2(fd, 2);
    ::execv("/usr/bin/boinc", argv.data());
    ::_exit(127);
  }
  void stop(int signal = SIGTERM) {
    if (pid_ <= 0) return;
    ::kill(pid_, signal);
    for (int i = 0; i < 100 && ::waitpid(pid_, nullptr, WNOHANG) == 0; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    ::kill(-pid_, SIGKILL);  // tasks that it left
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

 private:
  TempFolder folder_;
  std::vector<std::string> arguments_;
  std::uint16_t port_;
  pid_t pid_ = 0;
};

}  // namespace sparkmill::test

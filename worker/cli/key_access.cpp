// SPDX-License-Identifier: Apache-2.0
#include "worker/cli/key_access.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>

#include "base/file.h"

namespace sparkmill::cli {

Secret::~Secret() { wipe(); }

void Secret::wipe() {
  if (!text_.empty()) sodium_memzero(text_.data(), text_.size());
  text_.clear();
}

Result<Secret> configured_passphrase(const config::Config& config) {
  const std::filesystem::path file = config.path("passphrase_file");
  if (file.empty()) return Secret();
  struct stat st {};
  if (::stat(file.c_str(), &st) != 0) return errno_error(errno, "passphrase_file " + file.string());
  if (S_ISREG(st.st_mode) && (st.st_mode & 077) != 0) {
    return fail(Status::refused, file.string() + ": other users may read the passphrase", "chmod 600 " + file.string());
  }
  SPARKMILL_ASSIGN(std::string text, read_text_file(file, 4096));
  const Secret whole(std::move(text));
  std::string line = whole.text().substr(0, whole.text().find('\n'));
  if (!line.empty() && line.back() == '\r') line.pop_back();
  if (line.empty())
    return fail(Status::bad_input, file.string() + ": its first line is empty", "write the passphrase there");
  return Secret(std::move(line));
}

Result<Secret> ask_passphrase(const std::string& prompt) {
  const int tty = ::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
  termios old{};
  if (tty < 0 || ::tcgetattr(tty, &old) != 0) {
    if (tty >= 0) ::close(tty);
    return fail(Status::refused, "a passphrase is needed, and there is no terminal to ask on",
                "put it into a file of your own and name it with --passphrase-file FILE");
  }
  termios silent = old;
  silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  ::tcsetattr(tty, TCSAFLUSH, &silent);
  const std::string shown = prompt + ": ";
  std::string line;
  if (::write(tty, shown.data(), shown.size()) >= 0) {
    char c = 0;
    while (line.size() < 1024 && ::read(tty, &c, 1) == 1 && c != '\n') line += c;
    if (::write(tty, "\n", 1) < 0) errno = 0;
  }
  ::tcsetattr(tty, TCSAFLUSH, &old);
  ::close(tty);
  return Secret(std::move(line));
}

Result<keys::KeyFile> open_key(const config::Config& config, bool make, bool* made) {
  const std::filesystem::path file = config.path("key");
  SPARKMILL_ASSIGN(const Secret passphrase, configured_passphrase(config));
  if (made != nullptr) *made = false;
  std::error_code ec;
  if (make && !std::filesystem::exists(file, ec)) {
    auto key = keys::KeyFile::create(file, passphrase.text());
    if (key && made != nullptr) *made = true;
    return key;
  }
  auto key = keys::KeyFile::load(file, passphrase.text());
  const bool wants = !key && key.error().code == Status::refused && passphrase.text().empty() &&
                     key.error().message.find("passphrase") != std::string::npos;
  if (!wants || ::isatty(STDIN_FILENO) != 1) return key;
  SPARKMILL_ASSIGN(const Secret typed, ask_passphrase("Passphrase of " + file.string()));
  return keys::KeyFile::load(file, typed.text());
}

}  // namespace sparkmill::cli

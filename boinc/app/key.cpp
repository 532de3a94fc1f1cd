// SPDX-License-Identifier: Apache-2.0
#include "boinc/app/key.h"

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <thread>

#include "base/file.h"
#include "base/hex.h"
#include "verify/unit/result.h"

namespace sparkmill::boinc::app {
namespace {

constexpr std::uintmax_t kMaxNotes = 64u << 10;

Result<keys::KeyFile> load_or_make(const std::filesystem::path& file) {
  auto key = keys::KeyFile::load(file);
  if (key || key.status() != Status::not_found) return key;
  auto made = keys::KeyFile::create(file);
  if (made) return made;
  // Another task was first. It may not have written all of it yet.
  for (int attempt = 0; attempt < 20; ++attempt) {
    key = keys::KeyFile::load(file);
    if (key) return key;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  return made.error();
}

}  // namespace

Result<AppKey> open_app_key(const Task& task, const std::filesystem::path& named) {
  const std::filesystem::path folder = task.project_folder;
  const std::filesystem::path file = named.empty() ? folder / unit::kAppKeyFile : named;
  SPARKMILL_ASSIGN(const keys::KeyFile key, load_or_make(file));
  AppKey out{key.role("envelope"), {}};
  const std::filesystem::path beside = file.parent_path();
  const std::string hex = to_hex(out.key.public_key()) + "\n";
  const std::filesystem::path shown = beside / unit::kAppPublicFile;
  const auto there = read_text_file(shown, 256);
  if (!there || *there != hex) {
    const Done written = write_file_atomic(shown, view(hex));
    if (!written) std::fprintf(stderr, "sparkmill-boinc: %s\n", written.error().message.c_str());
  }
  out.statement = current_statement(task, named, out.key.public_key());
  return out;
}

Bytes current_statement(const Task& task, const std::filesystem::path& named, const keys::PublicKey& app_pub) {
  const std::filesystem::path beside = named.empty() ? task.project_folder : named.parent_path();
  auto statement = read_file(beside / unit::kAppStatementFile, unit::kStatementBytes);
  if (!statement) return {};
  const auto checked = unit::decode_statement(*statement, app_pub);
  if (checked) return std::move(*statement);
  std::fprintf(stderr, "sparkmill-boinc: %s\n", checked.error().message.c_str());
  return {};
}

void note_result(const Task& task, const std::string& result_name, const Hash32& hash) {
  if (task.standalone) return;
  const std::filesystem::path file = task.project_folder / unit::kAppResultsFile;
  std::error_code ec;
  if (std::filesystem::file_size(file, ec) > kMaxNotes && !ec) {
    const auto text = read_text_file(file, 2 * kMaxNotes);
    const std::string all = text ? *text : std::string();
    const std::size_t cut = all.find('\n', all.size() / 2);
    (void)write_file_atomic(
        file, view(cut == std::string::npos ? std::string_view() : std::string_view(all).substr(cut + 1)));
  }
  // One write of one line: tasks that end at once do not mix theirs.
  const std::string line = result_name + " " + to_hex(hash) + "\n";
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  const bool written = fd >= 0 && ::write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size());
  if (fd >= 0) ::close(fd);
  if (!written) std::fprintf(stderr, "sparkmill-boinc: %s: the result is not noted\n", file.c_str());
}

}  // namespace sparkmill::boinc::app

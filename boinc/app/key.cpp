// SPDX-License-Identifier: Apache-2.0
#include "boinc/app/key.h"

#include <chrono>
#include <cstdio>
#include <thread>

#include "base/file.h"
#include "base/hex.h"
#include "verify/unit/result.h"

namespace sparkmill::boinc::app {
namespace {

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
  const auto statement = read_file(beside / unit::kAppStatementFile, unit::kStatementBytes);
  if (!statement) return out;
  const auto checked = unit::decode_statement(*statement, out.key.public_key());
  if (checked)
    out.statement = *statement;
  else
    std::fprintf(stderr, "sparkmill-boinc: %s\n", checked.error().message.c_str());
  return out;
}

}  // namespace sparkmill::boinc::app

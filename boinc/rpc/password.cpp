// SPDX-License-Identifier: Apache-2.0
#include "boinc/rpc/password.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/file.h"
#include "boinc/xml/scan.h"

namespace sparkmill::boinc::rpc {

namespace fs = std::filesystem;

namespace {

constexpr const char* kPasswordFile = "gui_rpc_auth.cfg";
constexpr const char* kSocket = "boinc_socket";
constexpr std::uint64_t kFileLimit = 4096;

std::string group_name(gid_t gid) {
  std::array<char, 4096> buffer;
  group entry{};
  group* found = nullptr;
  if (::getgrgid_r(gid, &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) return {};
  return found->gr_name;
}

std::string user_name() {
  std::array<char, 4096> buffer;
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) return "USER";
  return found->pw_name;
}

/// The file cannot be opened: says who may.
Error not_readable(const fs::path& file) {
  struct stat st {};
  std::string group = "boinc";
  fs::path looked_at = file;
  if (::stat(file.c_str(), &st) == 0 || ::stat((looked_at = file.parent_path()).c_str(), &st) == 0) {
    const bool by_group = (st.st_mode & S_IRGRP) != 0;
    const std::string name = by_group ? group_name(st.st_gid) : "";
    if (!by_group) {
      return fail(Status::refused, file.string() + ": the password of the BOINC client is not readable by you",
                  "run this as the user who owns " + looked_at.string() + ", or let its group read it");
    }
    if (!name.empty() && name != "root") group = name;
  }
  return fail(Status::refused, file.string() + ": the password of the BOINC client is not readable by you",
              "join its group: sudo adduser " + user_name() + " " + group + ", then log in again");
}

/// Nothing: there is no such file.
Result<std::optional<std::string>> first_line(const fs::path& file) {
  auto text = read_text_file(file, kFileLimit);
  if (text) return std::optional<std::string>(xml::trim(text->substr(0, text->find('\n'))));
  if (text.status() == Status::not_found) return std::optional<std::string>();
  if (::faccessat(AT_FDCWD, file.c_str(), R_OK, AT_EACCESS) != 0 && errno == EACCES) return not_readable(file);
  return text.error();
}

std::string property(const fs::path& file, std::string_view key) {
  const auto text = read_text_file(file, 64u << 10);
  if (!text) return {};
  std::string_view rest = *text;
  while (!rest.empty()) {
    const std::string_view line = xml::trim(rest.substr(0, rest.find('\n')));
    rest.remove_prefix(
        std::min(rest.size(), rest.find('\n') == std::string_view::npos ? rest.size() : rest.find('\n') + 1));
    const std::size_t eq = line.find('=');
    if (line.empty() || line[0] == '#' || eq == std::string_view::npos) continue;
    if (xml::trim(line.substr(0, eq)) == key) return std::string(xml::trim(line.substr(eq + 1)));
  }
  return {};
}

}  // namespace

std::vector<fs::path> data_dirs(const Places& places) {
  if (!places.data_dir.empty()) return {places.data_dir};
  std::vector<fs::path> out{places.current};
  if (const std::string dir = property(places.properties, "data_dir"); !dir.empty()) out.emplace_back(dir);
  out.insert(out.end(), places.usual.begin(), places.usual.end());
  return out;
}

Result<Password> find_password(const Places& places) {
  if (!places.password_file.empty()) {
    SPARKMILL_ASSIGN(const auto line, first_line(places.password_file));
    if (!line) return fail(Status::not_found, places.password_file.string() + ": there is no such file");
    return Password{*line, places.password_file};
  }
  for (const fs::path& dir : data_dirs(places)) {
    const fs::path file = dir / kPasswordFile;
    SPARKMILL_ASSIGN(const auto line, first_line(file));
    if (line) return Password{*line, file};
  }
  return Password{};
}

std::optional<fs::path> find_socket(const Places& places) {
  for (const fs::path& dir : data_dirs(places)) {
    std::error_code ec;
    if (fs::is_socket(dir / kSocket, ec)) return dir / kSocket;
  }
  return std::nullopt;
}

}  // namespace sparkmill::boinc::rpc

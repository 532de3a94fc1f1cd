// SPDX-License-Identifier: Apache-2.0
#include "boinc/project/uploads.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/file.h"
#include "base/log.h"
#include "boinc/project/catalog.h"
#include "boinc/xml/write.h"

namespace sparkmill::boinc::project {

namespace fs = std::filesystem;

namespace {

/// What the client does with an error: a transient one is tried again, the others end the result.
bool transient(Status status) {
  switch (status) {
    case Status::cancelled:  // the connection broke in the middle
    case Status::locked:
    case Status::no_space:
    case Status::io_error:
    case Status::corrupt:
    case Status::internal: return true;
    default: return false;
  }
}

http::Response reply(int status, const std::string& message, const std::string& more = {}) {
  xml::Writer w;
  w.open("data_server_reply").integer("status", status);
  if (!message.empty()) w.text("message", message);
  w.raw(more).close("data_server_reply");
  return http::Response::text(200, std::move(w).str(), "text/plain");
}

http::Response refuse(const Error& e) {
  log::get("project")->warn("upload: {}", e.message);
  return reply(transient(e.code) ? 1 : -1, e.message);
}

struct File {
  int fd = -1;
  ~File() {
    if (fd >= 0) ::close(fd);
  }
};

/// Writes `data` at `offset`, which is the end of what is kept; a longer rest of an earlier try is cut off.
Done write_at(const fs::path& path, std::uint64_t offset, std::string_view data) {
  File f;
  f.fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (f.fd < 0) return errno_error(errno, path.string());
  if (::ftruncate(f.fd, static_cast<off_t>(offset)) != 0) return errno_error(errno, path.string());
  while (!data.empty()) {
    const ssize_t n = ::pwrite(f.fd, data.data(), data.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error(errno, path.string());
    data.remove_prefix(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  if (::fsync(f.fd) != 0) return errno_error(errno, path.string());
  return done();
}

Done rename_durably(const fs::path& from, const fs::path& to) {
  std::error_code ec;
  fs::create_directories(to.parent_path(), ec);
  if (::rename(from.c_str(), to.c_str()) != 0) return errno_error(errno, to.string());
  File folder;
  folder.fd = ::open(to.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder.fd < 0 || ::fsync(folder.fd) != 0) return errno_error(errno, to.parent_path().string());
  return done();
}

}  // namespace

fs::path Uploads::path(std::string_view name) const { return folder_ / spread(name) / name; }

http::Response Uploads::handle(std::string_view body) {
  const auto request = read_upload(body);
  if (!request) return refuse(request.error());
  if (request->ask_size) {
    const auto size = stored(request->name);
    if (!size) return refuse(size.error());
    return reply(0, {}, "<file_size>" + std::to_string(*size) + "</file_size>\n");
  }
  {
    std::lock_guard lock(mutex_);
    if (!busy_.insert(request->name).second) {
      return refuse(fail(Status::locked, "upload of " + request->name + ": another connection is sending it"));
    }
  }
  const Done taken = take(*request);
  {
    std::lock_guard lock(mutex_);
    busy_.erase(request->name);
  }
  return taken ? reply(0, {}) : refuse(taken.error());
}

Result<std::uint64_t> Uploads::stored(const std::string& name) {
  SPARKMILL_ASSIGN(const ExpectedFile expected, books_.expected_file(name));
  std::error_code ec;
  const fs::path file = expected.complete ? path(name) : part(name);
  const auto size = fs::file_size(file, ec);
  return ec ? std::uint64_t{0} : static_cast<std::uint64_t>(size);
}

Done Uploads::take(const UploadRequest& r) {
  SPARKMILL_ASSIGN(const ExpectedFile expected, books_.expected_file(r.name));
  if (!signature_holds(public_key_, upload_text(r.name, expected.max_nbytes), r.signature)) {
    return fail(Status::refused, "upload of " + r.name + ": its certificate is not signed by this project");
  }
  if (r.nbytes > expected.max_nbytes) {
    return fail(Status::too_large, "upload of " + r.name + ": " + std::to_string(r.nbytes) + " bytes, at most " +
                                       std::to_string(expected.max_nbytes));
  }
  if (expected.complete) {
    if (r.offset == r.nbytes || r.md5.empty() || r.md5 == expected.md5) return done();  // it is all here
    if (expected.frozen) {
      return fail(Status::duplicate, "upload of " + r.name + ": another content was reported under that name");
    }
  }
  SPARKMILL_ASSIGN(const std::uint64_t have, stored(r.name));
  const std::uint64_t begun = expected.complete ? 0 : have;
  if (r.offset > begun) {
    return fail(Status::cancelled, "upload of " + r.name + ": offset " + std::to_string(r.offset) + ", but only " +
                                       std::to_string(begun) + " bytes are here");
  }
  std::error_code ec;
  fs::create_directories(folder_ / "incoming", ec);
  const fs::path temporary = part(r.name);
  SPARKMILL_TRY(write_at(temporary, r.offset, r.data));
  SPARKMILL_ASSIGN(const FileSum sum, sum_file(temporary));
  if (!r.md5.empty() && sum.md5 != r.md5) {
    fs::remove(temporary, ec);
    return fail(Status::corrupt,
                "upload of " + r.name + ": MD5 " + sum.md5 + " instead of " + r.md5 + "; send it again");
  }
  SPARKMILL_TRY(rename_durably(temporary, path(r.name)));
  return books_.file_arrived(r.name, sum.nbytes, sum.md5);
}

}  // namespace sparkmill::boinc::project

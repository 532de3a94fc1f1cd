// SPDX-License-Identifier: Apache-2.0
// Applications and their versions, read from folders as a BOINC server has them:
//   apps/<app>/<version, "1.00">/<platform>[__<plan class>]/{files, version.xml}
// and which device a plan class needs, from plan_class_spec.xml (specs/boinc.md 3.5).
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "boinc/project/messages.h"
#include "boinc/project/signing.h"

namespace sparkmill::boinc::project {

/// Files that clients fetch: folder/<hex>/<name>, spread as real servers do. A name keeps its content for ever.
class Downloads {
 public:
  explicit Downloads(std::filesystem::path folder) : folder_(std::move(folder)) {}
  /// Copies `source` in under `name`; once more with the same content is fine.
  /// Errors: duplicate when the name has another content, bad_input for an illegal name, io_error, no_space.
  Result<FileSum> add(const std::string& name, const std::filesystem::path& source) const;
  std::filesystem::path path(std::string_view name) const;

 private:
  std::filesystem::path folder_;
};

/// The folder of `name` below a download or upload folder: (characters 1 to 7 of MD5(name) as a number) mod 1024, hex.
std::string spread(std::string_view name);

struct VersionFile {
  std::string name, open_name;
  bool main = false, copy = false;
  std::uint64_t nbytes = 0;
  std::string signature;
};

struct Version {
  std::string app;
  std::int64_t number = 0;  ///< 100 for "1.00"
  std::string platform, plan_class, api_version, command_line;
  std::string device = "CPU";  ///< or NVIDIA, ATI, intel_gpu
  double device_count = 0;     ///< devices a task takes; 0 on the CPU
  double cpus = 1;
  double flops_scale = 1;                 ///< of the core's or the device's own figure
  std::vector<std::string> cpu_features;  ///< words that the host must name
  std::vector<VersionFile> files;
};

class Catalog {
 public:
  /// Reads `apps`, puts the files where clients fetch them and signs them. `plan_classes` may not exist.
  /// Errors: bad_input, duplicate (a file changed under its old name), each naming the folder.
  static Result<Catalog> load(const std::filesystem::path& apps, const std::filesystem::path& plan_classes,
                              const Downloads& downloads, const SigningKey& key);

  bool has_app(std::string_view app) const;
  std::vector<std::string> apps() const;
  std::vector<std::string> platforms() const;
  /// The version of `app` for that device that the host can run: platforms in the client's order, then the highest
  /// number, then the fastest plan class. nullptr when there is none.
  const Version* choose(std::string_view app, std::string_view device, const SchedulerRequest& host) const;
  /// The version that was sent before; nullptr when it has gone.
  const Version* find(std::string_view app, std::int64_t number, std::string_view platform,
                      std::string_view plan_class) const;
  const std::vector<Version>& versions() const { return versions_; }

 private:
  std::vector<Version> versions_;
};

}  // namespace sparkmill::boinc::project

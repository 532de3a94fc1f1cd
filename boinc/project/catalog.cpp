// SPDX-License-Identifier: Apache-2.0
#include "boinc/project/catalog.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "base/file.h"
#include "boinc/xml/scan.h"

namespace sparkmill::boinc::project {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kMaxXml = 1u << 20;
constexpr unsigned kFanout = 1024;

/// "1.00" or "1.3" is 100 or 130 as update_versions reads it: major * 100 + minor. Nothing for other text.
std::optional<std::int64_t> version_number(const std::string& text) {
  const std::size_t dot = text.find('.');
  if (dot == std::string::npos || dot == 0 || dot > 6 || text.size() - dot - 1 == 0 || text.size() - dot - 1 > 2) {
    return {};
  }
  std::int64_t major = 0, minor = 0;
  const char* end = text.data() + text.size();
  const auto a = std::from_chars(text.data(), text.data() + dot, major);
  const auto b = std::from_chars(text.data() + dot + 1, end, minor);
  if (a.ec != std::errc() || a.ptr != text.data() + dot || b.ec != std::errc() || b.ptr != end) return {};
  return major * 100 + minor;
}

struct PlanClass {
  std::string device = "CPU";
  double cpus = 1;
  double flops_scale = 1;
  std::vector<std::string> features;
};

std::string device_of(const std::string& gpu_type) {
  if (gpu_type == "nvidia") return "NVIDIA";
  if (gpu_type == "amd" || gpu_type == "ati") return "ATI";
  return gpu_type;  // intel_gpu, apple_gpu
}

/// What the name says, for classes that no file describes.
PlanClass by_name(std::string_view name) {
  const auto has = [&](std::string_view word) { return name.find(word) != std::string_view::npos; };
  PlanClass out;
  if (has("cuda") || has("nvidia")) out.device = "NVIDIA";
  if (has("ati") || has("amd")) out.device = "ATI";
  if (has("intel_gpu")) out.device = "intel_gpu";
  if (out.device != "CPU") out.cpus = 0.1;
  for (const std::string_view feature : {"avx512f", "avx2", "avx", "sse3", "sse2"}) {
    if (!has(feature.substr(0, feature == "avx512f" ? 6 : feature.size()))) continue;
    out.features.emplace_back(feature);
    break;
  }
  return out;
}

Result<std::map<std::string, PlanClass>> read_plan_classes(const fs::path& file) {
  std::map<std::string, PlanClass> out;
  std::error_code ec;
  if (file.empty() || !fs::exists(file, ec)) return out;
  SPARKMILL_ASSIGN(const std::string all, read_text_file(file, kMaxXml));
  const auto top = xml::find(all, "plan_classes");
  xml::Scanner scan(top ? top->inner : std::string_view(all));
  for (xml::Element e; scan.next(e);) {
    if (e.name != "plan_class") continue;
    const std::string name = xml::child_text(e.inner, "name");
    PlanClass c;
    c.device = device_of(xml::child_text(e.inner, "gpu_type"));
    if (c.device.empty()) c.device = "CPU";
    const bool gpu = c.device != "CPU";
    c.cpus = xml::child_real(e.inner, gpu ? "cpu_frac" : "max_threads", gpu ? 0.1 : 1);
    if (!(c.cpus > 0)) c.cpus = gpu ? 0.1 : 1;
    c.flops_scale = xml::child_real(e.inner, gpu ? "gpu_peak_flops_scale" : "projected_flops_scale", gpu ? 0.2 : 1);
    if (!(c.flops_scale > 0)) c.flops_scale = 1;
    xml::Scanner inside(e.inner);
    for (xml::Element f; inside.next(f);) {
      if (f.name == "cpu_feature") c.features.push_back(xml::text(f, 64));
    }
    out[name] = c;
  }
  return out;
}

/// The files of a version folder: version.xml says, otherwise the only file is the main program.
Result<Version> read_folder(const fs::path& folder, const Downloads& downloads, const SigningKey& key) {
  const fs::path description = folder / "version.xml";
  std::error_code ec;
  if (!fs::exists(description, ec)) {
    return fail(Status::bad_input, description.string() + ": is not there",
                "it names the files, the main program and the api_version, docs/boinc-demo.md has an example");
  }
  SPARKMILL_ASSIGN(const std::string all, read_text_file(description, kMaxXml));
  const auto top = xml::find(all, "version");
  if (!top) return fail(Status::bad_input, description.string() + ": no <version>");
  Version out;
  out.api_version = xml::child_text(top->inner, "api_version");
  out.command_line = xml::child_text(top->inner, "cmdline");
  if (out.api_version.empty()) {
    return fail(Status::bad_input, description.string() + ": no <api_version>",
                "without the version of libboinc_api that the program links, clients talk to it in an old way");
  }
  bool main = false;
  xml::Scanner scan(top->inner);
  for (xml::Element e; scan.next(e);) {
    if (e.name != "file") continue;
    VersionFile f;
    f.name = xml::child_text(e.inner, "physical_name");
    f.open_name = xml::child_text(e.inner, "logical_name");
    f.main = xml::child_flag(e.inner, "main_program");
    f.copy = xml::child_flag(e.inner, "copy_file");
    main = main || f.main;
    auto sum = downloads.add(f.name, folder / f.name);
    if (!sum) return fail(sum.status(), description.string() + ": " + sum.error().message, sum.error().hint);
    f.nbytes = sum->nbytes;
    f.signature = key.sign_md5(sum->md5);
    out.files.push_back(std::move(f));
  }
  if (!main) return fail(Status::bad_input, description.string() + ": no file is the <main_program/>");
  return out;
}

/// Sub-folders in order of name, so that every start reads the same.
std::vector<fs::path> folders_in(const fs::path& folder) {
  std::vector<fs::path> out;
  std::error_code ec;
  for (fs::directory_iterator it(folder, ec), end; !ec && it != end; it.increment(ec)) {
    if (it->is_directory(ec) && it->path().filename().string().front() != '.') out.push_back(it->path());
  }
  std::sort(out.begin(), out.end());
  return out;
}

bool names_word(std::string_view words, std::string_view word) {
  for (std::size_t at = words.find(word); at != std::string_view::npos; at = words.find(word, at + 1)) {
    const bool starts = at == 0 || words[at - 1] == ' ';
    const std::size_t end = at + word.size();
    if (starts && (end == words.size() || words[end] == ' ')) return true;
  }
  return false;
}

}  // namespace

std::string spread(std::string_view name) {
  const std::string md5 = md5_hex(name);
  unsigned number = 0;
  std::from_chars(md5.data() + 1, md5.data() + 8, number, 16);
  char out[8];
  const auto end = std::to_chars(out, out + sizeof out, number % kFanout, 16);
  return {out, end.ptr};
}

fs::path Downloads::path(std::string_view name) const { return folder_ / spread(name) / name; }

Result<FileSum> Downloads::add(const std::string& name, const fs::path& source) const {
  if (!legal_name(name)) {
    return fail(Status::bad_input, "'" + name.substr(0, 80) + "' cannot be the name of a file for clients");
  }
  SPARKMILL_ASSIGN(const FileSum sum, sum_file(source));
  const fs::path target = path(name);
  std::error_code ec;
  if (fs::exists(target, ec)) {
    SPARKMILL_ASSIGN(const FileSum old, sum_file(target));
    if (old.md5 == sum.md5 && old.nbytes == sum.nbytes) return sum;
    return fail(Status::duplicate, source.string() + ": differs from what clients already got under the name " + name,
                "clients keep a file for ever: give changed content a new name");
  }
  fs::create_directories(target.parent_path(), ec);
  const fs::path part = target.string() + ".part";
  fs::remove(part, ec);
  fs::copy_file(source, part, ec);
  if (!ec) fs::rename(part, target, ec);
  if (ec)
    return fail(ec == std::errc::no_space_on_device ? Status::no_space : Status::io_error,
                target.string() + ": " + ec.message());
  return sum;
}

Result<Catalog> Catalog::load(const fs::path& apps, const fs::path& plan_classes, const Downloads& downloads,
                              const SigningKey& key) {
  SPARKMILL_ASSIGN(const auto classes, read_plan_classes(plan_classes));
  Catalog out;
  for (const fs::path& app : folders_in(apps)) {
    if (!legal_name(app.filename().string())) {
      return fail(Status::bad_input, app.string() + ": cannot be the name of an application");
    }
    for (const fs::path& number : folders_in(app)) {
      const auto n = version_number(number.filename().string());
      if (!n) return fail(Status::bad_input, number.string() + ": is not named like a version", "for example 1.00");
      for (const fs::path& folder : folders_in(number)) {
        SPARKMILL_ASSIGN(Version v, read_folder(folder, downloads, key));
        const std::string platform = folder.filename().string();
        const std::size_t mark = platform.find("__");
        v.app = app.filename().string();
        v.number = *n;
        v.platform = platform.substr(0, mark);
        if (mark != std::string::npos) v.plan_class = platform.substr(mark + 2);
        const auto known = classes.find(v.plan_class);
        const PlanClass c = known != classes.end() ? known->second : by_name(v.plan_class);
        v.device = c.device;
        v.device_count = c.device == "CPU" ? 0 : 1;
        v.cpus = c.cpus;
        v.flops_scale = c.flops_scale;
        v.cpu_features = c.features;
        out.versions_.push_back(std::move(v));
      }
    }
  }
  return out;
}

bool Catalog::has_app(std::string_view app) const {
  return std::any_of(versions_.begin(), versions_.end(), [&](const Version& v) { return v.app == app; });
}

std::vector<std::string> Catalog::apps() const {
  std::set<std::string> out;
  for (const Version& v : versions_) out.insert(v.app);
  return {out.begin(), out.end()};
}

std::vector<std::string> Catalog::platforms() const {
  std::set<std::string> out;
  for (const Version& v : versions_) out.insert(v.platform);
  return {out.begin(), out.end()};
}

const Version* Catalog::choose(std::string_view app, std::string_view device, const SchedulerRequest& host) const {
  for (const std::string& platform : host.platforms) {
    const Version* best = nullptr;
    for (const Version& v : versions_) {
      if (v.app != app || v.device != device || v.platform != platform) continue;
      if (!std::all_of(v.cpu_features.begin(), v.cpu_features.end(),
                       [&](const std::string& f) { return names_word(host.features, f); })) {
        continue;
      }
      if (best == nullptr || std::pair(v.number, v.flops_scale) > std::pair(best->number, best->flops_scale)) {
        best = &v;
      }
    }
    if (best != nullptr) return best;
  }
  return nullptr;
}

const Version* Catalog::find(std::string_view app, std::int64_t number, std::string_view platform,
                             std::string_view plan_class) const {
  for (const Version& v : versions_) {
    if (v.app == app && v.number == number && v.platform == platform && v.plan_class == plan_class) return &v;
  }
  return nullptr;
}

}  // namespace sparkmill::boinc::project

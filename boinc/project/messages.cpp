// SPDX-License-Identifier: Apache-2.0
#include "boinc/project/messages.h"

#include <algorithm>
#include <cmath>

#include "boinc/xml/scan.h"

namespace sparkmill::boinc::project {

namespace {

constexpr std::size_t kMaxShort = 1024;
constexpr std::size_t kMaxFeatures = 8192;
constexpr std::size_t kMaxPlatforms = 16;
constexpr std::size_t kMaxWants = 16;
/// Far above every real figure, far below what breaks sums.
constexpr double kMaxFigure = 1e18;

double figure(std::string_view in, std::string_view name) {
  return std::clamp(xml::child_real(in, name), 0.0, kMaxFigure);
}

std::string short_text(std::string_view in, std::string_view name, std::size_t limit = kMaxShort) {
  const auto e = xml::find(in, name);
  return e ? xml::text(*e, limit) : std::string();
}

Want coproc(const xml::Element& e) {
  Want out;
  out.type = e.name == "coproc_cuda"        ? "NVIDIA"
             : e.name == "coproc_ati"       ? "ATI"
             : e.name == "coproc_intel_gpu" ? "intel_gpu"
                                            : short_text(e.inner, "type", kMaxName);
  out.seconds = figure(e.inner, "req_secs");
  out.instances = figure(e.inner, "req_instances");
  out.peak_flops = figure(e.inner, "peak_flops");
  return out;
}

Reported reported(std::string_view in) {
  Reported out;
  out.name = short_text(in, "name", kMaxName);
  out.state = xml::child_integer(in, "state");
  out.exit_status = xml::child_integer(in, "exit_status");
  // Milliseconds of these must fit into 64 bits.
  out.cpu_s = std::min(figure(in, "final_cpu_time"), 1e12);
  out.elapsed_s = std::min(figure(in, "final_elapsed_time"), 1e12);
  if (const auto e = xml::find(in, "stderr_out")) {
    const std::string_view all = e->inner;
    out.stderr_out = std::string(all.size() > kMaxStderr ? all.substr(all.size() - kMaxStderr) : all);
  }
  return out;
}

/// Digits only; nothing otherwise. The client prints lengths as "17" or "17.000000".
std::optional<std::uint64_t> length(std::string_view in, std::string_view name) {
  const auto e = xml::find(in, name);
  if (!e) return {};
  const auto n = xml::integer(*e);
  if (!n || *n < 0) return {};
  return static_cast<std::uint64_t>(*n);
}

void read_host(std::string_view in, SchedulerRequest& out) {
  const auto host = xml::find(in, "host_info");
  if (!host) return;
  out.host_cpid = short_text(host->inner, "host_cpid", kMaxName);
  out.domain_name = short_text(host->inner, "domain_name", kMaxName);
  out.cpu = short_text(host->inner, "p_model");
  out.features = short_text(host->inner, "p_features", kMaxFeatures);
  out.os = short_text(host->inner, "os_version");
  out.cpus = std::clamp<std::int64_t>(xml::child_integer(host->inner, "p_ncpus", 1), 1, 65'536);
  out.fpops = figure(host->inner, "p_fpops");
  out.memory_bytes = figure(host->inner, "m_nbytes");
}

}  // namespace

bool legal_name(std::string_view name) {
  if (name.empty() || name.size() > kMaxName || name.front() == '.' || name.find("..") != std::string_view::npos) {
    return false;
  }
  return std::all_of(name.begin(), name.end(), [](char c) {
    const auto u = static_cast<unsigned char>(c);
    return u > 0x20 && u < 0x7f && c != '/' && c != '\\' && c != '%' && c != '<' && c != '>' && c != '&' && c != '"' &&
           c != '\'' && c != '?' && c != '#';
  });
}

Result<SchedulerRequest> read_request(std::string_view body) {
  if (body.size() > kRequestLimit) return fail(Status::too_large, "scheduler request: over 4 MiB");
  const auto top = xml::find(body, "scheduler_request");
  if (!top || !top->closed) return fail(Status::bad_input, "scheduler request: incomplete message");
  SchedulerRequest out;
  out.wants.emplace_back();
  std::string version[3];
  // One walk: a request of a busy host is long, and most children are looked at once.
  xml::Scanner scan(top->inner);
  for (xml::Element e; scan.next(e);) {
    if (e.name == "authenticator") out.authenticator = xml::text(e, kMaxName);
    if (e.name == "hostid") out.host = xml::integer(e).value_or(0);
    if (e.name == "rpc_seqno") out.seqno = xml::integer(e).value_or(0);
    if (e.name == "core_client_major_version") version[0] = xml::text(e, 16);
    if (e.name == "core_client_minor_version") version[1] = xml::text(e, 16);
    if (e.name == "core_client_release") version[2] = xml::text(e, 16);
    if (e.name == "platform_name") out.platforms.insert(out.platforms.begin(), xml::text(e, kMaxName));
    if (e.name == "alt_platform" && out.platforms.size() < kMaxPlatforms) {
      out.platforms.push_back(short_text(e.inner, "name", kMaxName));
    }
    if (e.name == "cross_project_id") out.cross_project_id = xml::text(e, kMaxName);
    if (e.name == "code_sign_key") out.code_sign_key = std::string(xml::trim(e.inner.substr(0, 4096)));
    if (e.name == "dont_send_work") out.no_work = xml::flag(e);
    if (e.name == "cpu_req_secs") out.wants[0].seconds = std::clamp(xml::real(e).value_or(0), 0.0, kMaxFigure);
    if (e.name == "cpu_req_instances") out.wants[0].instances = std::clamp(xml::real(e).value_or(0), 0.0, kMaxFigure);
    if (e.name == "disk_usage") {
      out.disk_bytes = std::max(0.0, figure(e.inner, "d_project_share") - figure(e.inner, "d_boinc_used_project"));
    }
    if (e.name == "coprocs") {
      xml::Scanner devices(e.inner);
      for (xml::Element d; devices.next(d);) {
        if (d.name.substr(0, 6) == "coproc" && out.wants.size() < kMaxWants) out.wants.push_back(coproc(d));
      }
    }
    if (e.name == "result" && out.reported.size() < kMaxReported) out.reported.push_back(reported(e.inner));
    if (e.name == "other_results") {
      out.lists_results = true;
      xml::Scanner results(e.inner);
      for (xml::Element r; results.next(r);) {
        if (r.name == "other_result" && out.others.size() < kMaxReported) {
          out.others.push_back(short_text(r.inner, "name", kMaxName));
        }
      }
      // A list that was cut must not make the rest look lost.
      if (out.others.size() == kMaxReported) out.lists_results = false;
    }
  }
  read_host(top->inner, out);
  out.client = version[0] + "." + version[1] + "." + version[2];
  if (out.authenticator.empty()) return fail(Status::bad_input, "scheduler request: no authenticator");
  return out;
}

Result<UploadRequest> read_upload(std::string_view body) {
  constexpr std::string_view kData = "<data>\n";
  const std::size_t mark = body.substr(0, kUploadHeader).find(kData);
  const std::string_view header = body.substr(0, std::min<std::size_t>(mark, kUploadHeader));
  const std::size_t top = header.find("<data_server_request>");
  if (top == std::string_view::npos) return fail(Status::bad_input, "upload: no data_server_request");
  // Neither element is closed before the data, so what follows the tag is scanned.
  const std::string_view inside = header.substr(top + std::string_view("<data_server_request>").size());
  UploadRequest out;
  if (const auto size = xml::find(inside, "get_file_size")) {
    out.ask_size = true;
    out.name = xml::text(*size, kMaxName + 1);
    if (!legal_name(out.name)) return fail(Status::bad_input, "upload: illegal file name");
    return out;
  }
  const std::size_t upload = inside.find("<file_upload>");
  if (upload == std::string_view::npos || mark == std::string_view::npos) {
    return fail(Status::bad_input, "upload: no file_upload with data in the first 16 KiB");
  }
  const std::string_view fields = inside.substr(upload + std::string_view("<file_upload>").size());
  const auto info = xml::find(fields, "file_info");
  if (!info || !info->closed) return fail(Status::bad_input, "upload: no file_info");
  out.name = short_text(info->inner, "name", kMaxName + 1);
  if (!legal_name(out.name)) return fail(Status::bad_input, "upload: illegal file name");
  out.signature = short_text(info->inner, "xml_signature", 4096);
  const auto max = length(info->inner, "max_nbytes");
  const auto nbytes = length(fields, "nbytes");
  const auto offset = length(fields, "offset");
  if (!max || !nbytes || !offset) {
    return fail(Status::bad_input, "upload of " + out.name + ": max_nbytes, nbytes or offset is missing or no length");
  }
  if (*offset > *nbytes) return fail(Status::bad_input, "upload of " + out.name + ": offset is over nbytes");
  out.max_nbytes = *max;
  out.nbytes = *nbytes;
  out.offset = *offset;
  out.md5 = short_text(fields, "md5_cksum", 64);
  out.data = body.substr(mark + kData.size());
  if (out.data.size() > *nbytes - *offset) out.data = out.data.substr(0, *nbytes - *offset);
  if (out.data.size() < *nbytes - *offset) {
    return fail(Status::cancelled, "upload of " + out.name + ": the data ends early");
  }
  return out;
}

}  // namespace sparkmill::boinc::project

// SPDX-License-Identifier: Apache-2.0
// What BOINC clients send to a project: scheduler requests and uploads (specs/boinc.md 2.3, 2.6). Parsing only; every
// text and list is bounded, whatever is over its bound is cut or left out, since a client can send anything.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sparkmill::boinc::project {

inline constexpr std::uint64_t kRequestLimit = 4u << 20;  ///< bytes of a scheduler request
inline constexpr std::size_t kMaxReported = 1024;         ///< results, and other results, read of one request
inline constexpr std::size_t kMaxStderr = 64u << 10;
inline constexpr std::size_t kMaxName = 255;               ///< the client's limit for names of files and results
inline constexpr std::uint64_t kUploadHeader = 16u << 10;  ///< bytes before the data of an upload

/// Names of files, results and units: what the client takes (specs/boinc.md 2.4), and no '/', so that a name is always
/// one file of a folder.
bool legal_name(std::string_view name);

/// A kind of device that a client asks work for.
struct Want {
  std::string type = "CPU";  ///< CPU, NVIDIA, ATI, intel_gpu, or what an option of the client invented
  double seconds = 0;
  double instances = 0;
  double peak_flops = 0;  ///< of one device; 0: not said
  bool wants() const { return seconds > 0 || instances > 0; }
};

struct Reported {
  std::string name;
  std::int64_t state = 0;  ///< 5: computed and uploaded; specs/boinc.md 6
  std::int64_t exit_status = 0;
  double cpu_s = 0;
  double elapsed_s = 0;
  std::string stderr_out;
  bool success() const { return state == 5 && exit_status == 0; }
};

struct SchedulerRequest {
  std::string authenticator;
  std::int64_t host = 0;
  std::int64_t seqno = 0;
  std::string client;                  ///< "7.20.5"
  std::vector<std::string> platforms;  ///< the primary one first
  std::string host_cpid, cross_project_id;
  std::string code_sign_key;  ///< trimmed; empty: the client holds none
  std::string domain_name, cpu, features, os;
  std::int64_t cpus = 1;
  double fpops = 0;  ///< a second and core; 1e9 means that the client never measured
  double memory_bytes = 0;
  double disk_bytes = 0;  ///< what this project may still take; 0: not said
  bool no_work = false;
  bool lists_results = false;  ///< <other_results> is there, so that what it lacks is lost
  std::vector<Want> wants;     ///< the CPU first
  std::vector<Reported> reported;
  std::vector<std::string> others;  ///< names of results that it holds but does not report
};

/// Errors: bad_input when it is no scheduler request or has no authenticator; too_large.
Result<SchedulerRequest> read_request(std::string_view body);

/// What an upload connection asks for.
struct UploadRequest {
  std::string name;
  bool ask_size = false;  ///< how much of the file is there; nothing else is set then
  std::string signature;
  std::uint64_t max_nbytes = 0;
  std::uint64_t nbytes = 0;
  std::uint64_t offset = 0;
  std::string md5;        ///< empty: not said
  std::string_view data;  ///< into `body`; nbytes - offset bytes
};

/// Errors: bad_input (header, lengths or name), cancelled when less data came than was announced.
Result<UploadRequest> read_upload(std::string_view body);

}  // namespace sparkmill::boinc::project

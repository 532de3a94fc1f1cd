// SPDX-License-Identifier: Apache-2.0
// What the application needs of the BOINC client; boinc_client.cpp gives it by libboinc_api. Without a client
// ("standalone") files have plain names and nobody asks anything.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sparkmill::boinc::app {

struct Task {
  bool standalone = true;
  std::string result_name;
  std::filesystem::path project_folder;  ///< where the application's key lives
  std::uint64_t user_id = 0;
  std::uint64_t host_id = 0;
  std::string gpu_type;       ///< "NVIDIA", "ATI", "intel_gpu", ..; empty: a CPU task
  int gpu_device = -1;        ///< CUDA ordinal, counted as the client counts
  int gpu_opencl_index = -1;  ///< among the GPUs of that vendor's OpenCL platform
};

/// What the client wants now.
struct Wish {
  bool suspended = false;
  bool quit = false;  ///< also: the client is gone
  bool abort = false;
};

class Client {
 public:
  virtual ~Client() = default;
  virtual const Task& task() const = 0;
  /// The physical path of a logical file.
  virtual Result<std::filesystem::path> resolve(std::string_view open_name) = 0;
  virtual Wish wish() = 0;
  virtual void fraction_done(double fraction) = 0;
  /// True opens a critical section that checkpoint_completed() closes: call it always after true.
  virtual bool time_to_checkpoint() = 0;
  virtual void checkpoint_completed() = 0;
};

}  // namespace sparkmill::boinc::app

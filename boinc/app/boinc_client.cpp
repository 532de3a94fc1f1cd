// SPDX-License-Identifier: Apache-2.0
#include "boinc/app/boinc_client.h"

#include <boinc/boinc_api.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace sparkmill::boinc::app {
namespace {

class LibraryClient final : public Client {
 public:
  explicit LibraryClient(Task task) : task_(std::move(task)) {}
  const Task& task() const override { return task_; }
  Result<std::filesystem::path> resolve(std::string_view open_name) override {
    std::string path;
    const std::string name(open_name);
    if (const int error = boinc_resolve_filename_s(name.c_str(), path); error != 0) {
      return fail(Status::not_found, name + ": the link file cannot be read, BOINC error " + std::to_string(error));
    }
    return std::filesystem::path(path);
  }
  Wish wish() override {
    BOINC_STATUS s{};
    boinc_get_status(&s);
    return {s.suspended != 0, s.quit_request != 0 || s.no_heartbeat != 0, s.abort_request != 0};
  }
  void fraction_done(double fraction) override { boinc_fraction_done(fraction); }
  bool time_to_checkpoint() override { return boinc_time_to_checkpoint() != 0; }
  void checkpoint_completed() override { boinc_checkpoint_completed(); }

 private:
  Task task_;
};

}  // namespace

Result<std::unique_ptr<Client>> connect() {
  BOINC_OPTIONS options;
  boinc_options_defaults(options);
  options.direct_process_action = 0;
  if (const int error = boinc_init_options(&options); error != 0) {
    return fail(Status::internal, "boinc_init_options: error " + std::to_string(error));
  }
  Task task;
  task.standalone = boinc_is_standalone() != 0;
  if (!task.standalone) {
    APP_INIT_DATA data;
    if (const int error = boinc_get_init_data(data); error != 0) {
      return fail(Status::internal, "init_data.xml: error " + std::to_string(error));
    }
    task.result_name = data.result_name;
    task.project_folder = data.project_dir;
    task.user_id = static_cast<std::uint64_t>(std::max(0, data.userid));
    task.host_id = static_cast<std::uint64_t>(std::max(0, data.hostid));
    task.gpu_type = data.gpu_type;
    task.gpu_device = data.gpu_device_num;
    task.gpu_opencl_index = data.gpu_opencl_dev_index;
  }
  return std::unique_ptr<Client>(std::make_unique<LibraryClient>(std::move(task)));
}

void finish(int status) {
  boinc_finish(status);
  std::abort();  // it does not return
}

void come_back_later(int seconds, const std::string& reason) {
  std::fprintf(stderr, "sparkmill-boinc: %s; tried again in %d s\n", reason.c_str(), seconds);
  if (boinc_is_standalone() != 0) leave(75);
  boinc_temporary_exit(seconds, reason.c_str());
  std::abort();  // it does not return
}

void leave(int status) {
  std::fflush(nullptr);
  std::_Exit(status);  // threads of drivers and of the library may still run
}

}  // namespace sparkmill::boinc::app

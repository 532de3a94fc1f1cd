// SPDX-License-Identifier: Apache-2.0
// The whole project server: keys, books, applications, web server and the thread that runs transitioner, validator and
// assimilator. For tests and demos; production is a real BOINC server with the same validator and assimilator.
#pragma once

#include <atomic>
#include <condition_variable>
#include <thread>

#include "base/http/server.h"
#include "boinc/project/judge.h"
#include "boinc/project/manifest.h"
#include "boinc/project/ownership.h"
#include "boinc/project/reply.h"
#include "boinc/project/uploads.h"

namespace sparkmill::boinc::project {

struct Settings {
  std::filesystem::path data;
  std::string name = "Sparkmill demo";
  std::string listen = "127.0.0.1";
  std::uint16_t port = 8791;  ///< 0: any free one; clients keep the URL, so a project that stays needs a fixed one
  bool allow_remote = false;
  std::string url;             ///< the master URL when clients reach it under another name; empty: http://listen:port/
  std::filesystem::path apps;  ///< folder of applications; empty: data/apps
  std::filesystem::path plan_classes;  ///< empty: plan_class_spec.xml beside the folder of applications
  std::filesystem::path public_files;  ///< served below public/; empty: data/sparkmill/public, of the assimilator
  Programs programs;                   ///< its folder is data/tmp
  Policy policy;
  bool background = true;  ///< false: nothing happens between requests but by pass()
};

class Project {
 public:
  /// Makes folder and keys at the first start. `run` replaces the validator and assimilator programs in tests.
  /// Errors: bad_config, refused (not loopback without allow_remote; key files that others may read), locked (another
  /// server on the folder, or the port is taken), what the catalog says.
  static Result<std::unique_ptr<Project>> start(Settings settings, const Clock& clock = system_clock(),
                                                Runner run = {});
  ~Project();  ///< stops

  const std::string& master_url() const { return face_.master; }
  Books& books() { return *books_; }
  Uploads& uploads() { return *uploads_; }
  const Downloads& downloads() const { return downloads_; }
  const Settings& settings() const { return settings_; }
  /// One round of work in, transitioner, validator and assimilator, until nothing is due. Errors: of the books.
  Done pass();
  /// Stops serving; a validator that runs is ended and its unit is looked at again at the next start.
  void stop();

  // What the routes answer; also for tests.
  http::Response scheduler(std::string_view body);
  http::Response status(bool as_json);

 private:
  Project(Settings settings, const Clock& clock, SigningKey code, SigningKey upload);
  Done serve();
  void routes();
  http::Response account(const http::Request& request, bool create);
  http::Response config();
  http::Response ownership(const http::Request& request);
  http::Response user_stats();
  void loop();

  const Settings settings_;
  const Clock& clock_;
  const SigningKey code_key_, upload_key_;
  OwnershipSigner ownership_;
  const Downloads downloads_;
  const Spool spool_;
  Catalog catalog_;
  std::unique_ptr<Books> books_;
  std::unique_ptr<Uploads> uploads_;
  StopSource stop_;
  Runner run_;
  Face face_;
  http::Server server_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool poked_ = false;
  std::mutex pass_mutex_;
  std::thread thread_;
};

}  // namespace sparkmill::boinc::project

// SPDX-License-Identifier: Apache-2.0
// sparkmill-project: a small BOINC project server for tests and demos.
#include <pthread.h>

#include <boost/program_options.hpp>
#include <csignal>
#include <iostream>
#include <sstream>
#include <thread>

#include "base/log.h"
#include "boinc/project/project.h"

namespace po = boost::program_options;
using namespace sparkmill;
namespace project = sparkmill::boinc::project;

namespace {

struct Options {
  project::Settings project;
  log::Settings log;
  std::string data = "sparkmill-project-data", apps, plan_classes, public_files, validator, assimilator;
  std::string repeat = "user", verb;
  std::vector<std::string> words;
  std::uint32_t wait_s = 10, timeout_s = 600, retry_s = 30;
};

constexpr const char* kAbout =
    "sparkmill-project: a small BOINC project server, for tests and demos. Production uses a real BOINC server.\n\n"
    "  sparkmill-project [options]                    serves until SIGINT or SIGTERM\n"
    "  sparkmill-project add --data D MANIFEST..      gives work to the server on that folder\n"
    "  sparkmill-project cancel --data D UNIT..       takes undecided work units back\n"
    "  sparkmill-project reissue --data D UNIT..      gives units that failed or were cancelled another try\n\n";

po::options_description describe(Options& o) {
  project::Settings& s = o.project;
  po::options_description d("Options", 100);
  auto add = d.add_options();
  add("data", po::value(&o.data)->default_value(o.data), "folder of keys, accounts, files; made if it is not there");
  add("listen", po::value(&s.listen)->default_value(s.listen), "address to listen on");
  add("allow-remote", po::bool_switch(&s.allow_remote),
      "allow an address that is not loopback: no TLS, anybody may make an account; for tests and demos");
  add("port", po::value(&s.port)->default_value(s.port), "port, 0 for any free one; clients remember it");
  add("url", po::value(&s.url), "master URL that clients reach it by, when it is not http://LISTEN:PORT/");
  add("name", po::value(&s.name)->default_value(s.name), "name of the project");
  add("app-dir", po::value(&o.apps), "folder of applications, APP/VERSION/PLATFORM[__CLASS]/; default DATA/apps");
  add("plan-classes", po::value(&o.plan_classes), "plan_class_spec.xml; default: beside the folder of applications");
  add("validator", po::value(&o.validator), "program and first arguments, called with: init FILE.. | compare A.. B..");
  add("assimilator", po::value(&o.assimilator),
      "program and first arguments, called with: UNIT_ID FILE.. | --error MASK NAME UNIT_ID BATCH");
  add("public-dir", po::value(&o.public_files),
      "folder served below public/; default: DATA/sparkmill/public, where the assimilator publishes receipts");
  add("program-timeout-s", po::value(&o.timeout_s)->default_value(o.timeout_s),
      "time a validator or assimilator may take");
  add("retry-s", po::value(&o.retry_s)->default_value(o.retry_s), "until one that failed by itself is tried again");
  add("request-delay-s", po::value(&s.policy.request_delay_s)->default_value(s.policy.request_delay_s),
      "least time between two requests of a client");
  add("next-rpc-delay-s", po::value(&s.policy.next_rpc_delay_s)->default_value(s.policy.next_rpc_delay_s),
      "clients ask again within that time even without need; 0: as they like");
  add("tasks-per-device", po::value(&s.policy.tasks_per_device)->default_value(s.policy.tasks_per_device),
      "tasks a host holds at once for each core or device");
  add("keep-files-s", po::value(&s.policy.keep_files_s)->default_value(s.policy.keep_files_s),
      "results' files are deleted that long after they came, once their unit is assimilated and no instance is at "
      "work");
  add("one-result-per", po::value(&o.repeat)->default_value(o.repeat),
      "user, host or any: who gets one instance of a unit only");
  add("wait-s", po::value(&o.wait_s)->default_value(o.wait_s), "with add and cancel: how long to wait for the server");
  add("log-level", po::value(&o.log.level)->default_value(o.log.level), "trace, debug, info, warn, error or off");
  add("version", "print the version and end");
  add("help", "print this and end");
  return d;
}

int report(const Error& error) {
  std::cerr << "sparkmill-project: " << error.message << "\n";
  if (!error.hint.empty()) std::cerr << "  " << error.hint << "\n";
  return exit_code(error.code);
}

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> out;
  for (std::string word; in >> word;) out.push_back(word);
  return out;
}

/// -1: go on; otherwise the exit code.
int parse(int argc, char** argv, Options& o) {
  po::options_description visible = describe(o);
  po::options_description all = visible;
  all.add_options()("word", po::value(&o.words));
  po::positional_options_description words;
  words.add("word", -1);
  try {
    po::variables_map vm;
    po::store(po::command_line_parser(argc, argv).options(all).positional(words).run(), vm);
    po::notify(vm);
    if (vm.count("help")) {
      std::cout << kAbout << visible;
      return 0;
    }
    if (vm.count("version")) {
      std::cout << "sparkmill-project " << SPARKMILL_VERSION << "\n";
      return 0;
    }
    log::configure(o.log);
  } catch (const po::error& e) {
    std::cerr << "sparkmill-project: " << e.what() << "\n  sparkmill-project --help lists the options\n";
    return 2;
  } catch (const std::invalid_argument& e) {
    std::cerr << "sparkmill-project: " << e.what() << "\n";
    return 2;
  }
  if (!o.words.empty()) {
    o.verb = o.words.front();
    o.words.erase(o.words.begin());
    if (o.verb != "add" && o.verb != "cancel" && o.verb != "reissue") {
      return report(
          fail(Status::bad_argument, "unknown verb '" + o.verb + "'", "add, cancel, reissue, or none to serve"));
    }
    if (o.words.empty()) return report(fail(Status::bad_argument, o.verb + ": nothing is named"));
  }
  project::Settings& s = o.project;
  if (o.repeat == "user") {
    s.policy.repeat = project::Repeat::none_of_user;
  } else if (o.repeat == "host") {
    s.policy.repeat = project::Repeat::none_of_host;
  } else if (o.repeat == "any") {
    s.policy.repeat = project::Repeat::any;
  } else {
    return report(fail(Status::bad_config, "one-result-per " + o.repeat + ": is not user, host or any"));
  }
  s.data = o.data;
  s.apps = o.apps;
  s.plan_classes = o.plan_classes;
  s.public_files = o.public_files;
  s.programs.validator = words_of(o.validator);
  s.programs.assimilator = words_of(o.assimilator);
  s.programs.timeout_ms = std::uint64_t{o.timeout_s} * 1000;
  s.policy.retry_ms = std::uint64_t{o.retry_s} * 1000;
  return -1;
}

/// `add`, `cancel` and `reissue`: through the folder that the server looks into.
int hand_in(const Options& o) {
  const project::Spool spool(std::filesystem::path(o.data) / "work");
  std::vector<std::string> left;
  if (o.verb != "add") {
    auto name = spool.leave_names(o.verb, o.words);
    if (!name) return report(name.error());
    left.push_back(*name);
  } else {
    for (const std::string& manifest : o.words) {
      auto name = spool.leave(manifest);
      if (!name) return report(name.error());
      left.push_back(*name);
    }
  }
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(o.wait_s);
  for (const std::string& name : left) {
    std::optional<Done> fate;
    while (!(fate = spool.fate(name)) && std::chrono::steady_clock::now() < until) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    if (!fate) {
      std::cout << "left in " << o.data << "/work; the server takes it when it runs" << std::endl;
    } else if (!*fate) {
      return report(fate->error());
    } else {
      std::cout << "taken" << std::endl;
    }
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (const int code = parse(argc, argv, options); code >= 0) return code;
  if (!options.verb.empty()) return hand_in(options);
  // Blocked before any thread starts, so that only sigwait below sees them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  auto server = project::Project::start(options.project);
  if (!server) return report(server.error());
  std::cout << "project: " << (*server)->master_url() << " (for tests and demos)\ndata:    " << options.data
            << std::endl;
  if (options.project.programs.validator.empty()) {
    std::cerr << "sparkmill-project: no --validator: results will wait undecided\n";
  }
  int received = 0;
  sigwait(&signals, &received);
  std::cerr << "sparkmill-project: stopping\n";
  (*server)->stop();
  return 0;
}

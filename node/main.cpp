// SPDX-License-Identifier: Apache-2.0
// sparkmill-node: the reference node as a program of its own.
#include <pthread.h>

#include <boost/program_options.hpp>
#include <csignal>
#include <iostream>

#include "base/hex.h"
#include "base/log.h"
#include "node/node.h"

#ifndef SPARKMILL_VERSION
#define SPARKMILL_VERSION "0.1.0"
#endif

namespace po = boost::program_options;
using namespace sparkmill;

namespace {

struct Options {
  node::Settings node;
  log::Settings log;
  std::string data = "sparkmill-node-data";
  std::string boinc_projects;
};

po::options_description describe(Options& o) {
  node::Settings& s = o.node;
  po::options_description d("Options", 100);
  auto add = d.add_options();
  add("data", po::value(&o.data)->default_value(o.data), "folder of ledger, keys and blobs; made if it is not there");
  add("listen", po::value(&s.listen)->default_value(s.listen), "address to listen on");
  add("allow-remote", po::bool_switch(&s.allow_remote), "allow an address that is not loopback (no TLS yet)");
  add("port", po::value(&s.port)->default_value(8790), "port, 0 for any free one");
  add("interval-ms", po::value(&s.interval_ms)->default_value(s.interval_ms), "time between blocks");
  add("no-pow", "blocks come by a timer and need no Tensority solution; a ledger stays what it was made as");
  add("first-difficulty", po::value(&s.first_difficulty)->default_value(s.first_difficulty),
      "expected hashes of the first blocks of a new ledger; 0 chooses by the interval");
  add("min-open-ms", po::value(&s.min_open_ms)->default_value(s.min_open_ms),
      "least time a worker has for its opening after the challenge");
  add("lease-ms", po::value(&s.lease_ms)->default_value(s.lease_ms), "time a worker has for a job before its commit");
  add("openings", po::value(&s.openings)->default_value(s.openings), "leaves opened in a challenge");
  add("requests", po::value(&s.job_requests)->default_value(s.job_requests), "requests in a job");
  add("users", po::value(&s.job_users)->default_value(s.job_users), "users in a job, ringers among them");
  add("n", po::value(&s.job_n)->default_value(s.job_n), "elements of a template");
  add("predicate", po::value(&s.job_predicate)->default_value(s.job_predicate),
      "what counts as a match, on field face");
  add("signatures", po::value(&s.job_signatures)->default_value(4096),
      "signatures in a verify.batch job, planted ones among them; 0 makes no such jobs");
  add("blocks", po::value(&s.job_blocks)->default_value(1024),
      "blocks in a verify.blocks job, planted ones among them; 0 makes no such jobs");
  add("shares", po::value(&s.shares)->default_value("match.h=3,verify.batch=1,verify.blocks=1"),
      "how the credit handed out is shared among kinds of jobs; 0: none of that kind");
  add("confirm", po::value(&s.confirm),
      "kinds of jobs, for example verify.batch, whose answers this node recomputes as a whole before it accepts them");
  add("queue-ahead", po::value(&s.queue_ahead)->default_value(s.queue_ahead), "jobs of each kind kept ready");
  add("max-jobs", po::value(&s.max_jobs)->default_value(s.max_jobs), "jobs made in this ledger, 0 for no end");
  add("no-jobs", "make no jobs at all");
  add("blob-limit-mb", po::value<std::uint64_t>()->default_value(s.blob_limit_bytes >> 20),
      "disk space for job inputs");
  add("seed", po::value(&s.seed_text), "text that fixes the demo's population");
  add("boinc-projects", po::value(&o.boinc_projects),
      "file of BOINC projects whose credit counts (docs/boinc-credit.md); read again on SIGHUP and when it changes");
  add("log-level", po::value(&o.log.level)->default_value(o.log.level), "trace, debug, info, warn, error or off");
  add("version", "print the version and end");
  add("help", "print this and end");
  return d;
}

int report(const Error& error) {
  std::cerr << "sparkmill-node: " << error.message << "\n";
  if (!error.hint.empty()) std::cerr << "  " << error.hint << "\n";
  return exit_code(error.code);
}

/// -1: go on; otherwise the exit code.
int parse(int argc, char** argv, Options& o) {
  const po::options_description d = describe(o);
  try {
    po::variables_map vm;
    po::store(po::command_line_parser(argc, argv).options(d).positional({}).run(), vm);
    po::notify(vm);
    if (vm.count("help")) {
      std::cout << "sparkmill-node: issues jobs, checks proofs, keeps the ledger.\n\n" << d;
      return 0;
    }
    if (vm.count("version")) {
      std::cout << "sparkmill-node " << SPARKMILL_VERSION << "\n";
      return 0;
    }
    const auto megabytes = vm["blob-limit-mb"].as<std::uint64_t>();
    if (megabytes == 0 || megabytes > 1u << 24) {
      return report(fail(Status::bad_config, "blob-limit-mb: not in 1 to 16777216"));
    }
    o.node.blob_limit_bytes = megabytes << 20;
    o.node.generate = !vm.count("no-jobs");
    o.node.proof_of_work = !vm.count("no-pow");
    o.node.data = o.data;
    o.node.boinc_projects = o.boinc_projects;
    log::configure(o.log);
  } catch (const po::error& e) {
    std::cerr << "sparkmill-node: " << e.what() << "\n  sparkmill-node --help lists the options\n";
    return 2;
  } catch (const std::invalid_argument& e) {
    std::cerr << "sparkmill-node: " << e.what() << "\n";
    return 2;
  }
  return -1;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (const int code = parse(argc, argv, options); code >= 0) return code;
  // Blocked before any thread starts, so that only sigwait below sees them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  auto node = node::Node::start(options.node);
  if (!node) return report(node.error());
  std::cout << "node:   " << (*node)->url() << "\nkey:    " << to_hex((*node)->node_pub())
            << "\nanchor: " << to_hex((*node)->beacon_anchor()) << std::endl;
  for (int received = 0; sigwait(&signals, &received) == 0 && received == SIGHUP;) {
    if (const Done read = (*node)->reload(); !read) report(read.error());
  }
  std::cerr << "sparkmill-node: stopping\n";
  (*node)->stop();
  return 0;
}

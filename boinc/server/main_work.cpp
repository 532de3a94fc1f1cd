// SPDX-License-Identifier: Apache-2.0
// sparkmill-boinc-work: makes the project's folder, and units of large jobs.
#include <algorithm>
#include <boost/program_options.hpp>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <sstream>

#include "base/hash.h"
#include "base/hex.h"
#include "boinc/server/work.h"
#include "kernels/match/predicate_text.h"
#include "verify/chain/difficulty.h"
#include "verify/chain/header.h"
#include "verify/chain/seed_rule.h"
#include "verify/job/match_h.h"
#include "verify/job/tensority_check.h"
#include "verify/job/tensority_search.h"
#include "verify/job/verify_batch.h"
#include "verify/job/verify_blocks.h"
#include "verify/template/template_file.h"

namespace po = boost::program_options;
using namespace sparkmill;
using namespace sparkmill::boinc::server;

namespace {

constexpr const char* kVerbs =
    "usage: sparkmill-boinc-work VERB --project DIR [options]\n\n"
    "  init      makes DIR/sparkmill: key, settings, database (--url, --node)\n"
    "  match     units of a match of template files (--requests, --users, --predicate)\n"
    "  search    units of a Tensority search (--header, --seed, --first, --count)\n"
    "  check     units that check the proof of work of old blocks (--headers)\n"
    "  batch     units of signatures of one scheme and policy (--signatures)\n"
    "  blocks    units that check blocks of Bytom, BTTC or BTN (--blocks)\n"
    "  job       units of any job in its wire form (--job FILE, --blob FILE ..)\n\n"
    "A job's units stand in DIR/sparkmill/jobs/<id>/manifest.json; create.sh beside it stages and creates them on a\n"
    "BOINC server, and --create runs it.\n\n";

struct Options {
  std::string project, url, node, requests, users, predicate, header, headers, seed, signatures, blocks, job_file, salt,
      app = "sparkmill";
  std::vector<std::string> blob_files;
  std::uint64_t first = 0, count = 0, unit_units = 0, hits = 64;
  std::uint32_t quorum = 1, delay_hours = 7 * 24, hold_s = 24 * 3600, tiles = 0;
  bool create = false, print = false, no_evidence = false;
};

po::options_description describe(Options& o) {
  po::options_description d("Options", 100);
  auto add = d.add_options();
  add("project", po::value(&o.project)->required(), "folder of the BOINC project");
  add("url", po::value(&o.url), "init: the project's master URL, named in receipts");
  add("node", po::value(&o.node), "init: public key of the node that credits receipts, 64 hex digits (default: any)");
  add("hold-s", po::value(&o.hold_s)->default_value(o.hold_s), "init: seconds between validation and receipt");
  add("requests", po::value(&o.requests), "match: NAME=FILE,.. template files of the requests");
  add("users", po::value(&o.users), "match: NAME=FILE,.. template files of the users, the same names in any order");
  add("predicate", po::value(&o.predicate), "match: for example 'face.dot>=523'");
  add("tiles", po::value(&o.tiles), "match: tiles of 256 x 256 a unit, for example 1024");
  add("header", po::value(&o.header), "search: serialised block header in hex, as get-work gives it");
  add("seed", po::value(&o.seed), "search: seed, 64 hex digits (default: the initial one)");
  add("first", po::value(&o.first), "search: first nonce");
  add("count", po::value(&o.count), "search: number of nonces");
  add("hits", po::value(&o.hits)->default_value(o.hits), "search: nonces to be found in a unit, sets the share target");
  add("headers", po::value(&o.headers),
      "check: file of lines HEADER SEED, both in hex, the header serialised; lines of one seed together");
  add("signatures", po::value(&o.signatures), "batch: file of packed signatures (docs/formats.md, signature stream)");
  add("blocks", po::value(&o.blocks),
      "blocks: file that sparkmill verify-blocks --pack made, of any chain (docs/formats.md, verify.blocks)");
  add("no-evidence", po::bool_switch(&o.no_evidence),
      "batch, blocks: nothing shows that a verdict was computed, two equal answers decide (--quorum 2)");
  add("job", po::value(&o.job_file), "job: file with the job in its wire form");
  add("blob", po::value(&o.blob_files), "job: an input of the job; once for each, in any order");
  add("unit-units", po::value(&o.unit_units),
      "size of a unit in pairs (at n = 2048), nonces, signatures, .. (default: ten minutes)");
  add("quorum", po::value(&o.quorum)->default_value(o.quorum), "1: the proof decides; 2: and two answers must agree");
  add("delay-hours", po::value(&o.delay_hours)->default_value(o.delay_hours), "deadline of a unit after it was sent");
  add("salt", po::value(&o.salt), "32 hex digits (default: random); the same inputs and salt give the same job again");
  add("app", po::value(&o.app)->default_value(o.app), "name of the application on the server");
  add("create", po::bool_switch(&o.create), "run create.sh: stage_file and create_work of the project");
  add("print", po::bool_switch(&o.print), "print the manifest");
  add("help", "print this and end");
  return d;
}

int report(const Error& error) {
  std::cerr << "sparkmill-boinc-work: " << error.message << "\n";
  if (!error.hint.empty()) std::cerr << "  " << error.hint << "\n";
  return exit_code(error.code);
}

struct Prepared {
  job::Job job;
  job::MemoryBlobs blobs;
};

Result<std::vector<std::pair<std::string, std::string>>> name_list(const std::string& option, const std::string& text) {
  std::vector<std::pair<std::string, std::string>> out;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    const std::string item = text.substr(at, comma - at);
    const std::size_t equals = item.find('=');
    const std::string name = equals == std::string::npos ? "face" : item.substr(0, equals);
    const std::string path = equals == std::string::npos ? item : item.substr(equals + 1);
    if (path.empty() || !match::valid_field_name(name)) {
      return fail(Status::bad_argument, "--" + option + ": '" + item + "' is not NAME=FILE");
    }
    out.emplace_back(name, path);
    at = comma + 1;
  }
  return out;
}

Result<std::uint32_t> add_file(Prepared& p, const std::string& path) {
  SPARKMILL_ASSIGN(std::shared_ptr<const MappedFile> file, MappedFile::open(path));
  SPARKMILL_ASSIGN(const templates::TemplateFile parsed, templates::parse(file->bytes(), path));
  p.job.blobs.push_back(p.blobs.add(std::move(file)));
  return parsed.header.rows;
}

Result<Prepared> match_job(Options& o) {
  SPARKMILL_ASSIGN(const auto requests, name_list("requests", o.requests));
  SPARKMILL_ASSIGN(const auto users, name_list("users", o.users));
  Prepared p;
  std::vector<std::string> names;
  std::uint32_t request_rows = 0;
  std::uint32_t user_rows = 0;
  for (const auto& [name, path] : requests) {
    const auto other =
        std::find_if(users.begin(), users.end(), [&wanted = name](const auto& u) { return u.first == wanted; });
    if (other == users.end() || users.size() != requests.size()) {
      return fail(Status::bad_argument, "--users does not have the fields of --requests ('" + name + "')");
    }
    names.push_back(name);
    SPARKMILL_ASSIGN(request_rows, add_file(p, path));
    SPARKMILL_ASSIGN(user_rows, add_file(p, other->second));
  }
  auto predicate = match::parse_predicate(o.predicate, names);
  if (!predicate) return fail(Status::bad_argument, "--predicate: " + predicate.error().message);
  const job::MatchParams params{request_rows, user_rows, static_cast<std::uint16_t>(names.size()),
                                std::move(*predicate)};
  p.job = job::make_match_job(params, p.job.blobs, 0);
  if (o.tiles != 0) {
    SPARKMILL_ASSIGN(const auto work, job::open(p.job, p.blobs, {}));
    o.unit_units = work->units() / work->leaf_count() * o.tiles;
  }
  return p;
}

Result<Prepared> search_job(Options& o) {
  Prepared p;
  SPARKMILL_ASSIGN(const chain::BlockHeader header, chain::header_from_hex(o.header, "--header"));
  const chain::Target target = chain::target_from_bits(header.bits);
  if (!target.possible()) return fail(Status::bad_input, "--header: its target can never be met");
  job::TensorityParams params;
  params.preimage = chain::preimage(header);
  std::fill(params.preimage.begin() + 128, params.preimage.end(), std::uint8_t{0});
  params.seed = chain::initial_seed();
  if (!o.seed.empty()) {
    SPARKMILL_ASSIGN(params.seed, array_from_hex<32>(o.seed, "--seed"));
  }
  params.block_target = target.bound();
  params.first_nonce = o.first;
  params.count = o.count;
  if (o.unit_units == 0) o.unit_units = 1u << 16;
  params.share_target =
      job::share_target_for(std::min(o.unit_units, std::max<std::uint64_t>(1, o.count)), o.hits, params.block_target);
  p.job = job::make_tensority_job(params, 0);
  return p;
}

Result<Prepared> check_job(const Options& o) {
  SPARKMILL_ASSIGN(const std::string text, read_text_file(o.headers, 1u << 28));
  std::vector<job::BlockEntry> entries;
  std::istringstream lines(text);
  std::string line;
  for (std::size_t number = 1; std::getline(lines, line); ++number) {
    const std::string where = o.headers + ", line " + std::to_string(number);
    const std::size_t space = line.find(' ');
    if (line.empty() || line[0] == '#') continue;
    if (space == std::string::npos) return fail(Status::bad_input, where + ": expected HEADER SEED");
    SPARKMILL_ASSIGN(const chain::BlockHeader header, chain::header_from_hex(line.substr(0, space), where));
    job::BlockEntry entry{header.height, header.bits, chain::header_hash(header), {}};
    SPARKMILL_ASSIGN(entry.seed, array_from_hex<32>(line.substr(space + 1), where + ", seed"));
    entries.push_back(entry);
  }
  if (entries.empty()) return fail(Status::bad_input, o.headers + ": no headers");
  Prepared p;
  p.job = job::make_check_job(entries, 0);
  p.blobs.add(job::encode_block_entries(entries));
  return p;
}

Result<Prepared> batch_job(const Options& o) {
  SPARKMILL_ASSIGN(const Bytes file, read_file(o.signatures, job::kMaxBatchBytes));
  SPARKMILL_ASSIGN(const signatures::ItemList list, signatures::decode_stream(file, o.signatures, job::kMaxBatchItems));
  if (list.count() == 0) return fail(Status::bad_input, o.signatures + ": no signatures");
  const job::BatchParams params{&list.form(), static_cast<std::uint32_t>(list.count()), !o.no_evidence};
  Prepared p;
  // A stream of unknown length is written again with its count.
  p.job = job::make_batch_job(params, p.blobs.add(signatures::encode_stream(list.form(), list.view())), 0);
  return p;
}

Result<Prepared> blocks_job(const Options& o) {
  SPARKMILL_ASSIGN(std::shared_ptr<const MappedFile> file, MappedFile::open(o.blocks));
  const auto head = job::decode_block_head(file->bytes());
  if (!head) return fail(head.status(), o.blocks + ": " + head.error().message, "sparkmill verify-blocks --pack");
  Prepared p;
  p.job = job::make_blocks_job(*head, p.blobs.add(std::move(file)), !o.no_evidence, 0);
  return p;  // create_job opens it: what is wrong behind the head is named there
}

Result<Prepared> read_job(const Options& o) {
  Prepared p;
  SPARKMILL_ASSIGN(const Bytes bytes, read_file(o.job_file, 1u << 20));
  SPARKMILL_ASSIGN(p.job, job::decode(bytes));
  for (const std::string& path : o.blob_files) {
    SPARKMILL_ASSIGN(std::shared_ptr<const MappedFile> file, MappedFile::open(path));
    p.blobs.add(std::move(file));
  }
  return p;
}

Result<Prepared> prepare(const std::string& verb, Options& o) {
  if (verb == "job") return read_job(o);
  SPARKMILL_ASSIGN(Prepared p, verb == "match"    ? match_job(o)
                               : verb == "check"  ? check_job(o)
                               : verb == "batch"  ? batch_job(o)
                               : verb == "blocks" ? blocks_job(o)
                                                  : search_job(o));
  if (!o.salt.empty()) {
    SPARKMILL_ASSIGN(p.job.salt, array_from_hex<16>(o.salt, "--salt"));
    job::seal(p.job);
  }
  return p;
}

Done make_project(const Options& o) {
  Settings s;
  s.url = o.url;
  s.hold_s = o.hold_s;
  if (s.url.empty()) return fail(Status::bad_argument, "init: --url is missing");
  if (!o.node.empty()) {
    SPARKMILL_ASSIGN(s.node_pub, array_from_hex<32>(o.node, "--node"));
  }
  SPARKMILL_ASSIGN(const auto project, Project::make(o.project, s, system_clock()));
  std::cout << "project key: " << to_hex(project->key().public_key()) << "\n";
  return done();
}

Done make_units(const std::string& verb, Options& o) {
  SPARKMILL_ASSIGN(const auto project, Project::open(o.project, system_clock()));
  SPARKMILL_ASSIGN(Prepared p, prepare(verb, o));
  WorkOptions options;
  options.unit_units = o.unit_units;
  options.quorum = o.quorum;
  options.delay_bound_s = o.delay_hours * 3600;
  options.app = o.app;
  SPARKMILL_ASSIGN(const JobPlan plan, create_job(*project, p.job, p.blobs, options));
  const std::filesystem::path folder = project->job_folder(p.job.id);
  if (o.print) std::cout << manifest_json(plan);
  std::cerr << "job " << to_hex(p.job.id) << ": " << plan.units.size() << " unit(s), "
            << (folder / "manifest.json").string() << "\n";
  if (!o.create) return done();
  const std::string script = (folder / "create.sh").string();
  std::error_code ec;
  std::filesystem::current_path(o.project, ec);
  if (ec || script.find('\'') != std::string::npos) return fail(Status::io_error, o.project + ": " + ec.message());
  if (std::system(("'" + script + "'").c_str()) != 0) {
    return fail(Status::refused, script + " failed; it goes on where it stopped when it is run again");
  }
  return done();
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  const po::options_description d = describe(o);
  const std::string verb = argc > 1 ? argv[1] : "";
  if (verb == "--help" || verb == "help") return std::cout << kVerbs << d, 0;
  if (verb != "init" && verb != "match" && verb != "search" && verb != "check" && verb != "batch" && verb != "blocks" &&
      verb != "job") {
    std::cerr << "sparkmill-boinc-work: '" << verb << "' is no verb\n" << kVerbs;
    return 2;
  }
  try {
    po::variables_map vm;
    po::store(po::command_line_parser(argc - 1, argv + 1).options(d).positional({}).run(), vm);
    if (vm.count("help")) return std::cout << kVerbs << d, 0;
    po::notify(vm);
    const Done result = verb == "init" ? make_project(o) : make_units(verb, o);
    return result ? 0 : report(result.error());
  } catch (const po::error& e) {
    std::cerr << "sparkmill-boinc-work: " << e.what() << "\n  sparkmill-boinc-work help lists the options\n";
    return 2;
  } catch (const std::exception& e) {
    std::cerr << "sparkmill-boinc-work: " << e.what() << "\n";
    return 1;
  }
}

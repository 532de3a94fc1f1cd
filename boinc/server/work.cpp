// SPDX-License-Identifier: Apache-2.0
#include "boinc/server/work.h"

#include <algorithm>

#include "base/hash.h"
#include "base/hex.h"

namespace sparkmill::boinc::server {
namespace {

/// One cobblestone is 1/200 of a day at 1 GFLOPS.
constexpr double kFlopsPerMicrocobble = 86'400e9 / 200 / 1e6;
/// The oracle on an old processor is that much slower than the reference machine's best row.
constexpr double kSlowest = 2000;
/// Program, kernels' buffers and a device's context, beside the inputs. The epoch of Tensority takes 16 MiB twice.
constexpr double kBaseMemory = 512.0 * (1 << 20);
/// Libraries in the slot, stderr; beside it two checkpoints and the result.
constexpr double kBaseDisk = 100e6;
/// The largest answer a kind has (match.h: 2^22 pairs), and an entry of evidence for each leaf (16 digests, a count).
constexpr std::uint64_t kAnswerBytes = 48u << 20;
constexpr std::uint64_t kLeafBytes = 16 * 8 + 4;

Error unknown(const job::Job& job) {
  return fail(Status::unsupported, "job " + to_hex(job.id) + ": its kind is unknown");
}

/// Units that the reference machine's best row does in `seconds` on a core, from the weight table.
std::uint64_t units_of_seconds(const job::Work& work, std::uint64_t seconds) {
  const double microcobble_per_second = 4.3e9 / kFlopsPerMicrocobble;
  const double weight = static_cast<double>(work.microcobble_per_gi_unit()) / (1u << 30);
  return std::max<std::uint64_t>(
      1, static_cast<std::uint64_t>(static_cast<double>(seconds) * microcobble_per_second / weight));
}

Done write_if_new(const std::filesystem::path& path, ByteView content) {
  std::error_code ec;
  if (std::filesystem::file_size(path, ec) == content.size() && !ec) return done();  // the name fixes the content
  return write_file_atomic(path, content);
}

Result<UnitPlan> write_unit(const Project& project, const JobPlan& plan, const job::Piece& piece, std::uint32_t index,
                            std::uint32_t count) {
  unit::Unit u;
  u.whole_id = plan.job.id;
  u.index = index;
  u.count = count;
  u.piece = piece;
  UnitPlan out;
  out.name = unit::unit_name(plan.job.id, index);
  out.index = index;
  out.files.push_back({out.name + ".unit", std::string(kUnitOpenName),
                       project.job_folder(plan.job.id) / "units" / (out.name + ".unit"), 0});
  std::uint64_t input_bytes = 0;
  for (std::size_t k = 0; k < piece.job.blobs.size(); ++k) {
    const Hash32& hash = piece.job.blobs[k];
    std::error_code ec;
    const std::uint64_t bytes = std::filesystem::file_size(project.input_file(hash), ec);
    if (ec) return fail(Status::not_found, project.input_file(hash).string() + ": " + ec.message());
    u.inputs.push_back({hash, bytes, input_open_name(k), {}});
    out.files.push_back({unit::input_name(hash), input_open_name(k), project.input_file(hash), bytes});
    input_bytes += bytes;
  }
  const Bytes file = unit::encode(u, project.key());
  out.files.front().bytes = file.size();
  SPARKMILL_TRY(write_if_new(out.files.front().path, file));
  InputFiles source(project);
  SPARKMILL_ASSIGN(const auto work, job::open(piece.job, source, {}));  // what volunteers get must open
  out.units = work->units();
  out.credit_microcobble = job::credit_microcobble(*work);
  out.max_result_bytes = kAnswerBytes + work->leaf_count() * kLeafBytes;
  out.fpops_est = std::max(1e6, static_cast<double>(out.credit_microcobble) * kFlopsPerMicrocobble);
  out.fpops_bound = out.fpops_est * kSlowest;
  out.memory_bound = kBaseMemory + 2.0 * static_cast<double>(input_bytes);
  out.disk_bound = kBaseDisk + 3.0 * static_cast<double>(out.max_result_bytes);
  return out;
}

Done record(Project& project, const JobPlan& plan, std::span<const Hash32> unit_ids) {
  return sqlite::guarded("boinc.db", [&]() -> Done {
    sqlite::Transaction t(project.db());
    sqlite::Statement known = project.db().prepare("SELECT units FROM jobs WHERE id = ?");
    if (known.all(plan.job.id).step() && known.integer(0) != static_cast<std::int64_t>(plan.units.size())) {
      return fail(Status::duplicate,
                  "job " + to_hex(plan.job.id) + " is here already, in " + std::to_string(known.integer(0)) + " units",
                  "use the same size of unit, or another salt");
    }
    project.db()
        .prepare("INSERT OR IGNORE INTO jobs(id, kind, units, made_ms) VALUES(?, ?, ?, ?)")
        .all(plan.job.id, plan.kind, plan.units.size(), project.clock().unix_ms())
        .run();
    sqlite::Statement add = project.db().prepare(
        "INSERT OR IGNORE INTO units(name, job, idx, unit_id, units, credit) VALUES(?, ?, ?, ?, ?, ?)");
    for (std::size_t k = 0; k < plan.units.size(); ++k) {
      const UnitPlan& u = plan.units[k];
      add.all(u.name, plan.job.id, u.index, unit_ids[k], u.units, u.credit_microcobble).run();
    }
    t.commit();
    return done();
  });
}

}  // namespace

Result<JobPlan> create_job(Project& project, const job::Job& whole, job::BlobSource& blobs,
                           const WorkOptions& options) {
  const job::KindRow* row = job::find_kind(whole.kind);
  if (row == nullptr) return unknown(whole);
  if (options.quorum < 1 || options.quorum > 5) return fail(Status::bad_argument, "quorum: 1 to 5");
  JobPlan plan{whole, std::string(row->name), options, {}};
  SPARKMILL_ASSIGN(const auto work, job::open(whole, blobs, {}));
  if (options.quorum < 2 && work->needs_quorum()) {
    return fail(Status::bad_argument, "a job without evidence cannot be checked by its proof",
                "ask for two answers (--quorum 2), or for evidence");
  }
  const std::filesystem::path folder = project.job_folder(whole.id);
  std::error_code ec;
  for (const auto& path : {folder / "units", folder / "results", project.project_folder() / "templates"}) {
    std::filesystem::create_directories(path, ec);
    if (ec) return fail(Status::io_error, path.string() + ": " + ec.message());
  }
  const std::uint64_t target =
      options.unit_units != 0 ? options.unit_units : units_of_seconds(*work, kDefaultUnitSeconds);
  const auto keep = [&](Bytes bytes) { return write_if_new(project.input_file(sha256(bytes)), bytes); };
  SPARKMILL_ASSIGN(const std::vector<job::Piece> pieces, row->split(whole, blobs, target, keep));
  std::vector<Hash32> unit_ids;
  for (std::size_t k = 0; k < pieces.size(); ++k) {
    SPARKMILL_ASSIGN(UnitPlan unit, write_unit(project, plan, pieces[k], static_cast<std::uint32_t>(k),
                                               static_cast<std::uint32_t>(pieces.size())));
    SPARKMILL_ASSIGN(const Bytes file, read_file(unit.files.front().path, unit::kMaxUnitBytes));
    unit_ids.push_back(unit::id_of(file));
    plan.units.push_back(std::move(unit));
  }
  SPARKMILL_TRY(record(project, plan, unit_ids));
  const std::string stem = "smk_" + to_hex(whole.id);
  SPARKMILL_TRY(write_file_atomic(folder / "job", job::encode(whole)));
  SPARKMILL_TRY(
      write_file_atomic(project.project_folder() / "templates" / (stem + "_in.xml"), view(input_template(plan))));
  SPARKMILL_TRY(
      write_file_atomic(project.project_folder() / "templates" / (stem + "_out.xml"), view(output_template(plan))));
  SPARKMILL_TRY(write_file_atomic(folder / "create.sh", view(create_script(plan)), 0755));
  SPARKMILL_TRY(write_file_atomic(folder / "manifest.json", view(manifest_json(plan))));
  return plan;
}

}  // namespace sparkmill::boinc::server

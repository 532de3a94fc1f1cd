// SPDX-License-Identifier: Apache-2.0
#include "boinc/server/project.h"

#include <ctime>
#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "base/hex.h"

namespace sparkmill::boinc::server {
namespace {

constexpr std::uint64_t kMaxSettings = 64 * 1024;
constexpr std::uint32_t kDaysAhead = 7;
constexpr std::string_view kHint = "sparkmill-boinc-work init --project DIR --url URL makes it";

constexpr std::string_view kSchema = R"sql(
CREATE TABLE IF NOT EXISTS jobs(id BLOB PRIMARY KEY, kind TEXT NOT NULL, units INTEGER NOT NULL, made_ms INTEGER NOT NULL,
  done_ms INTEGER) STRICT;
CREATE TABLE IF NOT EXISTS units(name TEXT PRIMARY KEY, job BLOB NOT NULL REFERENCES jobs(id), idx INTEGER NOT NULL,
  unit_id BLOB NOT NULL, units INTEGER NOT NULL, credit INTEGER NOT NULL, canonical TEXT, answer_hash BLOB,
  error_mask INTEGER, UNIQUE(job, idx)) STRICT;
CREATE TABLE IF NOT EXISTS results(name TEXT PRIMARY KEY, unit TEXT NOT NULL, file_hash BLOB NOT NULL,
  day INTEGER NOT NULL, openings INTEGER NOT NULL, verdict TEXT, detail TEXT, answer_hash BLOB, app_pub BLOB,
  worker_pub BLOB, user_id INTEGER, host_id INTEGER, seen_ms INTEGER NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS results_unit ON results(unit);
CREATE INDEX IF NOT EXISTS results_app ON results(app_pub);
CREATE TABLE IF NOT EXISTS receipts(result TEXT PRIMARY KEY REFERENCES results(name), flags INTEGER NOT NULL,
  user_id INTEGER NOT NULL, host_id INTEGER NOT NULL, due_ms INTEGER NOT NULL, void INTEGER NOT NULL DEFAULT 0,
  day INTEGER, bytes BLOB) STRICT;
CREATE TABLE IF NOT EXISTS days(day INTEGER PRIMARY KEY, secret BLOB NOT NULL) STRICT;
)sql";

Result<Settings> read_settings(const std::filesystem::path& file) {
  SPARKMILL_ASSIGN(const std::string content, read_text_file(file, kMaxSettings));
  const auto bad = [&](const std::string& why) { return fail(Status::bad_config, file.string() + ": " + why); };
  const auto json = nlohmann::json::parse(content, nullptr, false);
  if (!json.is_object()) return bad("is not a JSON object");
  Settings s;
  for (const auto& [name, value] : json.items()) {
    std::uint32_t* number = nullptr;
    if (name == "openings_new") number = &s.openings_new;
    if (name == "openings_known") number = &s.openings_known;
    if (name == "known_after") number = &s.known_after;
    if (name == "hold_s") number = &s.hold_s;
    if (number != nullptr) {
      if (!value.is_number_unsigned() || value.get<std::uint64_t>() > 1u << 30)
        return bad(name + " is no whole number");
      *number = value.get<std::uint32_t>();
    } else if (name == "url" && value.is_string()) {
      s.url = value.get<std::string>();
    } else if (name == "node_pub" && value.is_string()) {
      SPARKMILL_ASSIGN(s.node_pub, array_from_hex<32>(value.get<std::string>(), file.string() + ": node_pub"));
    } else {
      return bad("'" + name + "' is unknown or not a text");
    }
  }
  if (s.url.empty() || s.url.size() > 255) return bad("url is missing or longer than 255 bytes");
  if (s.openings_new == 0 || s.openings_known == 0) return bad("openings must be at least 1");
  return s;
}

Done make_folders(const std::filesystem::path& folder) {
  std::error_code ec;
  for (const char* name : {"jobs", "inputs", "public/receipts", "public/days"}) {
    std::filesystem::create_directories(folder / name, ec);
    if (ec) return fail(Status::io_error, (folder / name).string() + ": " + ec.message());
  }
  return done();
}

}  // namespace

std::string date_text(std::uint32_t day) {
  const std::time_t seconds = std::time_t{day} * 86'400;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[16];
  std::strftime(text, sizeof text, "%Y-%m-%d", &parts);
  return text;
}

Result<std::unique_ptr<Project>> Project::make(const std::filesystem::path& project, const Settings& settings,
                                               const Clock& clock) {
  const std::filesystem::path folder = project / "sparkmill";
  SPARKMILL_TRY(make_folders(folder));
  std::error_code ec;
  if (!std::filesystem::exists(folder / "project.json", ec)) {
    nlohmann::ordered_json json;
    json["url"] = settings.url;
    json["node_pub"] = to_hex(settings.node_pub);
    json["openings_new"] = settings.openings_new;
    json["openings_known"] = settings.openings_known;
    json["known_after"] = settings.known_after;
    json["hold_s"] = settings.hold_s;
    SPARKMILL_TRY(write_file_atomic(folder / "project.json", view(json.dump(2) + "\n")));
  }
  if (!std::filesystem::exists(folder / "project.key", ec)) {
    if (const auto key = keys::KeyFile::create(folder / "project.key"); !key) return key.error();
  }
  return open(project, clock);
}

Result<std::unique_ptr<Project>> Project::open(const std::filesystem::path& project, const Clock& clock) {
  const std::filesystem::path folder = project / "sparkmill";
  std::error_code ec;
  if (!std::filesystem::exists(folder / "project.json", ec)) {
    return fail(Status::not_found, (folder / "project.json").string() + " is not there", std::string(kHint));
  }
  SPARKMILL_ASSIGN(Settings settings, read_settings(folder / "project.json"));
  SPARKMILL_ASSIGN(const keys::KeyFile key, keys::KeyFile::load(folder / "project.key"));
  std::unique_ptr<Project> out(new Project(std::filesystem::absolute(project, ec), key.role("receipt"), clock));
  out->settings_ = std::move(settings);
  SPARKMILL_ASSIGN(out->db_, sqlite::Database::open(folder / "boinc.db", false));
  // The day's secret is in it.
  std::filesystem::permissions(folder / "boinc.db",
                               std::filesystem::perms::owner_read | std::filesystem::perms::owner_write, ec);
  SPARKMILL_TRY(sqlite::guarded("boinc.db", [&] {
    sqlite::Transaction t(*out->db_);
    out->db_->exec(kSchema);
    t.commit();
    return done();
  }));
  return out;
}

Result<std::filesystem::path> Project::find_above(const std::filesystem::path& file) {
  std::error_code ec;
  for (std::filesystem::path at = std::filesystem::absolute(file, ec).parent_path(); !at.empty();
       at = at.parent_path()) {
    if (std::filesystem::exists(at / "sparkmill" / "project.json", ec)) return at;
    if (at == at.root_path()) break;
  }
  return fail(Status::not_found, "no folder above " + file.string() + " holds sparkmill/project.json",
              "name the BOINC project's folder with --project DIR");
}

std::filesystem::path Project::job_folder(const Id16& job) const { return folder() / "jobs" / to_hex(job); }

std::filesystem::path Project::unit_file(const unit::ResultName& name) const {
  return job_folder(name.whole_id) / "units" / (name.unit + ".unit");
}

Hash32 Project::day_secret(std::uint32_t day) {
  sqlite::Statement add = db_->prepare("INSERT OR IGNORE INTO days(day, secret) VALUES(?, ?)");
  for (std::uint32_t d = day; d <= day + kDaysAhead; ++d) add.all(d, random_array<32>()).run();
  sqlite::Statement get = db_->prepare("SELECT secret FROM days WHERE day = ?");
  get.all(day).step();
  Hash32 secret{};
  const Bytes stored = get.blob(0);
  if (stored.size() != secret.size()) throw sqlite::Failure(Status::corrupt, "days: a secret is not 32 bytes");
  std::copy(stored.begin(), stored.end(), secret.begin());
  return secret;
}

Result<job::Blob> InputFiles::get(const Hash32& hash) {
  SPARKMILL_ASSIGN(std::shared_ptr<const MappedFile> file, MappedFile::open(project_.input_file(hash)));
  if (sha256(file->bytes()) != hash) {
    return fail(Status::corrupt, project_.input_file(hash).string() + ": the content does not fit the name");
  }
  const ByteView bytes = file->bytes();
  return job::Blob{bytes, std::move(file)};
}

Result<StoredUnit> load_unit(const Project& project, const unit::ResultName& name) {
  const std::filesystem::path file = project.unit_file(name);
  auto bytes = read_file(file, unit::kMaxUnitBytes);
  if (!bytes) {
    return fail(bytes.status(), "unit " + name.unit + " is unknown here: " + bytes.error().message,
                "was its job made by sparkmill-boinc-work in this project?");
  }
  StoredUnit out;
  SPARKMILL_ASSIGN(out.unit, unit::decode(*bytes));
  if (out.unit.project_pub != project.key().public_key()) {
    return fail(Status::corrupt, file.string() + ": signed by another project key than project.key");
  }
  if (out.unit.whole_id != name.whole_id || out.unit.index != name.index) {
    return fail(Status::corrupt, file.string() + ": the content is another unit than the name says");
  }
  out.id = unit::id_of(*bytes);
  return out;
}

}  // namespace sparkmill::boinc::server

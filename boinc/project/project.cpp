// SPDX-License-Identifier: Apache-2.0
#include "boinc/project/project.h"

#include <sodium.h>
#include <sys/stat.h>

#include "base/log.h"
#include "boinc/project/pages.h"
#include "boinc/xml/write.h"

namespace sparkmill::boinc::project {

namespace fs = std::filesystem;
using http::Request;
using http::Response;

namespace {

constexpr std::uint64_t kUploadLimit = (256u << 20) + kUploadHeader;
constexpr std::size_t kRowsShown = 2000;
constexpr std::size_t kFilesAtOnce = 1000;
constexpr auto kPace = std::chrono::milliseconds(500);
constexpr std::uint32_t kBrokenDelay = 300;

// BOINC's numbers, specs/boinc.md 6.
constexpr int kErrNotFound = -136;
constexpr int kErrNotUnique = -137;
constexpr int kErrBadAddress = -205;
constexpr int kErrBadPassword = -206;
constexpr int kErrInternal = -183;

Response xml_page(std::string body) { return Response::text(200, std::move(body), "text/xml"); }

bool loopback(const std::string& address) { return address == "::1" || address.rfind("127.", 0) == 0; }

Done check(const Settings& s) {
  if (!loopback(s.listen) && !s.allow_remote) {
    return fail(Status::bad_config,
                "listen " + s.listen + ": this server is for tests and demos and serves loopback only",
                "--allow-remote serves others too, without TLS; production is a real BOINC server");
  }
  if (!s.url.empty() && (s.url.rfind("http://", 0) != 0 || s.url.back() != '/')) {
    return fail(Status::bad_config, "url " + s.url + ": must begin with http:// and end with /");
  }
  if (s.url.empty() && (s.listen == "0.0.0.0" || s.listen == "::")) {
    return fail(Status::bad_config, "listen " + s.listen + ": clients need the address to come back to",
                "name it: --url http://HOST:PORT/");
  }
  return done();
}

}  // namespace

Project::Project(Settings settings, const Clock& clock, SigningKey code, SigningKey upload)
    : settings_(std::move(settings)),
      clock_(clock),
      code_key_(std::move(code)),
      upload_key_(std::move(upload)),
      ownership_(settings_.data / "keys"),
      downloads_(settings_.data / "download"),
      spool_(settings_.data / "work") {}

Project::~Project() { stop(); }

Result<std::unique_ptr<Project>> Project::start(Settings s, const Clock& clock, Runner run) {
  if (sodium_init() < 0) return fail(Status::internal, "libsodium does not start");
  SPARKMILL_TRY(check(s));
  if (s.apps.empty()) s.apps = s.data / "apps";
  if (s.plan_classes.empty()) s.plan_classes = s.apps.parent_path() / "plan_class_spec.xml";
  if (s.public_files.empty()) s.public_files = s.data / "sparkmill" / "public";
  s.programs.folder = s.data / "tmp";
  std::error_code ec;
  for (const fs::path& folder : {s.data, s.data / "tmp", s.data / "work", s.data / "download", s.data / "upload"}) {
    fs::create_directories(folder, ec);
    if (ec) return fail(Status::io_error, folder.string() + ": " + ec.message());
  }
  ::chmod(s.data.c_str(), 0700);  // account keys are inside
  SPARKMILL_ASSIGN(SigningKey code, SigningKey::load_or_create(s.data / "keys", "code_sign"));
  SPARKMILL_ASSIGN(SigningKey upload, SigningKey::load_or_create(s.data / "keys", "upload"));
  std::unique_ptr<Project> p(new Project(std::move(s), clock, std::move(code), std::move(upload)));
  SPARKMILL_ASSIGN(p->catalog_,
                   Catalog::load(p->settings_.apps, p->settings_.plan_classes, p->downloads_, p->code_key_));
  SPARKMILL_ASSIGN(p->books_,
                   Books::open(p->settings_.data / "project.sqlite", p->catalog_, clock, p->settings_.policy));
  p->uploads_ = std::make_unique<Uploads>(p->settings_.data / "upload", *p->books_, p->upload_key_.public_text());
  p->run_ = run ? std::move(run) : program_runner(p->settings_.programs, p->stop_.token());
  SPARKMILL_TRY(p->serve());
  if (p->settings_.background) p->thread_ = std::thread([raw = p.get()] { raw->loop(); });
  return p;
}

Done Project::serve() {
  routes();
  http::Limits limits;
  SPARKMILL_TRY(server_.start(settings_.listen, settings_.port, limits));
  const bool v6 = settings_.listen.find(':') != std::string::npos;
  face_.name = settings_.name;
  face_.master = settings_.url.empty() ? "http://" + (v6 ? "[" + settings_.listen + "]" : settings_.listen) + ":" +
                                             std::to_string(server_.port()) + "/"
                                       : settings_.url;
  return done();
}

void Project::routes() {
  server_.route("GET", "/", [this](const Request& r) {
    return r.path() == "/" ? status(false) : Response::text(404, "no such page\n");
  });
  server_.route("GET", "/status.json", [this](const Request&) { return status(true); });
  server_.route("GET", "/get_project_config.php", [this](const Request&) { return config(); });
  server_.route("GET", "/account_ownership.php", [](const Request&) {
    return Response::text(200, ownership_page({}, {}, {}), "text/html; charset=utf-8");
  });
  server_.route(
      "POST", "/account_ownership.php", [this](const Request& r) { return ownership(r); }, 4 * kMaxOwnershipText);
  server_.route("GET", "/lookup_account.php", [this](const Request& r) { return account(r, false); });
  server_.route("GET", "/create_account.php", [this](const Request& r) { return account(r, true); });
  server_.route("GET", "/stats/user.gz", [this](const Request&) { return user_stats(); });
  server_.route(
      "POST", "/cgi", [this](const Request& r) { return scheduler(text(r.body)); }, kRequestLimit);
  server_.route(
      "POST", "/file_upload_handler", [this](const Request& r) { return uploads_->handle(text(r.body)); },
      kUploadLimit);
  server_.file_route("/download/", [this](const Request& r) {
    const fs::path path = r.path();
    const std::string name = path.filename().string();
    http::Server::FileAnswer out;
    if (legal_name(name) && path == fs::path("/download") / spread(name) / name) out.file = downloads_.path(name);
    out.otherwise = Response::text(404, "no such file\n");
    return out;
  });
  server_.file_route("/public/", [this](const Request& r) {
    const std::string name = r.path().substr(std::string_view("/public/").size());
    http::Server::FileAnswer out;
    // A file, or a folder and a file in it; no name may lead elsewhere.
    const std::size_t slash = name.find('/');
    const bool legal = slash == std::string::npos
                           ? legal_name(name)
                           : legal_name(name.substr(0, slash)) && legal_name(name.substr(slash + 1));
    if (legal) out.file = settings_.public_files / name;
    out.otherwise = Response::text(404, "no such file\n");
    return out;
  });
}

Response Project::scheduler(std::string_view body) {
  const auto request = read_request(body);
  if (!request) return xml_page(refusal_text(face_, request.error().message, kBrokenDelay));
  const auto answer = books_->schedule(*request);
  if (!answer) {
    log::get("project")->error("scheduler: {}", answer.error().message);
    return xml_page(refusal_text(face_, "The project's server has a problem: " + answer.error().message, kBrokenDelay));
  }
  {
    std::lock_guard lock(mutex_);
    poked_ = true;
  }
  wake_.notify_one();
  for (const Task& t : answer->tasks) {
    log::get("project")->info("{} goes to host {}", t.result, answer->new_host != 0 ? answer->new_host : request->host);
  }
  return xml_page(reply_text(*answer, face_, settings_.policy, code_key_, upload_key_));
}

Response Project::account(const Request& r, bool create) {
  const std::string email = r.query("email_addr");
  const std::string hash = r.query("passwd_hash");
  const auto answer =
      create ? books_->create_account(email, hash, r.query("user_name")) : books_->find_account(email, hash);
  if (answer) return xml_page(account_text(*answer));
  int number = kErrInternal;
  if (answer.status() == Status::not_found) number = kErrNotFound;
  if (answer.status() == Status::duplicate) number = kErrNotUnique;
  if (answer.status() == Status::refused) number = kErrBadPassword;
  if (answer.status() == Status::bad_input) number = kErrBadAddress;
  return xml_page(account_error_text(number, answer.error().message));
}

Response Project::config() {
  const auto key = ownership_.public_key();
  if (!key) log::get("project")->error("{}", key.error().message);
  return xml_page(config_text(face_, catalog_, key ? *key : std::string()));
}

Response Project::ownership(const Request& r) {
  Request form;  // a form's body has the form of a query
  form.target = "/?" + std::string(text(r.body));
  const std::string said = form.query("user_data");
  if (said.empty() || said.size() > kMaxOwnershipText) {
    return Response::text(400, "user_data: 1 to " + std::to_string(kMaxOwnershipText) + " bytes\n");
  }
  const auto user = books_->user_id(form.query("authenticator"));
  if (!user) return Response::text(403, user.error().message + "\n");
  // BOINC's page signs the text as its HTML shows it.
  const std::string message = std::to_string(*user) + " " + xml::escape(said);
  const auto signature = ownership_.sign(message);
  if (!signature) return Response::text(500, signature.error().message + "\n");
  return Response::text(200, ownership_page(face_.master, message, *signature), "text/html; charset=utf-8");
}

Response Project::user_stats() {
  const auto overview = books_->overview(0);
  if (!overview) return Response::text(500, overview.error().message + "\n");
  Response out;
  out.headers["content-type"] = "application/gzip";
  out.body = gzip_stored(user_stats_text(overview->users));
  return out;
}

Response Project::status(bool as_json) {
  const auto overview = books_->overview(kRowsShown);
  if (!overview) return Response::text(500, overview.error().message + "\n");
  if (as_json) return Response::json(200, status_json(face_, *overview));
  return Response::text(200, status_page(face_, *overview, catalog_, static_cast<std::int64_t>(clock_.unix_ms())),
                        "text/html; charset=utf-8");
}

Done Project::pass() {
  std::lock_guard lock(pass_mutex_);
  const FilePath path = [this](std::string_view name) { return uploads_->path(name); };
  SPARKMILL_TRY(spool_.take_all(downloads_, *books_));
  for (bool busy = true; busy && !stop_.stop_requested();) {
    SPARKMILL_ASSIGN(const std::size_t looked, books_->transition());
    busy = looked != 0;
    SPARKMILL_ASSIGN(const auto open, books_->next_to_validate());
    if (open) {
      busy = true;
      const auto verdict = validate(*open, settings_.programs.validator, run_, path);
      if (stop_.stop_requested()) break;  // the program was ended by us
      if (!verdict) log::get("project")->warn("{}: the validator failed: {}", open->name, verdict.error().message);
      SPARKMILL_TRY(verdict ? books_->validated(open->unit, *verdict)
                            : books_->try_later(open->unit, "validator: " + verdict.error().message));
    }
    SPARKMILL_ASSIGN(const auto decided, books_->next_to_assimilate());
    if (decided) {
      busy = true;
      const Done taken = assimilate(*decided, settings_.programs.assimilator, run_, path);
      if (stop_.stop_requested()) break;
      if (!taken) log::get("project")->warn("{}: the assimilator failed: {}", decided->name, taken.error().message);
      SPARKMILL_TRY(taken ? books_->assimilated(decided->unit)
                          : books_->try_later(decided->unit, "assimilator: " + taken.error().message));
    }
  }
  SPARKMILL_ASSIGN(const auto old, books_->deletable_files(kFilesAtOnce));
  for (const std::string& name : old) {
    std::error_code ec;
    fs::remove(path(name), ec);
    if (ec) return fail(Status::io_error, path(name).string() + ": " + ec.message());
    SPARKMILL_TRY(books_->file_deleted(name));
  }
  return done();
}

void Project::loop() {
  std::string last;
  while (!stop_.stop_requested()) {
    const Done passed = pass();
    // A full disk lasts: it is said once, and tried again.
    const std::string now = passed ? std::string() : passed.error().message;
    if (!now.empty() && now != last) log::get("project")->error("{}", now);
    last = now;
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, kPace, [&] { return poked_ || stop_.stop_requested(); });
    poked_ = false;
  }
}

void Project::stop() {
  server_.stop();
  {
    std::lock_guard lock(mutex_);
    stop_.request_stop();
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

}  // namespace sparkmill::boinc::project

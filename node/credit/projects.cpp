// SPDX-License-Identifier: Apache-2.0
#include "node/credit/projects.h"

#include <algorithm>

#include "base/file.h"
#include "base/hash.h"
#include "base/http/client.h"
#include "node/protocol/json_reader.h"

namespace sparkmill::node::credit {

namespace {

constexpr std::size_t kFileLimit = 1u << 20;
constexpr std::size_t kMaxProjects = 256;
constexpr std::uint64_t kMicro = 1'000'000;
constexpr std::uint64_t kMaxCobblestones = std::uint64_t{1} << 40;
constexpr std::uint64_t kLeastRemote_s = 3'600;  // exports are made once a day or so; a project is no polling target

Result<Project> read_project(const nlohmann::json& item, const std::string& what) {
  if (!item.is_object()) return fail(Status::bad_input, what + ": not an object");
  const bool own = item.contains("assimilator_key");
  if (own == item.contains("ownership_key")) {
    return fail(Status::bad_input,
                what + ": needs either assimilator_key (our own project) or ownership_key (a foreign one), not both");
  }
  if (own) {
    SPARKMILL_TRY(protocol::only_members(
        item, {"url", "assimilator_key", "max_result_cobblestones", "max_day_cobblestones", "any_node"}, what));
  } else {
    SPARKMILL_TRY(protocol::only_members(
        item, {"url", "ownership_key", "stats", "every_s", "weight_ppm", "max_day_cobblestones", "generation"}, what));
  }
  protocol::ObjectReader r(item, what);
  Project p;
  const auto optional = [&](const char* field, std::uint64_t low, std::uint64_t high, std::uint64_t otherwise) {
    return item.contains(field) ? r.integer(field, low, high) : otherwise;
  };
  p.url = r.text("url", protocol::kMaxProjectUrl);
  p.rule.max_day_microcobble = optional("max_day_cobblestones", 0, kMaxCobblestones, 1'000'000) * kMicro;
  std::string published;
  if (own) {
    p.assimilator = r.array<32>("assimilator_key");
    p.rule.key = *p.assimilator;
    if (item.contains("any_node")) p.any_node = r.boolean("any_node");
    p.rule.max_result_microcobble = optional("max_result_cobblestones", 0, kMaxCobblestones, 10'000) * kMicro;
  } else {
    published = r.text("ownership_key", 32u << 10);
    p.stats = r.text("stats", 1024);
    p.every_s = optional("every_s", 1, 30 * 86'400, 86'400);
    p.rule.weight_ppm = optional("weight_ppm", 0, 1'000'000'000, 1'000'000);
    p.rule.foreign = true;
    p.rule.generation = optional("generation", 1, 1u << 30, 1);
  }
  SPARKMILL_TRY(r.finish());
  SPARKMILL_TRY(protocol::check_project_url(p.url));
  if (own) return p;
  SPARKMILL_ASSIGN(p.ownership, OwnershipKey::parse(published));
  p.rule.key = p.ownership->hash();
  if (p.stats.empty()) return fail(Status::bad_input, what + ".stats: names no file and no URL");
  if (p.remote()) {
    SPARKMILL_TRY(http::Url::parse(p.stats));
    if (p.every_s < kLeastRemote_s) {
      return fail(Status::bad_input, what + ".every_s: " + std::to_string(p.every_s) + " s is too often for a URL",
                  "3600 or more; projects write their export about once a day");
    }
  }
  return p;
}

}  // namespace

Result<Projects> Projects::load(const std::filesystem::path& file) {
  SPARKMILL_ASSIGN(const std::string text, read_text_file(file, kFileLimit));
  return parse(text, file.string());
}

Result<Projects> Projects::parse(std::string_view text, std::string_view what) {
  const auto config = [](Error e) {
    e.code = Status::bad_config;
    return e;
  };
  const auto j = protocol::parse_object(text, what, kFileLimit);
  if (!j) return config(j.error());
  if (const Done known = protocol::only_members(*j, {"projects"}, what); !known) return config(known.error());
  protocol::ObjectReader r(*j, what);
  const nlohmann::json* list = r.list("projects", kMaxProjects);
  if (const Done read = r.finish(); !read) return config(read.error());
  Projects out;
  for (std::size_t i = 0; i < list->size(); ++i) {
    const std::string where = std::string(what) + ": project " + std::to_string(i + 1);
    auto p = read_project((*list)[i], where);
    if (!p) {
      Error e = p.error();
      if (e.message.rfind(where, 0) != 0) e.message = where + ": " + e.message;
      return config(e);
    }
    if (p->assimilator && out.find(*p->assimilator) != nullptr) {
      return config(fail(Status::bad_config, where + ".assimilator_key: another project has it too",
                         "one key signs for one project"));
    }
    if (out.find(p->url) != nullptr) return config(fail(Status::bad_config, where + ": " + p->url + " is named twice"));
    out.list_.push_back(std::move(*p));
  }
  return out;
}

const Project* Projects::find(std::string_view url) const {
  const auto at = std::find_if(list_.begin(), list_.end(), [&](const Project& p) { return p.url == url; });
  return at == list_.end() ? nullptr : &*at;
}

const Project* Projects::find(const keys::PublicKey& assimilator) const {
  const auto at =
      std::find_if(list_.begin(), list_.end(), [&](const Project& p) { return p.assimilator == assimilator; });
  return at == list_.end() ? nullptr : &*at;
}

}  // namespace sparkmill::node::credit

// SPDX-License-Identifier: Apache-2.0
// Vector files of the family `match`: every case on every kernel row and device, plain and masked.
#include <nlohmann/json.hpp>

#include "base/hex.h"
#include "kernels/match/known.h"
#include "worker/cli/vector_formats.h"

namespace sparkmill::cli {

namespace {

using Json = nlohmann::json;

constexpr std::uint32_t kMaxCaseRows = 1u << 16;

/// A case and the storage its spans point into.
struct Case {
  std::string name;
  std::vector<match::KnownField> fields;
  Bytes code;
  std::vector<std::uint64_t> digests;
  std::vector<std::uint32_t> counts;
  std::vector<match::Pair> pairs;
  match::KnownAnswer known;
};

Error bad(const std::string& name, const std::string& what) {
  return fail(Status::bad_input, "case \"" + name.substr(0, 80) + "\": " + what);
}

Done check_case(const Case& c) {
  for (const match::KnownField& f : c.fields) {
    if (f.n % 64 != 0 || f.n < match::kMinN || f.n > match::kMaxN) return bad(c.name, "n is not a multiple of 64");
  }
  auto predicate = match::Predicate::decode(c.code);
  if (!predicate) return bad(c.name, predicate.error().message);
  if (c.fields.size() > match::kMaxFields || predicate->field_count() > c.fields.size()) {
    return bad(c.name, "the predicate names a field that is not there");
  }
  const match::TileRange& t = c.known.tiles;
  const auto tiles = [](std::uint32_t rows) { return (rows + match::kTile - 1) / match::kTile; };
  if (c.known.requests > kMaxCaseRows || c.known.users > kMaxCaseRows) return bad(c.name, "too many rows");
  if (t.ti_begin > t.ti_end || t.tj_begin > t.tj_end || t.ti_end > tiles(c.known.requests) ||
      t.tj_end > tiles(c.known.users)) {
    return bad(c.name, "the tiles are outside the rows");
  }
  return done();
}

Result<std::unique_ptr<Case>> read_case(const Json& j) {
  auto c = std::make_unique<Case>();
  c->name = j.at("name").get<std::string>();
  for (const Json& f : j.at("fields"))
    c->fields.push_back({f.at("n").get<std::uint32_t>(), f.at("all_valid").get<bool>()});
  SPARKMILL_ASSIGN(c->code, from_hex(j.at("predicate").get_ref<const std::string&>(), "predicate"));
  for (const Json& d : j.at("digests")) {
    SPARKMILL_ASSIGN(const auto bytes, array_from_hex<8>(d.get_ref<const std::string&>(), "digest"));
    std::uint64_t value = 0;
    for (const std::uint8_t b : bytes) value = value << 8 | b;
    c->digests.push_back(value);
  }
  c->counts = j.at("counts").get<std::vector<std::uint32_t>>();
  for (const Json& p : j.at("pairs")) c->pairs.push_back({p.at(0).get<std::uint32_t>(), p.at(1).get<std::uint32_t>()});
  const auto tiles = j.at("tiles").get<std::array<std::uint32_t, 4>>();
  c->known = {c->name,
              j.at("seed").get<std::uint8_t>(),
              j.at("requests").get<std::uint32_t>(),
              j.at("users").get<std::uint32_t>(),
              j.at("planted").get<std::uint32_t>(),
              c->fields,
              c->code,
              {tiles[0], tiles[1], tiles[2], tiles[3]},
              c->digests,
              c->counts,
              c->pairs};
  SPARKMILL_TRY(check_case(*c));
  return c;
}

std::string difference(const match::TileResults& got, const Case& c) {
  if (got.digests != c.digests) return "digests differ";
  if (got.counts != c.counts) return "counts differ";
  return got.pairs == c.pairs ? "" : "pairs differ";
}

VectorResult run_row(match::Kernel& kernel, const std::string& name, std::span<const std::unique_ptr<Case>> cases) {
  VectorResult result{name, 0, 0, 0, {}};
  for (const auto& c : cases) {
    const match::KnownTask task(c->known);
    for (const bool force_masked : {false, true}) {
      match::TileResults got;
      const Done ran = kernel.run(task.task(force_masked), got, StopToken());
      count_case(result, c->name + (force_masked ? " (masked)" : ""), ran ? difference(got, *c) : ran.error().message);
    }
  }
  return result;
}

}  // namespace

Result<std::vector<VectorResult>> run_match_vectors(const Json& root, const VectorContext& context) {
  std::vector<std::unique_ptr<Case>> cases;
  for (const Json& j : root.at("cases")) {
    SPARKMILL_ASSIGN(auto c, read_case(j));
    cases.push_back(std::move(c));
  }
  return on_rows(kernels::Family::match, context, static_cast<unsigned>(2 * cases.size()),
                 [&](kernels::Kernel& kernel, const std::string& name) {
                   return run_row(dynamic_cast<match::Kernel&>(kernel), name, cases);
                 });
}

}  // namespace sparkmill::cli

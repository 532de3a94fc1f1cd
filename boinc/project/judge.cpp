// SPDX-License-Identifier: Apache-2.0
#include "boinc/project/judge.h"

#include <csignal>

#include "base/file.h"

namespace sparkmill::boinc::project {

namespace {

constexpr int kTransient = 3;
constexpr std::size_t kNote = 300;

std::string last_line(const std::filesystem::path& file) {
  auto text = read_text_file(file, 1u << 20);
  if (!text) return {};
  while (!text->empty() && (text->back() == '\n' || text->back() == '\r')) text->pop_back();
  const std::size_t line = text->rfind('\n');
  std::string out = line == std::string::npos ? *text : text->substr(line + 1);
  if (out.size() > kNote) out.resize(kNote);
  return out;
}

Error later(std::string note) { return fail(Status::unreachable, std::move(note)); }

std::vector<std::string> with(std::vector<std::string> words, const std::vector<std::string>& files,
                              const FilePath& path) {
  for (const std::string& f : files) words.push_back(path(f).string());
  return words;
}

}  // namespace

Runner program_runner(const Programs& programs, StopToken stop) {
  return [folder = programs.folder, timeout = programs.timeout_ms, stop = std::move(stop)](
             const std::vector<std::string>& words, const std::vector<std::string>& environment) -> Said {
    const std::filesystem::path output = folder / "last_output.txt";
    auto child = Child::start(words, {folder, output, environment});
    if (!child) return {Opinion::later, child.error().message};
    const ChildEnd end = child->wait(timeout, stop);
    if (end.timed_out) return {Opinion::later, words[0] + ": took over " + std::to_string(timeout / 1000) + " s"};
    if (!end.exited) return {Opinion::later, words[0] + ": killed by signal " + std::to_string(end.code)};
    const std::string said = last_line(output);
    if (end.code == 0) return {Opinion::yes, said};
    // What a shell says when the program behind it cannot be run is no verdict either.
    const bool not_run = end.code == 126 || end.code == 127 || end.code > 128;
    const std::string note = said.empty() ? words[0] + ": exit code " + std::to_string(end.code) : said;
    return {end.code == kTransient || not_run ? Opinion::later : Opinion::no, note};
  };
}

Result<Validation> validate(const ToValidate& unit, const std::vector<std::string>& validator, const Runner& run,
                            const FilePath& path) {
  if (validator.empty()) return later("no validator was named: --validator");
  std::vector<std::string> init = validator, compare = validator;
  init.emplace_back("init");
  compare.emplace_back("compare");

  Validation out;
  const ToValidate::Item* canonical = nullptr;
  std::vector<const ToValidate::Item*> good;
  for (const ToValidate::Item& item : unit.items) {
    if (item.canonical) {
      canonical = &item;
      continue;
    }
    const Said said = run(with(init, item.files, path), {});
    if (said.opinion == Opinion::later) return later(said.note);
    if (said.opinion == Opinion::yes) {
      good.push_back(&item);
    } else {
      out.verdicts.push_back({item.result, Validity::invalid, true, said.note});
    }
  }
  const auto equal = [&](const ToValidate::Item& a, const ToValidate::Item& b) {
    return run(with(with(compare, a.files, path), b.files, path), {});
  };
  const auto against = [&](const ToValidate::Item& chosen) -> Done {
    for (const ToValidate::Item* item : good) {
      Said said{Opinion::yes, {}};
      if (item != &chosen) said = equal(chosen, *item);
      if (said.opinion == Opinion::later) return later(said.note);
      const bool same = said.opinion == Opinion::yes;
      out.verdicts.push_back({item->result, same ? Validity::valid : Validity::invalid, false,
                              same ? std::string() : "differs from the canonical result"});
    }
    return done();
  };

  if (canonical != nullptr && canonical->files.empty()) {
    for (const ToValidate::Item* item : good) {
      out.verdicts.push_back({item->result, Validity::too_late, false, "the unit's files are deleted"});
    }
    return out;
  }
  if (canonical != nullptr) {
    SPARKMILL_TRY(against(*canonical));
    return out;
  }
  if (good.empty() || good.size() < unit.limits.quorum) return out;  // the good ones wait for another
  std::vector<std::vector<bool>> same(good.size(), std::vector<bool>(good.size(), false));
  for (std::size_t i = 0; i < good.size(); ++i) {
    same[i][i] = true;
    for (std::size_t j = i + 1; j < good.size() && unit.limits.quorum > 1; ++j) {
      const Said said = equal(*good[i], *good[j]);
      if (said.opinion == Opinion::later) return later(said.note);
      same[i][j] = same[j][i] = said.opinion == Opinion::yes;
    }
  }
  if (const auto chosen = canonical_of(same, unit.limits.quorum)) {
    out.canonical = good[*chosen]->result;
    SPARKMILL_TRY(against(*good[*chosen]));
    return out;
  }
  for (const ToValidate::Item* item : good) {
    out.verdicts.push_back({item->result, Validity::inconclusive, false, "no agreement yet"});
  }
  const auto n = static_cast<std::uint32_t>(good.size());
  if (n > unit.limits.max_success) {
    out.error_mask = kTooManySuccesses;
  } else {
    out.target = n + 1;
  }
  return out;
}

Done assimilate(const ToAssimilate& unit, const std::vector<std::string>& assimilator, const Runner& run,
                const FilePath& path) {
  if (assimilator.empty()) return done();
  std::vector<std::string> words = assimilator;
  if (unit.error_mask != 0) {
    for (const std::string& w : {std::string("--error"), std::to_string(unit.error_mask), unit.name,
                                 std::to_string(unit.unit), std::to_string(unit.batch)}) {
      words.push_back(w);
    }
  } else {
    words.push_back(std::to_string(unit.unit));
    words = with(std::move(words), unit.files, path);
  }
  std::vector<std::string> environment;
  std::string ids;
  for (const ToAssimilate::Owner& o : unit.owners) {
    ids += (ids.empty() ? "" : ";") + o.result + " " + std::to_string(o.user) + " " + std::to_string(o.host);
  }
  if (!ids.empty()) environment.push_back("SPARKMILL_RESULT_IDS=" + ids);
  const Said said = run(words, environment);
  return said.opinion == Opinion::yes ? done() : Done(later(said.note));
}

}  // namespace sparkmill::boinc::project

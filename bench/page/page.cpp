// SPDX-License-Identifier: Apache-2.0
#include "bench/page/page.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <set>

#include "base/file.h"
#include "bench/compare.h"
#include "bench/page/figure.h"

extern "C" const char sparkmill_bench_css[], sparkmill_bench_css_end[];

namespace sparkmill::bench {
namespace {

namespace fs = std::filesystem;

std::string escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return out;
}

/// <tag>text</tag>, the text escaped; `attributes` are ours and are not.
std::string element(const std::string& tag, std::string_view text, const std::string& attributes = {}) {
  return "<" + tag + (attributes.empty() ? "" : " " + attributes) + ">" + escape(text) + "</" + tag + ">";
}

std::string percent(double ratio) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %%", 100 * ratio);
  return text;
}

/// The coloured number of a run, as in the figures.
std::string badge(std::size_t run) {
  return element("span", std::to_string(run + 1),
                 "class=\"run\" style=\"background:" + std::string(colour_of(run)) + "\"");
}

std::string facts_list(std::span<const Fact> facts) {
  std::string html = "<dl>";
  for (const Fact& f : facts) {
    std::string name = f.name;
    std::replace(name.begin(), name.end(), '_', ' ');
    html += element("dt", name) + element("dd", f.text);
  }
  return html + "</dl>";
}

std::string title_of(const ResultFile& file) { return fs::path(file.path).stem().string(); }

/// The earliest run on the same machine, itself if it is the first.
std::size_t same_machine(std::span<const ResultFile> files, std::size_t run) {
  for (std::size_t other = 0; other < run; ++other) {
    if (machine_difference(files[other].machine, files[run].machine).empty()) return other;
  }
  return run;
}

std::string run_cards(std::span<const ResultFile> files) {
  std::string html = "<h2 id=\"runs\">Runs and machines</h2>\n<div class=\"grid\">\n";
  for (std::size_t run = 0; run < files.size(); ++run) {
    const ResultFile& file = files[run];
    html += "<section class=\"card\"><h3>" + badge(run) + " " + escape(title_of(file)) + "</h3>";
    if (const std::size_t first = same_machine(files, run); first != run) {
      html += element("div", "the machine of run " + std::to_string(first + 1), "class=\"soft\"");
    }
    std::vector<Fact> facts = file.machine.facts;
    for (const std::string& device : file.machine.devices) facts.push_back({"device", device});
    html += facts_list(facts) + "</section>\n";
  }
  return html + "</div>\n";
}

std::string run_heads(std::span<const std::size_t> runs) {
  std::string html;
  for (const std::size_t run : runs) html += "<th>" + badge(run) + "</th>";
  return html;
}

/// The runs for which `has` is true: no column stays empty.
template <class Has>
std::vector<std::size_t> runs_with(std::span<const ResultFile> files, Has has) {
  std::vector<std::size_t> runs;
  for (std::size_t run = 0; run < files.size(); ++run) {
    if (has(run)) runs.push_back(run);
  }
  return runs;
}

/// How a figure stands to the first run that has it: "x 1.03 of run 1", green or red when it is more than noise.
std::string against(const Measured& first, std::size_t first_run, const Measured& mine) {
  const Judgement j = judge(first.median, first.spread, mine.median, mine.spread, larger_is_better(mine.name));
  char text[64];
  std::snprintf(text, sizeof text, "x %.3g of run %zu", j.ratio, first_run + 1);
  const char* look = j.change == Change::faster ? "class=\"good\"" : j.change == Change::slower ? "class=\"bad\"" : "";
  return element("small", text, look);
}

std::string cell_html(const KernelLine& line, std::size_t run, const std::string& quantity) {
  if (!line.cells[run]) return "<td class=\"soft\">&ndash;</td>";
  const Cell& cell = *line.cells[run];
  std::string html = "<td>" + escape(show_quantity(quantity, cell.rate.median));
  html += element("small", "+- " + percent(cell.rate.spread));
  if (cell.ratio) html += element("small", percent(*cell.ratio) + " of the ceiling");
  const auto first = std::find_if(line.cells.begin(), line.cells.end(), [](const auto& c) { return c.has_value(); });
  const auto first_run = static_cast<std::size_t>(first - line.cells.begin());
  if (first_run < run) html += against((*first)->rate, first_run, cell.rate);
  return html + "</td>";
}

std::string workload_html(const Workload& work, std::span<const ResultFile> files, const std::string* svg) {
  const auto runs = runs_with(files, [&](std::size_t run) {
    return std::any_of(work.kernels.begin(), work.kernels.end(),
                       [&](const KernelLine& line) { return line.cells[run].has_value(); });
  });
  std::string html = "<section class=\"card\">";
  if (svg != nullptr) {
    html += "<figure>" + *svg + "</figure>";  // says itself what it is
  } else {
    html += element("h3", work.family + " " + work.title);
  }
  html += "<div class=\"scroll\"><table><thead><tr><th>kernel</th>" + run_heads(runs) + "</tr></thead><tbody>\n";
  for (const KernelLine& line : work.kernels) {
    html += "<tr>" + element("th", line.kernel.empty() ? work.title : line.kernel);
    for (const std::size_t run : runs) html += cell_html(line, run, work.quantity);
    html += "</tr>\n";
  }
  return html + "</tbody></table></div></section>\n";
}

std::string goals_html(std::span<const ResultFile> files) {
  const auto runs = runs_with(files, [&](std::size_t run) { return !files[run].goals.empty(); });
  std::string body;
  std::set<std::string> seen;
  for (const ResultFile& source : files) {
    for (const Goal& wanted : source.goals) {
      if (!seen.insert(wanted.name).second) continue;
      const std::string quantity = wanted.name.substr(wanted.name.rfind('/') + 1);
      body += "<tr>" + element("th", wanted.name) +
              element("td", (wanted.at_least ? "at least " : "at most ") + show_quantity(quantity, wanted.bound));
      for (const std::size_t run : runs) {
        const ResultFile& file = files[run];
        const auto at =
            std::find_if(file.goals.begin(), file.goals.end(), [&](const Goal& g) { return g.name == wanted.name; });
        if (at == file.goals.end()) {
          body += "<td class=\"soft\">&ndash;</td>";
        } else {
          body += "<td>" + escape(show_quantity(quantity, at->median)) +
                  element("small", at->met ? "met" : "missed", at->met ? "class=\"good\"" : "class=\"bad\"") + "</td>";
        }
      }
      body += "</tr>\n";
    }
  }
  if (body.empty()) return {};
  return "<h2 id=\"targets\">Targets</h2>\n<div class=\"card "
         "scroll\"><table><thead><tr><th>quantity</th><th>target</th>" +
         run_heads(runs) + "</tr></thead><tbody>\n" + body + "</tbody></table></div>\n";
}

std::string pipelines_html(std::span<const ResultFile> files) {
  std::string html;
  for (std::size_t run = 0; run < files.size(); ++run) {
    if (files[run].pipeline.empty()) continue;
    html += "<section class=\"card\"><h3>" + badge(run) + " " + escape(title_of(files[run])) + "</h3>" +
            facts_list(files[run].pipeline) + "</section>\n";
  }
  if (html.empty()) return {};
  return "<h2 id=\"pipelines\">Node and worker together</h2>\n<div class=\"grid\">\n" + html + "</div>\n";
}

std::string everything_html(std::span<const ResultFile> files) {
  const auto runs = runs_with(files, [&](std::size_t run) { return !files[run].rows.empty(); });
  std::string body;
  std::set<std::string> seen;
  for (const ResultFile& source : files) {
    for (const Measured& row : source.rows) {
      if (!seen.insert(row.name).second) continue;
      body += "<tr>" + element("th", row.name);
      for (const std::size_t run : runs) {
        const Measured* m = files[run].find(row.name);
        if (m == nullptr) {
          body += "<td class=\"soft\">&ndash;</td>";
          continue;
        }
        std::string how = "+- " + percent(m->spread);
        if (m->samples != 0) how += ", " + std::to_string(m->samples) + " samples";
        body += "<td>" + escape(show_quantity(row.name.substr(row.name.rfind('/') + 1), m->median)) +
                element("small", how) + "</td>";
      }
      body += "</tr>\n";
    }
  }
  if (body.empty()) return {};
  return "<details><summary>Everything that was measured</summary><div class=\"card scroll\"><table><thead><tr>"
         "<th>quantity</th>" +
         run_heads(runs) + "</tr></thead><tbody>\n" + body + "</tbody></table></div></details>\n";
}

/// What gnuplot wrote without its head and without definitions, which would stand in the page once a figure.
std::string embedded(const std::string& svg) {
  std::string text = svg.substr(std::min(svg.find("<svg"), svg.size()));
  const auto from = text.find("<defs>"), to = text.find("</defs>");
  if (from != std::string::npos && to != std::string::npos) text.erase(from, to + 7 - from);
  return text;
}

/// "match-plain-n-2048-pairs-per-s.svg"
std::string file_name(const Workload& work) {
  std::string name;
  for (const char c : work.family + "-" + work.title + "-" + work.quantity) {
    const bool kept = std::isalnum(static_cast<unsigned char>(c)) != 0;
    if (kept || (!name.empty() && name.back() != '-')) name += kept ? c : '-';
  }
  return name + ".svg";
}

Result<std::vector<std::string>> expand(std::span<const std::string> inputs) {
  std::vector<std::string> paths;
  for (const std::string& input : inputs) {
    std::error_code error;
    if (!fs::is_directory(input, error)) {
      paths.push_back(input);
      continue;
    }
    const std::size_t before = paths.size();
    for (auto at = fs::directory_iterator(input, error); !error && at != fs::directory_iterator();
         at.increment(error)) {
      if (at->path().extension() == ".json") paths.push_back(at->path().string());
    }
    if (error) return fail(Status::io_error, input + ": " + error.message());
    std::sort(paths.begin() + static_cast<std::ptrdiff_t>(before), paths.end());
  }
  if (paths.empty()) return fail(Status::bad_argument, "no result file given", "name files, or a folder of *.json");
  return paths;
}

}  // namespace

Figures draw_figures(std::span<const Workload> workloads) {
  Figures figures;
  for (std::size_t k = 0; k < workloads.size(); ++k) {
    if (!has_figure(workloads[k])) continue;
    auto svg = draw(figure_script(workloads[k]));
    if (!svg) {
      figures.why_none = svg.error().message + (svg.error().hint.empty() ? "" : "; " + svg.error().hint);
      break;
    }
    figures.svg.emplace(k, std::move(*svg));
  }
  return figures;
}

std::string make_page(std::span<const ResultFile> files, std::span<const Workload> workloads, const Figures& figures) {
  std::string links = "<a href=\"#runs\">Runs</a>", body, family;
  bool open = false;
  for (std::size_t k = 0; k < workloads.size(); ++k) {
    const Workload& work = workloads[k];
    if (!open || work.family != family) {
      family = work.family;
      const std::string id = "\"f" + std::to_string(k) + "\"";
      links += "<a href=\"#f" + std::to_string(k) + "\">" + escape(family) + "</a>";
      body +=
          std::string(open ? "</div>\n" : "") + element("h2", family, "id=" + id) + "\n<div class=\"grid works\">\n";
      open = true;
    }
    const auto svg = figures.svg.find(k);
    const std::string drawing = svg == figures.svg.end() ? std::string() : embedded(svg->second);
    body += workload_html(work, files, drawing.empty() ? nullptr : &drawing);
  }
  if (open) body += "</div>\n";
  const std::string goals = goals_html(files), pipelines = pipelines_html(files);
  if (!goals.empty()) links += "<a href=\"#targets\">Targets</a>";
  if (!pipelines.empty()) links += "<a href=\"#pipelines\">Node and worker</a>";
  std::string html =
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
      "<title>Sparkmill: kernels side by side</title>\n<style>\n";
  html += std::string(sparkmill_bench_css, sparkmill_bench_css_end) +
          "</style></head><body>\n<h1>Sparkmill: kernels side by side</h1>\n";
  html +=
      element("p",
              "Medians of repetitions; behind +- the spread of one repetition. The ceiling is what the unit that "
              "bounds a kernel can do, measured in the same run; the black tick in the figures. Green and red: more "
              "than noise.");
  if (!figures.why_none.empty()) html += element("p", "No figures: " + figures.why_none + ".", "class=\"bad\"");
  return html + "<nav>" + links + "</nav>\n" + run_cards(files) + body + goals + pipelines + everything_html(files) +
         "</body></html>\n";
}

Result<std::string> write_page(const fs::path& dir, std::span<const std::string> inputs) {
  SPARKMILL_ASSIGN(const auto paths, expand(inputs));
  std::vector<ResultFile> files;
  for (const std::string& path : paths) {
    SPARKMILL_ASSIGN(ResultFile file, read_results(path));
    files.push_back(std::move(file));
  }
  std::error_code error;
  fs::create_directories(dir, error);
  if (error) return errno_error(error.value(), dir.string());
  const auto workloads = side_by_side(files);
  const Figures figures = draw_figures(workloads);
  for (const auto& [k, svg] : figures.svg) SPARKMILL_TRY(write_file_atomic(dir / file_name(workloads[k]), view(svg)));
  SPARKMILL_TRY(write_file_atomic(dir / "index.html", view(make_page(files, workloads, figures))));
  return figures.why_none;
}

}  // namespace sparkmill::bench

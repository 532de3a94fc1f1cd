// SPDX-License-Identifier: Apache-2.0
#include "bench/page/side_by_side.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace sparkmill::bench {
namespace {

/// The parts of "match/cpu/avx512/plain/n:2048/pairs_per_s".
struct Name {
  std::string family, kernel, work, quantity;
  std::string benchmark;  ///< all but the quantity
};

void join(std::string& text, std::string_view part, char between) {
  if (!text.empty()) text += between;
  text += part;
}

/// How many parts after the family say which kernel it is: "cpu" has an ISA behind it, a peer a library and its form.
std::size_t kernel_parts(const std::vector<std::string_view>& parts) {
  constexpr std::array<std::string_view, 4> kOneWord = {"reference", "torch", "opencl", "cuda"};
  if (parts.size() < 3) return 0;
  if (parts[0] == "peer" || parts[1] == "cpu") return std::min<std::size_t>(2, parts.size() - 2);
  const std::string_view backend = parts[1].substr(0, parts[1].find('@'));
  return std::find(kOneWord.begin(), kOneWord.end(), backend) != kOneWord.end() ? 1 : 0;
}

Name split(const std::string& name) {
  std::vector<std::string_view> parts;
  for (std::string_view rest = name;;) {
    const auto slash = rest.find('/');
    parts.push_back(rest.substr(0, slash));
    if (slash == std::string_view::npos) break;
    rest.remove_prefix(slash + 1);
  }
  Name n;
  n.quantity = parts.back();
  n.benchmark = name.substr(0, name.size() - std::min(name.size(), n.quantity.size() + 1));
  if (parts.size() > 1) n.family = parts[0];
  const std::size_t kernel = kernel_parts(parts);
  for (std::size_t i = 1; i + 1 < parts.size(); ++i) {
    join(i <= kernel ? n.kernel : n.work, parts[i], i <= kernel ? '/' : ' ');
  }
  return n;
}

/// What a kernel is compared by: times and plain rates ("pairs_per_s"), not what explains them ("ceiling_pairs_per_s").
bool is_main(std::string_view quantity) {
  return quantity == "ms" || (quantity.ends_with("_per_s") && std::count(quantity.begin(), quantity.end(), '_') == 2);
}

template <class T, class Same>
T& find_or_add(std::vector<T>& list, Same same, T fresh) {
  const auto at = std::find_if(list.begin(), list.end(), same);
  return at != list.end() ? *at : list.emplace_back(std::move(fresh));
}

}  // namespace

std::vector<Workload> side_by_side(std::span<const ResultFile> files) {
  std::vector<Workload> list;
  for (std::size_t f = 0; f < files.size(); ++f) {
    for (const Measured& row : files[f].rows) {
      const Name n = split(row.name);
      if (!is_main(n.quantity)) continue;
      Workload& work = find_or_add(
          list,
          [&](const Workload& w) { return w.family == n.family && w.title == n.work && w.quantity == n.quantity; },
          Workload{n.family, n.work, n.quantity, {}});
      KernelLine& line = find_or_add(
          work.kernels, [&](const KernelLine& k) { return k.kernel == n.kernel; }, KernelLine{n.kernel, {}});
      line.cells.resize(files.size());
      Cell cell{row, {}, {}};
      if (const Measured* m = files[f].find(n.benchmark + "/ceiling_" + n.quantity)) cell.ceiling = m->median;
      if (const Measured* m = files[f].find(n.benchmark + "/of_ceiling")) cell.ratio = m->median;
      line.cells[f] = std::move(cell);
    }
  }
  // A family's works stand together even where a later file brought some of them.
  std::vector<std::string> order;
  for (const Workload& w : list)
    find_or_add(
        order, [&](const std::string& f) { return f == w.family; }, w.family);
  const auto place = [&](const Workload& w) { return std::find(order.begin(), order.end(), w.family); };
  std::stable_sort(list.begin(), list.end(), [&](const Workload& a, const Workload& b) { return place(a) < place(b); });
  return list;
}

std::string unit_of(std::string_view quantity) {
  if (quantity == "hashes_per_s") return "H/s";
  if (quantity.ends_with("_per_s")) {
    std::string text(quantity.substr(0, quantity.size() - 6));
    std::replace(text.begin(), text.end(), '_', ' ');
    return text + "/s";
  }
  if (quantity.find("of_ceiling") != std::string_view::npos || quantity.ends_with("overhead")) return "%";
  if (quantity.starts_with("speedup") || quantity.find("_over_") != std::string_view::npos) return "x";
  return std::string(quantity == "ms" ? "ms" : "");
}

std::string show_quantity(std::string_view quantity, double value) {
  std::string unit = unit_of(quantity);
  const char* prefix = "";
  if (unit == "ms" && std::abs(value) < 0.1) unit = "us", value *= 1e3;
  if (unit == "us" && std::abs(value) < 0.1) unit = "ns", value *= 1e3;
  if (unit == "%") value *= 100;
  if (unit.ends_with("/s")) {
    for (const auto& [size, letter] : {std::pair{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}}) {
      if (std::abs(value) < size) continue;
      value /= size;
      prefix = letter;
      break;
    }
  }
  char text[32];
  std::snprintf(text, sizeof text, std::abs(value) < 1000 ? "%.3g" : "%.0f", value);
  std::string shown = text;
  if (*prefix != 0 || !unit.empty()) shown += std::string(" ") + prefix;
  if (*prefix != 0 && unit != "H/s") shown += ' ';
  return shown + unit;
}

}  // namespace sparkmill::bench

// SPDX-License-Identifier: Apache-2.0
#include "bench/page/figure.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <csignal>
#include <cstdio>

#include "base/file.h"

extern char** environ;

namespace sparkmill::bench {
namespace {

constexpr std::array<std::string_view, 6> kColours = {"#3b82c4", "#d9772b", "#3c9d62", "#b0569b", "#a8901d", "#7a6fd0"};
constexpr int kWidth = 540;
constexpr int kBarHeight = 22, kGap = 12, kRest = 84;  ///< pixels; `kRest` is title, axis and margins

/// Letters, digits and a few signs; anything else, quotes and line ends above all, becomes '?'.
std::string plain(std::string_view text) {
  constexpr std::string_view kSigns = " .,:/@+-_()%";
  std::string out;
  for (const char c : text) {
    const bool harmless = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                          kSigns.find(c) != std::string_view::npos;
    out += harmless ? c : '?';
  }
  return out;
}

std::string number(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

struct Bar {
  std::size_t run;
  const Cell* cell;
  double y;
};

struct Layout {
  std::vector<Bar> bars;
  std::string labels;  ///< 'cpu/avx512' 0.5, ...
  double height = 0;   ///< in bars
};

/// From top to bottom: y grows downwards (the axis is reversed).
Layout lay_out(const Workload& workload) {
  constexpr double kBetween = double{kGap} / kBarHeight;
  Layout l;
  for (const KernelLine& line : workload.kernels) {
    const double top = l.height;
    for (std::size_t run = 0; run < line.cells.size(); ++run) {
      if (!line.cells[run] || !(line.cells[run]->rate.median > 0)) continue;
      l.bars.push_back({run, &*line.cells[run], l.height + 0.5});
      l.height += 1;
    }
    if (l.height == top) continue;
    l.labels += (l.labels.empty() ? "'" : ", '") + plain(line.kernel) + "' " + number((top + l.height) / 2);
    l.height += kBetween;
  }
  return l;
}

struct Axis {
  double low = 0, high = 0;
  bool logarithmic = false;
};

/// Logarithmic where the smallest bar would be a stub. Room for the labels at the right.
Axis axis(const Layout& layout) {
  double least = INFINITY, most = 0;
  for (const Bar& b : layout.bars) {
    least = std::min(least, b.cell->rate.median);
    most = std::max({most, b.cell->rate.median, b.cell->ceiling.value_or(0)});
  }
  if (most / least < 30) return {0, most * 1.7, false};
  const double low = std::pow(10, std::floor(std::log10(least)));
  return {low, most * std::pow(most / low, 0.65), true};
}

std::string bars_of(const Layout& layout, const Axis& x, std::string_view quantity) {
  std::string text = "$bars << END\n";
  for (const Bar& b : layout.bars) {
    const double value = b.cell->rate.median, off = value * std::min(b.cell->rate.spread, 0.99);
    std::string label = show_quantity(quantity, value);
    if (b.cell->ratio) label += ", " + show_quantity("of_ceiling", *b.cell->ratio);
    const double at = std::max(value, b.cell->ceiling.value_or(0));
    const std::string colour(kColours[b.run % kColours.size()].substr(1));
    text += number(value) + " " + number(b.y) + " " + number(x.low) + " " + number(std::max(value - off, x.low)) + " " +
            number(2 * off) + " " + number(at) + " 0x" + colour + " \"" + plain(label) + "\"\n";
  }
  return text + "END\n";
}

std::string ceilings_of(const Layout& layout) {
  std::string text;
  for (const Bar& b : layout.bars) {
    if (b.cell->ceiling) text += number(*b.cell->ceiling) + " " + number(b.y - 0.4) + " 0 0.8\n";
  }
  return text.empty() ? text : "$ceilings << END\n" + text + "END\n";
}

/// Both ends of a pipe that programs started later do not inherit.
struct Pipe {
  int read = -1, write = -1;
  bool open() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return false;
    read = ends[0], write = ends[1];
    return true;
  }
  void close_read() { shut(read); }
  void close_write() { shut(write); }
  ~Pipe() { close_read(), close_write(); }

 private:
  static void shut(int& end) {
    if (end >= 0) ::close(end);
    end = -1;
  }
};

/// What can be read now; closes the end when there is no more.
void drain(Pipe& pipe, std::string& into) {
  char buffer[8192];
  const ssize_t n = ::read(pipe.read, buffer, sizeof buffer);
  if (n > 0) {
    into.append(buffer, static_cast<std::size_t>(n));
  } else if (n == 0 || errno != EINTR) {
    pipe.close_read();
  }
}

/// Both outputs at once, so that neither fills up while the other is waited for.
void read_both(Pipe& out, std::string& text, Pipe& err, std::string& said) {
  while (out.read >= 0 || err.read >= 0) {
    pollfd ends[2] = {{out.read, POLLIN, 0}, {err.read, POLLIN, 0}};
    if (poll(ends, 2, -1) < 0 && errno != EINTR) return;
    if (ends[0].revents != 0) drain(out, text);
    if (ends[1].revents != 0) drain(err, said);
  }
}

}  // namespace

std::string_view colour_of(std::size_t run) { return kColours[run % kColours.size()]; }

bool has_figure(const Workload& workload) { return lay_out(workload).bars.size() > 1; }

std::string figure_script(const Workload& workload) {
  const Layout layout = lay_out(workload);
  const Axis x = axis(layout);
  const int height = kRest + static_cast<int>(layout.height * kBarHeight);
  const std::string ceilings = ceilings_of(layout);
  std::string text = "set terminal svg noenhanced size " + std::to_string(kWidth) + "," + std::to_string(height) +
                     " font 'sans-serif,13'\n";
  text += bars_of(layout, x, workload.quantity) + ceilings;
  text += "set title '" + plain(workload.family + " " + workload.title) + "'\n";
  text += "set xlabel '" + plain(unit_of(workload.quantity)) + (x.logarithmic ? ", logarithmic" : "") + "'\n";
  if (x.logarithmic) text += "set logscale x\n";
  text +=
      "set xrange [" + number(x.low) + ":" + number(x.high) + "]\nset yrange [" + number(layout.height) + ":-0.2]\n";
  text += "set ytics scale 0 (" + layout.labels + ")\nset xtics nomirror\nset border 1\nset grid xtics\n";
  text += std::string("set format x ") + (workload.quantity == "ms" ? "'%g'" : "'%.0s%c'") + "\n";
  text += "set style fill solid noborder\nunset key\n";
  text +=
      "plot $bars using 1:2:3:1:($2-0.42):($2+0.42):7 with boxxyerror lc rgb variable, "
      "$bars using 4:2:5:(0) with vectors nohead lc 'black' lw 1.5, ";
  if (!ceilings.empty()) text += "$ceilings using 1:2:3:4 with vectors nohead lc 'black' lw 2, ";
  return text + "$bars using 6:2:8 with labels left offset 0.6,0\n";
}

Result<std::string> draw(const std::string& script) {
  // The program goes in as a file: a pipe could break under us with a signal.
  FILE* program = std::tmpfile();
  if (program == nullptr) return errno_error(errno, "a temporary file for gnuplot");
  Pipe out, err;
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  pid_t child = -1;
  int problem = EIO;
  if (std::fwrite(script.data(), 1, script.size(), program) == script.size() && std::fflush(program) == 0 &&
      lseek(fileno(program), 0, SEEK_SET) == 0 && out.open() && err.open()) {
    posix_spawn_file_actions_adddup2(&files, fileno(program), 0);
    posix_spawn_file_actions_adddup2(&files, out.write, 1);
    posix_spawn_file_actions_adddup2(&files, err.write, 2);
    char name[] = "gnuplot", quiet[] = "-d", from_input[] = "-";  // -d: no start-up files of the user
    char* const argv[] = {name, quiet, from_input, nullptr};
    problem = posix_spawnp(&child, name, &files, nullptr, argv, environ);
  }
  posix_spawn_file_actions_destroy(&files);
  std::fclose(program);
  if (problem == ENOENT) {
    return fail(Status::not_found, "gnuplot is not installed", "install the Debian package gnuplot-nox");
  }
  if (problem != 0) return errno_error(problem, "starting gnuplot");
  out.close_write(), err.close_write();
  std::string svg, said;
  read_both(out, svg, err, said);
  int state = 0;
  while (waitpid(child, &state, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(state) || WEXITSTATUS(state) != 0 || svg.find("</svg>") == std::string::npos) {
    return fail(Status::internal, "gnuplot drew no figure: " + said);
  }
  return svg;
}

}  // namespace sparkmill::bench

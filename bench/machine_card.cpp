// SPDX-License-Identifier: Apache-2.0
#include "bench/machine_card.h"

#include <cstdlib>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "bench/commit.h"
#include "bench/measure.h"
#include "kernels/backend/cpu.h"
#include "kernels/registry.h"

namespace sparkmill::bench {
namespace {

using nlohmann::json;

/// First line of a small file of /sys or /proc; null when it is not there.
json first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return nullptr;
  return line;
}

/// Value of the first "key : value" line of /proc/cpuinfo.
json cpuinfo(const std::string& key) {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const auto colon = line.find(':');
    if (colon == std::string::npos || line.substr(0, line.find_last_not_of(" \t:", colon) + 1) != key) continue;
    return colon + 2 <= line.size() ? line.substr(colon + 2) : std::string();
  }
  return nullptr;
}

/// "L1 Data 48K", "L2 Unified 1024K" ... of one core.
json caches(unsigned core) {
  json list = json::array();
  for (int index = 0; index < 8; ++index) {
    const std::string folder =
        "/sys/devices/system/cpu/cpu" + std::to_string(core) + "/cache/index" + std::to_string(index) + "/";
    const json level = first_line(folder + "level"), type = first_line(folder + "type"),
               size = first_line(folder + "size");
    if (level.is_null() || type.is_null() || size.is_null()) break;
    list.push_back("L" + level.get<std::string>() + " " + type.get<std::string>() + " " + size.get<std::string>());
  }
  return list;
}

json load_average() {
  double load[3];
  if (getloadavg(load, 3) != 3) return nullptr;
  return {load[0], load[1], load[2]};
}

json devices() {
  json list = json::array();
  for (const kernels::Device& d : kernels::discover_devices()) {
    list.push_back({{"id", d.id}, {"name", d.name}, {"driver", d.driver}, {"memory_bytes", d.memory_bytes}});
  }
  return list;
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

}  // namespace

nlohmann::json machine_card(unsigned pinned_core) {
  const kernels::Device cpu = kernels::discover_devices().front();
  const std::string governor =
      "/sys/devices/system/cpu/cpu" + std::to_string(pinned_core) + "/cpufreq/scaling_governor";
  const json flags = cpuinfo("flags");
  return {
    {"cpu", cpu.name}, {"cpu_family", cpuinfo("cpu family")}, {"cpu_model", cpuinfo("model")},
        {"isa", kernels::isa_names()},
        {"virtual",
         flags.is_string() ? json(flags.get<std::string>().find("hypervisor") != std::string::npos) : json()},
        {"cores", cpu.lanes}, {"pinned_core", pinned_core}, {"caches", caches(pinned_core)},
        {"memory_bytes", cpu.memory_bytes}, {"kernel", cpu.driver}, {"governor", first_line(governor)},
        {"load_average", load_average()},
#if defined(__clang__)
        {"compiler", "clang " __clang_version__},
#else
        {"compiler", "g++ " __VERSION__},
#endif
        {"commit", kCommit}, {"time", utc_now()}, {"devices", devices()},
  };
}

}  // namespace sparkmill::bench

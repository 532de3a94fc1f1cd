// SPDX-License-Identifier: Apache-2.0
// Finds and opens libsparkmill_torch.so.
#include "kernels/backend/torch.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <vector>

namespace sparkmill::kernels {

namespace {

constexpr const char* kFile = "libsparkmill_torch.so";

std::vector<std::filesystem::path> candidates() {
  std::vector<std::filesystem::path> all;
  if (const char* folders = std::getenv("SPARKMILL_PLUGINS"); folders != nullptr) {
    const std::string text = folders;
    for (std::size_t at = 0; at <= text.size();) {
      const std::size_t end = std::min(text.find(':', at), text.size());
      if (end > at) all.push_back(std::filesystem::path(text.substr(at, end - at)) / kFile);
      at = end + 1;
    }
  }
  std::error_code ec;
  if (const auto self = std::filesystem::read_symlink("/proc/self/exe", ec); !ec) {
    all.push_back(self.parent_path() / kFile);
    all.push_back(self.parent_path().parent_path() / "lib" / kFile);
  }
  all.emplace_back(SPARKMILL_TORCH_BUILT);
  return all;
}

struct Loaded {
  const SparkmillTorchApi* api = nullptr;
  std::string why;
};

Loaded load() {
  for (const std::filesystem::path& path : candidates()) {
    std::error_code ec;
    if (!std::filesystem::is_regular_file(path, ec)) continue;
    void* lib = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (lib == nullptr) return {nullptr, fmt::format("the torch plug-in does not load: {}", dlerror())};
    const auto get = reinterpret_cast<decltype(&sparkmill_torch_api)>(dlsym(lib, "sparkmill_torch_api"));
    if (get == nullptr) return {nullptr, fmt::format("{} is not a torch plug-in of this program", path.string())};
    const SparkmillTorchApi* api = get();
    if (api->abi != kSparkmillTorchAbi)
      return {nullptr,
              fmt::format("{} has interface {}, this program needs {}", path.string(), api->abi, kSparkmillTorchAbi)};
    return {api, api->version};
  }
  return {nullptr,
          fmt::format("the torch plug-in {} is not installed (looked in $SPARKMILL_PLUGINS, beside the program "
                      "and in ../lib)",
                      kFile)};
}

}  // namespace

const SparkmillTorchApi* torch_plugin(std::string& why) {
  static const Loaded loaded = load();
  why = loaded.why;
  return loaded.api;
}

}  // namespace sparkmill::kernels

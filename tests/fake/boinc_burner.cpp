// SPDX-License-Identifier: Apache-2.0
// A BOINC application that does nothing but use one core for so many seconds of CPU time: the neighbour of the tests.
#include <boinc/boinc_api.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>

namespace {

double cpu_seconds() {
  timespec t{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

}  // namespace

int main(int argc, char** argv) {
  boinc_init();
  const double wanted = argc > 1 ? std::atof(argv[1]) : 10;
  std::uint64_t x = 88172645463325252ull;
  double used = 0;
  while ((used = cpu_seconds()) < wanted) {
    for (int i = 0; i < 10'000'000; ++i) x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    boinc_fraction_done(used / wanted);
  }
  char path[4096] = "out";
  boinc_resolve_filename("out", path, sizeof path);
  std::FILE* out = std::fopen(path, "w");
  if (out == nullptr) boinc_finish(1);
  std::fprintf(out, "%llu\n", static_cast<unsigned long long>(x));
  std::fclose(out);
  boinc_finish(0);
}

// SPDX-License-Identifier: Apache-2.0
// Feature files of any content: what is read is finite and rectangular.
#include <cmath>
#include <cstdlib>

#include "verify/template/population.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sparkmill;
  const auto f = templates::read_features({data, size}, "input");
  if (!f) {
    if (f.error().message.find("input: ") != 0) std::abort();
    return 0;
  }
  if (f->dimension == 0 || f->count() == 0 || f->values.size() != std::size_t{f->count()} * f->dimension ||
      f->labels.size() != f->count()) {
    std::abort();
  }
  for (const float v : f->values) {
    if (!std::isfinite(v)) std::abort();
  }
  return 0;
}

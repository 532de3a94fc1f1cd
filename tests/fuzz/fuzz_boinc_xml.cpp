// SPDX-License-Identifier: Apache-2.0
// Any text: elements lie inside it, in order, and hold what they say; what is escaped comes back.
#include <cstdlib>

#include "boinc/xml/scan.h"
#include "boinc/xml/write.h"

namespace {

using namespace sparkmill::boinc::xml;

void demand(bool holds) {
  if (!holds) std::abort();
}

bool inside(std::string_view part, std::string_view whole) {
  return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void walk(std::string_view text, unsigned depth) {
  const char* last = text.data();
  Scanner scanner(text);
  for (Element e; scanner.next(e);) {
    demand(!e.name.empty() && inside(e.outer, text) && inside(e.inner, e.outer) && inside(e.name, e.outer));
    demand(e.outer.data() >= last);
    last = e.outer.data() + e.outer.size();
    demand(e.closed || e.inner.empty());
    demand(inside(raw(e), e.inner));
    demand(::sparkmill::boinc::xml::text(e, 100).size() <= 100);
    (void)flag(e);
    const auto whole = integer(e);
    if (whole) demand(real(e).has_value());
    if (depth < 8) walk(e.inner, depth + 1);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  walk(text, 0);
  demand(unescape(text).size() <= text.size());
  const std::string escaped = escape(text);
  demand(escaped.find_first_of("<>\"'\n") == std::string::npos);
  demand(escape(unescape(escaped)) == escaped);
  return 0;
}

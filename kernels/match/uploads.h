// SPDX-License-Identifier: Apache-2.0
// Which uploaded populations the rows on devices keep.
#pragma once

#include <cstdint>

namespace sparkmill::match {

/// Frees the uploads that were not used for longest until `bytes` more fit under `limit`; those used since `now` (the
/// run at hand) stay. `Uploads`: a container of things with `last_use` and `rows.bytes()`.
template <class Uploads>
void make_room(Uploads& uploads, std::uint64_t bytes, std::uint64_t limit, std::uint64_t now) {
  std::uint64_t held = bytes;
  for (const auto& u : uploads) held += u.rows.bytes();
  while (held > limit) {
    auto oldest = uploads.end();
    for (auto u = uploads.begin(); u != uploads.end(); ++u)
      if (u->last_use < now && (oldest == uploads.end() || u->last_use < oldest->last_use)) oldest = u;
    if (oldest == uploads.end()) return;  // what is left is in use by this run
    held -= oldest->rows.bytes();
    uploads.erase(oldest);
  }
}

}  // namespace sparkmill::match

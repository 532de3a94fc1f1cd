// SPDX-License-Identifier: Apache-2.0
// What clients send to a project: scheduler requests and uploads. Whatever is taken keeps the limits that the books and
// the file system rely on. The first byte picks the reader.
#include <cmath>
#include <cstdlib>

#include "boinc/project/manifest.h"
#include "boinc/project/messages.h"
#include "boinc/project/signing.h"

namespace {

using namespace sparkmill;
using namespace sparkmill::boinc::project;

void demand(bool holds) {
  if (!holds) std::abort();
}

void request(std::string_view body) {
  const auto r = read_request(body);
  if (!r) return demand(!r.error().message.empty());
  demand(!r->authenticator.empty());
  demand(!r->wants.empty() && r->wants.size() <= 16);
  for (const Want& w : r->wants) {
    demand(std::isfinite(w.seconds) && w.seconds >= 0);
    demand(std::isfinite(w.instances) && w.instances >= 0);
  }
  demand(r->cpus >= 1);
  demand(std::isfinite(r->memory_bytes) && std::isfinite(r->disk_bytes) && r->disk_bytes >= 0);
  demand(r->reported.size() <= kMaxReported && r->others.size() <= kMaxReported);
  for (const Reported& x : r->reported) {
    demand(x.name.size() <= kMaxName && x.stderr_out.size() <= kMaxStderr);
    demand(std::isfinite(x.cpu_s * 1e3) && x.cpu_s * 1e3 < 9e18);
  }
}

void upload(std::string_view body) {
  const auto r = read_upload(body);
  if (!r) return demand(!r.error().message.empty());
  demand(legal_name(r->name));
  if (r->ask_size) return;
  demand(r->offset <= r->nbytes);
  demand(r->data.size() == r->nbytes - r->offset);
  demand(r->data.data() >= body.data() && r->data.data() + r->data.size() <= body.data() + body.size());
  static const std::string key = SigningKey::generate().public_text();
  demand(!signature_holds(key, upload_text(r->name, r->max_nbytes), r->signature));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0:
    case 1: request(body); break;
    case 2: upload(body); break;
    default: {
      const auto manifest = parse_manifest(body, "/");
      if (!manifest) demand(!manifest.error().message.empty());
    }
  }
  return 0;
}

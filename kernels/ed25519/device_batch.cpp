// SPDX-License-Identifier: Apache-2.0
// Host side of the rows on devices.
#include "kernels/ed25519/device_batch.h"

#include <cstring>

#include "kernels/ed25519/reference.h"

namespace sparkmill::ed25519 {
namespace {

sm_fe words(const reference::Number<32>& bytes) {
  sm_fe r;
  std::memcpy(r.v, bytes.data(), sizeof r.v);
  return r;
}

}  // namespace

std::vector<sm_u32> device_base_table() {
  sm_point base;
  base.x = words(reference::Curve25519::base_x().to_bytes());
  base.y = words(reference::Curve25519::base_y().to_bytes());
  base.z = sm_fe_small(1);
  base.t = sm_fe_mul(base.x, base.y);
  const sm_cached one = sm_point_cached(base);
  std::vector<sm_u32> table;
  sm_point p = sm_point_identity();
  for (unsigned k = 0; k < SM_ED_BASE_ENTRIES; ++k, p = sm_point_add(p, one)) {
    const sm_fe inverse = sm_fe_inverse(p.z), x = sm_fe_mul(p.x, inverse), y = sm_fe_mul(p.y, inverse);
    for (const sm_fe& e : {sm_fe_add(y, x), sm_fe_sub(y, x), sm_fe_mul(sm_fe_mul(x, y), sm_fe_2d())})
      table.insert(table.end(), std::begin(e.v), std::end(e.v));
  }
  return table;
}

}  // namespace sparkmill::ed25519

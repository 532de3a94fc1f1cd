// SPDX-License-Identifier: Apache-2.0
// Host side of the rows on devices: the table of multiples of G, by the devices' own arithmetic.
#include "kernels/secp256k1/device_batch.h"

#include <algorithm>

namespace sparkmill::secp256k1 {
namespace {

/// 1 .. 512 times q, affine, one inversion for all.
void append_multiples(sm_k1_affine q, std::vector<sm_u32>& table) {
  std::vector<sm_k1_point> points;
  std::vector<sm_k1_num> products{sm_k1_small(1)};
  sm_k1_point p{q.x, q.y, sm_k1_small(1)};
  for (int k = 0; k < SM_K1_BASE_ENTRIES; ++k) {
    points.push_back(p);
    products.push_back(sm_k1_mul(products.back(), p.z));
    sm_k1_num ratio, difference;
    p = k == 0 ? sm_k1_double(p) : sm_k1_add_affine(p, q, p.z, &ratio, &difference);
  }
  sm_k1_num inverse = sm_k1_power(products.back(), 1);
  std::vector<sm_u32> words(16 * SM_K1_BASE_ENTRIES);
  for (std::size_t k = SM_K1_BASE_ENTRIES; k-- != 0;) {
    const sm_k1_num own = sm_k1_mul(inverse, products[k]), square = sm_k1_sqr(own);
    inverse = sm_k1_mul(inverse, points[k].z);
    const sm_k1_num x = sm_k1_frozen(sm_k1_mul(points[k].x, square));
    const sm_k1_num y = sm_k1_frozen(sm_k1_mul(points[k].y, sm_k1_mul(square, own)));
    std::copy(std::begin(x.v), std::end(x.v), words.begin() + static_cast<std::ptrdiff_t>(16 * k));
    std::copy(std::begin(y.v), std::end(y.v), words.begin() + static_cast<std::ptrdiff_t>(16 * k + 8));
  }
  table.insert(table.end(), words.begin(), words.end());
}

}  // namespace

std::vector<sm_u32> device_base_table() {
  const sm_k1_affine g{sm_k1_words(0x16f81798u, 0x59f2815bu, 0x2dce28d9u, 0x029bfcdbu, 0xce870b07u, 0x55a06295u,
                                   0xf9dcbbacu, 0x79be667eu),
                       sm_k1_words(0xfb10d4b8u, 0x9c47d08fu, 0xa6855419u, 0xfd17b448u, 0x0e1108a8u, 0x5da4fbfcu,
                                   0x26a3c465u, 0x483ada77u)};
  std::vector<sm_u32> table;
  append_multiples(g, table);
  sm_k1_point p{g.x, g.y, sm_k1_small(1)};
  for (int k = 0; k < 128; ++k) p = sm_k1_double(p);
  const sm_k1_num inverse = sm_k1_power(p.z, 1), square = sm_k1_sqr(inverse);
  append_multiples({sm_k1_mul(p.x, square), sm_k1_mul(p.y, sm_k1_mul(square, inverse))}, table);
  return table;
}

}  // namespace sparkmill::secp256k1

// SPDX-License-Identifier: Apache-2.0
// Matrix products on AMX tiles: 32 x 64 sums of a step by 2 x 2 tiles at a time. The eight tiles come from outside, so
// that a test can run this order of loads and products on tiles made of plain memory.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sparkmill::tensority::cpu {

inline constexpr std::size_t kTileRows = 16;
inline constexpr std::size_t kTileBytes = 64;  // of a row
inline constexpr std::size_t kAmxRows = 2 * kTileRows;

/// sums[32][64] = start (for each row) + a (unsigned) times b (signed). `a` is 32 rows of 256 bytes, `panel` is
/// [64 groups of four products][64 columns][4]. Tiles has load<tile>(address, stride in bytes),
/// store<tile>(address, stride) and multiply<sums, unsigned, signed>().
template <class Tiles>
inline __attribute__((always_inline)) void amx_products(Tiles& tiles, const std::uint8_t* a, const std::uint8_t* panel,
                                                        const std::int32_t* start, std::int32_t* sums) {
  constexpr std::size_t kStride = 256;  // bytes between rows of a, between groups of the panel and between rows of sums
  for (std::size_t half = 0; half < 2; ++half, panel += 2 * kTileBytes, start += 32, sums += 32) {
    tiles.template load<0>(start, 0);  // stride 0: the same 16 starts in each row
    tiles.template load<1>(start + 16, 0);
    tiles.template load<2>(start, 0);
    tiles.template load<3>(start + 16, 0);
    for (std::size_t k = 0; k < 4; ++k) {
      const std::uint8_t* b = panel + k * kTileRows * kStride;
      tiles.template load<4>(a + k * kTileBytes, kStride);
      tiles.template load<6>(b, kStride);
      tiles.template multiply<0, 4, 6>();
      tiles.template load<7>(b + kTileBytes, kStride);
      tiles.template multiply<1, 4, 7>();
      tiles.template load<5>(a + kTileRows * kStride + k * kTileBytes, kStride);
      tiles.template multiply<2, 5, 6>();
      tiles.template multiply<3, 5, 7>();
    }
    tiles.template store<0>(sums, kStride);
    tiles.template store<1>(sums + 16, kStride);
    tiles.template store<2>(sums + kTileRows * 64, kStride);
    tiles.template store<3>(sums + kTileRows * 64 + 16, kStride);
  }
}

}  // namespace sparkmill::tensority::cpu

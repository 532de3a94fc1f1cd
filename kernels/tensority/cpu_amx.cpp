// SPDX-License-Identifier: Apache-2.0
// AMX-int8: the AVX-512 row with its products done by tiles, 16 x 16 sums of 64 products an instruction (tdpbusd).
#include "kernels/tensority/amx_tiles.h"
#include "kernels/tensority/cpu_avx512_impl.h"

namespace sparkmill::tensority::cpu {
namespace {

/// The eight tile registers, 16 rows of 64 bytes each, from construction to destruction. By hand: the intrinsics of
/// g++ and clang want the number of a tile in different forms.
class Tiles {
 public:
  Tiles() {
    alignas(64) static constexpr Shape kShape = [] {
      Shape s{};
      s.palette = 1;
      for (int t = 0; t < 8; ++t) s.row_bytes[t] = kTileBytes, s.rows[t] = kTileRows;
      return s;
    }();
    __asm__ volatile("ldtilecfg %0" : : "m"(kShape));
  }
  ~Tiles() { __asm__ volatile("tilerelease"); }
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;

  template <int kTile>
  SPARKMILL_INLINE void load(const void* from, std::size_t stride) {
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(from), "r"(stride), "i"(kTile) : "memory");
  }
  template <int kTile>
  SPARKMILL_INLINE void store(void* to, std::size_t stride) {
    __asm__ volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(to), "r"(stride), "i"(kTile) : "memory");
  }
  template <int kSums, int kUnsigned, int kSigned>
  SPARKMILL_INLINE void multiply() {
    __asm__ volatile("tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSums), "i"(kUnsigned), "i"(kSigned));
  }

 private:
  struct Shape {
    std::uint8_t palette, start_row, reserved[14];
    std::uint16_t row_bytes[16];
    std::uint8_t rows[16];
  };
  static_assert(sizeof(Shape) == 64);
};

void step(const std::uint8_t* packed, const std::uint8_t* next, const std::uint8_t* from, std::uint8_t* to) {
  Tiles tiles;
  const auto* start = reinterpret_cast<const std::int32_t*>(packed + kSide * kSide);
  for (std::size_t p = 0; p < kPanels; ++p, start += kPanelColumns, to += kPanelColumns) {
    const std::uint8_t* panel = packed + p * kPanelBytes;
    const std::uint8_t* ahead = p + 1 < kPanels ? panel + kPanelBytes : next;
    for (std::size_t row = 0; row < kSide; row += kAmxRows) {
      alignas(64) std::int32_t sums[kAmxRows][kPanelColumns];
      for (std::size_t r = 0; r < kAmxRows; ++r) __builtin_prefetch(ahead + (row + r) * kLine);
      amx_products(tiles, from + row * kSide, panel, start, sums[0]);
      for (std::size_t r = 0; r < kAmxRows; ++r) {
        const V v[4] = {_mm512_load_si512(sums[r]), _mm512_load_si512(sums[r] + 16), _mm512_load_si512(sums[r] + 32),
                        _mm512_load_si512(sums[r] + 48)};
        _mm512_store_si512(to + (row + r) * kSide, fold(v));
      }
    }
  }
}

constexpr Ops kOps = {"amx", kPackedBytes, pack, first, step, add};

}  // namespace

const Ops& amx_ops() { return kOps; }

}  // namespace sparkmill::tensority::cpu

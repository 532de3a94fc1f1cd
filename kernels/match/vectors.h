// SPDX-License-Identifier: Apache-2.0
// Known answers of the family `match`. Written by tests/oracle/match_oracle.py, which a test runs again;
// do not edit.
// clang-format off
#pragma once

#include "kernels/match/known.h"

namespace sparkmill::match {

inline constexpr KnownField kFields1[] = {{512, true}};
inline constexpr std::uint8_t kCode1[] = {
    0x00, 0x00, 0x00, 0x00, 0x40, 0x00, 0x00, 0x00,};
inline constexpr std::uint64_t kDigests1[] = {
    0xe271b4e0ff687e80,};
inline constexpr std::uint32_t kCounts1[] = {12};
inline constexpr Pair kPairs1[] = {
    {0, 5}, {1, 12}, {2, 19}, {3, 26}, {4, 33}, {5, 40}, {6, 47}, {7, 54}, {16, 54}, {24, 42},
    {27, 53}, {34, 3},};

inline constexpr KnownField kFields2[] = {{2048, false}};
inline constexpr std::uint8_t kCode2[] = {
    0x00, 0x00, 0x00, 0x00, 0x5a, 0x00, 0x00, 0x00,};
inline constexpr std::uint64_t kDigests2[] = {
    0xe22d60c5b8948c2c,};
inline constexpr std::uint32_t kCounts2[] = {16};
inline constexpr Pair kPairs2[] = {
    {0, 5}, {1, 12}, {2, 2}, {2, 19}, {3, 16}, {3, 26}, {4, 33}, {5, 40}, {6, 8}, {6, 51},
    {7, 26}, {8, 28}, {11, 25}, {13, 44}, {21, 27}, {22, 15},};

inline constexpr KnownField kFields3[] = {{832, false}};
inline constexpr std::uint8_t kCode3[] = {
    0x01, 0x00, 0x02, 0x07, 0x00, 0x00, 0x00, 0x00,};
inline constexpr std::uint64_t kDigests3[] = {
    0x999a9ba76dd60670,};
inline constexpr std::uint32_t kCounts3[] = {3};
inline constexpr Pair kPairs3[] = {
    {0, 5}, {1, 12}, {2, 19},};

inline constexpr KnownField kFields4[] = {{64, false}};
inline constexpr std::uint8_t kCode4[] = {
    0x00, 0x00, 0x00, 0x00, 0x1a, 0x00, 0x00, 0x00,};
inline constexpr std::uint64_t kDigests4[] = {
    0xf53f90a19c3d2bfc, 0xe44b882736c04f45, 0x175813a19a894c7b, 0x957b45a37cc44ad7,};
inline constexpr std::uint32_t kCounts4[] = {38, 2, 0, 0};
inline constexpr Pair kPairs4[] = {
    {0, 5}, {1, 12}, {2, 19}, {3, 26}, {4, 33}, {5, 40}, {6, 47}, {7, 54}, {8, 61}, {9, 68},
    {10, 75}, {11, 82}, {12, 89}, {13, 96}, {14, 103}, {15, 110}, {16, 117}, {17, 124}, {18, 131}, {19, 138},
    {20, 145}, {21, 152}, {22, 159}, {23, 166}, {24, 173}, {25, 180}, {26, 187}, {27, 194}, {28, 201}, {29, 208},
    {30, 215}, {31, 222}, {32, 229}, {33, 236}, {34, 243}, {35, 250}, {41, 39}, {176, 186}, {36, 257}, {37, 264},};

inline constexpr KnownField kFields5[] = {{64, true}};
inline constexpr std::uint8_t kCode5[] = {
    0x00, 0x00, 0x00, 0x00, 0x14, 0x00, 0x00, 0x00, 0x07, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00,};
inline constexpr std::uint64_t kDigests5[] = {
    0x5825975f0ed410d2, 0x9f145322c7721e80,};
inline constexpr std::uint32_t kCounts5[] = {8, 1};
inline constexpr Pair kPairs5[] = {
    {256, 259}, {256, 361}, {256, 362}, {256, 474}, {257, 264}, {257, 396}, {258, 260}, {259, 335}, {256, 519},};

inline constexpr KnownField kFields6[] = {{320, false}, {128, true}, {192, false}};
inline constexpr std::uint8_t kCode6[] = {
    0x00, 0x00, 0x00, 0x00, 0x18, 0x00, 0x00, 0x00, 0x01, 0x00, 0x01, 0x00, 0x4f, 0xff, 0xff, 0xff,
    0x05, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x01, 0x00, 0x00, 0x10, 0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x0c, 0x00, 0x00, 0x00,
    0x01, 0x02, 0x01, 0x04, 0xf8, 0xff, 0xff, 0xff, 0x04, 0x00, 0x03, 0x00, 0x02, 0x00, 0x00, 0x00,
    0x06, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,};
inline constexpr std::uint64_t kDigests6[] = {
    0x92ab90f80a6fc639, 0x92ab90f80a6fc639, 0x09ad21adf8de70b0, 0x9d49582bdb567425, 0x9d49582bdb567425,};
inline constexpr std::uint32_t kCounts6[] = {6};
inline constexpr Pair kPairs6[] = {
    {0, 5}, {1, 12}, {2, 19}, {3, 26}, {4, 33}, {5, 40},};

inline constexpr KnownField kFields7[] = {{256, false}, {128, false}};
inline constexpr std::uint8_t kCode7[] = {
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x01, 0x01, 0x03, 0x00, 0x00, 0x00, 0x00,
    0x08, 0x00, 0x02, 0x00, 0x04, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x05, 0x00, 0x00, 0x00,
    0x01, 0x00, 0x00, 0x00, 0xfe, 0xff, 0xff, 0xff,};
inline constexpr std::uint64_t kDigests7[] = {
    0x16aee8c553553d7f, 0x10de0db77ff527a0,};
inline constexpr std::uint32_t kCounts7[] = {89};
inline constexpr Pair kPairs7[] = {
    {0, 0}, {0, 5}, {0, 11}, {0, 38}, {1, 12}, {1, 29}, {1, 36}, {2, 19}, {3, 20}, {3, 26},
    {3, 29}, {3, 30}, {3, 32}, {4, 25}, {4, 33}, {4, 38}, {4, 40}, {5, 25}, {5, 33}, {5, 35},
    {5, 36}, {5, 40}, {6, 0}, {6, 9}, {7, 4}, {7, 32}, {9, 25}, {9, 29}, {9, 35}, {10, 7},
    {10, 10}, {10, 20}, {10, 33}, {11, 10}, {11, 24}, {12, 5}, {13, 21}, {13, 26}, {14, 14}, {15, 9},
    {15, 26}, {15, 27}, {15, 31}, {16, 1}, {16, 12}, {16, 22}, {17, 12}, {17, 14}, {17, 21}, {17, 39},
    {18, 0}, {18, 6}, {18, 9}, {18, 35}, {19, 7}, {19, 11}, {19, 35}, {19, 36}, {20, 0}, {20, 10},
    {20, 12}, {20, 15}, {20, 18}, {20, 32}, {21, 10}, {21, 24}, {21, 26}, {22, 4}, {22, 23}, {23, 32},
    {24, 20}, {24, 30}, {25, 6}, {26, 21}, {26, 26}, {26, 28}, {27, 15}, {27, 18}, {27, 26}, {28, 4},
    {28, 17}, {28, 20}, {28, 33}, {29, 35}, {30, 3}, {30, 7}, {30, 9}, {30, 12}, {30, 37},};

inline constexpr KnownAnswer kKnownAnswers[] = {
    {"plain, ragged edges", 0x11, 37, 61, 8, kFields1, kCode1, {0, 1, 0, 1}, kDigests1, kCounts1, kPairs1},
    {"masked dot", 0x22, 29, 53, 6, kFields2, kCode2, {0, 1, 0, 1}, kDigests2, kCounts2, kPairs2},
    {"fractional, odd word count", 0x33, 19, 23, 3, kFields3, kCode3, {0, 1, 0, 1}, kDigests3, kCounts3, kPairs3},
    {"two by two tiles", 0x44, 259, 273, 38, kFields4, kCode4, {0, 2, 0, 2}, kDigests4, kCounts4, kPairs4},
    {"part of the tiles", 0x55, 260, 530, 12, kFields5, kCode5, {1, 2, 1, 3}, kDigests5, kCounts5, kPairs5},
    {"several leaves and fields", 0x66, 33, 47, 6, kFields6, kCode6, {0, 1, 0, 1}, kDigests6, kCounts6, kPairs6},
    {"weighted sum", 0x77, 31, 41, 5, kFields7, kCode7, {0, 1, 0, 1}, kDigests7, kCounts7, kPairs7},
};

}  // namespace sparkmill::match

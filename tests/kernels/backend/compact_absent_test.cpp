// SPDX-License-Identifier: Apache-2.0
// Stands where compact_test.cpp cannot be built: Thrust comes with the CUDA toolkit.
#include <gtest/gtest.h>

TEST(Compact, OnThrustsCpuSystem) { GTEST_SKIP() << SPARKMILL_TEST_WHY_CUDA; }

# SPDX-License-Identifier: Apache-2.0
# ccache makes rebuilds cheap; it is never required.
find_program(SPARKMILL_CCACHE ccache)
if(SPARKMILL_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${SPARKMILL_CCACHE})
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${SPARKMILL_CCACHE})
endif()

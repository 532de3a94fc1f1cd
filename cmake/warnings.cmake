# SPDX-License-Identifier: Apache-2.0
add_library(sparkmill_options INTERFACE)
target_compile_options(sparkmill_options INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wconversion -Wno-sign-conversion -Wshadow -Wnon-virtual-dtor>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # g++ 12 sees overlaps in std::string concatenation that are not there (GCC bug 105651).
  target_compile_options(sparkmill_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wno-restrict>)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND SPARKMILL_TSAN)
  target_compile_options(sparkmill_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wno-tsan>)  # Boost.Asio's fences
endif()
if(SPARKMILL_WERROR)
  target_compile_options(sparkmill_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Werror>)
endif()
target_include_directories(sparkmill_options INTERFACE ${CMAKE_SOURCE_DIR})

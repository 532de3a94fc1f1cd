# SPDX-License-Identifier: Apache-2.0
add_library(sparkmill_options INTERFACE)
target_compile_options(sparkmill_options INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wconversion -Wno-sign-conversion -Wshadow -Wnon-virtual-dtor>)
if(SPARKMILL_WERROR)
  target_compile_options(sparkmill_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Werror>)
endif()
target_include_directories(sparkmill_options INTERFACE ${CMAKE_SOURCE_DIR})

# SPDX-License-Identifier: Apache-2.0
# Optional parts: each records whether it is in and, if not, why. The reason reaches `sparkmill devices`.
# sparkmill_part(<NAME> <IN|OUT> "<sentence>")
function(sparkmill_part name state why)
  set_property(GLOBAL APPEND PROPERTY SPARKMILL_PARTS "${name}")
  set_property(GLOBAL PROPERTY SPARKMILL_PART_${name}_STATE "${state}")
  set_property(GLOBAL PROPERTY SPARKMILL_PART_${name}_WHY "${why}")
  if(state STREQUAL "OUT" AND SPARKMILL_${name} STREQUAL "ON")
    message(FATAL_ERROR "SPARKMILL_${name}=ON, but ${why}")
  endif()
endfunction()

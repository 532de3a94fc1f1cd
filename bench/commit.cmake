# SPDX-License-Identifier: Apache-2.0
# Writes OUT with the commit that SOURCE stands at; touched only when it changes. Without git: "unknown".
execute_process(COMMAND git -C ${SOURCE} rev-parse --short=12 HEAD OUTPUT_VARIABLE commit
  OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
if(failed)
  set(commit unknown)
else()
  execute_process(COMMAND git -C ${SOURCE} diff --quiet HEAD ERROR_QUIET RESULT_VARIABLE changed)
  if(changed)
    string(APPEND commit "+changes")
  endif()
endif()
set(text "// Written by bench/commit.cmake.\n#pragma once\nnamespace sparkmill::bench {\ninline constexpr const char* kCommit = \"${commit}\";\n}\n")
if(EXISTS ${OUT})
  file(READ ${OUT} old)
endif()
if(NOT "${old}" STREQUAL "${text}")
  file(WRITE ${OUT} "${text}")
endif()

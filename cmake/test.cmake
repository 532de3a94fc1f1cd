# SPDX-License-Identifier: Apache-2.0
# sparkmill_test(<name> LABELS <unit|conformance|fuzz|e2e|gpu> SOURCES <files> LIBS <targets> [TIMEOUT s] [BESIDE])
# BESIDE: an end-to-end test that may share the machine with another test; the others run alone.
# One GoogleTest program, one ctest entry, so that the count of ctest is the count of programs; the cases are in its output.
function(sparkmill_test name)
  cmake_parse_arguments(T "BESIDE" "TIMEOUT" "LABELS;SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${T_SOURCES})
  target_link_libraries(${name} PRIVATE ${T_LIBS} GTest::gmock GTest::gtest_main)
  target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O1>)  # test bodies need no speed, their build does
  target_compile_definitions(${name} PRIVATE SPARKMILL_SOURCE_DIR="${CMAKE_SOURCE_DIR}" SPARKMILL_BINARY_DIR="${CMAKE_BINARY_DIR}")
  add_test(NAME ${name} COMMAND ${name})
  if(T_TIMEOUT)
    set_tests_properties(${name} PROPERTIES COST ${T_TIMEOUT})  # the long ones start first, so that none is left over at the end
  else()
    set(T_TIMEOUT 120)
  endif()
  if(SPARKMILL_CHECKED OR SPARKMILL_TSAN)
    math(EXPR T_TIMEOUT "${T_TIMEOUT} * 5")
  endif()
  set_tests_properties(${name} PROPERTIES LABELS "${T_LABELS}" TIMEOUT ${T_TIMEOUT})
  if("e2e" IN_LIST T_LABELS AND NOT T_BESIDE)
    set_tests_properties(${name} PROPERTIES RUN_SERIAL TRUE)
  endif()
  if(SPARKMILL_CHECKED)
    # clang 14's bookkeeping of dlopened libraries' thread storage goes wrong on glibc 2.36 and crashes its leak scan.
    set_tests_properties(${name} PROPERTIES ENVIRONMENT
      "ASAN_OPTIONS=intercept_tls_get_addr=0;LSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/lsan.supp")
  endif()
endfunction()

# sparkmill_fuzz(<name> SOURCES <files> LIBS <targets>): a libFuzzer target; its seed corpus is tests/fuzz/corpus/<name>.
# With SPARKMILL_FUZZ_SECONDS > 0 it is a ctest entry that runs that long.
set(SPARKMILL_FUZZ_SECONDS 10 CACHE STRING "seconds each fuzz target runs under ctest")
function(sparkmill_fuzz name)
  if(NOT SPARKMILL_FUZZ)
    return()
  endif()
  cmake_parse_arguments(T "" "" "SOURCES;LIBS" ${ARGN})
  add_executable(fuzz_${name} ${T_SOURCES})
  target_link_libraries(fuzz_${name} PRIVATE ${T_LIBS})
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  add_test(NAME fuzz_${name} COMMAND fuzz_${name} -max_total_time=${SPARKMILL_FUZZ_SECONDS} -timeout=10 -rss_limit_mb=2048
    ${CMAKE_CURRENT_BINARY_DIR}/found_${name} ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${name})
  file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/found_${name})
  set_tests_properties(fuzz_${name} PROPERTIES LABELS fuzz TIMEOUT 600)
endfunction()

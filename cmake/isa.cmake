# SPDX-License-Identifier: Apache-2.0
# Per-file instruction sets: common code stays at the baseline, a kernel's cpu_<isa>.cpp gets its own flags.
function(sparkmill_isa isa)
  if(isa STREQUAL "avx2")
    set(flags -mavx2 -mbmi2 -mpopcnt -mfma)
  elseif(isa STREQUAL "avx512")
    set(flags -mavx2 -mbmi2 -mpopcnt -mfma -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512cd -mavx512vpopcntdq -mavx512bitalg -mprefer-vector-width=512)
  elseif(isa STREQUAL "avx512vnni")
    set(flags -mavx2 -mbmi2 -mpopcnt -mfma -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512cd -mavx512vnni -mprefer-vector-width=512)
  else()
    message(FATAL_ERROR "unknown isa ${isa}")
  endif()
  set_source_files_properties(${ARGN} PROPERTIES COMPILE_OPTIONS "${flags}")
endfunction()

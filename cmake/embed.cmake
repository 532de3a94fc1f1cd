# SPDX-License-Identifier: Apache-2.0
# sparkmill_embed(<target> <namespace::symbol> <file>...): adds the files' bytes, one behind the other, to the target as
#   namespace <namespace> { extern const unsigned char <symbol>[]; extern const std::size_t <symbol>_size; }
# through the assembler's .incbin, so large files cost no compile time.
function(sparkmill_embed target symbol)
  set(paths)
  set(bytes)
  foreach(file ${ARGN})
    get_filename_component(path ${file} ABSOLUTE)
    list(APPEND paths ${path})
    string(APPEND bytes ".incbin \"${path}\"\n")
  endforeach()
  set(out ${CMAKE_CURRENT_BINARY_DIR}/embed_${symbol}.S)
  file(CONFIGURE OUTPUT ${out} CONTENT ".section .rodata
.global ${symbol}
.global ${symbol}_end
.balign 64
${symbol}:
${bytes}${symbol}_end:
.byte 0
.section .note.GNU-stack,\"\",@progbits
")
  set_property(SOURCE ${out} TARGET_DIRECTORY ${target} PROPERTY OBJECT_DEPENDS ${paths})
  target_sources(${target} PRIVATE ${out})
endfunction()

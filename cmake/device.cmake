# SPDX-License-Identifier: Apache-2.0
# The CUDA toolkit, and device code compiled by nvcc with g++ as its host compiler whatever compiles the rest.

# sparkmill_find_cuda(<have variable> <why variable>): 1 and where, or 0 and why not.
function(sparkmill_find_cuda have why)
  set(${have} 0 PARENT_SCOPE)
  if(SPARKMILL_CUDA STREQUAL "OFF")
    set(${why} "switched off by SPARKMILL_CUDA=OFF" PARENT_SCOPE)
    return()
  endif()
  find_package(CUDAToolkit 12 QUIET)
  if(NOT CUDAToolkit_FOUND OR NOT CUDAToolkit_NVCC_EXECUTABLE)
    set(${why} "no CUDA toolkit (nvcc 12 or later) was found when it was configured" PARENT_SCOPE)
    return()
  endif()
  if(NOT TARGET CUDA::cudart_static)
    set(${why} "the CUDA toolkit in ${CUDAToolkit_BIN_DIR} has no static runtime (libcudart_static.a)" PARENT_SCOPE)
    return()
  endif()
  find_program(SPARKMILL_CUDA_HOST_COMPILER NAMES g++)
  if(NOT SPARKMILL_CUDA_HOST_COMPILER)
    set(${why} "nvcc was found, but g++, which it needs as host compiler, was not" PARENT_SCOPE)
    return()
  endif()
  set(${have} 1 PARENT_SCOPE)
  set(${why} "toolkit ${CUDAToolkit_VERSION} in ${CUDAToolkit_BIN_DIR}" PARENT_SCOPE)
  set(CUDAToolkit_INCLUDE_DIRS ${CUDAToolkit_INCLUDE_DIRS} PARENT_SCOPE)
  set(CUDAToolkit_NVCC_EXECUTABLE ${CUDAToolkit_NVCC_EXECUTABLE} PARENT_SCOPE)
endfunction()

# sparkmill_cuda_sources(<target> <files>): compiles each file with nvcc and links the object into the target. CMake's
# own CUDA language is not used: it would want the same host compiler for the whole project.
# sm_75 to sm_90a machine code, and PTX of sm_80 for later chips.
set(SPARKMILL_CUDA_ARCHITECTURES "75;80;90a" CACHE STRING "CUDA machine code to build")
function(sparkmill_cuda_sources target)
  set(gencode "")
  foreach(arch ${SPARKMILL_CUDA_ARCHITECTURES})
    list(APPEND gencode -gencode arch=compute_${arch},code=sm_${arch})
  endforeach()
  list(APPEND gencode -gencode arch=compute_80,code=compute_80)
  foreach(file ${ARGN})
    get_filename_component(path ${file} ABSOLUTE)
    # Families have files of one name: the folder belongs to the object's.
    get_filename_component(folder ${path} DIRECTORY)
    get_filename_component(folder ${folder} NAME)
    get_filename_component(name ${file} NAME_WE)
    set(name ${folder}_${name})
    set(object ${CMAKE_CURRENT_BINARY_DIR}/${name}.cu.o)
    add_custom_command(OUTPUT ${object}
      COMMAND ${CMAKE_CUDA_COMPILER_LAUNCHER} ${CUDAToolkit_NVCC_EXECUTABLE} -ccbin ${SPARKMILL_CUDA_HOST_COMPILER}
        -std=c++20 -O3 -Xcompiler -fPIC -Xptxas -warn-spills ${gencode} -I ${CMAKE_SOURCE_DIR}
        -MD -MF ${object}.d -MT ${object} -c ${path} -o ${object}
      DEPENDS ${path} DEPFILE ${object}.d COMMENT "Building CUDA object ${name}.cu.o" VERBATIM)
    set_source_files_properties(${object} TARGET_DIRECTORY ${target} PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)
    add_custom_target(sparkmill_${name}_cu DEPENDS ${object})
    add_dependencies(${target} sparkmill_${name}_cu)
    target_sources(${target} PRIVATE ${object})
  endforeach()
endfunction()

# sparkmill_torch_library(<have variable> <why variable> <files>): the plug-in libsparkmill_torch.so. A function, so that
# whatever libtorch's package sets stays inside; nothing but this library sees its flags.
function(sparkmill_torch_library have why)
  set(${have} 0 PARENT_SCOPE)
  if(SPARKMILL_TORCH STREQUAL "OFF")
    set(${why} "switched off by SPARKMILL_TORCH=OFF" PARENT_SCOPE)
    return()
  endif()
  find_package(Torch QUIET)
  if(NOT Torch_FOUND)
    set(${why} "libtorch was not found when it was configured (Debian package libtorch-dev)" PARENT_SCOPE)
    return()
  endif()
  add_library(sparkmill_torch SHARED ${ARGN})
  target_link_libraries(sparkmill_torch PRIVATE torch)
  target_include_directories(sparkmill_torch PRIVATE ${CMAKE_SOURCE_DIR})
  target_include_directories(sparkmill_torch SYSTEM PRIVATE ${TORCH_INCLUDE_DIRS})
  set_target_properties(sparkmill_torch PROPERTIES CXX_STANDARD 17 CXX_VISIBILITY_PRESET hidden)
  set(${have} 1 PARENT_SCOPE)
  set(${why} "libtorch ${Torch_VERSION} as a plug-in loaded on demand" PARENT_SCOPE)
endfunction()

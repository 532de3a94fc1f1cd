// SPDX-License-Identifier: Apache-2.0
// Macros that let one arithmetic header compile as OpenCL C, CUDA C++ and host C++. In OpenCL C this text is put in
// front of device.h, which then skips its #include.
#ifndef SPARKMILL_DIALECT_H
#define SPARKMILL_DIALECT_H

#if defined(__OPENCL_VERSION__)

typedef uint sm_u32;
typedef ulong sm_u64;
typedef int sm_i32;
typedef long sm_i64;
#define SM_FN static inline
#define SM_GLOBAL __global
#define sm_popc32(x) popcount((uint)(x))
#define sm_popc64(x) ((uint)popcount((ulong)(x)))

#else

#include <stdint.h>
typedef uint32_t sm_u32;
typedef uint64_t sm_u64;
typedef int32_t sm_i32;
typedef int64_t sm_i64;
#define SM_GLOBAL
#if defined(__CUDACC__)
#define SM_FN __host__ __device__ __forceinline__
#define SM_UNROLL _Pragma("unroll")
#define SM_UNROLL_NOT _Pragma("unroll 1")
#else
#define SM_FN inline
#define SM_UNROLL
#define SM_UNROLL_NOT
#endif
#if defined(__CUDA_ARCH__)
#define sm_popc32(x) ((sm_u32)__popc(x))
#define sm_popc64(x) ((sm_u32)__popcll(x))
#else
#define sm_popc32(x) ((sm_u32)__builtin_popcount(x))
#define sm_popc64(x) ((sm_u32)__builtin_popcountll(x))
#endif

#endif
#endif

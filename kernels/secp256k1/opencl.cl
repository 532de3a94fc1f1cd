// SPDX-License-Identifier: Apache-2.0
// OpenCL C 1.2 entry points of `secp256k1`; dialect.h, the texts of `hash` and device*.h stand before this text. An item
// of `challenges` and `points` is a signature; one of `scalars` and `finish` serves every `step`-th.

__kernel void scalars(__global const uchar* restrict signatures, __global const uchar* restrict digests, uint count,
                      uint flags, uint step, __global uint* restrict scratch, __global uchar* restrict valid) {
  const uint i = (uint)get_global_id(0);
  if (i < step) sm_k1_scalars(signatures, digests, count, flags, i, step, scratch, valid);
}

__kernel void challenges(__global const uchar* restrict keys, __global const uchar* restrict signatures,
                         __global const uchar* restrict messages, __global const ulong* restrict offsets, uint count,
                         __global uint* restrict scratch, __global uchar* restrict valid) {
  const uint i = (uint)get_global_id(0);
  if (i < count) sm_k1_challenge(keys, signatures, messages, offsets, count, i, scratch, valid);
}

__kernel void points(__global const uchar* restrict keys, __global const uchar* restrict signatures,
                     __global const uint* restrict base, uint count, uint flags, __global uint* restrict scratch,
                     __global uchar* restrict valid) {
  const uint i = (uint)get_global_id(0);
  if (i < count) sm_k1_points(keys, signatures, base, count, flags, i, scratch, valid);
}

__kernel void finish(__global const uchar* restrict signatures, uint count, uint flags, uint step,
                     __global uint* restrict scratch, __global uchar* restrict valid,
                     __global uchar* restrict recovered, __global uchar* restrict evidence) {
  const uint i = (uint)get_global_id(0);
  if (i < step) sm_k1_finish(signatures, count, flags, i, step, scratch, valid, recovered, evidence);
}

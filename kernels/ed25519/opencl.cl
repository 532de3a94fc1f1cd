// SPDX-License-Identifier: Apache-2.0
// OpenCL C 1.2 entry point of `ed25519`; dialect.h and device*.h stand before this text. An item verifies one signature.

__kernel void verify(__global const uchar* restrict keys, __global const uchar* restrict signatures,
                     __global const uchar* restrict messages, __global const ulong* restrict offsets,
                     __global const uint* restrict base, uint count, uint flags, __global uchar* restrict valid,
                     __global uint* restrict evidence) {
  const uint i = (uint)get_global_id(0);
  if (i >= count) return;
  sm_fe point;
  const ulong from = offsets[i];
  valid[i] = (uchar)sm_ed25519_verify(keys + 32 * (ulong)i, signatures + 64 * (ulong)i, messages + from,
                                      offsets[i + 1] - from, base, flags, &point);
  if ((flags & SM_ED_EVIDENCE) == 0) return;
  for (int k = 0; k < 8; ++k) evidence[8 * (ulong)i + k] = point.v[k];
}

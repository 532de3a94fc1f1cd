// SPDX-License-Identifier: Apache-2.0
// OpenCL C 1.2 entry point of `rsa`; dialect.h and device.h stand before this text. An item verifies one signature.

__kernel void verify(__global const uchar* restrict keys, __global const uchar* restrict signatures,
                     __global const uchar* restrict messages, __global const ulong* restrict offsets, uint count,
                     uint encoding, uint wanted, __global uchar* restrict valid, __global uchar* restrict evidence) {
  const uint i = (uint)get_global_id(0);
  if (i >= count) return;
  const ulong from = offsets[i];
  valid[i] = (uchar)sm_rsa_verify(keys + SM_RSA_BYTES * (ulong)i, signatures + SM_RSA_BYTES * (ulong)i, messages + from,
                                  (uint)(offsets[i + 1] - from), encoding, wanted,
                                  evidence + (wanted != 0 ? SM_RSA_BYTES * (ulong)i : 0));
}

// SPDX-License-Identifier: Apache-2.0
// Behind dialect.h, constants.h and device.h: a message a work-item. SM_ALGORITHM is given when it is compiled.
__kernel void hash_messages(__global const uchar* messages, __global const ulong* offsets, const uint count,
                            __global uchar* digests) {
  const size_t i = get_global_id(0);
  if (i >= count) return;
  const ulong size = SM_ALGORITHM == SM_HASH_SHA512 ? 64 : 32;
  sm_hash(SM_ALGORITHM, messages + offsets[i], offsets[i + 1] - offsets[i], digests + size * i);
}

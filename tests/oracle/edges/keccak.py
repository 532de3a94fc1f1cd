# SPDX-License-Identifier: Apache-2.0
"""Keccak-256 (pad 01), which hashlib lacks; sha3_256 of the same permutation is checked against hashlib on import."""
import hashlib

M = 2**64 - 1
RC = []
_lfsr = 1
for _ in range(24):
    rc = 0
    for j in range(7):
        if _lfsr & 1:
            rc |= 1 << (2**j - 1)
        _lfsr = (_lfsr << 1) ^ (0x171 if _lfsr & 0x80 else 0)
    RC.append(rc)
ROT = [[0] * 5 for _ in range(5)]
x, y = 1, 0
for t in range(24):
    ROT[x][y] = (t + 1) * (t + 2) // 2 % 64
    x, y = y, (2 * x + 3 * y) % 5


def rotl(v, n):
    return (v << n | v >> 64 - n) & M if n else v


def permute(a):
    for rc in RC:
        c = [a[i] ^ a[i + 5] ^ a[i + 10] ^ a[i + 15] ^ a[i + 20] for i in range(5)]
        d = [c[i - 1] ^ rotl(c[(i + 1) % 5], 1) for i in range(5)]
        a = [a[i] ^ d[i % 5] for i in range(25)]
        b = [0] * 25
        for i in range(5):
            for j in range(5):
                b[j + 5 * ((2 * i + 3 * j) % 5)] = rotl(a[i + 5 * j], ROT[i][j])
        a = [b[i] ^ (~b[(i + 1) % 5 + i // 5 * 5] & M & b[(i + 2) % 5 + i // 5 * 5]) for i in range(25)]
        a[0] ^= rc
    return a


def sponge(data, pad):
    block = bytearray(data) + bytes([pad]) + bytes(-(len(data) + 1) % 136)
    block[-1] |= 0x80
    a = [0] * 25
    for at in range(0, len(block), 136):
        for i in range(17):
            a[i] ^= int.from_bytes(block[at + 8 * i:at + 8 * i + 8], "little")
        a = permute(a)
    return b"".join(v.to_bytes(8, "little") for v in a[:4])


def keccak256(data):
    return sponge(data, 1)


assert all(sponge(bytes(n), 6) == hashlib.sha3_256(bytes(n)).digest() for n in (0, 135, 136, 137))

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""ECDSA, its recovery and BIP-340 on secp256k1 in plain Python integers, apart from the C++ oracle; writes
kernels/secp256k1/vectors.h.

  secp256k1.py check FILE...    every case of vector files (ecrecover, BIP-340, Wycheproof r || s) against its columns
  secp256k1.py known > FILE     the known answers of the start-up self-test
  secp256k1.py known --check F  whether F has them, layout apart
"""
import hashlib
import json
import os
import sys

P = 2**256 - 2**32 - 977
N = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141
G = (0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798,
     0x483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8)


def add(p, q):
    """Affine points; None is infinity."""
    if p is None or q is None:
        return q if p is None else p
    if p[0] == q[0]:
        if (p[1] + q[1]) % P == 0:
            return None
        m = 3 * p[0] * p[0] * pow(2 * p[1], -1, P) % P
    else:
        m = (q[1] - p[1]) * pow(q[0] - p[0], -1, P) % P
    x = (m * m - p[0] - q[0]) % P
    return x, (m * (p[0] - x) - p[1]) % P


def multiply(n, p):
    r = None
    while n:
        if n & 1:
            r = add(r, p)
        p = add(p, p)
        n >>= 1
    return r


def negate(p):
    return None if p is None else (p[0], -p[1] % P)


def lift(x, odd):
    if x >= P:
        return None
    y = pow(x**3 + 7, (P + 1) // 4, P)
    if y * y % P != (x**3 + 7) % P:
        return None
    return x, y if y % 2 == odd else P - y


def encode(p):
    return bytes(33) if p is None else bytes([2 + p[1] % 2]) + p[0].to_bytes(32, "big")


def number(data):
    return int.from_bytes(data, "big")


def decode(key):
    """64 bytes X || Y or 33 compressed."""
    if len(key) == 33:
        return lift(number(key[1:]), key[0] - 2) if key[0] in (2, 3) else None
    x, y = number(key[:32]), number(key[32:])
    return (x, y) if x < P and y < P and (y * y - x**3 - 7) % P == 0 else None


def answer(equation, test):
    """(valid, evidence, point) of u1, u2, Q."""
    if equation is None:
        return False, bytes(33), None
    u1, u2, q = equation
    point = add(multiply(u1, G), multiply(u2, q))
    return test(point), encode(add(multiply(u1 >> 16, G), multiply(u2 >> 16, q))), point


def ecdsa(key, signature, digest):
    q, r, s = decode(key), number(signature[:32]), number(signature[32:])
    equation = None
    if q is not None and 0 < r < N and 0 < s < N:
        w = pow(s, -1, N)
        equation = number(digest) * w % N, r * w % N, q
    return answer(equation, lambda point: point is not None and point[0] % N == r)


def tagged(tag, data):
    t = hashlib.sha256(tag.encode()).digest()
    return hashlib.sha256(t + t + data).digest()


def bip340(key, signature, message):
    p, r, s = lift(number(key), 1), number(signature[:32]), number(signature[32:])
    equation = None
    if p is not None and r < P and s < N:  # p is the negated key already: its y is odd
        equation = s, number(tagged("BIP0340/challenge", signature[:32] + key + message)) % N, p
    return answer(equation, lambda point: point is not None and point[1] % 2 == 0 and point[0] == r)


def recover(rule, signature, digest):
    r, s, recid = number(signature[:32]), number(signature[32:64]), signature[64]
    equation = None
    if recid < 4 and r % N != 0 and (rule == "unranged" or (0 < r < N and 0 < s < N)):
        point = lift(r + N * (recid >> 1), recid & 1)
        if point is not None:
            w = pow(r, -1, N)
            equation = -number(digest) * w % N, s * w % N, point
    return answer(equation, lambda point: point is not None)


def folder(name):
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "vectors", name)


def keccak256(data):
    """Keccak-256 with the padding of 2011."""
    offsets = [[0, 36, 3, 41, 18], [1, 44, 10, 45, 2], [62, 6, 43, 15, 61], [28, 55, 25, 21, 56], [27, 20, 39, 8, 14]]
    mask = 2**64 - 1
    rotate = lambda v, n: (v << n | v >> (64 - n)) & mask
    state = [[0] * 5 for _ in range(5)]
    data = bytearray(data) + bytes([1]) + bytes(135 - len(data) % 136)
    data[-1] |= 0x80
    for block in range(0, len(data), 136):
        for k in range(17):
            state[k % 5][k // 5] ^= int.from_bytes(data[block + 8 * k:block + 8 * k + 8], "little")
        lfsr = 1
        for _ in range(24):
            c = [s[0] ^ s[1] ^ s[2] ^ s[3] ^ s[4] for s in state]
            for x in range(5):
                d = c[x - 1] ^ rotate(c[(x + 1) % 5], 1)
                state[x] = [v ^ d for v in state[x]]
            moved = [[0] * 5 for _ in range(5)]
            for x in range(5):
                for y in range(5):
                    moved[y][(2 * x + 3 * y) % 5] = rotate(state[x][y], offsets[x][y])
            for x in range(5):
                for y in range(5):
                    state[x][y] = moved[x][y] ^ (~moved[(x + 1) % 5][y] & moved[(x + 2) % 5][y])
            for j in range(7):
                if lfsr & 1:
                    state[0][0] ^= 1 << (2**j - 1)
                lfsr = lfsr << 1 ^ (0x171 if lfsr >> 7 else 0)
    return b"".join(state[k][0].to_bytes(8, "little") for k in range(4))


def address(point):
    return keccak256(point[0].to_bytes(32, "big") + point[1].to_bytes(32, "big"))[12:].hex()


def check(paths):
    wrong = 0
    for path in paths:
        done = 0
        for case in json.load(open(path))["cases"]:
            if "public key" in case:
                got = bip340(*(bytes.fromhex(case[k]) for k in ("public key", "signature", "message")))[0]
                same = got == (case["verification result"] == "TRUE")
            elif "precompile_address" in case:
                digest, v = bytes.fromhex(case["hash"]), case["v"]
                signature = bytes.fromhex(case["r"] + case["s"])
                got = recover("in_range", signature + bytes([v - 27]), digest)[2] if v in (27, 28) else None
                same = (None if got is None else address(got)) == case["precompile_address"]
                v = v + 27 if v < 27 else v
                tron = recover("unranged", signature + bytes([(v - 27) % 4]), digest) if 27 <= v <= 34 else None
                if tron is not None and tron[2] is not None:
                    same = same and "41" + address(tron[2]) == case["tron_tx_address"]
            else:
                signature = bytes.fromhex(case["sig"])
                if len(signature) != 64:
                    continue
                digest = hashlib.sha256(bytes.fromhex(case["msg"])).digest()
                same = ecdsa(bytes.fromhex(case["pub_uncompressed"])[1:], signature, digest)[0] == (
                    case["result"] == "valid")
            done += 1
            wrong += not same
        print(f"{os.path.basename(path)}: {done} verdicts")
    print(f"{wrong} differ")
    return 11 if wrong else 0


def from_equation(point, u1, u2):
    """A signature, without a secret key, whose R is `point`: digest, r, s and the key."""
    r = point[0] % N
    q = multiply(pow(u2, -1, N), add(point, negate(multiply(u1, G))))
    s = r * pow(u2, -1, N) % N
    return (u1 * s % N).to_bytes(32, "big"), r.to_bytes(32, "big") + s.to_bytes(32, "big"), q


def known():
    flat = lambda p: p[0].to_bytes(32, "big") + p[1].to_bytes(32, "big")
    some = lambda text: number(hashlib.sha256(text.encode()).digest()) % N
    d = some("secret")
    q = multiply(d, G)
    z = hashlib.sha256(b"message").digest()
    k = multiply(some("nonce"), G)
    r = k[0] % N
    s = (number(z) + r * d) * pow(some("nonce"), -1, N) % N
    pack = lambda *parts: b"".join(n.to_bytes(32, "big") for n in parts)
    high_x = next(p for p in (lift(x, 0) for x in range(N + 1, P)) if p is not None)
    beyond = from_equation(high_x, some("u1"), some("u2"))
    base = from_equation(multiply(some("nonce"), G), 0, some("u2"))  # the digest is 0
    twin = from_equation(multiply(2, G), 1, 1)  # Q = G, u1 = u2: both terms meet
    flipped = pack(r, s ^ 1)
    table = [("ECDSA", "ecdsa", flat(q), pack(r, s), z), ("ECDSA, high s or low", "ecdsa", flat(q), pack(r, N - s), z),
             ("ECDSA, a bit of s flipped", "ecdsa", flat(q), flipped, z),
             ("ECDSA, x(R) = r + N", "ecdsa", flat(beyond[2]), beyond[1], beyond[0]),
             ("ECDSA, digest 0", "ecdsa", flat(base[2]), base[1], base[0]),
             ("ECDSA, key G and u1 = u2", "ecdsa", flat(twin[2]), twin[1], twin[0]),
             ("ECDSA, key off the curve", "ecdsa", flat((q[0], q[1] ^ 1)), pack(r, s), z),
             ("ECDSA, s = N", "ecdsa", flat(q), pack(r, N), z),
             ("ECDSA, compressed key", "ecdsa_compressed", encode(q), pack(r, s), z),
             ("ECDSA, the other y", "ecdsa_compressed", encode(negate(q)), pack(r, s), z)]
    for case in json.load(open(folder("bip340_schnorr.json")))["cases"]:
        if case["index"] in ("1", "5", "6", "7", "16"):
            table.append((f"BIP-340 vector {case['index']}", "bip340",
                          *(bytes.fromhex(case[n]) for n in ("public key", "signature", "message"))))
    v = next(v for v in (0, 1) if recover("in_range", pack(r, s) + bytes([v]), z)[2] == q)
    table += [("recovery", "recover_in_range", b"", pack(r, s) + bytes([v]), z),
              ("recovery, the other y", "recover_in_range", b"", pack(r, s) + bytes([1 - v]), z),
              ("recovery, x(R) = r + N", "recover_in_range", b"", beyond[1] + bytes([2]), beyond[0]),
              ("recovery, s = 0", "recover_in_range", b"", pack(r, 0) + bytes([v]), z),
              ("recovery, s = 0 without ranges", "recover_unranged", b"", pack(r, 0) + bytes([v]), z),
              ("recovery, r above N", "recover_unranged", b"", pack(high_x[0], s) + bytes([1]), z),
              ("recovery of infinity", "recover_unranged", b"", twin[1] + bytes([multiply(2, G)[1] % 2]),
               (number(twin[1][32:]) * 2 % N).to_bytes(32, "big"))]
    lines = ["// SPDX-License-Identifier: Apache-2.0",
             "// Known answers of the family `secp256k1` for the start-up self-test. Written by tests/oracle/secp256k1.py, "
             "which", "// computes them without our code.", "#pragma once", "",
             '#include "kernels/secp256k1/known.h"', "", "namespace sparkmill::secp256k1 {", "",
             "inline constexpr KnownAnswer kKnownAnswers[] = {"]
    for name, kind, key, signature, message in table:
        if kind.startswith("recover"):
            valid, evidence, point = recover(kind[8:], signature, message)
            public = flat(point) if valid else bytes(64)
        else:
            valid, evidence, _ = (bip340 if kind == "bip340" else ecdsa)(key, signature, message)
            public = b""
        texts = ", ".join(f'"{b.hex()}"' for b in (key, signature, message, evidence, public))
        lines.append(f'{{"{name}", Question::{kind}, {"true" if valid else "false"}, {texts}}},')
    return "\n".join(lines + ["};", "", "}  // namespace sparkmill::secp256k1"]) + "\n"


if __name__ == "__main__":
    if sys.argv[1:2] == ["check"]:
        sys.exit(check(sys.argv[2:]))
    if sys.argv[1:2] == ["known"]:
        if sys.argv[2:3] == ["--check"]:
            plain = lambda t: "".join(t.replace("//", "").split()).replace('""', "")
            same = plain(open(sys.argv[3]).read()) == plain(known())
            print("the known answers are", "right" if same else "not what this program computes")
            sys.exit(0 if same else 11)
        sys.stdout.write(known())
        sys.exit(0)
    sys.exit(__doc__)

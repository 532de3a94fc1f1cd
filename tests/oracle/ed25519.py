#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ed25519 under six policies in plain Python integers, apart from the C++ oracle; writes kernels/ed25519/vectors.h.

  ed25519.py check FILE...    every case of vector files against its `expect` columns
  ed25519.py known > FILE     the known answers of the start-up self-test
  ed25519.py known --check F  whether F has them, layout apart
"""
import hashlib
import json
import os
import sys

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT = pow(2, (P - 1) // 4, P)
POLICIES = ["go", "bytom_legacy", "rfc8032_canonical_cofactorless", "rfc8032_canonical_cofactored", "zip215",
            "dalek_strict"]


def recover_x(y, sign):
    """x of the wanted parity, or None; x = 0 has no parity."""
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x2 = u * pow(v, -1, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if x * x % P != x2:
        x = x * ROOT % P
    if x * x % P != x2:
        return None
    return (P - x) % P if x % 2 != sign else x


def add(p, q):
    (x1, y1), (x2, y2) = p, q
    t = D * x1 * x2 * y1 * y2 % P
    return ((x1 * y2 + x2 * y1) * pow(1 + t, -1, P) % P, (y1 * y2 + x1 * x2) * pow(1 - t, -1, P) % P)


def multiply(n, p):
    r = (0, 1)
    while n:
        if n & 1:
            r = add(r, p)
        p = add(p, p)
        n >>= 1
    return r


def encode(p):
    return (p[1] | (p[0] & 1) << 255).to_bytes(32, "little")


def decode(data):
    """(point, canonical) or None."""
    n = int.from_bytes(data, "little")
    y, sign = n & (2**255 - 1), n >> 255
    x = recover_x(y % P, sign)
    if x is None:
        return None
    return (x, y % P), y < P and not (x == 0 and sign)


def negate(p):
    return ((P - p[0]) % P, p[1])


BASE = (recover_x(4 * pow(5, -1, P) % P, 0), 4 * pow(5, -1, P) % P)


def parts(policy, key, message, signature):
    """A and S where the policy takes them, k; or None."""
    s = int.from_bytes(signature[32:], "little")
    a = decode(key)
    in_range = s < 2**253 if policy == "bytom_legacy" else s < L
    if not in_range or a is None or (policy.startswith("rfc8032") and not a[1]):
        return None
    return a[0], s, int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L


def valid(policy, key, message, signature):
    if len(key) != 32 or len(signature) != 64:
        return False
    got = parts(policy, key, message, signature)
    if got is None:
        return False
    a, s, k = got
    point = add(multiply(s, BASE), negate(multiply(k, a)))
    if policy in ("zip215", "rfc8032_canonical_cofactored"):
        r = decode(signature[:32])
        if r is None or (policy != "zip215" and not r[1]):
            return False
        return multiply(8, add(point, negate(r[0]))) == (0, 1)
    if encode(point) != signature[:32]:
        return False
    return policy != "dalek_strict" or (multiply(8, a) != (0, 1) and multiply(8, point) != (0, 1))


def evidence(policy, key, message, signature):
    got = parts(policy, key, message, signature)
    if got is None:
        return bytes(32)
    a, s, k = got
    return encode(add(multiply(s >> 16, BASE), negate(multiply(k >> 16, a))))


def cases(path):
    for case in json.load(open(path))["cases"]:
        message = case["msg_ascii"].encode() if "msg_ascii" in case else bytes.fromhex(case["msg"])
        yield case, bytes.fromhex(case["pk"]), message, bytes.fromhex(case["sig"])


def check(paths):
    wrong = 0
    for path in paths:
        done = 0
        for case, key, message, signature in cases(path):
            for policy in POLICIES:
                want = case["expect"][policy] if "expect" in case else True
                done += 1
                wrong += valid(policy, key, message, signature) != want
        print(f"{os.path.basename(path)}: {done} verdicts")
    print(f"{wrong} differ")
    return 11 if wrong else 0


def known():
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "vectors")
    rfc = {c.get("rfc8032"): (k, m, s) for c, k, m, s in cases(os.path.join(folder, "rfc8032_ed25519.json"))}
    odd = [(k, m, s) for c, k, m, s in cases(os.path.join(folder, "cctv_ed25519.json"))]
    spec = {c["index"]: (k, m, s) for c, k, m, s in cases(os.path.join(folder, "ed25519_speccheck.json"))}
    plain = rfc["7.1 TEST 3"]
    beyond = plain[2][:32] + (int.from_bytes(plain[2][32:], "little") + L).to_bytes(32, "little")
    flipped = bytes([plain[2][0] ^ 1]) + plain[2][1:]
    verdicts = lambda item: [valid(p, *item) for p in POLICIES]
    zip_only = next(i for i in odd if verdicts(i) == [False, False, False, False, True, False])
    lenient = next(i for i in odd if verdicts(i) == [True, True, False, False, True, True] or
                   verdicts(i) == [True, True, False, False, True, False])
    table = [("RFC 8032 test 1, empty message", rfc["7.1 TEST 1"]), ("RFC 8032 test 3", plain),
             ("RFC 8032 test 3, S + L", (plain[0], plain[1], beyond)),
             ("RFC 8032 test 3, a bit of R flipped", (plain[0], plain[1], flipped)),
             ("RFC 8032 SHA(abc)", rfc["7.1 TEST SHA(abc)"]), ("key of small order", spec[1]),
             ("key of mixed order, cofactored only", spec[5]), ("ZIP 215 only", zip_only),
             ("lenient encoding of the key", lenient)]
    text = lambda data: ", ".join(f"0x{b:02x}" for b in data)
    lines = ["// SPDX-License-Identifier: Apache-2.0", "// Known answers of the family `ed25519` for the start-up self-test: "
             "every policy has items that only its rules tell apart.", "// Written by tests/oracle/ed25519.py, which "
             "computes them without our code; the items are cases of tests/vectors.", "#pragma once", "",
             '#include "kernels/ed25519/known.h"', "", "namespace sparkmill::ed25519 {", "",
             "inline constexpr KnownAnswer kKnownAnswers[] = {"]
    for name, (key, message, signature) in table:
        bits = sum(valid(p, key, message, signature) << k for k, p in enumerate(POLICIES))
        lines.append(f"{{\"{name}\", {{{text(key)}}}, {{{text(signature)}}}, {{{text(message)}}}, {len(message)}, "
                     f"0x{bits:02x}, {{{text(evidence('go', key, message, signature))}}}}},")
    return "\n".join(lines + ["};", "", "}  // namespace sparkmill::ed25519"]) + "\n"


if __name__ == "__main__":
    if sys.argv[1:2] == ["check"]:
        sys.exit(check(sys.argv[2:]))
    if sys.argv[1:2] == ["known"]:
        if sys.argv[2:3] == ["--check"]:
            plain = lambda t: "".join(t.replace("//", "").split())
            same = plain(open(sys.argv[3]).read()) == plain(known())
            print("the known answers are", "right" if same else "not what this program computes")
            sys.exit(0 if same else 11)
        sys.stdout.write(known())
        sys.exit(0)
    sys.exit(__doc__)

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The RSA-2048 public operation in plain Python integers, apart from the C++ oracle; writes kernels/rsa/vectors.h.

  rsa.py check FILE...    every case of vector files against its verdict, digest and score
  rsa.py known > FILE     the known answers of the start-up self-test
  rsa.py known --check F  whether F has them, layout apart
"""
import hashlib
import json
import os
import sys

E = 65537
DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")


def encoded(encoding, message):
    tail = b"\0" + (DIGEST_INFO if encoding == "pkcs1_sha256" else b"") + message
    return b"\0\1" + b"\xff" * (254 - len(tail)) + tail


def in_range(n, signature):
    return n % 2 == 1 and n.bit_length() == 2048 and signature < n


def valid(encoding, n, signature, message, e=E):
    """Of bytes as they stand in a file: key and signature have 256 bytes or are refused."""
    if len(n) != 256 or len(signature) != 256 or e != E:
        return False
    n, s = int.from_bytes(n, "big"), int.from_bytes(signature, "big")
    return in_range(n, s) and pow(s, E, n).to_bytes(256, "big") == encoded(encoding, message)


def evidence(n, signature):
    n, s = int.from_bytes(n, "big"), int.from_bytes(signature, "big")
    return pow(s, 2**15, n).to_bytes(256, "big") if in_range(n, s) else bytes(256)


def cases(path):
    """(case, encoding, n, e, signature, message, wanted)"""
    for c in json.load(open(path))["cases"]:
        n, signature = bytes.fromhex(c["n"]), bytes.fromhex(c["sig"])
        if "prev_hash" in c:
            yield c, "draw", n, c["e"], signature, bytes.fromhex(c["prev_hash"]), c["valid"]
        else:  # DER integers: one zero before the top bit; a small exponent breaks our key rule
            n, e = n[1:] if n[:1] == b"\0" else n, int(c["e"], 16)
            message = hashlib.sha256(bytes.fromhex(c["msg"])).digest()
            yield c, "pkcs1_sha256", n, e, signature, message, c["result"] == "valid" and e == E


def check(paths):
    wrong = 0
    for path in paths:
        done = 0
        for c, encoding, n, e, signature, message, want in cases(path):
            done += 1
            wrong += valid(encoding, n, signature, message, e) != want
            if c.get("sha256_of_sig") is not None:
                digest = hashlib.sha256(signature).digest()
                zeros = 256 - int.from_bytes(digest, "big").bit_length()
                wrong += digest.hex() != c["sha256_of_sig"] or zeros != c["leading_zero_bits"]
        print(f"{os.path.basename(path)}: {done} cases")
    print(f"{wrong} differ")
    return 11 if wrong else 0


def known():
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "vectors")
    draws = [(n, s, m) for _, _, n, _, s, m, _ in cases(os.path.join(folder, "rsa2048_draw.json"))
             if len(s) == 256]
    why = {c["why"][:12]: (n, s, m) for c, _, n, _, s, m, _ in cases(os.path.join(folder, "rsa2048_draw.json"))}
    standard = {c["tcId"]: (n, s, m) for c, _, n, _, s, m, _ in
                cases(os.path.join(folder, "wycheproof_rsa2048_sha256_pkcs1.json"))}
    number = lambda data: int.from_bytes(data, "big")
    data = lambda n: n.to_bytes(256, "big")
    n, s, m = draws[0]
    small = min((d for d in draws if valid("draw", *d)), key=lambda d: number(d[0]))
    table = [("a draw", "draw", draws[0]), ("a draw of the smallest key", "draw", small),
             ("sig + n", "draw", why["sig + n stil"]), ("a bit flipped", "draw", why["bit flip"]),
             ("block type 2", "draw", why["block type 2"]), ("DigestInfo in a draw", "draw", why["DigestInfo a"]),
             ("n - 1", "draw", (n, data(number(n) - 1), m)), ("n itself", "draw", (n, n, m)),
             ("even n", "draw", (data(number(n) - 1), s, m)),
             ("n of 2047 bits", "draw", (data(number(n) - 2**2047), data(number(n) - 2**2047 - 1), m)),
             ("RSASSA-PKCS1-v1_5", "pkcs1_sha256", standard[2]), ("missing NULL", "pkcs1_sha256", standard[8]),
             ("a draw in its place", "pkcs1_sha256", draws[0])]
    text = lambda data: ", ".join(f"0x{b:02x}" for b in data)
    lines = ["// SPDX-License-Identifier: Apache-2.0", "// Known answers of the family `rsa` for the start-up self-test: "
             "both encodings, and what looser rules would accept.", "// Written by tests/oracle/rsa.py, which computes "
             "them without our code; most items are cases of tests/vectors.", "#pragma once", "",
             '#include "kernels/rsa/known.h"', "", "namespace sparkmill::rsa {", "",
             "inline constexpr KnownAnswer kKnownAnswers[] = {"]
    for name, encoding, (key, signature, message) in table:
        verdict = "true" if valid(encoding, key, signature, message) else "false"
        lines.append(f"{{\"{name}\", Encoding::{encoding}, {{{text(key)}}}, {{{text(signature)}}}, {{{text(message)}}}, "
                     f"{verdict}, {{{text(evidence(key, signature))}}}}},")
    return "\n".join(lines + ["};", "", "}  // namespace sparkmill::rsa"]) + "\n"


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

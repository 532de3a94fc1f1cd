#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The RSA-2048 public operation in plain Python integers, apart from the C++ oracle; writes kernels/rsa/vectors.h.

  rsa.py check FILE...    every case of vector files against its verdict, digest and score
  rsa.py known > FILE     the known answers of the start-up self-test
  rsa.py known --check F  whether F has them, layout apart
  rsa.py messages > FILE  vectors of draws over messages of every length that matters (tests/vectors/rsa2048_messages.json)
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
    if encoding == "draw" and not 1 <= len(message) <= 245:
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
        if "prev_hash" in c or "message" in c:
            message = c["prev_hash"] if "prev_hash" in c else c["message"]
            yield c, "draw", n, c["e"], signature, bytes.fromhex(message), c["valid"]
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


def seeded(label, size):
    out, counter = b"", 0
    while len(out) < size:
        out += hashlib.sha256(f"{label}/{counter}".encode()).digest()
        counter += 1
    return out[:size]


def prime(label):
    """1,024 bits, the two highest set, p - 1 not a multiple of E; Fermat to some bases is enough for a test's key."""
    p = int.from_bytes(seeded(label, 128), "big") | 3 << 1022 | 1
    while (p - 1) % E == 0 or any(p % q == 0 for q in range(3, 2000, 2)) or any(pow(a, p - 1, p) != 1 for a in (2, 3, 5)):
        p += 2
    return p


def messages():
    p, q = prime("sparkmill/messages/p"), prime("sparkmill/messages/q")
    n, d = p * q, pow(E, -1, (p - 1) * (q - 1))
    list_ = []

    def case(why, message, em, ok):
        signature = pow(int.from_bytes(em, "big"), d, n).to_bytes(256, "big")
        key = n.to_bytes(256, "big")
        assert valid("draw", key, signature, message) == ok, why
        list_.append({"n": key.hex(), "e": E, "sig": signature.hex(), "message": message.hex(), "valid": ok, "why": why})

    def loose(message, padding):
        return b"\0\1" + b"\xff" * padding + b"\0" + message

    for why, size in [("one byte", 1), ("a seal: a hash", 32), ("a draw: hash and round", 36), ("a later seal", 37),
                      ("a vote", 41), ("more than a DigestInfo and a hash", 52), ("the longest", 245)]:
        m = seeded(why, size)
        case(why, m, encoded("draw", m), True)
    m = seeded("long", 246)
    case("seven FF: block type 1 wants eight", m, encoded("draw", m), False)
    case("an empty message", b"", encoded("draw", b""), False)
    m = seeded("a vote", 41)
    case("cut by a byte", m[:-1], encoded("draw", m), False)
    case("a byte more", m + b"\0", encoded("draw", m), False)
    case("a zero byte in front of the message", m, encoded("draw", b"\0" + m), False)
    case("eight FF and the rest behind the message", m, loose(m + bytes(256 - 52), 8), False)
    case("DigestInfo in front of it", m, encoded("draw", DIGEST_INFO + m), False)
    rows = ",\n".join("  " + json.dumps(c) for c in list_)
    head = {"source": "tests/oracle/rsa.py, keys and messages from fixed texts", "licence": "Apache-2.0",
            "rule": "consensus evidence 3.1: sig^e mod n == 0001 || FF*(253 - |M|) || 00 || M, M of 1 to 245 bytes"}
    return json.dumps(head)[:-1] + ", \"cases\": [\n" + rows + "\n]}\n"


if __name__ == "__main__":
    if sys.argv[1:2] == ["messages"]:
        sys.stdout.write(messages())
        sys.exit(0)
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

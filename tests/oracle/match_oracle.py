#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Independent oracle of the family `match`: plain Python 3, ChaCha20 by hand, integers as bit sets.

  match_oracle.py            writes kernels/match/vectors.h to standard output
  match_oracle.py --check F  compares F with what it would write; exit 1 and a diff if they differ
"""
import difflib
import struct
import sys

TILE = 256
LEAF_DOT, LEAF_FRAC, AND, OR, ANY, NOT, SEQ, LIMIT, WSUM = range(9)
M32 = 0xFFFFFFFF
M64 = 0xFFFFFFFFFFFFFFFF


def chacha20(key, nonce, length):
    """RFC 8439 key stream, block counter from 0, nonce a 96-bit little-endian integer."""

    def rotl(x, n):
        return (x << n | x >> (32 - n)) & M32

    def quarter(s, a, b, c, d):
        s[a] = (s[a] + s[b]) & M32
        s[d] = rotl(s[d] ^ s[a], 16)
        s[c] = (s[c] + s[d]) & M32
        s[b] = rotl(s[b] ^ s[c], 12)
        s[a] = (s[a] + s[b]) & M32
        s[d] = rotl(s[d] ^ s[a], 8)
        s[c] = (s[c] + s[d]) & M32
        s[b] = rotl(s[b] ^ s[c], 7)

    head = list(struct.unpack("<4I", b"expand 32-byte k")) + list(struct.unpack("<8I", key))
    tail = list(struct.unpack("<3I", nonce.to_bytes(12, "little")))
    out = bytearray()
    counter = 0
    while len(out) < length:
        start = head + [counter] + tail
        s = list(start)
        for _ in range(10):
            quarter(s, 0, 4, 8, 12)
            quarter(s, 1, 5, 9, 13)
            quarter(s, 2, 6, 10, 14)
            quarter(s, 3, 7, 11, 15)
            quarter(s, 0, 5, 10, 15)
            quarter(s, 1, 6, 11, 12)
            quarter(s, 2, 7, 8, 13)
            quarter(s, 3, 4, 9, 14)
        out += struct.pack("<16I", *((a + b) & M32 for a, b in zip(s, start)))
        counter += 1
    return bytes(out[:length])


def make_side(key, nonce, count, n, all_valid):
    """Rows as (sign, validity) integers; bit k is element k."""
    size = n // 8
    stream = chacha20(key, nonce, count * 3 * size)
    rows = []
    for r in range(count):
        part = [int.from_bytes(stream[(3 * r + p) * size:(3 * r + p + 1) * size], "little") for p in range(3)]
        valid = (1 << n) - 1 if all_valid else part[1] | part[2]
        rows.append((part[0] & valid, valid))
    return rows


def leaf(op, field, arg, imm):
    return struct.pack("<BBHi", op, field, arg, imm)


def op(code, arg=0, imm=0):
    return struct.pack("<BBHi", code, 0, arg, imm)


def wsum(terms, imm):
    return struct.pack("<BBHi", WSUM, 0, len(terms), imm) + b"".join(struct.pack("<HHi", l, 0, w) for l, w in terms)


def parse(code):
    """[(op, field, arg, imm, terms)]"""
    program, at = [], 0
    while at < len(code):
        o, field, arg, imm = struct.unpack_from("<BBHi", code, at)
        at += 8
        terms = []
        if o == WSUM:
            for _ in range(arg):
                l, _zero, w = struct.unpack_from("<HHi", code, at)
                terms.append((l, w))
                at += 8
        program.append((o, field, arg, imm, terms))
    return program


def leaf_list(program):
    leaves = []
    for o, field, arg, imm, _ in program:
        if o == LEAF_DOT:
            leaves.append((field, 1, 0, imm))
        elif o == LEAF_FRAC:
            leaves.append((field, arg >> 8, arg & 255, imm))
    return leaves


def decide(program, scores, thresholds):
    """One pair. `scores` and `thresholds` in leaf order."""
    stack, at = [], 0
    for o, _field, arg, imm, terms in program:
        if o in (LEAF_DOT, LEAF_FRAC):
            stack.append(scores[at] >= thresholds[at])
            at += 1
            continue
        take = {NOT: 1, LIMIT: 1, SEQ: 2}.get(o, arg)
        operands = stack[len(stack) - take:]
        del stack[len(stack) - take:]
        if o in (AND, SEQ, LIMIT):
            stack.append(all(operands))
        elif o == OR:
            stack.append(any(operands))
        elif o == ANY:
            stack.append(sum(operands) >= imm)
        elif o == NOT:
            stack.append(not operands[0])
        else:
            stack.append(sum(w * scores[l] for l, w in terms) >= imm)
    return stack[0]


def ones(x):
    return bin(x).count("1")


def solve(case):
    key = bytes([case["seed"]]) * 32
    m, n_users = case["requests"], case["users"]
    fields = []
    for f, (n, all_valid) in enumerate(case["fields"]):
        a = make_side(key, 16 + 2 * f, m, n, all_valid)
        b = make_side(key, 17 + 2 * f, n_users, n, all_valid)
        flip = sum(1 << k for k in range(0, n, 16))
        for r in range(case["planted"]):
            if r < m and 5 + 7 * r < n_users:
                b[5 + 7 * r] = ((a[r][0] ^ flip) & a[r][1], a[r][1])
        fields.append((a, b))
    row_words = struct.unpack("<%dI" % m, chacha20(key, 0, 4 * m))
    column_words = [w | 1 for w in struct.unpack("<%dQ" % n_users, chacha20(key, 1, 8 * n_users))]
    program = parse(case["code"])
    leaves = leaf_list(program)
    thresholds = [l[3] for l in leaves]
    ti0, ti1, tj0, tj1 = case["tiles"]
    digests, counts, pairs = [], [], []
    for ti in range(ti0, ti1):
        for tj in range(tj0, tj1):
            sums = [dict() for _ in leaves]
            found = 0
            for i in range(ti * TILE, min((ti + 1) * TILE, m)):
                for j in range(tj * TILE, min((tj + 1) * TILE, n_users)):
                    words = {}
                    scores = []
                    for l, (field, w1, w2, _t) in enumerate(leaves):
                        if field not in words:
                            (sa, ma), (sb, mb) = fields[field][0][i], fields[field][1][j]
                            both = ma & mb
                            words[field] = (ones((sa ^ sb) & both), ones(both))
                        ham, k = words[field]
                        scores.append(w1 * (k - 2 * ham) - w2 * k)
                        sums[l][j] = (sums[l].get(j, 0) + ((ham | k << 16) ^ row_words[i])) & M32
                    if decide(program, scores, thresholds):
                        pairs.append((i, j))
                        found += 1
            counts.append(found)
            for s in sums:
                digests.append(sum(column_words[j] * value for j, value in s.items()) & M64)
    return digests, counts, pairs


CASES = [
    dict(name="plain, ragged edges", seed=0x11, requests=37, users=61, planted=8, fields=[(512, True)],
         code=leaf(LEAF_DOT, 0, 0, 64), tiles=(0, 1, 0, 1)),
    dict(name="masked dot", seed=0x22, requests=29, users=53, planted=6, fields=[(2048, False)],
         code=leaf(LEAF_DOT, 0, 0, 90), tiles=(0, 1, 0, 1)),
    dict(name="fractional, odd word count", seed=0x33, requests=19, users=23, planted=3, fields=[(832, False)],
         code=leaf(LEAF_FRAC, 0, 7 << 8 | 2, 0), tiles=(0, 1, 0, 1)),
    dict(name="two by two tiles", seed=0x44, requests=259, users=273, planted=38, fields=[(64, False)],
         code=leaf(LEAF_DOT, 0, 0, 26), tiles=(0, 2, 0, 2)),
    dict(name="part of the tiles", seed=0x55, requests=260, users=530, planted=12, fields=[(64, True)],
         code=leaf(LEAF_DOT, 0, 0, 20) + op(LIMIT, 0, 2), tiles=(1, 2, 1, 3)),
    dict(name="several leaves and fields", seed=0x66, requests=33, users=47, planted=6,
         fields=[(320, False), (128, True), (192, False)],
         code=leaf(LEAF_DOT, 0, 0, 24) + leaf(LEAF_FRAC, 0, 0 << 8 | 1, 1 - 178) + op(NOT) + op(AND, 2) +
         leaf(LEAF_DOT, 1, 0, 16) + leaf(LEAF_DOT, 2, 0, 12) + leaf(LEAF_FRAC, 2, 4 << 8 | 1, -8) + op(ANY, 3, 2) +
         op(SEQ), tiles=(0, 1, 0, 1)),
    dict(name="weighted sum", seed=0x77, requests=31, users=41, planted=5, fields=[(256, False), (128, False)],
         code=leaf(LEAF_DOT, 0, 0, 0) + leaf(LEAF_FRAC, 1, 3 << 8 | 1, 0) + wsum([(0, 5), (1, -2)], 260),
         tiles=(0, 1, 0, 1)),
]


def wrap(items, per_line):
    return "\n".join("    " + " ".join(items[k:k + per_line]) for k in range(0, len(items), per_line))


def emit():
    out = ["// SPDX-License-Identifier: Apache-2.0",
           "// Known answers of the family `match`. Written by tests/oracle/match_oracle.py, which a test runs again;",
           "// do not edit.",
           "// clang-format off",
           "#pragma once", "", '#include "kernels/match/known.h"', "", "namespace sparkmill::match {", ""]
    rows = []
    for k, case in enumerate(CASES):
        digests, counts, pairs = solve(case)
        assert pairs, case["name"]
        total = case["requests"] * case["users"]
        assert len(pairs) < total // 3, case["name"]
        ident = "%d" % (k + 1)
        out.append("inline constexpr KnownField kFields%s[] = {%s};" % (
            ident, ", ".join("{%d, %s}" % (n, "true" if v else "false") for n, v in case["fields"])))
        out.append("inline constexpr std::uint8_t kCode%s[] = {\n%s};" % (
            ident, wrap(["0x%02x," % b for b in case["code"]], 16)))
        out.append("inline constexpr std::uint64_t kDigests%s[] = {\n%s};" % (
            ident, wrap(["0x%016x," % d for d in digests], 5)))
        out.append("inline constexpr std::uint32_t kCounts%s[] = {%s};" % (ident, ", ".join(map(str, counts))))
        out.append("inline constexpr Pair kPairs%s[] = {\n%s};" % (ident, wrap(["{%d, %d}," % p for p in pairs], 10)))
        out.append("")
        rows.append('    {"%s", 0x%02x, %d, %d, %d, kFields%s, kCode%s, {%d, %d, %d, %d}, kDigests%s, kCounts%s, kPairs%s},'
                    % ((case["name"], case["seed"], case["requests"], case["users"], case["planted"], ident, ident) +
                       case["tiles"] + (ident, ident, ident)))
    out.append("inline constexpr KnownAnswer kKnownAnswers[] = {")
    out += rows
    out += ["};", "", "}  // namespace sparkmill::match", ""]
    return "\n".join(out)


def main(argv):
    text = emit()
    if len(argv) == 3 and argv[1] == "--check":
        with open(argv[2], encoding="ascii") as f:
            have = f.read()
        if have != text:
            sys.stdout.writelines(difflib.unified_diff(have.splitlines(True), text.splitlines(True), argv[2], "oracle"))
            return 1
        print("%s: %d known answers agree with the oracle" % (argv[2], len(CASES)))
        return 0
    if len(argv) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))

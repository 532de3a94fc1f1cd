# SPDX-License-Identifier: Apache-2.0
"""Merkle proofs of the three trees at every size to 20 and some above: each leaf, and what must not pass for one.

Written from the specification "Signatures and proofs" 7. Trees are built recursively from their definitions.
"""
import hashlib

from .keccak import keccak256


def sha3(*p):
    return hashlib.sha3_256(b"".join(p)).digest()


def sha256d(*p):
    return hashlib.sha256(hashlib.sha256(b"".join(p)).digest()).digest()


def sorted_pair(a, b):
    return keccak256(min(a, b) + max(a, b))


LEAF = {"bytom_sha3_256": lambda l: sha3(b"\0", l), "keccak256_sorted_pairs": lambda l: l, "sha256d_bitcoin": lambda l: l}
NODE = {"bytom_sha3_256": lambda a, b: sha3(b"\1", a, b), "keccak256_sorted_pairs": sorted_pair, "sha256d_bitcoin": sha256d}


def split(n):
    k = 1
    while 2 * k < n:
        k *= 2
    return k


def build(tree, leaves, index):
    """(root, steps of the leaf `index` from below)."""
    if tree == "bytom_sha3_256":
        if len(leaves) == 1:
            return LEAF[tree](leaves[0]), []
        k = split(len(leaves))
        left, a = build(tree, leaves[:k], index if index < k else 0)
        right, b = build(tree, leaves[k:], index - k if index >= k else 0)
        return NODE[tree](left, right), a + [("R", right)] if index < k else b + [("L", left)]
    level, steps = [LEAF[tree](l) for l in leaves], []
    while len(level) > 1:
        odd = len(level) % 2 == 1
        if odd and tree == "sha256d_bitcoin":
            level.append(level[-1])
            odd = False
        mate = index ^ 1
        if mate < len(level):
            steps.append(("R" if index % 2 == 0 else "L", level[mate]))
        up = [NODE[tree](level[i], level[i + 1]) for i in range(0, len(level) - odd, 2)]
        level = up + ([level[-1]] if odd else [])
        index //= 2
    return level[0], steps


def bare(tree, leaf, steps, root):
    h = LEAF[tree](leaf)
    for side, other in steps:
        h = NODE[tree](other, h) if side == "L" else NODE[tree](h, other)
    return h == root


def files(rng, scale):
    cases = []

    def put(tree, n, index, root, leaf, steps, why):
        cases.append({"tree": tree, "n": n, "index": index, "root": root.hex(), "leaf": leaf.hex(),
                      "proof": [h.hex() if tree == "keccak256_sorted_pairs" else [s, h.hex()] for s, h in steps],
                      "valid": bare(tree, leaf, steps, root), "why": why})

    for tree in LEAF:
        for n in list(range(1, 20 if scale > 1 else 10)) + [16, 17, 33, 64, 65, 127, 129][:3 + 4 * (scale > 1)]:
            leaves = [rng.randbytes(32) for _ in range(n)]
            if n > 3 and rng.random() < .3:
                leaves[1] = leaves[0]  # equal leaves
            for index in range(n) if n < 6 or scale > 1 else (0, 1, n // 2, n - 2, n - 1):
                root, steps = build(tree, leaves, index)
                put(tree, n, index, root, leaves[index], steps, "valid")
                other = rng.randrange(n)
                put(tree, n, index, root, leaves[other], steps, "another leaf" if other != index else "its own leaf")
                put(tree, n, other, root, leaves[index], steps, "another index" if other != index else "its own index")
                put(tree, n + 1, index, root, leaves[index], steps, "one leaf more")
                put(tree, n, n, root, leaves[index], steps, "index = n")
                put(tree, n, 2**64 - 1, root, leaves[index], steps, "index 2^64 - 1")
                put(tree, 0, 0, root, leaves[index], steps, "n = 0")
                put(tree, n, index, rng.randbytes(32), leaves[index], steps, "another root")
                put(tree, n, index, root, leaves[index], steps + [("R", bytes(32))], "a step more")
                put(tree, n, index, root, leaves[index], [("R", leaves[index])] + steps, "itself in front")
                put(tree, n, index, root, leaves[index], steps + [("L", h) for _, h in steps] * 9, "many steps")
                put(tree, n, index, root, root, [], "the root as leaf")
                put(tree, n, index, leaves[index], leaves[index], [], "the leaf as root")
                if steps:
                    put(tree, n, index, root, leaves[index], steps[:-1], "truncated")
                    put(tree, n, index, root, leaves[index], steps[1:], "first step gone")
                    put(tree, n, index, root, leaves[index], steps[::-1], "reversed" if len(steps) > 1 else "as it is")
                    at = rng.randrange(len(steps))
                    turned = [("L" if s == "R" else "R", h) if i == at else (s, h) for i, (s, h) in enumerate(steps)]
                    put(tree, n, index, root, leaves[index], turned, "side turned")
                    broken = bytearray(steps[at][1])
                    broken[rng.randrange(32)] ^= 1 << rng.randrange(8)
                    put(tree, n, index, root, leaves[index], steps[:at] + [(steps[at][0], bytes(broken))] + steps[at + 1:], "bit turned")
                    inner = LEAF[tree](leaves[index])
                    side, mate = steps[0]
                    inner = NODE[tree](mate, inner) if side == "L" else NODE[tree](inner, mate)
                    put(tree, n, index, root, inner, steps[1:], "INNER NODE AS LEAF")
                    put(tree, n, index, root, LEAF[tree](leaves[index]), steps, "leaf hash given as leaf")
                if tree == "sha256d_bitcoin" and n % 2 == 1:
                    # the doubled list: same root, a proof of the copy
                    copy, more = build(tree, leaves + [leaves[-1]], n)
                    put(tree, n, n - 1, copy, leaves[-1], more, "a leaf that is only a copy, another side")
    return {"merkle.json": {"source": "tests/oracle/edges/merkle.py", "cases": cases}}

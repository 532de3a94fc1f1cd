# SPDX-License-Identifier: Apache-2.0
"""Every length from nothing to some blocks, in one batch, so that lanes of a vector end at different places."""
import hashlib

from .keccak import keccak256


def files(rng, scale):
    lengths = list(range(0, 300 * scale)) + [n + d for n in (384, 512, 544, 640, 680, 768, 816, 896, 952, 1024, 4096, 8192) for d in range(-2, 3)]
    lengths += [rng.randrange(20000) for _ in range(8)] + [64] * 37 + [0] * 9 + [136] * 5
    rng.shuffle(lengths)
    cases = []
    for n in lengths:
        msg = rng.choice((rng.randbytes(n), bytes(n), b"\xff" * n, b"\x80" * n)) if n < 400 else rng.randbytes(n)
        cases.append({"len": n, "msg": msg.hex(), "sha3_256": hashlib.sha3_256(msg).hexdigest(),
                      "sha256": hashlib.sha256(msg).hexdigest(), "sha256d": hashlib.sha256(hashlib.sha256(msg).digest()).hexdigest(),
                      "sha512": hashlib.sha512(msg).hexdigest(), "keccak256": keccak256(msg).hex()})
    return {"hashes.json": {"source": "tests/oracle/edges/hashes.py", "cases": cases}}

# SPDX-License-Identifier: Apache-2.0
"""Bytom headers and targets at their edges: compact bits of every exponent, equal and next results, long varints.

Written from the specification "Tensority" 3 and 4. No Tensority hash is computed here.
"""
import hashlib


def sha3(b):
    return hashlib.sha3_256(b).digest()


def target_of(bits):
    e, m = bits >> 56, bits & (1 << 55) - 1
    t = m >> 8 * (3 - e) if e <= 3 else m << 8 * (e - 3)
    return -t if bits >> 55 & 1 else t


def bits_of(target):
    if target == 0:
        return 0
    e = (target.bit_length() + 7) // 8
    return e << 56 | (target << 8 * (3 - e) if e <= 3 else target >> 8 * (e - 3))


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def files(rng, scale):
    compare, to_bits, pools, headers = [], [], [], []
    some = [e << 56 | s << 55 | m for e in (0, 1, 2, 3, 4, 5, 26, 27, 30, 31, 32, 33, 34, 36, 60, 255) for s in (0, 1)
            for m in (0, 1, 0xff, 0x100, 0xffff, 0x10000, 0xffffff, 0x800000, 1 << 54, (1 << 55) - 1)]
    some += [rng.getrandbits(64) for _ in range(40 * scale)] + [rng.randrange(20, 36) << 56 | rng.getrandbits(55) for _ in range(40 * scale)]
    for bits in some:
        t = target_of(bits)
        for r in {0, 1, t, t + 1, t - 1, 2**256 - 1, rng.getrandbits(256)}:
            if 0 <= r < 2**256:
                compare.append({"bits": str(bits), "bits_hex": "%016x" % bits, "hash": r.to_bytes(32, "little").hex(), "valid": r <= t,
                                "target_hex": ("-%x" % -t) if t < 0 else "%x" % t, "work": str(2**256 // (t + 1) if t > 0 else 0)})
    for t in [0, 1, 2, 127, 128, 255, 256, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffff, 0x800000, 0xffffff, 0x1000000, 2**255, 2**256 - 1, 2**256, 2**256 + 1, 2**2040 - 1] + [
            rng.getrandbits(rng.randrange(1, 300)) for _ in range(60 * scale)]:
        to_bits.append({"bits_hex": "%016x" % bits_of(t), "target_hex": "%x" % t})
    for d in [2, 3, 255, 256, 65535, 65536, 2**31, 2**32 - 1, 1024, 100001] + [rng.randrange(2, 2**32) for _ in range(30)]:
        exact = 2**256 // d
        field = (exact >> 224).to_bytes(4, "big")[::-1]
        pools.append({"difficulty": d, "target_field_from_2^256": field.hex(), "miner_threshold_hex": (field[::-1] + bytes(28)).hex()})
    edges = [0, 1, 127, 128, 129, 255, 16383, 16384, 2**31, 2**32, 2**53, 2**56 - 1, 2**56, 2**62, 2**63 - 1]
    for _ in range(60 * scale):
        pick = lambda: rng.choice(edges + [rng.getrandbits(63)])
        h = {"version": pick(), "height": pick(), "timestamp": pick(), "bits": str(pick()), "nonce": str(rng.choice([pick(), pick(), 2**63, 2**64 - 1]))}
        prev, merkle, status = (rng.randbytes(32) for _ in range(3))
        n = {k: int(v) for k, v in h.items()}
        le = lambda v: v.to_bytes(8, "little")
        preimage = le(n["version"]) + le(n["height"]) + prev + le(n["timestamp"]) + merkle + status + le(n["bits"]) + le(n["nonce"])
        row = {"source": "drawn", **h, "previous_block_hash": prev.hex(), "transaction_merkle_root": merkle.hex(), "transaction_status_hash": status.hex(),
               "hash_preimage_hex": preimage.hex(), "header_hash": sha3(b"entryid:blockheader:" + sha3(preimage)).hex()}
        if n["nonce"] < 2**63:
            row["serialized_hex"] = (b"\1" + varint(n["version"]) + varint(n["height"]) + prev + varint(n["timestamp"]) + b"\x40" + merkle + status + varint(n["nonce"]) + varint(n["bits"])).hex()
        headers.append(row)
    return {"tensority.json": {"about": {"source": "tests/oracle/edges/tensority.py"}, "hash_vectors": [], "stage_vectors": [],
                               "difficulty_compare": compare, "target_to_bits": to_bits, "pool_targets": pools, "block_headers": headers}}

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Independent verify.batch jobs: writes tests/vectors/jobs/verify_batch.json, or with --check compares it.

Rules: jobs-and-proofs 2 and 7, docs/formats.md. Points come from the oracle ed25519.py, hashes from hashlib; streams,
params, answers, evidence, leaves and the tree are written here again, without a look at the C++.
"""
import hashlib
import json
import pathlib
import struct
import sys

import ed25519

HERE = pathlib.Path(__file__).resolve().parents[1]
TARGET = HERE / "vectors" / "jobs" / "verify_batch.json"
SCHEME = 1
POLICY = {name: number for number, name in enumerate(ed25519.POLICIES, 1)}


def H(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def stream(policy, items):
    lengths = {len(message) for _, _, message in items}
    one = lengths.pop() if len(lengths) == 1 else None
    head = struct.pack("<4sHHHHHHIIQ", b"SMSG", 1, SCHEME, policy, 32, 64, 0,
                       0xffffffff if one is None else one, 0, len(items))
    return head + b"".join(k + s + (struct.pack("<I", len(m)) if one is None else b"") + m for k, s, m in items)


def job(salt, params, blob):
    canonical = struct.pack("<HQQQ", 4, 0, 0, 0) + struct.pack("<I", len(params)) + params + struct.pack("<I", 1) + H(blob)
    return H(b"sparkmill/job/v1", salt, canonical)[:16] + salt + canonical


def bits(verdicts):
    out = bytearray((len(verdicts) + 7) // 8)
    for k, good in enumerate(verdicts):
        out[k // 8] |= good << (k % 8)
    return struct.pack("<I", len(verdicts)) + bytes(out)


def root(leaves):
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while 2 * half < len(leaves):
        half *= 2
    return H(b"\x01", root(leaves[:half]), root(leaves[half:]))


def case(policy, items, evidence=True):
    worker, lease, salt = H(b"worker"), H(b"lease")[:16], H(policy.encode())[:16]
    params = struct.pack("<HHHHI", 1, 1 if evidence else 0, SCHEME, POLICY[policy], len(items))
    blob = stream(POLICY[policy], items)
    verdicts = [ed25519.valid(policy, k, m, s) for k, s, m in items]
    points = [ed25519.evidence(policy, k, m, s) if evidence else b"" for k, s, m in items]
    shown = [H(worker, lease, point) for point in points]
    leaves = [H(b"\0", struct.pack("<I", k), bytes([verdicts[k]]), shown[k]) for k in range(len(items))]
    return {"policy": policy, "evidence_flag": evidence, "worker_pub": worker.hex(), "lease_id": lease.hex(),
            "job": job(salt, params, blob).hex(), "stream": blob.hex(), "answer": bits(verdicts).hex(),
            "evidence": b"".join(shown).hex(), "leaves": [leaf.hex() for leaf in leaves], "root": root(leaves).hex()}


def generate():
    def load(name):
        return [(k, s, m) for _, k, m, s in ed25519.cases(HERE / "vectors" / (name + ".json"))]
    odd, plain = load("ed25519_speccheck"), load("rfc8032_ed25519")[:9]
    alike = [item for item in odd if len(item[2]) == 32][:5]
    cases = [case(policy, odd + plain) for policy in ed25519.POLICIES]
    cases += [case("go", alike), case("go", alike, evidence=False), case("go", plain[:1])]
    document = {"format": "sparkmill/verify_batch/v1", "source": "tests/oracle/batch_oracle.py",
                "licence": "own work; signatures of RFC 8032 (public domain) and ed25519-speccheck (Apache-2.0)",
                "cases": cases}
    return json.dumps(document, indent=1) + "\n"


def main():
    text = generate()
    if "--check" in sys.argv[1:]:
        if TARGET.read_text() != text:
            sys.exit(f"{TARGET} is not what the oracle computes")
        print(f"{TARGET.name}: as computed")
        return
    TARGET.write_text(text)
    print(f"wrote {TARGET}")


if __name__ == "__main__":
    main()

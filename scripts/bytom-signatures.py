#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes data/bytom_signatures.smsg: the valid Ed25519 signatures of the real blocks in tests/vectors/bytom_blocks.json,
each once, in order, as a packed stream under the policy bytom_legacy (docs/formats.md)."""
import json
import pathlib
import struct

ROOT = pathlib.Path(__file__).resolve().parents[1]
SCHEME, POLICY = 1, 2  # ed25519, bytom_legacy


def main():
    document = json.loads((ROOT / "tests/vectors/bytom_blocks.json").read_text())
    items = {}
    for case in document["cases"]:
        if case["source"] not in ("solonet", "fixture", "assembled"):
            continue  # variants are ours, not somebody's
        for s in case["expect"].get("signatures") or []:
            parts = [bytes.fromhex(s[name]) for name in ("pubkey", "signature", "message")]
            if s["ok"] and [len(p) for p in parts] == [32, 64, 32]:
                items[b"".join(parts)] = None
    head = struct.pack("<4sHHHHHHIIQ", b"SMSG", 1, SCHEME, POLICY, 32, 64, 0, 32, 0, len(items))
    target = ROOT / "data/bytom_signatures.smsg"
    target.write_bytes(head + b"".join(items))
    print(f"wrote {len(items)} signatures to {target}")


if __name__ == "__main__":
    main()

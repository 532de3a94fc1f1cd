#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes data/bytom_blocks.smbk: the real, valid blocks of tests/vectors/bytom_blocks.json with what is known of their
contexts, as items of the job kind verify.blocks (docs/formats.md)."""
import json
import pathlib
import struct

ROOT = pathlib.Path(__file__).resolve().parents[1]
BYTOM, BODY, WITH_CONTEXT = 1, 1, 2
FAR_AHEAD = (1 << 63) - 1  # Unix seconds: the blocks are old
# Programs outside the standard ones: valid, but undecided here.
UNDECIDED = ("asset_non_standard_program", "p2wsh_other_redeem_scripts")


def item(case):
    context = case.get("context") or {}
    block = bytes.fromhex(case["hex"])
    tail = struct.pack("<I", len(block)) + block
    names = ("parent_id", "parent_height", "bits", "median_time", "seed")
    there = sum(1 << k for k, name in enumerate(names) if name in context)
    if not there:
        return struct.pack("<B", BODY) + tail
    hash_of = lambda name: bytes.fromhex(context[name]) if name in context else bytes(32)
    number_of = lambda name: struct.pack("<Q", int(context.get(name, 0)))
    return (struct.pack("<BB", WITH_CONTEXT, there) + hash_of("parent_id") + number_of("parent_height") +
            number_of("bits") + number_of("median_time") + hash_of("seed") + struct.pack("<Q", FAR_AHEAD) + tail)


def main():
    document = json.loads((ROOT / "tests/vectors/bytom_blocks.json").read_text())
    items = [item(case) for case in document["cases"]
             if case["source"] in ("solonet", "genesis", "fixture", "assembled") and
             case["expect"].get("verdict") == "valid" and case["name"] not in UNDECIDED]
    target = ROOT / "data/bytom_blocks.smbk"
    target.write_bytes(struct.pack("<4sHHI", b"SMBK", 1, BYTOM, len(items)) + b"".join(items))
    print(f"wrote {len(items)} blocks to {target}")


if __name__ == "__main__":
    main()

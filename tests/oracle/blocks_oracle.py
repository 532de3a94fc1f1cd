#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Independent verify.blocks jobs of BTTC and BTN: writes tests/vectors/jobs/verify_blocks.json, or with --check compares it.

Items and their verdicts are those of tests/vectors/bttc_checkpoint.json and btn_seal.json. Blobs, params, job ids,
answers, evidence and the tree are written here again from docs/formats.md, without a look at the C++; points of
secp256k1 and Keccak come from the oracle secp256k1.py, numbers of RSA from Python's integers.
"""
import json
import struct
import sys

import secp256k1
from batch_oracle import H, HERE, root

TARGET = HERE / "vectors" / "jobs" / "verify_blocks.json"
HALF = secp256k1.N // 2
BTTC_WORDS = """- valid other limit bad_length bad_address_padding wrong_chain discontinuous bad_range unknown_proposer
too_few_signatures bad_v high_s bad_signature unknown_signer duplicate_signer wrong_order below_threshold bad_payload unknown_header
block_out_of_span bad_block_proof bad_branch_mask bad_receipt_proof bad_receipt bad_log_index already_processed""".split()
BTN_WORDS = """- valid other limit bad_header wrong_parent committee_not_ready clerk_not_in_committee bad_draw_reference
bad_clerk_signature unsealed unknown_sealer own_seal bad_seal seal_zeros voter_not_in_committee duplicate_vote bad_vote votes_missing
same_hash bad_signature""".split()


def raw(text):
    return bytes.fromhex(text)


def sized(data):
    return struct.pack("<I", len(data)) + data


def amount(value):
    return int(value).to_bytes(16, "little")


class States:
    def __init__(self):
        self.list = []

    def index(self, state):
        if state not in self.list:
            self.list.append(state)
        return struct.pack("<I", self.list.index(state))


# -- BTTC: bytes of an item; its verdict, its own digest and its points

def validators(state):
    out = b"\1" + struct.pack("<QQQ", int(state["chain_id"]), int(state["epoch"]), int(state["staker_count"]))
    out += amount(state["total_stake"]) + struct.pack("<I", len(state["validators"]))
    for v in state["validators"]:
        standing = {"active": 1, "locked": 2}.get(v["status"], 0)
        out += raw(v["signer"]) + amount(v["amount"]) + amount(v["delegated"])
        out += struct.pack("<BQ", standing, int(v["deactivation_epoch"]))
    return out


def checkpoint(case, states):
    given, expect = case["in"], case["expect"]["contract_count"]
    data, end = raw(given["data"]), given["state"]["last_end"]
    item = b"\1" + states.index(validators(given["state"])) + struct.pack("<BBBQ", 0, 0, end is not None, int(end or 0))
    item += sized(data) + struct.pack("<I", len(given["sigs"])) + b"".join(raw(w) for sig in given["sigs"] for w in sig)
    digest, points = secp256k1.keccak256(b"\1" + data), b""
    for words in given["sigs"]:
        r, s, v = (int(w, 16) for w in words)
        v = v % 256 + (27 if v % 256 < 27 else 0)
        if s > HALF or v not in (27, 28):
            continue
        at = secp256k1.lift(r, v - 27) if 0 < r < secp256k1.N and s > 0 else None
        if at is None:
            points += bytes(33)
            continue
        w = pow(r, -1, secp256k1.N)
        u1, u2 = -int.from_bytes(digest, "big") * w % secp256k1.N, s * w % secp256k1.N
        points += secp256k1.encode(secp256k1.add(secp256k1.multiply(u1 >> 16, secp256k1.G), secp256k1.multiply(u2 >> 16, at)))
    return item, BTTC_WORDS.index("valid" if expect["ok"] else expect["reason"]), bytes(32), points


def rlp(data):
    """The payload of the first item, and what is behind it."""
    first = data[0]
    if first < 0x80:
        return data[:1], data[1:]
    base = 0x80 if first < 0xc0 else 0xc0
    size, skip = first - base, 1
    if size > 55:
        size, skip = int.from_bytes(data[1:1 + size - 55], "big"), 1 + size - 55
    return data[skip:skip + size], data[skip + size:]


def rlp_list(data, whole=False):
    out, rest = [], rlp(data)[0]
    while rest:
        payload, behind = rlp(rest)
        out.append(rest[:len(rest) - len(behind)] if whole else payload)
        rest = behind
    return out


def good_exit(case, states):
    given = case["in"]
    headers = sorted((int(n), h) for n, h in given["headers"].items())
    state = b"\2" + struct.pack("<I", len(headers))
    for number, h in headers:
        state += struct.pack("<Q", number) + raw(h["root"]) + struct.pack("<QQ", int(h["start"]), int(h["end"]))
    state += struct.pack("<I", len(given["processed"])) + b"".join(sorted(map(raw, given["processed"])))
    payload = raw(given["payload"])
    number, proof, block, time, tx, receipts, _, nodes, mask, log = rlp_list(payload)
    word = lambda value: bytes(32 - len(value)) + value
    trail = [secp256k1.keccak256(word(block) + word(time) + tx + receipts)]
    at = int.from_bytes(block, "big") - int(dict(headers)[int.from_bytes(number, "big")]["start"])
    for k in range(0, len(proof), 32):
        pair = (trail[-1], proof[k:k + 32])
        trail.append(secp256k1.keccak256(b"".join(pair if at % 2 == 0 else pair[::-1])))
        at //= 2
    trail += [secp256k1.keccak256(node) for node in rlp_list(nodes, whole=True)]
    nibbles = b"".join(bytes([b >> 4, b & 15]) for b in mask[1:])
    trail.append(secp256k1.keccak256(word(block) + nibbles + word(log)))
    return b"\2" + states.index(state) + sized(payload), 1, H(*trail), b""


# -- BTN

def power(n, signature):
    n, s = int.from_bytes(n, "big"), int.from_bytes(signature, "big")
    return pow(s, 2**15, n).to_bytes(256, "big") if s < n else bytes(256)


def draw(d):
    return struct.pack("<I", d["round"]) + sized(raw(d["n"])) + sized(raw(d["sig"]))


def block(case, states):
    given, expect, p = case["in"], case["expect"], case["in"]["params"]
    keys = [[raw(n) for n in p[role]] for role in ("primary", "secondary")]
    state = b"\1" + struct.pack("<IIIQBB", p["m1"], p["max_round"], p["m2"], p["wanted"], p["rule"] == "two_thirds", p["vote_form"])
    state += b"".join(struct.pack("<I", len(role)) + b"".join(role) for role in keys)
    header, seal = raw(given["header"]), given["seal"]
    item = b"\1" + states.index(state) + raw(p["parent_hash"]) + struct.pack("<Q", int(p["parent_height"])) + sized(header)
    item += sized(raw(given["clerk_sig"])) + struct.pack("<I", len(given["draws"])) + b"".join(map(draw, given["draws"]))
    item += (b"\1" + draw(seal) if seal else b"\0") + struct.pack("<I", len(given["votes"]))
    item += b"".join(sized(raw(v["n"])) + sized(raw(v["sig"])) for v in given["votes"])
    points = b""
    if expect["reason"] not in ("bad_header", "wrong_parent"):
        clerk = [n for n in keys[0] if H(n, struct.pack(">I", 65537)) == header[90:122]]
        asked = [(raw(d["n"]), raw(d["sig"])) for d in given["draws"] if raw(d["n"]) in keys[0] and d["round"] <= p["max_round"]]
        asked += [(n, raw(given["clerk_sig"])) for n in clerk]
        asked += [(raw(seal["n"]), raw(seal["sig"]))] if seal and raw(seal["n"]) in keys[1] else []
        asked += [(raw(v["n"]), raw(v["sig"])) for v in given["votes"] if raw(v["n"]) in keys[0]]
        points = b"".join(power(n, s) for n, s in asked if len(s) == 256)
    word = expect["reason"] or ("valid" if expect["state"] == 3 else "unsealed")
    return item, BTN_WORDS.index(word), bytes(32), points


def equivocation(case, _):
    given = case["in"]
    n, a, b = (raw(given[name]) for name in ("n", "sig_a", "sig_b"))
    item = b"\2" + given["type"].encode() + sized(n) + struct.pack("<Q", int(given["height"]))
    item += raw(given["hash_a"]) + sized(a) + raw(given["hash_b"]) + sized(b)
    word = "valid" if case["expect"]["ok"] else "same_hash" if given["hash_a"] == given["hash_b"] else "bad_signature"
    return item, BTN_WORDS.index(word), bytes(32), b"".join(power(n, s) for s in (a, b) if len(n) == len(s) == 256)


def job(name, chain, kinds):
    cases = json.loads((HERE / "vectors" / (name + ".json")).read_text())["cases"]
    cases = [c for c in cases if c["kind"] in kinds and (c["kind"] != "exit" or c["expect"]["ok"])]
    states, items = States(), []
    for c in cases:
        items.append(kinds[c["kind"]](c, states))
    blob = b"SMBK" + struct.pack("<HHII", 1, chain, len(items), len(states.list)) + b"".join(states.list)
    blob += b"".join(item for item, _, _, _ in items)
    params = struct.pack("<HHHHI", 1, 1, chain, 0, len(items))
    worker, lease, salt = H(b"worker"), H(b"lease")[:16], H(name.encode())[:16]
    canonical = struct.pack("<HQQQ", 5, 0, 0, 0) + sized(params) + struct.pack("<I", 1) + H(blob)
    shown = [H(worker, lease, H(b"sparkmill/block-work/v1", item[:1], own, points)) for item, _, own, points in items]
    leaves = [H(b"\0", struct.pack("<I", k), bytes([items[k][1]]), shown[k]) for k in range(len(items))]
    return {"vectors": name, "ids": [c["id"] for c in cases], "worker_pub": worker.hex(), "lease_id": lease.hex(),
            "job": (H(b"sparkmill/job/v1", salt, canonical)[:16] + salt + canonical).hex(),
            "answer": (struct.pack("<I", len(items)) + bytes(v for _, v, _, _ in items)).hex(),
            "evidence": b"".join(shown).hex(), "root": root(leaves).hex()}


def main():
    document = {"format": "sparkmill/verify_blocks/v1", "source": "tests/oracle/blocks_oracle.py", "licence": "own work",
                "cases": [job("bttc_checkpoint", 2, {"checkpoint": checkpoint, "exit": good_exit}),
                          job("btn_seal", 3, {"block": block, "equivocation": equivocation})]}
    text = json.dumps(document, indent=1) + "\n"
    if "--check" in sys.argv[1:]:
        if TARGET.read_text() != text:
            sys.exit(f"{TARGET} is not what the oracle computes")
        print(f"{TARGET.name}: as computed")
        return
    TARGET.write_text(text)
    print(f"wrote {TARGET}")


if __name__ == "__main__":
    main()

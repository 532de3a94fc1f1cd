# SPDX-License-Identifier: Apache-2.0
"""BTN evidence: draws, committees, block states, equivocation, orders and the command framing at their edges.

Written from the specification "Consensus evidence" 3.
"""
import hashlib
import json

from .rsa import E, make_key


def sha(b):
    return hashlib.sha256(b).digest()


def encoded(m):
    return b"\0\1" + b"\xff" * (253 - len(m)) + b"\0" + m


def valid(n, m, sig):
    if len(n) != 256 or n[0] < 128 or n[255] % 2 == 0 or len(sig) != 256:
        return False
    modulus, s = int.from_bytes(n, "big"), int.from_bytes(sig, "big")
    return s < modulus and pow(s, E, modulus) == int.from_bytes(encoded(m), "big")


def zeros(digest):
    return 256 - int.from_bytes(digest, "big").bit_length()


def u32(v):
    return v.to_bytes(4, "big")


def u64(v):
    return v.to_bytes(8, "big")


def key_id(n):
    return sha(n + u32(E))


def seal_text(block, r):
    return block if r == 0 else block + u32(r) + b"S"


class Key:
    def __init__(self, rng):
        self.n, self.d = make_key(rng)
        self.raw = self.n.to_bytes(256, "big")
        self.id = key_id(self.raw)

    def sign(self, m):
        return pow(int.from_bytes(encoded(m), "big"), self.d, self.n).to_bytes(256, "big")

    def draw(self, previous, r):
        return {"n": self.raw.hex(), "round": r, "sig": self.sign(previous + u32(r)).hex()}


def rank(d):
    """(ok, digest) of a draw's signature."""
    return bytes.fromhex(d["sig"])


def checked(previous, d, m1, max_round):
    n, sig = bytes.fromhex(d["n"]), bytes.fromhex(d["sig"])
    well = valid(n, previous + u32(d["round"]), sig)
    digest = sha(sig)
    reason = "bad_round" if d["round"] > max_round else "bad_signature" if not well else "too_few_zeros" if zeros(digest) < m1 else ""
    return reason, well, digest


def committee(previous, draws, m1, max_round, wanted, allowed=None):
    best = {}
    for d in draws:
        reason, _, digest = checked(previous, d, m1, max_round)
        n = bytes.fromhex(d["n"])
        if reason or (allowed is not None and n not in allowed):
            continue
        if key_id(n) not in best or d["round"] < best[key_id(n)][0]:
            best[key_id(n)] = (d["round"], digest)
    if len(best) < wanted:
        return None, 0
    closing = sorted(r for r, _ in best.values())[wanted - 1]
    return {i: v for i, v in sorted(best.items()) if v[0] <= closing}, closing


def block(p, header, clerk_sig, draws, seal, votes):
    """(state, reason)."""
    if len(header) != 154 or header[:4] != b"BTNB" or header[4:6] != b"\0\1":
        return 0, "bad_header"
    height, previous = int.from_bytes(header[6:14], "big"), header[14:46]
    if previous.hex() != p["parent_hash"] or height != p["parent_height"] + 1:
        return 0, "wrong_parent"
    primary, secondary = ({bytes.fromhex(k) for k in p[w]} for w in ("primary", "secondary"))
    members, _ = committee(previous, draws, p["m1"], p["max_round"], p["wanted"], primary)
    if members is None:
        return 0, "committee_not_ready"
    clerk, h = header[90:122], sha(header)
    if clerk not in members:
        return 0, "clerk_not_in_committee"
    if members[clerk] != (int.from_bytes(header[86:90], "big"), header[122:154]):
        return 0, "bad_draw_reference"
    n = next(k for k in primary if key_id(k) == clerk)
    if not valid(n, h + u64(height) + b"B", clerk_sig):
        return 0, "bad_clerk_signature"
    if seal is None:
        return 1, ""
    n, sig = bytes.fromhex(seal["n"]), bytes.fromhex(seal["sig"])
    if n not in secondary:
        return 1, "unknown_sealer"
    if key_id(n) == clerk:
        return 1, "own_seal"
    if seal["round"] > p["max_round"] or not valid(n, seal_text(h, seal["round"]), sig):
        return 1, "bad_seal"
    if zeros(sha(sig)) < p["m2"]:
        return 1, "seal_zeros"
    voted = set()
    for v in votes:
        n = bytes.fromhex(v["n"])
        if n not in primary or key_id(n) not in members:
            return 2, "voter_not_in_committee"
        if n in voted:
            return 2, "duplicate_vote"
        if not valid(n, h if p["vote_form"] == 0 else h + u64(height) + b"V", bytes.fromhex(v["sig"])):
            return 2, "bad_vote"
        voted.add(n)
    need = len(members) if p["rule"] == "unanimous" else 2 * len(members) // 3 + 1
    return (3, "") if len(voted) >= need else (2, "votes_missing")


def frames(flag, data):
    commands = []
    while True:
        if len(data) >= 4 and data[:4] != u32(flag):
            return commands, "bad_flag"
        if len(data) < 8:
            return commands, "incomplete" if data else ""
        n = int.from_bytes(data[4:8], "big")
        if n == 0 or n > 2**20:
            return commands, "bad_length"
        if len(data) < 8 + n:
            return commands, "incomplete"
        body, data = data[8:8 + n], data[8 + n:]
        try:
            body = body.decode("utf-8")
        except UnicodeDecodeError:
            return commands, "bad_utf8"
        at = body.find("{")
        name, param = (body, "") if at < 0 else (body[:at], body[at:])
        if not name:
            return commands, "empty_name"

        def refuse(_):
            raise ValueError
        kind = "none"
        if at >= 0:
            try:
                kind = "object" if isinstance(json.loads(param.strip(" \t\r\n"), parse_constant=refuse, parse_int=str, parse_float=str), dict) else "invalid"
            except ValueError:
                kind = "invalid"
        commands.append({"name": name, "param_text": param, "param": kind})


def files(rng, scale):
    cases = []

    def put(kind, why, item, expect):
        cases.append({"id": len(cases) + 1, "kind": kind, "why": why, "in": item, "expect": expect})

    for bits in list(range(0, 256, 9)) + [255]:
        h = (rng.getrandbits(256) | 1 << 255) >> bits
        put("leading_zeros", "", {"hash": h.to_bytes(32, "big").hex()}, {"zeros": bits})
    for _ in range(60):
        n, w = rng.choice((0, 1, 2, 3, 2**32, 2**63, 2**64 - 1, rng.getrandbits(64), rng.getrandbits(20))), rng.choice((1, 2, 3, 20, 2**32, 2**63, 2**64 - 1, rng.getrandbits(30) + 1))
        z = 0
        while w * 2**(z + 1) <= n:
            z += 1
        put("zeros_for", "", {"nodes": str(n), "wanted": str(w)}, {"z": z})
    keys = [Key(rng) for _ in range(5)]
    # draws
    for _ in range(25 * scale):
        k, previous, r = rng.choice(keys), rng.randbytes(32), rng.choice((0, 1, 255, 256, 2**32 - 1, rng.getrandbits(32)))
        d = k.draw(previous, r)
        how = rng.randrange(12)
        s = int(d["sig"], 16)
        d["sig"] = {0: (s ^ 1 << rng.randrange(2040)).to_bytes(256, "big").hex(), 1: (k.n - s).to_bytes(256, "big").hex(), 2: (s + k.n).to_bytes(257, "big").hex(), 3: d["sig"][2:], 4: "00" + d["sig"], 5: "",
                    6: k.sign(previous + r.to_bytes(4, "little")).hex(), 7: k.sign(previous).hex()}.get(how, d["sig"])
        if how == 2 and s + k.n < 2**2048:
            d["sig"] = (s + k.n).to_bytes(256, "big").hex()
        if how == 8:
            d["n"] = rng.choice((d["n"][2:], "00" + d["n"], "", (k.n + 1).to_bytes(256, "big").hex(), rng.choice(keys).raw.hex()))
        if how == 9:
            d["round"] ^= 1
        max_round, m1 = rng.choice((r, 2**32 - 1, max(r - 1, 0), 0)), rng.choice((0, zeros(sha(bytes.fromhex(d["sig"]))), zeros(sha(bytes.fromhex(d["sig"]))) + 1))
        reason, well, digest = checked(previous, d, m1, max_round)
        expect = {"ok": not reason, "reason": reason}
        if well:
            expect.update(digest=digest.hex(), zeros=zeros(digest))
        put("draw", f"{how}", {**d, "prev_hash": previous.hex(), "max_round": max_round, "m1": m1}, expect)
    # blocks, committees and orders on a few draws each
    for _ in range(20 * scale):
        previous, tops = rng.randbytes(32), rng.choice((0, 2, 6))
        some = rng.sample(keys, rng.randrange(2, 6))
        draws = [k.draw(previous, rng.randrange(tops + 1)) for k in some]
        draws += [rng.choice(some).draw(previous, rng.randrange(tops + 1)) for _ in range(rng.randrange(2))]
        odd = rng.randrange(6)
        if odd == 0:
            draws.append(dict(rng.choice(draws)))
        if odd == 1:
            draws[0]["round"] += 1
        if odd == 2:
            draws[0]["sig"] = draws[-1]["sig"]
        rng.shuffle(draws)
        m1, max_round, wanted = rng.choice((0, 0, 0, 1)), rng.choice((tops, 99, max(tops - 1, 0))), rng.choice((1, 2, len(some), len(some) + 1))
        members, closing = committee(previous, draws, m1, max_round, wanted)
        put("committee", "drawn", {"prev_hash": previous.hex(), "m1": m1, "max_round": max_round, "wanted": wanted, "draws": draws},
            {"ok": members is not None, "members": [i.hex() for i in members or ()], "closing_round": closing})
        good = [d for d in draws if not checked(previous, d, 0, 2**32 - 1)[0]]
        order = sorted(range(len(good)), key=lambda i: (good[i]["round"], -zeros(sha(bytes.fromhex(good[i]["sig"]))), sha(bytes.fromhex(good[i]["sig"]))))
        put("draw_priority", "drawn", {"prev_hash": previous.hex(), "m1": 0, "draws": good}, {"order": order})
        # a block on these draws
        height = rng.choice((1, 2**32, 2**63, 2**64 - 1))
        p = {"m1": m1, "m2": rng.choice((0, 0, 1, 2)), "max_round": max_round, "wanted": wanted, "rule": rng.choice(("unanimous", "two_thirds")), "vote_form": rng.choice((0, 1, 1)),
             "primary": [k.raw.hex() for k in rng.sample(some, len(some) - (rng.random() < .2))], "secondary": [k.raw.hex() for k in rng.sample(keys, 3)], "parent_hash": previous.hex(), "parent_height": height - 1}
        clerk = rng.choice(some)
        own = [d for d in draws if d["n"] == clerk.raw.hex()] or draws
        ref = min(own, key=lambda d: d["round"]) if rng.random() < .9 else rng.choice(draws)
        header = b"BTNB\0\1" + u64(height) + previous + rng.randbytes(32) + u64(rng.getrandbits(40)) + u32(ref["round"]) + clerk.id + sha(bytes.fromhex(ref["sig"]))
        bend = rng.randrange(30)
        if bend == 0:
            header = rng.choice((header[:-1], header + b"\0", b"BTNC" + header[4:], header[:4] + b"\0\2" + header[6:], b""))
        if bend == 1:
            p["parent_height"] = rng.choice((height, max(height - 2, 0), 2**64 - 1))
        if bend == 2:
            p["parent_hash"] = rng.randbytes(32).hex()
        h = sha(header)
        clerk_sig = (rng.choice(keys) if bend == 3 else clerk).sign(h + u64(height) + (b"V" if bend == 4 else b"B"))
        sealer, r = rng.choice(keys if rng.random() < .3 else [k for k in keys if k.raw.hex() in p["secondary"]]), rng.choice((0, 1, max_round, max_round + 1))
        seal = {"n": sealer.raw.hex(), "round": r, "sig": sealer.sign(seal_text(h, r) if bend != 5 else h + u32(r)).hex()} if bend != 6 else None
        if seal and bend == 7:
            seal["round"] ^= 1
        voters = rng.sample(some, rng.choice((len(some), len(some), max(len(some) - 1, 0), 1)))
        members, _ = committee(previous, draws, m1, max_round, wanted, {bytes.fromhex(k) for k in p["primary"]})
        if members and rng.random() < .7:
            voters = [k for k in some if k.id in members][:rng.choice((9, 9, 9, 2))]
        if bend == 8 and voters:
            voters.append(voters[0])
        text = h if p["vote_form"] == 0 else h + u64(height) + b"V"
        votes = [{"n": k.raw.hex(), "sig": k.sign(text).hex()} for k in voters]
        if bend == 9 and votes:
            votes[-1]["sig"] = votes[-1]["sig"][:-2] + "00"
        if bend == 10 and votes:
            votes[0] = {"n": voters[0].raw.hex(), "sig": voters[0].sign(h + u64(height) + b"V" if p["vote_form"] == 0 else h).hex()}
        state, reason = block(p, header, clerk_sig, draws, seal, votes)
        item = {"params": p, "header": header.hex(), "clerk_sig": clerk_sig.hex(), "draws": draws, "seal": seal, "votes": votes}
        put("block", f"bend {bend}", item, {"state": state, "reason": reason})
    for _ in range(6 * scale):
        blocks = [{"seal_round": rng.randrange(2), "seal_zeros": rng.randrange(2), "draw_round": rng.randrange(2), "draw_zeros": rng.randrange(2), "draw_digest": rng.choice((bytes(32), b"\xff" * 32)).hex(), "block_hash": rng.randbytes(32).hex()} for _ in range(12)]
        order = sorted(range(12), key=lambda i: (blocks[i]["seal_round"], -blocks[i]["seal_zeros"], blocks[i]["draw_round"], -blocks[i]["draw_zeros"], blocks[i]["draw_digest"], blocks[i]["block_hash"]))
        put("block_priority", "drawn", {"blocks": blocks}, {"order": order})
    for _ in range(12 * scale):
        k, a, b, height, role = rng.choice(keys), rng.randbytes(32), rng.randbytes(32), rng.choice((0, 7, 2**64 - 1)), rng.choice("VB")
        how = rng.randrange(8)
        if how == 0:
            b = a
        other = {"V": "B", "B": "V"}[role]
        sig_a = k.sign(a + u64(height) + role.encode())
        sig_b = (rng.choice(keys) if how == 1 else k).sign({2: b + u64(height ^ 1) + role.encode(), 3: b + u64(height) + other.encode(), 4: b, 5: b + u32(1) + b"S"}.get(how, b + u64(height) + role.encode()))
        ok = a != b and valid(k.raw, a + u64(height) + role.encode(), sig_a) and valid(k.raw, b + u64(height) + role.encode(), sig_b)
        put("equivocation", f"{how}", {"type": role, "n": k.raw.hex(), "height": height, "hash_a": a.hex(), "sig_a": sig_a.hex(), "hash_b": b.hex(), "sig_b": sig_b.hex()}, {"ok": ok})
    # frames
    flag = 0x42544E43
    texts = [b"ping", b"a{}", b"a{ }", b"a{}\n", b"a{} ", b"a{}x", b"a{}{}", b"a {}", b" {}", b"{}", b"{", b"a{", b"a}", b"a{\"k\":1}", b"a{\"k\":01}", b"a{\"k\":-0}", b"a{\"k\":-}", b"a{\"k\":1.}", b"a{\"k\":.5}", b"a{\"k\":1e5}", b"a{\"k\":1E+5}",
             b"a{\"k\":1e}", b"a{\"k\":+1}", b"a{\"k\":0x1}", b"a{\"k\":Infinity}", b"a{\"k\":-Infinity}", b"a{\"k\":null,\"k\":true}", b"a{\"k\":nul}", b"a{\"k\":True}", b"a{'k':1}", b"a{k:1}", b"a{\"k\":1,}", b"a{,}", b"a{\"k\"}", b"a{\"k\":}", b"a{\"k\":[1,]}",
             b"a{\"k\":[]}", b"a{\"k\":[1,2,{}]}", b"a{\"k\":[1 2]}", b"a{\"\\u0000\":\"\\ud800\"}", b"a{\"k\":\"\\x\"}", b"a{\"k\":\"\\u12\"}", b"a{\"k\":\"\\u12G4\"}", b"a{\"k\":\"\t\"}", b"a{\"k\":\"\x00\"}", b"a{\"k\":\"\x7f\"}", b"a{\"k\":\"\\/\\b\\f\\n\\r\\t\\\\\\\"\"}", b"a{\"k\":\"", b"a{\"k\":\"\\\"}",
             b"a{}//x", b"a{/**/}", b"a{\"k\":1}\x00", b"\xef\xbb\xbfa{}", b"a\xef\xbb\xbf{}", b"a{\xef\xbb\xbf}", b"a{}\x0b", b"a{}\xc2\xa0", "ä{\"ö\":\"😀\"}".encode(), b"a\x00{}", b"\x00", b"a{\"k\":" + b"9" * 5000 + b"}", b"a{\"k\":" + b"[" * 900 + b"]" * 900 + b"}",
             b"a{\"k\":1e999}", b"a\xc0\x80", b"a\xc1\xbf", b"a\xe0\x80\x80", b"a\xe0\x9f\xbf", b"a\xe0\xa0\x80", b"a\xed\x9f\xbf", b"a\xed\xa0\x80", b"a\xed\xbf\xbf", b"a\xee\x80\x80", b"a\xf0\x80\x80\x80", b"a\xf0\x8f\xbf\xbf", b"a\xf0\x90\x80\x80", b"a\xf4\x8f\xbf\xbf", b"a\xf4\x90\x80\x80", b"a\xf5\x80\x80\x80",
             b"a\xff", b"a\xfe", b"a\x80", b"a\xe2\x82", b"a\xe2\x28\xa1", b"a\xef\xbf\xbf", b"a\xf8\x88\x80\x80\x80", b"a\xc2", b"a\xf0\x9f\x98", b"x" * 3000]
    whole = []
    for t in texts:
        whole.append(u32(flag) + u32(len(t)) + t)
    streams = list(whole) + [b"", whole[0][:3], b"BTNX", b"BTN", whole[0] + b"B", whole[0] + b"X", whole[0] + b"XXXX", u32(flag) + u32(0), u32(flag) + u32(2**20 + 1), u32(flag) + u32(2**31), u32(flag) + u32(2**32 - 1), u32(flag) + u32(2**20), u32(flag) + u32(2**20) + b"a" * 2**20,
                             u32(flag) + u32(2**20) + b"b" * (2**20 - 1), b"".join(rng.sample(whole[:40], 12)), b"".join(whole[:8]) + whole[0][:6]]
    for s in streams:
        cuts = sorted(rng.randrange(len(s) + 1) for _ in range(rng.randrange(5)))
        chunks = [s[a:b] for a, b in zip([0] + cuts, cuts + [len(s)])]
        if len(s) < 60:
            chunks = rng.choice((chunks, [s[i:i + 1] for i in range(len(s))]))
        commands, end = frames(flag, s)
        put("frame", s[8:40].hex(), {"chunks": [c.hex() for c in chunks]}, {"commands": commands, "end": end})
    commands, end = frames(0xDEADBEEF, u32(0xDEADBEEF) + u32(1) + b"a" + whole[0])
    put("frame", "another flag", {"flag": 0xDEADBEEF, "chunks": [(u32(0xDEADBEEF) + u32(1) + b"a" + whole[0]).hex()]}, {"commands": commands, "end": end})
    return {"btn.json": {"source": "tests/oracle/edges/btn.py", "cases": cases}}

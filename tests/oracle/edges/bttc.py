# SPDX-License-Identifier: Apache-2.0
"""BTTC evidence: signers, checkpoints in four columns, span roots and proofs, exits, trie walks and events at their edges.

Written from the specification "Consensus evidence" 2.
"""
from .keccak import keccak256
from .secp256k1 import N, P, address, b32, mul, recover, sign, x_off_curve


def word(n):
    return n.to_bytes(32, "big")


def recovered(h, r, s, v):
    """An address, "zero" or "revert"."""
    if s > N // 2:
        return "zero"
    v &= 255
    v = v + 27 if v < 27 else v
    if v not in (27, 28):
        return "zero"
    if not 1 <= r < N or not 1 <= s < N:
        return "revert"
    q = recover(r, s, h, v - 27)
    return address(q) if q else "revert"


# -- RLP

def rlp(x):
    if isinstance(x, list):
        body = b"".join(map(rlp, x))
        return head(0xc0, len(body)) + body
    return x if len(x) == 1 and x[0] < 128 else head(0x80, len(x)) + x


def head(base, n):
    if n < 56:
        return bytes([base + n])
    size = n.to_bytes((n.bit_length() + 7) // 8, "big")
    return bytes([base + 55 + len(size)]) + size


def num(n):
    return n.to_bytes((n.bit_length() + 7) // 8, "big")


class Bad(Exception):
    pass


def take(data, at):
    """(item, next): strings as bytes, lists as lists; only the shortest form."""
    if at >= len(data):
        raise Bad
    b = data[at]
    if b < 0x80:
        return data[at:at + 1], at + 1
    kind, code = (0x80, b - 0x80) if b < 0xc0 else (0xc0, b - 0xc0)
    at += 1
    if code > 55:
        k = code - 55
        if at + k > len(data) or data[at] == 0:
            raise Bad
        n = int.from_bytes(data[at:at + k], "big")
        at += k
        if n < 56:
            raise Bad
    else:
        n = code
    if at + n > len(data):
        raise Bad
    end = at + n
    if kind == 0x80:
        if n == 1 and data[at] < 128:
            raise Bad
        return data[at:end], end
    out = []
    while at < end:
        item, at = take(data[:end], at)
        out.append(item)
    return out, end


def unrlp(data):
    item, at = take(data, 0)
    if at != len(data):
        raise Bad
    return item


def spans(data):
    """The items of a list as they are written."""
    item, _ = take(data, 0)
    if not isinstance(item, list):
        raise Bad
    return [rlp(i) for i in item]


# -- span roots

def leaf(h):
    return keccak256(word(h["number"]) + word(h["time"]) + bytes.fromhex(h["tx_root"]) + bytes.fromhex(h["receipts_root"]))


def levels(leaves):
    nodes = list(leaves)
    while len(nodes) & (len(nodes) - 1):
        nodes.append(bytes(32))
    out = [nodes]
    while len(nodes) > 1:
        nodes = [keccak256(nodes[i] + nodes[i + 1]) for i in range(0, len(nodes), 2)]
        out.append(nodes)
    return out


def block_proof(header, start, end, root, proof):
    n = header["number"]
    if not start <= n <= end:
        return "block_out_of_span"
    if len(proof) != 32 * (end - start).bit_length():
        return "bad_block_proof"
    at, node = n - start, leaf(header)
    for k in range(0, len(proof), 32):
        mate = proof[k:k + 32]
        node = keccak256(mate + node) if at & 1 else keccak256(node + mate)
        at >>= 1
    return "" if node == root else "bad_block_proof"


def account_root(accounts):
    nodes = [keccak256(bytes(12) + u + word(f)) for u, f in sorted(accounts)]
    while True:
        if len(nodes) % 2:
            nodes.append(nodes[-1])
        nodes = [keccak256(nodes[i] + nodes[i + 1]) for i in range(0, len(nodes), 2)]
        if len(nodes) == 1:
            return nodes[0]


# -- tries

def nibbles(key):
    return [n for b in key for n in (b >> 4, b & 15)]


def prefix(path, is_leaf):
    flag = 2 * is_leaf
    path = [flag + 1] + path if len(path) % 2 else [flag, 0] + path
    return bytes(16 * a + b for a, b in zip(path[::2], path[1::2]))


def trie(items, depth=0):
    """The tree of (nibbles, value) as nested nodes; None when empty."""
    if not items:
        return None
    if len(items) == 1:
        return ("leaf", items[0][0][depth:], items[0][1])
    common = 0
    while all(len(i[0]) > depth + common for i in items) and len({i[0][depth + common] for i in items}) == 1:
        common += 1
    if common:
        return ("ext", items[0][0][depth:depth + common], trie(items, depth + common))
    value = next((v for k, v in items if len(k) == depth), b"")
    return ("branch", [trie([i for i in items if len(i[0]) > depth and i[0][depth] == n], depth + 1) for n in range(16)], value)


def node(t):
    if t[0] == "leaf":
        return [prefix(t[1], 1), t[2]]
    if t[0] == "ext":
        return [prefix(t[1], 0), ref(t[2])]
    return [ref(c) if c else b"" for c in t[1]] + [t[2]]


def ref(t):
    body = node(t)
    return keccak256(rlp(body)) if len(rlp(body)) >= 32 else body


def path_nodes(t, path):
    out = [node(t)]
    while t[0] != "leaf":
        if t[0] == "ext":
            path, t = path[len(t[1]):], t[2]
        elif not path:
            break
        else:
            path, t = path[1:], t[1][path[0]]
        if t is None:
            break
        if isinstance(ref(t), bytes):
            out.append(node(t))
    return out


def walk(root, key, value, data):
    """The reason, or nothing; nodes and their order as 2.6 says."""
    try:
        nodes = unrlp(data)
    except Bad:
        return "bad_node"
    if not isinstance(nodes, list):
        return "bad_node"
    path, want, done = nibbles(key), root, False
    for n in nodes:
        if done:
            return "bad_node"
        if keccak256(rlp(n)) != want:
            return "bad_node_hash"
        if not isinstance(n, list) or len(n) not in (2, 17):
            return "bad_node"
        if len(n) == 17:
            if not path:
                if n[16] != value:
                    return "bad_value"
                done = True
                continue
            nxt, path = n[path[0]], path[1:]
        else:
            p = n[0]
            if not isinstance(p, bytes) or not p or p[0] >> 4 > 3:
                return "bad_node"
            flag, rest = p[0] >> 4, nibbles(p)[1:]
            if flag % 2 == 0:
                if rest[0]:
                    return "bad_node"
                rest = rest[1:]
            if flag < 2 and not rest:
                return "bad_node"
            if path[:len(rest)] != rest:
                return "bad_path"
            path = path[len(rest):]
            if flag >= 2:
                if path:
                    return "bad_path"
                if n[1] != value:
                    return "bad_value"
                done = True
                continue
            nxt = n[1]
        if not isinstance(nxt, bytes) or len(nxt) != 32:
            return "bad_ref"
        want = nxt
    return "" if done else "proof_too_short"


# -- exits

def canonical_number(b):
    return isinstance(b, bytes) and len(b) <= 32 and b[:1] != b"\0"


def receipt_logs(raw):
    """Number of logs, or None: bad_receipt."""
    if raw and raw[0] < 0x80:
        raw = raw[1:]
    try:
        r = unrlp(raw)
    except Bad:
        return None
    if not isinstance(r, list) or len(r) != 4:
        return None
    status, gas, bloom, logs = r
    if status not in (b"", b"\1") and not (isinstance(status, bytes) and len(status) == 32):
        return None
    if not canonical_number(gas) or not isinstance(bloom, bytes) or len(bloom) != 256 or not isinstance(logs, list):
        return None
    for log in logs:
        if not isinstance(log, list) or len(log) != 3 or not isinstance(log[0], bytes) or len(log[0]) != 20 or not isinstance(log[2], bytes):
            return None
        if not isinstance(log[1], list) or len(log[1]) > 4 or any(not isinstance(t, bytes) or len(t) != 32 for t in log[1]):
            return None
    return len(logs)


def exit_answer(headers, processed, payload):
    def no(reason):
        return {"ok": False, "reason": reason, "exit_hash": ""}

    try:
        f = unrlp(payload)
        if not isinstance(f, list) or len(f) != 10 or any(not isinstance(i, bytes) for i in f):
            raise Bad
        if not all(canonical_number(f[i]) for i in (0, 2, 3, 9)) or len(f[4]) != 32 or len(f[5]) != 32:
            raise Bad
        nodes = unrlp(f[7])
        if not isinstance(nodes, list) or any(not isinstance(n, list) for n in nodes):
            raise Bad
    except Bad:
        return no("bad_payload")
    header, number, time, index = (int.from_bytes(f[i], "big") for i in (0, 2, 3, 9))
    stored = headers.get(str(header))
    if stored is None:
        return no("unknown_header")
    reason = block_proof({"number": number, "time": time, "tx_root": f[4].hex(), "receipts_root": f[5].hex()}, stored["start"], stored["end"],
                         bytes.fromhex(stored["root"]), f[1])
    if reason:
        return no(reason)
    mask = f[8]
    try:
        if len(mask) < 2 or mask[0]:
            raise Bad
        tx = unrlp(mask[1:])
        if not canonical_number(tx) or int.from_bytes(tx, "big") >= 2**32:
            raise Bad
    except Bad:
        return no("bad_branch_mask")
    if walk(f[5], mask[1:], f[6], f[7]):
        return no("bad_receipt_proof")
    logs = receipt_logs(f[6])
    if logs is None:
        return no("bad_receipt")
    if index >= logs:
        return no("bad_log_index")
    exit_id = keccak256(word(number) + bytes(nibbles(mask[1:])) + word(index)).hex()
    if exit_id in processed:
        return {"ok": False, "reason": "already_processed", "exit_hash": exit_id}
    return {"ok": True, "reason": "", "exit_hash": exit_id}


# -- checkpoints

def columns(state, data, sigs):
    active = {}
    for v in state["validators"]:
        if v["amount"] > 0 and v["status"] == "active" and (v["deactivation_epoch"] == 0 or v["deactivation_epoch"] > state["epoch"]):
            active[bytes.fromhex(v["signer"])] = v["amount"] + v["delegated"]
    h = int.from_bytes(keccak256(b"\1" + data), "big")
    entries = [tuple(int(x, 16) for x in s) for s in sigs]
    signers = [recovered(h, *e) for e in entries]
    words = [int.from_bytes(data[i:i + 32], "big") for i in range(0, len(data) - 31, 32)]
    expected_start = 0 if state["last_end"] is None else state["last_end"] + 1

    def contract(rule):
        if len(data) < 192:
            return False, "bad_length", 0
        if words[5] != state["chain_id"]:
            return False, "wrong_chain", 0
        if words[1] != expected_start:
            return False, "discontinuous", 0
        if words[2] < words[1]:
            return False, "bad_range", 0
        need = 2 * state["staker_count"] // 3 + 1
        if rule == "count" and len(entries) < need:
            return False, "too_few_signatures", 0
        last, count, power = bytes(20), 0, 0
        for s in signers:
            if s == "revert":
                return False, "bad_signature", count
            a = bytes(20) if s == "zero" else bytes.fromhex(s)
            if a == last:
                continue
            if a < last:
                break
            if a in active:
                count, power, last = count + 1, power + active[a], a
        enough = count >= need if rule == "count" else power >= 2 * state["total_stake"] // 3 + 1
        return enough, "" if enough else "below_threshold", count

    def canonical(rule):
        if len(data) not in (192, 224):
            return False, "bad_length", 0
        if any(data[:12]):
            return False, "bad_address_padding", 0
        if words[5] != state["chain_id"]:
            return False, "wrong_chain", 0
        if words[1] != expected_start:
            return False, "discontinuous", 0
        if not words[1] < words[2] < 2**64 or words[2] - words[1] + 1 > 32768:
            return False, "bad_range", 0
        if data[12:32] not in active:
            return False, "unknown_proposer", 0
        last, count, power = None, 0, 0
        for (r, s, v), who in zip(entries, signers):
            if v not in (27, 28):
                return False, "bad_v", count
            if s > N // 2:
                return False, "high_s", count
            if who in ("revert", "zero"):
                return False, "bad_signature", count
            a = bytes.fromhex(who)
            if a not in active:
                return False, "unknown_signer", count
            if a == last:
                return False, "duplicate_signer", count
            if last is not None and a < last:
                return False, "wrong_order", count
            count, power, last = count + 1, power + active[a], a
        enough = count >= 2 * state["staker_count"] // 3 + 1 if rule == "count" else power >= 2 * state["total_stake"] // 3 + 1
        return enough, "" if enough else "below_threshold", count

    return {f"{name}_{rule}": dict(zip(("ok", "reason", "signed"), f(rule))) for name, f in (("contract", contract), ("canonical", canonical)) for rule in ("count", "stake")}


def files(rng, scale):
    cases = []

    def put(kind, why, item, expect):
        cases.append({"id": len(cases) + 1, "kind": kind, "why": why, "in": item, "expect": expect})

    # signers
    edges = [0, 1, N // 2, N // 2 + 1, N - 1, N, N + 1, P - 1, P, 2**256 - 1, x_off_curve(3)]
    for _ in range(40 * scale):
        d, h = rng.randrange(1, N), rng.randrange(2**256)
        r, s, recid = sign(rng, d, h)
        if s > N // 2:
            s, recid = N - s, recid ^ 1
        v = rng.choice([recid, recid + 27, recid ^ 1, 2, 3, 26, 27, 28, 29, 30, 255, 256 + 27 + recid, 2**255 + recid, 0x1b00, 283])
        r, s = rng.choice([r, r, r, rng.choice(edges)]), rng.choice([s, s, s, N - s, rng.choice(edges)])
        put("recover", "edges", {"hash": b32(h).hex(), "sig": [b32(r).hex(), b32(s).hex(), b32(v).hex()]}, {"contract": recovered(h, r, s, v)})
    # checkpoints
    for _ in range(40 * scale):
        n = rng.choice((1, 2, 3, 4, 5, 6, 7, 9, 12))
        secrets = sorted((rng.randrange(1, N) for _ in range(n + 1)), key=lambda d: address(mul(d)))
        stranger = secrets.pop(rng.randrange(n + 1))
        validators = [{"signer": address(mul(d)), "amount": rng.choice((1, 5, 5, 10**12)), "delegated": rng.choice((0, 3)), "status": "active", "deactivation_epoch": 0} for d in secrets]
        state = {"validators": validators, "epoch": 40, "chain_id": 199, "last_end": rng.choice((None, 0, 999, 2**63 - 5)), "staker_count": n, "total_stake": 0}
        for v in validators:
            if rng.random() < .12:
                v.update(rng.choice(({"amount": 0}, {"status": "locked"}, {"status": "inactive"}, {"deactivation_epoch": 40}, {"deactivation_epoch": 41}, {"deactivation_epoch": 39})))
        state["total_stake"] = sum(v["amount"] + v["delegated"] for v in validators)
        start = 0 if state["last_end"] is None else state["last_end"] + 1
        end = start + 255
        w = [int(validators[0]["signer"], 16), start, end, rng.getrandbits(256), rng.getrandbits(256), 199] + rng.choice(([], [7]))
        how = rng.randrange(24)
        if how == 0:
            w[1] = rng.choice((start + 1, max(start - 1, 0), start + 2**64, start + 2**255))
        if how == 1:
            w[2] = rng.choice((start, start - 1 if start else 0, start + 1, start + 32767, start + 32768, 2**64 - 1, 2**64, 2**256 - 1))
        if how == 2:
            w[5] = rng.choice((1029, 0, 199 + 2**64, 199 + 2**128))
        if how == 3:
            w[0] = rng.choice((w[0] + 2**160, w[0] + 2**255, 0, int(address(mul(stranger)), 16)))
        data = b"".join(map(word, w))
        if how == 4:
            data = rng.choice((data[:160], data[:191], data[:192], data + bytes(1), data + bytes(32), data[:193], b"", data[:223]))
        h = int.from_bytes(keccak256(b"\1" + data), "big")
        chosen = [d for d in secrets if rng.random() < rng.choice((.75, .95, 1))]
        if rng.random() < .15:
            chosen = sorted(chosen + [stranger], key=lambda d: address(mul(d)))
        if rng.random() < .15 and chosen:
            chosen.insert(rng.randrange(len(chosen)), rng.choice(chosen))
        if rng.random() < .15:
            rng.shuffle(chosen)
        sigs = []
        for d in chosen:
            r, s, recid = sign(rng, d, h)
            if s > N // 2:
                s, recid = N - s, recid ^ 1
            v = recid + 27
            odd = rng.randrange(40)
            if odd == 0:
                s, v = N - s, 55 - v
            if odd == 1:
                v = rng.choice((recid, v + 256, 29, 0, 26, v + 2**200))
            if odd == 2:
                r = rng.choice((0, N, r ^ 1, P, x_off_curve(7)))
            if odd == 3:
                s = rng.choice((0, 1, N // 2, N // 2 + 1, N))
            sigs.append([b32(r).hex(), b32(s).hex(), b32(v).hex()])
        if rng.random() < .05:
            sigs.insert(0, [b32(1).hex(), b32(N - 1).hex(), b32(27).hex()])
        put("checkpoint", f"{n} validators, {len(sigs)} entries", {"state": state, "data": data.hex(), "sigs": sigs}, columns(state, data, sigs))
    # roots and proofs
    for n in list(range(1, 10)) + [15, 16, 17, 33][:2 + 2 * scale]:
        start = rng.choice((0, 1, 2**40, 12345))
        headers = [{"number": start + i, "time": rng.randrange(2**40), "tx_root": rng.randbytes(32).hex(), "receipts_root": rng.randbytes(32).hex()} for i in range(n)]
        tree = levels([leaf(h) for h in headers])
        root = tree[-1][0]
        put("block_root", f"{n} blocks", {"headers": headers}, {"leaves": [leaf(h).hex() for h in headers], "root": root.hex()})
        accounts = [(rng.randbytes(20), rng.choice((0, 1, 2**64, 2**256 - 1, rng.getrandbits(90)))) for _ in range(n)]
        put("account_root", f"{n} accounts", {"accounts": [{"user": u.hex(), "fee": str(f)} for u, f in accounts]}, {"root": account_root(accounts).hex()})
        for i in {0, n - 1, rng.randrange(n)}:
            proof = b"".join(tree[d][i >> d ^ 1] for d in range(len(tree) - 1))
            h, end = headers[i], start + n - 1
            tries = [("valid", h, start, end, root, proof), ("longer span, same depth", h, start, end + 1, root, proof), ("shorter span", h, start, max(end - 1, 0), root, proof),
                     ("start later", h, start + 1, end + 1, root, proof), ("cut", h, start, end, root, proof[:-32]), ("31 bytes cut", h, start, end, root, proof[:-1]),
                     ("level more", h, start, end, root, proof + bytes(32)), ("other root", h, start, end, rng.randbytes(32), proof), ("number + 1", dict(h, number=h["number"] + 1), start, end, root, proof),
                     ("end before start", h, end + 1, start, root, proof), ("whole range", h, 0, 2**64 - 1, root, proof), ("time", dict(h, time=h["time"] ^ 1), start, end, root, proof),
                     ("a zero leaf claimed", dict(h, number=end + 1), start, end + 1, root, proof), ("number 2^64 - 1", dict(h, number=2**64 - 1), start, 2**64 - 1, root, proof)]
            for why, hh, a, b, r, p in tries:
                reason = block_proof(hh, a, b, r, p)
                put("block_proof", why, {"header": hh, "start": a, "end": b, "root": r.hex(), "proof": p.hex()}, {"ok": not reason, "reason": reason})
    # tries
    for count in [1, 2, 3, 5, 16, 40, 130, 200][:5 + 2 * scale]:
        values = [(num(i), rng.randbytes(rng.choice((32, 40, 300)))) for i in range(count)]
        pairs = [(rlp(k), v) for k, v in values] if rng.random() < .7 else [(bytes([i // 16, i % 16]) * (1 + i % 2), v) for i, (_, v) in enumerate(values)]
        t = trie([(nibbles(k), v) for k, v in pairs])
        root = keccak256(rlp(node(t)))
        for k, v in rng.sample(pairs, min(len(pairs), 3)):
            nodes = path_nodes(t, nibbles(k))
            plain = rlp(nodes)
            variants = [("valid", k, v, plain, root), ("another value", k, v[:-1] + b"\0", plain, root), ("no value", k, b"", plain, root), ("longer key", k + b"\0", v, plain, root), ("shorter key", k[:-1], v, plain, root),
                        ("another key", rng.choice(pairs)[0], v, plain, root), ("another root", k, v, plain, rng.randbytes(32)), ("last node gone", k, v, rlp(nodes[:-1]), root), ("first node gone", k, v, rlp(nodes[1:]), root),
                        ("node twice", k, v, rlp(nodes + nodes[-1:]), root), ("a string behind", k, v, rlp(nodes + [b"x"]), root), ("reversed", k, v, rlp(nodes[::-1]), root), ("trailing byte", k, v, plain + b"\0", root),
                        ("a string", k, v, rlp(plain), root), ("nothing", k, v, b"", root), ("no nodes", k, v, b"\xc0", root)]
            for alter in ("flag", "padding", "empty path", "list value", "items", "short ref", "embedded"):
                bent = [list(n) for n in nodes]
                n = bent[-1]
                if alter == "flag" and len(n) == 2:
                    n[0] = bytes([n[0][0] + 0x40]) + n[0][1:]
                if alter == "padding" and len(n) == 2 and n[0][0] & 0x10 == 0:
                    n[0] = bytes([n[0][0] | 5]) + n[0][1:]
                if alter == "empty path" and len(n) == 2:
                    n[0] = b""
                if alter == "list value":
                    n[-1] = [n[-1]]
                if alter == "items":
                    n.append(b"")
                if alter in ("short ref", "embedded") and len(bent) > 1:
                    m = bent[-2]
                    place = next((i for i, c in enumerate(m) if c == keccak256(rlp(nodes[-1]))), None)
                    if place is not None:
                        m[place] = m[place][:31] if alter == "short ref" else nodes[-1]
                # hashes put right from below, so that only the change decides
                for i in range(len(bent) - 2, -1, -1):
                    old, new = keccak256(rlp(nodes[i + 1])), keccak256(rlp(bent[i + 1]))
                    bent[i] = [new if c == old else c for c in bent[i]]
                variants.append((alter, k, v, rlp(bent), keccak256(rlp(bent[0]))))
            for why, kk, vv, data, r in variants:
                reason = walk(r, kk, vv, data)
                put("mpt", why, {"root": r.hex(), "key": kk.hex(), "value": vv.hex(), "nodes": data.hex()}, {"ok": not reason, "reason": reason})
    # exits
    def receipt(kind=b"", logs=2, status=b"\1", gas=77, topics=3, bloom=256, addr=20):
        body = [status, num(gas) if isinstance(gas, int) else gas, rng.randbytes(bloom), [[rng.randbytes(addr), [rng.randbytes(32) for _ in range(topics)], rng.randbytes(rng.randrange(90))] for _ in range(logs)]]
        return kind + rlp(body)

    for _ in range(5 * scale):
        count = rng.choice((1, 2, 3, 17, 129))
        receipts = [receipt(rng.choice((b"", b"\1", b"\2")), rng.randrange(4)) for _ in range(count)]
        at = rng.randrange(count)
        odd = rng.choice((None, None, {"status": b""}, {"status": rng.randbytes(32)}, {"status": b"\2"}, {"status": rng.randbytes(31)}, {"gas": 0}, {"gas": b"\0\1"}, {"gas": 2**256 - 1}, {"gas": 2**256}, {"topics": 0},
                          {"topics": 4}, {"topics": 5}, {"bloom": 255}, {"addr": 21}, {"kind": b"\x7f"}, {"kind": b"\0"}, {"kind": b"\1\1"}, {"logs": 0}))
        if odd:
            receipts[at] = receipt(**odd)
        t = trie([(nibbles(rlp(num(i))), r) for i, r in enumerate(receipts)])
        key = rlp(num(at))
        root = keccak256(rlp(node(t)))
        span = rng.choice((1, 2, 3, 5, 8))
        start = rng.randrange(10**7)
        headers = [{"number": start + i, "time": rng.randrange(1, 2**33), "tx_root": rng.randbytes(32).hex(), "receipts_root": rng.randbytes(32).hex()} for i in range(span)]
        b = rng.randrange(span)
        headers[b]["receipts_root"] = root.hex()
        tree = levels([leaf(h) for h in headers])
        proof = b"".join(tree[d][b >> d ^ 1] for d in range(len(tree) - 1))
        h = headers[b]
        fields = [num(70000), proof, num(h["number"]), num(h["time"]), bytes.fromhex(h["tx_root"]), root, receipts[at], rlp(path_nodes(t, nibbles(key))), b"\0" + key, num(0)]
        stored = {"70000": {"root": tree[-1][0].hex(), "start": start, "end": start + span - 1}}

        def out(why, payload, processed=()):
            put("exit", why, {"headers": stored, "processed": list(processed), "payload": payload.hex()}, exit_answer(stored, set(processed), payload))

        good = rlp(fields)
        out("as it is" + (f", receipt with {odd}" if odd else ""), good)
        answer = exit_answer(stored, set(), good)
        if answer["ok"]:
            out("again", good, [answer["exit_hash"]])
            out("others", good, [rng.randbytes(32).hex()])
        for i, new in ((0, num(70001)), (0, b"\0" + fields[0]), (0, b""), (0, num(70000 + 2**64)), (0, bytes(1)), (1, proof + bytes(32)), (1, proof[:-32]), (1, b""), (2, num(start + span)), (2, num(max(start - 1, 0))), (2, num(2**64 + h["number"])),
                       (2, b"\0" + fields[2]), (2, num(2**256)), (3, num(h["time"] + 1)), (3, b"\0"), (4, fields[4][:31]), (5, fields[5] + b"\0"), (5, rng.randbytes(32)), (6, fields[6][:-1]), (6, b""), (6, receipts[0]), (7, b"\xc0"),
                       (7, b""), (7, rlp([b"x"])), (7, b"\xc1\x80"), (7, fields[7] + b"\0"), (7, rlp(fields[7])), (8, b"\1" + key), (8, b"\0"), (8, b""), (8, b"\x1f" + key), (8, b"\0" + rlp(num(at + 1))), (8, b"\0\0"), (8, b"\0\x81\x05"),
                       (8, b"\0\x82\0\5"), (8, b"\0\x85\1\0\0\0\0"), (8, b"\0\x84\xff\xff\xff\xff"), (8, b"\0" + key + b"\0"), (8, b"\0\xc0"), (9, num(1)), (9, num(3)), (9, num(4)), (9, num(2**64)), (9, b"\0"), (9, num(2**256 - 1)), (9, b"\0\1")):
            bent = list(fields)
            bent[i] = new
            out(f"field {i}: {new[:6].hex()}", rlp(bent))
        for i in range(10):
            bent = list(fields)
            bent[i] = [fields[i]]
            out(f"field {i} a list", rlp(bent))
        out("nine fields", rlp(fields[:9]))
        out("eleven fields", rlp(fields + [b""]))
        out("trailing", good + b"\0")
        out("a string", rlp(good))
        for _ in range(12):
            at_byte = rng.randrange(len(good))
            out(f"byte {at_byte}", good[:at_byte] + bytes([good[at_byte] ^ 1 << rng.randrange(8)]) + good[at_byte + 1:])
            out(f"cut at {at_byte}", good[:at_byte])
        # the list's length in a longer form
        out("long length", bytes([good[0] + 1, 0]) + good[1:] if good[0] < 0xff else good)
    # events
    chains = {"tron": 1, "eth": 2, "bsc": 3}

    def record(**kw):
        r = {"root_chain": rng.choice(list(chains)), "id": rng.choice((0, 1, 2, 3, 2**53, 2**64 - 1)), "block_number": rng.choice((0, 1, 2, 2**40)), "log_index": rng.choice((0, 1, 99999, 100000, 100001, 200000)), "bor_chain_id": "199",
             "contract": rng.randbytes(20).hex(), "data": rng.randbytes(rng.choice((0, 1, 31, 32, 33, 64, 100))).hex(), "tx_hash": rng.randbytes(32).hex()}
        r.update(kw)
        return r

    for _ in range(12 * scale):
        seen, seqs, last = [["eth", 1]], [str((2 * 100000 + 1) * 100 + 3)], rng.choice((0, 41, 2**40))
        records = [record(**rng.choice(({}, {}, {}, {"bor_chain_id": "1029"}, {"root_chain": "heco"}, {"bor_chain_id": "0199"}, {"root_chain": "ETH"}))) for _ in range(12)]
        results, known, used, local = [], {("eth", 1)}, {int(seqs[0])}, last
        for r in records:
            chain = chains.get(r["root_chain"])
            seq = (r["block_number"] * 100000 + r["log_index"]) * 100 + (chain or 0)
            reason = ("unknown_root_chain" if chain is None else "known_event_id" if (r["root_chain"], r["id"]) in known else "wrong_chain" if r["bor_chain_id"] != "199" else "known_sequence" if seq in used else "")
            if reason:
                results.append({"ok": False, "reason": reason})
                continue
            local += 1
            known.add((r["root_chain"], r["id"]))
            used.add(seq)
            results.append({"ok": True, "local_id": local, "sequence": str(seq)})
        put("event_records", "drawn", {"state": {"bor_chain_id": "199", "last_local_id": last, "seen": seen, "sequences": seqs}, "records": records}, {"results": results})
    topic = keccak256(b"StateSynced(uint256,address,bytes)").hex()
    for _ in range(12 * scale):
        r = record()
        data = bytes.fromhex(r["data"])
        abi = word(32) + word(len(data)) + data + bytes(-len(data) % 32)
        sender = rng.randbytes(20).hex()
        topics = [topic, word(r["id"]).hex(), bytes(12).hex() + r["contract"]]
        for why, t, d, e in (("valid", topics, abi, sender), ("emitter", topics, abi, rng.randbytes(20).hex()), ("two topics", topics[:2], abi, sender), ("four topics", topics + [topic], abi, sender), ("no topics", [], abi, sender),
                             ("padded receiver", topics[:2] + ["01" + topics[2][2:]], abi, sender), ("id + 2^64", [topic, "01".rjust(48, "0") + topics[1][48:], topics[2]], abi, sender), ("word more", topics, abi + bytes(32), sender), ("word less", topics, abi[:-32], sender),
                             ("padding not zero", topics, abi[:-1] + b"\1" if len(data) % 32 else abi, sender), ("length + 1", topics, abi[:63] + bytes([abi[63] + 1 & 255]) + abi[64:], sender), ("offset 0", topics, bytes(32) + abi[32:], sender), ("empty", topics, b"", sender)):
            ok = e == sender and t == topics and d == abi
            put("state_synced_log", why, {"record": r, "emitter": e, "state_sender": sender, "topics": t, "log_data": d.hex()}, {"ok": ok})
        last_id = rng.choice((0, r["id"] - 1 if r["id"] else 0, r["id"], 2**64 - 1))
        time, to = rng.choice(((1, 2), (2, 2), (3, 2), (0, 0)))
        ours = rng.choice(("199", "199", "198"))
        raw = rlp([num(r["id"]), bytes.fromhex(r["contract"]), data, bytes.fromhex(r["tx_hash"]), num(r["log_index"]), r["bor_chain_id"].encode()])
        put("bor_record", "drawn", {"record": r, "last_id": last_id, "chain_id": ours, "time": time, "to": to}, {"rlp": raw.hex(), "ok": r["id"] == last_id + 1 and ours == r["bor_chain_id"] and time < to})
    return {"bttc.json": {"source": "tests/oracle/edges/bttc.py", "cases": cases}}

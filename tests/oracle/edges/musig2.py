# SPDX-License-Identifier: Apache-2.0
"""MuSig2: aggregation of keys and nonces, tweaks, partial and aggregate signatures at their edges.

Written from BIP-327 and the specification "Signatures and proofs" 3.
"""
import hashlib

from .secp256k1 import G, INFINITY, N, P, add, b32, lift, mul, tagged, x_off_curve


class Refused(Exception):
    pass


def cbytes(p):
    return bytes([2 + p[1] % 2]) + b32(p[0])


def cpoint(raw):
    if raw[0] not in (2, 3):
        raise Refused
    p = lift(int.from_bytes(raw[1:], "big"), raw[0] - 2)
    if p is INFINITY:
        raise Refused
    return p


def cpoint_ext(raw):
    return INFINITY if raw == bytes(33) else cpoint(raw)


def cbytes_ext(p):
    return bytes(33) if p is INFINITY else cbytes(p)


def neg(p):
    return p if p is INFINITY else (p[0], P - p[1])


def coefficient(keys, key):
    second = next((k for k in keys if k != keys[0]), None)
    if key == second:
        return 1
    return int.from_bytes(tagged("KeyAgg coefficient", tagged("KeyAgg list", b"".join(keys)) + key), "big") % N


def aggregate(keys, tweaks):
    """(Q, gacc, tacc)."""
    q = INFINITY
    for k in keys:
        q = add(q, mul(coefficient(keys, k), cpoint(k)))
    if q is INFINITY:
        raise Refused
    gacc, tacc = 1, 0
    for t, xonly in tweaks:
        g = N - 1 if xonly and q[1] % 2 else 1
        if t >= N:
            raise Refused
        q = add(mul(g, q), mul(t))
        if q is INFINITY:
            raise Refused
        gacc, tacc = g * gacc % N, (t + g * tacc) % N
    return q, gacc, tacc


def aggregate_nonces(nonces):
    out = b""
    for half in (0, 33):
        r = INFINITY
        for n in nonces:
            r = add(r, cpoint(n[half:half + 33]))
        out += cbytes_ext(r)
    return out


def session(aggnonce, keys, tweaks, msg):
    q, gacc, tacc = aggregate(keys, tweaks)
    b = int.from_bytes(tagged("MuSig/noncecoef", aggnonce + b32(q[0]) + msg), "big") % N
    r = add(cpoint_ext(aggnonce[:33]), mul(b, cpoint_ext(aggnonce[33:])))
    if r is INFINITY:
        r = G
    e = int.from_bytes(tagged("BIP0340/challenge", b32(r[0]) + b32(q[0]) + msg), "big") % N
    return q, gacc, tacc, b, r, e


def partial_ok(sig, nonce, key, aggnonce, keys, tweaks, msg):
    q, gacc, _, b, r, e = session(aggnonce, keys, tweaks, msg)
    s = int.from_bytes(sig, "big")
    if s >= N:
        return False
    re = add(cpoint(nonce[:33]), mul(b, cpoint(nonce[33:])))
    if r[1] % 2:
        re = neg(re)
    g = (1 if q[1] % 2 == 0 else N - 1) * gacc % N
    return mul(s) == add(re, mul(e * coefficient(keys, key) * g % N, cpoint(key)))


def files(rng, scale):
    secrets = [rng.randrange(1, N) for _ in range(5)]
    good = [cbytes(mul(d)) for d in secrets]
    minus = cbytes(neg(mul(secrets[0])))
    keys = good + [minus, b"\2" + b32(x_off_curve(5)), b"\4" + b32(G[0]), b"\2" + b32(P + 1), bytes(33), b"\3" + b32(P), b"\2" + bytes(32), b"\6" + b32(G[0])]
    tweaks = [0, 1, N - 1, N, N + 1, 2**256 - 1, rng.randrange(N), rng.randrange(N)]
    # the key that a tweak turns into infinity: t = -(discrete logarithm of the aggregate)

    def log_of(indices):
        chosen = [good[i] for i in indices]
        return sum(coefficient(chosen, good[i]) * secrets[i] for i in indices) % N

    tweaks.append(N - log_of((0, 1)))
    tweaks.append(log_of((0, 1)))
    key_agg = {"pubkeys": [k.hex() for k in keys], "tweaks": [b32(t).hex() for t in tweaks], "valid_test_cases": [], "error_test_cases": []}

    def put_agg(indices, tw, flags):
        case = {"key_indices": list(indices), "tweak_indices": list(tw), "is_xonly": list(flags)}
        try:
            q, _, _ = aggregate([keys[i] for i in indices], [(tweaks[t], f) for t, f in zip(tw, flags)])
            key_agg["valid_test_cases"].append({**case, "expected": b32(q[0]).hex()})
        except Refused:
            key_agg["error_test_cases"].append({**case, "error": {"type": "value"}, "comment": "drawn"})

    for indices in ((0,), (0, 0), (0, 0, 0), (0, 1), (1, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1), (0, 1, 2, 3, 4), (4, 3, 2, 1, 0), (2, 2, 3, 3), (0, 5), (5, 0), (0, 5, 0, 5)) + tuple((0, k) for k in range(6, len(keys))) + tuple((k,) for k in range(5, len(keys))):
        put_agg(indices, (), ())
    for _ in range(50 * scale):
        tw = [rng.randrange(len(tweaks)) for _ in range(rng.randrange(1, 4))]
        put_agg([rng.randrange(6) for _ in range(rng.randrange(1, 5))], tw, [rng.random() < .5 for _ in tw])
    for flag in (True, False):
        for t in range(len(tweaks)):
            put_agg((0, 1), (t,), (flag,))
    # nonces
    ks = [(rng.randrange(1, N), rng.randrange(1, N)) for _ in range(4)]
    nonces = [cbytes(mul(a)) + cbytes(mul(b)) for a, b in ks]
    nonces += [cbytes(neg(mul(ks[0][0]))) + cbytes(mul(ks[1][1])), cbytes(mul(ks[1][0])) + cbytes(neg(mul(ks[0][1]))), cbytes(neg(mul(ks[0][0]))) + cbytes(neg(mul(ks[0][1]))), bytes(66), cbytes(G) + bytes(33),
               b"\4" + nonces[0][1:], nonces[0][:33] + b"\2" + b32(x_off_curve(9)), nonces[0][:33] + b"\3" + b32(P), bytes(33) + cbytes(G)]
    nonce_agg = {"pnonces": [n.hex() for n in nonces], "valid_test_cases": [], "error_test_cases": []}
    for indices in [(i,) for i in range(len(nonces))] + [(0, i) for i in range(len(nonces))] + [(0, 1, 2, 3), (0, 6, 1, 1)] + [[rng.randrange(7) for _ in range(4)] for _ in range(6)]:
        case = {"pnonce_indices": list(indices)}
        try:
            nonce_agg["valid_test_cases"].append({**case, "expected": aggregate_nonces([nonces[i] for i in indices]).hex()})
        except Refused:
            nonce_agg["error_test_cases"].append({**case, "error": {"type": "invalid_contribution"}})

    def partial(i, indices, picks, tw, msg):
        """An honest partial signature of signer number i."""
        chosen = [keys[k] for k in indices]
        q, gacc, _, b, r, e = session(aggregate_nonces([nonces[p] for p in picks]), chosen, tw, msg)
        k1, k2 = ks[picks[i]]
        k = (k1 + b * k2) % N
        if r[1] % 2:
            k = -k
        g = (1 if q[1] % 2 == 0 else N - 1) * gacc % N
        return (k + e * coefficient(chosen, chosen[i]) * g * secrets[indices[i]]) % N

    msgs = [b"", b"x", rng.randbytes(32), rng.randbytes(38), rng.randbytes(300)]
    sign_verify = {"pubkeys": [k.hex() for k in keys], "pnonces": [n.hex() for n in nonces], "aggnonces": [], "msgs": [m.hex() for m in msgs], "valid_test_cases": [], "verify_fail_test_cases": [], "verify_error_test_cases": [], "sign_error_test_cases": []}
    tweak = {"pubkeys": [k.hex() for k in keys], "pnonces": [n.hex() for n in nonces], "tweaks": [b32(t).hex() for t in tweaks], "msg": msgs[2].hex(), "valid_test_cases": [], "error_test_cases": []}
    for _ in range(40 * scale):
        count = rng.randrange(1, 5)
        indices, picks = [rng.randrange(5) for _ in range(count)], [rng.randrange(4) for _ in range(count)]
        i, m = rng.randrange(count), rng.randrange(len(msgs))
        tw = []
        if rng.random() < .5:
            tw, m = [rng.choice((0, 1, 2, 6, 7)) for _ in range(rng.randrange(1, 4))], 2
        flags = [rng.random() < .5 for _ in tw]
        try:
            s = partial(i, indices, picks, [(tweaks[t], f) for t, f in zip(tw, flags)], msgs[m])
        except Refused:
            continue
        if tw:
            tweak["valid_test_cases"].append({"key_indices": indices, "nonce_indices": picks, "tweak_indices": tw, "is_xonly": flags, "signer_index": i, "expected": b32(s).hex()})
            continue
        sign_verify["valid_test_cases"].append({"key_indices": indices, "nonce_indices": picks, "aggnonce_index": 0, "msg_index": m, "signer_index": i, "expected": b32(s).hex()})
        agg = aggregate_nonces([nonces[p] for p in picks])
        for bent, at in ((N - s, i), (s ^ 1, i), (0, i), (N, i), (s + N if s + N < 2**256 else 2**256 - 1, i), (s, (i + 1) % count)):
            if not partial_ok(b32(bent), nonces[picks[at]], keys[indices[at]], agg, [keys[k] for k in indices], [], msgs[m]):
                sign_verify["verify_fail_test_cases"].append({"sig": b32(bent).hex(), "key_indices": indices, "nonce_indices": picks, "msg_index": m, "signer_index": at})
    # an aggregate nonce at infinity: R becomes G
    for picks in ((0, 6), (0, 4), (0, 5)):
        for m in range(3):
            agg = aggregate_nonces([nonces[p] for p in picks])
            q, gacc, _, b, r, e = session(agg, [keys[0], keys[1]], [], msgs[m])
            k = (ks[0][0] + b * ks[0][1]) % N
            g = 1 if q[1] % 2 == 0 else N - 1
            s = ((-k if r[1] % 2 else k) + e * coefficient([keys[0], keys[1]], keys[0]) * g * secrets[0]) % N
            assert partial_ok(b32(s), nonces[picks[0]], keys[0], agg, [keys[0], keys[1]], [], msgs[m])
            sign_verify["valid_test_cases"].append({"key_indices": [0, 1], "nonce_indices": list(picks), "aggnonce_index": 0, "msg_index": m, "signer_index": 0, "expected": b32(s).hex()})
    for bad in range(6, len(keys)):
        sign_verify["verify_error_test_cases"].append({"sig": b32(1).hex(), "key_indices": [bad, 0], "nonce_indices": [0, 1], "msg_index": 0, "signer_index": 1, "error": {"type": "invalid_contribution"}})
    for bad in range(7, len(nonces)):
        sign_verify["verify_error_test_cases"].append({"sig": b32(1).hex(), "key_indices": [0, 1], "nonce_indices": [0, bad], "msg_index": 0, "signer_index": 0, "error": {"type": "invalid_contribution"}})
    for t in (3, 4, 5):
        tweak["error_test_cases"].append({"key_indices": [0, 1], "nonce_indices": [0, 1], "tweak_indices": [t], "is_xonly": [False], "signer_index": 0, "error": {"type": "value"}})
    # aggregates
    msg = rng.randbytes(32)
    sig_agg = {"pubkeys": [k.hex() for k in keys], "pnonces": [n.hex() for n in nonces], "tweaks": [b32(t).hex() for t in tweaks], "psigs": [], "msg": msg.hex(), "valid_test_cases": [], "error_test_cases": []}
    for _ in range(16 * scale):
        count = rng.randrange(1, 5)
        indices, picks = [rng.randrange(5) for _ in range(count)], [rng.randrange(4) for _ in range(count)]
        tw = [rng.choice((0, 1, 2, 6, 7)) for _ in range(rng.randrange(3))]
        flags = [rng.random() < .5 for _ in tw]
        pairs = [(tweaks[t], f) for t, f in zip(tw, flags)]
        agg = aggregate_nonces([nonces[p] for p in picks])
        try:
            partials = [partial(i, indices, picks, pairs, msg) for i in range(count)]
            q, gacc, tacc, b, r, e = session(agg, [keys[k] for k in indices], pairs, msg)
        except Refused:
            continue
        first = len(sig_agg["psigs"])
        sig_agg["psigs"] += [b32(s).hex() for s in partials]
        case = {"aggnonce": agg.hex(), "nonce_indices": picks, "key_indices": indices, "tweak_indices": tw, "is_xonly": flags, "psig_indices": list(range(first, first + count))}
        g = 1 if q[1] % 2 == 0 else N - 1
        s = (sum(partials) + e * g * tacc) % N
        sig_agg["valid_test_cases"].append({**case, "expected": (b32(r[0]) + b32(s)).hex()})
        sig_agg["psigs"].append(b32(rng.choice((N, N + 1, 2**256 - 1))).hex())
        sig_agg["error_test_cases"].append({**case, "psig_indices": [len(sig_agg["psigs"]) - 1] + case["psig_indices"][1:], "error": {"type": "invalid_contribution"}})
    shuffled = good + [minus] + good[:2]
    rng.shuffle(shuffled)
    return {"musig2.json": {"source": "tests/oracle/edges/musig2.py", "licence": "", "key_agg": key_agg, "nonce_agg": nonce_agg, "sign_verify": sign_verify, "tweak": tweak, "sig_agg": sig_agg,
                            "key_sort": {"pubkeys": [k.hex() for k in shuffled], "sorted_pubkeys": [k.hex() for k in sorted(shuffled)]}}}

# SPDX-License-Identifier: Apache-2.0
"""Ed25519 where the six policies part: every small-order and mixed-order A and R in every encoding, S at its edges.

Written from the specification "Signatures and proofs" 1 and RFC 8032, apart from tests/oracle/ed25519.py.
"""
import hashlib

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = (-121665 * pow(121666, P - 2, P)) % P
I = pow(2, (P - 1) // 4, P)
POLICIES = ("go", "bytom_legacy", "rfc8032_canonical_cofactorless", "rfc8032_canonical_cofactored", "zip215", "dalek_strict")
ZERO = (0, 1, 1, 0)


def add(a, b):
    """Extended coordinates, complete for a = -1 (RFC 8032 5.1.4)."""
    m, n = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    c, d = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = n - m, d - c, d + c, n + m
    return e * f % P, g * h % P, f * g % P, e * h % P


def neg(a):
    return -a[0] % P, a[1], a[2], -a[3] % P


def mul(k, a):
    out = ZERO
    while k:
        if k & 1:
            out = add(out, a)
        a, k = add(a, a), k >> 1
    return out


def same(a, b):
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


def encode(a):
    z = pow(a[2], P - 2, P)
    return ((a[1] * z % P) | (a[0] * z % P & 1) << 255).to_bytes(32, "little")


def root(y):
    """Some x of the curve for this y, or None."""
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * I % P
    return None if (x * x - x2) % P else x


def decode(raw):
    """(point, canonical) or None; y is taken mod p, x = 0 may carry a sign."""
    n = int.from_bytes(raw, "little")
    y, sign = n % 2**255, n >> 255
    x = root(y % P)
    if x is None:
        return None
    canonical = y < P and not (x == 0 and sign)
    if x % 2 != sign:
        x = -x % P
    y %= P
    return (x, y, 1, x * y % P), canonical


B = decode((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))[0]


def verdicts(key, sig, msg):
    out = dict.fromkeys(POLICIES, False)
    if len(key) != 32 or len(sig) != 64:
        return out
    s = int.from_bytes(sig[32:], "little")
    a, r = decode(key), decode(sig[:32])
    if a is None:
        return out
    k = int.from_bytes(hashlib.sha512(sig[:32] + key + msg).digest(), "little") % L
    mine = add(mul(s, B), neg(mul(k, a[0])))
    bytes_equal = encode(mine) == sig[:32]
    cofactored = r is not None and same(mul(8, mine), mul(8, r[0]))
    low = same(mul(8, a[0]), ZERO) or (r is not None and same(mul(8, r[0]), ZERO))
    out["go"] = s < L and bytes_equal
    out["bytom_legacy"] = s < 2**253 and bytes_equal
    out["rfc8032_canonical_cofactorless"] = s < L and a[1] and bytes_equal
    out["rfc8032_canonical_cofactored"] = s < L and a[1] and cofactored and r[1]
    out["zip215"] = s < L and cofactored
    out["dalek_strict"] = s < L and bytes_equal and not low
    return out


def torsion():
    y = 2
    while True:
        x = root(y)
        if x is not None:
            t = mul(L, (x, y, 1, x * y % P))
            if not same(mul(4, t), ZERO):
                return [mul(k, t) for k in range(8)]
        y += 1


T = torsion()


def encodings(point):
    """All byte strings that decode to the point."""
    n = int.from_bytes(encode(point), "little")
    y, sign = n % 2**255, n >> 255
    ys = [y] + ([y + P] if y + P < 2**255 else [])
    signs = [sign] if point[0] % P else [0, 1]
    return [(v | b << 255).to_bytes(32, "little") for v in ys for b in signs]


def cases(rng, scale):
    out = []

    def put(why, key, sig, msg):
        out.append({"why": why, "pk": key.hex(), "msg": msg.hex(), "sig": sig.hex(), "expect": verdicts(key, sig, msg)})

    def scalar():
        return rng.randrange(1, L)

    def message():
        return rng.randbytes(rng.choice((0, 1, 31, 32, 33, 46, 47, 48, 63, 64, 65, 111, 112, 127, 128, 175, 176, 255, 300)))

    def points(count):
        """(scalar, torsion number, encoding): pure torsion in every encoding, and mixed points."""
        pure = [(0, j, e) for j in range(8) for e in encodings(T[j])]
        mixed = []
        for _ in range(count):
            for j in range(8):
                a = scalar()
                mixed.append((a, j, encode(add(mul(a, B), T[j]))))
        return pure, mixed

    def sign(why, a, r, wish):
        """A signature of aB + T for rB + T'; wish: None, or whether the torsion shall cancel (message by trial)."""
        for _ in range(64):
            msg = message()
            k = int.from_bytes(hashlib.sha512(r[2] + a[2] + msg).digest(), "little") % L
            if wish is None or ((r[1] + k * a[1]) % 8 == 0) == wish:
                break
        s = (r[0] + k * a[0]) % L
        put(why, a[2], r[2] + s.to_bytes(32, "little"), msg)
        return s, msg

    pure, mixed = points(scale + 1)
    for a in pure:
        for r in pure:
            sign("A and R of small order", a, r, rng.choice((None, True)))
    for a in pure:
        for r in mixed[:8]:
            sign("A of small order", a, r, rng.choice((True, False)))
    for a in mixed[:8]:
        for r in pure:
            sign("R of small order", a, r, rng.choice((True, False)))
    for i in range(scale):
        for j in range(8):
            for k in range(8):
                sign("mixed orders", mixed[8 * i + j], mixed[8 * rng.randrange(scale + 1) + k], rng.choice((True, False)))
    # S of every kind under A, R that pass with the right one
    for a in [mixed[0], mixed[3], pure[0], pure[-1]] + mixed[8:8 + 2 * scale]:
        for r in [mixed[0], pure[0], rng.choice(mixed), rng.choice(pure)]:
            s, msg = sign("S, the right one", a, r, True)
            for k in range(1, 16):
                if s + k * L < 2**256:
                    put(f"S + {k} L", a[2], r[2] + (s + k * L).to_bytes(32, "little"), msg)
            for bit in (252, 253, 254, 255):
                put(f"S with bit {bit} turned", a[2], r[2] + (s ^ 1 << bit).to_bytes(32, "little"), msg)
            for v in (0, 1, L - 1, L, L + 1, 2**252, 2**253 - 1, 2**253, 2**256 - 1, L - s, 8 * L if 8 * L < 2**256 else 7 * L):
                put("S at an edge", a[2], r[2] + v.to_bytes(32, "little"), msg)
    # S = 0, L, 2 L: A and R of small order
    for a in pure:
        r = rng.choice(pure)
        for v in (0, L, 2 * L, 8 * L % 2**256):
            put("S = k L, A and R of small order", a[2], r[2] + v.to_bytes(32, "little"), message())
    # keys and R that do not decode, and all y from p to 2^255 - 1
    for y in list(range(0, 20)) + list(range(P - 3, 2**255)):
        for sign_bit in (0, 1):
            raw = (y | sign_bit << 255).to_bytes(32, "little")
            put("A at the edge of y", raw, pure[0][2] + bytes(32), message())
            a = mixed[0]
            msg = message()
            k = int.from_bytes(hashlib.sha512(raw + a[2] + msg).digest(), "little") % L
            put("R at the edge of y", a[2], raw + (k * a[0] % L).to_bytes(32, "little"), msg)
    # lengths
    a, r = mixed[0], mixed[8]
    msg = b"lengths"
    k = int.from_bytes(hashlib.sha512(r[2] + a[2] + msg).digest(), "little") % L
    good = r[2] + ((r[0] + k * a[0]) % L).to_bytes(32, "little")
    for n in (0, 1, 32, 63, 65, 96, 128):
        put("signature of another length", a[2], (good + bytes(64))[:n], msg)
    for n in (0, 1, 31, 33, 64):
        put("key of another length", (a[2] + bytes(32))[:n], good, msg)
    put("a plain one", a[2], good, msg)
    # long messages, bit flips
    for n in [1023, 4096, 65537] + [rng.randrange(0, 400) for _ in range(20 * scale)]:
        x, q, msg = scalar(), scalar(), rng.randbytes(n)
        key, point = encode(mul(x, B)), encode(mul(q, B))
        k = int.from_bytes(hashlib.sha512(point + key + msg).digest(), "little") % L
        sig = point + ((q + k * x) % L).to_bytes(32, "little")
        put("valid", key, sig, msg)
        for _ in range(2):
            broken = bytearray(sig + key)
            at = rng.randrange(96 * 8)
            broken[at // 8] ^= 1 << at % 8
            put(f"bit {at} turned", bytes(broken[64:]), bytes(broken[:64]), msg)
    first, rest = out[0], out[1:]
    rng.shuffle(rest)  # lanes of a vector see neighbours of every kind
    return [first] + rest


def files(rng, scale):
    return {"ed25519.json": {"source": "tests/oracle/edges/ed25519.py", "cases": cases(rng, scale)}}

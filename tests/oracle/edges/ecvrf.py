# SPDX-License-Identifier: Apache-2.0
"""ECVRF-EDWARDS25519-SHA512, TAI and ELL2: keys, Gamma, c and s at their edges, with validate_key.

Written from RFC 9381 5 and RFC 9380 6.7 and 6.8, and the specification "Signatures and proofs" 5.
"""
import hashlib

from .ed25519 import B, D, L, P, T, ZERO, add, decode, encode, encodings, mul, neg, same

J = 486662


def strict(raw):
    """A point of a canonical encoding, or None."""
    got = decode(raw) if len(raw) == 32 else None
    return got[0] if got and got[1] else None


def h512(*parts):
    return hashlib.sha512(b"".join(parts)).digest()


def tai(y, alpha):
    for ctr in range(256):
        point = strict(h512(b"\x03\x01", y, alpha, bytes([ctr]), b"\0")[:32])
        if point is not None:
            point = mul(8, point)
            if not same(point, ZERO):
                return point
    return None


def xmd(msg, dst, n):
    dst += bytes([len(dst)])
    b0 = h512(bytes(128), msg, n.to_bytes(2, "big"), b"\0", dst)
    b, out = h512(b0, b"\x01", dst), b""
    i = 1
    while len(out) < n:
        out += b
        i += 1
        b = h512(bytes(x ^ y for x, y in zip(b0, b)), bytes([i]), dst)
    return out[:n]


def is_square(a):
    return pow(a, (P - 1) // 2, P) in (0, 1)


def sqrt(a):
    x = pow(a, (P + 3) // 8, P)
    return x if (x * x - a) % P == 0 else x * pow(2, (P - 1) // 4, P) % P


def ell2(y, alpha):
    dst = b"ECVRF_" + b"edwards25519_XMD:SHA-512_ELL2_NU_" + b"\x04"
    u = int.from_bytes(xmd(y + alpha, dst, 48), "big") % P
    # map_to_curve_elligator2_curve25519, straight-line definition: Z = 2, K = 1
    x1 = -J * pow(1 + 2 * u * u, P - 2, P) % P
    if x1 == 0:
        x1 = -J % P
    gx1 = (x1**3 + J * x1 * x1 + x1) % P
    if is_square(gx1):
        x, v = x1, sqrt(gx1)
        if v % 2 == 0:
            v = -v % P
    else:
        x = (-x1 - J) % P
        v = sqrt((x**3 + J * x * x + x) % P)
        if v % 2:
            v = -v % P
    # to edwards25519: (sqrt(-486664) s / t, (s - 1) / (s + 1)), sgn0 of the constant 0
    c = sqrt(-486664 % P)
    if c % 2:
        c = P - c
    if (x + 1) % P == 0 or v == 0:
        point = ZERO
    else:
        ex, ey = c * x * pow(v, P - 2, P) % P, (x - 1) * pow(x + 1, P - 2, P) % P
        point = (ex, ey, 1, ex * ey % P)
    assert (-point[0]**2 + point[1]**2 - 1 - D * point[0]**2 * point[1]**2) % P == 0
    return mul(8, point)


SUITES = {"TAI": (b"\x03", tai), "ELL2": (b"\x04", ell2)}


def challenge(suite, *points):
    return h512(suite, b"\x02", *points, b"\0")[:16]


def beta_of(suite, gamma):
    return h512(suite, b"\x03", encode(mul(8, gamma)), b"\0")


def verify(name, key, pi, alpha):
    suite, to_curve = SUITES[name]
    y = strict(key)
    if y is None or same(mul(8, y), ZERO) or len(pi) != 80:
        return None
    gamma, c, s = strict(pi[:32]), int.from_bytes(pi[32:48], "little"), int.from_bytes(pi[48:], "little")
    if gamma is None or s >= L:
        return None
    h = to_curve(key, alpha)
    u, v = add(mul(s, B), neg(mul(c, y))), add(mul(s, h), neg(mul(c, gamma)))
    if challenge(suite, key, encode(h), pi[:32], encode(u), encode(v)) != pi[32:48]:
        return None
    return beta_of(suite, gamma)


def cases(rng, scale):
    out = []

    def put(why, name, key, pi, alpha, sk=None):
        beta = verify(name, key, pi, alpha)
        out.append({"suite": name, "kind": "generated", "why": why, "sk": sk.hex() if sk else None, "pk": key.hex(), "alpha": alpha.hex(),
                    "pi": pi.hex(), "beta": beta.hex() if beta else None, "valid": beta is not None})

    def secret():
        sk = rng.randbytes(32)
        h = bytearray(hashlib.sha512(sk).digest())
        h[0] &= 248
        h[31] = h[31] & 127 | 64
        return sk, int.from_bytes(h[:32], "little"), bytes(h[32:])

    def prove(name, x, key, alpha, k, gamma_torsion=ZERO, gamma_raw=None):
        """Honest where nothing odd is asked; x is the discrete logarithm of the key's prime-order part."""
        suite, to_curve = SUITES[name]
        h = to_curve(key, alpha)
        gamma = add(mul(x, h), gamma_torsion)
        raw = gamma_raw or encode(gamma)
        c = challenge(suite, key, encode(h), raw, encode(mul(k, B)), encode(mul(k, h)))
        return raw + c + ((k + int.from_bytes(c, "little") * x) % L).to_bytes(32, "little")

    for name in SUITES:
        for n in [0, 1, 2, 31, 32, 33, 61, 62, 63, 64, 95, 96, 111, 112, 127, 128, 129, 255, 256, 1000][::1 if scale > 1 else 2]:
            sk, x, prefix = secret()
            key, alpha = encode(mul(x, B)), rng.randbytes(n)
            h = SUITES[name][1](key, alpha)
            k = int.from_bytes(h512(prefix, encode(h)), "little") % L
            pi = prove(name, x, key, alpha, k)
            put(f"valid, alpha of {n} bytes", name, key, pi, alpha, sk)
            put("alpha longer", name, key, pi, alpha + b"\0")
        for _ in range(scale):
            sk, x, prefix = secret()
            key, alpha = encode(mul(x, B)), rng.randbytes(20)
            h = SUITES[name][1](key, alpha)
            pi = prove(name, x, key, alpha, int.from_bytes(h512(prefix, encode(h)), "little") % L)
            gamma, c, s = pi[:32], pi[32:48], int.from_bytes(pi[48:], "little")
            put("valid", name, key, pi, alpha, sk)
            put("other suite", "ELL2" if name == "TAI" else "TAI", key, pi, alpha)
            for v in [s + m * L for m in range(1, 16)] + [0, 1, L - 1, L, L + 1, 2**255 - 1, 2**256 - 1, L - s, s ^ 1 << 255]:
                if 0 <= v < 2**256:
                    put("s at an edge", name, key, gamma + c + v.to_bytes(32, "little"), alpha)
            for v in (bytes(16), b"\xff" * 16, c[::-1], (int.from_bytes(c, "little") + 1 & 2**128 - 1).to_bytes(16, "little")):
                put("another c", name, key, gamma + v + pi[48:], alpha)
            for j in range(8):
                for e in encodings(T[j]):
                    put("Gamma of small order", name, key, e + pi[32:], alpha)
                    put("Gamma of small order, c = 0, s = 0", name, key, e + bytes(48), alpha)
                    # an own proof: the equations hold by trial where c kills the torsion
                    for _ in range(8):
                        k = rng.randrange(L)
                        suite = SUITES[name][0]
                        cc = challenge(suite, key, encode(h), e, encode(mul(k, B)), encode(mul(k, h)))
                        put("Gamma of small order, own c", name, key, e + cc + ((k + int.from_bytes(cc, "little") * x) % L).to_bytes(32, "little"), alpha)
                        break
                    # small-order keys: Y = T, Gamma = T' or 0; U = sB - cT, V = sH - c Gamma
                    hk = SUITES[name][1](e, alpha) if strict(e) is not None else h
                    for g in (encode(ZERO), e):
                        for _ in range(24):
                            k = rng.randrange(L)
                            cc = challenge(SUITES[name][0], e, encode(hk), g, encode(mul(k, B)), encode(mul(k, hk)))
                            if cc[0] % 8 == 0:
                                break
                        put("key of small order, the equations hold", name, e, g + cc + k.to_bytes(32, "little"), alpha)
                # Gamma with torsion, c made over it: passes where 8 | c
                for _ in range(24):
                    own = prove(name, x, key, alpha, rng.randrange(L), T[j])
                    if own[32] % 8 == 0:
                        break
                put(f"Gamma + T{j}, 8 divides c" if own[32] % 8 == 0 else f"Gamma + T{j}", name, key, own, alpha)
                put(f"Gamma + T{j}, c of the plain one", name, key, encode(add(decode(gamma)[0], T[j])) + pi[32:], alpha)
                # keys of mixed order: x B + T
                mixed = encode(add(mul(x, B), T[j]))
                for _ in range(24):
                    own = prove(name, x, mixed, alpha, rng.randrange(L))
                    if own[32] % 8 == 0:
                        break
                put(f"key + T{j}", name, mixed, own, alpha)
                put(f"key + T{j}, the plain proof", name, mixed, pi, alpha)
            for y in (0, 1, 2, P - 1, P, P + 1, P + 2, 2**255 - 1, 7):
                for sign in (0, 1):
                    raw = (y | sign << 255).to_bytes(32, "little")
                    put("key at an edge", name, raw, pi, alpha)
                    put("Gamma at an edge", name, key, raw + pi[32:], alpha)
            put("- Gamma", name, key, bytes(gamma[:31]) + bytes([gamma[31] ^ 128]) + pi[32:], alpha)
            put("- key", name, bytes(key[:31]) + bytes([key[31] ^ 128]), pi, alpha)
            for n in (0, 32, 48, 79, 81, 160):
                put("a proof of another size", name, key, (pi + bytes(80))[:n], alpha)
            for n in (0, 31, 33):
                put("a key of another size", name, (key + bytes(8))[:n], pi, alpha)
            for _ in range(12):
                at = rng.randrange(640)
                broken = bytearray(pi)
                broken[at // 8] ^= 1 << at % 8
                put("bit turned", name, key, bytes(broken), alpha)
    return out


def files(rng, scale):
    return {"ecvrf.json": {"source": "tests/oracle/edges/ecvrf.py", "policy": "validate_key = TRUE", "cases": cases(rng, scale)}}

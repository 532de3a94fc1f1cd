# SPDX-License-Identifier: Apache-2.0
"""ECDSA under every caller, recovery and BIP-340 at their edges: r, s, v, digests, encodings, keys, points at infinity.

Written from the specification "Signatures and proofs" 2 and 3, SEC 1, BIP-340, EIP-2; the TRON rows from its table.
"""
import hashlib

from .keccak import keccak256

P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
     0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8)
INFINITY = None


def double(a):
    x, y, z = a
    s, m = 4 * x * y * y % P, 3 * x * x % P
    x3 = (m * m - 2 * s) % P
    return x3, (m * (s - x3) - 8 * pow(y, 4, P)) % P, 2 * y * z % P


def jadd(a, b):
    if a[2] == 0:
        return b
    if b[2] == 0:
        return a
    z1, z2 = a[2] * a[2] % P, b[2] * b[2] % P
    u1, u2, s1, s2 = a[0] * z2 % P, b[0] * z1 % P, a[1] * z2 * b[2] % P, b[1] * z1 * a[2] % P
    if u1 == u2:
        return double(a) if s1 == s2 else (1, 1, 0)
    h, r = u2 - u1, s2 - s1
    h2 = h * h % P
    h3, v = h * h2 % P, u1 * h2 % P
    x = (r * r - h3 - 2 * v) % P
    return x, (r * (v - x) - s1 * h3) % P, h * a[2] * b[2] % P


def jmul(k, a):
    out, a = (1, 1, 0), (a[0], a[1], 1) if a else (1, 1, 0)
    while k:
        if k & 1:
            out = jadd(out, a)
        a, k = double(a), k >> 1
    return out


def affine(a):
    if a[2] % P == 0:
        return INFINITY
    i = pow(a[2], -1, P)
    return a[0] * i * i % P, a[1] * i * i * i % P


def mul(k, a=G):
    return affine(jmul(k % N, a))


def combine(u, v, q):
    return affine(jadd(jmul(u % N, G), jmul(v % N, q)))


def add(a, b):
    return affine(jadd((*a, 1) if a else (1, 1, 0), (*b, 1) if b else (1, 1, 0)))


def lift(x, odd):
    if x >= P:
        return INFINITY
    y2 = (x * x * x + 7) % P
    y = pow(y2, (P + 1) // 4, P)
    if y * y % P != y2:
        return INFINITY
    return x, y if y % 2 == odd else P - y


def b32(n):
    return n.to_bytes(32, "big")


def verify(key, r, s, z):
    """key: a point; r, s integers of any size."""
    if key is None or not 1 <= r < N or not 1 <= s < N:
        return False
    w = pow(s, -1, N)
    point = combine(z * w, r * w, key)
    return point is not None and point[0] % N == r


def recover(r, s, z, recid):
    """A point, INFINITY, or False where there is nothing; r not ranged."""
    x = r + (recid >> 1) * N
    point = lift(x, recid & 1)
    if point is INFINITY or r % N == 0:
        return False
    i = pow(r, -1, N)
    return combine(-z * i, s * i, point)


def address(point):
    return keccak256(b32(point[0]) + b32(point[1]) if point else b"")[-20:].hex()


def columns(z, v, r, s):
    """The answers of the five callers of an ecrecover file."""
    ranged = 1 <= r < N and 1 <= s < N
    evm = recover(r, s, z, v - 27) if v in (27, 28) and ranged else False
    evm = evm or False
    folded = v + 27 if v < 27 else v
    multi = recover(r, s, z, folded - 27) if folded in (27, 28) and ranged else False
    tron = False
    if v < 256:
        byte = v - 256 if v > 127 else v
        byte += 27 if byte < 27 else 0
        if 27 <= byte <= 34:
            tron = recover(r, s, z, byte - 27 - (4 if byte >= 31 else 0))
    return {"precompile_address": address(evm) if evm else None,
            "eth_tx_ok": bool(evm) and s <= N // 2,
            "tron_precompile_address": "41" + address(evm) if evm else None,
            "tron_multisign_precompile_address": "41" + address(multi) if multi else None,
            "tron_tx_address": None if tron is False else "41" + address(tron)}


def x_off_curve(start):
    while lift(start, 0) is not INFINITY:
        start += 1
    return start


def x_on_curve(start):
    while lift(start, 0) is INFINITY:
        start += 1
    return start


def sign(rng, d, z, k=None):
    """r, s, recid; any s."""
    while True:
        k = k or rng.randrange(1, N)
        x, y = mul(k)
        r = x % N
        s = (z + r * d) * pow(k, -1, N) % N
        if r and s:
            return r, s, (2 if x >= N else 0) | y & 1
        k = None


def forge(rng, point):
    """A digest, a key and a signature whose R is the given point of unknown logarithm: Q from R and G."""
    r = point[0] % N
    while True:
        s, z = rng.randrange(1, N), rng.randrange(1, 2**256)
        i = pow(r, -1, N)
        q = combine(-z * i, s * i, point)
        if q is not INFINITY:
            return q, r, s, z


def recover_cases(rng, scale):
    out = []

    def put(why, z, v, r, s):
        out.append({"why": why, "hash": b32(z).hex(), "v": v, "r": b32(r).hex(), "s": b32(s).hex(), **columns(z, v, r, s)})

    for v in list(range(0, 40)) + [126, 127, 128, 129, 154, 155, 156, 228, 229, 230, 254, 255, 256, 283, 284, 2**32 + 27, 2**63, 2**64 - 1]:
        for _ in range(scale):
            d, z = rng.randrange(1, N), rng.randrange(2**256)
            r, s, _ = sign(rng, d, z)
            put("every v", z, v, r, s)
    edges = [0, 1, 2, 3, N // 2 - 1, N // 2, N // 2 + 1, N // 2 + 2, N - 2, N - 1, N, N + 1, N + 2, P - N - 1, P - N, P - N + 1,
             P - 1, P, P + 1, 2**256 - 1, 2**255, x_on_curve(N), x_on_curve(N + 3), x_off_curve(N), x_off_curve(5), x_on_curve(1)]
    vs = [0, 1, 2, 3, 4, 7, 27, 28, 29, 30, 31, 34]
    for r in edges:
        for _ in range(2 * scale):
            put("r at an edge", rng.randrange(2**256), rng.choice(vs), r, rng.choice(edges + [rng.randrange(1, N)] * 8))
    for s in edges:
        for _ in range(scale):
            d, z = rng.randrange(1, N), rng.randrange(2**256)
            r, _, recid = sign(rng, d, z)
            put("s at an edge", z, rng.choice((recid, recid + 27, recid ^ 1, 30)), r, s)
    for z in (0, 1, N - 1, N, N + 1, 2**256 - 1, P, 2**255):
        d = rng.randrange(1, N)
        r, s, recid = sign(rng, d, z)
        for v in (recid, recid + 27, (recid ^ 1) + 27):
            put("digest at an edge", z, v, r, s)
        put("digest at an edge, high twin", z, (recid ^ 1) + 27, r, N - s)
    # x(R) at or over N: recid 2 and 3, and r itself in [N, p) for java-tron
    at = N
    for _ in range(3 * scale):
        at = x_on_curve(at + rng.randrange(1, 1000))
        for odd in (0, 1):
            _, r, s, z = forge(rng, lift(at, odd))
            for v in (odd, 2 + odd, 6 + odd, 27 + odd, 29 + odd, 33 + odd):
                put("x(R) over N", z, v, r, s)
            put("r over N", z, 27 + odd, at, s)
            put("r over N", z, 29 + odd, at, s)
    # Q at infinity: s R = z G
    for _ in range(2 * scale):
        k, s = rng.randrange(1, N), rng.randrange(1, N)
        x, y = mul(k)
        for v in (y & 1, 27 + (y & 1), 4 + (y & 1), 28 - (y & 1)):
            put("the key is infinity", s * k % N, v, x, s)
        put("the key is infinity, s = 0", 0, 27 + (y & 1), x, 0)
        put("the key is infinity, s = N", N, y & 1, x, N)
        put("the key is G", (s * k - x) % N, 27 + (y & 1), x, s)
    # R = G, -G and multiples: u1 G + u2 R meets itself in the sum
    for k in (1, 2, 3, N - 1, N - 2, (N + 1) // 2):
        x, y = mul(k)
        for s, z in ((1, N - 1), (1, x), (rng.randrange(1, N), rng.randrange(N)), (x, x), (x, N - x if x < N else 1), (2, 1)):
            for v in (27, 28):
                put("R is a small multiple of G", z, v, x % N, s)
    for _ in range(10 * scale):
        d, z = rng.randrange(1, N), rng.randrange(2**256)
        r, s, recid = sign(rng, d, z)
        put("valid", z, 27 + recid, r, s)
        put("high twin", z, 28 - recid if recid < 2 else 31 - recid, r, N - s)
        if r < 2**256 - N:
            put("r + N", z, 27 + recid, r + N, s)
        if s < 2**256 - N:
            put("s + N", z, 27 + recid, r, s + N)
    first, rest = out[0], out[1:]
    rng.shuffle(rest)
    return [first] + rest


def integer(n):
    raw = n.to_bytes(n.bit_length() // 8 + 1, "big")
    return b"\x02" + bytes([len(raw)]) + raw


def der(r, s):
    body = integer(r) + integer(s)
    return b"\x30" + bytes([len(body)]) + body


def der_strict(sig):
    """(r, s) or None: the form of X.690 DER, read field by field."""
    def number(at):
        if at + 2 > len(sig) or sig[at] != 2:
            return None
        n = sig[at + 1]
        if n == 0 or n > 127 or at + 2 + n > len(sig):
            return None
        body = sig[at + 2:at + 2 + n]
        if body[0] & 0x80 or (n > 1 and body[0] == 0 and not body[1] & 0x80):
            return None
        return int.from_bytes(body, "big"), at + 2 + n

    if len(sig) < 8 or sig[0] != 0x30 or sig[1] > 127 or sig[1] + 2 != len(sig):
        return None
    a = number(2)
    b = number(a[1]) if a else None
    return (a[0], b[0]) if b and b[1] == len(sig) else None


def key_point(raw):
    if len(raw) != 65 or raw[0] != 4:
        return None
    x, y = int.from_bytes(raw[1:33], "big"), int.from_bytes(raw[33:], "big")
    return (x, y) if x < P and y < P and (y * y - x * x * x - 7) % P == 0 else None


def ecdsa_cases(rng, scale, is_der, low_s, sha="SHA-256"):
    out = []
    digest = {"SHA-256": hashlib.sha256, "SHA3-256": hashlib.sha3_256}[sha]

    def put(why, key, sig, msg):
        rs = der_strict(sig) if is_der else (
            (int.from_bytes(sig[:32], "big"), int.from_bytes(sig[32:], "big")) if len(sig) == 64 else None)
        z = int.from_bytes(digest(msg).digest(), "big")
        ok = rs is not None and (not low_s or rs[1] <= N // 2) and verify(key_point(key), rs[0], rs[1], z)
        out.append({"tcId": len(out) + 1, "comment": why, "flags": [], "msg": msg.hex(), "sig": sig.hex(),
                    "result": "valid" if ok else "invalid", "group": {"sha": sha}, "pub_uncompressed": key.hex()})

    def form(r, s):
        return der(r, s) if is_der else r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def raw(q):
        return b"\x04" + b32(q[0]) + b32(q[1])

    def fresh(low=None):
        d, msg = rng.randrange(1, N), rng.randbytes(rng.randrange(0, 200))
        z = int.from_bytes(digest(msg).digest(), "big")
        r, s, _ = sign(rng, d, z)
        if low is not None and (s <= N // 2) != low:
            s = N - s
        return raw(mul(d)), r, s, msg, z

    for low in (True, False, None):
        for _ in range(4 * scale):
            key, r, s, msg, z = fresh(low)
            put("valid, low s" if low else "valid", key, form(r, s), msg)
            flipped = bytearray(form(r, s))
            at = rng.randrange(len(flipped) * 8)
            flipped[at // 8] ^= 1 << at % 8
            put("bit turned", key, bytes(flipped), msg)
    edges = [0, 1, 2, N // 2, N // 2 + 1, N - 1, N, N + 1, P - N, P - 1, P, 2**256 - 1]
    key, r, s, msg, z = fresh(True)
    for a in edges:
        put("r at an edge", key, form(a, s), msg)
        put("s at an edge", key, form(r, a), msg)
        put("r and s at edges", key, form(a, rng.choice(edges)), msg)
    put("s = N - s", key, form(r, N - s), msg)
    for bigger in (r + N, s + N):
        if bigger < 2**256 or is_der:
            put("+ N", key, form(r + N, s) if bigger == r + N else form(r, s + N), msg)
    # x(R) over N: found for a chosen R by choosing the key
    at = N
    for _ in range(4 * scale):
        at = x_on_curve(at + 1)
        msg = rng.randbytes(8)
        z = int.from_bytes(digest(msg).digest(), "big")
        r, s = at % N, rng.randrange(1, N // 2)
        q = combine(-z * pow(r, -1, N), s * pow(r, -1, N), lift(at, rng.randrange(2)))
        put("x(R) over N", raw(q), form(r, s), msg)
        put("x(R) over N, r not reduced", raw(q), form(at, s), msg)
        put("x(R) over N, high s", raw(q), form(r, N - s), msg)
    # r below p - N whose x(R) is r itself and not r + N, and the other way round
    for start in (1, 2, 1000, P - N - 4000):
        x = x_on_curve(start)
        msg = rng.randbytes(8)
        z = int.from_bytes(digest(msg).digest(), "big")
        s = rng.randrange(1, N // 2)
        put("small r", raw(combine(-z * pow(x, -1, N), s * pow(x, -1, N), lift(x, 0))), form(x, s), msg)
    # R at infinity: u1 G + u2 Q = 0 for Q = -z/r G
    for _ in range(3 * scale):
        msg = rng.randbytes(9)
        z = int.from_bytes(digest(msg).digest(), "big")
        r, s = rng.randrange(1, N), rng.randrange(1, N // 2)
        put("R is infinity", raw(mul(-z * pow(r, -1, N))), form(r, s), msg)
        put("u1 G = u2 Q", raw(mul(z * pow(r, -1, N))), form(r, s), msg)
    # keys that are small multiples of G, valid under them
    for d in (1, 2, 3, N - 1, N - 2, (N - 1) // 2, (N + 1) // 2):
        msg = rng.randbytes(3)
        r, s, _ = sign(rng, d, int.from_bytes(digest(msg).digest(), "big"))
        put("key a small multiple of G", raw(mul(d)), form(r, min(s, N - s)), msg)
        for k in (1, 2, d, N - d):
            r, s, _ = sign(rng, d, int.from_bytes(digest(msg).digest(), "big"), k)
            put("nonce a small multiple", raw(mul(d)), form(r, min(s, N - s)), msg)
    # keys
    key, r, s, msg, z = fresh(True)
    good = form(r, s)
    x, y = int.from_bytes(key[1:33], "big"), int.from_bytes(key[33:], "big")
    for why, k in (("off the curve", b"\x04" + b32(x) + b32(y ^ 1)), ("y = p - y", b"\x04" + b32(x) + b32(P - y)),
                   ("x = 0", b"\x04" + bytes(32) + b32(y)), ("all zero", b"\x04" + bytes(64)), ("infinity", b"\x00"),
                   ("infinity, long", bytes(65)), ("hybrid", bytes([6 + y % 2]) + key[1:]), ("hybrid, other", bytes([7 - y % 2]) + key[1:]),
                   ("compressed", bytes([2 + y % 2]) + key[1:33]), ("prefix 05", b"\x05" + key[1:]), ("no prefix", key[1:]),
                   ("66 bytes", key + b"\x00"), ("64 bytes", key[:64]), ("nothing", b""), ("x = p", b"\x04" + b32(P) + b32(y)),
                   ("y = p", b"\x04" + b32(x) + b32(P)), ("all ff", b"\x04" + b"\xff" * 64)):
        put("key: " + why, k, good, msg)
    xs = x_on_curve(1)  # x + p fits 32 bytes: the same point, not its encoding
    q = lift(xs, 0)
    r, s, z = (lambda a, b, m: (q[0] * 0 + a, b, m))(*[rng.randrange(1, N) for _ in range(3)])
    put("key: x + p", b"\x04" + b32(q[0] + P) + b32(q[1]), form(r, min(s, N - s)), msg)
    # encodings
    key, r, s, msg, z = fresh(True)
    good = form(r, s)
    for n in range(0, len(good)):
        put("cut", key, good[:n], msg)
    for tail in (b"\x00", b"\x05\x00", bytes(8), good):
        put("something after it", key, good + tail, msg)
    if not is_der:
        put("leading zero", key, b"\x00" + good, msg)
        put("DER", key, der(r, s), msg)
        put("33 + 33", key, b"\x00" + b32(r) + b"\x00" + b32(s), msg)
    else:
        ri, si = integer(r), integer(s)

        def seq(body, tag=0x30, head=None):
            return bytes([tag]) + (bytes([len(body)]) if head is None else head) + body

        def padded(i, by=1):
            return b"\x02" + bytes([i[1] + by]) + bytes(by) + i[2:]

        def naked(i):
            v = i[2:].lstrip(b"\x00") or b"\x00"
            return b"\x02" + bytes([len(v)]) + v
        n = len(ri + si)
        weird = {
            "long form": seq(ri + si, head=bytes([0x81, n])), "long form of 2": seq(ri + si, head=bytes([0x82, 0, n])),
            "long form of 4": seq(ri + si, head=bytes([0x84, 0, 0, 0, n])), "indefinite": seq(ri + si + b"\0\0", head=b"\x80"),
            "set": seq(ri + si, tag=0x31), "context": seq(ri + si, tag=0xa0), "primitive sequence": seq(ri + si, tag=0x10),
            "length + 1": seq(ri + si, head=bytes([n + 1])), "length - 1": seq(ri + si, head=bytes([n - 1])),
            "one integer": seq(ri), "three integers": seq(ri + si + si), "none": seq(b""), "r padded": seq(padded(ri) + si),
            "s padded": seq(ri + padded(si)), "padded twice": seq(padded(ri, 2) + si), "r bare": seq(naked(ri) + si), "s bare": seq(ri + naked(si)),
            "r without body": seq(b"\x02\x00" + si), "s without body": seq(ri + b"\x02\x00"), "inner long form": seq(b"\x02\x81" + ri[1:] + si),
            "inner long form of s": seq(ri + b"\x02\x81" + si[1:]), "r a bit string": seq(b"\x03" + ri[1:] + si), "s an octet string": seq(ri + b"\x04" + si[1:]),
            "null after s": seq(ri + si + b"\x05\x00"), "swapped": seq(si + ri), "r huge": seq(integer(r + (1 << 300)) + si),
            "s huge": seq(ri + integer(s + (1 << 256))), "r = 2^256 + r": seq(integer(r + 2**256) + si), "r + N": seq(integer(r + N) + si),
            "s + N": seq(ri + integer(s + N)), "s - N, negative": seq(ri + b"\x02\x20" + (s - N + 2**256).to_bytes(32, "big")),
            "-r": seq(b"\x02\x21" + (2**264 - r).to_bytes(33, "big") + si), "s of ff": seq(ri + b"\x02\x01\xff"), "s = 80": seq(ri + b"\x02\x01\x80"),
            "p1363": b32(r) + b32(s), "twice": good + good, "nested": seq(good), "200 bytes": seq(ri + integer(1 << 1200)),
            "high tag number": b"\x3f\x10" + good[1:], "zero first": b"\x00" + good}
        for why, sig in weird.items():
            put("DER: " + why, key, sig, msg)
        for at in range(len(good)):
            for byte in {0, 0x80, 0xff, good[at] ^ 1} if scale > 1 or at < 8 else {good[at] ^ 1 << rng.randrange(8)}:
                put("byte changed", key, good[:at] + bytes([byte]) + good[at + 1:], msg)
            put("byte gone", key, good[:at] + good[at + 1:], msg)
            put("byte twice", key, good[:at] + good[at:at + 1] + good[at:], msg)
    # short r and s: fewer bytes in DER
    for bits in (1, 7, 8, 15, 16, 127, 128, 200, 247, 248, 255):
        s2 = rng.randrange(1 << bits - 1, 1 << bits)
        msg = rng.randbytes(5)
        z = int.from_bytes(digest(msg).digest(), "big")
        k = rng.randrange(1, N)
        x, y = mul(k)
        d = (s2 * k - z) * pow(x, -1, N) % N  # s = (z + r d) / k
        put("short s", raw(mul(d)), form(x % N, s2 if not low_s else s2), msg)
    return out


def tagged(tag, data):
    t = hashlib.sha256(tag.encode()).digest()
    return hashlib.sha256(t + t + data).digest()


def bip340_ok(key, msg, sig):
    if len(key) != 32 or len(sig) != 64:
        return False
    p = lift(int.from_bytes(key, "big"), 0)
    r, s = int.from_bytes(sig[:32], "big"), int.from_bytes(sig[32:], "big")
    if p is INFINITY or r >= P or s >= N:
        return False
    e = int.from_bytes(tagged("BIP0340/challenge", sig[:32] + key + msg), "big") % N
    point = combine(s, -e, p)
    return point is not INFINITY and point[1] % 2 == 0 and point[0] == r


def bip340_cases(rng, scale):
    out = []

    def put(why, key, sig, msg):
        out.append({"index": str(len(out)), "secret key": "", "public key": key.hex().upper(), "aux_rand": "",
                    "message": msg.hex().upper(), "signature": sig.hex().upper(),
                    "verification result": "TRUE" if bip340_ok(key, msg, sig) else "FALSE", "comment": why})

    def make(msg, d=None, k=None, odd_r=False, odd_key=False):
        d, k = d or rng.randrange(1, N), k or rng.randrange(1, N)
        q, point = mul(d), mul(k)
        if (q[1] % 2 == 1) != odd_key:
            d = N - d
        if (point[1] % 2 == 1) != odd_r:
            k = N - k
        key, r = b32(q[0]), b32(point[0])
        e = int.from_bytes(tagged("BIP0340/challenge", r + key + msg), "big") % N
        return key, r + b32((k + e * d) % N), e, d

    for n in list(range(0, 70)) + [119, 120, 127, 128, 129, 183, 184, 247, 248, 1000, 4097, 70000]:
        msg = rng.randbytes(n)
        key, sig, _, _ = make(msg)
        put(f"valid, {n} bytes", key, sig, msg)
        if n:
            put("message cut", key, sig, msg[:-1])
        put("message longer", key, sig, msg + b"\x00")
    for _ in range(4 * scale):
        msg = rng.randbytes(32)
        put("y(R) odd", *make(msg, odd_r=True)[:2], msg)
        put("y(P) odd", *make(msg, odd_key=True)[:2], msg)
        put("both odd", *make(msg, odd_r=True, odd_key=True)[:2], msg)
        key, sig, e, d = make(msg)
        s = int.from_bytes(sig[32:], "big")
        put("-s", key, sig[:32] + b32(N - s), msg)
        if s + N < 2**256:
            put("s + N", key, sig[:32] + b32(s + N), msg)
        for v in (0, 1, N - 1, N, N + 1, 2**256 - 1):
            put("s at an edge", key, sig[:32] + b32(v), msg)
        for v in (0, 1, P - 1, P, P + 1, 2**256 - 1, N, N + 1, x_off_curve(3), x_on_curve(N)):
            put("r at an edge", key, b32(v) + sig[32:], msg)
        for v in (0, 1, 5, P - 1, P, P + x_on_curve(1), 2**256 - 1, x_off_curve(3), N, x_on_curve(N)):
            put("key at an edge", b32(v), sig, msg)
        for at in (rng.randrange(512), rng.randrange(512)):
            broken = bytearray(sig)
            broken[at // 8] ^= 1 << at % 8
            put("bit turned", key, bytes(broken), msg)
        # R at infinity: s = e d for a chosen r
        for r in (0, 1, rng.randrange(P), x_on_curve(2), P):
            e = int.from_bytes(tagged("BIP0340/challenge", b32(r) + key + msg), "big") % N
            put("R is infinity", key, b32(r) + b32(e * d % N), msg)
    for d in (1, 2, 3, N - 1, (N + 1) // 2):
        for k in (1, 2, 3, d, N - 1):
            msg = rng.randbytes(32)
            put("small multiples", *make(msg, d, k)[:2], msg)
    # s chosen, R of any kind: s = 0, s G = P...
    for _ in range(3 * scale):
        msg = rng.randbytes(32)
        key, sig, e, d = make(msg)
        put("all zero", key, bytes(64), msg)
        put("all ff", key, b"\xff" * 64, msg)
        put("sig of another key", make(msg)[0], sig, msg)
        put("e P", key, key + b32(1), msg)
    key, sig, _, _ = make(b"x")
    for n in (0, 32, 63, 65, 128):
        put("signature of another length", key, (sig + bytes(64))[:n], b"x")
    for n in (0, 31, 33, 64):
        put("key of another length", (key + bytes(32))[:n], sig, b"x")
    return out


def wycheproof(name, notes, cases):
    return {"source": "tests/oracle/edges/secp256k1.py " + name, "licence": "", "algorithm": "ECDSA", "notes": {n: {} for n in notes}, "cases": cases}


def files(rng, scale):
    return {
        "ecrecover.json": {"source": "tests/oracle/edges/secp256k1.py", "cases": recover_cases(rng, scale)},
        "ecdsa_der.json": wycheproof("sha256", [], ecdsa_cases(rng, scale, True, False)),
        "ecdsa_der_sha3.json": wycheproof("sha3_256", [], ecdsa_cases(rng, scale, True, False, "SHA3-256")),
        "ecdsa_bitcoin.json": wycheproof("sha256_bitcoin", ["SignatureMalleabilityBitcoin"], ecdsa_cases(rng, scale, True, True)),
        "ecdsa_p1363.json": wycheproof("sha256_p1363", ["SignatureSize"], ecdsa_cases(rng, scale, False, False)),
        "bip340.json": {"source": "tests/oracle/edges/secp256k1.py", "cases": bip340_cases(rng, scale)},
    }

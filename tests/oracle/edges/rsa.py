# SPDX-License-Identifier: Apache-2.0
"""RSA-2048: draws and RSASSA-PKCS1-v1_5 with every other padding, every other size, and keys beside the rule.

Written from the specification "Signatures and proofs" 4 and RFC 8017 8.2.2. Keys are made of random primes.
"""
import hashlib
import math

E = 65537
INFO = bytes.fromhex("3031300d060960864801650304020105000420")


SMALL = [q for q in range(3, 4000, 2) if all(q % k for k in range(3, 64, 2) if k < q)]
PRODUCT = math.prod(SMALL)


def prime(rng, bits):
    while True:
        n = rng.randrange(3 << bits - 2, 1 << bits) | 1
        if math.gcd(n, PRODUCT) == 1 and n % E != 1 and pow(2, n - 1, n) == 1:
            return n


def make_key(rng, bits=2048):
    p, q = prime(rng, bits // 2), prime(rng, bits - bits // 2)
    return p * q, pow(E, -1, (p - 1) * (q - 1))


def draw_ok(n, e, sig, hash32):
    """"Key rules are part of consensus too: exactly 2048-bit odd n, e = 65537"."""
    if e != E or n.bit_length() != 2048 or n % 2 == 0 or len(sig) != 256 or len(hash32) != 32:
        return False
    s = int.from_bytes(sig, "big")
    return s < n and pow(s, e, n) == int.from_bytes(b"\x00\x01" + b"\xff" * 221 + b"\x00" + hash32, "big")


def pkcs1_ok(n, e, sig, msg):
    if e != E or n.bit_length() != 2048 or n % 2 == 0 or len(sig) != 256:
        return False
    s = int.from_bytes(sig, "big")
    em = b"\x00\x01" + b"\xff" * 202 + b"\x00" + INFO + hashlib.sha256(msg).digest()
    return s < n and pow(s, e, n) == int.from_bytes(em, "big")


def paddings(rng, body, digest):
    """Encodings of 256 bytes that are not the right one; `body` is what stands after the separator."""
    n = 256 - 3 - len(body)
    ff = b"\xff" * n
    other = rng.randbytes(64).replace(b"\0", b"\1")
    yield "block type 0", b"\0\0" + bytes(n) + b"\0" + body
    yield "block type 0 over FF", b"\0\0" + ff + b"\0" + body
    yield "block type 2", b"\0\2" + (other * 8)[:n] + b"\0" + body
    yield "block type 2 over FF", b"\0\2" + ff + b"\0" + body
    yield "first byte 1", b"\1\1" + ff + b"\0" + body
    yield "separator 1", b"\0\1" + ff + b"\1" + body
    yield "separator FF", b"\0\1" + ff + b"\xff" + body
    yield "FE in the run", b"\0\1" + b"\xfe" + ff[1:] + b"\0" + body
    yield "FE at the end of the run", b"\0\1" + ff[1:] + b"\xfe" + b"\0" + body
    yield "FE in the middle", b"\0\1" + ff[:n // 2] + b"\xfe" + ff[n // 2 + 1:] + b"\0" + body
    for run in (0, 1, 7, 8, 9, n - 8, n - 1):
        yield f"run of {run}, rest behind", b"\0\1" + b"\xff" * run + b"\0" + body + (other * 8)[:n - run]
        yield f"run of {run}, zeros behind", b"\0\1" + b"\xff" * run + b"\0" + body + bytes(n - run)
        yield f"run of {run}, rest before", b"\0\1" + b"\xff" * run + b"\0" + (other * 8)[:n - run] + body
    yield "one zero more", b"\0\1" + ff[1:] + b"\0\0" + body
    yield "shifted up", b"\1" + ff + b"\0" + body + b"\0"
    yield "31 bytes of the hash", b"\0\1" + ff + b"\xff\0" + body[:-1]
    yield "hash without its first byte", b"\0\1" + ff + b"\xff\0" + body[1:]
    yield "only the hash", bytes(256 - len(digest)) + digest
    yield "all FF before the hash", b"\0\1" + b"\xff" * (254 - len(body)) + body


def infos(digest):
    """DigestInfo in other forms."""
    yield "without NULL", bytes.fromhex("302f300b0609608648016503040201") + b"\x04\x20" + digest
    yield "NULL of one byte", bytes.fromhex("3032300e060960864801650304020105010004") + b"\x20" + digest
    yield "long form", bytes.fromhex("308131300d060960864801650304020105000420") + digest
    yield "inner long form", bytes.fromhex("303230810d060960864801650304020105000420") + digest
    yield "SHA-512", bytes.fromhex("3031300d060960864801650304020305000420") + digest
    yield "SHA-224", bytes.fromhex("3031300d060960864801650304020405000420") + digest
    yield "SHA-1", bytes.fromhex("3021300906052b0e03021a05000414") + digest[:20]
    yield "no DigestInfo", digest
    yield "trailing NULL", bytes.fromhex("3033300d060960864801650304020105000420") + digest + b"\5\0"
    yield "octet string with a zero", bytes.fromhex("3032300d060960864801650304020105000421") + b"\0" + digest
    yield "bit string", bytes.fromhex("3031300d060960864801650304020105000320") + digest
    yield "nothing", b""


def cases(rng, scale, draw, keys, even):
    out = []

    def put(why, n, sig, msg, e=E, raw_n=None):
        n_hex = (raw_n if raw_n is not None else n.to_bytes((n.bit_length() + 7) // 8, "big")).hex()
        if draw:
            ok = draw_ok(n, e, sig, msg)
            score = hashlib.sha256(sig).digest() if ok else None
            out.append({"n": n_hex, "e": e, "prev_hash": msg.hex(), "sig": sig.hex(), "why": why, "valid": ok,
                        "sha256_of_sig": score.hex() if ok else None,
                        "leading_zero_bits": 256 - int.from_bytes(score, "big").bit_length() if ok else None})
        else:
            out.append({"tcId": len(out) + 1, "comment": why, "flags": [], "msg": msg.hex(), "sig": sig.hex(),
                        "result": "valid" if pkcs1_ok(n, e, sig, msg) else "invalid", "group": {"sha": "SHA-256"},
                        "n": n_hex, "e": e.to_bytes((e.bit_length() + 7) // 8, "big").hex()})

    def message():
        return rng.randbytes(32) if draw else rng.randbytes(rng.choice((0, 1, 55, 56, 64, 119, 200)))

    def encoded(msg):
        return b"\0\1" + b"\xff" * 221 + b"\0" + msg if draw else (
            b"\0\1" + b"\xff" * 202 + b"\0" + INFO + hashlib.sha256(msg).digest())

    def signed(key, em):
        return pow(int.from_bytes(em, "big"), key[1], key[0])

    for key in keys:
        n = key[0]
        msg = message()
        digest = msg if draw else hashlib.sha256(msg).digest()
        body = msg if draw else INFO + digest
        s = signed(key, encoded(msg))
        sig = s.to_bytes(256, "big")
        put("valid", n, sig, msg)
        put("valid, n with a zero in front", n, sig, msg, raw_n=b"\0" + n.to_bytes(256, "big"))
        for why, em in list(paddings(rng, body, digest)) + [
                ("DigestInfo " + w, b"\0\1" + b"\xff" * (253 - len(i)) + b"\0" + i) for w, i in infos(digest)] + [
                ("DigestInfo and the hash", b"\0\1" + b"\xff" * 202 + b"\0" + INFO + digest)]:
            em_int = int.from_bytes(em, "big")
            if em_int < n:
                put(why, n, signed(key, em).to_bytes(256, "big"), msg)
        for v in (0, 1, n - 1, n, n + 1, n - s, n + s, s + 1, 2**2048 - 1, 2 * n, int.from_bytes(encoded(msg), "big")):
            if v < 2**2048:
                put("a value at an edge", n, v.to_bytes(256, "big"), msg)
        for raw in (b"", sig[:255], sig[1:], sig + b"\0", b"\0" + sig, sig + sig, sig[:128], sig[::-1]):
            put("another size or order", n, raw, msg)
        for e in (1, 3, 17, 65535, 65536, 65539, 2**32 + 65537, 2**24 + 65537):
            put("another exponent", n, sig, msg, e=e)
        for _ in range(6 * scale):
            broken = bytearray(sig)
            at = rng.randrange(2048)
            broken[at // 8] ^= 1 << at % 8
            put("bit turned", n, bytes(broken), msg)
        other = message()
        put("another message", n, sig, other + b"x" if other == msg and not draw else other, )
        put("another key", keys[0][0] if key is not keys[0] else keys[1][0], sig, msg)
        if draw:
            for m in (b"", msg[:31], msg + b"\0", b"\0" + msg, msg + msg):
                put("previous hash of another size", n, sig, m)
            zero = bytes(5) + rng.randbytes(27)
            put("hash with zeros in front", n, signed(key, encoded(zero)).to_bytes(256, "big"), zero)
        # signatures with zero bytes in front are still 256 bytes
        for _ in range(600):
            m = message() if draw else rng.randbytes(8)
            v = signed(key, encoded(m))
            if v < 2**2040:
                put("a zero byte in front", n, v.to_bytes(256, "big"), m)
                put("its zero byte cut", n, v.to_bytes(255, "big"), m)
                break
            if _ > 40 * scale:
                break
        # keys beside the rule, with right signatures where a private key exists
        put("even n", n + 1, sig, msg)
        put("n = 0", 0, sig, msg, raw_n=bytes(256))
        put("n = 0, empty", 0, sig, msg, raw_n=b"")
        put("n = 1", 1, bytes(256), msg)
        put("n = 2^2048 - 1", 2**2048 - 1, sig, msg)
        put("n = 2^2047 + 1", 2**2047 + 1, sig, msg)
        put("n + 2^2048", n + 2**2048, sig, msg)
    for bits in (1024, 2040, 2047, 2049, 2056, 3072, 4096) if scale > 1 else (2047, 2049):
        key = make_key(rng, bits)
        msg = message()
        v = signed(key, encoded(msg)) if int.from_bytes(encoded(msg), "big") < key[0] else 5
        put(f"n of {key[0].bit_length()} bits", key[0], v.to_bytes(256, "big") if v < 2**2048 else v.to_bytes((bits + 7) // 8, "big"), msg)
    n, d = even
    for _ in range(3):
        msg = message()
        put("even n with its own root", n, pow(int.from_bytes(encoded(msg), "big"), d, n).to_bytes(256, "big"), msg)
    return out


def even_key(rng):
    """2 p q of 2048 bits, whose powers can be taken as well."""
    p = prime(rng, 1024)
    while True:
        q = prime(rng, 1023)
        if (2 * p * q).bit_length() == 2048:
            return 2 * p * q, pow(E, -1, (p - 1) * (q - 1))


def files(rng, scale):
    keys, even = [make_key(rng) for _ in range(1 + scale)], even_key(rng)
    return {"rsa_draw.json": {"source": "tests/oracle/edges/rsa.py", "cases": cases(rng, scale, True, keys, even)},
            "rsa_pkcs1.json": {"source": "tests/oracle/edges/rsa.py", "algorithm": "RSASSA-PKCS1-v1_5", "cases": cases(rng, scale, False, keys, even)}}

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Independent enrolment in plain Python: writes tests/vectors/enrol.json, or with --check compares it.

Steps as in docs/formats.md and "PCB double-blind matching" 1.1: centre, normalise, quantise, project by ChaCha20 bits,
erase the n/4 coordinates nearest to zero. Also re-draws rows of the synthetic population.
"""
import hashlib
import hmac
import json
import math
import pathlib
import struct
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = ROOT / "tests" / "vectors" / "enrol.json"
MASK = 0xFFFFFFFF


def f32(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


def chacha20(key, nonce, length):
    """Key stream of RFC 8439 from block 0; the nonce is a 96-bit little-endian integer."""
    out = bytearray()
    start = list(struct.unpack("<4I", b"expand 32-byte k")) + list(struct.unpack("<8I", key))
    tail = list(struct.unpack("<3I", nonce.to_bytes(12, "little")))
    block = 0
    while len(out) < length:
        first = start + [block] + tail
        s = first[:]

        def quarter(a, b, c, d):
            for x, y, z, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
                s[x] = (s[x] + s[y]) & MASK
                v = s[z] ^ s[x]
                s[z] = ((v << turn) | (v >> (32 - turn))) & MASK

        for _ in range(10):
            quarter(0, 4, 8, 12), quarter(1, 5, 9, 13), quarter(2, 6, 10, 14), quarter(3, 7, 11, 15)
            quarter(0, 5, 10, 15), quarter(1, 6, 11, 12), quarter(2, 7, 8, 13), quarter(3, 4, 9, 14)
        out += struct.pack("<16I", *[(x + y) & MASK for x, y in zip(s, first)])
        block += 1
    return bytes(out[:length])


def projection_key(secret, epoch, field):
    prk = hmac.new(epoch, secret, hashlib.sha256).digest()
    return hmac.new(prk, b"pcb/proj/v1" + struct.pack("<I", field) + b"\x01", hashlib.sha256).digest()


def quantise(features, mean):
    centred = [x - m for x, m in zip(features, mean)]
    squares = 0.0
    for c in centred:
        squares += c * c
    length = math.sqrt(squares)
    return [max(-32768, min(32767, round(8192.0 * (c / length)))) for c in centred]  # round(): half to even


def planes(key, n, q):
    d = len(q)
    bits = int.from_bytes(chacha20(key, 0, n * d // 8), "little")  # bit i of the stream is bit i of this integer
    y = []
    for k in range(n):
        row = (bits >> (k * d)) & ((1 << d) - 1)
        y.append(sum(-v if (row >> j) & 1 else v for j, v in enumerate(q)))
    erased = set(sorted(range(n), key=lambda k: (abs(y[k]), k))[: n // 4])
    sign = sum(1 << k for k in range(n) if k not in erased and y[k] < 0)
    valid = sum(1 << k for k in range(n) if k not in erased)
    return sign.to_bytes(n // 8, "little") + valid.to_bytes(n // 8, "little")


def uniform(label, count):
    """Deterministic 16-bit integers for test inputs."""
    stream = chacha20(hashlib.sha256(label.encode()).digest(), 7, 2 * count)
    return struct.unpack("<%dH" % count, stream)


def case_from_features(name, secret, epoch, field, n, features, mean):
    key = projection_key(secret, epoch, field)
    q = quantise(features, mean)
    return {"name": name, "secret": secret.hex(), "epoch": epoch.hex(), "field": field, "key": key.hex(), "n": n,
            "mean": mean, "features": features, "q": q, "row": planes(key, n, q).hex()}


def case_from_q(name, label, n, q):
    key = hashlib.sha256(label.encode()).digest()
    return {"name": name, "key": key.hex(), "n": n, "q": q, "row": planes(key, n, q).hex()}


def mean_of(rows):
    out = []
    for j in range(len(rows[0])):
        total = 0.0
        for r in rows:
            total += f32(r[j])
        out.append(f32(total / len(rows)))
    return out


def exact_halves():
    """Eleven whole numbers of length exactly 16384, seven of them odd: 8192 c_j is a half there."""
    odd = [1, 3, 5, 7, -9, 11, -13]
    rest = 16384 * 16384 - sum(v * v for v in odd)
    a = math.isqrt(rest) - 5
    rest -= a * a
    for b in range(math.isqrt(rest), 0, -1):
        for c in range(math.isqrt(rest - b * b), 0, -1):
            last = math.isqrt(rest - b * b - c * c)
            if last * last == rest - b * b - c * c:
                return [float(v) for v in odd + [a, -b, c, last]]
    raise ValueError("no such numbers")


def enrol_cases():
    cases = []
    epoch = bytes(range(16))
    for n, d in ((64, 1), (64, 3), (128, 7), (192, 17), (512, 64), (1024, 33), (2048, 130)):
        values = uniform("features %d %d" % (n, d), 2 * d)
        features = [f32((v - 32768) / 9000.0) for v in values[:d]]
        mean = [f32((v - 32768) / 90000.0) for v in values[d:]]
        secret = hashlib.sha256(b"secret %d" % n).digest()
        cases.append(case_from_features("n %d, d %d" % (n, d), secret, epoch, d % 3, n, features, mean))
    cases.append(case_from_features("exact halves", b"s", bytes(16), 4294967295, 128, exact_halves(), [0.0] * 11))
    cases.append(case_from_q("all zero: ties go to the lower index", "zero", 256, [0] * 5))
    cases.append(case_from_q("few distinct magnitudes", "few", 512, [1, -1, 1]))
    cases.append(case_from_q("extreme values", "extreme", 128, [32767, -32768, -32768, 32767, 0, 1] * 11))
    cases.append(case_from_q("wide", "wide", 64, [v - 32768 for v in uniform("wide q", 1500)]))
    return cases


def face_cases(faces):
    rows = [r["descriptor"] for r in faces["rows"]]
    mean = mean_of(rows)
    out = []
    for i in (0, 57, 109):
        features = [f32(v) for v in rows[i]]
        out.append(case_from_features("face row %d" % i, b"an application secret of 32 bytes", bytes(16), 0, 2048,
                                      features, mean))
    return out


def population(faces):
    """Rows of synthetic(): mean + spread * normal, normal = centred sum of twelve 16-bit words."""
    rows = [[f32(v) for v in r["descriptor"]] for r in faces["rows"]]
    d, count = len(rows[0]), len(rows)
    mean, spread = [], []
    for j in range(d):
        total = 0.0
        for r in rows:
            total += r[j]
        mean.append(total / count)
        squares = 0.0
        for r in rows:
            squares += (r[j] - mean[j]) * (r[j] - mean[j])
        spread.append(math.sqrt(squares / count))
    seed = hashlib.sha256(b"population").digest()
    out = []
    for index in (0, 1, 131071):
        words = struct.unpack("<%dH" % (12 * d), chacha20(seed, index, 24 * d))
        normal = [(2 * sum(words[12 * j:12 * j + 12]) - 12 * 65535) * (1.0 / (2 * 65535.99999237)) for j in range(d)]
        out.append({"seed": seed.hex(), "index": index,
                    "row": struct.pack("<%df" % d, *[m + s * g for m, s, g in zip(mean, spread, normal)]).hex()})
    return out


def lines(value):
    """A list with one element a line, anything else on one line."""
    if isinstance(value, list):
        return "[\n  " + ",\n  ".join(json.dumps(v) for v in value) + "\n ]"
    return json.dumps(value)


def main():
    faces = json.loads((ROOT / "data" / "faces.json").read_text())
    document = {
        "format": "sparkmill/enrol/v1",
        "source": "tests/oracle/enrol_oracle.py",
        "cases": enrol_cases() + face_cases(faces),
        "population": population(faces),
    }
    text = "{\n" + ",\n".join(' "%s": %s' % (key, lines(value)) for key, value in document.items()) + "\n}\n"
    if sys.argv[1:] == ["--check"]:
        if TARGET.read_text() != text:
            sys.exit("tests/vectors/enrol.json differs from what the oracle computes")
        print("%d cases and %d rows re-derived" % (len(document["cases"]), len(document["population"])))
        return
    if sys.argv[1:]:
        sys.exit("usage: enrol_oracle.py [--check]")
    TARGET.write_text(text)


if __name__ == "__main__":
    main()

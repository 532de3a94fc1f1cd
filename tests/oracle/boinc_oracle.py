#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An export and an account signature of an invented BOINC project, in plain Python: writes tests/vectors/boinc/, or with
--check compares it. Records have the form of db_dump's stats/user.gz; the signature is RSA PKCS #1 v1.5 with SHA-512
(RFC 8017) by a key that is drawn from a seed, so this file is all that is needed to make both again."""
import base64
import gzip
import hashlib
import io
import json
import pathlib
import sys

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "vectors" / "boinc"
PROJECT = "https://far.example/astro/"
# id, name as exported (escaped), e-mail and cross-project id (the CPID is their MD5), total, extra lines
USERS = [
    (1, "Vol", "vol@example.org", "3e26107f114456ebfeba4f9dbbf349aa", "0.578687", []),
    (2, "Ann &amp; Bob &lt;ab&gt;", "ann@example.org", "00112233445566778899aabbccddeeff", "1234567.000000",
     [" <url>http://ann.example/?a=1&amp;b=2</url>", " <teamid>7</teamid>", " <has_profile/>"]),
    (17, "J&#246;rg", "joerg@example.org", "ffeeddccbbaa99887766554433221100", "98765432109.123456",
     [" <badge>\n   <id>3</id>\n   <title>top 1%</title>\n </badge>"]),
    (40000000000, "", "late@example.org", "0f0e0d0c0b0a09080706050403020100", "0.000000", []),
]
WORKER, NODE, TIME = "a1" * 32, "b2" * 32, 1795234564


def cpid(user):
    return hashlib.md5((user[3] + user[2]).encode()).hexdigest()


def export():
    out = ["<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>", "<users>"]
    for user in USERS:
        out += ["<user>", " <id>%d</id>" % user[0], " <name>%s</name>" % user[1], " <country>International</country>",
                " <create_time>1795230000</create_time>", " <total_credit>%s</total_credit>" % user[4],
                " <expavg_credit>0.057291</expavg_credit>", " <expavg_time>1795234000.100000</expavg_time>",
                " <cpid>%s</cpid>" % cpid(user)] + user[5] + ["</user>"]
    return ("\n".join(out) + "\n</users>\n").encode("ascii")


def packed(data):
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, mtime=0) as f:
        f.write(data)
    return buffer.getvalue()


def stream(seed):
    n = 0
    while True:
        yield hashlib.sha256(b"sparkmill boinc oracle %s %d" % (seed, n)).digest()
        n += 1


def is_prime(n):
    d, s = n - 1, 0
    while d % 2 == 0:
        d, s = d // 2, s + 1
    for a in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53):
        if n % a == 0:
            return n == a
        x = pow(a, d, n)
        if x in (1, n - 1):
            continue
        for _ in range(s - 1):
            x = x * x % n
            if x == n - 1:
                break
        else:
            return False
    return True


def prime(seed):
    words = stream(seed)
    n = int.from_bytes(b"".join(next(words) for _ in range(4)), "big") | 3 << 1022 | 1
    while not (is_prime(n) and n % 65537 != 1):
        n += 2
    return n


def der(tag, content):
    size = len(content)
    length = bytes([size]) if size < 128 else bytes([128 + (size.bit_length() + 7) // 8]) + size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag]) + length + content


def public_pem(n):
    integer = lambda v: der(2, v.to_bytes(v.bit_length() // 8 + 1, "big"))
    key = der(0x30, integer(n) + integer(65537))
    algorithm = der(0x30, bytes.fromhex("06092a864886f70d0101010500"))
    text = base64.b64encode(der(0x30, algorithm + der(3, b"\0" + key))).decode()
    lines = [text[i:i + 64] for i in range(0, len(text), 64)]
    return "-----BEGIN PUBLIC KEY-----\n" + "\n".join(lines) + "\n-----END PUBLIC KEY-----\n"


def sign(p, q, message):
    n, size = p * q, (p * q).bit_length() // 8
    digest = bytes.fromhex("3051300d060960864801650304020305000440") + hashlib.sha512(message).digest()
    block = b"\0\1" + b"\xff" * (size - len(digest) - 3) + b"\0" + digest
    return pow(int.from_bytes(block, "big"), pow(65537, -1, (p - 1) * (q - 1)), n).to_bytes(size, "big")


def ownership():
    p, q = prime(b"p"), prime(b"q")
    message = "17 sparkmill-boinc-v1 cpid=%s worker=%s node=%s time=%d" % (cpid(USERS[2]), WORKER, NODE, TIME)
    signature = base64.b64encode(sign(p, q, message.encode())).decode()
    box = ("<account_ownership_verification>\n<master_url>%s</master_url>\n<msg>%s</msg>\n<signature>%s</signature>\n"
           "</account_ownership_verification>" % (PROJECT, message, signature))
    return {"project": PROJECT, "public_key": base64.b64encode(public_pem(p * q).encode()).decode(), "user_id": 17,
            "cpid": cpid(USERS[2]), "worker_pub": WORKER, "node_pub": NODE, "time_s": TIME, "message": message,
            "signature": signature, "page": box,
            "users": [{"id": u[0], "cpid": cpid(u), "total_micro": int(u[4].replace(".", ""))} for u in USERS]}


def main():
    data = export()
    text = json.dumps(ownership(), indent=1) + "\n"
    if "--check" in sys.argv:
        # Compressed bytes may differ between versions of zlib, the text may not.
        same = gzip.decompress((FOLDER / "user.gz").read_bytes()) == data and (FOLDER / "ownership.json").read_text() == text
        sys.exit(0 if same else "tests/vectors/boinc differs from what the oracle makes")
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "user.gz").write_bytes(packed(data))
    (FOLDER / "ownership.json").write_text(text)


if __name__ == "__main__":
    main()

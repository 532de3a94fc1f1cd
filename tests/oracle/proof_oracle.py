#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Independent jobs and proofs in plain Python: writes tests/vectors/match_job.json, or with --check compares it.

Rules: jobs-and-proofs 2, 5, 6 and docs/formats.md. Hashes come from hashlib; ChaCha20, Ed25519, the tile digest, the
tree and all layouts are written here again, without a look at the C++.
"""
import hashlib
import hmac
import json
import pathlib
import struct
import sys

TARGET = pathlib.Path(__file__).resolve().parents[1] / "vectors" / "match_job.json"
TILE = 256


def H(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def u16(x):
    return struct.pack("<H", x)


def u32(x):
    return struct.pack("<I", x)


def u64(x):
    return struct.pack("<Q", x)


def with_length(b):
    return u32(len(b)) + b


# --- ChaCha20, RFC 8439 layout ------------------------------------------------------------------------------------

def rotl(x, n):
    return (x << n | x >> (32 - n)) & 0xFFFFFFFF


def chacha_block(key, counter, nonce):
    state = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574, *struct.unpack("<8I", key), counter,
             *struct.unpack("<3I", nonce.to_bytes(12, "little"))]
    x = list(state)
    for _ in range(10):
        for a, b, c, d in ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
                           (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)):
            x[a] = (x[a] + x[b]) & 0xFFFFFFFF
            x[d] = rotl(x[d] ^ x[a], 16)
            x[c] = (x[c] + x[d]) & 0xFFFFFFFF
            x[b] = rotl(x[b] ^ x[c], 12)
            x[a] = (x[a] + x[b]) & 0xFFFFFFFF
            x[d] = rotl(x[d] ^ x[a], 8)
            x[c] = (x[c] + x[d]) & 0xFFFFFFFF
            x[b] = rotl(x[b] ^ x[c], 7)
    return struct.pack("<16I", *((p + q) & 0xFFFFFFFF for p, q in zip(x, state)))


def chacha_stream(key, nonce, length):
    return b"".join(chacha_block(key, i, nonce) for i in range((length + 63) // 64))[:length]


# --- Ed25519, RFC 8032, slow and plain ----------------------------------------------------------------------------

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
BASE_Y = 4 * pow(5, P - 2, P) % P


def recover_x(y):
    xx = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(xx, (P + 3) // 8, P)
    if x * x % P != xx:
        x = x * pow(2, (P - 1) // 4, P) % P
    return x if x % 2 == 0 else P - x


def point_add(p, q):
    (x1, y1), (x2, y2) = p, q
    t = D * x1 * x2 * y1 * y2 % P
    return ((x1 * y2 + x2 * y1) * pow(1 + t, P - 2, P) % P, (y1 * y2 + x1 * x2) * pow(1 - t, P - 2, P) % P)


def point_times(k, p):
    total = (0, 1)
    while k:
        if k & 1:
            total = point_add(total, p)
        p = point_add(p, p)
        k >>= 1
    return total


BASE = (recover_x(BASE_Y), BASE_Y)


def encode_point(p):
    return (p[1] | (p[0] & 1) << 255).to_bytes(32, "little")


def ed25519_scalar(seed):
    h = hashlib.sha512(seed).digest()
    a = int.from_bytes(h[:32], "little")
    return a & (2**254 - 8) | 2**254, h[32:]


def ed25519_public(seed):
    return encode_point(point_times(ed25519_scalar(seed)[0], BASE))


def ed25519_sign(seed, message):
    a, prefix = ed25519_scalar(seed)
    public = ed25519_public(seed)
    r = int.from_bytes(hashlib.sha512(prefix + message).digest(), "little") % L
    big_r = encode_point(point_times(r, BASE))
    k = int.from_bytes(hashlib.sha512(big_r + public + message).digest(), "little") % L
    return big_r + ((r + k * a) % L).to_bytes(32, "little")


def role_seed(seed, role):
    prk = hmac.new(bytes(32), seed, hashlib.sha256).digest()
    return hmac.new(prk, b"sparkmill/key/v1/" + role + b"\x01", hashlib.sha256).digest()


# --- templates and scores -----------------------------------------------------------------------------------------

def rows_of(name, count, n):
    """(sign, validity) as integers; valid with probability 3/4."""
    plane = n // 8
    stream = chacha_stream(H(name.encode()), 0, count * 3 * plane)
    rows = []
    for i in range(count):
        a, b, c = (int.from_bytes(stream[(3 * i + t) * plane:(3 * i + t + 1) * plane], "little") for t in range(3))
        rows.append((a & (b | c), b | c))
    return rows


def template_file(rows, n, field, app):
    payload = b"".join(s.to_bytes(n // 8, "little") + v.to_bytes(n // 8, "little") for s, v in rows)
    return b"PCBT" + bytes([1, 1]) + u16(n // 64) + u32(len(rows)) + u32(field) + app + H(payload) + payload


def score_word(a, b):
    valid = a[1] & b[1]
    return bin((a[0] ^ b[0]) & valid).count("1") | bin(valid).count("1") << 16


# --- tree ---------------------------------------------------------------------------------------------------------

def split(count):
    k = 1
    while 2 * k < count:
        k *= 2
    return k


def tree(leaves):
    if not leaves:
        return H(b"")
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return H(b"\x01", tree(leaves[:k]), tree(leaves[k:]))


def multiproof(leaves, first, opened):
    if not any(first <= i < first + len(leaves) for i in opened):
        return [tree(leaves)]
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    return multiproof(leaves[:k], first, opened) + multiproof(leaves[k:], first + k, opened)


# --- challenge ----------------------------------------------------------------------------------------------------

def draw(seed, count, k):
    if k >= count:
        return list(range(count))
    chosen = []
    bound = 2**64 // count * count
    block = 0
    while len(chosen) < k:
        for word in struct.unpack("<8Q", chacha_block(seed, block, 0)):
            if word < bound and word % count not in chosen and len(chosen) < k:
                chosen.append(word % count)
        block += 1
    return sorted(chosen)


def envelope(kind, node_pub, job_id, lease_id, key_seed, body):
    text = (b"SMP1" + u16(kind) + u16(1) + u32(len(body)) + node_pub + job_id + lease_id + ed25519_public(key_seed) +
            body)
    return text + ed25519_sign(key_seed, b"sparkmill/envelope/v1" + text)


# --- one case -----------------------------------------------------------------------------------------------------

def case(name, requests, users, fields, thresholds, twins, k):
    """fields: n of each; the predicate is AND of dot(field f) >= thresholds[f] (one field: the leaf alone)."""
    app = H(b"app")[:16]
    sides = []
    files = []
    for f, n in enumerate(fields):
        a = rows_of(f"{name}/{f}/requests", requests, n)
        b = rows_of(f"{name}/{f}/users", users, n)
        for t in range(twins):
            b[(t * 97 + 5) % users] = a[t * 31 % requests]
        sides.append((a, b))
        files += [template_file(a, n, f, app), template_file(b, n, f, app)]

    code = b"".join(struct.pack("<BBHi", 0, f, 0, tau) for f, tau in enumerate(thresholds))
    if len(fields) > 1:
        code += struct.pack("<BBHi", 2, 0, len(fields), 0)
    params = (u16(1) + u16(1) + u16(len(fields)) + u16(0) + u32(requests) + u32(users) + u32(TILE) + with_length(code))
    epoch, deadline, credit = 3, 1_800_000_000_000, 123_456_789
    canonical = (u16(1) + u64(epoch) + u64(deadline) + u64(credit) + with_length(params) + u32(len(files)) +
                 b"".join(H(f) for f in files))
    salt = H(name.encode(), b"salt")[:16]
    job_id = H(b"sparkmill/job/v1", salt, canonical)[:16]

    lease_id = H(name.encode(), b"lease")[:16]
    node_pub = H(b"node")
    key_file_seed = H(b"worker seed")
    key_seed = role_seed(key_file_seed, b"envelope")
    worker_pub = ed25519_public(key_seed)
    digest_key = H(b"sparkmill/digest/v1", lease_id, worker_pub)
    row_words = struct.unpack(f"<{requests}I", chacha_stream(digest_key, 0, 4 * requests))
    column_words = [w | 1 for w in struct.unpack(f"<{users}Q", chacha_stream(digest_key, 1, 8 * users))]

    leaves, pairs, evidence = [], [], []
    units = 0
    weight = sum(n // 64 for n in fields)
    for i0 in range(0, requests, TILE):
        for j0 in range(0, users, TILE):
            rows = range(i0, min(i0 + TILE, requests))
            columns = range(j0, min(j0 + TILE, users))
            units += (len(rows) * len(columns) * weight + 31) // 32
            hits = {(i, j) for i in rows for j in columns}
            digests = b""
            for (a, b), tau in zip(sides, thresholds):
                digest = 0
                for j in columns:
                    s = 0
                    for i in rows:
                        v = score_word(a[i], b[j])
                        s += v ^ row_words[i]
                        if (v >> 16) - 2 * (v & 0xFFFF) < tau:
                            hits.discard((i, j))
                    digest += column_words[j] * (s & 0xFFFFFFFF)
                digests += u64(digest & (2**64 - 1))
            found = sorted(hits)
            pairs += found
            evidence.append(digests + u32(len(found)))
            listed = b"".join(u32(i) + u32(j) for i, j in found)
            leaves.append(H(b"\x00", u32(i0 // TILE), u32(j0 // TILE), digests, u32(len(found)), H(listed)))
    root = tree(leaves)
    answer = u32(len(pairs)) + b"".join(u32(i) + u32(j) for i, j in pairs)

    beacons = [H(b"beacon", bytes([h])) for h in (2, 3)]
    seed = H(b"sparkmill/challenge/v1", *beacons, job_id, lease_id, worker_pub, root)
    indices = draw(seed, len(leaves), k)
    proof = multiproof(leaves, 0, indices)
    commit_body = root + u64(len(leaves)) + with_length(answer)
    opening_body = with_length(b"".join(evidence[i] for i in indices)) + u32(len(proof)) + b"".join(proof)
    job = job_id + salt + canonical
    file_body = (u16(1) + u16(0) + with_length(job) + root + with_length(b"".join(evidence)) + with_length(answer))
    day, name_of_unit = H(b"day"), "unit_0001"
    file_hash = H(file_body)
    mac = hmac.new(day, file_hash + name_of_unit.encode(), hashlib.sha256).digest()
    out = {
        "name": name, "files": files, "canonical": canonical, "salt": salt, "job_id": job_id, "job": job,
        "lease_id": lease_id, "node_pub": node_pub, "key_file_seed": key_file_seed, "worker_pub": worker_pub,
        "digest_key": digest_key, "row_words": list(row_words[:4]), "column_words": [str(w) for w in column_words[:4]],
        "units": units, "leaves": leaves, "pairs": len(pairs), "answer": answer, "root": root,
        "beacons": beacons, "challenge_seed": seed, "k": k, "indices": indices,
        "commit_envelope": envelope(1, node_pub, job_id, lease_id, key_seed, commit_body),
        "opening_envelope": envelope(2, node_pub, job_id, lease_id, key_seed, opening_body),
        "file_proof": file_body, "day_secret": day, "unit_name": name_of_unit,
        "verifier_seed": H(mac), "verifier_seed_with_beacon": H(mac, beacons[0]),
    }
    return {key: readable(value) for key, value in out.items()}


def readable(value):
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list):
        return [readable(v) for v in value]
    return value


def draws():
    """Draws alone, for counts that no small job has."""
    out = []
    for text, count, k in (("a", 5, 4), ("b", 1000, 128), ("c", 2**18, 128), ("d", 3 * 2**62, 16), ("e", 7, 7)):
        seed = H(b"draw", text.encode())
        out.append({"seed": seed.hex(), "leaves": str(count), "k": k, "indices": [str(i) for i in draw(seed, count, k)]})
    return out


def generate():
    cases = [
        case("edges", 258, 260, [64], [44], 12, 2),
        case("fields", 3, 7, [64, 128], [40, 80], 3, 128),
        case("row of tiles", 2, 1500, [64], [46], 20, 3),
    ]
    document = {"format": "sparkmill/match_job/v1", "source": "tests/oracle/proof_oracle.py", "cases": cases,
                "draws": draws()}
    return json.dumps(document, indent=1) + "\n"


def main():
    text = generate()
    if "--check" in sys.argv[1:]:
        if TARGET.read_text() != text:
            sys.exit(f"{TARGET} is not what the oracle computes")
        print(f"{TARGET.name}: as computed")
        return
    TARGET.write_text(text)
    print(f"wrote {TARGET}")


if __name__ == "__main__":
    main()

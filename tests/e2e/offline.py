#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The offline commands through the binary: enrol -> match -> proof -> verify, vectors, the report, and bad inputs.

usage: offline.py SPARKMILL_BINARY
"""
import json
import os
import pathlib
import pty
import random
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = ""


def run(*args, check=None):
    done = subprocess.run([BINARY, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=240)
    if check is not None and done.returncode != check:
        raise AssertionError("%s gave %d, expected %d\n%s%s" % (args, done.returncode, check, done.stdout, done.stderr))
    return done


def dot(a, b, n):
    """Score of two template rows, from the file format alone."""
    size = n // 8
    sa, ma = int.from_bytes(a[:size], "little"), int.from_bytes(a[size:], "little")
    sb, mb = int.from_bytes(b[:size], "little"), int.from_bytes(b[size:], "little")
    both = ma & mb
    return bin(both).count("1") - 2 * bin((sa ^ sb) & both).count("1")


def rows_of(path):
    data = pathlib.Path(path).read_bytes()
    n = struct.unpack_from("<H", data, 6)[0] * 64
    count = struct.unpack_from("<I", data, 8)[0]
    return n, [data[64 + i * n // 4:64 + (i + 1) * n // 4] for i in range(count)]


class Offline(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.at = pathlib.Path(cls.folder.name)
        cls.secret = cls.at / "secret"
        cls.secret.write_bytes(bytes(range(32)))
        cls.secret.chmod(0o600)
        cls.a, cls.b, cls.v, cls.proof = (cls.at / name for name in ("a.pcbt", "b.pcbt", "v.pcbt", "p.smp"))
        cls.enrol(cls.a)
        cls.enrol(cls.b, "--synthetic", 700, "--seed", "crowd")
        cls.enrol(cls.v, "--field", "voice", "--n", 512)
        cls.rule = "and(face.dot>=560, face.valid>=900)"
        cls.found = run("match", *cls.sides(), "--predicate", cls.rule, "--proof", cls.proof, check=0)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def enrol(cls, out, *more, check=0, source="faces"):
        return run("enrol", "--in", source, "--mean", "faces", "--epoch", "test", "--secret-file", cls.secret, "--out",
                   out, *more, check=check)

    @classmethod
    def sides(cls, requests=None, users=None):
        return ["--requests", "face=%s" % (requests or cls.a), "--users", "face=%s" % (users or cls.b)]

    def verify(self, check, *more, proof=None, **sides):
        return run("verify", proof or self.proof, *self.sides(**sides), *more, check=check)

    def test_pairs_are_exactly_those_of_a_second_implementation(self):
        n, requests = rows_of(self.a)
        _, users = rows_of(self.b)
        self.assertEqual((n, len(requests), len(users)), (2048, 110, 810))
        mine = []
        for i, r in enumerate(requests):
            for j, u in enumerate(users):
                score = dot(r, u, n)
                size = n // 8
                valid = bin(int.from_bytes(r[size:], "little") & int.from_bytes(u[size:], "little")).count("1")
                if score >= 560 and valid >= 900:
                    mine.append({"request": i, "user": j, "scores": [score, -valid]})
        self.assertGreater(len(mine), 150)
        self.assertEqual([json.loads(line) for line in self.found.stdout.splitlines()], mine)

    def test_csv_and_limit(self):
        out = run("match", *self.sides(), "--predicate", "limit(2, face.dot>=560)", "--format", "csv", check=0).stdout
        lines = out.splitlines()
        self.assertEqual(lines[0], "request,user,face.dot")
        per_request = {}
        for line in lines[1:]:
            i, j, score = map(int, line.split(","))
            per_request.setdefault(i, []).append((j, score))
        self.assertEqual(set(per_request), set(range(110)))
        self.assertLessEqual(max(map(len, per_request.values())), 2)
        for i, best in per_request.items():
            self.assertIn((i, 1536), best)  # each finds itself: 3/4 of 2048 elements agree

    def test_every_row_gives_the_same_pairs(self):
        for backend in ("reference", "cpu/avx2", "cpu/avx512"):
            done = run("match", *self.sides(), "--predicate", self.rule, "--backend", backend)
            if done.returncode == 4:  # this processor lacks it
                continue
            self.assertEqual(done.stdout, self.found.stdout, backend)
        for threads in (1, 7):
            done = run("match", *self.sides(), "--predicate", self.rule, "--threads", threads, "--quiet", check=0)
            self.assertEqual((done.stdout, done.stderr), (self.found.stdout, ""))

    def test_two_fields(self):
        requests = "face=%s,voice=%s" % (self.a, self.v)
        users = "voice=%s,face=%s" % (self.v, self.a)
        out = run("match", "--requests", requests, "--users", users, "--predicate",
                  "wsum(face.dot, 2*voice.frac(1/4), >= 2500)", check=0).stdout
        pairs = {(p["request"], p["user"]): p["scores"] for p in map(json.loads, out.splitlines())}
        self.assertEqual(pairs[(5, 5)], [1536, 4 * 384 - 384])
        self.assertGreaterEqual(len(pairs), 110)
        for face, voice in pairs.values():
            self.assertGreaterEqual(face + 2 * voice, 2500)

    def test_proof_is_accepted(self):
        out = self.verify(0)
        self.assertIn("verdict  accepted", out.stdout)
        self.assertIn("and(face.dot>=560, face.valid>=900)", out.stdout)
        self.assertIn("throw-away key", self.found.stderr)
        self.verify(0, "--openings", 1, "--backend", "reference")

    def test_changed_proofs_are_refused(self):
        good = self.proof.read_bytes()
        bad = self.at / "bad.smp"
        random.seed(7)
        for at in [0, 5, 9, 60, 90, 120, len(good) // 2, len(good) - 70, len(good) - 1] + random.sample(range(len(good)), 20):
            damaged = bytearray(good)
            damaged[at] ^= 1
            bad.write_bytes(damaged)
            done = self.verify(None, proof=bad)
            self.assertIn(done.returncode, (11, 13), (at, done.stdout, done.stderr))
        for cut in (0, 3, 100, len(good) - 1):
            bad.write_bytes(good[:cut])
            self.verify(13, proof=bad)
        bad.write_bytes(good + b"x")
        self.verify(13, proof=bad)
        self.verify(13, proof=self.at / "missing")
        self.verify(13, proof=self.a)

    def test_other_inputs_are_refused(self):
        other = self.at / "other.pcbt"
        self.enrol(other, "--synthetic", 700, "--seed", "another crowd")
        out = self.verify(11, users=other)
        self.assertIn("wrong_inputs", out.stdout)
        self.verify(11, requests=self.b)

    def test_key_signs_the_proof(self):
        key = self.at / "key"
        run("keys", "new", "--key", key, check=0)
        proof = self.at / "signed.smp"
        done = run("match", *self.sides(), "--predicate", self.rule, "--proof", proof, "--key", key, check=0)
        self.assertNotIn("throw-away", done.stderr)
        self.verify(0, proof=proof)
        run("match", *self.sides(), "--predicate", self.rule, "--key", key, check=2)

    def test_each_header_byte_of_a_template_file(self):
        good = self.a.read_bytes()
        bad = self.at / "bad.pcbt"
        names = {0: "magic", 1: "magic", 2: "magic", 3: "magic", 4: "kind", 5: "version", 8: "rows", 9: "rows",
                 10: "rows", 11: "rows", 12: "fields", 16: "epochs"}
        for at in range(64):
            damaged = bytearray(good)
            damaged[at] ^= 0x81
            bad.write_bytes(damaged)
            done = run("match", *self.sides(requests=bad), "--predicate", "face.dot>=9", check=13)
            self.assertIn("bad.pcbt", done.stderr)
            self.assertIn("hint: ", done.stderr)
            self.assertIn(names.get(at, ""), done.stderr)
            self.assertEqual(done.stdout, "")
        for change, word in ((good[:40], "shorter"), (good[:-1], "too short"), (good + b"x", "too long"), (b"", "shorter")):
            bad.write_bytes(change)
            done = run("match", *self.sides(requests=bad), "--predicate", "face.dot>=9", check=13)
            self.assertIn(word, done.stderr)

    def test_enrol_is_deterministic_and_tells_what_it_wrote(self):
        again = self.at / "again.pcbt"
        out = self.enrol(again, "--synthetic", 700, "--seed", "crowd").stdout
        self.assertEqual(again.read_bytes(), self.b.read_bytes())
        self.assertIn("rows   810 (110 from faces, 700 synthetic)", out)
        self.assertIn("n      2048", out)
        _, small = rows_of(self.a)
        _, large = rows_of(self.b)
        self.assertEqual(large[:110], small)

    def test_enrol_reads_the_three_formats_alike(self):
        faces = json.loads((ROOT / "data" / "faces.json").read_text())
        values = [r["descriptor"] for r in faces["rows"]]
        csv, npy, out = self.at / "f.csv", self.at / "f.npy", self.at / "f.pcbt"
        csv.write_text("".join(",".join(map(repr, row)) + "\n" for row in values))
        head = b"{'descr': '<f4', 'fortran_order': False, 'shape': (110, 128), }\n"
        npy.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head +
                        b"".join(struct.pack("<128f", *row) for row in values))
        for source in (csv, npy, ROOT / "data" / "faces.json"):
            self.enrol(out, source=source)
            self.assertEqual(out.read_bytes(), self.a.read_bytes(), source)

    def test_enrol_refusals(self):
        out = self.at / "never.pcbt"
        loose = self.at / "loose"
        loose.write_bytes(bytes(32))
        loose.chmod(0o644)
        base = ["enrol", "--in", "faces", "--epoch", "e", "--out", out]
        done = run(*base, "--secret-file", loose, check=7)
        self.assertIn("chmod 600", done.stderr)
        done = run(*base, "--secret-file", self.at / "none", check=13)
        self.assertIn("/dev/urandom", done.stderr)
        short = self.at / "short"
        short.write_bytes(b"x")
        short.chmod(0o600)
        run(*base, "--secret-file", short, check=13)
        done = run(*base, "--secret-file", self.secret, "--epoc", "x", check=2)
        self.assertIn("did you mean --epoch", done.stderr)
        self.assertIn("--n", self.enrol(out, "--n", 100, check=2).stderr)
        self.enrol(out, "--synthetic", 5, check=2)
        self.enrol(out, "--synthetic", -5, "--seed", "s", check=2)
        bad = self.at / "bad.csv"
        bad.write_text("1,2\n1,x\n")
        done = run("enrol", "--in", bad, "--epoch", "e", "--out", out, "--secret-file", self.secret, check=13)
        self.assertIn("bad.csv: line 2: column 2", done.stderr)
        bad.write_text("1,2\n")
        done = run("enrol", "--in", bad, "--epoch", "e", "--out", out, "--secret-file", self.secret, check=13)
        self.assertIn("equals the mean", done.stderr)
        self.assertFalse(out.exists())

    def test_match_refusals(self):
        done = run("match", *self.sides(), "--predicate", "face.dot>523", check=2)
        self.assertIn("column 9: expected '>='", done.stderr)
        done = run("match", *self.sides(), "--predicate", "nose.dot>=5", check=2)
        self.assertIn("the fields are: face", done.stderr)
        run("match", *self.sides(), check=2)
        run("match", *self.sides(), "--predicate", self.rule, "--format", "xml", check=2)
        run("match", *self.sides(), "--predicate", self.rule, "--backend", "cpu/avx3", check=2)
        run("match", "--requests", "face=%s" % self.a, "--users", "voice=%s" % self.b, "--predicate", self.rule, check=2)
        run("match", *self.sides(users=self.at / "none"), "--predicate", self.rule, check=13)
        done = run("match", *self.sides(users=self.v), "--predicate", self.rule, check=13)
        self.assertIn("n is 2048 and 512", done.stderr)
        other = self.at / "epoch.pcbt"
        run("enrol", "--in", "faces", "--epoch", "later", "--secret-file", self.secret, "--out", other, check=0)
        done = run("match", *self.sides(users=other), "--predicate", self.rule, check=13)
        self.assertIn("different epochs", done.stderr)
        done = run("match", *self.sides(), "--predikate", "x", check=2)
        self.assertIn("did you mean --predicate", done.stderr)

    def test_help(self):
        for verb in ("enrol", "match", "verify", "vectors"):
            out = run(verb, "--help", check=0).stdout
            self.assertIn("Usage: sparkmill " + verb, out)

    def test_interrupt_stops_with_12(self):
        many = self.at / "many.pcbt"
        self.enrol(many, "--synthetic", 30000, "--seed", "many")
        p = subprocess.Popen([BINARY, "match", "--requests", "face=%s" % many, "--users", "face=%s" % many,
                              "--predicate", "face.dot>=700", "--backend", "reference", "--proof", self.at / "never.smp"],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertIn("30110 requests", p.stderr.readline())
        time.sleep(0.5)
        p.send_signal(signal.SIGINT)
        start = time.monotonic()
        out, err = p.communicate(timeout=60)
        self.assertEqual(p.returncode, 12, err)
        self.assertEqual(out, "")
        self.assertIn("stopped before the end", err)
        self.assertLess(time.monotonic() - start, 20)
        self.assertFalse((self.at / "never.smp").exists())

    def test_progress_is_a_bar_on_a_terminal_and_lines_elsewhere(self):
        self.assertNotIn("\r", self.found.stderr)
        self.assertRegex(self.found.stderr, r"match: \S+ pairs in \d+ s, \S+ pairs/s\n")
        main, other = pty.openpty()
        users = self.at / "some.pcbt"
        self.enrol(users, "--synthetic", 60000, "--seed", "some")
        p = subprocess.Popen([BINARY, "match", *self.sides(users=users), "--predicate", "face.dot>=700", "--backend",
                              "reference"], stdout=subprocess.DEVNULL, stderr=other)
        os.close(other)
        shown = b""
        while True:
            try:
                part = os.read(main, 4096)
            except OSError:  # the terminal's other end is closed
                break
            if not part:
                break
            shown += part
        os.close(main)
        self.assertEqual(p.wait(timeout=60), 0)
        self.assertRegex(shown, rb"\rmatch: \[#*\.*\] \d+ %, \S+ pairs/s, (about \d+ s left|remaining time not known yet)")

    def test_vectors(self):
        folder = ROOT / "tests" / "vectors"
        files = [folder / name for name in ("enrol.json", "match.json", "match_job.json")]
        out = run("vectors", *files, check=0).stdout
        self.assertIn("match/reference on cpu", out)
        wrong = self.at / "wrong.json"
        document = json.loads((folder / "match.json").read_text())
        document["cases"][0]["digests"][0] = "0" * 16
        wrong.write_text(json.dumps(document))
        out = run("vectors", wrong, "--backend", "reference", check=11).stdout
        self.assertIn("digests differ", out)
        document = json.loads((folder / "enrol.json").read_text())
        row = bytearray.fromhex(document["cases"][3]["row"])
        row[0] ^= 1
        document["cases"][3]["row"] = row.hex()
        wrong.write_text(json.dumps(document))
        run("vectors", wrong, check=11)
        wrong.write_text(json.dumps({"source": "s", "cases": [{"msg": "616263", "sha256": "00" * 32}]}))
        run("vectors", wrong, check=11)
        out = run("vectors", folder / "wycheproof_rsa2048_sha256_pkcs1.json", "--backend", "reference", check=0).stdout
        self.assertRegex(out, r"rsa/reference on cpu +174 +0 +2 +the key rule wants e = 65537")
        out = run("vectors", folder / "rsa2048_messages.json", "--backend", "rsa/reference", check=0).stdout
        self.assertRegex(out, r"rsa/reference on cpu +[1-9][0-9]* +0 +0")
        document = json.loads((folder / "rsa2048_draw.json").read_text())
        document["cases"][0]["valid"] = False
        document["cases"][1]["leading_zero_bits"] += 1
        wrong.write_text(json.dumps(document))
        out = run("vectors", wrong, "--backend", "rsa/reference", check=11).stdout
        self.assertRegex(out, r"rsa/reference on cpu +56 +2 +0 +case 0, valid: .*: accepted; case 1, valid: .*: the score differs")
        document = json.loads((folder / "tensority.json").read_text())
        document["hash_vectors"] = document["hash_vectors"][5:6]
        document["stage_vectors"] = []
        wrong.write_text(json.dumps(document))
        out = run("vectors", wrong, "--backend", "cpu/avx2", check=0).stdout
        self.assertRegex(out, r"block_headers +40 +0 +0")
        document["block_headers"][3]["timestamp"] += 1
        wrong.write_text(json.dumps(document))
        self.assertIn("header hash differs", run("vectors", wrong, "--backend", "cpu/avx2", check=11).stdout)
        del document["block_headers"]
        document["hash_vectors"][0]["expected_hash"] = "00" * 32
        wrong.write_text(json.dumps(document))
        self.assertIn("hash differs", run("vectors", wrong, "--backend", "reference", check=11).stdout)
        document["hash_vectors"][0]["seed"] = "00"
        wrong.write_text(json.dumps(document))
        self.assertIn("seed: 2 hex digits", run("vectors", wrong, check=13).stderr)
        for text in ("{", "[]", "{}", '{"format":"sparkmill/enrol/v9"}', '{"format":"sparkmill/match/v1"}',
                     '{"format":"sparkmill/match/v1","cases":[{"name":"x"}]}'):
            wrong.write_text(text)
            done = run("vectors", wrong, check=13)
            self.assertIn("wrong.json", done.stderr)
        run("vectors", self.at / "none.json", check=13)
        run("vectors", check=2)

    def test_vectors_of_blocks_and_trees(self):
        folder = ROOT / "tests" / "vectors"
        wrong = self.at / "wrong.json"
        document = json.loads((folder / "bytom_blocks.json").read_text())
        by_name = {c["name"]: c for c in document["cases"]}
        out = run("vectors", folder / "bytom_blocks.json", "--backend", "ed25519/cpu/avx2", check=0).stdout
        self.assertRegex(out, r"ed25519/cpu/avx2 on cpu +%d +0 +" % (len(document["cases"]) + len(document["windows"])))
        for change in (lambda e: e["transactions"][1]["inputs"][0].update(sighash="00" * 32),
                       lambda e: e["transactions"][1].update(gas_used=1), lambda e: e.update(canonical=False),
                       lambda e: e["signatures"][0].update(ok=False), lambda e: e["signatures"].pop(),
                       lambda e: e.update(verdict="invalid", reason="pow"), lambda e: e.update(pow_ok=False),
                       lambda e: e["stateful"].update(utxo={})):
            case = json.loads(json.dumps(by_name["p2wpkh_1in_2out"]))
            change(case["expect"])
            wrong.write_text(json.dumps({"cases": [case], "windows": []}))
            out = run("vectors", wrong, "--backend", "ed25519/cpu/avx2", check=11).stdout
            self.assertIn("p2wpkh_1in_2out: ", out)
        document = json.loads((folder / "merkle.json").read_text())
        run("vectors", folder / "merkle.json", check=0)
        document["cases"] = [c for c in document["cases"] if c["why"] == "valid" and c["proof"]][:3]
        document["cases"][0]["valid"] = False
        wrong.write_text(json.dumps(document))
        self.assertIn("accepted", run("vectors", wrong, check=11).stdout)

    def test_verify_blocks(self):
        document = json.loads((ROOT / "tests" / "vectors" / "bytom_blocks.json").read_text())
        cases = {c["name"]: c for c in document["cases"]}
        window = document["windows"][1]  # valid, valid, spent
        seed = cases[window["blocks"][0]]["context"]["seed"]
        text, packed, coins = self.at / "blocks.txt", self.at / "blocks.bin", self.at / "coins.txt"
        blocks = [cases[name]["hex"] for name in window["blocks"]]
        text.write_text("# three blocks\nseed %s\n\n%s\n" % (seed, "\n".join(blocks)))
        packed.write_bytes(b"SMBLOCK1" + b"".join(struct.pack("<I", len(b) // 2) + bytes.fromhex(b) for b in blocks))
        coins.write_text("".join("%s %d %s\n" % (i, c["height"], "coinbase" if c["coinbase"] else "plain")
                                 for i, c in window["initial_utxo"].items()))
        for args in ((text,), (packed, "--seed", seed, "--threads", 1), (text, "--utxo", coins, "--window", 1)):
            done = run("verify-blocks", *args, check=11)
            lines = [json.loads(line) for line in done.stdout.splitlines()]
            self.assertEqual([line.get("reason", line["verdict"]) for line in lines], window["verdicts"])
            self.assertEqual([line["id"] for line in lines],
                             [cases[name]["expect"]["block_id"] for name in window["blocks"]])
            self.assertEqual(lines[1]["checked"], ["body", "links", "bits", "work"] + ["state"] * ("--utxo" in args))
            self.assertIn("3 blocks, 2 valid", done.stderr)
        text.write_text("seed %s\n%s\n" % (seed, "\n".join(blocks[:2])))
        run("verify-blocks", text, "--quiet", check=0)
        self.assertEqual(run("verify-blocks", text, "--invalid", "--quiet", check=0).stderr, "")
        for name in ("bad_pow", "wrong_status_root"):
            text.write_text("seed %s\n%s\n%s\n" % (seed, cases[name]["hex"], blocks[1]))
            lines = [json.loads(line) for line in run("verify-blocks", text, "--all", check=11).stdout.splitlines()]
            self.assertEqual([line["verdict"] for line in lines], ["invalid", "invalid"])
            self.assertEqual(lines[0]["reason"], cases[name]["expect"]["reason"])
        coins.write_text("00 1 plain\n")
        for args, code, word in (((self.at / "none.txt",), 13, "none.txt"), ((), 2, "no file"),
                                 ((text, "--seed", "00"), 13, "--seed"), ((text, "--utxo", coins), 13, "line 1"),
                                 ((self.at,), 13, "folder")):
            self.assertIn(word, run("verify-blocks", *args, check=code).stderr)
        for content, word in ((b"zz\n", "line 1"), (b"SMBLOCK1\x01\x00", "block 1"), (b"SMBLOCK1\xff\xff\xff\xff", "limit"),
                              (b"SMBLOCK1\x05\x00\x00\x00\x03", "ends within")):
            packed.write_bytes(content)
            self.assertIn(word, run("verify-blocks", packed, check=13).stderr)
        text.write_text("")
        self.assertIn("no block", run("verify-blocks", text, "--quiet", check=13).stderr)

    def test_report(self):
        out = run("match", "--report", "faces", "--users", 4096, check=0).stdout
        self.assertIn("4096 synthetic rows", out)
        self.assertIn("Six photos are a hard, tiny set", out)
        found = next(line for line in out.splitlines() if "altered faces found" in line).split()
        self.assertEqual(found[-2:], ["of", "88"])
        self.assertGreater(int(found[-3]), 75)
        self.assertEqual(out, run("match", "--report", "faces", "--users", 4096, "--quiet", check=0).stdout)


if __name__ == "__main__":
    if len(sys.argv) < 2 or not os.access(sys.argv[1], os.X_OK):
        sys.exit("usage: offline.py SPARKMILL_BINARY")
    BINARY = sys.argv.pop(1)
    unittest.main(verbosity=2)  # further words choose tests, e.g. Offline.test_report

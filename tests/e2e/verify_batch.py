#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`sparkmill verify-batch` as a user runs it: verdicts of vector files as JSON lines and packed, recovered addresses,
generated streams through a pipe, outputs, exit codes, and malformed input.

usage: verify_batch.py SPARKMILL_BINARY
"""
import json
import pathlib
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

VECTORS = pathlib.Path(__file__).resolve().parents[1] / "vectors"
BINARY = ""


def run(*args, stdin=b"", check=None):
    done = subprocess.run([BINARY, "verify-batch", *map(str, args)], input=stdin, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=240)
    if check is not None and done.returncode != check:
        raise AssertionError("%s gave %d, expected %d\n%s%s" % (args, done.returncode, check, done.stdout[-2000:],
                                                                done.stderr.decode()))
    return done


def cases(name):
    return json.loads((VECTORS / name).read_text())["cases"]


def lines(objects):
    return "".join(json.dumps(o) + "\n" for o in objects).encode()


def packed(scheme, policy, key, signature, message, records, count=None):
    header = b"SMSG" + struct.pack("<6HIIQ", 1, scheme, policy, key, signature, 0, message, 0,
                                   len(records) if count is None else count)
    return header + b"".join(records)


class VerifyBatch(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.at = pathlib.Path(folder.name)

    def test_policies_of_ed25519_in_both_forms(self):
        known = [c for c in cases("ed25519_speccheck.json")]
        policies = ["go", "bytom_legacy", "rfc8032_canonical_cofactorless", "rfc8032_canonical_cofactored", "zip215",
                    "dalek_strict"]
        for number, policy in enumerate(policies, 1):
            expected = [c["expect"][policy] for c in known]
            objects = [{"key": c["pk"], "signature": c["sig"], "message": c["msg"]} for c in known]
            objects[0].update(scheme="ed25519", policy=policy)
            done = run("-", stdin=lines(objects), check=0 if all(expected) else 11)
            verdicts = [json.loads(l) for l in done.stdout.splitlines()]
            self.assertEqual([v["valid"] for v in verdicts], expected, policy)
            self.assertEqual([v["item"] for v in verdicts], list(range(len(known))))
            records = []
            for c in known:
                message = bytes.fromhex(c["msg"])
                records.append(bytes.fromhex(c["pk"] + c["sig"]) + struct.pack("<I", len(message)) + message)
            file = self.at / policy
            file.write_bytes(packed(1, number, 32, 64, 0xffffffff, records))
            bits = run(file, "--output", "bitmap", "--quiet").stdout
            got = [bits[i // 8] >> i % 8 & 1 for i in range(len(known))]
            self.assertEqual(got, [int(e) for e in expected], policy)
            bad = [json.loads(l)["item"] for l in run(file, "--output", "invalid").stdout.splitlines()]
            self.assertEqual(bad, [i for i, e in enumerate(expected) if not e])

    def test_recovered_addresses(self):
        known = [c for c in cases("ecrecover_secp256k1.json") if c["v"] < 256]
        for policy, column in (("evm_precompile", "precompile_address"), ("tron_multisign", "tron_multisign_precompile_address"),
                               ("tron_transaction", "tron_tx_address")):
            objects = [{"r": c["r"], "s": c["s"], "v": c["v"], "message": c["hash"]} for c in known]
            done = run("-", "--scheme", "ecdsa_recover", "--policy", policy, stdin=lines(objects), check=11)
            got = [json.loads(l).get("address") for l in done.stdout.splitlines()]
            self.assertEqual(got, [c[column] for c in known], policy)
            # The same against addresses: right ones pass, another one does not.
            named = [dict(o, address=c[column]) for o, c in zip(objects, known) if c[column]]
            run("-", "--scheme", "ecdsa_address", "--policy", policy, stdin=lines(named), check=0)
            named[0]["address"] = named[1]["address"][:-2] + "00"
            run("-", "--scheme", "ecdsa_address", "--policy", policy, stdin=lines(named), check=11)

    def test_vrf_outputs(self):
        known = [c for c in cases("rfc9381_ecvrf_edwards25519.json") if c["suite"] == "ELL2" and len(c["pi"]) == 160]
        objects = [{"key": c["pk"], "signature": c["pi"], "message": c["alpha"]} for c in known]
        done = run("-", "--scheme", "ecvrf", "--policy", "ell2", stdin=lines(objects), check=11)
        got = [json.loads(l) for l in done.stdout.splitlines()]
        self.assertEqual([(g["valid"], g.get("beta")) for g in got],
                         [(c["valid"], c["beta"] if c["valid"] else None) for c in known])

    def test_generated_streams(self):
        for scheme, policy, count in (("ed25519", "go", 20000), ("ed25519", "zip215", 3000), ("bip340", "bip340", 600),
                                      ("ecdsa", "compressed_der_low_s", 600), ("rsa2048", "draw", 3000)):
            made = run("--generate", count, "--scheme", scheme, "--policy", policy, "--pool", 200, "--bad", 0, check=0)
            again = run("--generate", count, "--scheme", scheme, "--policy", policy, "--pool", 200, "--bad", 0, check=0)
            if scheme != "rsa2048":
                self.assertEqual(made.stdout, again.stdout, "same seed, same stream")
            done = run("-", "--threads", 2, stdin=made.stdout, check=0)
            summary = json.loads(done.stdout)
            self.assertEqual((summary["items"], summary["valid"], summary["policy"]), (count, count, policy))
            self.assertIn(scheme, done.stderr.decode())
        # Bad ones among them; JSON lines and the packed form give the same verdicts.
        options = ("--generate", 500, "--scheme", "ed25519", "--pool", 500, "--bad", 5)
        flat = run(*options, check=0).stdout
        text = run(*options, "--format", "jsonl", check=0).stdout
        self.assertEqual(len(text.splitlines()), 500)
        one = run("-", "--output", "jsonl", stdin=flat, check=11).stdout
        self.assertEqual(one, run("-", stdin=text, check=11).stdout)
        self.assertEqual(one, run("-", "--output", "jsonl", "--backend", "reference", stdin=flat, check=11).stdout)
        self.assertTrue(40 < one.count(b"false") < 200)

    def test_the_batch_equation_changes_no_verdict(self):
        made = run("--generate", 700, "--scheme", "ed25519", "--policy", "zip215", "--pool", 700, "--bad", 60).stdout
        singles = run("-", "--output", "bitmap", stdin=made, check=11).stdout
        self.assertEqual(run("-", "--output", "bitmap", "--plan", "batch", stdin=made, check=11).stdout, singles)
        other = run("--generate", 10, "--scheme", "ed25519", "--policy", "go").stdout
        done = run("-", "--plan", "batch", stdin=other, check=2)
        self.assertIn("zip215", done.stderr.decode())

    def test_malformed_input_names_the_item(self):
        made = run("--generate", 5000, "--scheme", "ed25519", "--pool", 50, "--bad", 0).stdout
        cut = run("-", "--output", "jsonl", stdin=made[:-1], check=13)
        self.assertIn("item 4999", cut.stderr.decode())
        self.assertEqual(len(cut.stdout.splitlines()), 4999, "what came before is decided")
        self.assertIn("5000 items", run("-", stdin=made + b"x", check=13).stderr.decode())
        self.assertIn("scheme", run("-", stdin=b"", check=13).stderr.decode())
        self.assertIn("line 1", run("-", "--scheme", "ed25519", stdin=b"nothing\n", check=13).stderr.decode())
        good = json.dumps({"scheme": "bip340", "key": "11" * 32, "signature": "22" * 64, "message": ""})
        wrong = json.dumps({"key": "11" * 31, "signature": "22" * 64, "message": ""})
        done = run("-", stdin=(good + "\n\n" + wrong + "\n").encode(), check=13)
        self.assertIn("line 3: key: 31 bytes, expected 32", done.stderr.decode())
        self.assertEqual(len(done.stdout.splitlines()), 1)

    def test_vector_files(self):
        def vectors(file, code):
            done = subprocess.run([BINARY, "vectors", str(file), "--backend", "reference"], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, timeout=240, text=True)
            self.assertEqual(done.returncode, code, done.stdout + done.stderr)
            return done.stdout

        def turned(case, member, right, wrong):
            self.assertIn(case[member], (right, wrong))
            case[member] = wrong if case[member] == right else right

        def another(text):
            return text[:-1] + ("0" if text[-1] != "0" else "1")

        def bend_musig2(document):
            case = document["sign_verify"]["verify_fail_test_cases"][0]
            case["expected"] = case["sig"]

        def bend_point(document):
            point = document["suites"]["edwards25519_XMD-SHA-512_ELL2_NU_"]["vectors"][1]["P"]
            point["x"] = another(point["x"])

        bends = {
            "bip340_schnorr.json": lambda d: turned(d["cases"][4], "verification result", "TRUE", "FALSE"),
            "bip327_musig2.json": bend_musig2,
            "ecrecover_secp256k1.json": lambda d: d["cases"][0].update(
                tron_tx_address=another(d["cases"][0]["tron_tx_address"])),
            "rfc9381_ecvrf_edwards25519.json": lambda d: d["cases"][8].update(valid=not d["cases"][8]["valid"]),
            "rfc9380_hash_to_curve.json": bend_point,
            "wycheproof_ecdsa_secp256k1_sha256.json": lambda d: turned(d["cases"][9], "result", "valid", "invalid"),
            "wycheproof_ecdsa_secp256k1_sha3_256.json": lambda d: turned(d["cases"][7], "result", "valid", "invalid"),
            "wycheproof_ecdsa_secp256k1_sha256_p1363.json": lambda d: turned(d["cases"][1], "result", "valid",
                                                                             "invalid"),
            "wycheproof_ecdsa_secp256k1_sha256_bitcoin.json": lambda d: turned(d["cases"][1], "result", "valid",
                                                                               "invalid"),
        }
        for name, bend in bends.items():
            self.assertIn(" 0 ", vectors(VECTORS / name, 0), name)
            document = json.loads((VECTORS / name).read_text())
            bend(document)
            wrong = self.at / name
            wrong.write_text(json.dumps(document))
            vectors(wrong, 11)

    def test_usage_errors(self):
        for args, word in (((), "no file"), (("-", "--scheme", "rot13"), "ecvrf"), (("-", "--policy", "go"), "--scheme"),
                           (("-", "--output", "xml"), "bitmap"), (("--generate", "5"), "--scheme"),
                           (("-", "--scheme", "ed25519", "--policy", "gone"), "zip215")):
            self.assertIn(word, run(*args, check=2).stderr.decode(), args)
        self.assertNotEqual(run(self.at / "absent").returncode, 0)
        stream = run("--generate", 3, "--scheme", "ed25519").stdout
        self.assertIn("header says ed25519/go",
                      run("-", "--scheme", "bip340", stdin=stream, check=13).stderr.decode())
        self.assertIn("musig2", run("--list", check=0).stdout.decode())

    def test_a_signal_ends_a_waiting_read(self):
        process = subprocess.Popen([BINARY, "verify-batch", "-", "--scheme", "ed25519"], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            time.sleep(0.5)  # only so that it usually waits for input by then
            process.send_signal(signal.SIGINT)
            process.wait(timeout=60)
            self.assertIn(process.returncode, (12, -signal.SIGINT))
        finally:
            process.kill()
            process.communicate()


if __name__ == "__main__":
    BINARY = sys.argv.pop(1)
    sys.argv = sys.argv[:1]
    unittest.main(verbosity=1)

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`sparkmill vectors` on files that are cut, empty, of another shape, or say too little or twice: each must be reported
with an exit code that is not 0, and nothing may pass in silence.

  bad_vectors.py SPARKMILL VECTORS
"""
import copy
import json
import os
import pathlib
import subprocess
import sys
import tempfile

PROGRAM, VECTORS = sys.argv[1], pathlib.Path(sys.argv[2])
UNREADABLE, MISMATCH, UNSUPPORTED = 13, 11, 4


def two(name):
    root = json.loads((VECTORS / name).read_text())
    root["cases"] = root["cases"][:2]
    for other in ("chains", "big"):
        root.pop(other, None)
    if "windows" in root:
        root["windows"] = []
    return root


def changed(name, **members):
    root = two(name)
    for member, value in members.items():
        member = member.replace("__", " ")
        if value is None:
            del root["cases"][1][member]
        else:
            root["cases"][1][member] = value
    return root


def cases():
    """(what, text, exit code, words of the message)."""
    ed, ecdsa, bip340, recover, draw, pkcs1, vrf, merkle, hashes, bttc, btn, bytom = (
        "wycheproof_ed25519.json", "wycheproof_ecdsa_secp256k1_sha256.json", "bip340_schnorr.json", "ecrecover_secp256k1.json", "rsa2048_draw.json",
        "wycheproof_rsa2048_sha256_pkcs1.json", "rfc9381_ecvrf_edwards25519.json", "merkle.json", "hashes.json", "bttc_checkpoint.json", "btn_seal.json", "bytom_blocks.json")
    for what, text in (("nothing", ""), ("cut", json.dumps(two(ed))[:-9]), ("two texts", "{} {}"), ("no UTF-8", '{"cases":["\udcff"]}'), ("lists without end", "[" * 300000), ("deep", "[" * 300 + "]" * 300)):
        yield what, text, UNREADABLE, ""
    for what, root in (("a number", 1), ("null", None), ("a list", []), ("an object", {}), ("no cases", dict(two(ed), cases=[])), ("cases in an object", dict(two(ed), cases={"a": two(ed)["cases"][0]}))):
        yield what, root, UNREADABLE, "unknown format"
    yield "lists that are all empty", {k: [] for k in ("hash_vectors", "stage_vectors", "block_headers")}, UNREADABLE, "no case is in it"
    yield "cases twice", json.dumps(two(ed))[:-1] + ', "cases": []}', UNREADABLE, '"cases" occurs twice'
    yield "a verdict twice", json.dumps(two(merkle)).replace('"valid": true', '"valid": true, "valid": false', 1), UNREADABLE, '"valid" occurs twice'
    for name in (ed, ecdsa, bip340, recover, draw, pkcs1, vrf, merkle, hashes, bttc, btn, bytom):
        root = two(name)
        root["cases"].append(7)
        yield name + ", a number among the cases", root, UNREADABLE, "case 2: not an object"
        root["cases"][2] = {}
        yield name + ", an empty case", root, UNREADABLE, "case 2"
    for name, member in ((ed, "pk"), (ed, "expect"), (ecdsa, "result"), (bip340, "message"), (recover, "tron_tx_address"), (draw, "sha256_of_sig"), (pkcs1, "e"), (vrf, "beta"), (merkle, "why"), (hashes, "msg"), (bttc, "expect"), (btn, "kind"),
                         (bytom, "expect")):
        root = two(name)
        del root["cases"][1][member]
        yield f"{name} without {member}", root, UNREADABLE, member
    expect = copy.deepcopy(two(ed)["cases"][1]["expect"])
    expect["zip_215"] = expect.pop("zip215")
    for what, root, words in (
            ("a policy's name misspelt", changed(ed, expect=expect), "zip215"), ("a result against its column", changed(ed, result="invalid"), "contradicts"), ("an unknown result", changed(ecdsa, result="vald"), "vald"), ("an unknown hash", changed(ecdsa, group={"sha": "MD5"}), "MD5"),
            ("a verdict in another case", changed(bip340, verification__result="true"), "verification result"), ("an address cut", changed(recover, tron_tx_address="41ab"), "tron_tx_address has 2 bytes"), ("v between two numbers", changed(recover, v=27.5), "v is neither"),
            ("v below 0", changed(recover, v=-1), "v is neither"), ("a verdict as a number", changed(recover, eth_tx_ok=1), "boolean"), ("an exponent below 0", changed(draw, e=-1), "case 1"), ("an unknown suite", changed(vrf, suite="P256"), "P256"), ("odd hex", changed(vrf, pi="abc"), "odd"),
            ("an unknown tree", changed(merkle, tree="patricia"), "patricia"), ("a side that is none", changed(merkle, proof=[["U", "00" * 32]]), "not L or R"), ("a step without a side", changed(merkle, tree="bytom_sha3_256", proof=["00" * 32]), "no side"), ("a length that is not the message's", changed(hashes, len=99), "len is 99"),
            ("nothing to compare", changed(bttc, expect={}), "names nothing"), ("a context that is a text", changed(bytom, context="x"), "context"), ("bits that are no number", changed(bytom, context={"bits": "12x"}), "12x"), ("bits over 64 bits", changed(bytom, context={"bits": "9" * 30}), "no number"),
            ("a full scope without its context", changed(bytom, context={}), "scope")):
        yield what, root, UNREADABLE, words
    wrong = {"a wrong verdict": changed(merkle, valid=False), "a wrong digest": changed(hashes, sha256="00" * 32), "an unknown field of an item": changed(bttc, expect={"nothing": 1}), "an item of no kind": changed(btn, kind="x"), "a hash of 31 bytes": changed(merkle, root="00" * 31)}
    for what, root in wrong.items():
        yield what, root, MISMATCH, ""


def main():
    environment = dict(os.environ, OCL_ICD_VENDORS="/nonexistent")  # no OpenCL: it compiles for seconds
    failed = count = 0
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "bad.json"

        def run(*args):
            return subprocess.run([PROGRAM, "vectors", *map(str, args)], capture_output=True, text=True, errors="replace", env=environment, timeout=200)

        def check(what, ran, code, words):
            nonlocal failed, count
            count += 1
            if ran.returncode == code and words in ran.stderr and (code == MISMATCH or str(path) in ran.stderr or not words):
                return
            failed += 1
            print(f"{what}: exit {ran.returncode}, expected {code} and '{words}'\n{ran.stdout[-600:]}{ran.stderr[-600:]}")

        for what, root, code, words in cases():
            path.write_text(root if isinstance(root, str) else json.dumps(root), errors="surrogateescape")
            check(what, run(path), code, words)
        check("a file that is not there", run(folder + "/none.json"), UNREADABLE, "")
        path.write_text(json.dumps(two("merkle.json")))
        check("a good file", run(path), 0, "")
        check("a good file beside a bad one", run(path, folder + "/none.json"), UNREADABLE, "")
        check("a row that runs nothing of the file", run("--backend", "tensority/reference", path), UNSUPPORTED, "")
        check("a row of no family", run("--backend", "abacus", path), 2, "")
        # Digests that this build does not have are counted as skipped, with their names.
        root = two("hashes.json")
        root["cases"][0]["blake2b"] = "00"
        path.write_text(json.dumps(root))
        ran = run(path)
        check("a digest of another hash", ran, 0, "")
        if "not in this build: blake2b" not in ran.stdout:
            failed += 1
            print("blake2b is not named:\n" + ran.stdout)
    print(f"{count} files, {failed} wrong")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

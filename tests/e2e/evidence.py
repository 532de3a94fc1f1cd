#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Evidence on the command line: the cases of both vector files as JSON lines give the verdicts of their columns, malformed
lines are named, exit codes say which; a vote is signed once and never contradicted. Usage: evidence.py SPARKMILL [..]"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

SPARKMILL = sys.argv[1]
VECTORS = pathlib.Path(__file__).parent.parent / "vectors"


def demand(holds, what):
    if not holds:
        sys.exit("evidence: " + what)


def run(*args, text=None, code=None):
    done = subprocess.run([SPARKMILL, *map(str, args)], input=text, capture_output=True, text=True, timeout=240)
    demand(code is None or done.returncode == code,
           "%s: exit %d, not %s\n%s" % (" ".join(map(str, args)), done.returncode, code, done.stderr))
    return done


def cases(name):
    return [c for c in json.loads((VECTORS / name).read_text())["cases"] if c["kind"] != "sign"]


def as_lines(items):
    return "".join(json.dumps({k: c[k] for k in ("id", "kind", "in")}) + "\n" for c in items)


def check_file(name, column):
    """`column` picks the verdict of a case from its `expect`, or None where the kind has none."""
    items = cases(name)
    done = run("verify-blocks", "-", text=as_lines(items), code=11)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    demand([a["id"] for a in answers] == [c["id"] for c in items], name + ": answers are missing or out of order")
    seen = 0
    for case, answer in zip(items, answers):
        verdict = column(case)
        if verdict is None:
            continue
        seen += 1
        demand(answer["ok"] == verdict["ok"], "%s %d: ok is %s" % (name, case["id"], answer["ok"]))
        if "reason" in verdict:
            demand(answer["reason"] == verdict["reason"], "%s %d: %s" % (name, case["id"], answer["reason"]))
    demand(seen > 40, name + ": hardly any verdicts were compared")
    good = [c for c, a in zip(items, answers) if a["ok"]]
    run("verify-blocks", "-", text=as_lines(good), code=0)
    refused = run("verify-blocks", "--invalid", "--quiet", "-", text=as_lines(items), code=11)
    demand(len(refused.stdout.splitlines()) == len(items) - len(good), name + ": --invalid prints something else")
    demand(refused.stderr == "", name + ": --quiet is not quiet")
    broken = run("verify-blocks", "-", text=as_lines(good[:1]) + "{oh\n\n" + as_lines(good[1:2]), code=13)
    lines = [json.loads(line) for line in broken.stdout.splitlines()]
    demand(["error" in l for l in lines] == [False, True, False] and [l["line"] for l in lines] == [1, 2, 4],
           name + ": a malformed line is not named, or ends the others")


def bttc_column(case):
    expect = case["expect"]
    return expect["contract_count"] if case["kind"] == "checkpoint" else expect if "ok" in expect else None


def btn_column(case):
    expect = case["expect"]
    if case["kind"] == "block":
        return {"ok": expect["reason"] == "", "reason": expect["reason"]}
    if case["kind"] == "frame":
        return {"ok": expect["end"] == "", "reason": expect["end"]}
    return {"ok": expect["ok"]} if "ok" in expect else None


def check_policies():
    items = [c for c in cases("bttc_checkpoint.json") if c["kind"] == "checkpoint"]
    for policy in ("contract", "canonical"):
        for rule in ("count", "stake"):
            done = run("verify-blocks", "--policy", policy, "--rule", rule, "-", text=as_lines(items), code=11)
            for case, line in zip(items, done.stdout.splitlines()):
                want = case["expect"][policy + "_" + rule]
                demand(json.loads(line)["reason"] == want["reason"], "%s %s %d" % (policy, rule, case["id"]))
    run("verify-blocks", "--policy", "nobody", "-", text=as_lines(items), code=2)
    run("verify-blocks", "--system", "btn", "-", text=as_lines(items), code=13)
    secret = next(c for c in json.loads((VECTORS / "bttc_checkpoint.json").read_text())["cases"] if c["kind"] == "sign")
    done = run("verify-blocks", "-", text=as_lines([secret]), code=13)
    demand(secret["expect"]["s"] not in done.stdout + done.stderr, "verify-blocks signs")


def check_signing(folder):
    hashes = [c for c in cases("bttc_checkpoint.json") if c["kind"] == "checkpoint_hash"]
    secret = next(c for c in json.loads((VECTORS / "bttc_checkpoint.json").read_text())["cases"] if c["kind"] == "sign")
    key, marks = folder / "validator.key", folder / "marks.db"
    key.write_text(secret["in"]["secret_key"] + "\n")
    os.chmod(key, 0o644)
    data = hashes[0]["expect"]["data"]
    command = ("sign-checkpoint", "--key", key, "--marks", marks)
    first = run(*command, data)
    if first.returncode == 4 or "libsecp256k1" in first.stderr:
        return print("signing: skipped, this build has no libsecp256k1")
    demand(first.returncode == 7 and "chmod 600" in first.stderr, "a key that others may read is used")
    os.chmod(key, 0o600)
    signed = run(*command, data, code=0).stdout
    demand(secret["expect"]["address"] in signed and hashes[0]["expect"]["hash"] in signed, "another signer or hash")
    demand(run(*command, data, code=0).stdout == signed, "the same vote again is another signature")
    other = data[:64 * 3] + "00" * 32 + data[64 * 4:]
    done = run(*command, other, code=7)
    demand("below_mark" in done.stderr and done.stdout == "", "another root of the same span is signed")
    words = next(l for l in signed.splitlines() if l.startswith("contract")).split()[1:]
    item = {"id": 1, "kind": "recover", "in": {"hash": hashes[0]["expect"]["hash"], "sig": words}}
    answer = json.loads(run("verify-blocks", "-", text=json.dumps(item), code=0).stdout)
    demand(answer["answer"]["contract"] == secret["expect"]["address"], "the contract recovers somebody else")


def main():
    check_file("bttc_checkpoint.json", bttc_column)
    check_file("btn_seal.json", btn_column)
    check_policies()
    with tempfile.TemporaryDirectory() as folder:
        check_signing(pathlib.Path(folder))
    print("evidence: all as the vectors say")


main()

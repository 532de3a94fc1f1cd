#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Evidence on the command line: the cases of both vector files as JSON lines give the verdicts of their columns, malformed
lines are named, exit codes say which; a vote is signed once and never contradicted; lanes, memory, signals and files that
are no input for all systems of verify-blocks. Usage: evidence.py SPARKMILL [..]"""
import json
import os
import pathlib
import resource
import signal
import subprocess
import sys
import tempfile
import time

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


def peak_kib(file, lanes):
    """Peak memory of a run over a file, and its output."""
    with open(str(file) + ".out", "wb") as out:
        process = subprocess.Popen([SPARKMILL, "verify-blocks", "--quiet", "--threads", str(lanes), str(file)], stdout=out)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    demand(process.returncode == 0, "%s: exit %d" % (file, process.returncode))
    return usage.ru_maxrss, pathlib.Path(str(file) + ".out").read_text()


def check_stream(folder):
    """Many chunks on several lanes: answers in order, the same on one lane, in memory that does not grow."""
    draw = next(c for c in cases("btn_seal.json") if c["kind"] == "draw" and c["expect"].get("ok"))
    zeros = next(c for c in cases("btn_seal.json") if c["kind"] == "leading_zeros")
    short, long = folder / "short.jsonl", folder / "long.jsonl"
    for file, count in ((short, 5000), (long, 40000)):
        with open(file, "w") as out:
            for i in range(count):
                case = draw if i % 16 == 0 else zeros
                out.write(json.dumps({"id": i, "kind": case["kind"], "in": case["in"]}) + "\n")
    small, answers = peak_kib(short, 1)
    demand([json.loads(l)["id"] for l in answers.splitlines()] == list(range(5000)), "answers are out of order")
    demand(answers == peak_kib(short, 3)[1], "three lanes answer otherwise than one")
    many, answers = peak_kib(long, 2)
    demand(answers.count("\n") == 40000 and answers.splitlines()[39999].startswith('{"line":40000,"id":39999,'), "lost answers")
    demand(many < small + 48 * 1024, "memory grows with the file: %d KiB for 5,000 lines, %d for 40,000" % (small, many))


def check_signal(text):
    """A signal ends a read that waits; what was answered before is there."""
    process = subprocess.Popen([SPARKMILL, "verify-blocks", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    try:
        process.stdin.write(text)
        process.stdin.flush()
        time.sleep(0.5)  # only so that it usually waits for input by then
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)
        demand(process.returncode in (12, -signal.SIGINT), "a signal: exit %d" % process.returncode)
    finally:
        process.kill()
        process.communicate()


def check_odd_input(folder):
    """(name, content, options, exit code, words on stderr or stdout): nothing crashes, and the place is named."""
    bytom = next(c for c in json.loads((VECTORS / "bytom_blocks.json").read_text())["cases"]
                 if c["name"] == "p2wpkh_1in_2out")["hex"]
    good = [c for c in cases("bttc_checkpoint.json") if c["kind"] == "checkpoint" and c["expect"]["contract_count"]["ok"]]
    btn = next(c for c in cases("btn_seal.json") if c["kind"] == "leading_zeros")
    line, twice = as_lines(good[:1]), as_lines(good[:1] * 2)
    huge = json.loads(line)
    huge["in"]["state"]["epoch"] = 2 ** 64
    deep = '{"kind":"checkpoint","in":' + "[" * 100000 + "]" * 100000 + "}\n"
    table = (
        ("empty", b"", (), 13, "no block"),
        ("empty_btn", b"", ("--system", "btn"), 13, "no item"),
        ("blank", b"\r\n \n\t\n", (), 13, "no block"),
        ("garbage", bytes(range(255, 0, -1)) * 9 + b"\n", (), 13, "line 1"),
        ("garbage_behind", line.encode() + b"\xff\x00\x01{\n" + line.encode(), (), 13, '{"line":2,"error"'),
        ("zeros", b"\0" * 70000, (), 13, "line 1"),
        ("carriage_returns", twice.replace("\n", "\r\n").encode(), (), 0, '"line":2'),
        ("no_last_end", twice[:-1].encode(), (), 0, '"line":2'),
        ("same_ids", twice.encode(), (), 0, '"line":2,"id":%d,' % good[0]["id"]),
        ("same_members", b'{"kind":"mpt","kind":"mpt","in":{}}\n' + line.encode(), (), 13, "occurs twice"),
        ("two_systems", (line + as_lines([btn])).encode(), (), 13, '{"line":2,"id":%d,"kind":"leading_zeros","error"' % btn["id"]),
        ("blocks_behind", (line + bytom + "\n").encode(), (), 13, '{"line":2,"error"'),
        ("items_behind", (bytom + "\n" + line).encode(), (), 13, "line 2"),
        ("huge_integer", json.dumps(huge).encode(), (), 13, "in.state.epoch is no integer from 0 to 2^64 - 1"),
        ("huge_exponent", line.replace('"epoch": ', '"epoch": 1e999', 1).encode(), (), 13, "not valid JSON"),
        ("deep", (line + deep).encode(), (), 13, "nested too deeply"),
        ("a_list", b"[1,2]\n", (), 13, "not a JSON object"),
        ("no_kind", b'{"a":1}\n', (), 13, "line 1"),
        ("one_block", bytom.encode(), (), 0, '"verdict":"valid"'),
        ("one_block_dos", (bytom + "\r\n\r\n").encode(), (), 0, '"verdict":"valid"'),
        ("half_digit", (bytom + "\n" + bytom[:-1] + "\n").encode(), (), 13, "line 2: odd number of hex digits"),
        ("packed_cut", b"SMBLOCK1\x05\0\0\0\x03", (), 13, "block 1: the file ends within the block"),
        ("packed_huge", b"SMBLOCK1\xff\xff\xff\xff", (), 13, "block 1: 4294967295 bytes, over the limit"),
        ("packed_length_cut", b"SMBLOCK1\0\0", (), 13, "block 1: the file ends within a length"),
    )
    for name, content, options, code, words in table:
        file = folder / name
        file.write_bytes(content)
        done = run("verify-blocks", *options, file, code=code)
        demand(words in done.stdout + done.stderr, "%s: nothing says '%s'\n%s%s" % (name, words, done.stdout, done.stderr))
    # A line of a GiB, which takes no disk: a hole in a file.
    for start, limit in ((b'{"kind":"mpt","in":"', "67108864"), (b"03", "33554496")):
        file = folder / "one_line"
        with open(file, "wb") as out:
            out.write(start)
            out.truncate(1 << 30)
        done = run("verify-blocks", file, code=13)
        demand("line 1 is over " + limit in done.stderr, "a line of 1 GiB: " + done.stderr)
    demand(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 900 * 1024, "a line of 1 GiB is held whole")
    run("verify-blocks", folder / "absent", code=13)
    demand("is a folder" in run("verify-blocks", folder, code=13).stderr, "a folder is read")
    (folder / "loop").symlink_to("loop")
    run("verify-blocks", folder / "loop", code=13)
    if os.geteuid() != 0:
        (folder / "one_block").chmod(0)
        demand("ermission" in run("verify-blocks", folder / "one_block", code=13).stderr, "a closed file is read")
    for option, value in (("threads", "x"), ("threads", "99999"), ("system", "eth"), ("window", "0")):
        run("verify-blocks", "--" + option, value, folder / "one_block_dos", code=2)
    check_signal(line.encode())
    check_signal(bytom.encode() + b"\n")


def check_jobs(folder):
    """Blobs for jobs say what the lines said; a proof of one holds for that blob alone, and as it was written."""
    bytom = json.loads((VECTORS / "bytom_blocks.json").read_text())
    by_name = {c["name"]: c for c in bytom["cases"]}
    names = bytom["windows"][1]["blocks"]
    hexes = "\n".join(by_name[n]["hex"] for n in names)
    paid = {"bttc": ("bttc_checkpoint.json", ("checkpoint", "exit")), "btn": ("btn_seal.json", ("block", "equivocation"))}
    blobs, proofs = [], []
    for system, (name, kinds) in paid.items():
        items = [c for c in cases(name) if c["kind"] in kinds]
        lines, blob, proof = (folder / (system + end) for end in (".jsonl", ".smbk", ".proof"))
        lines.write_text(as_lines(items))
        for options in ((), ("--policy", "canonical", "--rule", "stake")):
            options = options if system == "bttc" else ()
            run("verify-blocks", "--pack", blob, "--quiet", *options, lines, code=0)
            said = [json.loads(line) for line in run("verify-blocks", *options, lines, code=11).stdout.splitlines()]
            done = run("verify-blocks", "--proof", proof, "--threads", "2", blob, code=11)
            verdicts = [json.loads(line) for line in done.stdout.splitlines()]
            demand(len(verdicts) == len(items), system + ": verdicts are missing")
            for line, verdict in zip(said, verdicts):
                unsealed = verdict["reason"] == "unsealed"  # nothing wrong, and no joint seal
                demand(verdict["ok"] == line["ok"] or unsealed, "%s item %d: %s" % (system, verdict["item"], verdict))
                demand(unsealed or verdict["reason"] == line["reason"], "%s item %d: %s" % (system, verdict["item"], verdict))
        blobs.append(blob)
        proofs.append(proof)
        demand("accepted" in run("verify", proof, "--blob", blob, code=0).stdout, system + ": the proof is not accepted")
    text, blob, proof = folder / "bytom.txt", folder / "bytom.smbk", folder / "bytom.proof"
    text.write_text("seed %s\n%s\n" % (by_name[names[0]]["context"]["seed"], hexes))
    run("verify-blocks", "--pack", blob, text, code=0)
    run("verify-blocks", "--proof", proof, blob, code=0)
    demand("accepted" in run("verify", proof, "--blob", blob, code=0).stdout, "bytom: the proof is not accepted")
    demand("wrong_inputs" in run("verify", proofs[0], "--blob", blobs[1], code=11).stdout, "a proof of another blob")
    bent = folder / "bent"
    whole = proofs[0].read_bytes()
    bent.write_bytes(whole[:200] + bytes([whole[200] ^ 1]) + whole[201:])
    demand("bad_signature" in run("verify", bent, "--blob", blobs[0], code=11).stdout, "a bent proof")
    bent.write_bytes(blobs[0].read_bytes()[:-1])
    demand("item 110: " in run("verify-blocks", bent, code=13).stderr, "a blob that was cut")
    for args, words in ((("--pack", bent, "--system", "bttc", folder / "btn.jsonl"), "line 1: kind 'block' is no item"),
                        (("--proof", bent, text), "--pack"), (("--rule", "count", blobs[0]), "packed blob")):
        done = run("verify-blocks", *args)
        demand(done.returncode in (2, 13) and words in done.stderr, "%s: %s" % (args, done.stderr))


def main():
    check_file("bttc_checkpoint.json", bttc_column)
    check_file("btn_seal.json", btn_column)
    check_policies()
    with tempfile.TemporaryDirectory() as folder:
        check_signing(pathlib.Path(folder))
        check_stream(pathlib.Path(folder))
        check_odd_input(pathlib.Path(folder))
        check_jobs(pathlib.Path(folder))
    print("evidence: all as the vectors say")


main()

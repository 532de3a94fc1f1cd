# SPDX-License-Identifier: Apache-2.0
# A foreign BOINC project's account is bound to a worker by `sparkmill boinc bind`, and its exported credit becomes credit
# and balance at the node: once, also when the proof and the export come again and the node was killed between.
import base64
import gzip
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "oracle"))
import boinc_oracle as oracle

SPARKMILL, NODE = sys.argv[1:3]
PROJECT = oracle.PROJECT
CPID = "c" * 32
failures = []


def expect(what, condition, detail=""):
    print(("ok      " if condition else "FAILED  ") + what + ("" if condition else f": {detail}"), flush=True)
    if not condition:
        failures.append(what)


def get(url):
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)


def soon(look, seconds=90):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if look():
            return True
        time.sleep(0.1)
    return False


with tempfile.TemporaryDirectory() as top:
    p, q = oracle.prime(b"p"), oracle.prime(b"q")
    stats = top + "/user.gz"

    def export(total):
        text = f"<users>\n<user>\n <id>17</id>\n <total_credit>{total}</total_credit>\n <cpid>{CPID}</cpid>\n</user>\n</users>\n"
        with open(stats + ".new", "wb") as f:
            f.write(gzip.compress(text.encode()))
        os.replace(stats + ".new", stats)

    with open(top + "/projects.json", "w") as f:
        json.dump({"projects": [{"url": PROJECT, "ownership_key": base64.b64encode(oracle.public_pem(p * q).encode()).decode(),
                                 "stats": stats, "every_s": 1}]}, f)

    def start(port="0"):
        node = subprocess.Popen([NODE, "--data", top + "/node", "--port", port, "--no-jobs",
                                 "--interval-ms", "200", "--boinc-projects", top + "/projects.json"],
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        return node, re.search(r"http://\S+", [node.stdout.readline() for _ in range(3)][0]).group(0)

    def bind(*args):
        return subprocess.run([SPARKMILL, "boinc", "bind", *args, "--data", top + "/worker"], capture_output=True, text=True, timeout=120)

    node, url = start()
    try:
        made = subprocess.run([SPARKMILL, "keys", "new", "--data", top + "/worker"], capture_output=True, text=True, timeout=60)
        expect("a key", made.returncode == 0, made.stderr)
        for args, code, named in [([], 2, "URL"), ([PROJECT], 2, "--node"), ([PROJECT, "--node", url, "--cpid", "12"], 13, "CPID"),
                                  ([PROJECT, "--node", url, "--proof", top + "/none"], 13, "none")]:
            done = bind(*args)
            expect("bind " + " ".join(args), done.returncode == code and named in done.stderr, f"{done.returncode} {done.stderr}")
        asked = bind(PROJECT, "--node", url, "--cpid", CPID)
        text = asked.stdout.strip()
        expect("the text to sign", asked.returncode == 0 and text.startswith("sparkmill-boinc-v1 cpid=" + CPID), asked.stderr)
        worker = re.search(r"worker=([0-9a-f]{64})", text).group(1)

        def box(message, signed):
            signature = base64.b64encode(oracle.sign(p, q, signed.encode())).decode()
            with open(top + "/box", "w") as f:
                f.write(f"<account_ownership_verification>\n<master_url>{PROJECT}</master_url>\n<msg>{message}</msg>\n"
                        f"<signature>{signature}</signature>\n</account_ownership_verification>\n")

        box("17 " + text, "18 " + text)
        forged = bind(PROJECT, "--node", url, "--proof", top + "/box")
        expect("a forged proof is refused", forged.returncode == 7 and "not made by" in forged.stderr, f"{forged.returncode} {forged.stderr}")
        box("17 " + text, "17 " + text)
        export("100.000000")
        bound = bind(PROJECT, "--node", url, "--proof", top + "/box")
        expect("the proof is taken", bound.returncode == 0 and "user 17 of " + PROJECT in bound.stdout, bound.stdout + bound.stderr)

        def state():
            return get(f"{url}/v1/boinc/bindings/{worker}")["bindings"][0]

        expect("the first export is the base line", soon(lambda: state()["total_micro"] == 100000000), state())
        expect("and credits nothing", state()["credit_microcobble"] == 0 and state()["state"] == "confirmed", state())
        export("107.250000")
        expect("what is gained is credited", soon(lambda: state()["credit_microcobble"] == 7250000), state())
        node.kill()
        node.wait()
        node, url = start(url.rsplit(":", 1)[1])
        again = bind(PROJECT, "--node", url, "--proof", top + "/box")
        expect("the same proof again changes nothing", again.returncode == 0 and "confirmed" in again.stdout, again.stdout + again.stderr)
        expect("the balance grows", soon(lambda: get(f"{url}/v1/accounts/{worker}")["balance"] > 0))
        # The pauses let the node read each; that it credits nothing then is proved by node_credit_test.
        export("103.000000")
        time.sleep(2.5)
        export("107.250000")
        time.sleep(2.5)
        export("108.250000")
        expect("an older export in between credits nothing twice", soon(lambda: state()["credit_microcobble"] == 8250000), state())
        expect("the account agrees", get(f"{url}/v1/accounts/{worker}")["credit_microcobble"] == 8250000)
    finally:
        node.kill()
        node.wait()

sys.exit(1 if failures else 0)

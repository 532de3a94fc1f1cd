# SPDX-License-Identifier: Apache-2.0
# sparkmill-node as a program: options, exit codes, the lock, and a clean end on signals.
import json
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

NODE = sys.argv[1]
SMALL = ["--port", "0", "--no-jobs", "--no-pow", "--interval-ms", "100", "--min-open-ms", "2000"]
failures = []


def expect(what, condition, detail=""):
    print(("ok      " if condition else "FAILED  ") + what + ("" if condition else f": {detail}"))
    if not condition:
        failures.append(what)


def run(*args):
    return subprocess.run([NODE, *args], capture_output=True, text=True, timeout=60)


def start(folder, *args):
    node = subprocess.Popen([NODE, "--data", folder, *SMALL, *args], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    lines = [node.stdout.readline() for _ in range(3)]
    return node, re.search(r"http://\S+", lines[0]).group(0)


def info(url):
    with urllib.request.urlopen(url + "/v1/info", timeout=10) as answer:
        return json.load(answer)


with tempfile.TemporaryDirectory() as top:
    for args, code, named in [
        (["--help"], 0, "--requests"),
        (["--version"], 0, "sparkmill-node"),
        (["--no-such-option"], 2, "no-such-option"),
        (["--port", "70000"], 2, "port"),
        (["stray"], 2, "positional"),
        (["--log-level", "loud"], 2, "loud"),
        (["--data", top + "/a", "--listen", "0.0.0.0"], 3, "--allow-remote"),
        (["--data", top + "/a", "--requests", "5"], 3, "requests"),
        (["--data", top + "/a", "--predicate", "face.dot>"], 3, "predicate"),
        (["--data", top + "/a", "--interval-ms", "1"], 3, "interval-ms"),
    ]:
        done = run(*args)
        text = done.stdout + done.stderr
        expect(" ".join(args), done.returncode == code and named in text, f"exit {done.returncode}, said {text!r}")

    folder = top + "/node"
    node, url = start(folder)
    first = info(url)
    second = run("--data", folder, *SMALL)
    expect("a second node on the folder exits with 10", second.returncode == 10, second.stderr)
    port = url.rsplit(":", 1)[1]
    other = run("--data", top + "/other", "--port", port, "--no-jobs")
    expect("a port in use is named", other.returncode not in (0, 1) and port in other.stderr, f"{other.returncode} {other.stderr}")
    time.sleep(0.5)
    height = info(url)["height"]
    expect("blocks are made", height > 0)
    began = time.monotonic()
    node.send_signal(signal.SIGTERM)
    expect("SIGTERM ends with 0", node.wait(20) == 0)
    expect("within seconds", time.monotonic() - began < 5, time.monotonic() - began)

    node, url = start(folder)
    again = info(url)
    expect("the key stays", again["node_pub"] == first["node_pub"])
    expect("the anchor stays", again["beacon_anchor"] == first["beacon_anchor"])
    expect("the boot id is new", again["boot_id"] != first["boot_id"])
    expect("blocks go on", again["height"] >= height)
    node.kill()
    node.wait()
    node, url = start(folder)
    expect("after kill -9 too", info(url)["height"] >= again["height"])
    node.send_signal(signal.SIGINT)
    expect("SIGINT ends with 0", node.wait(20) == 0)
    changed = run("--data", folder, "--no-jobs", "--no-pow", "--interval-ms", "200")
    expect("another interval is refused", changed.returncode == 3 and "interval" in changed.stderr, changed.stderr)

    other = run("--data", folder, "--no-jobs", "--interval-ms", "100")
    expect("a ledger without proof of work is not opened as one with it", other.returncode == 3
           and folder in other.stderr and "--no-pow" in other.stderr, other.stderr)

sys.exit(1 if failures else 0)

# SPDX-License-Identifier: Apache-2.0
# sparkmill-project as a program: options, exit codes, the lock, kill -9, and work handed in from outside.
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

PROJECT = sys.argv[1]
failures = []


def expect(what, condition, detail=""):
    print(("ok      " if condition else "FAILED  ") + what + ("" if condition else f": {detail}"))
    if not condition:
        failures.append(what)


def run(*args):
    return subprocess.run([PROJECT, *args], capture_output=True, text=True, timeout=120)


def start(folder, port, *args):
    server = subprocess.Popen([PROJECT, "--data", folder, "--port", str(port), *args], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True)
    line = server.stdout.readline()
    return server, re.search(r"http://\S+", line).group(0), line


def status(url):
    return json.loads(urllib.request.urlopen(url + "status.json", timeout=30).read())


with tempfile.TemporaryDirectory(prefix="sparkmill-project-") as top:
    for args, code, named in [
        (["--help"], 0, "for tests and demos"),
        (["--version"], 0, "sparkmill-project"),
        (["--portt", "1"], 2, "portt"),
        (["--port", "70000"], 2, "port"),
        (["stray"], 2, "stray"),
        (["add"], 2, "add"),
        (["--log-level", "loud"], 2, "loud"),
        (["--data", top + "/a", "--listen", "0.0.0.0"], 3, "--allow-remote"),
        (["--data", top + "/a", "--one-result-per", "cat"], 3, "cat"),
        (["--data", top + "/a", "--url", "https://x/"], 3, "https://x/"),
        (["add", "--data", top + "/a", top + "/none.json"], 13, "none.json"),
    ]:
        done = run(*args)
        text = done.stdout + done.stderr
        expect(" ".join(args), done.returncode == code and named in text, f"exit {done.returncode}, said {text!r}")

    folder = top + "/p"
    app = folder + "/apps/sum/1.00/x86_64-pc-linux-gnu"
    os.makedirs(app)
    with open(app + "/sum_1", "w") as f:
        f.write("#!/bin/true\n")
    with open(app + "/version.xml", "w") as f:
        f.write("<version><file><physical_name>sum_1</physical_name></file><api_version>7.20.5</api_version></version>")
    bad = run("--data", folder, "--port", "0")
    expect("a version without main program is named", bad.returncode == 13 and "main_program" in bad.stderr, bad.stderr)
    with open(app + "/version.xml", "w") as f:
        f.write("<version><file><physical_name>sum_1</physical_name><main_program/></file>"
                "<api_version>7.20.5</api_version></version>")
    server, url, line = start(folder, 0)
    port = int(re.search(r":(\d+)/", url).group(1))
    expect("it says what it is for", "for tests and demos" in line, line)
    expect("the folder is the owner's only", os.stat(folder).st_mode & 0o077 == 0)
    second = run("--data", folder, "--port", "0")
    expect("a second server on the folder exits with 10", second.returncode == 10, second.stderr)
    other = run("--data", top + "/q", "--port", str(port))
    expect("a port in use is named", other.returncode == 10 and str(port) in other.stderr, f"{other.returncode} {other.stderr}")

    unit = {"name": "u_0", "files": [], "output": {"open_name": "out", "max_nbytes": 10}, "rsc_fpops_est": 1e9,
            "rsc_fpops_bound": 1e12, "rsc_memory_bound": 1e6, "rsc_disk_bound": 1e8, "delay_bound": 60, "credit": 1}
    with open(top + "/work.json", "w") as f:
        json.dump({"version": 1, "app": "sum", "units": [unit]}, f)
    done = run("add", "--data", folder, "--wait-s", "60", top + "/work.json")
    expect("work is taken in", done.returncode == 0 and "taken" in done.stdout, done.stdout + done.stderr)
    with open(folder + "/keys/code_sign_public") as f:
        key = f.read()
    server.kill()
    server.wait()
    server, url, _ = start(folder, port)
    expect("after kill -9 the unit is there", [u["name"] for u in status(url)["units"]] == ["u_0"], status(url))
    with open(folder + "/keys/code_sign_public") as f:
        expect("and the key is the same", f.read() == key)
    done = run("cancel", "--data", folder, "--wait-s", "60", "u_0")
    expect("work is taken back", done.returncode == 0, done.stderr)
    expect("the unit says so", "cancelled" in status(url)["units"][0]["state"], status(url)["units"])
    unit["app"] = "x"
    with open(top + "/work.json", "w") as f:
        json.dump({"version": 1, "app": "sum", "units": [unit]}, f)
    done = run("add", "--data", folder, top + "/work.json")
    expect("an unknown member is named", done.returncode == 13 and "'app'" in done.stderr, done.stderr)
    began = time.monotonic()
    server.send_signal(signal.SIGTERM)
    expect("SIGTERM ends with 0", server.wait(60) == 0)
    expect("within seconds", time.monotonic() - began < 30, time.monotonic() - began)
    os.chmod(folder + "/keys/upload_private", 0o644)
    done = run("--data", folder, "--port", "0")
    expect("a key that others may read is refused", done.returncode == 7 and "chmod 600" in done.stderr, done.stderr)

sys.exit(1 if failures else 0)

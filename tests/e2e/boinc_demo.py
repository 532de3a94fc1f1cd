# SPDX-License-Identifier: Apache-2.0
"""`sparkmill run --boinc demo` as a user starts it: project, stock client and worker come up, the client's results are
credited by the embedded node to this worker's key without another command, and status and metrics show it."""
import atexit
import json
import os
import re
import signal
import subprocess
import time
import urllib.error

from town import SPARKMILL, Worker, check, environment, folder, free_port, get
from boinc_town import fetch, need_client, until

need_client()
home = folder()
began = time.monotonic()


def end_orphans():
    """A worker that this test had to kill leaves project and client behind; this folder is theirs alone."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid) as f:
                if home in f.read() and int(pid) != os.getpid():
                    os.kill(int(pid), signal.SIGKILL)
        except OSError:
            pass


atexit.register(end_orphans)
port = min(free_port(), 65000)  # the client takes the next one
project = "http://127.0.0.1:%d/" % port

worker = Worker(home, "--boinc", "demo", "--boinc-port", str(port), "--mining", "off", "--boinc.claim", "true",
                "--demo.requests", "1024", "--demo.users", "1024")
check("the demo starts", worker.says("BOINC demo: client in", 120), worker.text())
check("it says what it is", "for tests and demos" in worker.text())


def boinc(state):
    return state["boinc"] or {}


worker.until("the worker sees the client with its project", lambda s: boinc(s).get("state") == "connected" and
             any(p["url"] == project for p in boinc(s)["projects"] or []), 120)
state = worker.until("a receipt is credited, with nobody's help", lambda s: boinc(s)["results"]["receipts_credited"] > 0, 180)
print("   after %.0f s" % (time.monotonic() - began))
check("with credit", boinc(state)["results"]["credit_microcobble"] > 0, boinc(state))
state = worker.until("and its claim", lambda s: boinc(s)["results"]["claims_credited"] > 0, 180)

node, key = state["source"]["name"], state["worker_pub"]
status = json.loads(fetch(project + "status.json"))
valid = [r["name"] for r in status["results"] if r["validity"] == "valid"]
ours = []
for name in valid:
    try:
        receipt = fetch(project + "public/receipts/" + name + ".receipt")
    except urllib.error.HTTPError as e:
        if e.code == 404:  # valid already, but not yet assimilated, which is when its receipt is written
            continue
        raise
    if receipt[72:104].hex() == key:  # docs/formats.md
        ours.append(receipt)
check("receipts name this worker's key (%d of %d)" % (len(ours), len(valid)), ours)
client = os.path.join(worker.data, "boinc-demo", "client", "projects", "127.0.0.1_%d" % port)
with open(os.path.join(client, "sparkmill-app.results")) as f:
    noted = dict(line.split() for line in f)
check("the application noted the files' hashes", any(r[152:184].hex() in noted.values() for r in ours), noted)

# What the account has by BOINC is in the state's balance too, and is more than what jobs of the node gave.
state = worker.until("the balance is known and grew", lambda s: (s["balance_units"] or 0) > 0, 120)
account = get(node + "/v1/accounts/" + key)
check("the node's books hold BOINC credit", account["credit_microcobble"] >= boinc(state)["results"]["credit_microcobble"], account)

text = subprocess.run([SPARKMILL, "status"], capture_output=True, text=True, timeout=60, env=environment(home)).stdout
check("status shows client, policy and credit", re.search(r"boinc +connected.*policy yield", text) and
      re.search(r"receipts [1-9]\d* credited", text), text)
trusted = os.path.join(worker.data, "boinc-demo", "projects.json")
with open(trusted) as f:
    check("the embedded node trusts that project only", [p["url"] for p in json.load(f)["projects"]] == [project])

worker.interrupt()
check("everything ends with the worker", worker.wait(90) in (0, 12), worker.text()[-3000:])
left = subprocess.run(["pgrep", "-f", home], capture_output=True, text=True).stdout.split()
check("nothing is left running", not left, left)
print("all good, %.0f s" % (time.monotonic() - began))

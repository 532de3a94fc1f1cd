# SPDX-License-Identifier: Apache-2.0
"""Debian's BOINC client computes units of a match and of a Tensority search for our project server: killed application,
suspended task, corrupted, lazy and replayed results, answers, receipts, credit."""
import json
import os
import re
import signal
import struct
import subprocess
import sys
import time

from town import NODE, SPARKMILL, Process, check, folder, free_port
from boinc_town import (BIN, Client, Project, Volunteer, app_folder, fetch, need_client, pairs_of, templates, until)

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "oracle"))
import proof_oracle as oracle  # noqa: E402

need_client()
began = time.monotonic()
home = folder()
# A fourth argument makes the inputs that many times shorter, for a try on a busy machine.
SIDE = int(sys.argv[4]) if len(sys.argv) > 4 else 1
SHORTER = SIDE * SIDE
LONG = 20 / SHORTER  # seconds that each of the three long units should take; a machine twice as fast as ours may need half


def work(project, verb, *more):
    """Units by the work generator; returns job id, folder and names."""
    done = subprocess.run([os.path.join(BIN, "sparkmill-boinc-work"), verb, "--project", project.data, *map(str, more)],
                          capture_output=True, text=True, timeout=120)
    check("the work generator makes units (%s)" % verb, done.returncode == 0, done.stdout + done.stderr)
    manifest = re.search(r"\S+manifest\.json", done.stderr).group(0)
    with open(manifest) as f:
        names = [u["name"] for u in json.load(f)["units"]]
    project.add(manifest)
    return os.path.dirname(manifest), names


def lazy(result, key_file):
    """Half of the digests made up, the rest of the proof in order: what saves a volunteer half of the work."""
    with open(key_file, "rb") as f:
        seed = oracle.role_seed(f.read()[64:96], b"envelope")
    body_at = 4 + 2 + 2 + 4 + 32 + 16 + 16 + 32
    node_pub, job_id, lease_id = result[12:44], result[44:60], result[60:76]
    body = bytearray(result[body_at:-64])
    at = 4 + 32

    def part():
        nonlocal at
        length = struct.unpack_from("<I", body, at)[0]
        at += 4 + length
        return at - length, length

    part()  # result name
    at += 16  # user, host
    part()  # statement
    proof_at, _ = part()
    at = proof_at + 4
    part()  # job
    root_at = at
    at += 32
    evidence_at, evidence = part()
    answer_at, _ = part()
    pairs = pairs_of(bytes(body[answer_at:]))
    tiles, columns = evidence // 12, USERS_SMALL // oracle.TILE  # one predicate leaf: digest and count
    honest, lie = [], []
    for k in range(tiles):
        entry = evidence_at + 12 * k
        i, j = divmod(k, columns)
        found = [struct.pack("<II", a, b) for a, b in pairs if (a // oracle.TILE, b // oracle.TILE) == (i, j)]
        for leaves in honest, lie:
            leaves.append(oracle.H(b"\x00", oracle.u32(i), oracle.u32(j), bytes(body[entry:entry + 12]),
                                   oracle.H(*found)))
            if k % 2 == 0 and leaves is honest:
                body[entry:entry + 8] = os.urandom(8)
    honest_root = bytes(body[root_at:root_at + 32])
    check("the test rebuilds the honest root", oracle.tree(honest) == honest_root)
    body[root_at:root_at + 32] = oracle.tree(lie)
    return oracle.envelope(4, node_pub, job_id, lease_id, seed, bytes(body))


class Node(Process):
    """A node without jobs of its own that credits what a project's assimilator signs."""

    def __init__(self):
        self.list = os.path.join(home, "projects.json")
        self.projects([])
        self.url = "http://127.0.0.1:%d" % free_port()
        super().__init__([NODE, "--data", os.path.join(home, "node"), "--port", self.url.rsplit(":", 1)[1], "--no-pow",
                          "--no-jobs", "--interval-ms", "500", "--boinc-projects", self.list, "--log-level", "warn"], home)
        check("the node answers", self.says("key:", 60), self.text())
        self.key = re.search(r"key:\s+([0-9a-f]{64})", self.text()).group(1)

    def projects(self, entries):
        with open(self.list, "w") as f:
            json.dump({"projects": entries}, f)

    def trust(self, project_url, key):
        self.projects([{"url": project_url, "assimilator_key": key}])
        self.child.send_signal(signal.SIGHUP)

    def bring(self, receipts):
        body = json.dumps({"receipts": [r.hex() for r in receipts]}).encode()
        return json.loads(fetch(self.url + "/v1/boinc/receipts", body))["answers"]

    def account(self, pub):
        return json.loads(fetch(self.url + "/v1/accounts/" + pub.hex()))


def node_accepts_receipts(node, receipts):
    """What the project's assimilator signed is credited by the node, once, to the worker's key; nothing else is."""
    worker = receipts[0][72:104]  # docs/formats.md
    check("all receipts are for one key", all(r[72:104] == worker for r in receipts))
    forged = bytearray(receipts[0])
    forged[180] ^= 1
    check("a forged receipt is refused", node.bring([bytes(forged)])[0]["state"] == "refused")
    # The list of projects may still be on its way into the chain's rules.
    until("the node credits every receipt", lambda: all(a["state"] == "credited" for a in node.bring(receipts)), 60, node.text)
    until("the balance of the worker's key grows", lambda: node.account(worker)["balance"] > 0, 60, node.text)
    before = node.account(worker)
    check("and its credit is that of all receipts", before["credit_microcobble"] == sum(
        struct.unpack_from("<Q", r, 208)[0] for r in receipts), before)
    node.bring(receipts)
    time.sleep(2)
    check("brought again they count nothing", node.account(worker)["credit_microcobble"] == before["credit_microcobble"])


# ---- set-up ---------------------------------------------------------------------------------------------------------
REQUESTS, USERS, N = (1 << 15) // SIDE, (5 << 15) // SIDE, 2048
REQUESTS_SMALL, USERS_SMALL = 1024, 4096
RULE = "face.dot>=500"
twins = templates(os.path.join(home, "requests.pcbt"), REQUESTS, N, 1)
templates(os.path.join(home, "users.pcbt"), USERS, N, 2, twins)
small = templates(os.path.join(home, "requests-small.pcbt"), REQUESTS_SMALL, N, 3)
templates(os.path.join(home, "users-small.pcbt"), USERS_SMALL, N, 4, small[:20])

port = free_port()
data = os.path.join(home, "project")
apps = app_folder(home, options="--plan avx2")  # of known speed on every processor


def start_project():
    p = Project(home, apps, port=port, data=data, one_result_per="user",
                validator=os.path.join(BIN, "sparkmill-boinc-validate"),
                assimilator=os.path.join(BIN, "sparkmill-boinc-assimilate"))
    p.ready()
    return p


url = "http://127.0.0.1:%d/" % port
node = Node()
made = subprocess.run([os.path.join(BIN, "sparkmill-boinc-work"), "init", "--project", data, "--url", url, "--hold-s", "0",
                       "--node", node.key], capture_output=True, text=True)
check("the work generator makes the project's folder", made.returncode == 0, made.stderr)
node.trust(url, re.search("project key: ([0-9a-f]{64})", made.stdout).group(1))
project = start_project()

# ---- liars first, so that the honest client finds their unit again --------------------------------------------------
small_folder, (small_unit,) = work(
    project, "match", "--requests", "face=" + os.path.join(home, "requests-small.pcbt"), "--users",
    "face=" + os.path.join(home, "users-small.pcbt"), "--predicate", RULE)
mallory = Volunteer(project, "mallory")
mallory.ask()
check("mallory has the small unit", mallory.task and mallory.task["unit"] == small_unit, mallory.task)
honest = mallory.compute(os.path.join(home, "mallory"))
corrupted = bytearray(honest)
corrupted[len(honest) // 2] ^= 1
check("its upload is taken", "<status>0<" in mallory.upload(bytes(corrupted)))
check("and its report", "<result_ack>" in mallory.report())


def refused(result):
    return next((r for r in project.results() if r["name"] == result and r["outcome"] == "validate error"), None)


found = until("a corrupted result is refused", lambda: refused(mallory.task["result"]), 60, project.text)
print("   " + found["note"])
larry = Volunteer(project, "larry")
until("its unit is given out again", lambda: larry.ask() and larry.task, 30, project.text)
lazy_file = lazy(larry.compute(os.path.join(home, "larry")), os.path.join(home, "larry", "own.key"))
check("a lazy result is uploaded", "<status>0<" in larry.upload(lazy_file) and "<result_ack>" in larry.report())
found = until("a lazy result is refused", lambda: refused(larry.task["result"]), 60, project.text)
check("because of a digest", "leaf_mismatch" in found["note"], found)
check("a replayed report counts nothing", "reported before" in larry.report())
check("nor does one of an unknown unit", "not known here" in larry.report("smk_of_nobody_0"))
check("nobody was paid", all(u["credit"] == 0 for u in project.status()["users"]))

# ---- the stock client -----------------------------------------------------------------------------------------------
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "vectors", "tensority.json")) as f:
    block = json.load(f)["block_headers"][2]
match_folder, match_units = work(
    project, "match", "--requests", "face=" + os.path.join(home, "requests.pcbt"), "--users",
    "face=" + os.path.join(home, "users.pcbt"), "--predicate", RULE, "--tiles", REQUESTS * USERS // 2 // 256 // 256)
check("the match is two units", len(match_units) == 2, match_units)
client = Client(home, "vol", cpus=2)
client.attach(project, project.account("vol"))


def both():
    tasks = [client.running(u) for u in match_units]
    return tasks if all(t and float(t["CPU time at last checkpoint"]) > 0 for t in tasks) else None


until("both match units compute and have a checkpoint", both, 300, lambda: client.text() + project.text())
victim = int(client.running(match_units[0])["PID"])
os.kill(victim, signal.SIGKILL)
client.command("--task", project.url, match_units[1] + "_0", "suspend")
# A free core now: the search comes only here, so that the two match units ran at the same time before.
search_folder, search_units = work(project, "search", "--header", block["serialized_hex"], "--seed", block["seed"],
                                   "--first", 1000, "--count", 1300 // SHORTER, "--unit-units", 1300 // SHORTER, "--hits",
                                   40)
check("the search is one unit", len(search_units) == 1, search_units)
until("the killed application is started again",
      lambda: int((client.running(match_units[0]) or {}).get("PID", victim)) != victim, 60, client.text)
until("the other task is suspended", lambda: "yes" in client.tasks()[match_units[1] + "_0"].get("suspended via GUI", ""), 30)
until("and does not compute", lambda: not client.running(match_units[1]), 30, client.text)


def stands_still():
    """What it said of its progress before it stopped may reach the client a little later."""
    held = client.tasks()[match_units[1] + "_0"]["fraction done"]
    time.sleep(3)
    return client.tasks()[match_units[1] + "_0"]["fraction done"] == held


until("a suspended task stands still", stands_still, 20, client.text)
client.command("--task", project.url, match_units[1] + "_0", "resume")


def all_done():
    return all(u["assimilated"] for u in project.status()["units"]) or None


# The server dies in the middle, too: clients and books live through it.
project.kill9()
project = start_project()
until("all units are assimilated", all_done, 480, lambda: json.dumps(project.status(), indent=1) + client.text() + project.text())

# ---- what it came to ------------------------------------------------------------------------------------------------
results = {r["name"]: r for r in project.results()}
for unit in match_units + search_units:
    r = results[unit + "_0"]
    check("%s is valid at the first try, after %.0f s (%.0f of a core)" % (unit, r["elapsed_s"], r["cpu_s"]), r["validity"] == "valid" and r["elapsed_s"] >= LONG / 2, r)
with open(os.path.join(match_folder, "answer"), "rb") as f:
    combined = pairs_of(f.read())
alone = subprocess.run([SPARKMILL, "match", "--requests", "face=" + os.path.join(home, "requests.pcbt"), "--users", "face=" +
                        os.path.join(home, "users.pcbt"), "--predicate", RULE, "--format", "csv", "--quiet"],
                       capture_output=True, text=True, timeout=200, env={**os.environ, "HOME": home})
check("one machine computes the same match", alone.returncode == 0, alone.stderr)
single = [tuple(map(int, line.split(",")[:2])) for line in alone.stdout.splitlines()[1:]]
check("the combined answer is that of one machine (%d pairs)" % len(single),
      sorted(combined) == sorted(single) and len(single) >= len(twins), (combined[:5], single[:5]))
check("the search has its answer", os.path.getsize(os.path.join(search_folder, "answer")) > 4)
receipts = {}
for name, r in results.items():
    if r["validity"] == "valid":
        receipts[name] = fetch(project.url + "public/receipts/" + name + ".receipt")
check("each valid result has its receipt", len(receipts) == 4, list(receipts))
node_accepts_receipts(node, list(receipts.values()))
credit = {u["name"]: u["credit"] for u in project.status()["users"]}
paid = sum(r["credit"] for r in results.values())
check("credit %s is that of the valid results" % credit, credit["vol"] > 0 and abs(credit["vol"] - paid) < 1e-9 and
      credit["mallory"] == credit["larry"] == 0, (credit, paid))
client.update(project)
until("the client shows it", lambda: re.search(r"user_total_credit: %f" % credit["vol"],
                                               client.command("--get_project_status") or ""), 60, client.text)
client.quit()
project.interrupt()
check("the server ends with 0", project.wait(30) == 0)
print("all good, %.0f s" % (time.monotonic() - began))

# SPDX-License-Identifier: Apache-2.0
"""One match in units over several clients, one of which dies for good: its units are given out again after their
deadline, and the combined answer is that of one machine. Not in CI: minutes, and as many processes as clients.

usage: boinc_split.py SPARKMILL NODE BIN [--rows 65536] [--n 2048] [--units 64] [--clients 3] [--kill 1] [--delay-s 90]
"""
import argparse
import json
import os
import re
import subprocess
import sys
import time

from town import SPARKMILL, check, folder, free_port
from boinc_town import BIN, Client, Project, app_folder, fetch, need_client, pairs_of, templates, until

ask = argparse.ArgumentParser()
ask.add_argument("programs", nargs=3)
ask.add_argument("--rows", type=int, default=1 << 16)
ask.add_argument("--n", type=int, default=2048)
ask.add_argument("--units", type=int, default=64)
ask.add_argument("--clients", type=int, default=3)
ask.add_argument("--kill", type=int, default=1, help="clients that die for good once they hold work")
ask.add_argument("--delay-s", type=int, default=90, help="deadline of a unit after it was sent")
ask.add_argument("--plan", default="", help="kernels of the application: avx2, avx512; empty: the best")
ask.add_argument("--limit-s", type=int, default=1800)
o = ask.parse_args()

need_client()
home = folder()
rule = "face.dot>=%d" % (o.n // 4)
twins = templates(os.path.join(home, "r.pcbt"), o.rows, o.n, 1)
templates(os.path.join(home, "u.pcbt"), o.rows, o.n, 2, twins)
sides = ["--requests", "face=" + os.path.join(home, "r.pcbt"), "--users", "face=" + os.path.join(home, "u.pcbt"),
         "--predicate", rule]
port, data = free_port(), os.path.join(home, "project")
work = os.path.join(BIN, "sparkmill-boinc-work")
subprocess.run([work, "init", "--project", data, "--url", "http://127.0.0.1:%d/" % port, "--hold-s", "0"], check=True,
               capture_output=True)
# One account for each client: what died with one must be able to go to another.
project = Project(home, app_folder(home, "--plan " + o.plan if o.plan else ""), port=port, data=data,
                  validator=os.path.join(BIN, "sparkmill-boinc-validate"),
                  assimilator=os.path.join(BIN, "sparkmill-boinc-assimilate"))
project.ready()
tiles = (o.rows // 256) ** 2 // o.units
made = subprocess.run([work, "match", "--project", data, *sides, "--tiles", str(tiles)], capture_output=True, text=True)
check("the work generator splits the job", made.returncode == 0, made.stderr)
manifest = re.search(r"\S+manifest\.json", made.stderr).group(0)
with open(manifest) as f:
    plan = json.load(f)
check("into %d units" % o.units, len(plan["units"]) == o.units, len(plan["units"]))
for unit in plan["units"]:
    unit["delay_bound"] = o.delay_s
short = os.path.join(home, "manifest.json")
with open(short, "w") as f:
    json.dump(plan, f)
project.add(short)

began = time.monotonic()
clients = [Client(home, "c%d" % k, cpus=1) for k in range(o.clients)]
for k, client in enumerate(clients):
    client.attach(project, project.account("user%d" % k))
dead = []
for client in clients[:o.kill]:
    held = until("a client that is to die holds work", lambda: [r["name"] for r in project.results() if r["host"] ==
                 client.host and r["state"] == "in progress"], 120, client.text)
    client.kill()
    dead += [r["name"] for r in project.results() if r["host"] == client.host and r["state"] == "in progress"]
print("   died with %d unit(s): %s" % (len(dead), " ".join(dead)))


def assimilated():
    return len([u for u in project.status()["units"] if u["assimilated"]])


last = [0]


def step():
    n = assimilated()
    if n != last[0]:
        print("   %4.0f s: %d of %d units" % (time.monotonic() - began, n, o.units), flush=True)
        last[0] = n
    time.sleep(1)
    return n == o.units


until("all units are assimilated", step, o.limit_s, lambda: json.dumps(project.status()["counts"]) + clients[-1].text())
seconds = time.monotonic() - began
results = {r["name"]: r for r in project.results()}
for name in dead:
    check("%s is written off" % name, results[name]["outcome"] == "no reply", results[name])
    again = [r for r in results.values() if r["unit"] == results[name]["unit"] and r["validity"] == "valid"]
    check("and its unit was done by another client", len(again) == 1 and again[0]["host"] != results[name]["host"], again)
valid = [r for r in results.values() if r["validity"] == "valid"]
check("each unit was paid once", len(valid) == o.units and len({r["unit"] for r in valid}) == o.units, len(valid))
for r in valid:
    fetch(project.url + "public/receipts/" + r["name"] + ".receipt")
check("each has a receipt", True)
with open(os.path.join(os.path.dirname(manifest), "answer"), "rb") as f:
    combined = pairs_of(f.read())
alone = subprocess.run([SPARKMILL, "match", *sides, "--format", "csv", "--quiet"], capture_output=True, text=True,
                       env={**os.environ, "HOME": home})
check("one machine computes the same match", alone.returncode == 0, alone.stderr)
single = [tuple(map(int, line.split(",")[:2])) for line in alone.stdout.splitlines()[1:]]
check("the combined answer is that of one machine (%d pairs)" % len(single), sorted(combined) == sorted(single) and
      len(single) >= len(twins), (len(combined), len(single)))
for client in clients[o.kill:]:
    client.quit()
project.interrupt()
check("the server ends with 0", project.wait(60) == 0)
print("all good: %d x %d in %d units over %d clients, %d of them dead, in %.0f s" % (o.rows, o.rows, o.units, o.clients,
                                                                                    o.kill, seconds))

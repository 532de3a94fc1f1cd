# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the worker at 20 moments, then of the node at 20 moments, then a corrupt cached blob; the books must agree."""
import os
import random
import time

from town import Node, Worker, bad_news, check, folder, free_port, same_books, worker_key

KILLS = 20
home = folder()
port = free_port()
moments = random.Random(20260101)  # the same moments every time
node = Node(home, port, requests=2048, users=2048)
node.ready()
run = ("--node", node.url, "--slice-ms", "20", "--mining", "off")

key = None
killed_in = {}
for i in range(KILLS):
    worker = Worker(home, *run)
    wait = moments.uniform(0.15, 1.6)
    time.sleep(wait)
    check("worker is alive at its %d. moment (%.2f s)" % (i + 1, wait), worker.child.poll() is None, worker.text())
    worker.kill9()
    text = worker.text()
    if "worker key" in text:
        key = worker_key(text)
    last = [l for l in text.splitlines() if l.startswith("job ")]
    step = last[-1].split(": ", 1)[1].split(" ")[0].strip(";,") if last else "start"
    killed_in[step] = killed_in.get(step, 0) + 1
print("killed after:", killed_in)
worker = Worker(home, *run, "--rounds", "2")
check("after 20 kills the worker works", worker.wait(60) == 0, worker.text()[-3000:])
accepted, counters = same_books(home, node.url, key)
check("nothing was refused", counters.get("rejected", 0) == 0, (counters, bad_news(worker)))

worker = Worker(home, *run)
for i in range(KILLS):
    wait = moments.uniform(0.1, 1.2)
    time.sleep(wait)
    node.kill9()
    node = Node(home, port, requests=2048, users=2048)
    node.ready()
check("the worker lives through 20 deaths of the node", worker.child.poll() is None, worker.text()[-3000:])
before = worker.state()["results"]["accepted"]
worker.until("and is accepted again", lambda s: s["results"]["accepted"] > before + 1, 60)
check("finish", worker.api("POST", "/v1/finish", {})[0] == 200)
check("the worker ends with 0", worker.wait(60) == 0, worker.text()[-3000:])
accepted, counters = same_books(home, node.url, key)
check("nothing was refused", counters.get("rejected", 0) == 0, (counters, bad_news(worker)))

# A blob that rots in the cache while its job is unfinished.
worker = Worker(home, *run)
worker.until("a job is being worked on", lambda s: any(j["phase"] != "done" for j in s["jobs"]) if "jobs" in s else
             s["job"] is not None, 30)
time.sleep(0.3)
worker.kill9()
blobs = os.path.join(worker.data, "blobs")
names = os.listdir(blobs)
check("there are cached blobs", len(names) > 0)
for name in names:
    with open(os.path.join(blobs, name), "r+b") as f:
        f.seek(100)
        f.write(b"rotten")
worker = Worker(home, *run, "--rounds", "3")
check("rotten blobs are fetched again and the work is accepted", worker.wait(60) == 0, worker.text()[-3000:])
accepted, counters = same_books(home, node.url, key)
check("nothing was refused", counters.get("rejected", 0) == 0, (counters, bad_news(worker)))
node.interrupt()
node.wait(10)
print("all good")

# SPDX-License-Identifier: Apache-2.0
"""The worker's folder on a small tmpfs that fills up: it says so, waits, and goes on when there is room. Needs root."""
import atexit
import os
import subprocess
import sys
import time

from town import Node, Worker, check, folder, free_port, same_books, worker_key

home = folder()
data = os.path.join(home, ".local/share/sparkmill")
os.makedirs(data)
mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", data], capture_output=True)
if mounted.returncode != 0:
    print("skipped: this user may not mount a tmpfs: " + mounted.stderr.decode().strip())
    sys.exit(77)
atexit.register(subprocess.run, ["umount", "-l", data])
port = free_port()
node = Node(home, port)
node.ready()
worker = Worker(home, "--node", node.url)
worker.until("work is accepted", lambda s: s["results"]["accepted"] > 0, 30)
ballast = os.path.join(data, "ballast")
end = time.monotonic() + 40
check("it was not full before", "is full" not in worker.text(), worker.text()[-3000:])
# The cache gives way first, so the disk is filled again and again until nothing is left to give.
while "is full" not in worker.text() and time.monotonic() < end:
    try:
        with open(ballast, "ab", buffering=0) as f:
            while f.write(bytes(4096)):
                pass
    except OSError:
        time.sleep(0.02)
check("a full disk is said", "is full" in worker.text(), worker.text()[-3000:])
check("the worker lives", worker.child.poll() is None, worker.text()[-3000:])
time.sleep(2)
before = worker.state()["results"]["accepted"]
os.remove(ballast)
worker.until("work goes on when there is room", lambda s: s["results"]["accepted"] > before + 2, 40)
check("finish", worker.api("POST", "/v1/finish", {})[0] == 200)
check("the worker ends with 0", worker.wait(40) == 0, worker.text()[-3000:])
_, counters = same_books(home, node.url, worker_key(worker.text()))
check("nothing was refused", counters.get("rejected", 0) == 0, counters)

print("all good")

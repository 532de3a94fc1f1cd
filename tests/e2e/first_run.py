# SPDX-License-Identifier: Apache-2.0
"""First run from an empty home: key, demo node, two rounds, summary; then Ctrl-C, configuration, a second worker, damage."""
import os
import re
import stat
import time

from town import Worker, check, folder, store_totals

home = folder()
began = time.monotonic()
worker = Worker(home, "--rounds", "2")
code = worker.wait(150)  # lanes give way to whatever else runs here, and blocks wait for lanes
text = worker.text()
if code != 0:
    print(text)
check("run --rounds 2 ends with 0", code == 0, code)
print("first run took %.1f s" % (time.monotonic() - began))
for part in ("made a new key", "no node named", "self-test passed", "profile H: geometry is disclosed to the node",
             "commit recorded", "challenged", "proof accepted", "operator-trusted", "balance", "API and dashboard",
             "sparkmill run --node URL", "summary: 2 job(s) accepted", "devices busy", "block heights",
             "kernel tensority/", "kernel ed25519/", "match.h", "verify.batch", "each bad one recomputed by another row",
             "4096 signature(s) checked", "mining: block found", "summary: mining for http://"):
    check("it says '%s'" % part, part in text, text)
key = os.path.join(worker.data, "worker.key")
check("the key is the owner's only", stat.S_IMODE(os.stat(key).st_mode) == 0o600)
receipts, counters = store_totals(home)
blocks = int(re.search(r"(\d+) block\(s\) found", text).group(1))
check("the blocks that its challenges waited for are its own proof of work", blocks >= 4, text)
check("two receipts are in the store", len(receipts) == 2 and counters["accepted"] == 2, counters)
check("pairs were found", counters["answers"] > 0, counters)
check("signatures were checked", counters["checked"] == 4096, counters)

# A second start finds its key and its node's ledger; Ctrl-C keeps what is unfinished.
worker = Worker(home)
worker.until("work goes on with the same store", lambda s: s["results"]["accepted"] >= 2, 60)
check("no second key is made", "made a new key" not in worker.text())
other = Worker(home, "--node", "http://127.0.0.1:9")
check("a second worker on the same folder ends with 10", other.wait(20) == 10, other.text())
check("it says what to do", "in use by another process" in other.text(), other.text())
check("it works", worker.says("job ", 20), worker.text())
worker.until("signatures are shown beside pairs", lambda s: s["items_checked"] >= 4096, 60)
check("blocks are work, too", worker.says("verify.blocks, ", 150), worker.text())
worker.interrupt()
asked = time.monotonic()
code = worker.wait(15)
took = time.monotonic() - asked
check("Ctrl-C ends within a slice", took < 6, "%.1f s" % took)
unfinished = "unfinished job(s) are kept" in worker.text()
check("Ctrl-C ends with 12 and kept work, or with 0 and none", code == (12 if unfinished else 0), (code, worker.text()))

# The chain needs proof of work: without mining the demo node keeps another one, and each stays where it is.
check("the chain of the default has its folder", os.path.isdir(os.path.join(worker.data, "node-pow")))
timer = Worker(home, "--mining", "off")
timer.until("without mining blocks come by a timer", lambda s: s["source"]["height"] and s["mining"] is None, 30)
check("on a chain of its own", "demo node in " + os.path.join(worker.data, "node;") in timer.text(), timer.text())
timer.interrupt()
check("it ends", timer.wait(15) in (0, 12), timer.text())

# Configuration: an unknown key is an error that names the nearest.
config = os.path.join(home, "config.json")
with open(config, "w") as f:
    f.write('{"jobs_in_flihgt": 4}')
wrong = Worker(home, "--config", config)
check("an unknown key ends with 3", wrong.wait(10) == 3, wrong.text())
check("the nearest key is named", "jobs_in_flight" in wrong.text(), wrong.text())

# A damaged store is kept aside and said; the next start begins afresh.
store = os.path.join(worker.data, "store.sqlite")
with open(store, "r+b") as f:
    f.write(b"this is not a database any more")
damaged = Worker(home, "--node", "http://127.0.0.1:9")
check("a damaged store ends with 10", damaged.wait(20) == 10, damaged.text())
check("it is kept aside", any(".damaged-" in name for name in os.listdir(worker.data)), os.listdir(worker.data))
absent = Worker(home, "--node", "http://127.0.0.1:9", "--source-patience-s", "1")
check("an absent node ends with 6 after its patience", absent.wait(20) == 6, absent.text())
print("all good")

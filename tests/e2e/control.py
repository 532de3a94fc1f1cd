# SPDX-License-Identifier: Apache-2.0
"""The API's verbs and SIGHUP on a running worker with a node of its own."""
import os
import signal
import time

from town import Node, Worker, check, folder, free_port

home = folder()
port = free_port()
node = Node(home, port)
node.ready()
config = os.path.join(home, "config.json")
with open(config, "w") as f:
    f.write('{"slice_ms": 50}')
worker = Worker(home, "--config", config, "--node", node.url)
worker.until("work is accepted", lambda s: s["results"]["accepted"] > 0, 30)

check("writes need the token", worker.api("POST", "/v1/pause", {}, token=False)[0] in (401, 403))
check("pause is taken", worker.api("POST", "/v1/pause", {})[0] == 200)
time.sleep(0.7)
state = worker.state()
check("the mode is paused", any(d["state"] == "paused" for d in state["devices"]), state)
check("with a reason", any(r["code"] == "user_pause" for d in state["devices"] for r in d["reasons"]), state["devices"])
accepted = worker.until("open leases are still delivered", lambda s: s["store"]["queued"] == 0, 30)["results"]["accepted"]
time.sleep(1)
check("a paused worker takes nothing", worker.state()["results"]["accepted"] == accepted)
check("an unknown device is refused", worker.api("POST", "/v1/pause", {"device": "gpu9"})[0] == 404)
check("resume is taken", worker.api("POST", "/v1/resume", {})[0] == 200)
worker.until("work goes on", lambda s: s["results"]["accepted"] > accepted, 30)
check("a timed pause is taken", worker.api("POST", "/v1/pause", {"for_s": 2})[0] == 200)
worker.until("it is shown with its end", lambda s: any(r.get("until_ms") or r.get("until") for d in s["devices"]
                                                       for r in d["reasons"] if r["code"] == "user_pause"), 5)
accepted = worker.state()["results"]["accepted"]
worker.until("and ends by itself", lambda s: all(d["state"] != "paused" for d in s["devices"]), 10)
worker.until("with work", lambda s: s["results"]["accepted"] > accepted, 30)

# SIGHUP: a bad file changes nothing and the worker goes on; a good one is read.
with open(config, "w") as f:
    f.write('{"log.levle": "debug"}')
worker.child.send_signal(signal.SIGHUP)
check("a bad file is reported", worker.says("log.level", 10), worker.text()[-2000:])
check("and the worker goes on", worker.child.poll() is None)
with open(config, "w") as f:
    f.write('{"slice_ms": 50, "log": {"level": "debug"}}')
worker.child.send_signal(signal.SIGHUP)
check("a good file is applied", worker.says("debug", 10), worker.text()[-2000:])
accepted = worker.state()["results"]["accepted"]
worker.until("work goes on after the reload", lambda s: s["results"]["accepted"] > accepted, 30)

check("finish is taken", worker.api("POST", "/v1/finish", {})[0] == 200)
check("finish ends with 0", worker.wait(40) == 0, worker.text()[-3000:])
check("with a summary", "summary:" in worker.text())
node.interrupt()
check("the node ends with 0", node.wait(10) == 0, node.text()[-2000:])
print("all good")

# SPDX-License-Identifier: Apache-2.0
"""What goes wrong between the stock client, our application and a project: an upload that is refused for good, and GPU tasks on a
host whose GPU is only claimed (cc_config.xml) or gone. Nothing is lost, nothing counts twice, and each says why."""
import glob
import json
import os
import re
import subprocess
import time

from town import SPARKMILL, check, environment, folder
from boinc_town import BIN, Client, Project, app_folder, burner_app, burner_unit, need_client, until

need_client()
home = folder()
began = time.monotonic()
CLAIMED = ("<coproc><type>NVIDIA</type><count>1</count><peak_flops>1e13</peak_flops><device_nums>0</device_nums></coproc>")

apps = burner_app(home)
# "opencl" in the class's name would make the client itself look for a device; in the program's name it tells our application.
app_folder(home, plan_class="nv_demo", program="sparkmill-boinc_100__nv_opencl")
with open(os.path.join(home, "plan_class_spec.xml"), "w") as f:
    f.write("<plan_classes><plan_class><name>nv_demo</name><gpu_type>nvidia</gpu_type><cpu_frac>0.1</cpu_frac></plan_class>"
            "</plan_classes>")
project = Project(home, apps, one_result_per="any", validator="/bin/true")
project.ready()
made = subprocess.run([os.path.join(BIN, "sparkmill-boinc-work"), "init", "--project", project.data, "--url", project.url,
                       "--hold-s", "0"], capture_output=True, text=True)
check("a project with work of our own", made.returncode == 0, made.stderr)
client = Client(home, "faults", cpus=1, gpus=True, config=CLAIMED)
client.attach(project, project.account("vol"))


def result(name):
    return next((r for r in project.results() if r["name"] == name), {})


# ---- a GPU task without its GPU -------------------------------------------------------------------------------------
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "vectors", "tensority.json")) as f:
    block = json.load(f)["block_headers"][2]
made = subprocess.run([os.path.join(BIN, "sparkmill-boinc-work"), "search", "--project", project.data, "--header",
                       block["serialized_hex"], "--seed", block["seed"], "--first", "1000", "--count", "64", "--unit-units", "64",
                       "--hits", "4"], capture_output=True, text=True, timeout=120)
check("a GPU unit is made", made.returncode == 0, made.stderr)
project.add(re.search(r"\S+manifest\.json", made.stderr).group(0))
gpu_unit = next(u["name"] for u in project.status()["units"])
client.update(project)
until("the host that claims a GPU gets it", lambda: result(gpu_unit + "_0").get("device") == "NVIDIA", 60, client.text)
if os.path.exists("/dev/nvidiactl"):
    print("   this machine has an NVIDIA GPU: what happens without one is left out")
else:
    until("the application finds no device and asks to be started later",
          lambda: re.search(r"postponed for 300 seconds: waiting for NVIDIA device 0", client.whole_text()), 90,
          lambda: "\n".join(line for line in client.whole_text().splitlines() if "sched" not in line))
    check("its result is not given up", result(gpu_unit + "_0")["state"] == "in progress", result(gpu_unit + "_0"))
    check("and it waits, and does not run", client.tasks()[gpu_unit + "_0"]["active_task_state"] != "EXECUTING", client.tasks())

# ---- an upload that is refused for good -----------------------------------------------------------------------------
burner_unit(project, home, "burn_1", 2)
client.update(project)
until("a CPU task runs beside it", lambda: client.running("burn_1"), 90, client.text)
client.command("--set_network_mode", "never", "0")
until("it is computed and cannot be sent", lambda: client.tasks()["burn_1_0"].get("state") == "uploading", 90, client.text)
project.kill9()
for key in glob.glob(os.path.join(project.data, "keys", "upload_*")):
    os.remove(key)  # the certificate that the client holds is of nobody now
project = Project(home, apps, port=project.port, data=project.data, one_result_per="any", validator="/bin/true")
project.ready()
client.command("--set_network_mode", "always", "0")
until("the server says no for good", lambda: "not signed by this project" in project.text(), 90, client.text)
until("the client reports a failed upload", lambda: result("burn_1_0").get("outcome") == "client error", 120,
      lambda: client.text() + project.text())
check("nobody was paid for it", all(u["credit"] == 0 for u in project.status()["users"]))
until("the unit is computed again, and that counts", lambda: result("burn_1_1").get("validity") == "valid", 120,
      lambda: client.text() + project.text())
check("once", [u["credit"] for u in project.status()["users"]] == [1.0], project.status()["users"])

# ---- the GPU is gone ------------------------------------------------------------------------------------------------
client.quit()
client.configure()
client.start()
until("the client has the task still", lambda: gpu_unit + "_0" in client.tasks(), 60, client.text)
said = subprocess.run([SPARKMILL, "boinc", "tasks", "--boinc.address", "127.0.0.1:%d" % client.port, "--boinc.data_dir",
                       client.folder], capture_output=True, text=True, timeout=60, env=environment(home)).stdout
check("and we say that its GPU is missing", re.search(gpu_unit + r".*GPU missing", said), said)
done = subprocess.run([os.path.join(BIN, "sparkmill-project"), "cancel", "--data", project.data, "--wait-s", "60", gpu_unit],
                      capture_output=True, text=True, timeout=90)
check("the operator takes it back", done.returncode == 0, done.stderr)
client.update(project)
until("and the client is rid of it", lambda: gpu_unit + "_0" not in client.tasks(), 90, lambda: client.text() + project.text())
client.quit()
project.interrupt()
check("the server ends with 0", project.wait(30) == 0)
print("all good, %.0f s" % (time.monotonic() - began))

# SPDX-License-Identifier: Apache-2.0
"""docker/ without docker: the files parse and refer to what exists, the images' package lists cover what the built programs
link, every command of the compose file is one that its program takes, and the project's start script works.

usage: compose_test.py ROOT BIN
"""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT, BIN = map(os.path.abspath, sys.argv[1:3])
DOCKER = os.path.join(ROOT, "docker")
failures = []


def expect(what, truth, more=""):
    print(("ok      " if truth else "FAILED  ") + what + ("" if truth else ": %s" % (more,)), flush=True)
    if not truth:
        failures.append(what)


def read(name):
    with open(os.path.join(DOCKER, name)) as f:
        return f.read()


try:
    import yaml
except ImportError:
    print("skipped: no PyYAML (package python3-yaml)")
    sys.exit(77)

# ---- compose and Prometheus -----------------------------------------------------------------------------------------
compose = yaml.safe_load(read("compose.yaml"))
services = compose["services"]
expect("node, workers, project, client and Prometheus are there",
       {"node", "worker", "workers", "project", "client", "prometheus"} <= set(services), list(services))
for name, s in services.items():
    build = s.get("build")
    if build:
        expect("%s: its Dockerfile is there" % name, os.path.exists(os.path.join(ROOT, build["dockerfile"])), build)
    for other in s.get("depends_on", {}):
        condition = s["depends_on"][other]["condition"]
        checked = services[other].get("healthcheck") or services[other]["image"].startswith("sparkmill")
        expect("%s waits for %s, which exists and is checked" % (name, other), other in services and checked, condition)
    for volume in s.get("volumes", []):
        source = volume.split(":")[0]
        known = source in compose["volumes"] or source.startswith("/") or os.path.exists(os.path.join(DOCKER, source))
        expect("%s: volume %s is known" % (name, source), known)
    for port in s.get("ports", []):
        expect("%s: port %s is on loopback only" % (name, port), port.startswith("127.0.0.1:"))
    expect("%s: has no rights" % name, s["cap_drop"] == ["ALL"] and s["read_only"] is True)
    url = s.get("environment", {}).get("PROJECT_URL", "")
    if url:
        host = re.match(r"http://([^:/]+)", url).group(1)
        known = [a for o in services.values() for n in [o.get("networks") or {}] for a in n.get("default", {}).get("aliases", [])]
        expect("%s: the project's host has a dot, as BOINC clients want it, and is an alias" % name, "." in host and host in known, url)
for secret in compose["secrets"].values():
    expect("secret %s is there" % secret["file"], os.path.exists(os.path.join(DOCKER, secret["file"])))
prometheus = yaml.safe_load(read("prometheus.yml"))
scrape = prometheus["scrape_configs"][0]
names = [t.split(":")[0] for c in scrape["static_configs"] for t in c["targets"]]
names += [n for c in scrape["dns_sd_configs"] for n in c["names"]]
expect("Prometheus asks services that exist", set(names) <= set(services), names)
token = scrape["authorization"]["credentials_file"]
for name in names:
    settings = services[name]["environment"]
    expect("%s: serves its API with that token and port" % name, settings["SPARKMILL_API_TOKEN_FILE"] == token and
           settings["SPARKMILL_API_PORT"] == "7440", settings)

# ---- commands -------------------------------------------------------------------------------------------------------
env = {**os.environ, "PATH": BIN + ":" + os.environ["PATH"], "HOME": tempfile.gettempdir()}
for name, s in services.items():
    program = s["command"][0]
    if program.endswith(".sh"):
        done = subprocess.run(["sh", "-n", os.path.join(DOCKER, program)], capture_output=True, text=True)
        expect("%s: %s parses" % (name, program), done.returncode == 0, done.stderr)
    elif program == "sparkmill":
        # All settings of the command are known, and their values in range.
        words = s["command"][2:]
        done = subprocess.run([os.path.join(BIN, "sparkmill"), "config", "keys", *words], capture_output=True, text=True,
                              env={**env, **s.get("environment", {})})
        expect("%s: its settings are settings" % name, done.returncode == 0, done.stdout + done.stderr)
    elif program == "sparkmill-node":
        done = subprocess.run([os.path.join(BIN, program), *s["command"][1:], "--help"], capture_output=True, text=True)
        expect("%s: its options are options" % name, done.returncode == 0, done.stdout + done.stderr)

# ---- images ---------------------------------------------------------------------------------------------------------
PROGRAMS = {"Dockerfile": ["sparkmill", "sparkmill-node", "sparkmill-project", "sparkmill-boinc-work", "sparkmill-boinc-validate",
                           "sparkmill-boinc-assimilate", "sparkmill-boinc"], "Dockerfile.cuda": ["sparkmill"]}
with open(os.path.join(ROOT, "scripts", "packages-run.txt")) as f:
    wanted = {line.strip() for line in f if not line.startswith("#")}
for dockerfile, programs in PROGRAMS.items():
    text = read(dockerfile)
    expect("%s installs scripts/packages-run.txt by scripts/setup.sh" % dockerfile,
           "COPY scripts/setup.sh scripts/packages-run.txt scripts/" in text and "RUN scripts/setup.sh run" in text)
    # Headers of Debian's -dev packages are only in the build stage.
    installed = set(re.search(r"apt-get install -y -qq --no-install-recommends \\\n(.*?)>/dev/null", text[text.index("debian:12-slim"):],
                              re.S).group(1).replace("\\", " ").split())
    expect("%s: no package of the build in the image" % dockerfile, not (installed & wanted) - {"ca-certificates"}, installed & wanted)
    for source in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.M):
        for path in source.split():
            expect("%s: copies %s, which is there" % (dockerfile, path), os.path.exists(os.path.join(ROOT, path)))
    if "\nUSER sparkmill\n" not in text:
        expect("%s: runs as a user without rights" % dockerfile, False)
    if not shutil.which("dpkg"):
        print("        no dpkg here: which package a library is of is not checked")
        continue
    known = subprocess.run(["apt-cache", "show", *sorted(installed)], capture_output=True, text=True)
    missing = installed - set(re.findall(r"^Package: (\S+)", known.stdout, re.M))
    if open("/etc/os-release").read().find("bookworm") >= 0:
        expect("%s: its packages are Debian 12's" % dockerfile, not missing, missing)
    needed = set()
    for program in programs:
        path = os.path.join(BIN, program)
        if not os.path.exists(path):
            continue
        for library in re.findall(r"=> (/\S+)", subprocess.run(["ldd", path], capture_output=True, text=True).stdout):
            for candidate in (os.path.realpath(library), library, library.replace("/lib/", "/usr/lib/", 1)):
                owner = subprocess.run(["dpkg", "-S", candidate], capture_output=True, text=True).stdout
                if owner:
                    needed.add(owner.split(":")[0])
                    break
    # What the named packages bring along by themselves.
    depends = subprocess.run(["apt-cache", "depends", "--recurse", "--no-recommends", "--no-suggests", "--no-conflicts",
                              "--no-breaks", "--no-replaces", "--no-enhances", *sorted(installed)], capture_output=True, text=True)
    brought = set(re.findall(r"^(\S+)$", depends.stdout, re.M)) | {"libc6"}
    expect("%s: what the programs link is installed (%d packages)" % (dockerfile, len(needed)), needed and needed <= brought,
           needed - brought)

# ---- the project's start --------------------------------------------------------------------------------------------
with tempfile.TemporaryDirectory(prefix="sparkmill-docker-") as top:
    for folder in ("data", "shared", "apps/sparkmill/1.00/x86_64-pc-linux-gnu"):
        os.makedirs(os.path.join(top, folder))
    app = os.path.join(top, "apps/sparkmill/1.00/x86_64-pc-linux-gnu")
    with open(os.path.join(app, "app_100"), "w") as f:
        f.write("#!/bin/true\n")
    with open(os.path.join(app, "version.xml"), "w") as f:
        f.write("<version><file><physical_name>app_100</physical_name><main_program/></file><api_version>7.20.5</api_version></version>")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    url = "http://127.0.0.1:%d/" % port
    settings = {**env, "PROJECT_URL": url, "PROJECT_DATA": top + "/data", "SHARED": top + "/shared", "PROJECT_APPS": top + "/apps",
                "PROJECT_PORT": str(port), "PROJECT_LISTEN": "127.0.0.1", "PROJECT_ROWS": "512", "PROJECT_TILES": "2", "HOME": top}

    def start():
        with open(top + "/log", "a") as log:
            return subprocess.Popen(["sh", os.path.join(DOCKER, "project.sh")], env=settings, stdout=log, stderr=log)

    def units(child):
        for _ in range(600):
            try:
                got = json.loads(urllib.request.urlopen(url + "status.json", timeout=10).read())["units"]
                made = []
                for job in os.listdir(top + "/data/sparkmill/jobs"):
                    with open(top + "/data/sparkmill/jobs/" + job + "/manifest.json") as f:
                        made += json.load(f)["units"]
                if made and len(got) == len(made):
                    return sorted(u["name"] for u in got)
            except OSError:
                if child.poll() is not None:
                    break
            time.sleep(0.1)
        return []

    child = start()
    first = units(child)
    expect("project.sh serves a project with units", len(first) > 0, open(top + "/log").read())
    with open(top + "/shared/projects.json") as f:
        listed = json.load(f)["projects"]
    expect("the node's list names it", [p["url"] for p in listed] == [url] and len(listed[0]["assimilator_key"]) == 64, listed)
    child.send_signal(signal.SIGTERM)
    expect("it ends in order", child.wait(60) == 0)
    child = start()
    expect("started again it goes on with the same units", units(child) == first, open(top + "/log").read())
    child.send_signal(signal.SIGTERM)
    child.wait(60)

sys.exit(1 if failures else 0)

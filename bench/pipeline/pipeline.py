# SPDX-License-Identifier: Apache-2.0
"""The whole pipeline measured from outside: a node with queued jobs, one worker, real programs. Prints JSON on stdout.

  pipeline.py SPARKMILL SPARKMILL_NODE [--log2 15] [--jobs 100] [--queue 20] [--interval-ms 2000] [--n 2048]
  pipeline.py ... --log2 17 --jobs 1 --queue 1          one big job: bounded memory

"busy" is the share of lane time spent in slices from the first lease to the last receipt, the wait for the last
challenges included. "memory" is anonymous memory: the mapped inputs (blobs) are counted apart.
"""
import argparse
import json
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("sparkmill")
    p.add_argument("node")
    p.add_argument("--log2", type=int, default=15, help="requests and users are 2^this each")
    p.add_argument("--n", type=int, default=2048)
    p.add_argument("--jobs", type=int, default=100, help="receipts to wait for")
    p.add_argument("--queue", type=int, default=20, help="jobs that are ready before the worker starts")
    p.add_argument("--interval-ms", type=int, default=2000)
    p.add_argument("--predicate", default="face.dot>=660")
    p.add_argument("--folder", help="where to work (a few GB); default: a temporary folder")
    p.add_argument("--timeout-s", type=int, default=3600)
    p.add_argument("run", nargs="*", help="more options for sparkmill run, after --")
    return p.parse_args()


def status(pid):
    out = {}
    with open("/proc/%d/status" % pid) as f:
        for line in f:
            name, _, value = line.partition(":")
            if name in ("RssAnon", "RssFile", "VmHWM"):
                out[name] = int(value.split()[0]) / 1024.0
    return out


def cpu_seconds(pid):
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def card():
    model = ""
    with open("/proc/cpuinfo") as f:
        for line in f:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    here = os.path.dirname(os.path.abspath(__file__))
    commit = subprocess.run(["git", "-C", here, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True)
    return {"cpu": model, "cores": len(os.sched_getaffinity(0)), "kernel": platform.release(),
            "commit": commit.stdout.strip(), "utc": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "load_before": os.getloadavg()[0]}


def wait_for_jobs(log, count, child, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end and child.poll() is None:
        with open(log) as f:
            made = len(re.findall(r" job [0-9a-f]{32}: task", f.read()))
        if made >= count:
            return made
        time.sleep(0.2)
    sys.exit("pipeline: the node did not make %d jobs in time; see %s" % (count, log))


def main():
    a = arguments()
    root = a.folder or tempfile.mkdtemp(prefix="sparkmill-pipeline-")
    os.makedirs(root, exist_ok=True)
    machine = card()
    env = {k: v for k, v in os.environ.items() if not k.startswith("SPARKMILL_")}
    env["HOME"] = root
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    side = str(1 << a.log2)
    node_log, worker_log = os.path.join(root, "node.log"), os.path.join(root, "worker.log")
    node = subprocess.Popen(
        [a.node, "--data", os.path.join(root, "node"), "--port", str(port), "--interval-ms", str(a.interval_ms),
         "--requests", side, "--users", side, "--n", str(a.n), "--predicate", a.predicate, "--seed", "pipeline",
         "--queue-ahead", str(a.queue), "--max-jobs", str(a.jobs), "--blob-limit-mb", "65536"],
        stdout=open(node_log, "w"), stderr=subprocess.STDOUT, env=env)
    peak = {"RssAnon": 0.0, "RssFile": 0.0, "VmHWM": 0.0}
    worker = None
    try:
        wait_for_jobs(node_log, min(a.queue, a.jobs), node, a.timeout_s)
        time.sleep(1)
        node_cpu = cpu_seconds(node.pid)
        worker = subprocess.Popen(
            [a.sparkmill, "run", "--node", "http://127.0.0.1:%d" % port, "--rounds", str(a.jobs), "--api.port", "0",
             "--profile", "bench"] + a.run, stdout=open(worker_log, "w"), stderr=subprocess.STDOUT, env=env)
        end = time.monotonic() + a.timeout_s
        while worker.poll() is None and time.monotonic() < end:
            try:
                now = status(worker.pid)
                node_used = cpu_seconds(node.pid) - node_cpu
            except (FileNotFoundError, ProcessLookupError):
                break
            for name, value in now.items():
                peak[name] = max(peak[name], value)
            time.sleep(0.05)
        code = worker.wait(10)
        with open(worker_log) as f:
            text = f.read()
        with open(node_log) as f:
            node_text = f.read()
    finally:
        for child in (worker, node):
            if child is not None and child.poll() is None:
                child.send_signal(signal.SIGTERM)
                try:
                    child.wait(10)
                except subprocess.TimeoutExpired:
                    child.kill()
        if not a.folder:
            shutil.rmtree(root, ignore_errors=True)
    if code != 0:
        print(text[-4000:], file=sys.stderr)
        sys.exit("pipeline: the worker ended with %d" % code)

    def number(pattern, where=text, kind=float):
        found = re.search(pattern, where)
        return kind(found.group(1)) if found else None

    proofs = [float(x) for x in re.findall(r"leaves opened, ([0-9.]+) KB", text)]
    checks = [float(x) for x in re.findall(r"leaves recomputed.*?([0-9.]+) ms", node_text)]
    result = {
        "schema": 1, "what": "pipeline", "machine": machine,
        "jobs": a.jobs, "queued_at_start": min(a.queue, a.jobs), "requests": 1 << a.log2, "users": 1 << a.log2, "n": a.n,
        "block_interval_ms": a.interval_ms,
        "accepted": number(r"summary: (\d+) job\(s\) accepted", kind=int),
        "matching_pairs": number(r"(\d+) matching pair\(s\) found", kind=int),
        "pairs": number(r"summary: ([0-9.e+]+) pairs compared"),
        "pairs_per_s": number(r"pairs compared, ([0-9.e+]+) pairs/s"),
        "wall_s": number(r"from first lease to last receipt \(([0-9.]+) s exactly\)"),
        "busy_percent": number(r"devices busy ([0-9.]+) %"),
        "lane_cpu_percent": number(r"CPU time of the lanes ([0-9.]+) %"),
        "kernel": number(r"kernel (\S+) \(", kind=str),
        "worker_anonymous_peak_mb": round(peak["RssAnon"], 1),
        "worker_mapped_blobs_peak_mb": round(peak["RssFile"], 1),
        "worker_rss_peak_mb": round(peak["VmHWM"], 1),
        "opening_kb_max": max(proofs) if proofs else None,
        "node_cpu_s_while_running": round(node_used, 2),
        "node_check_ms_median": sorted(checks)[len(checks) // 2] if checks else None,
    }
    print(json.dumps(result, indent=1))


main()

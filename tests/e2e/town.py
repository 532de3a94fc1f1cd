# SPDX-License-Identifier: Apache-2.0
"""Starts real nodes and workers as processes of their own, for the end-to-end tests. Python standard library only."""
import atexit
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

SPARKMILL, NODE = sys.argv[1], sys.argv[2]
_children = []


def folder():
    path = tempfile.mkdtemp(prefix="sparkmill-e2e-")
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def _end_children():
    for child in _children:
        if child.poll() is None:
            child.kill()
            child.wait()


atexit.register(_end_children)


def check(what, truth, more=""):
    if not truth:
        print("FAILED: " + what + (": " + str(more) if more != "" else ""), flush=True)
        sys.exit(1)
    print("ok: " + what, flush=True)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def environment(home):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("SPARKMILL_", "XDG_"))}
    env["HOME"] = home
    return env


class Process:
    def __init__(self, args, home):
        self.log = open(os.path.join(home, "log-%d.txt" % len(_children)), "w+")
        self.child = subprocess.Popen(args, stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL,
                                      env=environment(home))
        _children.append(self.child)

    def text(self):
        with open(self.log.name) as f:
            return f.read()

    def wait(self, seconds):
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            print(self.text()[-6000:])
            check("ends within %d s: %s" % (seconds, " ".join(self.child.args)), False)

    def kill9(self):
        self.child.send_signal(signal.SIGKILL)
        self.child.wait()

    def interrupt(self):
        self.child.send_signal(signal.SIGINT)

    def says(self, part, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if part in self.text():
                return True
            if self.child.poll() is not None:
                return part in self.text()
            time.sleep(0.05)
        return False


class Node(Process):
    def __init__(self, home, port, **options):
        self.data = os.path.join(home, "node")
        settings = dict(interval_ms=200, min_open_ms=60000, requests=1024, users=1024, n=512, predicate="face.dot>=180",
                        seed="e2e", queue_ahead=3, log_level="warn",
                        blocks=0)  # small match jobs and signatures; blocks take seconds of a core, first_run has them
        settings.update(options)
        args = [NODE, "--data", self.data, "--port", str(port), "--no-pow"]
        for key, value in settings.items():
            args += ["--" + key.replace("_", "-"), str(value)]
        super().__init__(args, home)
        self.url = "http://127.0.0.1:%d" % port

    def ready(self, seconds=20):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                return get(self.url + "/v1/info")
            except OSError:
                if self.child.poll() is not None:
                    break
                time.sleep(0.05)
        print(self.text()[-4000:])
        check("the node answers", False)


class Worker(Process):
    def __init__(self, home, *args):
        super().__init__([SPARKMILL, "run", "--api.port", "0"] + list(args), home)
        self.home = home
        self.data = os.path.join(home, ".local/share/sparkmill")

    def api(self, method, path, body=None, token=True, seconds=20):
        """(status, JSON or text) of a call to the worker's API."""
        end = time.monotonic() + seconds
        address = os.path.join(self.data, "api.url")
        while not os.path.exists(address):
            if time.monotonic() > end or self.child.poll() is not None:
                check("the API is there", False, self.text()[-2000:])
            time.sleep(0.05)
        with open(address) as f:
            url = f.read().strip()
        request = urllib.request.Request(url + path, method=method,
                                         data=None if body is None else json.dumps(body).encode())
        if token:
            with open(os.path.join(self.data, "api.token")) as f:
                request.add_header("Authorization", "Bearer " + f.read().strip())
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode()

    def state(self):
        return self.api("GET", "/v1/state")[1]

    def until(self, what, test, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            state = self.state()
            if test(state):
                check(what, True)
                return state
            time.sleep(0.1)
        print(json.dumps(state, indent=1)[:4000])
        print(self.text()[-4000:])
        check(what, False)


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.loads(answer.read())


def bad_news(worker):
    """What a failed test should show of a long log."""
    return "\n".join(line for line in worker.text().splitlines() if "refused" in line or "given up" in line)[-4000:]


def worker_key(text):
    return re.search(r"worker key ([0-9a-f]{64})", text).group(1)


def store_totals(home):
    """What the worker's own books say; the worker must not be running."""
    path = os.path.join(home, ".local/share/sparkmill/store.sqlite")
    with sqlite3.connect(path) as db:
        receipts = db.execute("SELECT hex(lease_id), accepted, credit FROM receipts").fetchall()
        counters = dict(db.execute("SELECT name, value FROM counters").fetchall())
    return receipts, counters


def same_books(home, url, key):
    """Every receipt once on both sides, and credit equal."""
    receipts, counters = store_totals(home)
    accepted = [r for r in receipts if r[1]]
    account = get(url + "/v1/accounts/" + key)
    check("receipts are counted once in the worker's store", counters.get("accepted", 0) == len(accepted),
          (counters, len(accepted)))
    check("the node counts the same receipts", account["accepted"] == len(accepted), (account, len(accepted)))
    credit = sum(r[2] for r in accepted)
    check("credit is equal on both sides (%d micro-cobblestones, %d receipts)" % (credit, len(accepted)),
          account["credit_microcobble"] == credit == counters.get("credit", 0), (account, credit, counters))
    for lease, _, worth in receipts:
        receipt = get(url + "/v1/receipts/" + lease.lower())
        check("receipt %s is the node's" % lease[:8], receipt["credit_microcobble"] == worth, receipt)
    return accepted, counters

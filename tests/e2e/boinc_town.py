# SPDX-License-Identifier: Apache-2.0
"""A project server and stock BOINC clients as processes of their own. The clients have their own folders and ports and
never touch one that the machine runs. Python standard library only."""
import atexit
import ctypes
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request

from town import Process, check, free_port

# A test that is ended from outside must still end what it started.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))

BIN = os.path.abspath(sys.argv[3])
PLATFORM = "x86_64-pc-linux-gnu"


def need_client():
    """Exit code 77 (skipped) where Debian's client is not installed."""
    for program in ("boinc", "boinccmd"):
        if shutil.which(program) is None:
            print("skipped: no %s on PATH (package boinc-client)" % program)
            sys.exit(77)


def fetch(url, body=None, timeout=30):
    with urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=timeout) as answer:
        return answer.read()


def until(what, test, seconds, more=None):
    """Waits for `test()` to give something true, and gives it back."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        got = test()
        if got:
            check(what, True)
            return got
        time.sleep(0.2)
    if more:
        print(more())
    check(what, False, "not within %d s" % seconds)


class Project(Process):
    """sparkmill-project on a folder and a fixed port, so that it can be started again."""

    def __init__(self, home, apps, port=None, data=None, **options):
        self.data = data or os.path.join(home, "project")
        self.port = port or free_port()
        settings = dict(request_delay_s=1, next_rpc_delay_s=5, retry_s=2)
        settings.update(options)
        args = [os.path.join(BIN, "sparkmill-project"), "--data", self.data, "--port", str(self.port), "--app-dir", apps]
        for key, value in settings.items():
            args += ["--" + key.replace("_", "-"), str(value)]
        super().__init__(args, home)
        self.url = "http://127.0.0.1:%d/" % self.port

    def ready(self, seconds=60):
        def answers():
            if self.child.poll() is not None:
                print(self.text()[-4000:])
                check("the project server runs", False)
            try:
                return self.status()
            except OSError:
                return None
        until("the project server answers", answers, seconds, self.text)

    def status(self):
        return json.loads(fetch(self.url + "status.json"))

    def account(self, name):
        """Makes an account, or finds it; returns its key."""
        email = name + "@example.org"
        query = urllib.parse.urlencode({"email_addr": email, "user_name": name,
                                        "passwd_hash": hashlib.md5(("secret" + email).encode()).hexdigest()})
        text = fetch(self.url + "create_account.php?" + query).decode()
        return re.search("<authenticator>([0-9a-f]{32})</authenticator>", text).group(1)

    def add(self, *manifests):
        done = subprocess.run([os.path.join(BIN, "sparkmill-project"), "add", "--data", self.data, "--wait-s", "60",
                               *manifests], capture_output=True, text=True, timeout=90)
        check("work is taken in", done.returncode == 0 and "taken" in done.stdout, done.stdout + done.stderr)

    def unit(self, name):
        return next((u for u in self.status()["units"] if u["name"] == name), None)

    def results(self, unit=None):
        return [r for r in self.status()["results"] if unit in (None, r["unit"])]


def die_with_parent():
    """In the child: the client has a session of its own, and a test that is killed cannot clean up."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Client:
    """The stock client, in a folder of its own."""

    def __init__(self, home, name, cpus=None, more_options=(), config="", gpus=False):
        self.home = home
        self.folder = os.path.join(home, "client-" + name)
        self.more_options = list(more_options) + ([] if gpus else ["--no_gpus"])
        os.makedirs(self.folder, exist_ok=True)
        self.port = free_port()
        self.cpus = cpus
        self.configure(config)
        self.write("global_prefs_override.xml", "<global_preferences><suspend_cpu_usage>0</suspend_cpu_usage>"
                   "<run_if_user_active>1</run_if_user_active><disk_interval>2</disk_interval><work_buf_min_days>0"
                   "</work_buf_min_days><work_buf_additional_days>0.01</work_buf_additional_days></global_preferences>")
        self.child = None
        self.start()

    def configure(self, more=""):
        self.write("cc_config.xml", "<cc_config><log_flags><task>1</task><file_xfer>1</file_xfer><sched_ops>1</sched_ops>"
                   "<sched_op_debug>1</sched_op_debug></log_flags><options><allow_multiple_clients>1"
                   "</allow_multiple_clients><report_results_immediately>1</report_results_immediately>" +
                   ("<ncpus>%d</ncpus>" % self.cpus if self.cpus else "") + more + "</options></cc_config>")

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w") as f:
            f.write(text + "\n")

    def start(self):
        self.log = open(os.path.join(self.folder, "log.txt"), "a")
        self.child = subprocess.Popen(
            ["boinc", "--dir", self.folder, "--gui_rpc_port", str(self.port), "--allow_multiple_clients",
             "--no_info_fetch", "--skip_cpu_benchmarks", "--insecure", "--sched_retry_delay_min", "2",
             "--sched_retry_delay_max", "5", "--pers_retry_delay_min", "2", "--pers_retry_delay_max", "5",
             *self.more_options],
            stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL, start_new_session=True,
            preexec_fn=die_with_parent)
        atexit.register(self.kill)
        until("a client answers", lambda: self.command("--get_cc_status", quiet=True), 60, self.text)

    def command(self, *args, quiet=False):
        """boinccmd; None when it fails."""
        with open(os.path.join(self.folder, "gui_rpc_auth.cfg")) if os.path.exists(
                os.path.join(self.folder, "gui_rpc_auth.cfg")) else open(os.devnull) as f:
            password = f.readline().strip()
        done = subprocess.run(["boinccmd", "--host", "127.0.0.1:%d" % self.port, "--passwd", password, *args],
                              capture_output=True, text=True, timeout=60, cwd=self.folder)
        if done.returncode != 0 and not quiet:
            print("boinccmd %s: %s%s" % (" ".join(args), done.stdout, done.stderr))
        return (done.stdout or "done") if done.returncode == 0 else None

    def attach(self, project, key):
        """Polling 0 only means "added here": it counts when the project knows the host."""
        known = {h["id"] for h in project.status()["hosts"]}
        check("the client takes the project", self.command("--project_attach", project.url, key))
        fresh = until("the project knows its host", lambda: {h["id"] for h in project.status()["hosts"]} - known, 90,
                      self.text)
        self.host = fresh.pop()

    def update(self, project):
        self.command("--project", project.url, "update")

    def tasks(self):
        """Name -> fields of each task."""
        out, text = {}, self.command("--get_tasks", quiet=True) or ""
        for part in re.split(r"\n\d+\) -+\n", text)[1:]:
            fields = dict(re.findall(r"^ +([^:\n]+): (.*)$", part, re.M))
            out[fields["name"]] = fields
        return out

    def running(self, unit):
        """The task of that unit that computes at this moment."""
        for name, t in self.tasks().items():
            if t.get("WU name") == unit and t.get("active_task_state") == "EXECUTING" and t.get("scheduler state") == "scheduled":
                return t
        return None

    def apps(self, program):
        """Process ids of this client's applications whose command line names `program`."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/cmdline" % pid) as f:
                    line = f.read()
                if program in line and os.readlink("/proc/%s/cwd" % pid).startswith(self.folder + "/"):
                    found.append(int(pid))
            except OSError:
                pass
        return found

    def text(self):
        return self.whole_text()[-8000:]

    def whole_text(self):
        with open(os.path.join(self.folder, "log.txt")) as f:
            return f.read()

    def kill(self):
        """For good: the client and what it started."""
        if self.child and self.child.poll() is None:
            os.killpg(self.child.pid, signal.SIGKILL)
            self.child.wait()
        for pid in filter(str.isdigit, os.listdir("/proc")):  # applications have groups of their own
            try:
                if os.readlink("/proc/%s/cwd" % pid).startswith(self.folder + "/"):
                    os.kill(int(pid), signal.SIGKILL)
            except OSError:
                pass

    def quit(self, seconds=60):
        self.command("--quit", quiet=True)
        try:
            self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            check("the client ends within %d s" % seconds, False)


class Volunteer:
    """What a client says, said by hand: for results that no honest program would send."""

    def __init__(self, project, name):
        self.project, self.key, self.name = project, project.account(name), name
        self.host, self.seqno, self.reports = 0, 0, ""
        self.task = None

    def ask(self, seconds=1):
        body = ("<scheduler_request><authenticator>%s</authenticator><hostid>%d</hostid><rpc_seqno>%d</rpc_seqno>"
                "<cpu_req_secs>%d</cpu_req_secs><platform_name>%s</platform_name><host_info><host_cpid>%s</host_cpid>"
                "<p_ncpus>1</p_ncpus></host_info>%s</scheduler_request>" %
                (self.key, self.host, self.seqno, seconds, PLATFORM, hashlib.md5(self.name.encode()).hexdigest(),
                 self.reports))
        reply = fetch(self.project.url + "cgi", body.encode()).decode()
        self.seqno += 1
        self.reports = ""
        host = re.search(r"<hostid>(\d+)<", reply)
        if host:
            self.host, self.seqno = int(host.group(1)), 0
        result = re.search(r"<result>\n<name>(.*?)</name>\n<wu_name>(.*?)</wu_name>.*?<file_name>(.*?)</file_name>", reply,
                           re.S)
        if result:
            self.task = dict(result=result.group(1), unit=result.group(2), output=result.group(3))
            part = reply[reply.index("<name>%s</name>\n<generated_locally/>" % self.task["output"]):]
            self.task["max_nbytes"] = int(re.search(r"<max_nbytes>(\d+)", part).group(1))
            self.task["signature"] = re.search(r"<xml_signature>\n(.*?)</xml_signature>", part, re.S).group(1)
            unit = reply[reply.index("<workunit>"):reply.index("</workunit>")]
            self.task["inputs"] = re.findall(r"<file_name>(.*?)</file_name>\n<open_name>(.*?)</open_name>", unit)
            self.task["urls"] = dict(re.findall(r"<name>([^<]*)</name>\n<url>([^<]*)</url>", reply))
        return reply

    def compute(self, folder, *options):
        """The task by the real application, without a client. Returns the result file's bytes."""
        os.makedirs(folder)
        for name, open_name in self.task["inputs"]:
            with open(os.path.join(folder, open_name), "wb") as f:
                f.write(fetch(self.task["urls"][name]))
        done = subprocess.run([os.path.join(BIN, "sparkmill-boinc"), "--result-name", self.task["result"], "--key",
                               os.path.join(folder, "own.key"), *options], cwd=folder, capture_output=True, text=True,
                              timeout=240)
        check("%s computes %s" % (self.name, self.task["result"]), done.returncode == 0, done.stderr)
        with open(os.path.join(folder, "result"), "rb") as f:
            return f.read()

    def upload(self, content):
        t = self.task
        head = ("<data_server_request>\n<file_upload>\n<file_info>\n<name>%s</name>\n<xml_signature>\n%s</xml_signature>\n"
                "<max_nbytes>%d</max_nbytes>\n</file_info>\n<nbytes>%d</nbytes>\n<md5_cksum>%s</md5_cksum>\n<offset>0"
                "</offset>\n<data>\n" % (t["output"], t["signature"], t["max_nbytes"], len(content),
                                         hashlib.md5(content).hexdigest()))
        return fetch(self.project.url + "file_upload_handler", head.encode() + content).decode()

    def report(self, result=None):
        self.reports += ("<result><name>%s</name><state>5</state><exit_status>0</exit_status></result>" %
                         (result or self.task["result"]))
        return self.ask(0)


def app_folder(home, options="", plan_class="", program="sparkmill-boinc_100"):
    """apps/sparkmill/1.00/PLATFORM[__CLASS] with the application and the libraries of BOINC that it links."""
    app = os.path.join(BIN, "sparkmill-boinc")
    if not os.path.exists(app):
        print("skipped: sparkmill-boinc was not built (package libboinc-app-dev)")
        sys.exit(77)
    folder = os.path.join(home, "apps", "sparkmill", "1.00", PLATFORM + ("__" + plan_class if plan_class else ""))
    os.makedirs(folder)
    shutil.copy(app, os.path.join(folder, program))
    files = "<file><physical_name>%s</physical_name><main_program/></file>" % program
    linked = subprocess.run(["ldd", app], capture_output=True, text=True).stdout
    for soname, path in re.findall(r"(libboinc\S*) => (\S+)", linked):
        shutil.copy(os.path.realpath(path), os.path.join(folder, soname + "_100"))
        files += ("<file><physical_name>%s_100</physical_name><logical_name>%s</logical_name><copy_file/></file>" %
                  (soname, soname))
    version = subprocess.run(["boinc", "--version"], capture_output=True, text=True).stdout.split()[0]
    with open(os.path.join(folder, "version.xml"), "w") as f:
        f.write("<version><api_version>%s</api_version>%s<cmdline>%s</cmdline></version>\n" % (version, files, options))
    return os.path.join(home, "apps")


def burner_app(home):
    """apps/burn/1.00/PLATFORM: an application that burns CPU time (tests/fake/boinc_burner.cpp)."""
    burner = os.path.join(BIN, "boinc_burner")
    if not os.path.exists(burner):
        print("skipped: the test's BOINC application was not built (package libboinc-app-dev)")
        sys.exit(77)
    place = os.path.join(home, "apps", "burn", "1.00", PLATFORM)
    os.makedirs(place)
    shutil.copy(burner, os.path.join(place, "burn_100"))
    version = subprocess.run(["boinc", "--version"], capture_output=True, text=True).stdout.split()[0]
    with open(os.path.join(place, "version.xml"), "w") as f:
        f.write("<version><api_version>%s</api_version><file><physical_name>burn_100</physical_name><main_program/></file>"
                "</version>\n" % version)
    return os.path.join(home, "apps")


def burner_unit(project, home, name, cpu_s):
    path = os.path.join(home, name + ".json")
    with open(path, "w") as f:
        json.dump({"version": 1, "app": "burn", "units": [{
            "name": name, "command_line": str(cpu_s), "rsc_fpops_est": 60_000_000_000, "rsc_fpops_bound": 10 ** 15,
            "rsc_memory_bound": 100_000_000, "rsc_disk_bound": 100_000_000, "delay_bound": 3600, "credit": 1, "files": [],
            "output": {"open_name": "out", "max_nbytes": 1000}}]}, f)
    project.add(path)


def templates(path, rows, n, seed, twins=()):
    """A template file of `rows` random masked rows; `twins` are rows of other files, planted from row 7 on, 11 apart."""
    import random
    import struct
    draw = random.Random(seed)
    size = n // 8
    sign = int.from_bytes(draw.randbytes(rows * size), "little")
    mask = int.from_bytes(draw.randbytes(rows * size), "little")
    sign = (sign & mask).to_bytes(rows * size, "little")
    mask = mask.to_bytes(rows * size, "little")
    out = bytearray(rows * 2 * size)
    for i in range(rows):
        out[2 * i * size:(2 * i + 1) * size] = sign[i * size:(i + 1) * size]
        out[(2 * i + 1) * size:(2 * i + 2) * size] = mask[i * size:(i + 1) * size]
    for k, row in enumerate(twins):
        at = (7 + 11 * k) * 2 * size
        out[at:at + 2 * size] = row
    header = b"PCBT" + bytes([1, 1]) + struct.pack("<HII", n // 64, rows, 1) + b"boinc-e2e-epoch!"
    with open(path, "wb") as f:
        f.write(header + hashlib.sha256(out).digest() + out)
    return [bytes(out[k * 2 * size:(k + 1) * 2 * size]) for k in range(min(rows, 64))]


def pairs_of(answer):
    """The pairs in an answer of match.h."""
    import struct
    count = struct.unpack_from("<I", answer)[0]
    return [struct.unpack_from("<II", answer, 4 + 8 * k) for k in range(count)]

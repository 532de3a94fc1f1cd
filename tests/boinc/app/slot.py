# SPDX-License-Identifier: Apache-2.0
"""A slot folder as the BOINC client makes it, with the shared memory of the real library: init_data.xml, link files,
boinc_mmap_file. What the client would write into the channels is written here, so that time is ours."""
import hashlib
import json
import mmap
import os
import pathlib
import random
import struct
import subprocess
import time

CHANNEL = 1024  # eight of them; the first byte says that a message is there
REQUEST, STATUS = 0, 5


def template_file(path, rows, n, seed, copies=()):
    """A PCBT file of random rows, some of them copied from (row, row of other, other's rows). Returns the rows."""
    rnd = random.Random(seed)
    out = []
    for _ in range(rows):
        valid = rnd.getrandbits(n) | rnd.getrandbits(n)
        out.append((rnd.getrandbits(n) & valid).to_bytes(n // 8, "little") + valid.to_bytes(n // 8, "little"))
    for at, source in copies:
        out[at] = source
    payload = b"".join(out)
    head = struct.pack("<4sBBHII16s", b"PCBT", 1, 1, n // 64, rows, 1, b"epoch of a test.")
    pathlib.Path(path).write_bytes(head + hashlib.sha256(payload).digest() + payload)
    return out


def signature_stream(scheme, policy, key_bytes, signature_bytes, items):
    """Packed signatures (docs/formats.md, signature stream), each message with its length; items begin with key,
    signature, message."""
    out = struct.pack("<4sHHHHHHIIQ", b"SMSG", 1, scheme, policy, key_bytes, signature_bytes, 0, 0xffffffff, 0,
                      len(items))
    for key, signature, message, *_ in items:
        out += key + signature + struct.pack("<I", len(message)) + message
    return out


def call(*args, check=0, **more):
    done = subprocess.run([str(a) for a in args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=600, **more)
    if check is not None and done.returncode != check:
        raise AssertionError("%s gave %d, expected %d\n%s%s" % (args, done.returncode, check, done.stdout, done.stderr))
    return done


def make_project(work, folder, hold_s=0):
    call(work, "init", "--project", folder, "--url", "http://127.0.0.1/demo/", "--hold-s", hold_s)


def make_job(work, folder, *args):
    """The manifest of a new job."""
    return json.loads(call(work, *args, "--project", folder, "--print").stdout)


def until(what, condition, seconds=120):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError("waited %d s in vain: %s" % (seconds, what))


class Slot:
    def __init__(self, folder, project, unit, number=0, client=True, checkpoint_period=1, gpu_type=""):
        self.folder = pathlib.Path(folder)
        self.project = pathlib.Path(project)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.project.mkdir(parents=True, exist_ok=True)
        self.unit = unit
        self.result_name = "%s_%d" % (unit["name"], number)
        self.output = self.project / (self.result_name + "_r1_0") if client else self.folder / "result"
        self.client = client
        for f in unit["files"]:
            name = self.folder / f["open_name"]
            if client:
                name.write_text("<soft_link>%s</soft_link>\n" % f["path"])
            elif not name.exists():
                name.symlink_to(f["path"])
        if client:
            (self.folder / "result").write_text("<soft_link>%s</soft_link>\n" % self.output)
            (self.folder / "init_data.xml").write_text("""<app_init_data>
<major_version>7</major_version>
<minor_version>20</minor_version>
<release>5</release>
<app_version>100</app_version>
<userid>7</userid>
<teamid>0</teamid>
<hostid>8</hostid>
<app_name>sparkmill</app_name>
<project_dir>%s</project_dir>
<boinc_dir>%s</boinc_dir>
<wu_name>%s</wu_name>
<result_name>%s</result_name>
<shm_key>-1</shm_key>
<slot>0</slot>
<client_pid>%d</client_pid>
<checkpoint_period>%f</checkpoint_period>
<gpu_type>%s</gpu_type>
<gpu_device_num>%d</gpu_device_num>
<gpu_opencl_dev_index>%d</gpu_opencl_dev_index>
<ncpus>1.000000</ncpus>
</app_init_data>
""" % (self.project, self.folder, unit["name"], self.result_name, os.getpid(), checkpoint_period, gpu_type,
                0 if gpu_type else -1, 0 if gpu_type else -1))
            with open(self.folder / "boinc_mmap_file", "wb") as f:
                f.write(bytes(8 * CHANNEL))
            with open(self.folder / "boinc_mmap_file", "r+b") as f:
                self.memory = mmap.mmap(f.fileno(), 8 * CHANNEL)

    def start(self, program, *args):
        # The library itself sends stderr to stderr.txt under a client.
        with open(self.folder / "log.txt", "a") as log:
            self.process = subprocess.Popen([str(program), *map(str, args)], cwd=self.folder, stdout=log, stderr=log)
        return self

    def cpu_seconds(self):
        fields = pathlib.Path("/proc/%d/stat" % self.process.pid).read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def send(self, text):
        """A message into the request channel, when the one before was taken."""
        until("the application reads its messages", lambda: self.memory[REQUEST * CHANNEL] == 0, 30)
        body = text.encode() + b"\0"
        self.memory[REQUEST * CHANNEL + 1:REQUEST * CHANNEL + 1 + len(body)] = body
        self.memory[REQUEST * CHANNEL] = 1

    def fraction(self):
        """The fraction last told; the channel is emptied, as the client does."""
        at = STATUS * CHANNEL
        if self.memory[at] == 0:
            return None
        text = bytes(self.memory[at + 1:at + CHANNEL]).split(b"\0")[0].decode()
        self.memory[at] = 0
        return float(text.split("<fraction_done>")[1].split("<")[0]) if "<fraction_done>" in text else None

    def text(self):
        return "".join((self.folder / f).read_text(errors="replace") for f in ("log.txt", "stderr.txt")
                       if (self.folder / f).exists())

    def ended(self, code, seconds=120):
        try:
            got = self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("did not end within %d s\n%s" % (seconds, self.text()))
        if got != code:
            raise AssertionError("ended with %s, expected %s\n%s" % (got, code, self.text()))

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""sparkmill-boinc as a program: by hand, killed and gone on, and under the shared memory of the real BOINC library
(suspend, resume, quit, abort, a missing GPU); its results before the real validator.

usage: app_test.py FOLDER_OF_PROGRAMS
"""
import errno
import json
import os
import pathlib
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

from slot import Slot, call, make_job, make_project, signature_stream, template_file, until

BIN = pathlib.Path()
ROOT = pathlib.Path(__file__).resolve().parents[3]
HEADER = (ROOT / "tests/fuzz/corpus/header/mainnet_123").read_bytes().hex()


class App(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temp = tempfile.TemporaryDirectory()
        cls.at = pathlib.Path(cls.temp.name)
        cls.app, cls.work = BIN / "sparkmill-boinc", BIN / "sparkmill-boinc-work"
        cls.validate, cls.assimilate = BIN / "sparkmill-boinc-validate", BIN / "sparkmill-boinc-assimilate"
        cls.server = cls.at / "server"
        cls.server.mkdir()
        make_project(cls.work, cls.server)
        n = 16384
        a = template_file(cls.at / "a.pcbt", 4096, n, 1)
        template_file(cls.at / "b.pcbt", 4096, n, 2, [(k * 91 % 4096, a[k * 37 % 4096]) for k in range(20)])
        # Sixteen leaves on one field: much to compute, little to read.
        rule = "or(%s)" % ", ".join("face.dot>=%d" % (n * 5 // 8 + k) for k in range(16))
        faces = ("match", "--requests", "face=%s" % (cls.at / "a.pcbt"), "--users", "face=%s" % (cls.at / "b.pcbt"))
        cls.match = make_job(cls.work, cls.server, *faces, "--predicate", rule, "--tiles", 256)["units"][0]
        # OpenCL on a processor takes fifty seconds for that: one leaf of it.
        cls.one_leaf = make_job(cls.work, cls.server, *faces, "--predicate", "face.dot>=%d" % (n * 5 // 8), "--tiles",
                                256)["units"][0]
        cls.search = make_job(cls.work, cls.server, "search", "--header", HEADER, "--first", 1000, "--count", 300,
                              "--unit-units", 300)["units"][0]
        cls.short = make_job(cls.work, cls.server, "search", "--header", HEADER, "--first", 5000, "--count", 48,
                             "--unit-units", 48, "--hits", 4)["units"][0]

        vectors = json.loads((ROOT / "tests/vectors/tensority.json").read_text())["block_headers"]
        cls.blocks = [v for v in vectors if "pow_valid" in v and "seed" in v]
        (cls.at / "headers").write_text("".join("%s %s\n" % (v["serialized_hex"], v["seed"]) for v in cls.blocks))
        cls.check = make_job(cls.work, cls.server, "check", "--headers", cls.at / "headers", "--unit-units",
                             1000)["units"][0]

        cls.signatures = []
        for name in ("rfc8032_ed25519", "ed25519_speccheck"):
            for c in json.loads((ROOT / ("tests/vectors/%s.json" % name)).read_text())["cases"]:
                texts = [bytes.fromhex(c[part]) for part in ("pk", "sig", "msg")]
                cls.signatures.append((*texts, c["expect"]["go"] if "expect" in c else True))
        cls.stream = cls.at / "signatures"
        cls.stream.write_bytes(signature_stream(1, 1, 32, 64, cls.signatures))
        cls.batch = make_job(cls.work, cls.server, "batch", "--signatures", cls.stream, "--unit-units",
                             1000000)["units"][0]

    @classmethod
    def tearDownClass(cls):
        cls.temp.cleanup()

    def slot(self, name, unit, number=0, **more):
        folder = self.at / name
        return Slot(folder, self.at / "client", unit, number, **more)

    def by_hand(self, name, unit, *args, key="hand.key"):
        slot = self.slot(name, unit, client=False)
        slot.start(self.app, "--key", self.at / key, *args).ended(0)
        return slot

    def upload(self, slot, data=None):
        folder = self.server / "upload" / "2aa"
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / (slot.result_name + "_r5_0")
        file.write_bytes(slot.output.read_bytes() if data is None else data)
        return file

    def kill_in_the_middle(self, name, unit):
        slot = self.slot(name, unit, client=False)
        checkpoint = slot.folder / "sparkmill_checkpoint"
        for _ in range(10):  # where writing the checkpoint takes longer than computing the rest, it is tried again
            begun = slot.text().count("lane(s), key")
            slot.start(self.app, "--key", self.at / "hand.key", "--checkpoint-s", 1)
            # A second passes while it stands still: its checkpoint is due early in the unit, however fast the machine.
            # Not before it computes: the time until then (self-test, tuning) counts for no checkpoint.
            until("the unit computes", lambda: slot.text().count("lane(s), key") > begun)
            time.sleep(0.02)
            slot.process.send_signal(signal.SIGSTOP)
            time.sleep(1)
            slot.process.send_signal(signal.SIGCONT)
            try:
                until("a checkpoint or the end", lambda: checkpoint.exists() or slot.output.exists())
            finally:
                slot.process.kill()
                slot.process.wait()
            if checkpoint.exists() and not slot.output.exists():
                break
            for file in (checkpoint, slot.output):
                file.unlink(missing_ok=True)
        self.assertTrue(checkpoint.exists(), "the unit ended each time before it was killed")
        slot.start(self.app, "--key", self.at / "hand.key").ended(0)
        self.assertIn("goes on after", slot.text())
        return slot

    def test_1_match_by_hand_and_after_a_kill_gives_the_same_bytes(self):
        whole = self.by_hand("m_whole", self.match)
        resumed = self.kill_in_the_middle("m_killed", self.match)
        self.assertEqual(whole.output.read_bytes(), resumed.output.read_bytes())
        # Another row and more lanes: the same bytes.
        other = self.by_hand("m_avx2", self.match, "--plan", "avx2", "--nthreads", 2) if self.has_avx2() else whole
        self.assertEqual(whole.output.read_bytes(), other.output.read_bytes())
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
        if "sanitize" not in str(BIN) and "checked" not in str(BIN) and "tsan" not in str(BIN):
            self.assertLess(peak, self.match["rsc_memory_bound"])
        self.assertLess(whole.output.stat().st_size, self.match["output"]["max_nbytes"])
        call(self.validate, "init", self.upload(whole))

    def test_2_search_by_hand_and_after_a_kill_gives_the_same_bytes(self):
        whole = self.by_hand("s_whole", self.search)
        resumed = self.kill_in_the_middle("s_killed", self.search)
        self.assertEqual(whole.output.read_bytes(), resumed.output.read_bytes())
        call(self.validate, "init", self.upload(whole))

    def test_2_opencl_gives_the_same_bytes_and_obeys(self):
        slot = self.slot("o_cl", self.one_leaf, client=False)
        slot.start(self.app, "--key", self.at / "hand.key", "--plan", "opencl")
        slot.process.wait(timeout=600)
        if slot.process.returncode in (4, 75):
            self.skipTest("no OpenCL device: " + slot.text().strip())
        self.assertEqual(slot.process.returncode, 0, slot.text())
        self.assertIn("match/opencl", slot.text())
        self.assertEqual(slot.output.read_bytes(), self.by_hand("o_cpu", self.one_leaf).output.read_bytes())
        asked = self.slot("c_cl", self.match, number=6)
        asked.start(self.app, "--plan", "opencl")
        until("progress", lambda: (asked.fraction() or 0) > 0)
        asked.send("<quit/>")
        start = time.monotonic()
        asked.ended(0)
        self.assertLess(time.monotonic() - start, self.limit())

    def test_2_old_blocks_by_hand(self):
        slot = self.by_hand("o_whole", self.check)
        call(self.assimilate, "7", self.upload(slot))
        jobs = json.loads(call(self.assimilate, "--project", self.server, "status").stdout)["jobs"]
        answer = next(pathlib.Path(j["answer"]).read_bytes() for j in jobs if j["kind"] == "tensority.check")
        self.assertEqual(answer[4:], bytes(v["pow_valid"] for v in self.blocks))

    def test_2_signatures_by_hand(self):
        slot = self.by_hand("sig_whole", self.batch)
        call(self.assimilate, "7", self.upload(slot))
        jobs = json.loads(call(self.assimilate, "--project", self.server, "status").stdout)["jobs"]
        answer = next(pathlib.Path(j["answer"]).read_bytes() for j in jobs if j["kind"] == "verify.batch")
        verdicts = [answer[4 + k // 8] >> k % 8 & 1 for k in range(struct.unpack("<I", answer[:4])[0])]
        self.assertEqual(verdicts, [int(good) for _, _, _, good in self.signatures])
        self.assertIn(0, verdicts)
        # The same signatures without evidence: two answers must agree.
        alone = call(self.work, "batch", "--project", self.server, "--signatures", self.stream, "--no-evidence",
                     check=None)
        self.assertNotEqual(alone.returncode, 0)
        self.assertIn("--quorum 2", alone.stderr)
        make_job(self.work, self.server, "batch", "--signatures", self.stream, "--no-evidence", "--quorum", 2)

    def answer_of(self, unit):
        jobs = json.loads(call(self.assimilate, "--project", self.server, "status").stdout)["jobs"]
        whole = unit["name"].split("_")[1]
        return next(pathlib.Path(j["answer"]).read_bytes() for j in jobs if whole in j.get("answer", ""))

    def test_2_whole_blocks_by_hand(self):
        cases = json.loads((ROOT / "tests/vectors/bytom_blocks.json").read_text())["cases"]
        cases = [c for c in cases if len(c.get("context") or {}) == 5][:12] + [
            c for c in cases if not c.get("context")][:4]
        body = b""
        for c in cases:
            k, raw = c.get("context"), bytes.fromhex(c["hex"])
            body += b"\1" if not k else b"\2\x1f" + bytes.fromhex(k["parent_id"]) + struct.pack(
                "<QQQ", k["parent_height"], int(k["bits"]), k["median_time"]) + bytes.fromhex(k["seed"]) + struct.pack(
                    "<Q", 2**63 - 1)
            body += struct.pack("<I", len(raw)) + raw
        file = self.at / "blocks"
        file.write_bytes(b"SMBK" + struct.pack("<HHI", 1, 1, len(cases)) + body)
        unit = make_job(self.work, self.server, "blocks", "--blocks", file, "--unit-units", 1000000)["units"][0]
        call(self.assimilate, "7", self.upload(self.by_hand("blk_whole", unit)))
        answer = self.answer_of(unit)
        self.assertEqual([v == 1 for v in answer[4:]], [c["expect"]["verdict"] == "valid" for c in cases])

    def test_2_evidence_of_other_chains_by_hand(self):
        for name, kinds in (("bttc_checkpoint", ("checkpoint", "exit")), ("btn_seal", ("block", "equivocation"))):
            cases = [c for c in json.loads((ROOT / ("tests/vectors/%s.json" % name)).read_text())["cases"]
                     if c["kind"] in kinds]
            lines, file = self.at / (name + ".jsonl"), self.at / (name + ".smbk")
            lines.write_text("".join(json.dumps({k: c[k] for k in ("kind", "in")}) + "\n" for c in cases))
            call(BIN / "sparkmill", "verify-blocks", "--pack", file, lines)
            units = make_job(self.work, self.server, "blocks", "--blocks", file, "--unit-units", 150)["units"]
            self.assertGreater(len(units), 1)
            for unit in units:
                call(self.assimilate, "7", self.upload(self.by_hand("ev_" + unit["name"], unit)))
            answer = self.answer_of(units[0])

            def good(case):
                expect = case["expect"]
                if case["kind"] == "checkpoint":
                    return expect["contract_count"]["ok"]
                return expect["state"] == 3 if case["kind"] == "block" else expect["ok"]
            self.assertEqual([v == 1 for v in answer[4:]], [good(c) for c in cases])

    @staticmethod
    def has_avx2():
        return " avx2 " in pathlib.Path("/proc/cpuinfo").read_text().replace("\n", " ")

    def test_3_client_suspends_resumes_quits_and_comes_back(self):
        slot = self.slot("c_all", self.search, number=1)
        slot.start(self.app)
        until("progress", lambda: (slot.fraction() or 0) > 0)
        slot.send("<suspend/>")
        # Two seconds are allowed; then nothing computes any more. The library's timer is all that is left.
        time.sleep(2)
        cpu = slot.cpu_seconds()
        time.sleep(2)
        self.assertLess(slot.cpu_seconds() - cpu, 0.2)
        slot.fraction()
        slot.send("<resume/>")
        until("computing after resume", lambda: slot.cpu_seconds() - cpu > 0.5)
        slot.send("<quit/>")
        asked = time.monotonic()
        slot.ended(0)
        self.assertLess(time.monotonic() - asked, self.limit())
        self.assertFalse((slot.folder / "boinc_finish_called").exists())
        self.assertTrue((slot.folder / "sparkmill_checkpoint").exists())
        slot.start(self.app).ended(0)
        self.assertIn("goes on after", slot.text())
        self.assertTrue((slot.folder / "boinc_finish_called").exists())
        call(self.validate, "init", self.upload(slot))
        # The key was made at first use, owner-only, with its public half beside it.
        key = self.at / "client" / "sparkmill-app.key"
        self.assertEqual(key.stat().st_mode & 0o777, 0o600)
        self.assertEqual(len((self.at / "client" / "sparkmill-app.pub").read_text().strip()), 64)

    @staticmethod
    def limit():
        """Seconds for quit and abort: the two of the specification where nobody else wants the processor, judged by what the
        machine does in the half second after this program has ended; sanitizers and loaded machines get more."""
        def used():
            fields = [int(x) for x in pathlib.Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
            return sum(fields) - fields[3] - fields[4]  # with what the hypervisor took
        before = used()
        time.sleep(0.5)
        others = (used() - before) / os.sysconf("SC_CLK_TCK") / 0.5
        slow = any(word in str(BIN) for word in ("sanitize", "checked", "tsan"))
        seconds = 10 if slow or others > 0.3 else 2
        print("   %.2f cores are in use: %d s are allowed" % (others, seconds), file=sys.stderr)
        return seconds

    def test_4_client_aborts(self):
        slot = self.slot("c_abort", self.search, number=2)
        slot.start(self.app)
        until("progress", lambda: (slot.fraction() or 0) > 0)
        slot.send("<abort/>")
        asked = time.monotonic()
        slot.ended(194)
        self.assertLess(time.monotonic() - asked, self.limit())

    def test_5_a_missing_gpu_is_waited_for(self):
        slot = self.slot("c_gpu", self.match, number=3, gpu_type="NVIDIA")
        slot.start(self.app, "--plan", "opencl")
        slot.process.wait(timeout=120)
        if slot.process.returncode == 0 and not (slot.folder / "boinc_temporary_exit").exists():
            self.skipTest("this machine has an NVIDIA GPU with OpenCL")
        reason = (slot.folder / "boinc_temporary_exit").read_text()
        self.assertTrue(reason.startswith("300\n"), reason)
        self.assertIn("waiting for NVIDIA device 0", reason)

    def small_disk(self, at, kib):
        """A tmpfs of that size; unmounted at the end. Skips where this user may not mount."""
        at.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%dk" % kib, "tmpfs", str(at)], capture_output=True, text=True)
        if done.returncode != 0:
            self.skipTest("no tmpfs of its own here: " + done.stderr.strip())
        self.addCleanup(subprocess.run, ["umount", "-l", str(at)])

    @staticmethod
    def fill(folder):
        with open(folder / "filler", "wb", buffering=0) as f:
            try:
                while True:
                    f.write(bytes(4096))
            except OSError as e:
                assert e.errno == errno.ENOSPC, e

    def test_6_a_full_disk_costs_time_and_no_result(self):
        # The slot: no checkpoint can be written; the result lies in the project's folder and is whole.
        self.small_disk(self.at / "f_slot", 256)
        slot = self.slot("f_slot", self.short, number=7)
        self.fill(slot.folder)
        slot.start(self.app, "--checkpoint-s", 1).ended(0)
        self.assertTrue((slot.folder / "boinc_finish_called").exists())
        call(self.validate, "init", self.upload(slot))
        # The project's folder: the result cannot be written, and the client is asked to come back.
        client = self.at / "f_client"
        self.small_disk(client, 64)
        slot = Slot(self.at / "f_result", client, self.short, 8)
        slot.start(self.app)
        until("it computes", lambda: "lane(s), key" in slot.text())
        self.fill(client)
        slot.process.wait(timeout=240)
        reason = (slot.folder / "boinc_temporary_exit").read_text()
        self.assertTrue(reason.startswith("600\n"), reason)
        self.assertIn("o space left", reason)
        self.assertFalse((slot.folder / "boinc_finish_called").exists())
        (client / "filler").unlink()
        (slot.folder / "boinc_temporary_exit").unlink()
        slot.start(self.app).ended(0)
        call(self.validate, "init", self.upload(slot))

    def test_6_bad_files_end_with_a_clear_error(self):
        for name, spoil, message in (
                ("b_unit", lambda s: self.replace(s / "unit", b"nonsense"), "unit file"),
                ("b_input", lambda s: self.replace(s / "in0", b"x" * 200), "is not what the unit names"),
                ("b_gone", lambda s: (s / "in1").unlink(), "in1")):
            slot = self.slot(name, self.match, client=False)
            spoil(slot.folder)
            slot.start(self.app, "--key", self.at / "hand.key").ended(13)
            self.assertIn(message, slot.text())

    @staticmethod
    def replace(path, data):
        path.unlink()
        path.write_bytes(data)

    def test_7_a_checkpoint_of_another_result_or_torn_is_not_used(self):
        slot = self.slot("k_other", self.search, number=4, client=False)
        shutil.copy(self.at / "s_killed" / "sparkmill_checkpoint", slot.folder / "sparkmill_checkpoint")
        torn = self.slot("k_torn", self.search, client=False)
        data = (self.at / "s_killed" / "sparkmill_checkpoint").read_bytes()
        (torn.folder / "sparkmill_checkpoint").write_bytes(data[:-9])
        slot.start(self.app, "--key", self.at / "hand.key", "--result-name", slot.result_name)
        torn.start(self.app, "--key", self.at / "hand.key")
        slot.ended(0)
        torn.ended(0)
        for s in (slot, torn):
            self.assertIn("checkpoint is not used", s.text())
        self.assertEqual(torn.output.read_bytes(), (self.at / "s_whole" / "result").read_bytes())


if __name__ == "__main__":
    BIN = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main(verbosity=2)

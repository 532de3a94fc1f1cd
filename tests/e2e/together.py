# SPDX-License-Identifier: Apache-2.0
"""Runs tests that mostly wait beside each other, each with folders and ports of its own: together.py A.py B.py -- ARGUMENTS. What
each said is shown when it ends. Ends with 0 when all are good or skipped, 77 when all were skipped."""
import os
import signal
import subprocess
import sys
import tempfile
import time

signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
cut = sys.argv.index("--")
scripts, arguments = sys.argv[1:cut], sys.argv[cut + 1:]
running = {}
codes = {}
try:
    for script in scripts:
        said = tempfile.TemporaryFile("w+")
        running[script] = (subprocess.Popen([sys.executable, script, *arguments], stdout=said, stderr=said,
                                            stdin=subprocess.DEVNULL), said, time.monotonic())
    while running:
        for script, (child, said, began) in list(running.items()):
            if child.poll() is None:
                continue
            said.seek(0)
            print("==== %s: exit %d after %.0f s\n%s" % (os.path.basename(script), child.returncode, time.monotonic() - began,
                                                         said.read()), flush=True)
            codes[script] = child.returncode
            del running[script]
        time.sleep(0.1)
finally:
    for child, _, _ in running.values():  # they clean up after themselves
        child.terminate()
    for child, _, _ in running.values():
        try:
            child.wait(30)
        except subprocess.TimeoutExpired:
            child.kill()
if any(code not in (0, 77) for code in codes.values()):
    sys.exit(1)
sys.exit(77 if all(code == 77 for code in codes.values()) else 0)

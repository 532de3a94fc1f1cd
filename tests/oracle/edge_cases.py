#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Edge cases of every scheme, made and answered here in plain Python, run through `sparkmill vectors`.

  edge_cases.py run SPARKMILL [FAMILY...] [--scale N] [--seed N] [--backend ROW]
                                                              each file through every row; fails on any difference
  edge_cases.py write FOLDER [FAMILY...] [--scale N] [--seed N]     only the files

The answers come from the specifications, not from the C++ nor from the other oracles of this folder.
"""
import argparse
import importlib
import json
import pathlib
import random
import subprocess
import sys
import tempfile

FAMILIES = ["ed25519", "secp256k1", "musig2", "rsa", "ecvrf", "hashes", "merkle", "bttc", "btn", "bytom", "tensority"]


def write(folder, families, scale, seed):
    paths = []
    for family in families:
        module = importlib.import_module("edges." + family)
        for name, root in module.files(random.Random(f"{seed} {family}"), scale).items():
            path = pathlib.Path(folder) / name
            path.write_text(json.dumps(root))
            paths.append(path)
    return paths


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=["run", "write"])
    parser.add_argument("target")
    parser.add_argument("families", nargs="*", default=FAMILIES)
    parser.add_argument("--scale", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--backend")
    args = parser.parse_args()
    families = args.families or FAMILIES
    if args.verb == "write":
        for path in write(args.target, families, args.scale, args.seed):
            print(path)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        paths = write(folder, families, args.scale, args.seed)
        only = ["--backend", args.backend] if args.backend else []
        ran = subprocess.run([args.target, "vectors", *only, *map(str, paths)], capture_output=True, text=True)
        print(ran.stdout, ran.stderr, sep="")
        if ran.returncode:
            return 1
        for path in paths:
            if not any(line.startswith(path.name) for line in ran.stdout.splitlines()):
                print(f"{path.name}: no row ran it")
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

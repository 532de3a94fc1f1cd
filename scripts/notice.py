#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes NOTICE: what our programs are linked with, by package and licence, read from the binaries and Debian's copyright files.

  scripts/notice.py build/release/bin/sparkmill ... > NOTICE     write it
  scripts/notice.py --check NOTICE build/release/bin/sparkmill   fail when a linked library is not named in NOTICE
"""
import pathlib
import re
import subprocess
import sys

# Compiled in from headers, so no binary names them: package, what it is.
HEADER_ONLY = [
    ("libboost1.74-dev", "Boost.Asio, Boost.Beast, Boost.Multiprecision"),
    ("nlohmann-json3-dev", "JSON for Modern C++"),
    ("opencl-c-headers", "OpenCL headers"),
]
SYSTEM = ("libc6", "libstdc++6", "libgcc-s1")


def run(*command):
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout


def needed(binary):
    return re.findall(r"\(NEEDED\).*\[(.+?)\]", run("readelf", "-d", binary))


def package_of(soname):
    for line in run("ldconfig", "-p").splitlines():
        if line.strip().startswith(soname + " "):
            path = pathlib.Path(line.split("=>")[1].strip())
            for candidate in (path, path.resolve(), pathlib.Path("/usr") / str(path).lstrip("/")):
                owner = run("dpkg-query", "-S", str(candidate)).split(": ")[0]
                if owner:
                    return owner.split(":")[0]
    return ""


def licences(package):
    path = pathlib.Path("/usr/share/doc") / package / "copyright"
    if not path.exists():
        return "see its source"
    names = []
    for name in re.findall(r"^License:[ \t]*(\S.*)$", path.read_text(errors="replace"), re.M):
        if name not in names:
            names.append(name)
    return ", ".join(names[:8]) or "see /usr/share/doc/%s/copyright" % package


def main():
    args = sys.argv[1:]
    check = None
    if args and args[0] == "--check":
        check = pathlib.Path(args[1]).read_text()
        args = args[2:]
    absent = [binary for binary in args if not pathlib.Path(binary).is_file()]
    if absent or not args:
        sys.exit("notice: no such program: " + (", ".join(absent) or "none was named") + "; build first")
    libraries = sorted({name for binary in args for name in needed(binary)})
    rows = []
    for soname in libraries:
        package = package_of(soname)
        if package in SYSTEM:
            continue
        rows.append((soname, package))
    if check is not None:
        lacking = [soname for soname, _ in rows if re.sub(r"\.so.*", "", soname) not in check]
        if lacking:
            sys.exit("NOTICE does not name %s: run scripts/notice.py and commit" % ", ".join(lacking))
        print("NOTICE names all %d linked libraries" % len(rows))
        return
    print("Sparkmill\nCopyright the Sparkmill authors. Licensed under the Apache License 2.0 (see LICENSE).\n")
    print("Linked at run time (package in Debian 12, licences named in its copyright file):\n")
    for soname, package in rows:
        print("  %-36s %-36s %s" % (soname, package, licences(package)))
    print("\nCompiled in from headers:\n")
    for package, what in HEADER_ONLY:
        print("  %-36s %-36s %s" % (what, package, licences(package)))
    print("\nLoaded only where present, never required: OpenCL ICD loader, CUDA driver, libtorch (plug-in).")
    print("\nData: data/faces.json holds descriptors computed from six sample photos of the npm package @vladmandic/face-api 1.7.15 (MIT).")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts test cases from a folder of GoogleTest XML reports and ctest's JUnit file, and prints one closing line.

A ctest entry that wrote a GoogleTest report counts by its cases, every other one (scripts, fuzz targets) counts as one.
"""
import pathlib
import sys
import xml.etree.ElementTree as ET


def main() -> int:
    folder = pathlib.Path(sys.argv[1])
    passed = failed = skipped = 0
    by_report = set()
    for report in sorted(folder.glob("*.xml")):
        by_report.add(report.stem)
        for case in ET.parse(report).getroot().iter("testcase"):
            if case.find("failure") is not None or case.find("error") is not None:
                failed += 1
            elif case.get("status") == "notrun" or case.get("result") in ("skipped", "suppressed"):
                skipped += 1
            else:
                passed += 1
    for case in ET.parse(folder / "ctest.junit").getroot().iter("testcase"):
        status = case.get("status")
        if case.get("name") in by_report:
            # A crash leaves a report without a failed case: the program's own verdict counts too.
            failed += status == "fail"
        elif status == "run":
            passed += 1
        elif status == "fail":
            failed += 1
        else:
            skipped += 1
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())

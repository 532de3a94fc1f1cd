#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The known answers of the family `match` as a vector file for `sparkmill vectors`.

Writes tests/vectors/match.json, or with --check compares it. Inputs are seeds (kernels/match/known.h says how planes
come from them); answers are those of match_oracle.py.
"""
import json
import pathlib
import sys

import match_oracle

TARGET = pathlib.Path(__file__).resolve().parents[1] / "vectors" / "match.json"


def document():
    cases = []
    for case in match_oracle.CASES:
        digests, counts, pairs = match_oracle.solve(case)
        cases.append({
            "name": case["name"], "seed": case["seed"], "requests": case["requests"], "users": case["users"],
            "planted": case["planted"], "fields": [{"n": n, "all_valid": v} for n, v in case["fields"]],
            "predicate": case["code"].hex(), "tiles": list(case["tiles"]),
            "digests": ["%016x" % d for d in digests], "counts": counts, "pairs": [list(p) for p in pairs],
        })
    head = '{\n "format": "sparkmill/match/v1",\n "source": "tests/oracle/match_vectors.py",\n "cases": [\n  '
    return head + ",\n  ".join(json.dumps(c) for c in cases) + "\n ]\n}\n"


def main():
    text = document()
    if sys.argv[1:] == ["--check"]:
        if TARGET.read_text() != text:
            sys.exit("tests/vectors/match.json differs from what the oracle computes")
        return
    if sys.argv[1:]:
        sys.exit("usage: match_vectors.py [--check]")
    TARGET.write_text(text)


if __name__ == "__main__":
    main()

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Sets up, builds and runs every test. Arguments go to ctest (e.g. -L unit, -R conformance).
# SPARKMILL_PRESET selects another preset of CMakePresets.json (default: test).
set -euo pipefail
cd "$(dirname "$0")/.."

preset=${SPARKMILL_PRESET:-test}
build=build/$preset
scripts/setup.sh test
werror=OFF
if [ "${CI:-}" = true ]; then werror=ON; fi  # a newer compiler of a user may know more warnings
cmake --preset "$preset" -DSPARKMILL_WERROR=$werror
cmake --build "$build"

rm -rf "$build/reports"
mkdir -p "$build/reports"
code=0
# Two at a time; end-to-end tests run alone (RUN_SERIAL), since some of them measure.
GTEST_OUTPUT="xml:$PWD/$build/reports/" ctest --test-dir "$build" -j2 --output-on-failure --no-tests=error \
  --output-junit "$PWD/$build/reports/ctest.junit" "$@" || code=$?
python3 scripts/count_tests.py "$build/reports" || code=1
exit "$code"

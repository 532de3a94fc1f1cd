#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Sets up, builds the release, and runs `sparkmill run` with the arguments given. Without arguments: an embedded node, demo
# jobs, every device found. `scripts/run.sh --rounds 2` ends by itself.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh run
if [ ! -f build/release/CMakeCache.txt ]; then
  cmake --preset release -DSPARKMILL_TESTS=OFF
fi
cmake --build build/release --target sparkmill sparkmill-node sparkmill-bench sparkmill_boinc_programs
exec build/release/bin/sparkmill run "$@"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian packages that this repository needs, and nothing else.
#   scripts/setup.sh run     what scripts/run.sh needs (packages-run.txt)
#   scripts/setup.sh test    that, and what scripts/test.sh adds (packages-test.txt)
# Says what it does, and does nothing when all is there.
set -euo pipefail
cd "$(dirname "$0")"

case "${1:-}" in
  run) lists=(packages-run.txt) ;;
  test) lists=(packages-run.txt packages-test.txt) ;;
  *) sed -n '3,6p' "$0" >&2; exit 2 ;;
esac

if ! command -v apt-get >/dev/null; then
  echo "setup: no apt-get here. Install what ${lists[*]} name by your system's own means; going on without." >&2
  exit 0
fi

missing=()
while read -r package; do
  dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done < <(grep -hv '^#' "${lists[@]}" | sort -u)

if [ ${#missing[@]} -eq 0 ]; then
  echo "setup: all packages of ${lists[*]} are installed"
  exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "setup: these packages are missing and neither root nor sudo is at hand:" >&2
    echo "  ${missing[*]}" >&2
    echo "setup: as root run: apt-get install ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi

echo "setup: installing ${#missing[@]} Debian packages: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
echo "setup: done"

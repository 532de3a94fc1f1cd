#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Puts Sparkmill into a BOINC project. docs/boinc-project.md has the whole way.
#   scripts/boinc-project.sh install PROJECT BIN
#       work generator, validator, assimilator and their wrappers into PROJECT/bin, plan_class_spec.xml into PROJECT
#   scripts/boinc-project.sh app-version PROJECT BIN VERSION [CLASS ..]
#       PROJECT/apps/sparkmill/VERSION/x86_64-pc-linux-gnu[__CLASS]/ with program, libraries and version.xml; without a
#       class the plain version and avx2, avx512; `plain` names the one without a class
# PROJECT: the BOINC project's folder. BIN: the folder of the built programs, for example build/release/bin.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
usage() { sed -n '4,9p' "$0" >&2; exit 2; }
[ $# -ge 3 ] || usage
verb=$1 project=$2 bin=$3
shift 3
[ -d "$project" ] || { echo "boinc-project: $project is no folder" >&2; exit 2; }

# A program that cannot start is noticed now and not on a thousand volunteers' machines.
need() { [ -x "$bin/$1" ] || { echo "boinc-project: $bin/$1 is not there; was it built (libboinc-app-dev)?" >&2; exit 2; }; }

install_server() {
  for p in sparkmill-boinc-work sparkmill-boinc-validate sparkmill-boinc-assimilate; do need "$p"; done
  mkdir -p "$project/bin"
  install -m 755 "$bin"/sparkmill-boinc-{work,validate,assimilate} "$here"/boinc/server/files/sparkmill_{init,compare,assimilate} "$project/bin/"
  if [ -f "$project/config.xml" ]; then
    install -m 755 "$here/boinc/server/files/sparkmill-result-ids" "$project/bin/"
  fi
  if [ -f "$project/plan_class_spec.xml" ] && ! cmp -s "$here/boinc/server/files/plan_class_spec.xml" "$project/plan_class_spec.xml"; then
    install -m 644 "$here/boinc/server/files/plan_class_spec.xml" "$project/plan_class_spec.xml.sparkmill"
    echo "boinc-project: plan_class_spec.xml is there already: merge plan_class_spec.xml.sparkmill into it"
  else
    install -m 644 "$here/boinc/server/files/plan_class_spec.xml" "$project/"
  fi
  echo "boinc-project: programs are in $project/bin"
}

# Everything but the C library, which must be the host's own.
libraries() {
  ldd "$bin/sparkmill-boinc" | awk '$2 == "=>" && $3 ~ /^\// { print $1, $3 }' |
    grep -vE '^(libc|libm|libpthread|libdl|librt)\.so\.'
}

api_version() { strings -a "$(ldd "$bin/sparkmill-boinc" | awk '$1 ~ /^libboinc_api/ { print $3 }')" | sed -n 's/^API_VERSION_//p' | head -n 1; }

app_version() {
  version=$1 class=$2
  platform=x86_64-pc-linux-gnu
  folder=$project/apps/sparkmill/$version/$platform${class:+__$class}
  # Names of files never change their content in a project, so they carry version and class, libraries their hash.
  program=sparkmill-boinc_${version}_$platform${class:+__$class}
  mkdir -p "$folder"
  install -m 755 "$bin/sparkmill-boinc" "$folder/$program"
  {
    echo "<version>"
    echo "  <file>"
    echo "    <physical_name>$program</physical_name>"
    echo "    <main_program/>"
    echo "  </file>"
    while read -r name path; do
      physical=${name}_$(sha256sum "$path" | cut -c1-12)
      install -m 644 "$path" "$folder/$physical"
      echo "  <file>"
      echo "    <physical_name>$physical</physical_name>"
      echo "    <logical_name>$name</logical_name>"
      echo "    <copy_file/>"
      echo "  </file>"
    done < <(libraries)
    echo "  <api_version>$(api_version)</api_version>"
    echo "</version>"
  } > "$folder/version.xml"
  echo "boinc-project: $folder"
}

case $verb in
  install) [ $# -eq 0 ] || usage; install_server ;;
  app-version)
    [ $# -ge 1 ] || usage
    need sparkmill-boinc
    version=$1
    shift
    [[ $version =~ ^[0-9]+(\.[0-9]{1,2})?$ ]] || { echo "boinc-project: VERSION is MAJOR.MINOR, minor below 100" >&2; exit 2; }
    [ $# -gt 0 ] || set -- plain avx2 avx512
    for class in "$@"; do [ "$class" = plain ] && class=; app_version "$version" "$class"; done ;;
  *) usage ;;
esac

#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The service `project`: makes the small BOINC project at the first start, tells the node to trust it, hands in a match, serves.
# For tests and demos, as sparkmill-project is.
set -eu
url=${PROJECT_URL:?master URL that clients and workers reach it by}
data=${PROJECT_DATA:-/data}
shared=${SHARED:-/shared}
apps=${PROJECT_APPS:-/opt/sparkmill/apps}
port=${PROJECT_PORT:-8791}

key=$(sparkmill-boinc-work init --project "$data" --url "$url" --hold-s 0 | sed -n 's/^project key: //p')
[ -n "$key" ] || { echo "project.sh: sparkmill-boinc-work names no key" >&2; exit 1; }
# The node reads its list again when it changes; written aside first, so that it never sees half of it.
printf '{"projects": [{"url": "%s", "assimilator_key": "%s", "any_node": true}]}\n' "$url" "$key" > "$shared/projects.json.part"
mv "$shared/projects.json.part" "$shared/projects.json"

if [ ! -e "$data/demo-job" ]; then
  umask 077
  [ -e "$data/demo.secret" ] || head -c 32 /dev/urandom > "$data/demo.secret"
  for side in requests users; do
    sparkmill enrol --in faces --mean faces --epoch boinc-demo --secret-file "$data/demo.secret" \
      --synthetic "${PROJECT_ROWS:-32768}" --seed "$side" --out "$data/$side.pcbt"
  done
  sparkmill-boinc-work match --project "$data" --requests "face=$data/requests.pcbt" --users "face=$data/users.pcbt" \
    --predicate 'face.dot>=660' --tiles "${PROJECT_TILES:-4096}"
  for manifest in "$data"/sparkmill/jobs/*/manifest.json; do
    sparkmill-project add --data "$data" --wait-s 0 "$manifest"
  done
  touch "$data/demo-job"
fi

exec sparkmill-project --data "$data" --url "$url" --listen "${PROJECT_LISTEN:-0.0.0.0}" --allow-remote --port "$port" \
  --app-dir "$apps" --validator sparkmill-boinc-validate --assimilator sparkmill-boinc-assimilate \
  --request-delay-s 5 --next-rpc-delay-s 60

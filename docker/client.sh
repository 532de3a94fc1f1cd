#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The service `client`: the stock BOINC client, attached to the project at the first start. It lives in the network of the
# worker that watches it, and shares its data folder, so that the worker can ask it and bind the application's key.
set -eu
data=${BOINC_DATA:-/boinc}
url=${PROJECT_URL:?master URL of the project}
port=${BOINC_PORT:-31416}
umask 077
[ -e "$data/cc_config.xml" ] || cat > "$data/cc_config.xml" <<'X'
<cc_config><options><report_results_immediately>1</report_results_immediately></options></cc_config>
X
# The worker gives way by its own policy; the client must not wait for it.
[ -e "$data/global_prefs_override.xml" ] || cat > "$data/global_prefs_override.xml" <<'X'
<global_preferences><suspend_cpu_usage>0</suspend_cpu_usage><run_if_user_active>1</run_if_user_active></global_preferences>
X
boinc --dir "$data" --gui_rpc_port "$port" --no_info_fetch ${BOINC_OPTIONS:-} &
client=$!
trap 'kill -TERM "$client" 2>/dev/null' TERM INT
(
  # 13: attached already, or no URL. Everything else is tried again: the project may still be starting.
  code=1
  while [ "$code" -ne 0 ] && [ "$code" -ne 13 ]; do
    sleep 3
    kill -0 "$client" 2>/dev/null || exit 0
    code=0
    sparkmill boinc attach "$url" --email "${ACCOUNT:-demo@example.org}" --password-file "${ACCOUNT_PASSWORD_FILE:?}" \
      --create --boinc.address "127.0.0.1:$port" --boinc.data_dir "$data" || code=$?
  done
) &
code=0
wait "$client" || code=$?
# Interrupted by a signal: the client still writes its state.
wait "$client" 2>/dev/null || true
exit "$code"

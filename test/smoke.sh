#!/usr/bin/env bash
# The built bundles as a person runs them: up, a few events, usage, verify, a clean stop, a restart with nothing lost.
set -euo pipefail
cd "$(dirname "$0")/.."

dir=$(mktemp -d)
export FLAGMETER_DIR="$dir/data" PORT="${PORT:-3900}"
flagmeter() { node dist/cli/main.js "$@"; }
fail() { echo "smoke: $*" >&2; [ ! -f "$dir/log" ] || cat "$dir/log" >&2; exit 1; }
stop_up() { kill -INT "$up" && wait "$up" || fail "up did not stop cleanly"; up=; }
trap '[ -z "${up:-}" ] || kill "$up" 2>/dev/null || true; rm -rf "$dir"' EXIT

start_up() {
  node dist/cli/main.js up >"$dir/log" 2>&1 &
  up=$!
  for _ in $(seq 300); do
    ! grep -q 'FlagMeter is running' "$dir/log" || return 0
    kill -0 "$up" 2>/dev/null || fail "up ended"
    sleep 0.2
  done
  fail "up did not start"
}

start_up
bash -euo pipefail -c "$(grep -m1 'curl ' "$dir/log")" | grep -q '"success":true' || fail "the printed curl line"
flagmeter send acme-corp gpt-4o 500 --id smoke >/dev/null
flagmeter send acme-corp gpt-4o 500 --id smoke >/dev/null
flagmeter load --rps 100 --duration 2s --max-errors 0 --tenants globex-inc >/dev/null
flagmeter usage acme-corp --json | grep -q '"totalTokens": 2000' || fail "usage"
flagmeter verify
if PORT=$PORT FLAGMETER_DIR="$dir/other" flagmeter up 2>"$dir/err"; then fail "a taken port was accepted"; fi
[ "$(wc -l <"$dir/err")" = 1 ] || fail "a taken port takes more than a line: $(cat "$dir/err")"
stop_up

start_up
flagmeter usage acme-corp --json | grep -q '"totalTokens": 2000' || fail "usage after a restart"
flagmeter verify
stop_up
echo 'smoke: passed'

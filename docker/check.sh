#!/usr/bin/env bash
# Builds and runs the stack with a real engine and checks what the documentation promises. Needs docker with compose,
# and root (it kills container processes from outside, like a crash). Takes two minutes; leaves nothing behind.
#
#   bash docker/check.sh
set -euo pipefail
cd "$(dirname "$0")/.."

export COMPOSE_PROJECT_NAME=flagmeter-check API_PORT=${API_PORT:-3955} PROMETHEUS_PORT=${PROMETHEUS_PORT:-3954}
export COMPOSE_PROFILES=
services=(postgres valkey migrate api worker prometheus)
url=http://127.0.0.1:$API_PORT

say() { printf '%-62s %s\n' "$1" "${2:-ok}"; }
fail() { echo "check: $*" >&2; exit 1; }
state() { docker inspect --format "$2" "$(docker compose ps -aq "$1" 2>/dev/null)"; }
compose() { docker compose "$@" 2>>"$log" >>"$log" || { tail -20 "$log" >&2; fail "docker compose $*"; }; }
eventually() { # eventually <seconds> <what> <command…>
  local end=$((SECONDS + $1)) what=$2; shift 2
  until "$@" >/dev/null 2>&1; do ((SECONDS < end)) || fail "not in time: $what"; sleep 0.2; done
}
now() { date +%s%3N; }
milliseconds_since() { echo $(($(now) - $1)); }
send() {
  curl -sf "$url/api/events" -H "authorization: Bearer $key" -H 'content-type: application/json' -d "$1" >/dev/null
}
used() {
  curl -sf "$url/api/usage/$1" -H "authorization: Bearer $key" | sed -E 's/.*"totalTokens":([0-9]+),"eventCount".*/\1/'
}
has_used() { [ "$(used "$1")" = "$2" ]; }
started() {
  [ "$(state "$1" '{{.State.Health.Status}} {{.State.StartedAt}}' | sed "s|$2|before|")" != 'healthy before' ] &&
    [ "$(state "$1" '{{.State.Health.Status}}')" = healthy ]
}

log=$(mktemp)
nothing=$(mktemp)
down() { COMPOSE_PROFILES=observability docker compose down "$@" >>"$log" 2>&1; }
trap 'down -v || echo "check: containers are left: docker compose -p $COMPOSE_PROJECT_NAME down -v" >&2
  rm -f "$log" "$nothing"' EXIT

# --- passwords
if env -u SERVICE_PASSWORD_POSTGRES docker compose --env-file "$nothing" config >"$log" 2>&1; then
  fail 'compose accepts missing passwords'
fi
grep -q 'SERVICE_PASSWORD_.*see .env.example' "$log" || fail "compose does not mention the passwords: $(cat "$log")"
say 'compose refuses to start without passwords'
for name in $(grep -o '^SERVICE_PASSWORD[A-Z0-9_]*' .env.example); do
  export "$name=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')"
done

# --- image
at=$(now)
compose build
say 'build' "$(milliseconds_since "$at") ms"
image=flagmeter:${FLAGMETER_VERSION:-latest}
size=$(($(docker image inspect --format '{{.Size}}' "$image") / 1000000))
((size < 250)) || fail "the image has $size MB"
say 'size of the image' "$size MB"
inside() { docker run --rm --network none --read-only --entrypoint sh "$image" -c "$1"; }
[ "$(inside 'id -un; ls /app /app/dist | xargs; ! which npm npx yarn corepack
  find / -name node_modules -not -path "/proc/*" 2>/dev/null')" = \
  $'node\n/app: LICENSE dist sql /app/dist: THIRD_PARTY_NOTICES.txt chunks cli dashboard handlers package.json' ] ||
  fail 'the image has more than bundles and sql'
say 'the image holds bundles and sql/, no npm, runs as node'

# --- start
at=$(now)
compose up -d --wait "${services[@]}"
say 'up --wait: everything is healthy' "$(milliseconds_since "$at") ms"
[ "$(state migrate '{{.State.Status}} {{.State.ExitCode}}')" = 'exited 0' ] || fail 'migrate'
for service in postgres valkey; do
  [ "$(state "$service" '{{range $p, $b := .NetworkSettings.Ports}}{{$b}}{{end}}')" = '[]' ] ||
    fail "$service is published"
done
say 'postgres and valkey are not published'
for service in api worker; do
  [ "$(state "$service" \
    '{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}} {{.Config.User}}')" = \
    'true [ALL] [no-new-privileges:true] node' ] || fail "$service is not locked down"
  ! docker compose exec -T "$service" sh -c 'touch /app/x' >>"$log" 2>&1 || fail "$service can write to its image"
done
say 'api and worker: read-only, no capabilities, no new privileges'
docker compose exec -T api flagmeter config check >>"$log" 2>&1 || { tail -12 "$log"; fail 'config check'; }
say 'config check: what Valkey accepts is on disk'

# --- an event, from the published port into the usage
key=$(docker compose exec -T api cat /var/lib/flagmeter/admin-key 2>>"$log")
# README's first line, against this stack and with its tokens: the example tenants are there.
line=$(grep -m1 -A1 '^curl .*/api/events' README.md |
  sed "s|localhost:3000|127.0.0.1:$API_PORT|; s/\"tokens\":1500/\"tokens\":5/")
FLAGMETER_KEY=$key bash -c "$line" | grep -q '"success":true' || fail "README's first curl line"
say "README's first curl line works after the first start"
eventually 10 'usage' has_used acme-corp 5
say 'an event through the published port is in the usage'
page=$(curl -fs "$url/") && curl -fs -o /dev/null "$url$(grep -o '/assets/main-[^"]*' <<<"$page")" ||
  fail 'no dashboard'
say 'the image serves the dashboard'
up_targets() {
  [ "$(curl -s "http://127.0.0.1:$PROMETHEUS_PORT/api/v1/query?query=sum(up)" | grep -o '"3"')" = '"3"' ]
}
eventually 60 'targets' up_targets
say 'prometheus scrapes api, worker and itself'

docker compose run --rm -T reader >>"$log" 2>&1 || { tail -5 "$log"; fail 'reader'; }
docker compose exec -T -e PGPASSWORD="$SERVICE_PASSWORD_64_READER" postgres sh -ec '
  reader() { psql -h 127.0.0.1 -U flagmeter_reader -d flagmeter -Atqc "$1"; }
  [ "$(reader "select sum(total_tokens) from usage_periods")" = 5 ] &&
    ! reader "select 1 from api_keys" 2>/dev/null' >>"$log" 2>&1 ||
  fail 'the role of Grafana'
say 'the role of Grafana reads usage and no keys'

# --- one handler per container: how soon it answers
docker network inspect "${COMPOSE_PROJECT_NAME}_default" >/dev/null
for limit in '' '--cpus 0.40'; do
  times=()
  for _ in 1 2 3 4 5; do
    # shellcheck disable=SC2086
    container=$(docker run -d --rm $limit --memory 224m --read-only --network "${COMPOSE_PROJECT_NAME}_default" \
      -p 127.0.0.1::3000 \
      -e "DATABASE_URL=postgres://flagmeter:$SERVICE_PASSWORD_POSTGRES@postgres:5432/flagmeter" \
      -e "VALKEY_URL=redis://:$SERVICE_PASSWORD_64_VALKEY@valkey:6379" "$image" serve event-ingest)
    at=$(date -d "$(docker inspect --format '{{.State.StartedAt}}' "$container")" +%s%3N)
    port=$(docker port "$container" 3000 | head -1 | sed 's/.*://')
    until curl -s -o /dev/null --max-time 1 "http://127.0.0.1:$port/api/events"; do
      ((SECONDS < 600)) || fail 'no answer'
    done
    times+=("$(milliseconds_since "$at")")
    docker kill "$container" >/dev/null
  done
  median=$(printf '%s\n' "${times[@]}" | sort -n | sed -n 3p)
  ((median < 1000)) || fail "a handler needs $median ms to its first answer"
  say "serve event-ingest${limit:+ with $limit}: first answer, median of 5" "$median ms"
done

# --- crashes
for service in api worker; do
  before=$(state "$service" '{{.State.StartedAt}}')
  kill -9 "$(state "$service" '{{.State.Pid}}')"
  eventually 60 "$service is back" started "$service" "$before"
  say "SIGKILL of $service: started again, and healthy" "$(state "$service" 'restarts: {{.RestartCount}}')"
done
send '{"tenant":"acme-corp","feature":"x","tokens":7}'
eventually 20 'usage after the crashes' has_used acme-corp 12
say 'events are counted after the crashes'

# --- limits
code=0
docker compose run --rm -T --no-deps --entrypoint node worker \
  -e 'const kept = []; for (;;) kept.push(Buffer.alloc(1e7, 1))' >>"$log" 2>&1 || code=$?
[ "$code" = 137 ] || fail "the memory limit is not enforced: exit code $code"
say 'the memory limit is enforced' 'exit code 137'

# --- backup and restore
compose up -d --wait backup
services+=(backup)
eventually 60 'a backup' docker compose exec -T backup sh -c 'ls /backups/*.dump'
psql() { docker compose exec -T postgres psql -U flagmeter -Atq "$@"; }
psql -c 'create database restored' >>"$log" 2>&1
docker compose exec -T backup sh -ec '
  DATABASE_URL="${DATABASE_URL%/*}/restored" flagmeter restore "$(ls /backups/*.dump | tail -1)"' >>"$log" 2>&1 &&
  [ "$(psql -d restored -c 'select sum(total_tokens) from usage_periods')" = 12 ] ||
  { tail -5 "$log"; fail 'backup and restore'; }
say 'a scheduled backup, restored into an empty database, passes verify'

# --- SIGTERM, and a stop and start
for part in serve worker; do
  container=$(docker compose ps -q "${part/serve/api}" 2>/dev/null)
  at=$(now)
  docker stop -t 30 "$container" >/dev/null
  ms=$(milliseconds_since "$at")
  [ "$(docker inspect --format '{{.State.ExitCode}}' "$container")" = 0 ] || fail "$part: SIGTERM"
  ((ms < 25000)) || fail "$part takes $ms ms to stop"
  say "SIGTERM of $part: exit code 0" "$ms ms"
done
docker compose exec -T api flagmeter tenant delete initech-llc --yes >>"$log" 2>&1 || fail 'tenant delete'
compose stop
compose up -d --wait "${services[@]}"
! curl -sf "$url/api/tenants/initech-llc" -H "authorization: Bearer $key" >>"$log" || fail 'a deleted example is back'
eventually 20 'usage after a stop and a start' has_used acme-corp 12
docker compose exec -T worker flagmeter verify >>"$log" 2>&1 || fail 'verify'
say 'a stop and a start keep the data, verify passes'
down || fail 'docker compose down'
compose up -d --wait "${services[@]}"
eventually 20 'usage in new containers' has_used acme-corp 12
say 'new containers keep the data'

# --- more of them
API_PORT=$API_PORT-$((API_PORT + 12)) compose up -d --wait --scale api=3 --scale worker=2 "${services[@]}"
[ "$(docker compose ps -q api worker 2>/dev/null | wc -l)" = 5 ] || fail 'scale'
say '--scale api=3 worker=2: all are healthy'
all_up() {
  [ "$(curl -s "http://127.0.0.1:$PROMETHEUS_PORT/api/v1/query" \
    --data-urlencode 'query=sum(up{job=~"api|worker"})' | grep -o '"5"')" = '"5"' ]
}
eventually 60 'all of them in prometheus' all_up
say 'prometheus finds all of them by the name of their service'
echo 'check: passed'

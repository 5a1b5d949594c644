#!/usr/bin/env bash
# Installs what a verb of the Makefile needs; a step that is done is skipped.
#
#   local/install.sh run      Debian packages, .venv, npm packages, the built dashboard
#   local/install.sh test     the same, and a browser and SQL test tools
#   local/install.sh check    a C compiler, .venv and npm packages only
#
# Global changes: Debian packages, nothing else, and no service of theirs is left running.
# Output of the tools goes to .local/logs/install.log.
set -euo pipefail
cd "$(dirname "$0")/.."

purpose=${1:-run}
uv_version=0.13.8
postgres_version=15
# The two folders where Debian puts them; tests point elsewhere to act a machine without them.
postgres_programs=${POSTGRES_PROGRAMS:-/usr/lib/postgresql/$postgres_version/bin}
postgres_extensions=${POSTGRES_EXTENSIONS:-/usr/share/postgresql/$postgres_version/extension}
log=.local/logs/install.log

fail() { # one sentence: what is wrong, and the command that mends it
  printf 'closebell: %s\n' "$1" >&2
  exit 1
}

tick() { # while a step runs: its seconds and last line on a terminal, else a line each 15 s
  local seconds=0
  while sleep 1; do
    seconds=$((seconds + 1))
    if [ -t 1 ]; then
      printf '\r\033[K  %s … %s s  %s' "$1" "$seconds" \
        "$(tail -n 1 "$log" | tr -d '\r\033' | cut -c 1-60)"
    elif [ $((seconds % 15)) = 0 ]; then
      printf '  %s … %s s\n' "$1" "$seconds"
    fi
  done
}

step() { # step TITLE COMMAND...: run it with progress; on failure say why in one sentence
  local title=$1 began=$SECONDS ticker status=0
  shift
  [ -t 1 ] || printf '  %s …\n' "$title"
  printf '\n== %s: %s\n' "$title" "$*" >>"$log"
  local start
  start=$(wc -c <"$log")
  tick "$title" &
  ticker=$!
  trap 'kill "$ticker" 2>/dev/null || true' EXIT
  "$@" >>"$log" 2>&1 </dev/null || status=$?
  kill "$ticker" 2>/dev/null || true
  wait "$ticker" 2>/dev/null || true
  trap - EXIT
  [ ! -t 1 ] || printf '\r\033[K'
  if [ "$status" = 0 ]; then
    printf '✓ %s (%s s)\n' "$title" $((SECONDS - began))
    return
  fi
  local new
  new=$(tail -c +$((start + 1)) "$log")
  printf '%s\n' "$new" | tail -n 8 | sed 's/^/    /' >&2
  if grep -qiE 'could not resolve|temporary failure|failed to fetch|network is unreachable|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|connection refused|dns error|timed out|error sending request|NewConnectionError|No matching distribution' <<<"$new"; then
    fail "$title failed: no network, or a package server does not answer; connect, then: make $purpose"
  fi
  if grep -qi 'no space left' <<<"$new"; then
    fail "$title failed: the disk is full; make room, then: make $purpose"
  fi
  fail "$title failed (exit $status): read $log, then: make $purpose"
}

find_missing_packages() {
  python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
  command -v cc >/dev/null || echo gcc
  [ "$purpose" != check ] || return 0
  [ -x "$postgres_programs/initdb" ] || echo "postgresql-$postgres_version"
  [ -e "$postgres_extensions/pg_cron.control" ] || echo "postgresql-$postgres_version-cron"
  command -v redis-server >/dev/null || echo redis-server
  [ "$purpose" = test ] || return 0
  command -v chromium >/dev/null || echo chromium
  [ -e "$postgres_extensions/pgtap.control" ] || echo "postgresql-$postgres_version-pgtap"
  [ -e "$postgres_extensions/plpgsql_check.control" ] \
    || echo "postgresql-$postgres_version-plpgsql-check"
}

find_root() { # set `root` to the words that make a command run as root
  root=()
  [ "$(id -u)" != 0 ] || return 0
  local wanted="apt-get install -y ${missing[*]}"
  command -v sudo >/dev/null \
    || fail "installing ${missing[*]} needs root and there is no sudo; as root: $wanted"
  root=(sudo)
  if [ -t 0 ]; then
    sudo -v || fail "installing ${missing[*]} needs root and sudo refused; as root: $wanted"
  else
    root=(sudo -n)
    sudo -n true 2>/dev/null \
      || fail "installing ${missing[*]} needs root and sudo wants a password; run: sudo $wanted"
  fi
}

as_root() { ${root[@]+"${root[@]}"} "$@"; }

write_as_root() { as_root tee "$1" >/dev/null; }

apt_install() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
}

without_services() { # run a command while no package may start a service
  local policy=/usr/sbin/policy-rc.d status=0
  if [ -e "$policy" ]; then
    "$@"
    return
  fi
  printf '#!/bin/sh\nexit 101\n' | write_as_root "$policy"
  as_root chmod 755 "$policy"
  "$@" || status=$?
  as_root rm -f "$policy"
  return "$status"
}

install_packages() {
  local had_redis=yes
  command -v redis-server >/dev/null || had_redis=no
  if [[ " ${missing[*]} " == *" postgresql-$postgres_version "* ]]; then
    # Before the server's package: it would make and start a cluster of its own.
    without_services apt_install postgresql-common
    printf '%s\n' '# Written by Closebell: its cluster is private.' 'create_main_cluster = false' \
      | write_as_root /etc/postgresql-common/createcluster.d/closebell.conf
  fi
  without_services apt_install "${missing[@]}"
  if [ "$had_redis" = no ] && [ -d /run/systemd/system ] && command -v redis-server >/dev/null; then
    as_root systemctl disable --now redis-server
  fi
}

sync_python() {
  if ! .venv/bin/python -c '' 2>/dev/null; then
    rm -rf .venv
    python3 -m venv .venv
  fi
  if [ "$(.venv/bin/uv --version 2>/dev/null | cut -d ' ' -f 2)" != "$uv_version" ]; then
    .venv/bin/python -m pip install --disable-pip-version-check "uv==$uv_version"
  fi
  UV_PROJECT_ENVIRONMENT=.venv UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1 \
    .venv/bin/uv sync --frozen --python .venv/bin/python
}

is_done() { [ -e "$1" ] && [ "$(cat "$1")" = "$2" ]; } # is_done STAMP HASH

hash_of() { cat "$@" | sha256sum | cut -c 1-32; }

# Exact versions in package.json instead of a lock file: the one package has a binary a platform.
npm_install() { (cd "$1" && npm install --no-package-lock --no-audit --no-fund --loglevel=error); }

npm_ci() { (cd "$1" && npm ci --no-audit --no-fund --loglevel=error); }

# Without the addresses of a hosted system: here the gateway serves config.json.
build_dashboard() {
  (cd dashboard && env -u SUPABASE_URL -u SUPABASE_PUBLISHABLE_KEY -u FUNCTIONS_URL npm run build)
}

mkdir -p -m 711 .local 2>/dev/null && mkdir -p -m 700 .local/logs 2>/dev/null && [ -w .local/logs ] \
  || fail ".local is not yours to write (made by $(stat -c %U .local)); run as that user, or: sudo rm -rf .local"
touch "$log"
exec 9>.local/install.lock
flock 9

command -v python3 >/dev/null || fail 'python3 is missing; run: sudo apt-get install -y python3'
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
  || fail "Python 3.11 or newer is needed, found $(python3 -V); Debian 12 and later have it"

mapfile -t missing < <(find_missing_packages)
if [ ${#missing[@]} -gt 0 ]; then
  command -v apt-get >/dev/null \
    || fail "this machine has no apt-get; install by its own means what Debian calls ${missing[*]}, then: make $purpose"
  find_root
  step 'package lists' as_root apt-get update
  for package in "${missing[@]}"; do
    apt-cache show "$package" >/dev/null 2>&1 \
      || fail "the package $package is not in this system's sources; Closebell needs Debian 12 (bookworm)"
  done
  step "Debian packages: ${missing[*]}" install_packages
fi

export PATH="$PWD/.venv/bin:$PATH"
# pip and uv read different variables for an own certificate store.
if [ -n "${PIP_CERT:-}" ]; then export SSL_CERT_FILE=${SSL_CERT_FILE:-$PIP_CERT}; fi

python_hash=$(hash_of uv.lock pyproject.toml local/install.sh)
if ! is_done .venv/.closebell "$python_hash" || ! .venv/bin/python -c '' 2>/dev/null; then
  step 'Python packages (.venv)' sync_python
  printf '%s' "$python_hash" >.venv/.closebell
fi

library_hash=$(hash_of shared/rules/compiled.c shared/rules/compile.sh)
# The library says itself what it was made of.
if ! grep -qs "$library_hash" shared/rules/libcompiled.so; then
  step 'rule engine (shared/rules/compiled.c)' shared/rules/compile.sh
fi

for folder in local dashboard; do
  npm_hash=$(hash_of "$folder/package-lock.json" "$folder/package.json")
  if ! is_done "$folder/node_modules/.closebell" "$npm_hash"; then
    step "npm packages ($folder)" npm_ci "$folder"
    printf '%s' "$npm_hash" >"$folder/node_modules/.closebell"
  fi
done

if [ "$purpose" = test ]; then
  cli_hash=$(hash_of deploy/package.json)
  if ! is_done deploy/node_modules/.closebell "$cli_hash"; then
    step 'Supabase CLI (deploy)' npm_install deploy
    printf '%s' "$cli_hash" >deploy/node_modules/.closebell
  fi
fi

if [ "$purpose" != check ]; then
  newer=found
  if [ -e dashboard/dist/index.html ]; then
    newer=$(find dashboard -type d \( -name node_modules -o -name dist -o -name tests \) -prune \
      -o -type f -newer dashboard/dist/index.html -print -quit)
  fi
  [ -z "$newer" ] || step 'dashboard' build_dashboard
fi

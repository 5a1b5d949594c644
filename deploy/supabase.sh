#!/usr/bin/env bash
# Runs the Supabase CLI in a work directory that it accepts, made of links to supabase.toml and
# sql/migrations:   deploy/supabase.sh db push --remote="$DATABASE_URL"
# The CLI is the one on PATH, else that of deploy/package.json (`make test` installs it).
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
folder=$root/.local/supabase
mkdir -p -m 711 "$root/.local"
mkdir -p "$folder/supabase"
ln -sfn "$root/supabase.toml" "$folder/supabase/config.toml"
ln -sfn "$root/sql/migrations" "$folder/supabase/migrations"

cli=$(command -v supabase || true)
[ -n "$cli" ] || cli=$root/deploy/node_modules/.bin/supabase
if [ ! -x "$cli" ]; then
  echo 'deploy/supabase.sh: no Supabase CLI; run: npm install --no-package-lock --prefix deploy' >&2
  exit 1
fi
exec "$cli" --workdir "$folder" "$@"

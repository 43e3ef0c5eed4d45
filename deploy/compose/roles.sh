#!/bin/sh
# Creates what the parts log in as, with the passwords that stand in their connection strings. Safe to repeat.
set -eu

secrets=${SECRETS:-/run/secrets}
sql=${SQL:-/sql}
owner=$(cat "$secrets/owner-url")

# Of postgres://user:password@host; letters, digits, hyphens and underscores only.
password_of() {
  sed -E 's#^[a-z]+://[^:/@]+:([A-Za-z0-9_-]+)@.*$#\1#' "$secrets/$1"
}

with_password() {
  psql "$owner" -q -v ON_ERROR_STOP=1 -v password="$(password_of "$1")" -f - -f "$2" <<'SQL'
SELECT set_config('tc.password', :'password', false) \g /dev/null
SQL
}

with_password capture-url "$sql/role.sql"
with_password reader-url "$sql/reader.sql"
with_password calls-url "$sql/calls.sql"

# No transaction may create a database, so this stands outside of the file.
psql "$owner" -q -v ON_ERROR_STOP=1 <<'SQL'
SELECT 'CREATE DATABASE trajectory_compiler_calls OWNER trajectory_compiler_calls'
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'trajectory_compiler_calls') \gexec
SQL

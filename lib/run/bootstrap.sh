#!/bin/sh
# Starts one of our TypeScript programs with the project's own Node: bootstrap.sh lib/run/demo.ts [arguments].
# Needs only sh and npm; installs the npm packages when they are missing or older than the lock file.
set -eu
cd "$(dirname "$0")/../.."
stamp=node_modules/.driftline-lock
if ! cmp -s package-lock.json "$stamp" 2>/dev/null; then
  echo "driftline: installing npm packages" >&2
  # Not `npm ci`: it refuses a lock file made where the packages of other platforms could not be had.
  npm install --no-save --no-audit --no-fund >&2
  cp package-lock.json "$stamp"
fi
program=$1
shift
# What it starts in turn (tsc, vitest, next) must find this Node too, not the machine's.
PATH=$PWD/node_modules/.bin:$PATH exec node_modules/.bin/node "$program" "$@"

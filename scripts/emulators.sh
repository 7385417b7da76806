#!/usr/bin/env bash
# Installs the servers that tests of stores talk to and pip does not have: `scripts/emulators.sh <directory>`.
set -euo pipefail

into=${1:?directory of the servers}

if ! command -v npm >/dev/null; then
    echo "npm is not there: tests of Azure's store will be skipped (see scripts/system.sh)" >&2
    exit 0
fi
mkdir -p "$into"
cd "$into"
[ -x node_modules/.bin/azurite-blob ] || npm install --silent --no-fund --no-audit --no-save azurite@3 ||
    echo "azurite could not be installed: tests of Azure's store will be skipped" >&2

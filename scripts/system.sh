#!/usr/bin/env bash
# Installs the system packages that building and testing need and that are missing (Debian and Ubuntu); elsewhere it names them.
set -euo pipefail

missing=()
command -v cc >/dev/null || missing+=(gcc libc6-dev)   # links Rust, compiles mimalloc and zstd
command -v make >/dev/null || missing+=(make)
command -v npm >/dev/null || missing+=(npm)             # an emulator of Azure's store, for its tests
if [ -z "${PYTHON:-}" ]; then
    python3 -c 'import venv, ensurepip' >/dev/null 2>&1 || missing+=(python3 python3-venv)
fi

if [ ${#missing[@]} -gt 0 ]; then
    as_root=()
    [ "$(id -u)" -eq 0 ] || as_root=(sudo --non-interactive)
    if command -v apt-get >/dev/null && "${as_root[@]}" true 2>/dev/null; then
        echo "installing ${missing[*]}"
        "${as_root[@]}" apt-get update --quiet
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes --no-install-recommends \
            "${missing[@]}"
    else
        echo "These are missing and cannot be installed from here (no apt-get, or no right to use it): ${missing[*]}" >&2
    fi
fi

# Spark, for the tests beside it. Its Java is called otherwise in every release, and nothing else needs it.
if ! command -v java >/dev/null && command -v apt-get >/dev/null; then
    as_root=()
    [ "$(id -u)" -eq 0 ] || as_root=(sudo --non-interactive)
    { "${as_root[@]}" apt-get update --quiet && "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install --quiet --yes --no-install-recommends default-jre-headless; } ||
        echo "java is not there and cannot be installed: tests of Spark will be skipped" >&2
fi

# rustup's minimal profile leaves these out.
if command -v rustup >/dev/null && ! { cargo fmt --version && cargo clippy --version; } >/dev/null 2>&1; then
    rustup component add rustfmt clippy
fi

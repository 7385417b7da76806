#!/usr/bin/env bash
# Creates the virtual environment of development: `scripts/setup.sh <directory> <dependency group>`.
set -euo pipefail

venv=${1:?directory of the environment}
group=${2:?dependency group of pyproject.toml}

"$(dirname "$0")/system.sh"

# The package runs on 3.10; its tests compare with pandas 3, which wants 3.11.
fits() {
    "$1" -c 'import sys, venv, ensurepip; raise SystemExit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' \
        >/dev/null 2>&1
}

command -v cargo >/dev/null || {
    echo "cargo is not there. Install Rust with rustup: https://rustup.rs" >&2
    exit 1
}

if ! { [ -x "$venv/bin/python" ] && fits "$venv/bin/python"; }; then
    found=
    for candidate in "${PYTHON:-}" python3.13 python3.12 python3.11 python3.14 python3 /usr/bin/python3; do
        if [ -n "$candidate" ] && fits "$candidate"; then
            found=$candidate
            break
        fi
    done
    if [ -z "$found" ]; then
        echo "No Python 3.11 to 3.14 with the venv module was found (looked for \$PYTHON, python3.11 to" \
            "python3.14, python3)." >&2
        echo "Install one (Debian: apt install python3-venv) or name one: make PYTHON=/path/to/python3.12" >&2
        exit 1
    fi
    echo "$("$found" --version) at $("$found" -c 'import sys; print(sys.executable)')"
    "$found" -m venv --clear "$venv"
fi

# Dependency groups need pip 25.1.
"$venv/bin/python" -m pip install --quiet --upgrade 'pip>=25.1'
"$venv/bin/python" -m pip install --quiet --group "$group"

#!/bin/sh
# Build .venv from the hash locks: find a Python, install a pinned uv, install the lock, put the package on the path.
# Usage: requirements/install.sh requirements/dev.lock
# A stamp named by the locks' hash makes it a no-op until a lock changes. Needs the package index only when it is not.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
lock=${1:-"$root/requirements/dev.lock"}
venv="$root/.venv"

suitable() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    for name in ${PYTHON:-} python3.12 python3.13 python3.11 python3 python python3.14; do
        if command -v "$name" >/dev/null 2>&1 && suitable "$name"; then
            "$name" -c 'import sys; print(sys.executable)'
            return 0
        fi
    done
    echo "No Python >= 3.11 with the venv module was found." >&2
    echo "  → install one (Debian, Ubuntu: apt install python3 python3-venv), or say PYTHON=/path/to/python make …" >&2
    return 1
}

say() { printf '  %-12s %s\n' "$1" "$2" >&2; }

if [ ! -x "$venv/bin/python" ] || ! "$venv/bin/python" -c '' >/dev/null 2>&1; then
    python=$(find_python)
    say python "$("$python" --version 2>&1) at $python"
    rm -rf "$venv"
    "$python" -m venv "$venv"
fi

stamp=$("$venv/bin/python" - "$lock" "$root" "$0" <<'PYTHON'
import hashlib, pathlib, sys
lock, root, script = map(pathlib.Path, sys.argv[1:])
parts = [lock.read_bytes(), (root / "requirements/bootstrap.txt").read_bytes(), script.read_bytes(), str(root).encode()]
print(f"{lock.name}-{hashlib.sha256(b''.join(parts)).hexdigest()[:16]}")
PYTHON
)
if [ -f "$venv/.tieout-$stamp" ]; then exit 0; fi

started=$(date +%s)
say installer "uv, pinned with hashes"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes \
    -r "$root/requirements/bootstrap.txt"
say packages "$(grep -c '==' "$lock") from $(basename "$lock"), hashes required"
# Compiled now: where PYTHONDONTWRITEBYTECODE is set, as in many containers, every process would compile Airflow, dbt and
# Great Expectations anew, which takes twice as long as importing them.
"$venv/bin/uv" pip install --quiet --compile-bytecode --python "$venv/bin/python" --require-hashes -r "$lock"

# The package itself: a path file and a launcher. No build, no network; a change in plugins/ is in force at once.
site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
printf '%s\n%s\n' "$root/plugins" "$root" > "$site/tieout.pth"
cat > "$venv/bin/tieout" <<LAUNCHER
#!$venv/bin/python
import sys

from tieout.cli import main

sys.exit(main())
LAUNCHER
chmod +x "$venv/bin/tieout"

rm -f "$venv"/.tieout-*
: > "$venv/.tieout-$stamp"
say environment "ready in $(($(date +%s) - started)) s: $venv"

#!/usr/bin/env bash
# Compiles the four lock files anew from pyproject.toml, build_assets.py and package.json.
# Versions that are locked already stay, unless UPGRADE=1. Usage: .ci/compile_locks.sh PYTHON
set -euo pipefail
cd "$(dirname "$0")/.."
python=$1
uv_version=0.13.9

workplace=$(mktemp -d)
trap 'rm -rf "$workplace"' EXIT
echo "[1/3] uv $uv_version in an environment of its own"
"$python" -m venv "$workplace/venv"
"$workplace/venv/bin/pip" install --quiet --disable-pip-version-check "uv==$uv_version"

compile() { # OUTPUT INPUT...; hashes, all platforms, and no word about which registry answered
  local output=$1
  shift
  echo "      $output"
  "$workplace/venv/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
    --no-header --no-annotate --no-emit-index-url ${UPGRADE:+--upgrade} --output-file "$output" "$@"
}

echo "[2/3] Python packages"
compile requirements.lock pyproject.toml
compile requirements-dev.lock --extra dev --constraint requirements.lock pyproject.toml
"$python" -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' \
  >"$workplace/build.in"
compile requirements-build.lock --constraint requirements-dev.lock "$workplace/build.in"
"$python" -c 'import build_assets; print(build_assets.NODE_REQUIREMENT)' >"$workplace/node.in"
compile requirements-node.lock "$workplace/node.in"

echo "[3/3] npm packages"
npm install --package-lock-only --ignore-scripts --loglevel=error

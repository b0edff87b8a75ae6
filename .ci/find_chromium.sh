#!/usr/bin/env bash
# Prints the path of a Chromium for the browser tests, installing one if that is possible; says on stderr what it does.
# Prints nothing where none can be had: the browser tests are then skipped, except in CI, where that is an error.
# Usage: .ci/find_chromium.sh PYTHON
set -euo pipefail
python=$1
names=(chromium chromium-browser google-chrome google-chrome-stable)

find_installed() {
  local name
  for name in "${CHROMIUM:-}" "${names[@]}"; do
    if [ -n "$name" ] && command -v "$name"; then return 0; fi
  done
  return 1
}

find_playwrights() {
  "$python" - <<'PYTHON'
import os
from playwright.sync_api import sync_playwright

with sync_playwright() as playwright:
    path = playwright.chromium.executable_path
if not os.access(path, os.X_OK):
    raise SystemExit(1)
print(path)
PYTHON
}

if find_installed || find_playwrights 2>/dev/null; then exit 0; fi

echo "No Chromium found; installing one for the browser tests" >&2
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  if { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; } >&2 \
    && find_installed; then exit 0; fi
fi
if timeout 600 "$python" -m playwright install chromium >&2 && find_playwrights; then exit 0; fi

echo "No Chromium could be installed: neither from the distribution's packages nor from Playwright." >&2
if [ "${CI:-}" = true ]; then exit 1; fi
echo "Browser tests are skipped. To run them, install Chromium or name it: make test CHROMIUM=/path/to/chromium" >&2

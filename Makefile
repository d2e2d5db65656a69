# Everything Tael needs is fetched by `make setup` and checked against the hashes in infra/requirements.

PYTHON ?= python3
BIN := .venv/bin
LOCKS := infra/requirements
READY := .venv/.ready

# Where it is set, every process compiles all that it imports anew: a system of eight takes twice as long to start.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo up test bench check lint format types imports audit lock clean

help: ## list the targets
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

setup: $(READY) ## make .venv with every dependency, hash-checked

# Sync rather than install: what a lock no longer lists must not linger in the environment.
$(READY): pyproject.toml $(LOCKS)/bootstrap.txt $(LOCKS)/development.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "Tael needs Python 3.11 or newer; name one with: make setup PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(LOCKS)/bootstrap.txt
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes $(LOCKS)/bootstrap.txt $(LOCKS)/development.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

demo: $(READY) ## play a shop's orders through the API and account for every penny
	@rm -rf build/settlements
	$(BIN)/tael demo --csv build/settlements

up: $(READY) ## serve the API on this machine until Ctrl-C
	$(BIN)/tael up --state .tael

test: $(READY) ## run the whole test suite
	$(BIN)/pytest $(ARGS)

bench: $(READY) ## measure settlement at volume: 20,000 payments over 50 merchants, and on one
	$(BIN)/python -m tests.benchmarks.settlement $(ARGS)

# Every check runs even after one has failed, and any failure fails the target.
check: $(READY) ## run every other check: lint, format, types, imports, audit
	@$(MAKE) --no-print-directory --keep-going lint format types imports audit

lint: $(READY)
	$(BIN)/ruff check

format: $(READY)
	$(BIN)/ruff format --check

types: $(READY)
	$(BIN)/mypy

imports: $(READY)
	$(BIN)/lint-imports --no-logo

# pip-audit calls an unreachable service "no known vulnerabilities" unless it is strict, and a
# strict failure for that reason is no finding: it is reported as what it is, neither pass nor fail.
audit: $(READY)
	@log=$$($(BIN)/pip-audit --strict --disable-pip --require-hashes --progress-spinner off \
	    $(addprefix -r $(LOCKS)/,bootstrap.txt runtime.txt development.txt) 2>&1) \
	    && { echo "$$log"; exit 0; }; \
	echo "$$log"; \
	if echo "$$log" | grep -qE 'could not be audited|may be blocking this service'; then \
	    echo "*** NOT AUDITED: the vulnerability service could not be reached; nothing is known of the dependencies ***"; \
	else exit 1; fi

# The images install theirs with --no-deps: chalice also asks for the tooling of its own
# deployment command, which no function imports and which would be most of the image.
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
    --generate-hashes --no-header --no-annotate

lock: $(READY) ## pin the dependencies again (ARGS=--upgrade for the newest)
	echo uv | $(COMPILE) $(ARGS) --output-file $(LOCKS)/bootstrap.txt -
	$(COMPILE) $(ARGS) --output-file $(LOCKS)/development.txt --extra local --group dev pyproject.toml
	printf '%s\n' inquirer pip pyyaml setuptools wheel | $(COMPILE) --excludes - \
	    --constraint $(LOCKS)/development.txt --output-file $(LOCKS)/runtime.txt pyproject.toml

clean: ## remove everything that make and the tools made, but never the state in .tael
	rm -rf .venv build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Everything Tael needs is fetched by `make setup` and checked against the hashes in infra/requirements.

PYTHON ?= python3
BIN := .venv/bin
LOCKS := infra/requirements
READY := .venv/.ready

# Where it is set, every process compiles all that it imports anew: a system of eight takes twice as long to start.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo up test simulate mutations bench peers check lint format types imports kubernetes containerfile template cfn checkov bandit audit images containers lock clean

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

bench: $(READY) ## measure settlement at volume and webhooks with bad endpoints, and simulate scale on AWS
	$(BIN)/python -m tests.benchmarks.settlement
	$(BIN)/python -m tests.benchmarks.webhooks
	$(BIN)/python -m tests.benchmarks.scale

SEEDS := 300
FIRST := 1

simulate: $(READY) ## live through SEEDS=300 seeds from FIRST=1 on, with a fault at any call, and check that all holds
	$(BIN)/python -m tests.simulation --seeds $(SEEDS) --first $(FIRST)

mutations: $(READY) ## plant bugs in memory, one after the other: the simulation must find each of them
	$(BIN)/python -m tests.simulation.mutations $(ARGS)

# PostgreSQL's client, Django and django-hordak are peers and no parts: they have an environment of their own.
.venv-benchmarks/.ready: $(LOCKS)/development.txt $(LOCKS)/benchmarks.txt | $(READY)
	$(PYTHON) -m venv .venv-benchmarks
	$(BIN)/uv pip sync --quiet --python .venv-benchmarks/bin/python --require-hashes $(LOCKS)/bootstrap.txt \
	    $(LOCKS)/development.txt $(LOCKS)/benchmarks.txt
	$(BIN)/uv pip install --quiet --python .venv-benchmarks/bin/python --no-deps --no-build-isolation -e .
	@touch $@

# All are measured even after one has missed its bar, and any that has fails the target.
peers: .venv-benchmarks/.ready ## measure costs, handlers and imports beside a peer's and boto3's, and PostgreSQL
	@missed=0; for benchmark in costs handlers imports; do \
	    $(BIN)/python -m tests.benchmarks.$$benchmark || missed=1; \
	done; .venv-benchmarks/bin/python -m tests.benchmarks.postgres && exit $$missed

# Every check runs even after one has failed, and any failure fails the target.
check: $(READY) ## run every other check: lint, format, types, imports, kubernetes, containerfile, cfn, checkov, bandit, audit
	@$(MAKE) --no-print-directory --keep-going lint format types imports kubernetes containerfile cfn checkov bandit audit

lint: $(READY)
	$(BIN)/ruff check

format: $(READY)
	$(BIN)/ruff format --check

types: $(READY)
	$(BIN)/mypy

imports: $(READY)
	$(BIN)/lint-imports --no-logo

# The oldest release that knows all that we use, and the newest. There is no schema of KEDA's kinds: tests/infra holds
# them to their shape; of any other kind that would be a fault.
KUBERNETES := 1.30 1.37

kubernetes: $(READY) ## render the Kubernetes overlays into build/kubernetes, and validate them
	@command -v kubectl > /dev/null || { \
	    echo "*** NOT CHECKED: kubectl, which renders infra/kubernetes, is not installed ***" >&2; exit 1; }
	@mkdir -p build/kubernetes
	@for overlay in local production; do \
	    manifests=build/kubernetes/$$overlay.yaml; \
	    kubectl kustomize infra/kubernetes/overlays/$$overlay > $$manifests || exit 1; \
	    for release in $(KUBERNETES); do \
	        said=$$($(BIN)/kubernetes-validate --strict --quiet -k $$release $$manifests) \
	            || { echo "$$said"; exit 1; }; \
	        ! echo "$$said" | grep -v 'api version keda.sh/' | grep . || exit 1; \
	        all=$$(grep -c '^kind:' $$manifests); others=$$(echo "$$said" | grep -c 'api version keda.sh/'); \
	        echo "$$manifests: $$((all - others)) are valid for Kubernetes $$release; $$others are KEDA's"; \
	    done; \
	done

containerfile: $(READY)
	$(BIN)/hadolint infra/Dockerfile

template: build/openapi.json ## render build/template.yaml, the CloudFormation of the whole system
	$(BIN)/python -m infra.template build

# Both read the template as JSON, which holds the same and takes them half as long.
cfn: template
	$(BIN)/cfn-lint build/template.json

# checkov asks for an old boto3, so it has an environment of its own, made when it is first needed.
.venv-checkov/.ready: $(LOCKS)/checkov.txt | $(READY)
	$(PYTHON) -m venv .venv-checkov
	$(BIN)/uv pip sync --quiet --python .venv-checkov/bin/python --require-hashes $(LOCKS)/checkov.txt
	@touch $@

checkov: template .venv-checkov/.ready
	.venv-checkov/bin/checkov --config-file infra/checkov.yaml --file build/template.json

bandit: $(READY)
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive functions infra layers local

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

# The merged document of the whole API, which every image carries.
build/openapi.json: $(READY) $(shell find functions layers -name '*.py')
	@mkdir -p build
	$(BIN)/python -m runtime.pages $@ $$($(BIN)/python -m infra.images | sed 's/.*/functions.&.app/')

# make images FUNCTIONS="payments cards" ARGS="--platform linux/amd64"
images: build/openapi.json ## build an image of each capability with docker, podman or buildah
	$(BIN)/python -m infra.images_build $(FUNCTIONS) $(ARGS)

containers: build/openapi.json ## build every image on a stand-in base, and run each as Lambda and Kubernetes do
	$(BIN)/python -m tests.containers

# The images install theirs with --no-deps: chalice also asks for the tooling of its own
# deployment command, which no function imports and which would be most of the image.
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
    --generate-hashes --no-header --no-annotate
IMAGES := --excludes $(LOCKS)/excluded.txt --constraint $(LOCKS)/development.txt

lock: $(READY) ## pin the dependencies again (ARGS=--upgrade for the newest)
	echo uv | $(COMPILE) $(ARGS) --output-file $(LOCKS)/bootstrap.txt -
	$(COMPILE) $(ARGS) --output-file $(LOCKS)/development.txt --extra local --group dev pyproject.toml
	$(COMPILE) $(IMAGES) --output-file $(LOCKS)/runtime.txt pyproject.toml
	$(COMPILE) --constraint $(LOCKS)/development.txt --output-file $(LOCKS)/containers.txt --group containers
	$(COMPILE) --constraint $(LOCKS)/development.txt --output-file $(LOCKS)/benchmarks.txt --group benchmarks
	echo checkov | $(COMPILE) $(ARGS) --output-file $(LOCKS)/checkov.txt -
	@set -e; for capability in $$($(BIN)/python -m infra.images); do \
	    echo "$(LOCKS)/$$capability.txt"; \
	    $(BIN)/python -m infra.images $$capability \
	        | $(COMPILE) $(IMAGES) --output-file $(LOCKS)/$$capability.txt -; \
	done

clean: ## remove everything that make and the tools made, but never the state in .tael
	rm -rf .venv .venv-benchmarks .venv-checkov build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

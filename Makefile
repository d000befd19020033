# One command a task; `make` lists them. Needs python3 (3.11 or newer, with venv); a JRE and Maven for the tests on Kafka.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(firstword $(foreach name,python3 python3.13 python3.12 python3.11,$(shell \
	$(name) -c '$(NEW_ENOUGH)' 2>/dev/null && echo $(name))) python3)
BIN := .venv/bin
JARS := .cache/kafka-libs
ARGS ?=
SEED ?= 0

.PHONY: help setup kafka-jars oip-server demo fmt check test sim bench faults faults-random ci clean

help: ## list the tasks
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@echo '  ARGS="..." goes on to pytest, the demo or the benchmarks: make test ARGS="tests/core -x"'
	@echo '  BENCH="latency" runs one benchmark: make bench BENCH="latency" ARGS="--rates 1000"'

setup: .venv/.done ## make .venv with everything for development

.venv/.done: pyproject.toml
	@$(PYTHON) -c '$(NEW_ENOUGH)' 2>/dev/null || { \
		echo "streamproc needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) -V 2>/dev/null || echo missing). Another: make setup PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "'$(PYTHON)' comes without venv or pip: install them (Debian, Ubuntu: apt-get install python3-venv)" >&2; exit 1; }
	@echo "setup: installing into .venv"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

kafka-jars: $(if $(KAFKA_LIBS),,$(JARS)/.done) ## fetch Apache Kafka for the tests (Maven), unless KAFKA_LIBS is set

$(JARS)/.done: tests/support/kafka/pom.xml
	@command -v mvn >/dev/null || { echo "Kafka's jars are fetched by Maven, and there is no mvn: install it, or set KAFKA_LIBS" >&2; exit 1; }
	@echo "kafka-jars: fetching into $(JARS)"
	@rm -rf $(JARS) $(JARS).part
	@mvn -q -B -f $< dependency:copy-dependencies -DoutputDirectory='$(CURDIR)/$(JARS).part'
	@mv $(JARS).part $(JARS)
	@touch $@

oip-server: .cache/oip-server/.done ## install MLServer, for the test of remote models on it

.cache/oip-server/.done:
	@echo "oip-server: installing into .cache/oip-server"
	@$(PYTHON) -m venv .cache/oip-server
	@.cache/oip-server/bin/python -m pip install --quiet --disable-pip-version-check 'mlserver>=1.7' 'onnxruntime>=1.20'
	@touch $@

demo: setup ## the main job on recorded traffic, with a broker inside
	@$(BIN)/streamproc demo $(ARGS)

fmt: setup ## format, and mend what can be mended
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

check: setup ## lint, format, types, and the rooms' import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

# Without Java or Maven the tests on Kafka are skipped, each with its reason; with CI=true they fail.
test: setup check ## check, then all tests
	@if command -v java >/dev/null && command -v mvn >/dev/null; then \
		$(MAKE) kafka-jars || { [ "$${CI:-}" != true ] && echo "going on without Kafka" >&2; }; fi
	@$(BIN)/python -m pytest $(ARGS)

sim: setup ## goodput on a virtual clock, one seed: make sim SEED=7
	@$(BIN)/python -m tests.benchmarks.goodput --quick --first-seed $(SEED) $(ARGS)

BENCHMARKS := throughput latency arrow tracing recording replaying malformed overload goodput scheduling_cost
BENCH ?= $(BENCHMARKS)

# All are run, whatever becomes of one; ARGS must then suit all: BENCH="latency" chooses.
bench: setup kafka-jars ## throughput, latency and CPU time beside hand-written loops, on a real broker
	@failed=""; for name in $(BENCH); do \
		echo "== $$name"; $(BIN)/python -m tests.benchmarks.$$name $(ARGS) || failed="$$failed $$name"; done; \
	test -z "$$failed" || { echo "failed:$$failed" >&2; exit 1; }

FAULTS ?=
SEEDS ?= 20

# SEED=0 draws one. ARGS=--list shows the scenarios; ARGS=--write puts what was found into docs/reliability.md.
faults: setup kafka-jars ## faults on three brokers, all or some: make faults SEED=7 FAULTS="zombie broker_kill"
	@$(BIN)/python -m tests.faults --seed $(SEED) $(ARGS) $(FAULTS)

faults-random: setup kafka-jars ## a minute of random faults for each of several seeds: make faults-random SEEDS=20
	@$(BIN)/python -m tests.faults --seed $(SEED) --seeds $(SEEDS) $(ARGS) random_minute

ci: ## what CI runs
	@.ci/run

clean: ## remove what these tasks made; bench-results stay
	rm -rf .venv .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist build
	find streamproc tests replay -name __pycache__ -type d -prune -exec rm -rf {} +

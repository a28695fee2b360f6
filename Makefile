# Every target works on a fresh clone by itself: it makes .venv first.
PYTHON ?= $(firstword $(foreach name,python3 python3.14 python3.13 python3.12 python3.11,$(shell command -v $(name))))
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
PLUGINS := $(sort $(wildcard plugins/*/pyproject.toml))
PLUGIN_PACKAGES := $(notdir $(wildcard plugins/*/kconnect_*))

.DEFAULT_GOAL := help
.PHONY: help setup run test lint bench chaos constraints

help:
	@echo 'make setup        .venv with everything in it, editable'
	@echo 'make run          the demo pipeline in the foreground, until Ctrl-C; REST at 127.0.0.1:8083'
	@echo 'make test         the tests; those whose services are not here are left out and listed'
	@echo 'make lint         ruff, mypy --strict, who may import whom'
	@echo 'make bench        against Apache Kafka; CASE=name picks one, FULL=1 is the long form'
	@echo 'make chaos        failure histories, three rounds of each; SEED=n replays one, ROUNDS=n is longer'
	@echo 'make constraints  pin the newest versions of everything in constraints.txt'

setup: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt $(PLUGINS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'Python 3.11 or newer is needed: make setup PYTHON=/path/to/python3.11'; exit 1; }
	@test -x $(BIN)/python || { echo 'Setting up $(VENV), once: half a minute or so …'; $(PYTHON) -m venv $(VENV); }
	@echo 'Installing what pyproject.toml and constraints.txt name …'
	@# With the build backend at hand first, one command resolves and installs everything in seconds.
	$(BIN)/python -m pip install --quiet -c constraints.txt hatchling editables
	$(BIN)/python -m pip install --quiet --no-build-isolation -c constraints.txt \
	  -e '.[worker,testing,dev]' $(foreach plugin,$(PLUGINS),-e $(dir $(plugin)))
	@touch $@

run: setup
	@tools/demo.sh

test: setup
	$(BIN)/lint-imports --no-cache --no-logo
	$(BIN)/python -m pytest $(ARGS)

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	MYPYPATH=tests:tests/chaos/plugins $(BIN)/mypy -p services -p benchmarks -p tools -p chaos -p chaos_plugins -p golden \
	  -p e2e $(addprefix -p ,$(PLUGIN_PACKAGES))
	$(BIN)/lint-imports --no-cache --no-logo

bench: setup
	PYTHONPATH=tests $(BIN)/python -m benchmarks $(CASE) $(if $(FULL),--full)

chaos: setup
	KCONNECT_CHAOS_SEED=$(SEED) KCONNECT_CHAOS_ROUNDS=$(or $(ROUNDS),3) $(BIN)/python -m pytest tests/chaos -m chaos $(ARGS)

constraints:
	tools/pin_constraints.sh

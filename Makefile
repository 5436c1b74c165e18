# `make demo` and `make test` do their own set-up in .venv; both are quick to repeat.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_SECONDS ?= 120

.DEFAULT_GOAL := help
.PHONY: help venv setup demo test check bench
help:
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 22

venv: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: apt-get install python3 python3-venv"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "python3-venv is missing: apt-get install python3-venv"; exit 1; }
	@echo "Installing packages into $(VENV) (about a minute) ..."
	@$(BIN)/pip install -qq --disable-pip-version-check -e '.[dev]' || { echo "The packages could not be installed: is the package registry reachable, and is there 2 GB of disk? Then run make again."; exit 1; }
	@touch $@

setup: venv ## packages, models and sample footage; quick when repeated
	@$(BIN)/gatewatch samples pull
	@$(BIN)/gatewatch models build

demo: setup ## two sample cameras over RTSP, through worker, stream and dispatcher (DEMO_SECONDS=120)
	@$(BIN)/gatewatch demo --seconds $(DEMO_SECONDS)

test: setup ## every test, against real servers
	@$(BIN)/pytest -n 3 --dist worksteal

check: venv ## ruff, mypy --strict, import-linter, the tests
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(MAKE) --no-print-directory test

bench: setup ## what is claimed about speed, measured on this machine
	@$(BIN)/gatewatch bench detector
	@$(BIN)/gatewatch bench bus
	@$(BIN)/gatewatch bench cameras --find-limit
	@$(BIN)/python benchmarks/recording_history.py

# `make demo` and `make test` do their own set-up in .venv; both are quick to repeat.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_SECONDS ?= 120
TRUTH ?= $(or $(GATEWATCH_DATA),../shared/data)
# What Gatewatch is measured against; an environment of its own, never needed at a gate.
PEERS := torch==2.14.1 torchvision==0.29.1 'ultralytics-opencv-headless>=8.4.190' lapx supervision trackers openvino

.DEFAULT_GOAL := help
.PHONY: help venv setup demo test check bench bench-peers
help:
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 22

venv: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml setup.py $(wildcard vision/native/*.pyx vision/native/*.pxd)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: apt-get install python3 python3-venv"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "python3-venv is missing: apt-get install python3-venv"; exit 1; }
	@echo "Installing packages into $(VENV) (about a minute) ..."
	@$(BIN)/pip install -qq --disable-pip-version-check -e '.[dev]' || { echo "The packages could not be installed: is the package registry reachable, and is there 2 GB of disk? Then run make again."; exit 1; }
	@$(BIN)/python -c 'from vision import native; import sys; sys.exit(not all(native.modules().values()))' || echo "Without a C compiler everything works and costs more processor time: apt-get install gcc python3-dev, touch setup.py, then run make again."
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

bench-peers: setup ## the same video through other pipelines (6.5 GB in .venv-peers; TRUTH=folder with the truth)
	@test -x .venv-peers/bin/python || $(PYTHON) -m venv .venv-peers
	@test -f .venv-peers/.installed || { .venv-peers/bin/pip install -qq --disable-pip-version-check $(PEERS) && touch .venv-peers/.installed; } || { echo "The peers could not be installed: is the package registry reachable, and is there 8 GB of disk?"; exit 1; }
	@$(BIN)/python benchmarks/versus.py --peers .venv-peers/bin/python --data $(TRUTH)

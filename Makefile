# The one entrance: every target first makes sure that $(VENV) holds the tested versions.
# Needs GNU make and Python 3.11 or newer; after the first install nothing needs a network.

VENV        ?= .venv
PYTHON      ?= $(shell command -v python3.11 || command -v python3)
CONSTRAINTS ?= constraints.txt
PROFILE     ?= quick
ARGS        ?=

BIN     := $(VENV)/bin
PIP     := $(BIN)/python -m pip --disable-pip-version-check
STAMP   := $(VENV)/.installed
TORCH   := $(shell grep '^torch==' $(CONSTRAINTS) || echo torch)
REFRESH := build/refresh

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install reproduce test quick lint format explore still notebooks tables benchmark book exercises lock clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(STAMP)  ## create .venv with the tested versions of everything

# PyTorch goes first, by itself, so that its exact version decides which build is fetched.
$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "No python3 found: install Python 3.11 or newer." >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "xbdcnn needs Python 3.11 or newer, but $(PYTHON) is older: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV)
	$(PIP) install --quiet -c $(CONSTRAINTS) $(TORCH)
	$(PIP) install --quiet -c $(CONSTRAINTS) -e '.[reproduce,jpeg,test,dev,book]'
	@touch $@

reproduce: $(STAMP)  ## every table and figure: PROFILE=smoke|quick|cpu|paper, ARGS='--only 06'
	$(BIN)/xbdcnn reproduce --profile $(PROFILE) $(ARGS)

test: $(STAMP)  ## all tests; fails below 90 % coverage of xbdcnn/
	$(BIN)/python -m pytest --cov --cov-report=term:skip-covered --cov-fail-under=90 $(ARGS)

lint: $(STAMP)  ## ruff: rules and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(STAMP)  ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

explore: $(STAMP)  ## open the noise explorer in the browser: ARGS='--theme=dark'
	$(BIN)/python -m xbdcnn.explorer $(ARGS)

still: $(STAMP)  ## the explorer without a kernel: a page in build/, the pictures of it in figures/
	$(BIN)/python tools/static_explorer.py --page build/explorer-static --gif figures/explorer.gif
	XBDCNN_SCREENSHOTS=figures/explorer $(BIN)/python -m pytest -q --no-cov -k "opens or lens or dark" \
	  tests/explorer/test_browser.py

notebooks: $(STAMP)  ## run all notebooks anew and refresh notebooks/*.ipynb, figures/, README
	$(BIN)/xbdcnn reproduce --data builtin --output $(REFRESH) $(ARGS)
	$(BIN)/python tools/publish.py notebooks $(REFRESH)
	$(BIN)/python tools/readme.py --write

tables: $(STAMP)  ## measure Tables I and II on the ChestX-ray8 sample (hours, resumes); refresh figures/, README
	$(BIN)/xbdcnn evaluate --output runs/tables --resume $(ARGS)
	$(BIN)/python tools/publish.py tables runs/tables
	$(BIN)/python tools/readme.py --write

benchmark: $(STAMP)  ## measure the speed of the package on this machine: ARGS=--quick
	$(BIN)/python -m benchmarks --output build/benchmark $(ARGS)

book: $(STAMP)  ## the notebooks, API and glossary as a website in build/book; any warning fails
	$(BIN)/python tools/book.py

exercises: $(STAMP)  ## notebook 10 without its solutions, for a class, in build/exercises
	$(BIN)/python tools/exercises.py

# Without constraints: this target makes them. It adds what is missing and upgrades nothing else.
lock:  ## write constraints.txt and the environment files from what .venv holds
	test -x $(BIN)/python || $(MAKE) install
	$(PIP) install --quiet -e '.[reproduce,jpeg,test,dev,explore,book]'
	$(PIP) list --format=freeze --exclude pip --exclude-editable > .tmp-lock
	sed 's/+.*//' .tmp-lock > constraints.txt && rm .tmp-lock
	$(BIN)/python tools/environment.py --write
	@touch $(STAMP)

clean:  ## remove what was made, but keep .venv
	rm -rf build dist htmlcov .coverage .pytest_cache .ruff_cache reproduction
	find xbdcnn tests tools notebooks -name __pycache__ -prune -exec rm -rf {} +

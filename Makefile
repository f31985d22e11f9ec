# Every target first installs the tested versions of all packages into $(VENV), if needed.
# Needs GNU make and Python 3.11 or newer; after the first installation nothing needs a network.

VENV        ?= .venv
PYTHON      ?= $(shell command -v python3.11 || command -v python3)
CONSTRAINTS ?= constraints.txt
PROFILE     ?= quick
WORKERS     ?= 2
ARGS        ?=
EXTRAS      := reproduce,jpeg,onnx,test,dev,book

BIN     := $(VENV)/bin
PIP     := $(BIN)/python -m pip --disable-pip-version-check
STAMP   := $(VENV)/.installed
TORCH   := $(shell grep '^torch==' $(CONSTRAINTS) || echo torch)
REFRESH := build/refresh
# A process runs whole files, since the tests of a file share what takes long to make. It computes
# with one thread, since threads that wait for a busy core waste its time.
PARALLEL := -n $(WORKERS) --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install reproduce test quick lint types format explore demo static-page live-page \
  notebooks tables benchmark book exercises architecture lock clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(STAMP)  ## create .venv with the tested version of every dependency

# PyTorch is installed first and alone, so that its exact version selects the build.
$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "No python3 found: install Python 3.11 or newer." >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "xbdcnn needs Python 3.11 or newer, but $(PYTHON) is older: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV)
	$(PIP) install --quiet -c $(CONSTRAINTS) $(TORCH)
	$(PIP) install --quiet -c $(CONSTRAINTS) -e '.[$(EXTRAS)]'
	@touch $@

reproduce: $(STAMP)  ## make every table and figure: PROFILE=smoke|quick|cpu|paper, ARGS='--only 06'
	$(BIN)/xbdcnn reproduce --profile $(PROFILE) $(ARGS)

test: $(STAMP)  ## run all tests but the long ones, in 2 processes; fails below 90 % coverage
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(PARALLEL) --cov --cov-report=term:skip-covered \
	  --cov-fail-under=90 $(ARGS)

quick: $(STAMP)  ## run the quick tests only, without coverage; under 2 minutes
	$(BIN)/python -m pytest -q -m 'not slow and not long' $(ARGS)

lint: $(STAMP)  ## check rules and formatting with ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)  ## check types with mypy, strictly in the core modules
	$(BIN)/mypy

format: $(STAMP)  ## fix and format the code with ruff
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

explore: $(STAMP)  ## open the noise explorer in the browser: ARGS='--theme=dark'
	$(BIN)/python -m xbdcnn.explorer $(ARGS)

demo: $(STAMP)  ## open a page without a kernel in the browser: the network runs in the page
	$(BIN)/python tools/demo.py $(ARGS)

static-page: $(STAMP)  ## write the explorer as a page without a kernel; update its pictures in figures/
	$(BIN)/python tools/static_explorer.py --page build/explorer-static \
	  --first xbdcnn/explorer/share/voila/templates/explorer/static/first.jpg
	XBDCNN_SCREENSHOTS=figures/explorer $(BIN)/python -m pytest -q --no-cov \
	  -k "(opens or lens or dark or compared or phone or numbered) and not each_control" \
	  tests/explorer/browser tests/explorer/test_control_table.py tests/tools/test_live_controls.py

live-page: $(STAMP)  ## write a page with the network tiny in the browser; npm fetches ONNX Runtime once
	$(BIN)/python tools/live_page.py build/live-page

notebooks: $(STAMP)  ## run all notebooks again and update notebooks/*.ipynb, figures/ and README
	$(BIN)/xbdcnn reproduce --data builtin --output $(REFRESH) $(ARGS)
	$(BIN)/python tools/publish.py notebooks $(REFRESH)
	$(BIN)/python tools/readme.py --write

tables: $(STAMP)  ## measure Tables I and II on the ChestX-ray8 sample (takes hours, can be resumed)
	$(BIN)/xbdcnn evaluate --profile cpu --output runs/tables --resume $(ARGS)
	$(BIN)/python tools/publish.py tables runs/tables
	$(BIN)/python tools/readme.py --write

benchmark: $(STAMP)  ## measure the speed of the package on this machine: ARGS=--quick
	$(BIN)/python -m benchmarks --output build/benchmark $(ARGS)

book: $(STAMP)  ## build notebooks, API and glossary as a website in build/book; a warning is an error
	$(BIN)/python tools/book.py $(ARGS)

exercises: $(STAMP)  ## write notebook 10 without its solutions into build/exercises
	$(BIN)/python tools/exercises.py

architecture: $(STAMP)  ## draw docs/architecture.svg from the imports
	$(BIN)/python tools/architecture.py --write

# Installs without constraints, since it writes them; adds missing packages, upgrades none.
lock:  ## write constraints.txt and the environment files from the packages in .venv
	test -x $(BIN)/python || $(MAKE) install
	$(PIP) install --quiet -e '.[all,$(EXTRAS)]'
	$(PIP) list --format=freeze --exclude pip --exclude-editable > .tmp-lock
	sed 's/+.*//' .tmp-lock > constraints.txt && rm .tmp-lock
	$(BIN)/python tools/environment.py --write
	@touch $(STAMP)

clean:  ## remove everything generated except .venv
	rm -rf build dist htmlcov .coverage .mypy_cache .pytest_cache .ruff_cache reproduction
	find xbdcnn benchmarks tests tools notebooks -name __pycache__ -prune -exec rm -rf {} +

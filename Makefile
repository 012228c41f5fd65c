# From a fresh clone: `make demo` trains, measures and samples; `make test` checks everything. Needs Python >= 3.11.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := setup
.PHONY: setup demo test bench bench-commands lint

setup: $(STAMP)

# Two variables, because pip's -c does not reach the build environment: older pips read the first there, newer ones
# the second. The path is relative: pip splits these variables at spaces.
$(STAMP): pyproject.toml constraints.txt src/peephole/_version.py $(wildcard csrc/*.* csrc/cells/* csrc/decode/* csrc/embed/*)
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("peephole needs Python 3.11 or newer, and $(PYTHON) is %d.%d: try make PYTHON=python3.11" % sys.version_info[:2])'
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	@echo 'installing into $(VENV): about 1.5 GB with a CPU build of torch'
	PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --quiet -e '.[test,figures]'
	@touch $@

demo: setup
	rm -rf runs/demo
	$(BIN)/peephole train --dropout 0 --precision auto --minutes 2.25 --out runs/demo
	$(BIN)/peephole eval runs/demo
	$(BIN)/peephole sample runs/demo --length 600 --temperature 0.7

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports

test: lint
	$(BIN)/python -m pytest -n auto --dist worksteal

# The layers, then word vectors; `peephole bench --help` says how to measure fewer, longer, or growth.
bench: setup
	$(BIN)/peephole bench
	$(BIN)/peephole bench vectors --memory

# Start-up and the training loop; `benchmarks/run.py --list` names the longer ones.
bench-commands: setup
	$(BIN)/python benchmarks/run.py

# The commands that people use. Needs only make, Python 3.11 or newer with venv, and a package index that pip can reach.
#
#   make run    the dashboard over the shipped catalogue, on http://localhost:8501
#   make lab    the same with local lab servers, probed, for trying it out with no network
#   make test   every test that this machine can run
#   make lint   linters and types
#   make check  linters, types and the quick tests, in one to two minutes
#   make bench  the benchmarks behind docs/benchmarks.md
#   make docs   regenerate docs/schema/, the metric reference and docs/coverage.md
#   make wheel  build the wheel into dist/
#
# A different interpreter: make run PYTHON=python3.12. A different port: make run PORT=8600.

PYTHON ?= python3
PORT ?= 8501
# Arguments for pytest, such as `make test TESTS=tests/hostile`.
TESTS ?=
# Real servers, faults and the browser spend their time waiting, so four workers pay even on two cores.
WORKERS ?= 4
# The quick tests wait even more: for deadlines, mostly.
CHECK_WORKERS ?= 3

VENV := .venv
BIN := $(VENV)/bin
# The pins hold for build requirements too; pip before 25.3 reads the first name there, later ones the second.
PIP := PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip

.DEFAULT_GOAL := help
.PHONY: help run lab test lint check bench docs wheel clean

help:
	@sed -n 's/^#   //p' Makefile

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Mailrubric needs Python 3.11 or newer; say which with PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
		|| { rm -rf $(VENV); echo "Python's venv module is incomplete (on Debian: apt install python3-venv)"; exit 1; }

# Stamps: what is installed is looked at again only when the requirements change.
$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing Mailrubric into $(VENV) …"
	@$(PIP) install --quiet --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing Mailrubric and its development tools into $(VENV) …"
	@$(PIP) install --quiet --editable '.[dev]'
	@touch $@ $(VENV)/.installed

run: $(VENV)/.installed
	@$(BIN)/mailrubric serve --port $(PORT)

lab: $(VENV)/.installed
	@$(BIN)/mailrubric lab --probe --serve --port $(PORT)

# What a test needs and this machine lacks is named in the summary's list of skipped tests; with CI=true it fails.
# The files go to the workers in their order, so that the browser's tests, which take longest, come first.
# Where PostgreSQL is installed, a throw-away cluster runs for as long as the tests do.
test: $(VENV)/.installed-dev
	@$(BIN)/python -m tests.postgresql $(BIN)/python -m pytest --numprocesses $(WORKERS) --no-loadscope-reorder $(TESTS)

lint: $(VENV)/.installed-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

check: lint
	@$(BIN)/python -m pytest --quiet --numprocesses $(CHECK_WORKERS) \
		-m 'not real and not browser and not postgresql and not slow' $(TESTS)

bench: $(VENV)/.installed-dev
	@$(BIN)/python -m bench --write

docs: $(VENV)/.installed-dev
	@$(BIN)/python -m mailrubric.catalogue.schema
	@$(BIN)/mailrubric metrics --markdown > docs/metrics.md.new && mv docs/metrics.md.new docs/metrics.md \
		|| { rm -f docs/metrics.md.new; exit 1; }
	@$(BIN)/python -m mailrubric.coverage

wheel: $(VENV)/.installed-dev
	@rm -rf dist
	@PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt $(BIN)/python -m build --wheel

clean:
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

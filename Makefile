# One verb per habit. `make help` lists them; each works on a bare machine with rustup's cargo, Python and make.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Rust artefacts live outside the checkout, one directory for everything: check, test, maturin.
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/rlm-hypervisor
export CARGO_TARGET_DIR ?= $(CACHE)/target
export RLM_DATA_DIR ?= $(CACHE)/data

VENV ?= .venv
export PYTHON ?=
BIN := $(VENV)/bin
PY := $(BIN)/python
export VIRTUAL_ENV := $(abspath $(VENV))
export PATH := $(abspath $(BIN)):$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# What maturin builds the extension with. Checks use the same set, so that PyO3 is compiled once for each.
FEATURES := abi3,extension-module
# The same draws of the property tests every time, so that a build does not fail by chance. RLM_EXPLORE=1 draws others.
ifeq ($(RLM_EXPLORE),)
export PROPTEST_RNG_SEED ?= 20261126
endif
PYTHON_FILES := python tests examples scripts benchmarks
EXISTING = $(wildcard $(PYTHON_FILES))

say = @printf '\n\033[1m== %s\033[0m\n' "$(1)"

.NOTPARALLEL:
.PHONY: help setup build demo test lint fmt bench docs wheel clean
.PHONY: check-rust check-python test-rust test-python test-datafusion

help:  ## List the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(VENV)/.ready  ## Create .venv with everything that building and testing needs

$(VENV)/.ready: pyproject.toml scripts/setup.sh scripts/system.sh scripts/emulators.sh
	$(call say,set up $(VENV))
	@scripts/setup.sh $(VENV) dev
	@$(PY) -m pip install --quiet --group spark || \
	 echo "pyspark could not be installed: tests of Spark will be skipped" >&2
	@scripts/emulators.sh $(VENV)/emulators
	@touch $@

build: setup  ## Build the extension into .venv (quick to build, not to run)
	$(call say,build the extension (development profile))
	@maturin develop

demo: setup  ## Build optimised and run the seed job on 20 million rows, beside pandas and pyarrow
	$(call say,build the extension (release profile; the first time takes a quarter of an hour))
	@maturin develop --release
	$(call say,the seed job)
	@$(PY) scripts/demo.py

test: setup lint test-rust build test-python test-datafusion  ## Every check and every test
	@printf '\nAll checks and tests passed.\n'

lint: setup check-rust check-python  ## Formatting, clippy, ruff, mypy, pyright, licences

check-rust:
	$(call say,rustfmt)
	@cargo fmt --all --check
	$(call say,clippy: the core without Python)
	@cargo clippy --locked --all-targets -- -D warnings
	$(call say,clippy: with the Python binding)
	@cargo clippy --locked --all-targets --features $(FEATURES) -- -D warnings
	$(call say,licences and advisories)
	@if command -v cargo-deny >/dev/null; then cargo deny --locked check; \
	 else echo "cargo-deny is not installed: the licence guard in the tests stands in for it"; fi

check-python:
	$(call say,ruff)
	@ruff check $(EXISTING)
	@ruff format --check $(EXISTING)
	$(call say,mypy)
	@mypy python/rlm_hypervisor examples
	$(call say,pyright)
	@pyright --project pyproject.toml

test-rust:
	$(call say,tests of the core without Python)
	@cargo test --locked

test-python:
	$(call say,the stub against the extension)
	@MYPYPATH=python $(PY) -m mypy.stubtest rlm_hypervisor._core
	$(call say,tests)
	@$(PY) -m pytest --ignore tests/oracle
	$(call say,the oracle: every method against pandas)
	@$(PY) -m pytest -q -n 2 tests/oracle
	$(call say,doctests of the package)
	@$(PY) -m pytest --doctest-modules python/rlm_hypervisor

# What groups, once more by each operator that takes over when memory runs out.
GROUPS := groupby or duplicates or value_counts or many_groups or memory or pipelines or exact or joins or merge
test-datafusion:
	$(call say,groups that spill)
	@RLM_GROUPING=spilling $(PY) -m pytest -q -n 2 tests/oracle -k "$(GROUPS)"
	$(call say,joins of sorted tables)
	@RLM_GROUPING=merging $(PY) -m pytest -q -n 2 tests/oracle -k "$(GROUPS)"
	$(call say,groups by DataFusion's operator)
	@RLM_GROUPING=datafusion $(PY) -m pytest -q -n 2 tests/oracle -k "$(GROUPS)"

fmt: setup  ## Format Rust and Python, apply ruff's safe fixes
	@cargo fmt --all
	@ruff check --fix $(EXISTING)
	@ruff format $(EXISTING)

bench: setup  ## The table of medians beside every peer
	$(call say,build the extension (release profile))
	@maturin develop --release
	@$(PY) -m pip install --quiet --group bench
	@$(PY) benchmarks/seed_job.py $(ARGS)

docs: build  ## Write the generated pages of docs/ and the API reference to site/
	@$(PY) -m pip install --quiet --group docs
	@$(PY) scripts/docs.py
	@$(PY) scripts/reference.py site
	@echo "site/index.html"

wheel: setup  ## Build the wheel and the sdist into dist/ (thin LTO)
	@maturin build --profile dist --out dist
	@maturin sdist --out dist
	@ls -l dist

clean:  ## Remove what was built here; the Cargo target directory and the data stay in the cache
	@rm -rf $(VENV) dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find python tests examples scripts benchmarks -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true
	@rm -f python/rlm_hypervisor/_core*.so
	@echo "Rust artefacts and data stay in $(CACHE)"

# Tradewind. `make help` lists what there is.
#
# Needs Python 3.11 or newer, Rust and make. Everything else goes into .venv, with the versions of
# requirements/constraints.txt. What has been done is remembered in .venv/stamps, so that it is done once.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3.14 python3; do \
	if $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$name; break; fi; done)

VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
RUST_SOURCES := Cargo.toml Cargo.lock pyproject.toml $(shell find crates -name '*.rs' -o -name Cargo.toml)
NEXTEST := $(shell command -v cargo-nextest 2>/dev/null)

export VIRTUAL_ENV := $(abspath $(VENV))
export PYO3_PYTHON := $(abspath $(BIN)/python)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
unexport PYTHONPATH

.PHONY: help demo test check bench soak test-rust test-python test-clients check-rust check-python clean

help: ## List what there is.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | awk -F'|' '{ printf "%-20s %s\n", $$1, $$2 }'

demo: $(STAMPS)/release ## A backtest over a synthetic market, and its replay. Sets up everything.
	@$(BIN)/tradewind demo

test: test-rust test-python ## All tests but the long ones: Rust, Python, examples in docstrings.

check: check-rust check-python ## Formatting, lints, types, stubs, links and examples of the documentation.

bench: ## The benchmarks beside their peers; writes build/bench.json.
	@$(PYTHON) benchmarks/run.py

soak: $(STAMPS)/dev $(STAMPS)/test ## The long suites: many more seeded runs. Takes an hour or so.
	PROPTEST_CASES=$${PROPTEST_CASES:-5000} $(MAKE) --no-print-directory test-rust
	TRADEWIND_HYPOTHESIS=soak $(BIN)/python -m pytest -n 3 --dist loadfile -m 'slow or not slow' -o faulthandler_timeout=3600 --durations=10
	(cd tests && ../$(BIN)/python -m reliability --combinations 20 --kills 200 --hours 1)

test-rust: $(STAMPS)/venv ## The tests of the Rust crates.
	@$(call needs,cargo,Rust)
	if [ -n "$(NEXTEST)" ]; then cargo nextest run --workspace --status-level fail --final-status-level fail
	else cargo test --workspace --quiet --lib --tests; fi
	cargo test --workspace --quiet --doc

test-python: $(STAMPS)/dev $(STAMPS)/test ## The tests from Python, in a build that checks its invariants.
	$(BIN)/python -m pytest -n 3 --dist loadfile --max-worker-restart 1 --durations=5

test-clients: $(STAMPS)/dev ## Exchange clients that we did not write, trading on the sandbox: a table.
	$(BIN)/python tests/clients

check-rust: $(STAMPS)/venv ## Formatting and lints of the Rust crates.
	@$(call needs,cargo,Rust)
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --quiet -- -D warnings

check-python: $(STAMPS)/dev $(STAMPS)/test $(STAMPS)/check ## Formatting, lints and types of Python; the documentation.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	MYPYPATH=python $(BIN)/python -m mypy.stubtest tradewind._core
	$(BIN)/python tools/check_links.py
	$(BIN)/python tools/error_table.py --check
	$(BIN)/python tools/system_tables.py --check
	$(BIN)/python tools/object_tables.py --check
	$(BIN)/python tools/run_examples.py

clean: ## Remove everything that was built.
	rm -rf $(VENV) build target

# The environment, and what is installed in it.

$(STAMPS)/venv:
	@[ -n "$(PYTHON)" ] || { echo 'error: no Python 3.11 or newer was found'; echo 'hint: install one, or say where it is: make PYTHON=/path/to/python3'; exit 1; } >&2
	$(PYTHON) -m venv $(VENV)
	mkdir -p $(STAMPS)
	touch $@

$(STAMPS)/runtime: requirements/runtime.txt requirements/build.txt requirements/constraints.txt $(STAMPS)/venv
	$(BIN)/pip install --quiet -r requirements/runtime.txt -r requirements/build.txt
	touch $@

$(STAMPS)/test $(STAMPS)/check: $(STAMPS)/%: requirements/%.txt requirements/constraints.txt $(STAMPS)/venv
	$(BIN)/pip install --quiet -r $<
	touch $@

# One extension is installed at a time: the quick one to build, or the quick one to run.

$(STAMPS)/dev: $(RUST_SOURCES) $(STAMPS)/runtime
	@$(call needs,cargo,Rust)
	PIP_QUIET=1 $(BIN)/maturin develop --quiet
	rm -f $(STAMPS)/release
	touch $@

$(STAMPS)/release: $(RUST_SOURCES) $(STAMPS)/runtime
	@$(call needs,cargo,Rust)
	echo 'Building the extension. The first time takes some minutes.'
	PIP_QUIET=1 $(BIN)/maturin develop --release --quiet
	rm -f $(STAMPS)/dev
	touch $@

needs = command -v $(1) >/dev/null || { echo 'error: $(1) was not found'; echo 'hint: install $(2)'; exit 1; } >&2

# The commands of this repository. `make demo` and `make test` set everything up by themselves.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# Boots are short, and two at a time are what a small machine bears.
PYTEST := $(BIN)/python -m pytest

.PHONY: demo test test-all bench lint setup system clean

demo: setup
	$(BIN)/python scripts/demo.py

test: setup
	$(PYTEST) -m "not slow" -n 2 --dist loadgroup

test-all: setup
	$(PYTEST) -n 2 --dist loadgroup

bench: setup
	$(BIN)/python -m bench

lint: setup
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

setup: system $(VENV)/.ready

system:
	@sh scripts/setup-system $(PYTHON)

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) build dist

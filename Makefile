# The commands of this repository. `make demo` and `make test` set everything up by themselves.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# Boots are short, and two at a time are what a small machine bears.
PYTEST := $(BIN)/python -m pytest
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo test test-all test-rest test-guest test-formats test-linuxkit test-library fuzz bench lint pictures site setup system update-dependencies clean

demo: setup
	$(BIN)/python scripts/demo.py

test: setup
	$(PYTEST) -m "not slow" -n 2 --dist loadgroup

# All tests, the slow ones too, in parts that each end within an hour on two processors.
test-all: test-rest test-guest test-formats test-linuxkit test-library

FORMATS  := $(wildcard tests/boot/test_*formats*.py tests/boot/test_boot_*.py tests/boot/test_*image*.py \
	tests/boot/test_packages_*.py tests/boot/test_architectures.py)
LINUXKIT := $(wildcard tests/boot/test_linuxkit*.py tests/boot/test_storage_tools.py)
LIBRARY  := $(wildcard tests/boot/test_components.py tests/boot/test_assemblies*.py tests/tools/test_component_builds.py \
	tests/tools/test_library.py)
GUEST    := $(filter-out $(FORMATS) $(LINUXKIT) $(LIBRARY),$(wildcard tests/boot/test_*.py))
ALONE    := $(FORMATS) $(LINUXKIT) $(LIBRARY) $(GUEST)

test-formats test-linuxkit test-library test-guest: setup
	$(PYTEST) -n 2 --dist loadgroup $($(shell echo $(@:test-%=%) | tr a-z A-Z))

# What boots nothing, or is part of `make test` anyway.
test-rest: setup
	$(PYTEST) -n 2 --dist loadgroup $(ALONE:%=--ignore=%)

# Ten minutes, and about a million inputs that no run before has had. `make test` has ten thousand that are always the same.
fuzz: setup
	$(BIN)/python tests/fuzz/run.py --inputs 1000000 --seconds 600

bench: setup
	$(BIN)/python -m bench

lint: setup
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

# The pictures of the README, of which two show a system that is built and booted for that.
pictures: setup
	$(BIN)/python scripts/pictures.py

# NO_MKDOCS_2_WARNING: Material's advertisement of its successor is no warning of ours.
site: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

setup: system $(VENV)/.ready

system:
	@sh scripts/setup-system $(PYTHON)

$(VENV)/.ready: pyproject.toml requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --require-hashes --requirement requirements.txt
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

# The newest versions of all dependencies that pyproject.toml allows, for every platform, and the page that lists them.
update-dependencies: setup
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --extra dev --upgrade --generate-hashes --no-header \
		--output-file requirements.txt pyproject.toml
	$(MAKE) setup
	$(BIN)/python scripts/dependencies.py

clean:
	rm -rf $(VENV) build dist

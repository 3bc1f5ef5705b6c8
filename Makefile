# `make demo` and `make test` need Python 3.11+ and nothing else: they create .venv and install from the lock.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet
LOCK   := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
          --no-emit-find-links --no-annotate --no-header pyproject.toml

.PHONY: help demo test browser pictures check bench wheel lock clean

help:            ## list the targets
	@grep -E '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

demo: $(VENV)/.runtime  ## grade the packaged transcripts offline, without a key
	$(BIN)/judge demo

test: $(VENV)/.dev  ## run the test suite
	$(BIN)/python -m pytest -n 2 --dist loadfile

browser:         ## have the Chromium that the tests of the audit page drive (Debian, as root)
	@command -v chromium >/dev/null && command -v chromedriver >/dev/null || { test "$$(id -u)" = 0 && apt-get update -qq && \
	  apt-get install -y -qq --no-install-recommends chromium chromium-driver >/dev/null; } || \
	  echo "no Chromium, and it cannot be installed here: tests that drive it are skipped"

pictures: $(VENV)/.dev  ## take pictures of every page in light and dark, wide, narrow and enlarged, into pictures/ (needs a browser)
	JUDGE_PICTURES=pictures $(BIN)/python -m pytest tests/audit/test_looks.py

check: $(VENV)/.dev  ## lint, types, layers, data files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

wheel: $(VENV)/.dev  ## build the wheel and try it in an empty environment outside the checkout
	PYTHON=$(BIN)/python .ci/wheel

bench: $(VENV)/.dev  ## print the benchmark ratios
	$(BIN)/python -m benchmarks

lock:            ## resolve the dependencies again (needs uv and a package index)
	$(LOCK) --group build -o requirements/runtime.lock
	$(LOCK) --group dev --extra cluster --extra parquet --extra postgres -o requirements/dev.lock

clean:           ## remove the environment and what the tools leave behind
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache judge-demo pictures

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "judge needs Python 3.11 or newer, this is " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements/runtime.lock pyproject.toml | $(VENV)/bin/python
	$(PIP) install --require-hashes -r requirements/runtime.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/.dev: requirements/dev.lock $(VENV)/.runtime
	$(PIP) install --require-hashes -r requirements/dev.lock
	touch $@

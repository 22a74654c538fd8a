# make demo   installs the base package into .venv (no torch) and shows it on sample photos
# make test   installs everything into .venv-dev and runs all tests
# make lint   style, types and import directions
#
# uv is used where it is installed; the base install works with pip alone.

SHELL := /bin/bash
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { command -v $$p; break; }; done)
VENV ?= .venv
VENV_DEV ?= .venv-dev
export OMP_NUM_THREADS ?= 1

.PHONY: demo test fast lint clean

demo: $(VENV)/.installed
	$(VENV)/bin/usearch demo

test: $(VENV_DEV)/.installed
	$(VENV_DEV)/bin/python -m pytest -n logical

# The part of the tests that takes under a minute.
fast: $(VENV_DEV)/.installed
	$(VENV_DEV)/bin/python -m pytest -n logical -m "not slow"

lint: $(VENV_DEV)/.installed
	$(VENV_DEV)/bin/ruff check .
	$(VENV_DEV)/bin/ruff format --check .
	$(VENV_DEV)/bin/mypy
	$(VENV_DEV)/bin/lint-imports

$(VENV)/.installed: pyproject.toml
	@$(call python_or_stop)
	@if command -v uv >/dev/null; then \
		uv venv --quiet --allow-existing --python "$(PYTHON)" $(VENV) && \
		uv pip install --quiet --compile-bytecode --python $(VENV)/bin/python -e '.[demo]'; \
	else \
		"$(PYTHON)" -m venv $(VENV) && \
		$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -e '.[demo]'; \
	fi
	@touch $@

# torch and torchvision have to match; uv takes both from one index, pip may not.
$(VENV_DEV)/.installed: pyproject.toml
	@$(call python_or_stop)
	@if command -v uv >/dev/null; then \
		uv venv --quiet --allow-existing --python "$(PYTHON)" $(VENV_DEV) && \
		uv pip install --quiet --compile-bytecode --python $(VENV_DEV)/bin/python -e '.[dev]'; \
	else \
		"$(PYTHON)" -m venv $(VENV_DEV) && \
		$(VENV_DEV)/bin/python -m pip install --quiet --disable-pip-version-check uv && \
		$(VENV_DEV)/bin/uv pip install --quiet --compile-bytecode --python $(VENV_DEV)/bin/python -e '.[dev]'; \
	fi
	@touch $@

clean:
	rm -rf $(VENV) $(VENV_DEV) usearch-demo .pytest_cache .mypy_cache .ruff_cache .hypothesis

define python_or_stop
test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: make demo PYTHON=/path/to/python3.12" >&2; exit 1; }
endef

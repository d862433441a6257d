# make train   sets up .venv and trains the default recipe on the embedded data (MINUTES=10)
# make test    sets up .venv and runs linters, types, import contract and tests
PYTHON ?= python3
MINUTES ?= 10
VENV := .venv
STAMP := $(VENV)/installed

.PHONY: train test lint

train: $(STAMP)
	$(VENV)/bin/python -m tightrope train --minutes $(MINUTES)

test: $(STAMP) lint
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest

lint: $(STAMP)
	$(VENV)/bin/python -m ruff check .
	$(VENV)/bin/python -m ruff format --check .
	$(VENV)/bin/python -m mypy
	$(VENV)/bin/python -c "import sys; from importlinter.cli import lint_imports_command as run; sys.exit(run())"

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --editable ".[dev]"
	touch $(STAMP)

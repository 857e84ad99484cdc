PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check

demo: .venv/demo  ## Open the live dancer in the browser.
	$(BIN)/rotolive demo

test: .venv/ready  ## Run the tests.
	$(BIN)/pytest

check: .venv/ready  ## Lint, types, layering.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports

.venv/bin/pip:
	@echo "Setting up .venv, once ..."
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -qq --upgrade pip

.venv/demo: pyproject.toml | .venv/bin/pip
	$(BIN)/pip install -qq --editable . --group cpu
	@touch $@

.venv/ready: pyproject.toml | .venv/bin/pip
	$(BIN)/pip install -qq --editable . --group dev
	@touch $@ .venv/demo

PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check

demo: .venv/demo  ## Open the live dancer in the browser; ARGS go to `rotolive demo`.
	$(BIN)/rotolive demo $(ARGS)

test: .venv/ready  ## Run the tests.
	$(BIN)/pytest

check: .venv/ready  ## Lint, types, layering.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports

.venv/pip:
	@echo "Setting up .venv, once ..."
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q --upgrade 'pip>=25.1'
	@touch $@

.venv/demo: pyproject.toml | .venv/pip
	$(BIN)/pip install -qq --editable . --group cpu
	@touch $@

.venv/ready: pyproject.toml | .venv/pip
	$(BIN)/pip install -qq --editable . --group dev
	@touch $@ .venv/demo

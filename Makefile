# `make` alone lists the targets. Everything happens inside .venv, which is made on first use.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# Some tests wait more than they work: for simulated jobs, and for processes. So there are more of them at once than cores;
# not many more, for each worker collects all tests, which takes it three seconds of work.
WORKERS ?= 10
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --maxschedchunk 1
WITHOUT_PROCESSES := -m "not process" --hypothesis-profile few
# Of single parts: neither whole commands, nor whole runs in virtual time.
UNIT := $(WITHOUT_PROCESSES) --ignore=tests/cli --ignore=tests/engine
# Else every worker compiles every test anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo check test simulate lint types contracts quick unit coverage mutants format schemas documents lock bench bench-compare clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/.run ## run jobspecs/hdk-upgrade.yaml against the built-in simulator, over real HTTP
	@$(BIN)/python -m runner run jobspecs/hdk-upgrade.yaml --simulate

check: lint types contracts quick ## before a commit: lint, types, import contract, tests of single parts

test: lint types contracts unit ## all of it: lint, types, import contract, every test

lint: .venv/.test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: .venv/.test
	@$(BIN)/mypy

contracts: .venv/.test
	@$(BIN)/lint-imports

quick: .venv/.test
	@$(PYTEST) $(UNIT)

unit: .venv/.test
	@$(PYTEST)

coverage: .venv/.test ## which code the tests that start no process reach; fails below the floor in pyproject.toml
	@$(BIN)/python -m coverage erase
	@$(BIN)/python -m coverage run -m pytest -n $(WORKERS) --maxschedchunk 1 $(WITHOUT_PROCESSES)
	@$(BIN)/python -m coverage combine --quiet
	@$(BIN)/python -m coverage report

MODULES ?=
mutants: .venv/.test ## mistakes made on purpose that no test notices: make mutants MODULES="runner/rules/doubts.py --own"
	@$(BIN)/python -m tests.mutants $(MODULES)

SEEDS ?= 1000
simulate: .venv/.test ## whole runs in virtual time with everything going wrong: make simulate SEEDS=10000
	@$(BIN)/python -m tests.engine.simulation $(SEEDS)

format: .venv/.test ## put the code in its one format
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

schemas: .venv/.run ## write schemas/ anew from the models
	@for name in $$($(BIN)/python -m runner schema --list); do \
	  $(BIN)/python -m runner schema $$name > schemas/$$name.schema.json; done

documents: .venv/.test ## write the tables of docs/jobspec.md and docs/reports.md anew from the models
	@$(BIN)/python -m tests.jobspec_document
	@$(BIN)/python -m tests.report_document

bench: .venv/.test ## measure; see benchmarks/README.md
	@$(BIN)/python -m benchmarks

REV ?= HEAD
bench-compare: .venv/.test ## the short forms beside another commit, in turn: make bench-compare REV=main (needs nginx)
	@$(BIN)/python -m benchmarks.compare $(REV)

lock: ## resolve the requirements anew (needs uv)
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	  --no-header --extra fast pyproject.toml -o requirements.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	  --no-header --extra fast --group test -c requirements.lock pyproject.toml -o requirements-test.lock

clean: ## remove the environment and all caches
	rm -rf .venv dist .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

.venv/.run: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	@test -x $(BIN)/python || { echo "setting up .venv (once)" >&2; $(PYTHON) -m venv .venv; }
	@$(PIP) install --require-hashes -r requirements.lock
	@touch $@

.venv/.test: requirements-test.lock .venv/.run
	@echo "adding the test tools to .venv (once)" >&2
	@$(PIP) install --require-hashes -r requirements-test.lock
	@touch $@

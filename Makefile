.DEFAULT_GOAL := help
.PHONY: help setup setup-airflow demo test test-slow lint format bundle environment clean

PYTHON ?= python3
BIN := .venv/bin
AIRFLOW_BIN := .venv-airflow/bin
PIP := -m pip install --quiet --disable-pip-version-check

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: .venv/ready ## create .venv from the lock and install emberline in it

setup-airflow: .venv-airflow/ready ## create .venv-airflow, where Airflow lives alone

demo: setup ## run the whole census pipeline: synthetic data, or the official files with DATA=folder
	@$(BIN)/emberline run census_wide_deep $(if $(DATA),--input $(DATA))

test: setup setup-airflow ## run the tests (under 25 minutes on two cores)
	@$(BIN)/python -m pytest -n 2 --dist loadgroup --no-loadscope-reorder

test-slow: setup setup-airflow ## run the longer proofs
	@$(BIN)/python -m pytest -m slow

lint: setup ## ruff, mypy, the layers and the prose
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python -m tests.prose

format: setup ## put every file into the house's form
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bundle: setup ## build dist/emberline-VERSION.zip (and emberline.zip, the same), the code for --py-files
	@$(BIN)/emberline bundle --output dist

environment: setup ## pack .venv for --archives; PYTHON_PREFIX=/usr: where the nodes have Python
	@$(BIN)/python -m emberline.pipelines.runtime.environment_archive dist $(if $(PYTHON_PREFIX),--python-prefix $(PYTHON_PREFIX))

clean: ## remove environments, builds and caches; keeps emberline-workspace
	@rm -rf .venv .venv-airflow build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "emberline needs Python 3.11 or newer, this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.11")'
	@echo "creating .venv (a few minutes the first time)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python $(PIP) --requirement requirements.lock
	@$(BIN)/python $(PIP) --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m emberline.features.tfrecord.codec.compiled
	@touch $@

.venv-airflow/ready: requirements-airflow.lock
	@echo "creating .venv-airflow"
	@$(PYTHON) -m venv .venv-airflow
	@$(AIRFLOW_BIN)/python $(PIP) --requirement requirements-airflow.lock
	@touch $@

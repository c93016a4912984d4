.DEFAULT_GOAL := help
.PHONY: help setup setup-airflow demo test test-slow test-chaos test-hdfs test-s3 test-yarn test-tables test-kafka test-postgres figures lint format \
	bundle environment sbom hashes clean

PYTHON ?= python3
BIN := .venv/bin
AIRFLOW_BIN := .venv-airflow/bin
RUN_BIN := .venv-run/bin
TOOLS_BIN := .venv-tools/bin
VERSION := $(shell sed -n 's/^VERSION = "\(.*\)"/\1/p' pipelines/runtime/version.py)
# With HASHES=1 pip takes only files whose SHA-256 is in requirements*.hashes; the same versions as in the locks.
LOCK := $(if $(HASHES),hashes,lock)
PIP := -m pip install --quiet --disable-pip-version-check $(if $(HASHES),--require-hashes)
# An environment that was made without is made anew, so that nothing in it went unchecked.
READY := ready$(if $(HASHES),-by-hash)
# Builds what comes as source (PySpark, jieba). Installed first, as locked: pip would fetch the newest, unchecked.
BUILDER := grep '^setuptools==' requirements.$(LOCK) |

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: .venv/$(READY) ## create .venv from the locks and install emberline in it; HASHES=1 checks every file's hash

setup-airflow: .venv-airflow/$(READY) ## create .venv-airflow, where Airflow lives alone

demo: setup ## run the whole census pipeline: synthetic data, or the official files with DATA=folder
	@$(BIN)/emberline run census_wide_deep $(if $(DATA),--input $(DATA))

test: setup setup-airflow ## run the tests (under 25 minutes on two cores)
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test-slow: setup setup-airflow ## run the longer proofs
	@$(BIN)/python -m pytest -m slow

test-chaos: setup ## run pipelines under random faults for MINUTES=10, with SEED= of an earlier trial; STORE=1: on S3 too
	@$(BIN)/python -m tests.chaos --minutes $(or $(MINUTES),10) $(if $(SEED),--seed $(SEED)) $(if $(STORE),--store)

# Against real servers, which come from packages of Maven's or Go's registry; see tests/real/.
test-hdfs: setup ## run the tests against a real HDFS: needs Java and Maven's registry
	@$(BIN)/python -m pytest -m real tests/real/test_hdfs.py

test-s3: setup ## run the tests against a real S3 server: needs Go 1.24, its module proxy and Maven's registry
	@$(BIN)/python -m pytest -m real tests/real/test_s3.py

test-yarn: setup ## run the commands of docs/cluster.md on a real YARN: needs Java and Maven's registry
	@$(BIN)/python -m pytest -m real tests/real/test_yarn.py

test-kafka: setup ## run the tests against a real broker of Kafka: needs Java and Maven's registry
	@$(BIN)/python -m pytest -m real tests/real/test_kafka.py

test-tables: setup ## run the tests of real tables: Hive, PostgreSQL, Delta and Iceberg; needs Maven's registry and PostgreSQL
	@$(BIN)/python -m pytest -m real tests/real/tables

test-postgres: setup ## run the tests with MLflow on a real PostgreSQL: needs Debian's package postgresql
	@$(BIN)/python -m pytest -m real tests/real/test_postgres.py

figures: setup ## measure with benchmarks/ and write docs/figures.md; ONLY="scoring text", SIZE=whole, OLD=checkout
	@$(BIN)/python -m benchmarks.figures $(ONLY) $(if $(SIZE),--size $(SIZE)) $(if $(OLD),--old $(OLD))

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

environment: setup .venv-run/$(READY) ## pack the packages of requirements.lock for --archives; PYTHON_PREFIX=/usr: where the nodes have Python
	@$(BIN)/python -m emberline.pipelines.runtime.environment_archive dist --environment .venv-run \
		$(if $(PYTHON_PREFIX),--python-prefix $(PYTHON_PREFIX))

sbom: .venv-run/$(READY) .venv-tools/$(READY) ## write dist/emberline-VERSION.cdx.json: what runs, as a CycloneDX bill of materials
	@mkdir -p dist
	@sed 's/^dynamic = .*/version = "$(VERSION)"/' pyproject.toml | $(TOOLS_BIN)/cyclonedx-py environment $(RUN_BIN)/python \
		--pyproject /dev/stdin --mc-type application --output-reproducible --validate --output-format JSON \
		--output-file dist/emberline-$(VERSION).cdx.json
	@echo dist/emberline-$(VERSION).cdx.json

hashes: .venv-tools/$(READY) ## write requirements*.hashes: SHA-256 of all files that the index has of the locked versions
	@for lock in requirements*.lock; do \
		$(TOOLS_BIN)/uv pip compile --quiet --no-deps --generate-hashes --no-header --no-annotate $$lock \
			| sed -e ':a' -e '/\\$$/{N' -e 's/ *\\\n */ /' -e 'ta' -e '}' > $${lock%.lock}.hashes.new \
		&& mv $${lock%.lock}.hashes.new $${lock%.lock}.hashes || exit 1; \
	done

clean: ## remove environments, builds and caches; keeps emberline-workspace
	@rm -rf .venv .venv-airflow .venv-run .venv-tools build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

.venv/$(READY): requirements.$(LOCK) requirements-dev.$(LOCK) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "emberline needs Python 3.11 or newer, this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.11")'
	@echo "creating .venv (a few minutes the first time)"
	@rm -f .venv/ready*
	@$(PYTHON) -m venv $(if $(HASHES),--clear) .venv
	@$(BUILDER) $(BIN)/python $(PIP) --requirement /dev/stdin
	@$(BIN)/python $(PIP) --no-build-isolation --requirement requirements.$(LOCK) --requirement requirements-dev.$(LOCK)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m emberline.features.tfrecord.codec.compiled >/dev/null
	@$(BIN)/python -m emberline.pipelines.runtime.class_archive >/dev/null
	@touch .venv/ready $@

.venv-run/$(READY): requirements.$(LOCK)
	@echo "creating .venv-run, the packages that jobs need and nothing else"
	@$(PYTHON) -m venv --clear .venv-run
	@$(BUILDER) $(RUN_BIN)/python $(PIP) --requirement /dev/stdin
	@$(RUN_BIN)/python $(PIP) --no-build-isolation --requirement requirements.$(LOCK)
	@touch .venv-run/ready $@

.venv-tools/$(READY): requirements-tools.$(LOCK)
	@echo "creating .venv-tools"
	@$(PYTHON) -m venv --clear .venv-tools
	@$(TOOLS_BIN)/python $(PIP) --requirement requirements-tools.$(LOCK)
	@touch .venv-tools/ready $@

.venv-airflow/$(READY): requirements-airflow.$(LOCK)
	@echo "creating .venv-airflow"
	@rm -f .venv-airflow/ready*
	@$(PYTHON) -m venv $(if $(HASHES),--clear) .venv-airflow
	@$(BUILDER) $(AIRFLOW_BIN)/python $(PIP) --requirement /dev/stdin
	@$(AIRFLOW_BIN)/python $(PIP) --no-build-isolation --requirement requirements-airflow.$(LOCK)
	@touch .venv-airflow/ready $@

# make demo | test | test-fast | setup | format | clean
# In a venv or conda environment of your own, that one is used; otherwise .venv is made here.
# Extra flags for pip: make setup PIP_FLAGS='--index-url …'. More processes for the tests: make test TEST_PROCESSES=8.
SHELL := /bin/bash
OWN_ENV := $(or $(VIRTUAL_ENV),$(if $(filter-out base,$(CONDA_DEFAULT_ENV)),$(CONDA_PREFIX)))
VENV := $(or $(OWN_ENV),$(CURDIR)/.venv)
STAMP := $(VENV)/.ecglfm-setup
PYTHON ?= python3
PIP_FLAGS ?=
TEST_PROCESSES ?= 2
export PATH := $(VENV)/bin:$(PATH)

.PHONY: setup demo check test test-fast format docs clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
ifeq ($(OWN_ENV),)
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
endif
	python -c 'import sys; sys.exit(sys.version_info < (3, 11) and "ecglfm needs Python 3.11 or newer; call make PYTHON=python3.11")'
	python -m pip install --quiet --disable-pip-version-check $(PIP_FLAGS) -c constraints.txt -e '.[dev,export]'
	touch $@

demo: setup
	snakemake
	@echo
	@echo "The report: $(CURDIR)/results/report/index.html"
	@echo "The runs:   $(if $(OWN_ENV),,source .venv/bin/activate && )mlflow ui --backend-store-uri sqlite:///results/mlflow.db"

# format, lint, floors between modules, types, generated files
check: setup
	ruff format --check .
	ruff check .
	snakefmt --check workflow
	snakemake --lint
	lint-imports
	mypy

test: check
	python -m pytest -n $(TEST_PROCESSES)

test-fast: check
	python -m pytest -n $(TEST_PROCESSES) -m "not slow and not slurm" tests/unit tests/architecture

format: setup
	ruff format .
	ruff check --fix .
	snakefmt workflow

docs: setup
	python -m ecglfm config --write-docs

clean:
	rm -rf results logs .snakemake

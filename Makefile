# make demo | test | test-fast | test-torch | setup | format | docs | site | mutants | mlflow-server | serve | clean
# In a venv or conda environment of your own, that one is used; otherwise .venv is made here.
# Extra flags for pip: make setup PIP_FLAGS='--index-url …'. More processes for the tests: make test TEST_PROCESSES=8.
SHELL := /bin/bash
OWN_ENV := $(or $(VIRTUAL_ENV),$(if $(filter-out base,$(CONDA_DEFAULT_ENV)),$(CONDA_PREFIX)))
VENV := $(or $(OWN_ENV),.venv)
# A target with a space in its name is written with a backslash; commands have it in quotes, as `$@`.
STAMP := $(subst $() ,\ ,$(VENV)/.ecglfm-setup)
PYTHON ?= python3
PIP_FLAGS ?=
# Two more than two cores: Slurm tests mostly wait, three files of them at once.
TEST_PROCESSES ?= 4
export PATH := $(or $(OWN_ENV),$(CURDIR)/.venv)/bin:$(PATH)

.PHONY: setup demo check check-form check-types pytest test test-fast test-torch format docs site mutants mlflow-server serve clean

setup: $(STAMP)

# In .venv by a pip of today, which takes two thirds of the time that the one does which Python 3.11 brings.
$(STAMP): pyproject.toml constraints.txt
ifeq ($(OWN_ENV),)
	test -x .venv/bin/python || $(PYTHON) -m venv .venv
endif
	python -c 'import sys; sys.exit(sys.version_info < (3, 11) and "ecglfm needs Python 3.11 or newer; call make PYTHON=python3.11")'
ifeq ($(OWN_ENV),)
	python -m pip install --quiet --disable-pip-version-check $(PIP_FLAGS) -c constraints.txt pip
endif
	python -m pip install --quiet --disable-pip-version-check $(PIP_FLAGS) -c constraints.txt -e '.[dev,discover,formats,fp8,huggingface,postgres,serve,train,umap,workflow,zarr]'
	touch '$@'

demo: setup
	snakemake
	@echo
	@echo "The report: $$PWD/results/report/index.html"
	@echo "The runs:   $(if $(OWN_ENV),,source .venv/bin/activate && )mlflow ui --backend-store-uri sqlite:///results/mlflow.db"
	@echo "            at http://127.0.0.1:5000, there under \"Model training\" at the top left (docs/mlflow.md: what to click)"

# format, lint, floors between modules, types, generated files
check: check-form check-types

check-form: setup
	ruff format --check .
	ruff check .
	snakefmt --check workflow
	snakemake --lint
	lint-imports

check-types: setup
	mypy

# After the checks; with --jobs=2, as CI has it, beside them.
pytest: setup
	python -m pytest -n $(TEST_PROCESSES)

test: check pytest

test-fast: check
	python -m pytest -n $(TEST_PROCESSES) -m "not slow and not slurm" tests/unit tests/architecture

# Models and training with another torch than the pinned one, in a venv below .torch/ that has all else from here.
TORCH ?= 2.6.0
OTHER := .torch/$(TORCH)

test-torch: setup
	python -m venv $(OTHER)
	$(OTHER)/bin/python -m pip install --quiet --disable-pip-version-check $(PIP_FLAGS) torch==$(TORCH)
	python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > $(OTHER)/lib/$$(cd $(OTHER)/lib && ls)/site-packages/others.pth
	$(OTHER)/bin/python -m pytest -n $(TEST_PROCESSES) -m "not pinned_torch" tests/unit/models tests/unit/training

format: setup
	ruff format .
	ruff check --fix .
	snakefmt workflow

docs: setup
	python -m ecglfm config --write-docs

# The pages of docs/ as a site: site/index.html, which opens without a server or a network.
site: setup
	NO_MKDOCS_2_WARNING=1 mkdocs build --quiet

# Do the tests see a wrong number? make mutants MODULE=ecglfm/data/manifest/splits.py (TESTS='tests/unit/… …', ONLY='*[147]'; see CONTRIBUTING.md)
MODULE ?= ecglfm/data/manifest/splits.py
TESTS ?=
ONLY ?= *

# An environment of your own stays as it is, but for mutmut: it may be another checkout's. The copy is found by PYTHONPATH.
mutants: $(if $(OWN_ENV),,setup)
	python -c 'import mutmut' 2> /dev/null || python -m pip install --quiet --disable-pip-version-check $(PIP_FLAGS) -c constraints.txt mutmut
	nice python -m tests.mutants '$(MODULE)' $(TESTS) --only '$(ONLY)'

# MLflow's server, for this machine alone, until Ctrl-C; STORE may be a database: postgresql://user:password@host/name.
# In the environment, because a command line is for everybody to read.
RESULTS ?= results
STORE ?= sqlite:///$(RESULTS)/mlflow.db
PORT ?= 5000
WORKERS ?= 4

mlflow-server: export MLFLOW_BACKEND_STORE_URI := $(STORE)
mlflow-server: export MLFLOW_DISABLE_TELEMETRY := true
mlflow-server: export DO_NOT_TRACK := true
mlflow-server: export MLFLOW_SERVER_ENABLE_JOB_EXECUTION := false
mlflow-server: setup
	mkdir -p '$(RESULTS)'
	exec mlflow server --host 127.0.0.1 --port $(PORT) --workers $(WORKERS) --artifacts-destination '$(RESULTS)/mlartifacts'

# A fine-tuned model that answers over HTTP, for this machine alone, until Ctrl-C: make serve MODEL=results/finetune/… SERVE_PORT=5001
# AT='1 5': when a survival model says a risk.
MODEL ?=
AT ?=
SERVE_PORT ?= 5001

serve: export MLFLOW_DISABLE_TELEMETRY := true
serve: export DO_NOT_TRACK := true
serve: setup
	@test -n '$(MODEL)' || { echo 'make serve: say which: MODEL=results/finetune/ENCODER/TASK/FIT'; exit 1; }
	@python -c 'import socket; socket.create_server(("127.0.0.1", $(SERVE_PORT)))' 2> /dev/null || \
	  { echo 'make serve: port $(SERVE_PORT) is taken, or none; say another: SERVE_PORT=5002'; exit 1; }
	made=$$(python -m ecglfm register --model '$(MODEL)'$(if $(AT), --at $(AT))) && \
	  MLFLOW_TRACKING_URI=$${made#* in } exec mlflow models serve -m "$${made%% *}" \
	  --env-manager local --host 127.0.0.1 --port $(SERVE_PORT) --workers 1

# The results of config/config.yaml, after it has said which and asked; those of other recipes stay. KEEP=models|encoders|reports
# leaves more, CONFIGFILE=mine.yaml is another recipe's, YES=1 does not ask.
KEEP ?=
CONFIGFILE ?=
YES ?=

clean: setup
	@python -m ecglfm clean $(if $(KEEP),--keep '$(KEEP)') $(if $(CONFIGFILE),--configfile '$(CONFIGFILE)') $(if $(YES),--yes)

# Everything runs in .venv, made once from requirements.lock. `make help` lists the targets.
PYTHON ?= python3
VENV   := .venv
STAMP  := $(VENV)/.installed
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := true
# as the stages in dvc.yaml
export GLIBC_TUNABLES := glibc.malloc.mmap_max=0:glibc.malloc.top_pad=1073741824:glibc.malloc.hugetlb=1
MLFLOW_TRACKING_URI ?= sqlite:///$(CURDIR)/mlflow.db
PORT ?= 5000

.DEFAULT_GOAL := help
.PHONY: help setup repro test check format ui bench timings benchmarks lock clean

help:  ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(STAMP)  ## create .venv and install the pinned requirements

# Byte code is compiled once here: without it every stage would compile torch and mlflow anew where
# PYTHONDONTWRITEBYTECODE is set, and take four times as long to start.
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "cvnlp needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check "$$(grep -oE '^uv==[^ ]+' requirements.lock)"
	VIRTUAL_ENV=$(VENV) $(VENV)/bin/uv pip sync --require-hashes --compile-bytecode requirements.lock
	VIRTUAL_ENV=$(VENV) $(VENV)/bin/uv pip install --quiet --no-deps --editable .
	@touch $@

repro: $(STAMP)  ## run the pipeline: prepare, train, evaluate, attack, report
	@test -e .git || dvc config core.no_scm true
	dvc repro

test: $(STAMP)  ## run the tests
	python -m pytest

check: $(STAMP)  ## lint, format and type checks
	ruff check .
	ruff format --check .
	mypy

format: $(STAMP)  ## mend what ruff can mend
	ruff check --fix .
	ruff format .

ui: $(STAMP)  ## browse the runs in MLflow: http://127.0.0.1:5000 (PORT=... for another)
	mlflow ui --host 127.0.0.1 --port $(PORT) --workers 1 --backend-store-uri "$(MLFLOW_TRACKING_URI)"

bench: $(STAMP)  ## measure speed, as ratios against a baseline in the same run
	python benchmarks/speed.py

timings: $(STAMP)  ## measure missing seconds per epoch for the table of benchmarks/ (ARGUMENTS=... for more options)
	python benchmarks/timing.py $(ARGUMENTS)

benchmarks: $(STAMP)  ## train and compare all networks on whole data sets: hours (see benchmarks/README.md)
	@test -e .git || (cd benchmarks && dvc config core.no_scm true)
	cd benchmarks && dvc repro

lock: $(STAMP)  ## resolve requirements.in anew into requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
		--custom-compile-command 'make lock' --upgrade requirements.in --output-file requirements.lock

clean:  ## remove the environment, caches, MLflow's database, prepared data and models (fetched files stay)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache mlflow mlflow.db* mlruns dvc_plots .dvc/cache .dvc/tmp data/prepared data/models data/evaluations data/attacks data/resume
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

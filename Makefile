# Everything runs in .venv, created from requirements.lock by the first target that needs it. `make help` lists them.
PYTHON ?= python3
VENV   := .venv
STAMP  := $(VENV)/.installed
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := true
export NO_MKDOCS_2_WARNING := 1
# modules that change are compiled once, not by every process
unexport PYTHONDONTWRITEBYTECODE
# as the stages in dvc.yaml
export GLIBC_TUNABLES := glibc.malloc.mmap_max=0:glibc.malloc.top_pad=1073741824:glibc.malloc.hugetlb=1
# of `dvc exp show`: all but params and the main scores
OTHER_COLUMNS := ^(?!Experiment|Created|State|([^:]*/scores/[^:]*:)?(accuracy|nats_per_token)$$|([^:]*:)?(runs|datasets|own)\.)
PORT ?= 5000
DEMO_PORT ?= 8001
JOBS ?= $(shell nproc 2>/dev/null || echo 2)

.DEFAULT_GOAL := help
.PHONY: help setup repro quick seeds experiments test check format docs ui demo bench bench-compare growth operators \
	devices kills timings benchmarks \
	lock clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: $(STAMP)  ## create .venv and install the pinned requirements

# Bytecode is compiled here, once: where PYTHONDONTWRITEBYTECODE is set, every stage would otherwise compile torch and
# mlflow again and take four times as long to start.
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "cvnlp needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check "$$(grep -oE '^uv==[^ ]+' requirements.lock)"
	VIRTUAL_ENV=$(VENV) $(VENV)/bin/uv pip sync --require-hashes --compile-bytecode requirements.lock
	VIRTUAL_ENV=$(VENV) $(VENV)/bin/uv pip install --quiet --no-deps --editable .
	@touch $@

repro: $(STAMP)  ## run the pipeline, as many runs side by side as there are processors (JOBS=...)
	@test -e .git || dvc config core.no_scm true
	cvnlp repro --jobs $(JOBS)

# A DVC project of its own: dvc.yaml and src are links to those of this folder, and downloads are shared
quick: $(STAMP)  ## run a small pipeline with the same stages in quick/, in about two minutes
	@mkdir -p data/raw quick/data
	@ln -sfn ../../data/raw quick/data/raw
	cd quick && cvnlp repro --jobs $(JOBS)
	@echo "The report is quick/reports/report.html. Next:"
	@echo '  .venv/bin/cvnlp generate lstm --root quick --prompt "To be"   # text of the small LSTM'
	@echo '  change quick/params.yaml and run `make quick` again: only what it affects is repeated'
	@echo '  make repro                                                    # the whole pipeline, about nine minutes'

seeds: $(STAMP)  ## train and score the runs with three seeds, after `make repro`, into reports/seeds.json
	python benchmarks/seeds.py --jobs $(JOBS)

experiments: $(STAMP)  ## compare the experiments of `dvc exp run`: params that differ, and main scores (ARGUMENTS=... for more options)
	dvc exp show --only-changed --drop '$(OTHER_COLUMNS)' $(ARGUMENTS)

# --dist loadfile: a clone of the project serves all tests of its file. Each process has torch in memory: at most four.
test: $(STAMP)  ## run the tests on all processors
	python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

check: $(STAMP)  ## lint, format and type checks
	ruff check .
	ruff format --check .
	mypy

format: $(STAMP)  ## fix what ruff can fix
	ruff check --fix .
	ruff format .

docs: $(STAMP)  ## build the documentation into site/, without warnings (SERVE=1: serve it on port 8000 while you edit, PORT=...)
	$(if $(SERVE),mkdocs serve --dev-addr 127.0.0.1:$(if $(filter file,$(origin PORT)),8000,$(PORT)),mkdocs build)
	@$(if $(SERVE),true,echo 'open site/index.html')

ui: $(STAMP)  ## show the runs in MLflow, on port 5000 (PORT=... for another)
	cvnlp ui --port $(PORT)

demo: $(STAMP)  ## open the trained networks in a page of this machine, on port 8001 (DEMO_PORT=... for another)
	cvnlp demo --port $(DEMO_PORT)

bench: $(STAMP)  ## measure speed and memory next to usual recipes, on an idle machine (FULL=1 for all, OUT=... for another file)
	cd benchmarks && python -m bench run $(if $(FULL),--full) $(if $(OUT),--out $(abspath $(OUT)))

bench-compare: $(STAMP)  ## compare NEW=..., written by `make bench OUT=...`, with the committed ratios
	cd benchmarks && python -m bench compare $(abspath $(NEW))

growth: $(STAMP)  ## measure every stage on ever more data, for docs/scale.md
	python benchmarks/growth.py --document docs/scale.md

operators: $(STAMP)  ## measure where the time of a training step goes, for docs/scale.md
	python benchmarks/operators.py --document docs/scale.md

devices: $(STAMP)  ## train with one and with several processes, on an idle machine, for docs/devices.md
	python benchmarks/devices.py --document docs/devices.md

kills: $(STAMP)  ## kill a small pipeline at 20 random moments: its results must not change (KILLS=...)
	python tests/kills.py --kills $(or $(KILLS),20)

timings: $(STAMP)  ## measure missing seconds per epoch for the table of benchmarks/ (ARGUMENTS=... for more options)
	python benchmarks/timing.py $(ARGUMENTS)

benchmarks: $(STAMP)  ## train and compare all networks on whole data sets: takes hours (see benchmarks/README.md)
	@test -e .git || (cd benchmarks && dvc config core.no_scm true)
	cd benchmarks && dvc repro

lock: $(STAMP)  ## resolve requirements.in into requirements.lock, with the newest versions
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
		--custom-compile-command 'make lock' --upgrade requirements.in --output-file requirements.lock

clean:  ## remove the environment, caches, MLflow's database and all data except data/raw and data/own
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache mlflow mlflow.db* .mlflow.lock .registry.lock mlruns dvc_plots .dvc/cache .dvc/tmp
	rm -rf quick/data quick/reports quick/mlflow quick/mlflow.db* quick/dvc.lock quick/.dvc/cache quick/.dvc/tmp site
	find data -mindepth 1 -maxdepth 1 ! -name raw ! -name own ! -name README.md -exec rm -rf {} +
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Each target sets up .venv by itself. The set-up runs again only when pyproject.toml or
# constraints.txt changes.

PYTHON ?= python3
WORKERS ?= 2
GALLERY ?= 1
BENCH ?= $(sort $(filter-out benchmarks/_%,$(wildcard benchmarks/*.py)))

VENV := .venv
PY := $(VENV)/bin/python
DEV := $(VENV)/.dev-installed
DOCS := $(VENV)/.docs-installed

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DELETE_ON_ERROR:
.PHONY: help setup demo test test-processors lint types docs docs-check bench clean

help:
	@echo "make demo    run examples/first_steps/quickstart.py"
	@echo "make test    all checks: lint, types, tests and doctests (WORKERS=$(WORKERS))"
	@echo "make test-processors  the promises on a processor without AVX, in MKL's and oneDNN's compatible modes"
	@echo "make lint    ruff check, ruff format --check, lint-imports"
	@echo "make types   mypy"
	@echo "make docs    build the site in docs/_build/html and run its code (GALLERY=0: examples are not run)"
	@echo "make docs-check  open every page of the built site in headless Chromium"
	@echo "make bench   run the benchmarks (BENCH=benchmarks/NAME.py for one)"
	@echo "make setup   only create or refresh .venv (PYTHON=$(PYTHON))"
	@echo "make clean   remove what was built; .venv stays"

setup: $(DEV)

$(DEV): pyproject.toml constraints.txt
	@echo "Setting up $(VENV); the first time takes some minutes."
	@$(PY) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

$(DOCS): $(DEV)
	@$(PY) -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	@touch $@

demo: $(DEV)
	$(PY) examples/first_steps/quickstart.py demo

lint: $(DEV)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(VENV)/bin/lint-imports --no-logo

types: $(DEV)
	$(PY) -m mypy

# One thread for each worker: more only makes the workers wait for each other.
test test-processors: export OMP_NUM_THREADS := 1
test test-processors: export MKL_NUM_THREADS := 1
test test-processors: export SCIPY_ARRAY_API := 1
test test-processors: export MPLBACKEND := Agg

# How sums are rounded depends on the instructions of the processor, and so may equality to the bit.
# A few tests of it run a second time without vector instructions; test-processors runs all.
test: lint types
	$(PY) -m pytest -n $(WORKERS)
	ATEN_CPU_CAPABILITY=default $(PY) -m pytest -q -n $(WORKERS) tests/test_estimators.py \
		tests/training -k "(bits and not parallel) or subset_invariance"

PROMISES := not scikit_learn_checks or subset_invariance or idempotent or weight_equivalence
BITS := bits or one_by_one or all_together or among_others or in_order or repeat
test-processors: $(DEV)
	@set -e; for mode in ATEN_CPU_CAPABILITY=default MKL_CBWR=COMPATIBLE ONEDNN_MAX_CPU_ISA=AVX2; do \
		echo "$$mode"; \
		env $$mode $(PY) -m pytest -q -n $(WORKERS) tests/test_estimators.py -k "$(PROMISES)"; \
		env $$mode $(PY) -m pytest -q -n $(WORKERS) tests --ignore tests/test_estimators.py \
			-k "$(BITS)"; \
	done

docs: $(DOCS)
	$(PY) -m sphinx -b html -W --keep-going -D plot_gallery=$(GALLERY) \
		-d docs/_build/doctrees docs docs/_build/html
	OMP_NUM_THREADS=1 $(PY) -m sphinx -q -b doctest -D plot_gallery=$(GALLERY) \
		-d docs/_build/doctrees docs docs/_build/doctest

# Where there is no Chromium it says so and checks links alone, unless DOCS_CHECK_REQUIRED is set.
docs-check: $(DOCS)
	$(PY) docs/check_site.py docs/_build/html

bench: $(DEV)
	@test -n "$(BENCH)" || echo "benchmarks/ holds no script."
	@set -e; for script in $(BENCH); do echo "$$script"; $(PY) $$script; done

clean:
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache \
		.hypothesis docs/_build docs/generated docs/auto_examples docs/sg_execution_times.rst \
		$(filter-out docs/benchmarks/index.rst,$(wildcard docs/benchmarks/*.rst))
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -exec rm -rf {} +

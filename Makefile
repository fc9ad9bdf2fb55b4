# SPDX-License-Identifier: Apache-2.0
# Thin over `python -m fvhydra`; `make` alone lists the targets.
PYTHON ?= python3
VENV   ?= .venv
MODEL  ?= ltx2
ARGS   ?=
RUN     = $(VENV)/bin/python -m fvhydra
MUTMUT  = mutmut==3.8.1

.DEFAULT_GOAL := help
.PHONY: help demo seed check sweep doctor test test-all fuzz mutants lint format bench wheel clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'
	@echo '  Settings: MODEL=ltx2  ARGS="seed=7 engine=mock"  PYTHON=python3.12  VENV=.venv'

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "fvhydra needs Python 3.11 or newer; try make PYTHON=python3.12")'
	@scripts/setup_tests.sh venv $(PYTHON)
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(VENV)/.installed ## Install, make first references with tiny weights, check them
	rm -rf .fvhydra/demo
	FVHYDRA_STORE=.fvhydra/demo $(RUN) op=seed_ssim model=$(MODEL) op.confirm=upload $(ARGS)
	FVHYDRA_STORE=.fvhydra/demo $(RUN) op=check_ssim model=$(MODEL) $(ARGS)

seed: $(VENV)/.installed ## Make references: make seed MODEL=ltx2
	$(RUN) op=seed_ssim model=$(MODEL) $(ARGS)

check: $(VENV)/.installed ## Compare with the references: make check MODEL=ltx2
	$(RUN) op=check_ssim model=$(MODEL) $(ARGS)

sweep: $(VENV)/.installed ## Check several: make sweep MODEL=ltx2,wan21_t2v_1_3b ARGS="prompt_index=0"
	$(RUN) -m op=check_ssim model=$(MODEL) $(ARGS)

doctor: $(VENV)/.installed ## Look at this machine, its tokens and the store
	$(RUN) op=doctor $(ARGS)

$(VENV)/.engine-environments: tests/engines/environments.py $(VENV)/.installed
	$(VENV)/bin/python -m tests.engines.environments
	@touch $@

test: $(VENV)/.installed $(VENV)/.engine-environments ## Install what the tests need, then run them: no network, no GPU
	@scripts/setup_tests.sh tests $(VENV)/bin/python --without-slow $(ARGS)
	$(VENV)/bin/python -m pytest -n 2 --dist loadfile --without-slow $(ARGS)

test-all: $(VENV)/.installed $(VENV)/.engine-environments ## The same with the slow fault-injection tests
	@scripts/setup_tests.sh tests $(VENV)/bin/python $(ARGS)
	$(VENV)/bin/python -m pytest -n 2 --dist loadfile $(ARGS)

fuzz: $(VENV)/.installed ## Try malformed inputs, and faults and kills of stores, and renew docs/robustness.md
	$(VENV)/bin/python -m tests.fuzz $(ARGS)

mutants: $(VENV)/.installed ## Count the changes of the code that no unit test notices: make mutants ARGS="core review"
	@$(VENV)/bin/python -c 'import mutmut' 2>/dev/null || $(VENV)/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt '$(MUTMUT)'
	$(VENV)/bin/python scripts/mutants.py $(ARGS)

lint: $(VENV)/.installed ## Style, types, import directions, licence headers
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	@! git grep -L '^# SPDX-License-Identifier: Apache-2.0$$' -- '*.sh' .ci Makefile | sed 's/$$/: no SPDX header/' | grep .

format: $(VENV)/.installed ## Put the code into house style
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

bench: $(VENV)/.installed ## Measure the figures that the README quotes
	$(VENV)/bin/python -m benchmarks $(ARGS)

wheel: $(VENV)/.installed ## Build the wheel into dist/
	$(VENV)/bin/python -m build --wheel

clean: ## Delete run folders and build leftovers; references in .fvhydra stay
	rm -rf outputs multirun mutants build dist .mypy_cache .ruff_cache .pytest_cache .fvhydra/demo

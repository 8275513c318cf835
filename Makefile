# Everything that is done with a checkout. `make` or `make help` lists it.
# Nothing is installed outside of .venv, but for Debian's chromium and coturn where `make test` may.

PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000

VENV := .venv
BENCH := .venv-bench
BIN := $(VENV)/bin
CODE := server handlers storage spatial client run.py

# The system's pip installs into .venv: Debian's Python has no pip to put there without python3-venv.
INSTALL = $(PYTHON) -m pip --python $(@D)/bin/python install --quiet --disable-pip-version-check --require-hashes

.DEFAULT_GOAL := help
.PHONY: help run demo test check torture bench bench-living bench-quick fuzz format lock pictures sbom audit clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

run: $(VENV)/.installed ## install what is pinned, then MongoDB and the server (PORT=8000 HOST=127.0.0.1)
	@exec $(BIN)/python run.py --host $(HOST) --port $(PORT)

demo: $(VENV)/.installed ## the same with a village of bots to walk among (BOTS=24 PORT=8000)
	@exec $(BIN)/python run.py --host $(HOST) --port $(PORT) --bots $(or $(BOTS),24)

test: $(VENV)/.installed-dev ## install what tests need, then run all of them
	@sh tests/install_programs.sh
	$(BIN)/python -m pytest

fuzz: $(VENV)/.installed-dev ## random and nearly right input for long, and how much was tried (SECONDS=180)
	FUZZ_SECONDS=$(or $(SECONDS),180) $(BIN)/python -m pytest tests/fuzz

check: $(VENV)/.installed-dev ## lint, format, types, import rules, hashes of vendored files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(CODE) tests/harness.py tests/supply.py tests/fuzz tests/torture
	$(BIN)/lint-imports
	$(BIN)/python -m tests.vendored

torture: $(VENV)/.installed-dev ## real faults, and a check that nothing acknowledged is lost (SECONDS=120 SEED=1)
	@$(BIN)/python -m tests.torture --seconds $(or $(SECONDS),120) --seed $(or $(SEED),1) $(TORTURE)

bench: $(BENCH)/.installed ## measure every row beside its peers, into docs/performance.md (Linux, two cores, about 15 minutes)
	@$(BENCH)/bin/python -m bench

bench-living: $(BENCH)/.installed ## people who walk and see who is near, up to the limit of each server, into the same page (half an hour)
	@$(BENCH)/bin/python -m bench.living

bench-quick: $(BENCH)/.installed ## one short run of each row, in about a minute; writes nothing
	@$(BENCH)/bin/python -m bench --quick

format: $(VENV)/.installed-dev ## put the code into its one format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: ## pin anew what the three requirements*.in name, with the hashes of every platform's files
	$(PYTHON) -m venv --clear .venv-lock && .venv-lock/bin/pip install --quiet uv
	for name in requirements requirements-dev requirements-bench; do \
		.venv-lock/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 \
			--generate-hashes --no-emit-index-url --no-emit-find-links \
			--custom-compile-command 'make lock' $$name.in --output-file $$name.txt || exit; \
	done

pictures: $(VENV)/.installed-dev ## make the pictures of the README anew, from a village of bots (Chromium; two minutes)
	@$(BIN)/python -m tests.browser.pictures

sbom: $(VENV)/.installed ## what the server is made of, as CycloneDX: sbom.json
	@$(BIN)/python -m tests.supply > sbom.json

audit: ## known advisories on what is pinned (asks PyPI); fails too where it cannot be asked
	$(PYTHON) -m venv --clear .venv-audit && .venv-audit/bin/pip install --quiet pip-audit
	for name in requirements requirements-dev; do \
		.venv-audit/bin/pip-audit --strict --disable-pip --require-hashes -r $$name.txt || exit; \
	done

clean: ## remove .venv and what tools left; the data folder stays
	rm -rf $(VENV) $(BENCH) .bench bench/peers/node_modules .venv-lock .venv-audit .fuzz sbom.json .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache test-output

$(BIN)/python $(BENCH)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'Hereabouts needs Python 3.11 or later; name one with PYTHON=, as in `make run PYTHON=python3.12`.' >&2; exit 1; }
	@$(PYTHON) -m pip --version > /dev/null 2>&1 || \
		{ echo 'Hereabouts needs pip: on Debian and Ubuntu, `apt install python3-pip`.' >&2; exit 1; }
	@$(PYTHON) -c 'import pip; v = pip.__version__.split("."); raise SystemExit((int(v[0]), int(v[1])) < (22, 3))' || \
		{ echo 'Hereabouts needs pip 22.3 or later: `$(PYTHON) -m pip install --upgrade pip`, or a newer Python with PYTHON=.' >&2; exit 1; }
	$(PYTHON) -m venv --without-pip $(@D)/..

# Stamps: done again only when the lock changes.
$(VENV)/.installed: requirements.txt | $(BIN)/python
	@echo 'Installing what the server needs into $(VENV) ...'
	@$(INSTALL) -r requirements.txt
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt | $(BIN)/python
	@echo 'Installing what the server, its tests and checks need into $(VENV) ...'
	@$(INSTALL) -r requirements-dev.txt
	@touch $@

# The peers of the benchmarks, in an environment of their own.
$(BENCH)/.installed: requirements-bench.txt | $(BENCH)/bin/python
	@echo 'Installing what the benchmarks need into $(BENCH) ...'
	@$(INSTALL) -r requirements-bench.txt
	@touch $@

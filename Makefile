# The one door: every command sets up what it needs first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help demo test check bench faults hours crashes outage proofs clean
.DEFAULT_GOAL := help

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | expand -t 12

$(READY): requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; found $$($(PYTHON) --version 2>&1). Set PYTHON=/path/to/python3.11"; exit 2; }
	@echo "Setting up $(VENV) (first time: about a minute) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "python3 -m venv failed: install your system's venv package (Debian: python3-venv)"; exit 2; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

demo: $(READY) ## Run the whole bus against four stand-in venues (DURATION=60 for an unattended run)
	@$(BIN)/balancebus demo $(if $(DURATION),--duration $(DURATION))

test: $(READY) ## Run every test against real Kafka, registry and PostgreSQL (WORKERS=3)
	@$(BIN)/python -m pytest tests --numprocesses $(or $(WORKERS),3) --dist worksteal

bench: $(READY) ## Measure speed and memory as ratios against bare loops
	@$(BIN)/python -m pytest tests/benchmarks -m benchmark -s

faults: $(READY) ## Print how soon each venue's faults are seen and mended
	@$(BIN)/python tests/venues/faults.py

hours: $(READY) ## Live through random hours of venues in compressed time (SEEDS=1000)
	@$(BIN)/python tests/venues/hours.py $(or $(SEEDS),1000)

crashes: $(READY) ## Kill services, Kafka and PostgreSQL at random points under traffic (ROUNDS=50)
	@$(BIN)/python tests/end_to_end/crashes.py $(or $(ROUNDS),50) $(SEED)

outage: $(READY) ## Have Alertmanager away and alerting killed meanwhile (MINUTES=5)
	@$(BIN)/python tests/end_to_end/outage.py $(or $(MINUTES),5) $(SEED)

proofs: $(READY) ## Judge the proof by the venues' truth over random lives (SEEDS=1000)
	@$(BIN)/python tests/services/balance_proof/lives.py $(or $(SEEDS),1000)

check: $(READY) ## Lint, types, import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

clean: ## Remove the virtual environment and caches of the tools
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help

.PHONY: help setup demo up down lock lint check test tests bench faults

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

setup: ## make the environment in .venv (needs only python3)
	@$(PYTHON) .ci/setup.py

demo: setup ## play 25 patients through twelve weeks of care (ARGS="--patients 50 --seed 7")
	@CARETRAIL_HOME=$${CARETRAIL_HOME:-.caretrail/demo} $(BIN)/caretrail demo $(ARGS)

up: setup ## start the local stack and leave it running; Ctrl-C stops it
	@$(BIN)/caretrail up

down: setup ## stop the local stack from another terminal
	@$(BIN)/caretrail down

lock: setup ## resolve requirements.lock anew from pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate \
	  --python-version 3.11 --upgrade --group dev pyproject.toml --output-file requirements.lock

lint: setup ## format, lint, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint ## lint, then the fast tests
	$(BIN)/pytest -q -m "not servers"

test: setup ## lint, and every test beside it, on real Kafka and PostgreSQL
	@$(MAKE) --no-print-directory --jobs 2 lint tests

# Three at once on two processors: tests wait for Kafka, and for each other.
tests: setup
	$(BIN)/pytest -n 3 --dist loadgroup

bench: setup ## measure beside the references (QUICK=1 smaller, ONLY=append_16,relay single keys)
	@CARETRAIL_HOME=$${CARETRAIL_HOME:-.caretrail/bench} $(BIN)/python -m benchmarks

SECONDS ?= 180
SEED ?=

faults: setup ## hurt a running stack and check what is left (SECONDS=7200 SEED=1)
	$(BIN)/python -m tests.faults --seconds $(SECONDS) $(if $(SEED),--seed $(SEED)) $(ARGS)

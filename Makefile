# Closebell: every verb. `make` alone lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run stop reset check test fuzz fmt docs bench bench-engine clean

# make run FEED=live|simulated|replay:<folder>   (default: live when the venue answers, else simulated)
FEED ?=
# First of ten loopback ports.
PORT ?= 8420
# Words passed on to pytest: make test ARGS="tests/unit -x"
ARGS ?=
# Files of tests that run at the same time, each with servers of its own; 0: one after the other
WORKERS ?= 3
YES ?=
# make fuzz: how many texts, and the seed they come from (default: a new one, shown)
COUNT ?= 10000000
SEED ?=

PYTHON := .venv/bin/python
export PATH := $(CURDIR)/.venv/bin:$(PATH)

help: ## list the verbs
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

run: ## start everything here and print the URL (FEED=live|simulated|replay:<folder>, PORT=8420)
	@local/install.sh run
	@exec $(PYTHON) -m local.run --feed "$(FEED)" --port "$(PORT)"

stop: ## end what `make run` started; the data stay
	@if [ -x $(PYTHON) ]; then exec $(PYTHON) -m local.stop; else echo "Nothing is running."; fi

reset: ## end it and delete its data: accounts, traders, signals (asks; YES=1 does not)
	@if [ -x $(PYTHON) ]; then exec $(PYTHON) -m local.stop --reset $(if $(YES),--yes); \
	else rm -rf .local; echo "Nothing was there."; fi

check: ## format, lint, types, imports, dashboard: what must hold before a commit
	@local/install.sh check
	ruff format --check .
	ruff check .
	mypy
	lint-imports
	cd dashboard && npm run --silent check

test: ## every test, a real browser included (ARGS="tests/unit -x" for some)
	@local/install.sh test
	$(PYTHON) -m pytest --numprocesses=$(WORKERS) --dist=loadfile --no-loadscope-reorder $(ARGS)
	cd dashboard && npm run --silent test

fuzz: ## send ten million random rules through the parser (COUNT=10000000 SEED=7)
	@local/install.sh check
	$(PYTHON) -m tests.unit.rules.fuzz --count $(COUNT) $(if $(SEED),--seed $(SEED))

fmt: ## put the code into its format, write .env.example and docs/settings.md anew
	@local/install.sh check
	ruff check --fix .
	ruff format .
	$(PYTHON) -m docs.settings

docs: ## write what is generated in docs/ anew: functions.md and its pictures, tables of cost.md
	@local/install.sh check
	uv sync --quiet --inexact --group docs
	$(PYTHON) -m docs.rules.generate
	$(PYTHON) -m docs.cost_table

bench: ## measure what docs/performance.md shows; writes bench/results.json
	@local/install.sh test
	$(PYTHON) -m bench

bench-engine: ## measure the rule engine against its peers, and how it grows (ARGS="growth" for a part)
	@local/install.sh test
	$(PYTHON) -m bench engine $(ARGS)

clean: ## delete what was built, not the data (.venv, node_modules, dashboard/dist, caches)
	rm -rf .venv local/node_modules dashboard/node_modules dashboard/dist shared/rules/libcompiled.so*
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

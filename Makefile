# What can be done here. Python packages go into .venv, from the hashed lock files of requirements/.
SHELL := /bin/sh
PYTHON ?= python3
BIN := $(CURDIR)/.venv/bin
BENCHMARKS := $(filter-out browsers common crowds influx nonsense panels soak streams,$(basename $(notdir $(wildcard benchmarks/[a-z]*.py))))
export PATH := $(BIN):$(PATH)

.PHONY: help run test lint bench images soak audit peers page lock wheel clean installed-run installed-dev

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: installed-run page  ## start router, hub, bridge and nodes on this machine; ARGS="--nodes host" goes to `sisock up`
	@exec $(BIN)/python tools/foreground.py $(BIN)/sisock up $(ARGS)

test: installed-dev page peers  ## run all tests, two modules at a time; ARGS="-k weather" goes to pytest
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: installed-dev page  ## style, types, floors, Dockerfiles; bundling the page checks the JavaScript
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/hadolint Dockerfile*

bench: installed-dev page  ## print every figure as a ratio against its peer, measured in the same run
	@missed=; for each in $(BENCHMARKS); do echo "== $$each"; $(BIN)/python -m "benchmarks.$$each" || missed="$$missed $$each"; done; \
	  [ -z "$$missed" ] || { echo "missed:$$missed"; exit 1; }

soak: installed-dev page  ## kill a recorder KILLS=500 times; CALLS=100000 senseless calls of each kind, and inputs of each reader (HOSTILE_SEED=N others); 1,000 resets of a node's connection; faults everywhere for MINUTES=60 (FAULT_SEED=N repeats); as long without any
	@KEEPER_KILLS=$${KILLS:-500} $(BIN)/python -m pytest -q tests/test_keeper.py
	@HOSTILE_CALLS=$${CALLS:-100000} $(BIN)/python -m pytest -q tests/test_readers_hostile.py tests/test_bridge_fuzz.py tests/system/test_procedures_hostile.py
	@RESETS=1000 $(BIN)/python -m pytest -q tests/system/test_store_and_forward.py -k reset
	@FAULT_SECONDS=$$((60 * $${MINUTES:-60})) $(BIN)/python -m pytest -q -s tests/system/test_fault_schedule.py
	@$(BIN)/python -m benchmarks.soak --minutes $${MINUTES:-60}

images: installed-dev page  ## build every image, start it and see it join a hub
	@$(BIN)/python -m tools.images $(ARGS)

peers: installed-dev  ## install the real programs that tests speak to (Chromium, lsof, schemathesis, …)
	@$(BIN)/python -m tests.peers

page: installed-run  ## bundle the browser page into js/dist
	@$(BIN)/python js/build.py

audit: installed-dev  ## ask whether anything is known against the packages that sisock runs with
	@$(BIN)/python -m tools.audit

wheel: installed-dev  ## build wheel and sdist into dist/
	@$(BIN)/python -m build --no-isolation

lock: installed-dev  ## write the lock files anew; ARGS="--upgrade" takes the newest versions
	@$(BIN)/python tools/lock.py $(ARGS)

clean:  ## remove all that make made here (not the state directory)
	rm -rf .venv dist js/dist js/node_modules .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

installed-run installed-dev: installed-%:
	@$(PYTHON) tools/setup.py $*

# Everything a developer types. `make` alone lists the targets; each says what it does beside its name.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.SUFFIXES:

# The interpreter that makes the venv: the newest found that is new enough and can make one. Override: make PYTHON=...
PYTHON ?= $(shell for name in python3.13 python3.12 python3.11 python3; do \
	"$$name" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$name" && break; done)
VENV := .venv/bin
STAMP := .venv/foresight-wheels
# What the venv was made for: the lock, the project's own metadata, and this folder (a venv does not survive a move).
SETUP_KEY = $$(cat requirements-dev.lock requirements.lock pyproject.toml | cksum) $(CURDIR)
# Test workers. Tests that run programs come last and mostly wait: three keep two cores busy (tests/conftest.py).
WORKERS ?= 3
ARGS ?=
WHEELS := --only-binary :all: --require-hashes
# uv takes its certificates from the system, as pip does.
export UV_SYSTEM_CERTS := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' Makefile

.PHONY: setup
setup: ## make .venv with everything at the versions of requirements-dev.lock (does nothing if it is there)
	@test "$$(cat $(STAMP) 2>/dev/null)" = "$(SETUP_KEY)" || $(MAKE) --no-print-directory .venv-prerequisites .venv-build

.PHONY: .venv-prerequisites
.venv-prerequisites:
	@command -v git >/dev/null || { echo "setup: git is missing: install git (Debian, Ubuntu: apt install git)" >&2; exit 2; }
	@test -n '$(PYTHON)' || { echo "setup: no Python >= 3.11 with venv and pip: install it (Debian, Ubuntu: apt install python3 python3-venv; or make setup PYTHON=/path/to/python3)" >&2; exit 2; }
	@'$(PYTHON)' -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo "setup: $(PYTHON) is older than 3.11 or lacks venv and pip: install python3-venv or name another with PYTHON=" >&2; exit 2; }

.PHONY: .venv-build
.venv-build:
	@{ $(VENV)/python -m pip --version >/dev/null 2>&1 && case "$$(cat $(STAMP) 2>/dev/null)" in ""|*" $(CURDIR)") ;; *) false ;; esac; } || \
	   '$(PYTHON)' -m venv --clear .venv
	@rm -f $(STAMP) .venv/foresight-wheels.sha256
	@awk '/^[a-z]/ {wanted = /^uv==/} wanted' requirements-dev.lock > .venv/requirements-uv.txt
	@echo "setup: installing the locked requirements (about a minute)"
	@# Wheels only: a source distribution runs its own program. And all anew: nobody knows how what is there was made.
	@{ $(VENV)/python -m pip install --quiet --no-deps $(WHEELS) -r .venv/requirements-uv.txt && \
	   $(VENV)/uv pip install --quiet --python $(VENV)/python $(WHEELS) --reinstall --compile-bytecode -r requirements-dev.lock; } || \
	   { echo "setup: uv did not manage; pip does the same, more slowly" >&2; \
	     $(VENV)/python -m pip install --quiet $(WHEELS) --force-reinstall -r requirements-dev.lock; }
	@# The one exception: our own tree, by the builder that the lock pins.
	@$(VENV)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@for package in state handoff deploy foresight; do test ! -d "$$package" || $(VENV)/python -m compileall -q "$$package"; done
	@# Tells deploy that this venv holds exactly what the lock says: an environment can be copied from it.
	@$(VENV)/python -m deploy.installed requirements.lock
	@echo "$(SETUP_KEY)" > $(STAMP)

.PHONY: run
run: setup ## start Foresight with its demonstration market, dashboard included
	@$(VENV)/foresight up $(ARGS)

.PHONY: demo
demo: setup ## show deploys under load and what they did not disturb (REPLAY=DIR trades recorded candles)
	@$(VENV)/python -m foresight.demo $(if $(REPLAY),--replay "$(REPLAY)") $(ARGS)

.PHONY: test
test: setup ## run the tests (ARGS="-k name" narrows, WORKERS=0 runs them in one process)
	@$(VENV)/python -m pytest -n $(WORKERS) --dist loadscope --no-loadscope-reorder $(ARGS)

.PHONY: lint
lint: setup ## check style, formatting, types and layers
	@$(VENV)/ruff check .
	@$(VENV)/ruff format --check .
	@$(VENV)/mypy
	@$(VENV)/lint-imports

.PHONY: sim
sim: setup ## search simulated worlds for a broken guarantee (SEEDS=n runs so many, SEED=n replays one)
	@$(VENV)/python -m tests.sim $(if $(SEED),--seed "$(SEED)") $(if $(SEEDS),--seeds "$(SEEDS)") $(ARGS)

.PHONY: sim-etcd
sim-etcd: setup ## search simulated hosts over a modelled etcd likewise, with the leases they hold
	@$(VENV)/python -m tests.etcd_sim $(if $(SEED),--seed "$(SEED)") $(if $(SEEDS),--seeds "$(SEEDS)") $(ARGS)

.PHONY: cluster
cluster: setup ## three members of an etcd, two hosts, a deploy across them, a host killed, the proof
	@$(VENV)/python -m tests.cluster.story $(ARGS)

.PHONY: cluster-faults
cluster-faults: setup ## ten minutes of kills, stops and partitions of members and hosts (about fifteen in all)
	@$(VENV)/python -m tests.cluster $(ARGS)

.PHONY: crash
crash: setup ## kill the store at every system call and look at what is left
	@$(VENV)/python -m tests.crash --full $(ARGS)

.PHONY: world
world: setup ## live a bot's whole life in each environment that is not kind (ARGS=--six tries six)
	@$(VENV)/python -m tests.world $(ARGS)

.PHONY: releases-bad
releases-bad: setup ## deploy each kind of bad release again and again, with outages (about ten minutes)
	@RELEASES_BAD=1 $(VENV)/python -m pytest -n 0 tests/process/test_bad_releases.py $(ARGS)

.PHONY: soak
soak: setup ## run for hours with deploys and faults, then prove the journal
	@$(VENV)/python -m bench.soak $(ARGS)

.PHONY: drill
drill: setup ## inject faults into a running demonstration and prove the guarantees on this machine
	@$(VENV)/foresight drill $(ARGS)

.PHONY: page
page: setup ## deploy twenty times before a browser, fifty requests a second, and stop what runs
	@$(VENV)/python -m tests.dashboard.deploying $(ARGS)

.PHONY: story
story: setup ## from an idea to what it earned, on recorded candles (CANDLES=DIR)
	@$(if $(CANDLES),CANDLES_RECORDED="$(CANDLES)") $(VENV)/python -m docs.story $(ARGS)

.PHONY: fairness
fairness: setup ## judge the local exchange's prices on recorded and synthetic minutes (about ten minutes)
	@$(VENV)/python -m bench.fairness $(ARGS)

.PHONY: clients
clients: setup ## try clients of others against the local exchange, in environments of their own (installs them once)
	@$(VENV)/python -m tests.clients $(ARGS)

.PHONY: bench
bench: setup ## measure medians and tails; a baseline, never a gate
	@$(VENV)/python -m bench $(ARGS)

.PHONY: docs
docs: setup ## draw the parts of the docs that come from the code
	@$(VENV)/python docs/build.py $(ARGS)

.PHONY: deploy
deploy: setup ## replace the running release by REF (default: HEAD)
	@$(VENV)/foresight deploy $(if $(REF),"$(REF)") $(ARGS)

.PHONY: rollback
rollback: setup ## go back to the previous release, or to RELEASE
	@$(VENV)/foresight rollback $(if $(RELEASE),"$(RELEASE)") $(ARGS)

.PHONY: status
status: setup ## show owner, release, cycle, positions and guards
	@$(VENV)/foresight status $(ARGS)

.PHONY: mutants
mutants: setup ## break one rule at a time and see a test fail for each, then as mutants-drawn
	@$(VENV)/python -m tests.mutants $(ARGS)
	@$(MAKE) --no-print-directory mutants-drawn ARGS=

.PHONY: mutants-drawn
mutants-drawn: setup ## change what a seed draws and see it noticed (DRAW=n so many, SEED=n others)
	@$(VENV)/python -m tests.drawn $(if $(DRAW),--count "$(DRAW)") $(if $(SEED),--seed "$(SEED)") $(ARGS)

# Both locks without any address, so that every machine installs from where it is used to.
LOCK = env -u PIP_FIND_LINKS UV_NO_CONFIG=1 UV_CUSTOM_COMPILE_COMMAND="make lock" $(VENV)/uv pip compile --quiet --universal \
	--generate-hashes --python-version 3.11 --fork-strategy fewest --no-emit-index-url --all-extras $(if $(UPGRADE),--upgrade) pyproject.toml
.PHONY: lock
lock: setup ## write both lock files from pyproject.toml (UPGRADE=1 takes newer versions)
	@$(LOCK) --group install -o requirements.lock
	@$(LOCK) --group dev -c requirements.lock -o requirements-dev.lock

# What `make clients` installs: wheels alone but for one package that has none.
LOCK_CLIENTS = env -u PIP_FIND_LINKS UV_NO_CONFIG=1 UV_CUSTOM_COMPILE_COMMAND="make lock-clients" $(VENV)/uv pip compile --quiet \
	--generate-hashes --only-binary :all: --python-version 3.11 --no-emit-index-url $(if $(UPGRADE),--upgrade)
.PHONY: lock-clients
lock-clients: setup ## write the locks of the environments of `make clients`
	@$(LOCK_CLIENTS) examples/clients/clients.in -o examples/clients/clients.lock
	@$(LOCK_CLIENTS) examples/clients/connector.in -o examples/clients/connector.lock
	@$(LOCK_CLIENTS) --no-binary sdnotify examples/clients/freqtrade.in -o examples/clients/freqtrade.lock

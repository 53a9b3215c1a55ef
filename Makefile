# Tieout. `make help` lists the targets. Needs Python >= 3.11 and make; everything else comes from the hash locks.
.DEFAULT_GOAL := help
.PHONY: help demo demo-next-day test faults lint bench peers up down psql clean lock docs env score

BIN := .venv/bin
UV := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
SIZE ?= 1k
SEED ?= 42
LEVEL ?= 2
SEEDS ?= 7,11,23
LEVELS ?= 1,2,3

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F '\t' '{printf "  make %-15s %s\n", $$1, $$2}'

env: ## build .venv from the hash lock (a no-op when it is current)
	@sh requirements/install.sh requirements/dev.lock

demo: env ## the whole pipeline on a simulated company, end to end; again: continue from its state
	@$(BIN)/tieout demo --size $(SIZE) --seed $(SEED) --level $(LEVEL)

demo-next-day: env ## let one day pass in the simulated company, then run again
	@$(BIN)/tieout demo --next-day

test: env ## everything CI runs
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

faults: env ## the long campaigns: kill -9, broken HTTP, random streams, concurrent runs; writes build/faults.json
	@$(BIN)/python -m tests.faults $(FAULTS)

score: env ## nine companies (three seeds, three levels) against their answer keys; writes docs/score.md
	@$(BIN)/tieout score --seeds $(SEEDS) --levels $(LEVELS) --write docs/score.md

lint: env ## ruff with import rules, import-linter, yamllint, sqlfluff on the models
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/yamllint --strict .
	@$(BIN)/python -m tieout.localpg start --home .tieout/lint > /dev/null
	env $$($(BIN)/python -m tieout.localpg env --home .tieout/lint) $(BIN)/sqlfluff lint --disable-progress-bar \
		dbt_project/models dbt_project/tests; code=$$?; \
		$(BIN)/python -m tieout.localpg stop --home .tieout/lint > /dev/null; exit $$code

bench: env ## speed as ratios to a limit measured in the same run; writes build/bench.json
	@$(BIN)/python -m tests.bench

peers: env ## install dlt and a Singer target into .venv-peers, so that `make bench` sets them beside ours
	@$(BIN)/python -m venv .venv-peers
	@$(BIN)/uv pip install --quiet --python .venv-peers/bin/python --require-hashes -r requirements/peers.lock

up: env ## Airflow (scheduler, api-server, dag-processor, triggerer) on the embedded Postgres
	@$(BIN)/tieout up

down: env ## stop what `make up` and `make demo` started
	@$(BIN)/tieout down

psql: env ## a shell in the demo's warehouse (as the reader that BI tools use; ROLE=owner for all)
	@$(BIN)/tieout psql --role $(or $(ROLE),bi)

docs: env ## write docs/data-dictionary.md from the models
	@$(BIN)/python -m tieout.transform.dictionary

lock: env ## resolve requirements/*.in into locks with hashes and without hosts
	$(UV) requirements/runtime.in -o requirements/runtime.lock
	$(UV) requirements/dev.in -c requirements/runtime.lock -o requirements/dev.lock
	$(UV) requirements/peers.in -o requirements/peers.lock

clean: ## stop everything and remove the demo, build output and caches (not .venv)
	@if [ -x $(BIN)/tieout ]; then $(BIN)/tieout down --remove-demo; fi
	@rm -rf build .pytest_cache .ruff_cache .hypothesis .import_linter_cache dbt_project/target dbt_project/logs

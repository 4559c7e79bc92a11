# Everything runs in .venv, made from $(LOCK): needs Python 3.11+, a C++20 compiler, make.
VENV ?= .venv
LOCK ?= requirements.lock
PYTHON ?= $(firstword $(foreach p,python3 python3.11 python3.12 python3.13,$(shell \
	$(p) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(p))))
BIN := $(VENV)/bin
NATIVE := $(shell find recsys_embed/native/src recsys_embed/native/include -type f) recsys_embed/native/CMakeLists.txt
SANITIZED := cmake -G Ninja -S recsys_embed/native -DCMAKE_BUILD_TYPE=Release

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-native chaos lint types bench wheel clean

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /make \1\t/' | expand -t 20

setup: $(VENV)/.installed ## the environment and the native core; quick when nothing changed

$(VENV)/.python: $(LOCK)
	@test -n "$(PYTHON)" || { echo "make: expected Python 3.11 or newer as python3 on PATH, found $$(python3 --version 2>&1); install it or run make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@command -v $${CXX:-c++} >/dev/null || { echo "make: expected a C++20 compiler named $${CXX:-c++} on PATH, found none; install g++ 12+ or clang 15+, or set CXX" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r $(LOCK)
	@touch $@

$(VENV)/.installed: $(VENV)/.python pyproject.toml $(NATIVE)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: setup ## train, serve, learn from a stream and be killed, recommend, on real data; under five minutes
	$(BIN)/python -m training.demo

test: setup ## the whole test suite, native tests included
	$(BIN)/python -m pytest -q

test-native: setup ## the native core under address, undefined-behaviour and thread sanitizers
	PATH="$(CURDIR)/$(BIN):$$PATH"; for kind in address,undefined thread; do \
	  $(SANITIZED) -B build/native-$${kind%%,*} -DRECSYS_EMBED_SANITIZE=$$kind >/dev/null && \
	  cmake --build build/native-$${kind%%,*} && \
	  ctest --test-dir build/native-$${kind%%,*} --output-on-failure || exit 1; done

chaos: setup ## every fault the log, trainer and follower survive, and what each costs; under 15 minutes
	$(BIN)/python -m tests.chaos

lint: setup ## style of Python and C++
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run --Werror $(filter %.cpp %.hpp,$(NATIVE)) $(wildcard tests/native/*.?pp)

types: setup ## mypy --strict on the library and the service
	$(BIN)/mypy

bench: setup ## every benchmark, a minute each
	for b in table train row_maps deltas lookup_http freshness retrieval; do $(BIN)/python -m benchmarks.$$b --quick || exit 1; done

wheel: setup ## a wheel of the three packages in dist/
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation -w dist .

clean: ## everything that was built or installed
	git clean -dfXq

# Each target first sets up what it needs (python/tools/setup_env.py): a virtual environment in .venv
# and a build in build/. Repeating a target does only what is out of date.
PYTHON ?= python3
ARGS   ?=

setup  := $(PYTHON) python/tools/setup_env.py
venv   := .venv/bin/python
cores  := $(shell nproc)
ctest  := .venv/bin/ctest --parallel $(cores) --output-on-failure --no-tests=error --test-dir

# Python is not instrumented: the sanitizer has to be loaded before it, and its leaks are its own.
library = $$($${CXX:-g++} -print-file-name=$(1))
in_asan = LD_PRELOAD="$(call library,libasan.so) $(call library,libstdc++.so)" PYTHONMALLOC=malloc \
  PYTHONPATH=build/asan/python UBSAN_OPTIONS=print_stacktrace=1 \
  ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1:detect_stack_use_after_return=1
# The Python tests that are worth their time there: values and shapes of all ops, and bad input.
hostile := test_bad_input or test_ops and (values or strided or empty or gradients_are)

.PHONY: help train train-cpp test prove soak bench bench-go instructions check tidy format asan tsan wheel clean

help:
	@echo "make train [ARGS=...]   train a network on handwritten digits (ARGS=--help lists options)"
	@echo "make train-cpp [ARGS=n] the same in C++, from a CSV file, for n epochs (20)"
	@echo "make test [ARGS=...]    build and run every test; ARGS go to pytest"
	@echo "make prove [ARGS=n]     every case of Go's under n seeds (1000), and all schedules of the models"
	@echo "make soak [ARGS=n]      a mixed load of the runtime for n seconds (3600)"
	@echo "make bench [ARGS=...]   measure against PyTorch; ARGS go to bench/vs_torch.py"
	@echo "make bench-go           measure the runtime against Go; writes docs/vs_go.md"
	@echo "make instructions       count the instructions of small calls against bench/instructions.json"
	@echo "make check              format, lint, layering, sizes"
	@echo "make tidy [ARGS=files]  clang-tidy"
	@echo "make format             format all sources in place"
	@echo "make asan               C++ tests, and Python tests of all ops, under AddressSanitizer"
	@echo "make tsan               C++ tests of the runtime and its users under ThreadSanitizer"
	@echo "make wheel              a wheel for other machines, in wheelhouse/"
	@echo "make clean              remove everything that these made"

train:
	@$(setup) train
	@$(venv) examples/train_digits.py $(ARGS)

train-cpp:
	@$(setup) train-cpp
	@$(venv) examples/digits_csv.py build/digits.csv
	@build/release/examples/train_digits build/digits.csv $(ARGS)

test:
	@$(setup) test
	$(ctest) build/release
	$(venv) -m pytest --numprocesses=$(cores) --timeout=300 $(ARGS)

prove:
	@$(setup) prove
	GOTORCH_SEEDS=$(or $(ARGS),1000) $(venv) python/tools/prove.py $(cores)

soak:
	@$(setup) soak
	build/release/runtime_soak $(ARGS)

bench:
	@$(setup) bench
	$(venv) bench/vs_torch.py $(ARGS)

bench-go:
	@$(setup) bench-go
	$(venv) bench/vs_go/run.py $(ARGS)

instructions:
	@$(setup) instructions
	$(venv) bench/instructions.py $(ARGS)

check:
	@$(setup) check
	$(venv) python/tools/check.py

tidy:
	@$(setup) tidy
	$(venv) python/tools/tidy.py $(ARGS)

format:
	@$(setup) check
	$(venv) python/tools/check.py --fix

# g++ 12's AddressSanitizer does not guard its locks over a fork: a child of a process in which a thread just starts may hang.
asan:
	@$(setup) asan
	GTEST_FILTER=-*AForkedChild* $(ctest) build/asan
	$(in_asan) $(venv) -m pytest --numprocesses=$(cores) --timeout=300 -k "$(hostile)" $(ARGS)

tsan:
	@$(setup) tsan
	$(ctest) build/tsan

wheel:
	@$(setup) wheel
	rm -rf dist
	$(venv) -m pip wheel --no-deps --wheel-dir dist .
	PATH=.venv/bin:$$PATH .venv/bin/auditwheel repair --wheel-dir wheelhouse dist/*.whl

clean:
	rm -rf build dist wheelhouse .venv digits.pt digits.png digits.safetensors

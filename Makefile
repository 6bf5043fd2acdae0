# Farmhand from a checkout. `make demo` shows it, `make test` checks everything.

CARGO ?= cargo

.PHONY: setup tools demo build test containers deb bench sim chaos fuzz coverage screens fmt fmt-check lint doc deny

# Installs what is missing: a Blender, a Python with `bpy`, libraries. Quick when nothing is.
setup:
	@.ci/setup

# The cargo tools that only the tests need.
tools: setup
	@.ci/setup tools

build:
	$(CARGO) build --release --locked

# Three local agents, the demo scene, the dashboard (progress lines where there is no terminal).
demo: setup build
	target/release/farmhand demo

# What CI runs. The tests start the real programs, so those are built first.
test: setup tools fmt-check lint
	$(CARGO) build --locked --workspace --all-targets
	$(CARGO) nextest run --locked --workspace
	$(CARGO) test --locked --workspace --doc
	$(MAKE) --no-print-directory doc deny containers

# A farm of containers, where there is a Docker engine; says so where there is none.
containers:
	tests/containers/compose-test

# What a program tells of itself, for packages: manual pages, and completions for shells.
told_by = rm -rf target/release/told/$(1) && target/release/$(1) man --dir target/release/told/$(1)/man \
  && gzip -9n target/release/told/$(1)/man/*.1 \
  $(foreach shell,bash zsh fish,&& target/release/$(1) completions $(shell) >target/release/told/$(1)/$(shell))

# Debian packages of both programs, in target/debian.
deb: setup
	@.ci/setup deb
	$(CARGO) build --release --locked -p farmhand -p farmhand-agent
	$(foreach program,farmhand farmhand-agent,$(call told_by,$(program)) &&) true
	$(CARGO) deb --locked --no-build -p farmhand
	$(CARGO) deb --locked --no-build -p farmhand-agent

# What a farm costs and how much it bears, see docs/figures.md. Prints figures, judges nothing.
bench: setup
	$(CARGO) build --release --locked --workspace --bins
	target/release/farmhand-bench
	target/release/farmhand-bench-dashboard
	target/release/farmhand-bench-transfer
	target/release/farmhand-bench-store
	target/release/farmhand-bench-throughput
	target/release/farmhand-bench-http

# Breaks a farm of this machine for 20 minutes and judges what is left; arguments in ARGS, see the program's head.
chaos: setup
	$(CARGO) build --release --locked -p farmhand -p farmhand-agent -p farmhand-tests
	target/release/farmhand-chaos $(ARGS)

# Lets cargo-fuzz look for bytes that do harm, five minutes for each reader; TARGETS names some of them.
# Needs cargo-fuzz (`cargo install cargo-fuzz`), a nightly toolchain and a C++ compiler.
TARGETS ?= frame_set seed_body farm_body farm_event agent_body agent_event manifest facts driver_line blend
FUZZ_SECONDS ?= 300
fuzz:
	@cargo fuzz --version >/dev/null 2>&1 || { echo 'make fuzz needs cargo-fuzz: cargo install --locked cargo-fuzz'; exit 2; }
	@cargo +nightly --version >/dev/null 2>&1 || { echo 'make fuzz needs a nightly toolchain: rustup toolchain install nightly'; exit 2; }
	mkdir -p tests/fuzz/found
	cd tests && for target in $(TARGETS); do mkdir -p fuzz/found/$$target; corpus=fuzz/corpus/$$target; \
	  [ -d $$corpus ] || corpus=../core/$$target/corpus; \
	  cargo +nightly fuzz run --sanitizer none --fuzz-dir fuzz $$target fuzz/found/$$target $$corpus -- \
	    -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=1024 || exit 1; done

# How much of the .blend reader its committed corpus reaches.
coverage:
	@.ci/coverage

# Pictures of the running dashboard for the README, into docs/screens.
screens: setup
	$(CARGO) build --locked -p farmhand -p farmhand-agent -p farmhand-tests
	$(CARGO) run --locked -p farmhand-tests --bin farmhand-screens

# The scheduler in virtual time: makespans over the lower bound, big farms, and seeds full of faults.
sim:
	$(CARGO) build --release --locked -p farmhand-tests --bin farm-sim
	target/release/farm-sim makespan
	target/release/farm-sim loss
	target/release/farm-sim fair
	target/release/farm-sim big
	target/release/farm-sim hunt

fmt:
	$(CARGO) fmt --all

fmt-check:
	$(CARGO) fmt --all --check

lint:
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

doc:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps

deny:
	$(CARGO) deny --log-level error check bans licenses sources

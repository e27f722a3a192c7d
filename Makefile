# What a person does with this project. Most of it needs only a Rust toolchain and make; what needs more says so.

CARGO ?= cargo
BUILD = $(CARGO) build --workspace --locked
TOPOLOGY = $(CARGO) run --locked --quiet --bin topology --

SIMULATOR = $(CARGO) run --locked --quiet --release --bin topology -- sim

# Runs many seeds and shows the sum, or what broke.
seeds = $(SIMULATOR) any --seeds 0..20000 $(1) > target/seeds.txt \
	&& tail -n 1 target/seeds.txt || { grep -E 'broken|again|smallest|runs,' target/seeds.txt; exit 1; }

# Most tests wait, for a silence or for another program, and take no processor meanwhile: with as many at once as there are
# cores, which is cargo's own choice, the cores are idle half of the time.
TEST_THREADS ?= 8

# What fuzzing needs besides a Rust toolchain: a nightly one (`rustup toolchain install nightly`) and a C++ compiler.
FUZZ_TARGETS = $(notdir $(wildcard fuzz/corpus/*))
FUZZ_SECONDS ?= 60
FUZZ_RUNS ?= 1000000000

# Runs one target; what it finds new goes to target/fuzz, not among what is kept.
fuzz = mkdir -p target/fuzz/$(1) && $(CARGO) +nightly fuzz run --fuzz-dir fuzz/libfuzzer $(1) target/fuzz/$(1) fuzz/corpus/$(1) \
	-- -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -timeout=10 -rss_limit_mb=1024

# A mutant that lives through the quick tests is tried again with all of them.
SLOW_TESTS = neighbors_that_flood what_is_remembered_reaches no_neighbor_has_more_of_a_kind what_waits_for_echoes \
	behind_an_honest a_neighbor_has_its_share numbers_are_never forged_contacts every_character_is_shown \
	a_line_of_ten_megabytes it_does_not_matter_where what_one_link_says a_deadline_is_never_late
MUTANTS = CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_TEST_DEBUG=0 $(CARGO) mutants -p common -o target --timeout 30

# The Rust version that is promised. What it builds is not what ours builds, so it has a directory of its own.
PROMISED_RUST = $(shell sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
RUSTUP ?= rustup
TYPOS ?= typos
# How long advisories are waited for, which are somewhere in the net, and what ends the wait.
ADVISORIES_WAIT ?= 60
TIMEOUT ?= timeout

# What is not installed here fails nothing and is not green either: it says what was not looked at, and how to get it.
comma := ,
not_run = echo "not run: $(1); to have it: $(2)"

# Where `make members` has its servents, and what they write down.
MEMBERS_IP ?= 127.0.0.1
MEMBERS_DIR ?= target/members

.PHONY: help run members test hosts test-long fuzz fuzz-long bench bench-peers scale mutants check deny promised typos diamond chain \
	topologies data clean

help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Bring up a diamond of four servents and open the client on it
	$(BUILD)
	$(TOPOLOGY) run diamond

members: ## Bring up three servents and tell what happens to them, in one order and as it happens, until Ctrl-C
	$(BUILD)
	@mkdir -p $(MEMBERS_DIR) && cd $(MEMBERS_DIR) && programs=$(CURDIR)/target/debug && rm -f *.says north.jsonl* west.jsonl* east.jsonl* && \
	mkfifo follow.says north.says west.says east.says && touch north.jsonl west.jsonl east.jsonl || exit 1; \
	trap 'trap "" INT TERM HUP; kill $$pids 2>/dev/null; wait' EXIT; trap 'exit 130' INT; trap 'exit 143' TERM HUP; \
	$$programs/topology events --follow north.jsonl west.jsonl east.jsonl 2>follow.says & follow=$$!; pids=$$follow; \
	exec 3<follow.says; read following <&3 || exit 1; cat <&3 >&2 & exec 3<&-; \
	serve() { \
		name=$$1 address=$(MEMBERS_IP):$$2; shift 2; \
		$$programs/servent -q $$address - $$@ --events $$name.jsonl --with-parent $$$$ >$$name.says & \
		pids="$$pids $$!"; read listening <$$name.says || exit 1; echo "$$name is $$address, process $$!" >&2; \
	}; \
	serve north 9001; serve west 9002 $(MEMBERS_IP):9001; serve east 9003 $(MEMBERS_IP):9001 $(MEMBERS_IP):9002; \
	echo "in another terminal: target/debug/client $(MEMBERS_IP):9001 -c M; kill -9 one of these processes" >&2; \
	wait $$follow

diamond: ## Bring up the diamond, ask it, and compare with what it must say
	$(BUILD)
	$(TOPOLOGY) check diamond

chain: ## The same with the chain of six, where the TTL stops a query before the last
	$(BUILD)
	$(TOPOLOGY) check chain

topologies: ## The same with every declared topology
	$(BUILD)
	for name in $(notdir $(basename $(wildcard topologies/*.topo))); do $(TOPOLOGY) check $$name || exit 1; done

test: ## Run every test
	$(BUILD)
	$(CARGO) test --workspace --locked --no-fail-fast -- --test-threads $(TEST_THREADS)

hosts: ## Ask from behind firewalls and a NAT, on three hosts that are namespaces of this one; needs ip, nft and mostly root
	$(BUILD)
	$(CARGO) build --locked --quiet -p client --examples
	HOSTS_ALL_OR_FAIL=1 $(CARGO) test --locked --quiet -p client --test it -- --nocapture --test-threads 1 hosts::apart::

test-long: ## Simulate 120,000 overlays with every fault and 40,000 with none; write data anew 10,000 times; stop servents for 10 minutes; fetch 10 GB, share 100,000 files
	$(call seeds,--faults wild)
	$(call seeds,--faults wild --via back)
	$(call seeds,--faults wild$(comma)nat=50% --via mixed)
	$(call seeds,--contents 6 --holders 3 --liars 1 --disk wild --faults wild)
	$(call seeds,--writes 40 --disk wild --faults wild$(comma)crash=1..4)
	$(call seeds,--writes 40 --contents 6 --holders 3 --liars 1 --disk wild --faults wild$(comma)crash=1..4)
	$(call seeds,--faults none --servents 40 --ttl 4 --queries 3 --wire native)
	$(call seeds,--faults none --servents 25 --ttl 7 --holders 25 --queries 3 --wire native --delays heavy --via back)
	$(CARGO) run --locked --quiet --release --bin topology -- sim random --servents 100 --degree 8 --seeds 0..10 --with-members --watch 36000s
	$(CARGO) run --locked --quiet --release --bin topology -- sim ring --servents 160 --seed 1 --with-members --watch 7200s
	$(CARGO) run --locked --quiet --release --bin topology -- sim random --servents 1000 --degree 8 --seed 1 --with-members --watch 7200s
	$(CARGO) run --locked --quiet --release --bin topology -- sim random --servents 1000 --degree 8 --seeds 1..3 --with-members --faults stop=10%
	$(CARGO) run --locked --quiet --release --bin topology -- sim any --seeds 0..500 --with-members --faults exodus=20%$(comma)greet=40
	DATA_VERSIONS=10000 $(CARGO) test --locked -p servent --test hostile data_re
	STOPPED_SECONDS=20 $(CARGO) test --locked -p servent --test it stopped
	STOPPED_SECONDS=600 $(CARGO) test --locked -p servent --test it stopped
	LIES=1000000 $(CARGO) test --locked -p servent --test hostile_peers liars
	KILLS=200 $(CARGO) test --locked -p servent --test it store::killed::whoever_is_killed
	$(BUILD) --release
	CONTENT_BYTES=10000000000 $(CARGO) test --locked --release -p client --test it content::large::a_content
	CONTENT_BYTES=10000000000 $(CARGO) test --locked --release -p servent --test it giving::large
	SHARED_FILES=100000 $(CARGO) test --locked --release -p client --test it content::large::so_many

fuzz: ## Run each fuzz target under libFuzzer for FUZZ_SECONDS (60)
	$(CARGO) fuzz --version >/dev/null 2>&1 || $(CARGO) install cargo-fuzz --locked
	for target in $(FUZZ_TARGETS); do $(call fuzz,$$target) || exit 1; done

fuzz-long: ## Run the three decoders FUZZ_RUNS times each (1,000,000,000: an hour or two), on stable
	for target in native tp3 framer; do \
		$(CARGO) run --locked --quiet --release -p fuzz -- $$target --runs $(FUZZ_RUNS) || exit 1; done

mutants: ## Change the pure core in 2,400 small ways and list what no test notices (many hours)
	$(CARGO) mutants --version >/dev/null 2>&1 || $(CARGO) install cargo-mutants --locked
	$(MUTANTS) -- --tests -- $(addprefix --skip ,$(SLOW_TESTS)) || test $$? -le 3
	$(MUTANTS) --iterate -- --tests || test $$? -le 3

bench: ## Measure how fast servents are, beside programs that do the least possible work; BENCH_LONG=1 takes longer
	$(BUILD) --release
	target/release/topology bench $(if $(BENCH_LONG),--long) $(BENCH)

bench-peers: ## Measure them beside redis-server, nats-server and dnsmasq, where these are installed
	$(BUILD) --release
	target/release/topology bench --peers

scale: ## Measure how a flood grows, and write the charts and tables of docs/SCALE.md
	$(CARGO) run --locked --quiet --release --bin topology -- scale

check: ## Formatting, lints and docs, all without a warning; then deny, promised and typos, where these are installed
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) clippy -p servent -p client --lib --no-default-features --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked --quiet
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked --quiet --document-private-items \
		--target-dir target/private
	@$(MAKE) --no-print-directory deny promised typos

deny: ## Look at the licences, sources and advisories of what we depend on, with cargo-deny
	@if ! $(CARGO) deny --version >/dev/null 2>&1; then \
		$(call not_run,licences$(comma) sources and advisories of dependencies,cargo install cargo-deny --locked); \
	elif ! $(TIMEOUT) 1 true >/dev/null 2>&1; then \
		$(CARGO) deny check bans licenses sources && \
		$(call not_run,advisories (the rest of cargo-deny was),timeout$(comma) which is in GNU coreutils); \
	elif $(TIMEOUT) $(ADVISORIES_WAIT) $(CARGO) deny fetch db >/dev/null 2>&1; then \
		$(CARGO) deny check --disable-fetch; \
	else \
		$(CARGO) deny check bans licenses sources && \
		$(call not_run,advisories (the rest of cargo-deny was),a way to github.com); \
	fi

promised: ## Compile everything with the Rust version that Cargo.toml promises
	@toolchain=$$($(RUSTUP) toolchain list 2>/dev/null | sed -n 's/^\($(PROMISED_RUST)[-.][^ ]*\).*/\1/p' | head -n 1); \
	if $(CARGO) --version 2>/dev/null | grep -q '^cargo $(PROMISED_RUST)\.'; then \
		echo "Rust $(PROMISED_RUST), which Cargo.toml promises, is the one in use"; \
	elif [ -n "$$toolchain" ]; then \
		$(RUSTUP) run "$$toolchain" cargo check --workspace --all-targets --locked --target-dir target/promised; \
	else \
		$(call not_run,a build with Rust $(PROMISED_RUST)$(comma) which Cargo.toml promises,rustup toolchain install $(PROMISED_RUST) --profile minimal); \
	fi

typos: ## Look for misspelt words, with typos
	@if ! $(TYPOS) --version >/dev/null 2>&1; then \
		$(call not_run,a search for misspelt words,cargo install typos-cli --locked); \
	else \
		$(TYPOS); \
	fi

data: ## Turn what this machine knows (services, countries, packages …) into key-value files in data/local
	data/from-host

clean: ## Remove what was built
	$(CARGO) clean

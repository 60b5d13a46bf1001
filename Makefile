# What can be done here; `make` alone prints the list.

SHELL := /bin/bash
CARGO ?= cargo
# where cargo builds
TARGET := $(or $(CARGO_TARGET_DIR),target)
PLUGIN := $(TARGET)/release/libmsgr2_wireshark.so

.DEFAULT_GOAL := help
.PHONY: help setup plugin build install uninstall demo test bench screenshot check-ceph check-matrix check-traffic check-plugin-fuzz check-clean clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install the Debian packages that are missing (other targets do it by themselves)
	@scripts/setup
	@scripts/check-rust

plugin: setup ## build the Wireshark plugin, for the Wireshark that is installed
	@# by itself, so that no feature of another package gets into it
	$(CARGO) build --release -p msgr2-wireshark
	@echo "plugin: $(PLUGIN), for Wireshark $$(scripts/plugin-series $(PLUGIN)).x"

build: setup ## build the program msgr2
	$(CARGO) build --release --features cli
	@echo "program: $(TARGET)/release/msgr2"

install: plugin build ## put plugin and program below your ~/.local (PLUGIN_DIR and BIN_DIR say otherwise)
	@scripts/install $(TARGET)

uninstall: ## take them away again
	@scripts/install --remove $(TARGET)

demo: plugin build ## show a captured handshake, and two peers that speak the proposal
	@scripts/demo $(TARGET)

test: setup ## run all checks
	@scripts/test $(TARGET)

check-ceph: setup ## let our peers talk to real Ceph daemons and clients (as root)
	@scripts/check-ceph $(TARGET)

check-matrix: setup ## the same with every release of Ceph in Debian, the plugin with every Wireshark; takes an hour (as root)
	@scripts/check-matrix $(TARGET)

bench: plugin build ## measure how fast frames and captures are decoded and peers speak
	@scripts/bench $(TARGET)

screenshot: plugin ## take the pictures in the README anew
	@scripts/setup scripts/packages-screenshot
	@scripts/screenshot $(PLUGIN) docs/handshake.png tests/captures/crc-mon-cephx.pcap 'msgr2.tag == 6' 'Auth done'
	@scripts/screenshot $(PLUGIN) docs/secure.png tests/captures/secure-tickets.pcap 'msgr2.message.type == "OSD_OP"' 'Message'
	@scripts/screenshot $(PLUGIN) docs/proposal.png tests/captures/proposal-exchange.pcapng 'msgr2.msg and !msgr2.start' 'Ceph Messenger'

check-traffic: plugin ## what TCP does to captures: retransmissions, swaps, copies, tunnels, losses, over all of them
	MSGR2_TRAFFIC=all MSGR2_PLUGIN=$(abspath $(PLUGIN)) \
		$(CARGO) test -q --release -p msgr2 --features cli --test plugin -- traffic

check-plugin-fuzz: plugin ## many rounds of damaged captures through the plugin
	MSGR2_PLUGIN=$(abspath $(PLUGIN)) tests/fuzz-plugin 200 \
		$(wildcard tests/captures/*.pcap*) $(wildcard ../shared/captures/*.pcapng)

check-clean: ## run demo and test on a bare Debian in a temporary folder (as root, needs debootstrap)
	@scripts/check-clean

clean: ## remove what was built
	$(CARGO) clean

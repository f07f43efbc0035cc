# The project's commands; `make` lists them. What they need from the system they install first, saying what and why.

# Mesa's software driver and window systems ask for this directory, which only a login makes.
ifndef XDG_RUNTIME_DIR
export XDG_RUNTIME_DIR := $(CURDIR)/target/xdg-runtime
$(shell mkdir -p -m 700 "$(XDG_RUNTIME_DIR)")
endif

INSTALL := scripts/install-dependencies
SCALE ?= 1
SECONDS ?= 600

.PHONY: help demo test test-camera test-long bench lint lint-all fuzz sanitize

help: ## lists these commands
	@sed -n 's/^\([a-z-]*\):.*## /  make \1#/p' $(MAKEFILE_LIST) | awk -F'#' '{ printf "%-18s %s\n", $$1, $$2 }'

demo: ## a ball bounces over live video: 300 frames (ARGS='--sink record:ball.mp4' and the like go to the example)
	@scripts/demo $(ARGS)

test: ## all tests that need no camera
	@$(INSTALL) build run test
	cargo test --workspace --no-fail-fast

test-camera: ## the camera, in a small virtual machine that has one
	@$(INSTALL) build run test camera
	scripts/test-camera

test-long: ## stress, kill and long runs (SCALE=0.1 for a tenth of them)
	@$(INSTALL) build run test
	scripts/test-long $(SCALE)

bench: ## benchmarks beside programs written by hand, and GStreamer if it is there (BENCH=live, hop, limits, shaders, scale or first_frame for one)
	@$(INSTALL) build run
	cargo bench -p streamlib-benches $(if $(BENCH),--bench $(BENCH))

lint: ## formatting, clippy, documentation; spelling, licences and scripts where their tools are installed
	@$(INSTALL) build
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps
	@scripts/lint-texts

lint-all: ## lint, advisories, each feature, the oldest compiler promised; installs the tools that it needs
	@scripts/lint-all

fuzz: ## the fuzzers, each for SECONDS=600 (needs a nightly compiler)
	@$(INSTALL) build
	@scripts/fuzz $(SECONDS)

sanitize: ## the core's tests under AddressSanitizer, ThreadSanitizer and Miri, where they can run (needs a nightly compiler)
	@$(INSTALL) build
	@scripts/sanitize

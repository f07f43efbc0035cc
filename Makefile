# The project's commands; `make` lists them. What they need from the system they install first, saying what and why.

# Mesa's software driver and window systems ask for this directory, which only a login makes.
ifndef XDG_RUNTIME_DIR
export XDG_RUNTIME_DIR := $(CURDIR)/target/xdg-runtime
$(shell mkdir -p -m 700 "$(XDG_RUNTIME_DIR)")
endif

INSTALL := scripts/install-dependencies
SCALE ?= 1
SECONDS ?= 600

.PHONY: help demo demo-python test test-rust test-python test-camera test-long test-asan test-valgrind bench bench-python wheel lint lint-python lint-all fuzz sanitize

help: ## lists these commands
	@sed -n 's/^\([a-z-]*\):.*## /  make \1#/p' $(MAKEFILE_LIST) | awk -F'#' '{ printf "%-18s %s\n", $$1, $$2 }'

demo: ## a ball bounces over live video: 300 frames (ARGS='--sink record:ball.mp4' and the like go to the example)
	@scripts/demo $(ARGS)

demo-python: ## the same from Python: builds the package into a virtual environment, target/python-demo
	@scripts/demo-python $(ARGS)

test: test-rust test-python ## all tests that need no camera

test-rust: ## those of the Rust crates
	@$(INSTALL) build run test
	cargo test --workspace --no-fail-fast

test-python: ## those of the Python package (ARGS='-k frames' and the like go to pytest)
	@$(INSTALL) build run test python
	@scripts/test-python $(ARGS)

test-asan: ## the Python package's memory tests under AddressSanitizer with leak detection (needs a nightly compiler)
	@$(INSTALL) build python memory
	@scripts/python-memory address

test-valgrind: ## the same under Valgrind
	@$(INSTALL) build python memory
	@scripts/python-memory valgrind

test-camera: ## the camera, in a small virtual machine that has one
	@$(INSTALL) build run test camera
	scripts/test-camera

test-long: ## stress, kill and long runs (SCALE=0.1 for a tenth of them)
	@$(INSTALL) build run test
	scripts/test-long $(SCALE)

bench: ## benchmarks beside programs written by hand, and GStreamer if it is there (BENCH=live, hop, limits, shaders, scale or first_frame for one)
	@$(INSTALL) build run
	cargo bench -p streamlib-benches $(if $(BENCH),--bench $(BENCH))

bench-python: ## what Python costs, beside the same calls from Rust, wgpu-py and gst-python where it is there
	@$(INSTALL) build run python
	@scripts/bench-python $(ARGS)

wheel: ## a wheel of the Python package, tried in a clean environment of each CPython that is here
	@$(INSTALL) build run python
	@scripts/wheel

lint: lint-rust lint-python ## formatting, types, documentation; spelling, licences and scripts where their tools are installed

lint-python: ## the Python package: ruff, mypy, pyright, and whether its stubs are what the Rust source says
	@$(INSTALL) build python
	@scripts/lint-python

lint-rust: ## formatting, clippy, documentation; spelling, licences and scripts where their tools are installed
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

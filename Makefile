# EdgeLLM: `make demo` shows the command at work, `make test` runs every test. Both install what is missing first.

SWIFT ?= swift
FUZZ_SECONDS ?= 30

.PHONY: demo build test test-debug test-release fuzz lint soak format clean packages

packages:
	@.ci/packages

build: packages
	$(SWIFT) build -c release --product edge-llm

# Until there is a bundled model that talks: shows what a file holds.
demo: build
	$(SWIFT) run -c release edge-llm inspect Fixtures/one-layer.gguf

test: packages lint test-debug fuzz
	@echo "all tests passed"

test-debug: packages
	$(SWIFT) build --build-tests -Xswiftc -warnings-as-errors
	$(SWIFT) test --skip-build

# The kernels are optimised in both; this catches what only an optimised or only an unoptimised test shows.
test-release: packages
	$(SWIFT) test -c release -Xswiftc -enable-testing

lint:
	$(SWIFT) format lint --strict --recursive Package.swift Sources Tests

# Damaged files must give errors and nothing else; seeds are printed, so a failure can be repeated.
fuzz: packages
	$(SWIFT) build -c release --product edge-fuzz
	"$$($(SWIFT) build -c release --show-bin-path)/edge-fuzz" --seconds $(FUZZ_SECONDS)

# Long runs: a million damaged files through reader, loader and a token.
soak: packages
	$(SWIFT) build -c release --product edge-fuzz
	"$$($(SWIFT) build -c release --show-bin-path)/edge-fuzz" --iterations 1000000

format:
	$(SWIFT) format --in-place --recursive Package.swift Sources Tests

clean:
	rm -rf .build Benchmarks/.build

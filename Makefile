# EdgeLLM: `make demo` runs the bundled model, `make test` runs every test. Both install what is missing first.

SWIFT ?= swift
MODEL ?= Fixtures/edge-car-1m.gguf
PROMPT ?= Question: Why is the engine light flashing and the car vibrating?\nAnswer:
FUZZ_SECONDS ?= 60

.PHONY: demo build test test-debug test-release fuzz consumer lint soak bench format clean packages

packages:
	@.ci/packages

build: packages
	$(SWIFT) build -c release --product edge-llm

demo: build
	@printf '$(PROMPT)' | "$$($(SWIFT) build -c release --show-bin-path)/edge-llm" run -m $(MODEL) --temp 0 --echo

test: packages lint test-debug test-release fuzz consumer
	@echo "all tests passed"

test-debug: packages
	$(SWIFT) build --build-tests -Xswiftc -warnings-as-errors
	$(SWIFT) test --skip-build

# The kernels are optimised in both; this catches what only an optimised or only an unoptimised test shows.
test-release: packages
	$(SWIFT) test -c release -Xswiftc -enable-testing

lint:
	$(SWIFT) format lint --strict --recursive Package.swift Sources Tests Benchmarks

# Damaged files must give errors and nothing else; seeds are printed, so a failure can be repeated.
fuzz: packages
	$(SWIFT) build -c release --product edge-fuzz
	"$$($(SWIFT) build -c release --show-bin-path)/edge-fuzz" --seconds $(FUZZ_SECONDS)

# A stranger's package that depends on a tagged clone by URL.
consumer: packages
	Tests/Consumer/check

# Long runs: a million damaged files through reader, loader and a token.
soak: packages
	$(SWIFT) build -c release --product edge-fuzz
	"$$($(SWIFT) build -c release --show-bin-path)/edge-fuzz" --iterations 1000000

bench: packages
	$(SWIFT) run -c release --package-path Benchmarks EdgeBenchmarks

format:
	$(SWIFT) format --in-place --recursive Package.swift Sources Tests Benchmarks

clean:
	rm -rf .build Benchmarks/.build

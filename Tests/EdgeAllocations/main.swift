import EdgeCache
import EdgeGGUF
import EdgeKernels
import EdgeModel
import EdgePlatform
import EdgeSampling
import Foundation
import Synchronization

// Shows, on Linux with glibc, that a token allocates nothing: counts every call of the allocator, on all threads, while tokens are computed and
// chosen. Arguments: a GGUF file, and adapters of it. Exit code 1 and a line for each step that allocated.

#if canImport(Glibc)
    /// Allocations while the closure runs.
    func allocations(_ body: () -> Void) -> Int {
        let before = allocationCount.load(ordering: .sequentiallyConsistent)
        body()
        return allocationCount.load(ordering: .sequentiallyConsistent) - before
    }

    /// A sampler that chooses and is told of its choice, as in a generation.
    final class Chooser {
        let name: String
        private var sampler: Sampler

        init(name: String, sampler: Sampler) {
            self.name = name
            self.sampler = sampler
            self.sampler.reserve(256)
        }

        func choose(_ logits: Rows) {
            logits.withSpan(row: 0) { logits in
                if let id = try? sampler.sample(logits) { sampler.accept(id) }
            }
        }
    }

    /// Keeps an allocation from being optimised away.
    nonisolated(unsafe) var kept: [Int64] = []

    func measure(_ path: String, adapters: [String]) throws -> Bool {
        let model = try Model(GGUFFile(path: path))
        let pass = try ForwardPass(model, team: ThreadTeam(threadCount: 2), batchCapacity: 64)
        let stack = try pass.makeStack(
            adapters.map { AppliedAdapter(try LoRAAdapter(GGUFFile(path: $0), for: model), scale: 0.5) })
        let cache = try model.makeCache(capacity: 256, precision: .f16)
        let ids = (0..<256).map { Int32($0 % model.vocabularySize) }
        var choosers: [Chooser] = []
        for (name, change) in [
            ("greedy", { $0 = .greedy }), ("default chain", { _ in }),
            (
                "every stage",
                {
                    $0.typicalP = 0.9
                    $0.topNSigma = 2
                    $0.repetitionPenalty = 1.1
                    $0.frequencyPenalty = 0.1
                    $0.dry.multiplier = 0.5
                    $0.xtc.probability = 0.5
                }
            ), ("mirostat", { $0.mirostat = .init() }),
        ] as [(String, (inout SamplingParameters) -> Void)] {
            var parameters = SamplingParameters()
            change(&parameters)
            choosers.append(
                Chooser(name: name, sampler: try Sampler(parameters, vocabularySize: model.vocabularySize)))
        }

        // Once before counting, so that what is set up on first use is.
        var counts: [(name: String, count: Int)] = []
        for _ in 0..<2 {
            counts.removeAll(keepingCapacity: true)
            cache.removeAll()
            let prompt = allocations { pass.run(ids[0..<64], cache: cache, logits: 63..<64) }
            let tokens = allocations { for i in 64..<96 { pass.run(ids[i..<i + 1], cache: cache, logits: 0..<1) } }
            counts.append(("a prompt of 64 tokens", prompt))
            counts.append(("32 tokens", tokens))
            cache.removeAll()
            let adapted = allocations {
                pass.run(ids[0..<64], cache: cache, logits: 63..<64, adapters: stack)
                for i in 64..<96 { pass.run(ids[i..<i + 1], cache: cache, logits: 0..<1, adapters: stack) }
            }
            counts.append(("a prompt and 32 tokens with \(adapters.count) adapters", adapted))
            for chooser in choosers {
                let chosen = allocations { for _ in 0..<32 { chooser.choose(pass.logits) } }
                counts.append(("32 choices, \(chooser.name)", chosen))
            }
        }
        // Weights and a cache that are not all in memory: blocks go to the file and come back meanwhile.
        let file = try GGUFFile(path: path)
        let streamed = try Model(file, weightLimit: file.byteCount / 2)
        let streaming = try ForwardPass(streamed, team: ThreadTeam(threadCount: 2), batchCapacity: 64)
        let spilled = try streamed.makeCache(
            capacity: 2048, batchCapacity: 64, precision: .f16,
            spill: .init(byteCount: 1 << 20, folder: FileManager.default.temporaryDirectory.path))
        for _ in 0..<16 { streaming.run(ids[0..<64], cache: spilled, logits: 0..<0) }
        let staged = allocations {
            streaming.run(ids[0..<64], cache: spilled, logits: 63..<64)
            for i in 64..<128 { streaming.run(ids[i..<i + 1], cache: spilled, logits: 0..<1) }
        }
        guard streamed.stream != nil, spilled.pool.spill?.parts.isEmpty == false else {
            print("everything fits the memory that there may be")
            return false
        }
        counts.append(("a prompt and 64 tokens from files", staged))
        // The counter does count.
        let control = allocations { kept = ids.map { Int64($0) } }
        counts.forEach { print("\($0.count) allocations: \($0.name)") }
        if control == 0 { print("the counter does not count") }
        return control > 0 && counts.allSatisfy { $0.count == 0 }
    }

    guard CommandLine.arguments.count >= 2 else {
        print("usage: edge-allocations FILE.gguf [ADAPTER.gguf ...]")
        exit(64)
    }
    do {
        exit(try measure(CommandLine.arguments[1], adapters: Array(CommandLine.arguments.dropFirst(2))) ? 0 : 1)
    } catch {
        print("FAILED: \(error)")
        exit(1)
    }
#else
    print("allocations can only be counted on Linux with glibc")
#endif

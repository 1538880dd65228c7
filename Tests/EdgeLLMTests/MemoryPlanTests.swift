import EdgeEngine
import EdgeLLM
import EdgeTestSupport
import Foundation
import Testing

@Suite("Memory plans") struct MemoryPlanTests {
    private func plan(_ options: GGUFLanguageModel.LoadOptions) throws -> MemoryPlan {
        try MemoryPlan(contentsOf: bundled, options: options)
    }

    @Test("The parts follow the settings, byte for byte")
    func parts() throws {
        let small = try plan(.init(contextSize: 512, threadCount: 1, batchSize: 64))
        let large = try plan(.init(contextSize: 1024, threadCount: 1, batchSize: 64))
        let exact = try plan(.init(contextSize: 512, threadCount: 1, cachePrecision: .f32, batchSize: 64))
        let size = try FileManager.default.attributesOfItem(atPath: bundled.path)[.size] as? Int
        #expect(small.weights == size && small.total == small.weights + small.cache + small.activations + small.scratch)
        // A block more than the context's, for a copy: 17 and 33 of the same size.
        #expect(small.cache % 17 == 0 && large.cache == small.cache / 17 * 33 && exact.cache == 2 * small.cache)
        #expect(small.activations == large.activations && small.scratch == large.scratch)
        let threads = try plan(.init(contextSize: 512, threadCount: 4, batchSize: 64))
        #expect(threads.scratch > small.scratch && threads.activations == small.activations)
        let batch = try plan(.init(contextSize: 512, threadCount: 1, batchSize: 512))
        #expect(batch.activations > 4 * small.activations && batch.cache == small.cache)
        // No batch is larger than the context.
        #expect(try plan(.init(contextSize: 32, batchSize: 512)).activations < small.activations)
        #expect(try JSONDecoder().decode(MemoryPlan.self, from: JSONEncoder().encode(small)) == small)
        // More than there is anywhere is a number, and no crash.
        #expect(try plan(.init(contextSize: 1 << 30)).total > 1 << 38)
    }

    @Test("Settings that make no sense are refused", arguments: [(0, 1, 1), (1 << 31, 1, 1), (8, 0, 1), (8, 1, 0)])
    func refusals(context: Int, threads: Int, batch: Int) async throws {
        let options = GGUFLanguageModel.LoadOptions(contextSize: context, threadCount: threads, batchSize: batch)
        let planned = #expect(throws: ModelLoadingError.self) { try plan(options) }
        let loaded = await #expect(throws: ModelLoadingError.self) {
            try await GGUFLanguageModel(contentsOf: bundled, options: options)
        }
        #expect(planned?.code == .invalidOptions && loaded?.code == .invalidOptions)
    }

    @Test("A limit that is too low names what would fit, and what it names fits")
    func limit() async throws {
        var options = GGUFLanguageModel.LoadOptions(contextSize: 4096, threadCount: 1, cachePrecision: .f32)
        let whole = try plan(options)
        options.memoryLimit = whole.total - 1
        let error = await #expect(throws: ModelLoadingError.self) {
            try await GGUFLanguageModel(contentsOf: bundled, options: options)
        }
        let shortage = try #require(error?.shortage)
        #expect(error?.code == .insufficientMemory && shortage.plan == whole && shortage.limit == whole.total - 1)
        #expect(error?.message.contains("4064") == true && error?.message.contains("f16") == true)
        #expect(shortage.alternatives.first?.contextSize == 4064)
        for fit in shortage.alternatives {
            #expect(fit.total < whole.total)
            let options = GGUFLanguageModel.LoadOptions(
                contextSize: fit.contextSize, threadCount: fit.threadCount, cachePrecision: fit.cachePrecision,
                batchSize: fit.batchSize, memoryLimit: whole.total - 1, weightMemory: fit.weightMemory,
                cacheMemory: fit.cacheMemory)
            #expect(try await GGUFLanguageModel(contentsOf: bundled, options: options).contextSize == fit.contextSize)
        }
        options.memoryLimit = 1000
        let none = await #expect(throws: ModelLoadingError.self) {
            try await GGUFLanguageModel(contentsOf: bundled, options: options)
        }
        #expect(none?.shortage?.alternatives.isEmpty == true)
    }

    @Test("At the limit a model runs, and any number of conversations stay within it")
    func atTheLimit() async throws {
        var options = GGUFLanguageModel.LoadOptions(contextSize: 256, threadCount: 1)
        options.memoryLimit = try plan(options).total
        let model = try await GGUFLanguageModel(contentsOf: bundled, options: options)
        let free = try await GGUFLanguageModel(contentsOf: bundled, options: .init(contextSize: 256, threadCount: 1))
        var asked = GenerationOptions(samplingMode: .greedy, maximumResponseTokens: 100)
        asked.local.ignoresEnd = true
        let prompts = ["The engine light", "Check the brakes and", "Oil pressure", "A flat tyre means", "The battery"]
        for prompt in prompts {
            async let one = model.streamCompletion(of: prompt, options: asked).collect().content
            async let two = model.streamCompletion(of: prompt + " now", options: asked).collect().content
            let alone = try await free.streamCompletion(of: prompt, options: asked).collect().content
            #expect(try await one == alone)
            _ = try await two
            // One context's blocks and one for a copy.
            #expect(model.engine.cacheState.held <= 9 && model.engine.cacheState.contradiction == nil)
        }
    }
}

import EdgeCache
import EdgeGGUF
import EdgeKernels
import EdgeModel
import EdgeSampling
import EdgeTestSupport
import EdgeTokenizer
import Foundation
import Synchronization
import Testing

@testable import EdgeEngine

@Suite("Contexts that begin alike") struct SharingTests {
    private let engine: Engine
    private let prompt: [Int32]

    init() throws {
        let model = try Model(GGUFFile(path: fixtures.appendingPathComponent("edge-car-1m.gguf").path))
        engine = try Engine(
            model: model, tokenizer: model.makeTokenizer(), contextSize: 256, threadCount: 2, precision: .f16)
        let text = String(repeating: "The engine light is on and the car shakes. Stop and let it cool. ", count: 12)
        prompt = Array(engine.tokenizer.encode(text, addSpecial: true, parseSpecial: false).prefix(150))
    }

    private struct Answer: Sendable, Equatable {
        var text = ""
        var statistics: (cached: Int, prompt: Int) = (0, 0)
        static func == (left: Answer, right: Answer) -> Bool { left.text == right.text }
    }

    private func answer(
        _ prompt: [Int32], in context: GenerationContext, _ count: Int = 20, engine: Engine? = nil
    ) async throws -> Answer {
        let record = Mutex(Answer())
        try await (engine ?? self.engine).generate(
            GenerationRequest(prompt: prompt, sampling: .greedy, maximumTokens: count, ignoresEnd: true), in: context
        ) { event in
            record.withLock { answer in
                switch event {
                case .text(let text): answer.text += text
                case .mark: break
                case .finished(_, let statistics):
                    answer.statistics = (statistics.cachedTokenCount, statistics.promptTokenCount)
                }
            }
        }
        return record.withLock { $0 }
    }

    @Test("A second context computes only what differs, while the first lives and after it, with the same bits")
    func second() async throws {
        let cold = try await answer(prompt, in: engine.makeContext())
        #expect(cold.statistics.cached == 0 && cold.statistics.prompt == 150)
        #expect(engine.cacheState.used == 0 && engine.cacheState.held > 0)
        let first = try await engine.makeContext()
        let warm = try await answer(prompt, in: first)
        #expect(warm == cold && warm.statistics.cached == 149)
        // Another end: the beginning is shared, the block in which they part is copied.
        let fork = Array(prompt.prefix(101)) + Array(prompt.prefix(30).dropFirst())
        engine.releaseUnusedCache()
        let shared = try await answer(fork, in: engine.makeContext())
        #expect(shared.statistics.cached == 101)
        #expect(try await answer(prompt, in: first) == cold)
        engine.releaseUnusedCache()
        // Nothing is left but what the first context holds; the fork computed alone is the same.
        let alone = try Engine(
            model: engine.model, tokenizer: engine.tokenizer, contextSize: 256, threadCount: 1, precision: .f16)
        let fresh = try await answer(fork, in: alone.makeContext(), engine: alone)
        #expect(fresh == shared && fresh.statistics.cached == 0)
        #expect(engine.cacheState.contradiction == nil)
    }

    @Test("Two that begin at the same time share the work, and neither notices")
    func together() async throws {
        let cold = try await answer(prompt, in: engine.makeContext())
        engine.releaseUnusedCache()
        let contexts = [try await engine.makeContext(), try await engine.makeContext()]
        async let one = answer(prompt, in: contexts[0])
        async let two = answer(prompt, in: contexts[1])
        let both = try await [one, two]
        #expect(both == [cold, cold])
        // Together they ran the prompt about once: all but the pieces that were under way.
        #expect(both.map(\.statistics.cached).reduce(0, +) >= 80)
        #expect(engine.cacheState.contradiction == nil)
    }

    @Test("Where only one context has room, several at the same time take turns, and give what they give alone")
    func turns() async throws {
        let geometry = engine.model.cacheGeometry(capacity: 256, batchCapacity: 256, precision: .f16)
        let small = try Engine(
            model: engine.model, tokenizer: engine.tokenizer, contextSize: 256, threadCount: 1, precision: .f16,
            cacheLimit: geometry.byteCount(contexts: 1))
        // Nothing in common after the first token.
        let prompts = (0..<3).map { [1] + Array(prompt.dropFirst($0 * 7 + 1).prefix(100)) }
        var alone: [Answer] = []
        for prompt in prompts { alone.append(try await answer(prompt, in: engine.makeContext(), 100)) }
        let together = try await withThrowingTaskGroup(of: (Int, Answer).self) { group in
            for (index, prompt) in prompts.enumerated() {
                group.addTask {
                    (index, try await self.answer(prompt, in: small.makeContext(), 100, engine: small))
                }
            }
            var answers = [Answer](repeating: Answer(), count: prompts.count)
            for try await (index, answer) in group { answers[index] = answer }
            return answers
        }
        #expect(together == alone)
        #expect(small.cacheState.contradiction == nil && small.cacheState.held <= 9)
        // One that is cancelled while it waits lets go.
        let first = Task { try await answer(prompts[0], in: small.makeContext(), 140, engine: small) }
        let second = Task { try await answer(prompts[1], in: small.makeContext(), 140, engine: small) }
        second.cancel()
        await #expect(throws: CancellationError.self) { try await second.value }
        #expect(try await first.value.text.hasPrefix(alone[0].text))
    }

    @Test("Contexts beyond what there is room for rest, and compute again what they lost")
    func resting() async throws {
        let colds = try await withThrowingTaskGroup(of: Void.self) { _ in
            var answers: [Answer] = []
            for index in 0..<40 {
                let context = try await engine.makeContext()
                answers.append(
                    try await answer([1] + prompt.dropFirst(index + 1), in: context, 4))
            }
            return answers
        }
        // 40 contexts alive at once, where there is room for 16 full ones.
        var contexts: [GenerationContext] = []
        for index in 0..<40 {
            contexts.append(try await engine.makeContext())
            #expect(try await answer([1] + prompt.dropFirst(index + 1), in: contexts[index], 4) == colds[index])
        }
        for index in stride(from: 39, through: 0, by: -3) {
            #expect(try await answer([1] + prompt.dropFirst(index + 1), in: contexts[index], 4) == colds[index])
        }
        #expect(engine.cacheState.contradiction == nil)
    }
}

@Suite("Several contexts in one pass") struct TogetherTests {
    private let model: Model
    private let tokenizer: Tokenizer

    init() throws {
        model = try Model(GGUFFile(path: fixtures.appendingPathComponent("edge-car-1m.gguf").path))
        tokenizer = try model.makeTokenizer()
    }

    private func engine(contextSize: Int = 256) throws -> Engine {
        try Engine(model: model, tokenizer: tokenizer, contextSize: contextSize, threadCount: 2, precision: .q8_0)
    }

    private func answer(
        _ prompt: String, _ count: Int, seed: UInt64, in context: GenerationContext, _ engine: Engine
    ) async throws -> String {
        var sampling = SamplingParameters()
        sampling.seed = seed
        let text = Mutex("")
        try await engine.generate(
            GenerationRequest(
                prompt: tokenizer.encode(prompt, addSpecial: true, parseSpecial: false), sampling: sampling,
                maximumTokens: count, ignoresEnd: true), in: context
        ) { event in
            if case .text(let piece) = event { text.withLock { $0 += piece } }
        }
        return text.withLock { $0 }
    }

    @Test("Twenty answers of different lengths at the same time are those given alone, cancelled ones among them")
    func together() async throws {
        let prompts = [
            "The engine light is", "Check the brakes", "Oil", "A flat tyre means that the car", "The battery",
        ]
        let requests: [(String, Int, UInt64)] = (0..<20).map { index in
            (prompts[index % 5], 5 + (index * 7) % 60, UInt64(index))
        }
        let alone = try engine()
        var expected: [String] = []
        for (prompt, count, seed) in requests {
            expected.append(try await answer(prompt, count, seed: seed, in: alone.makeContext(), alone))
        }
        let engine = try engine()
        try await withThrowingTaskGroup(of: (Int, String).self) { group in
            for (index, (prompt, count, seed)) in requests.enumerated() {
                group.addTask {
                    (index, try await answer(prompt, count, seed: seed, in: engine.makeContext(), engine))
                }
            }
            // Others come and are cancelled meanwhile.
            let strangers = (0..<6).map { index in
                Task { try await answer("Stop and", 200, seed: UInt64(index), in: engine.makeContext(), engine) }
            }
            for (index, stranger) in strangers.enumerated() {
                try await Task.sleep(for: .milliseconds(3 * index))
                stranger.cancel()
            }
            for try await (index, text) in group { #expect(text == expected[index], "request \(index)") }
            for stranger in strangers { await #expect(throws: CancellationError.self) { try await stranger.value } }
        }
        #expect(engine.cacheState.contradiction == nil && engine.cacheState.used == 0)
    }

    @Test(
        "Those who generate and those with prompts have their turns, newcomers too", arguments: [1, 2, 9, 24, 64],
        [(0, 3), (1, 1), (3, 2), (10, 4), (20, 1)])
    func turns(batch: Int, count: (generating: Int, prompts: Int)) async throws {
        let engine = try engine()
        var queue = StepQueue(batchCapacity: batch)
        var generating: [GenerationContext] = []
        var prompts: [GenerationContext] = []
        for _ in 0..<count.generating { generating.append(try await engine.makeContext()) }
        for _ in 0..<count.prompts { prompts.append(try await engine.makeContext()) }
        var random = SplitMix(seed: UInt64(batch))
        func wait(_ context: GenerationContext, isPrompt: Bool) {
            let isLast = isPrompt && Int.random(in: 0..<4, using: &random) == 0
            let length = isLast ? Int.random(in: 1...queue.promptBudget, using: &random) : queue.promptBudget
            queue.wait(
                .init(
                    tokens: Array(repeating: 1, count: isPrompt ? length : 1), context: context,
                    prompt: isPrompt ? [] : nil, wantsLogits: !isPrompt || isLast, finish: { _ in }))
        }
        for context in generating {
            queue.begin()
            wait(context, isPrompt: false)
        }
        for context in prompts { wait(context, isPrompt: true) }
        var lastTurn: [ObjectIdentifier: Int] = [:]
        for pass in 0..<200 {
            if pass == 100 {
                prompts.append(try await engine.makeContext())
                lastTurn[ObjectIdentifier(prompts[count.prompts])] = 99
                wait(prompts[count.prompts], isPrompt: true)
            }
            #expect(queue.isReady)
            let taken = queue.take()
            #expect(!taken.isEmpty && taken.reduce(0) { $0 + $1.tokens.count } <= batch)
            #expect(taken.count { $0.wantsLogits } <= StepQueue.limit)
            for step in taken {
                queue.ran(step)
                // Who began the prompt begins another when it has ended, in place of choosing.
                if step.prompt != nil, step.wantsLogits { queue.end() }
                let id = ObjectIdentifier(step.context)
                let passes = pass - lastTurn[id, default: -1]
                let least = max(1, min(StepQueue.limit - 1, batch - max(1, min(32, batch - StepQueue.limit))))
                let bound =
                    batch == 1
                    ? count.generating + prompts.count
                    : step.prompt == nil ? (count.generating + least - 1) / least : prompts.count
                #expect(passes <= bound, "pass \(pass): \(passes) of \(bound)")
                lastTurn[id] = pass
                wait(step.context, isPrompt: step.prompt != nil)
            }
        }
        #expect(lastTurn.values.allSatisfy { $0 >= 200 - count.generating - prompts.count })
        #expect(lastTurn.count == count.generating + count.prompts + 1 && queue.choosing == 0)
    }

    @Test(
        "Prompts that come while others generate run in their passes, and all are what they are alone",
        arguments: [1, 3, 9, 24, 64])
    func prompts(batch: Int) async throws {
        func make() throws -> Engine {
            try Engine(
                model: model, tokenizer: tokenizer, contextSize: 1024, threadCount: 2, precision: .f16,
                batchCapacity: batch)
        }
        let words = "The engine light is on and the car shakes. Stop and let it cool. "
        let short = String(words.prefix(40))
        let long = String(repeating: words, count: 36)
        let alone = try make()
        let talk = try await answer("Check the brakes", 300, seed: 1, in: alone.makeContext(), alone)
        let expectedShort = try await answer(short, 12, seed: 2, in: alone.makeContext(), alone)
        alone.releaseUnusedCache()
        let expectedLong = try await answer(long, 12, seed: 3, in: alone.makeContext(), alone)
        let engine = try make()
        /// Tokens of the one that talks.
        let count = Mutex(0)
        var sampling = SamplingParameters()
        sampling.seed = 1
        let request = GenerationRequest(
            prompt: tokenizer.encode("Check the brakes", addSpecial: true, parseSpecial: false), sampling: sampling,
            maximumTokens: 300, ignoresEnd: true)
        async let talking = {
            let text = Mutex("")
            try await engine.generate(request, in: engine.makeContext()) { event in
                if case .text(let piece) = event {
                    text.withLock { $0 += piece }
                    count.withLock { $0 += 1 }
                }
            }
            return text.withLock { $0 }
        }()
        while count.withLock({ $0 }) == 0 { await Task.yield() }
        async let slow = answer(long, 12, seed: 3, in: engine.makeContext(), engine)
        try await Task.sleep(for: .milliseconds(2))
        let quick = try await answer(short, 12, seed: 2, in: engine.makeContext(), engine)
        #expect(quick == expectedShort)
        #expect(try await slow == expectedLong)
        #expect(try await talking == talk)
        #expect(engine.cacheState.contradiction == nil && engine.cacheState.used == 0)
    }

    @Test("A pass of several contexts gives each the bits of its own pass, for any threads and depths")
    func bits() throws {
        for precision in CachePrecision.allCases {
            let single = try ForwardPass(model, threadCount: 1, batchCapacity: 64)
            let common = try ForwardPass(model, threadCount: 2, batchCapacity: 64, logitsCapacity: 7)
            let pool = try CachePool(
                model.cacheGeometry(capacity: 128, batchCapacity: 64, precision: precision), contexts: 6)
            var caches: [KeyValueCache] = []
            var expected: [[Float]] = []
            for index in 0..<5 {
                let count = index * 13 + 1
                let ids: [Int32] = (0..<count).map { step in Int32((step * 7 + index) % 500 + 3) }
                let own = try model.makeCache(capacity: 128, batchCapacity: 64, precision: precision)
                let shared = pool.makeCache()
                single.run(ids[...], cache: own, logits: 0..<0)
                common.run(ids[...], cache: shared, logits: 0..<0)
                single.run([Int32(20 + index)], cache: own, logits: 0..<1)
                expected.append(single.logits.copy(row: 0))
                caches.append(shared)
            }
            common.run(
                caches.enumerated().map { .init([Int32(20 + $0)], of: $1) }, firstRow: 2)
            for index in 0..<5 {
                #expect(common.logits.copy(row: 2 + index) == expected[index], "\(precision) \(index)")
            }
            // Pieces of some, one token of others, and no logits of one.
            let parts: [[Int32]] = [[5], [6, 7, 8, 9, 10, 11, 12], (0..<23).map { 30 + $0 }, [13, 14], [15]]
            common.run(
                zip(parts, caches).enumerated().map { .init($1.0[...], of: $1.1, wantsLogits: $0 != 1) }, firstRow: 1)
            for (row, index) in [0, 2, 3, 4].enumerated() {
                let own = try model.makeCache(capacity: 128, batchCapacity: 64, precision: precision)
                let ids: [Int32] = (0..<index * 13 + 1).map { step in Int32((step * 7 + index) % 500 + 3) }
                single.run((ids + [Int32(20 + index)])[...], cache: own, logits: 0..<0)
                single.run(parts[index][...], cache: own, logits: parts[index].count - 1..<parts[index].count)
                #expect(common.logits.copy(row: 1 + row) == single.logits.copy(row: 0), "\(precision) \(index)")
            }
        }
    }
}

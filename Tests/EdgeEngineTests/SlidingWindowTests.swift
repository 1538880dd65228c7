import EdgeCache
import EdgeGGUF
import EdgeGrammar
import EdgeKernels
import EdgeModel
import EdgeSampling
import EdgeTestSupport
import EdgeTokenizer
import Foundation
import Synchronization
import Testing

@testable import EdgeEngine

@Suite("A window that slides over a text") struct SlidingWindowTests {
    private static let contextSize = 64
    /// Of random weights, with layers that look back over a window, or frequencies that depend on the context's size.
    private static let windowed = ["gemma2", "gemma3-pattern3-linear8", "olmo3-swa-yarn", "phi3-longrope-long"]

    private let model: Model
    private let prompt: [Int32]

    init() throws {
        model = try Model(GGUFFile(path: fixtures.appendingPathComponent("edge-car-1m.gguf").path))
        // Begins with what repeats, so that drafts are tried.
        let text = String(repeating: "The engine light is on and the car shakes. Stop and let it cool. ", count: 12)
        prompt = Array(try model.makeTokenizer().encode(text, addSpecial: true, parseSpecial: false).prefix(150))
    }

    private func engine(
        _ model: Model? = nil, threads: Int = 2, precision: CachePrecision = .f16, batch: Int = 512,
        contextSize: Int = contextSize
    ) throws -> Engine {
        let model = model ?? self.model
        return
            try Engine(
                model: model, tokenizer: model.makeTokenizer(), contextSize: contextSize, threadCount: threads,
                precision: precision, batchCapacity: batch)
    }

    private struct Answer: Sendable {
        var tokens: [Int32] = []
        var reason: StopReason?
        var statistics = GenerationStatistics()
    }

    private func answer(
        _ prompt: some Collection<Int32>, keeping: Int? = nil, _ count: Int?, on engine: Engine,
        in context: GenerationContext? = nil, recomputes: Bool = true, speculates: Bool = true,
        constraint: GenerationConstraint? = nil
    ) async throws -> Answer {
        var request = GenerationRequest(
            prompt: Array(prompt), sampling: .greedy, maximumTokens: count, ignoresEnd: true, constraint: constraint,
            markTokens: Set(0..<Int32(engine.model.vocabularySize)))
        request.window = keeping.map { SlidingWindow(keeping: $0, recomputes: recomputes) }
        request.speculates = speculates
        let record = Mutex(Answer())
        let used: GenerationContext
        if let context { used = context } else { used = try await engine.makeContext() }
        try await engine.generate(request, in: used) { event in
            record.withLock { answer in
                switch event {
                case .text: break
                case .mark(let id): answer.tokens.append(id)
                case .finished(let reason, let statistics): (answer.reason, answer.statistics) = (reason, statistics)
                }
            }
        }
        return record.withLock { $0 }
    }

    /// What a model says that is given the text anew before each token, the window written out.
    private func reference(
        _ prompt: [Int32], keeping: Int, _ count: Int, on engine: Engine
    ) async throws -> [Int32] {
        var text = prompt
        for _ in 0..<count {
            var seen = text
            if seen.count >= engine.contextSize {
                // By steps over the whole text: its length alone decides.
                let step = (engine.contextSize - keeping) / 2
                var dropped = step
                while text.count - dropped >= engine.contextSize { dropped += step }
                seen = Array(text.prefix(keeping) + text.dropFirst(keeping + dropped))
            }
            engine.releaseUnusedCache()
            text += try await answer(seen, 1, on: engine, speculates: false).tokens
        }
        return Array(text.dropFirst(prompt.count))
    }

    @Test(
        "An answer beyond the context is that of prompts without what was dropped, token by token",
        arguments: [(CachePrecision.f16, 4), (.q8_0, 0), (.f32, 33)])
    func slides(precision: CachePrecision, keeping: Int) async throws {
        let start = Array(prompt.prefix(20))
        let expected = try await reference(
            start, keeping: keeping, 150, on: engine(threads: 1, precision: precision))
        for (threads, batch, speculates) in [(1, 512, true), (2, 7, false), (3, 16, true)] {
            let engine = try engine(threads: threads, precision: precision, batch: batch)
            let long = try await answer(start, keeping: keeping, 150, on: engine, speculates: speculates)
            #expect(long.tokens == expected, "\(threads) threads, batches of \(batch)")
            #expect(
                long.reason == .maximumTokens && long.statistics.droppedTokenCount >= 90
                    && long.statistics.droppedPromptTokenCount == 0)
            #expect(engine.cacheState.contradiction == nil)
        }
    }

    @Test(
        "So it is with layers that look back over a window, of which the cache holds no more",
        .enabled(if: SharedData.isPresent, Comment(rawValue: SharedData.reason)), arguments: windowed)
    func windows(name: String) async throws {
        let model = try Model(GGUFFile(path: SharedData.url("golden/models/\(name).gguf").path))
        let start = (0..<40).map { Int32(1 + $0 * 7 % (model.vocabularySize - 1)) }
        let expected = try await reference(
            start, keeping: 5, 200, on: engine(model, threads: 1, batch: 8, contextSize: 128))
        let engine = try engine(model, batch: 16, contextSize: 128)
        let long = try await answer(start, keeping: 5, 200, on: engine)
        #expect(long.tokens == expected && long.statistics.droppedTokenCount >= 122)
        #expect(engine.cacheState.contradiction == nil)
    }

    @Test("A prompt that is too long slides too, and a second turn finds what the first left in the cache")
    func prompts() async throws {
        let engine = try engine()
        let expected = try await reference(prompt, keeping: 8, 40, on: self.engine(threads: 1))
        let context = try await engine.makeContext()
        let first = try await answer(prompt, keeping: 8, 5, on: engine, in: context)
        #expect(first.tokens == Array(expected.prefix(5)))
        // 28 a step: 4 of them leave 38 of 150.
        #expect(first.statistics.droppedPromptTokenCount == 112 && first.statistics.droppedTokenCount == 0)
        #expect(first.statistics.promptTokenCount == 150)
        let second = try await answer(prompt + expected.prefix(10), keeping: 8, 30, on: engine, in: context)
        #expect(second.tokens == Array(expected.dropFirst(10)))
        // 38 of the prompt, and 4 chosen tokens that were run.
        #expect(second.statistics.cachedTokenCount == 42)
    }

    @Test("What others share stays as it is, and nothing is found under a text that it was not computed from")
    func shared() async throws {
        let engine = try engine()
        let start = Array(prompt.prefix(60))
        let cold = try await answer(start, 4, on: engine)
        let holder = try await engine.makeContext()
        #expect(try await answer(start, 4, on: engine, in: holder).tokens == cold.tokens)
        let slid = try await answer(start, keeping: 20, 100, on: engine)
        #expect(slid.statistics.cachedTokenCount == 59 && slid.statistics.droppedTokenCount > 0)
        #expect(try await answer(start, 4, on: engine, in: holder).tokens == cold.tokens)
        // The text as it stood after the first step, given as a prompt that finds it in the cache, and without a cache.
        let text = start + slid.tokens
        let seen = Array(text.prefix(20) + text.dropFirst(42).prefix(30))
        let warm = try await answer(seen, 10, on: engine)
        let fresh = try self.engine(threads: 1)
        #expect(warm.tokens == (try await answer(seen, 10, on: fresh)).tokens)
        #expect(engine.cacheState.contradiction == nil)
    }

    @Test(
        "A grammar holds beyond the context, also where it forces more tokens at once than the context has",
        arguments: [true, false])
    func constrained(recomputes: Bool) async throws {
        let long = ["Check the brake fluid. ", "Stop at once. "].map { String(repeating: $0, count: 30) }
        let constraint = GenerationConstraint(
            try JSONSchema.compile(
                #"{"type":"array","items":{"enum":["\#(long[0])","\#(long[1])"]},"minItems":9,"maxItems":9}"#,
                options: .guided))
        let engine = try engine()
        let answers = [
            try await answer(prompt, keeping: 4, 5_000, on: engine, recomputes: recomputes, constraint: constraint),
            try await answer(
                prompt, keeping: 4, 5_000, on: engine, recomputes: recomputes, speculates: false,
                constraint: constraint),
        ]
        for answer in answers {
            let bytes = answer.tokens.flatMap { engine.tokenizer.bytes(of: $0) }
            let items = try JSONDecoder().decode([String].self, from: Data(bytes))
            #expect(items.count == 9 && items.allSatisfy { long.contains($0) })
            #expect(answer.statistics.forcedTokenCount > 9 * 64)
            #expect(answer.reason == .endOfTurn && answer.tokens == answers[0].tokens)
        }
        #expect(engine.cacheState.contradiction == nil)
    }

    @Test("Several answers that slide at the same time are what they are alone", arguments: [true, false])
    func together(recomputes: Bool) async throws {
        let engine = try engine()
        let prompts = (0..<3).map { [1] + Array(prompt.dropFirst($0 * 7 + 1).prefix(30)) }
        var alone: [[Int32]] = []
        for prompt in prompts {
            alone.append(try await answer(prompt, keeping: 1, 120, on: engine, recomputes: recomputes).tokens)
        }
        engine.releaseUnusedCache()
        let answers = try await withThrowingTaskGroup(of: (Int, [Int32]).self) { group in
            for (index, prompt) in prompts.enumerated() {
                group.addTask {
                    (
                        index,
                        try await self.answer(prompt, keeping: 1, 120, on: engine, recomputes: recomputes).tokens
                    )
                }
            }
            var answers = [[Int32]](repeating: [], count: prompts.count)
            for try await (index, tokens) in group { answers[index] = tokens }
            return answers
        }
        #expect(answers == alone)
        #expect(engine.cacheState.contradiction == nil)
    }

    @Test(
        "An answer whose keys are turned is the same for any threads, batches and drafts, whatever the cache held",
        arguments: [(CachePrecision.f16, 4), (.q8_0, 0), (.f32, 33), (.q4_0, 20)])
    func turns(precision: CachePrecision, keeping: Int) async throws {
        let start = Array(prompt.prefix(20))
        let plain = try self.engine(threads: 1, precision: precision)
        let expected = try await answer(start, keeping: keeping, 150, on: plain, recomputes: false, speculates: false)
        #expect(expected.reason == .maximumTokens && expected.statistics.droppedTokenCount >= 90)
        for (threads, batch, speculates) in [(1, 512, true), (2, 7, false), (3, 16, true)] {
            let engine = try engine(threads: threads, precision: precision, batch: batch)
            // Cold, with the beginning held by another, and with what an answer before has left.
            let holder = try await engine.makeContext()
            let context = try await engine.makeContext()
            for round in 0..<3 {
                if round == 1 {
                    _ = try await answer(prompt.prefix(60), 1, on: engine, in: holder)
                    _ = try await answer(start + expected.tokens.prefix(40), 1, on: engine, in: holder)
                }
                let long = try await answer(
                    start, keeping: keeping, 150, on: engine, in: context, recomputes: false, speculates: speculates)
                #expect(long.tokens == expected.tokens, "\(threads) threads, batches of \(batch), round \(round)")
                #expect(long.statistics.droppedTokenCount == expected.statistics.droppedTokenCount)
                #expect(engine.cacheState.contradiction == nil)
            }
            // What was turned is found under no text, by nobody; the next prompt gives what it gives anywhere.
            let seen = Array(context.ledger.prefix(50))
            let next = try await answer(seen, 8, on: engine, in: context)
            let other = try await answer(seen, 8, on: engine)
            let fresh = try await answer(seen, 8, on: self.engine(threads: 1, precision: precision))
            #expect(next.tokens == fresh.tokens && other.tokens == fresh.tokens)
            #expect(engine.cacheState.contradiction == nil)
        }
    }

    @Test("A turned key is that of its new position, where it knows nothing else; values stay", arguments: [0, 20, 40])
    func turnedKeys(keeping: Int) async throws {
        let engine = try engine(precision: .f32)
        // Some of what stays is another's too.
        let holder = try await engine.makeContext()
        _ = try await answer(prompt.prefix(50), 1, on: engine, in: holder)
        let context = try await engine.makeContext()
        let slid = try await answer(prompt.prefix(50), keeping: keeping, 20, on: engine, in: context, recomputes: false)
        #expect(slid.statistics.droppedTokenCount == (64 - keeping) / 2)
        let held = context.ledger
        let exact = try computed(held, precision: .f32)
        var farthest: Float = 0
        var areValuesSame = true
        for position in held.indices {
            for head in 0..<context.cache.layers[0].kvHeadCount {
                for component in 0..<model.hyperparameters.headSize {
                    func value(_ part: KeyValueLayer.Part, _ cache: KeyValueCache) -> Float {
                        cache.layers[0].value(part, head: head, position: position, component: component)
                    }
                    // The first layer's keys and values depend on the token and its position alone.
                    let key = value(.keys, exact)
                    farthest = max(farthest, abs(value(.keys, context.cache) - key) / max(1, abs(key)))
                    if value(.values, context.cache) != value(.values, exact) { areValuesSame = false }
                }
            }
        }
        #expect(farthest < 2e-5 && areValuesSame)
        #expect(engine.cacheState.contradiction == nil)
    }

    /// What a text gives that is computed by itself.
    private func computed(_ text: [Int32], precision: CachePrecision) throws -> KeyValueCache {
        let cache = try model.makeCache(capacity: Self.contextSize, precision: precision)
        let pass = try ForwardPass(model, threadCount: 1, batchCapacity: 64)
        #expect(pass.run(text[...], cache: cache, logits: 0..<0))
        return cache
    }

    @Test(
        "Without a window nothing slides; one with nothing to slide over is an error; without a limit the answer ends")
    func limits() async throws {
        let engine = try engine()
        await #expect {
            _ = try await answer(prompt, 1, on: engine)
        } throws: { error in
            guard case EngineError.contextSizeExceeded(64, 150) = error else { return false }
            return true
        }
        let plain = try await answer(prompt.prefix(60), nil, on: engine)
        #expect(plain.tokens.count == 4 && plain.statistics.droppedTokenCount == 0)
        for keeping in [-1, 63, 64, .max] {
            await #expect {
                _ = try await answer(prompt.prefix(9), keeping: keeping, 1, on: engine)
            } throws: { error in
                guard case EngineError.invalidWindow(64, keeping) = error else { return false }
                return true
            }
        }
        let most = try await answer(prompt, keeping: 62, nil, on: engine)
        #expect(most.tokens.count == 64 && most.reason == .maximumTokens)
    }
}

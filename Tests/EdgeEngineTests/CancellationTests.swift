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

@Suite("Cancelling a prompt") struct CancellationTests {
    /// What the test knows of the request that is cancelled.
    private struct Watched {
        var task: Task<Void, any Error>?
        var tokensAtCancel: Int?
        var hasOtherBegun = false
    }

    @Test(
        "From the cancellation on, no further token of a prompt runs, and the context goes on as if it had been so far")
    func noFurtherTokens() async throws {
        let model = try Model(GGUFFile(path: fixtures.appendingPathComponent("edge-car-1m.gguf").path))
        let tokenizer = try model.makeTokenizer()
        func makeEngine() throws -> Engine {
            try Engine(
                model: model, tokenizer: tokenizer, contextSize: 2_048, threadCount: 2, precision: .f16,
                batchCapacity: 32)
        }
        let engine = try makeEngine()
        var prompt: [Int32] = []
        func request(_ ids: some Sequence<Int32>, limit: Int) -> GenerationRequest {
            GenerationRequest(prompt: Array(ids), sampling: .greedy, maximumTokens: limit, ignoresEnd: true)
        }
        var context = try await engine.makeContext()
        let other = try await engine.makeContext()

        // Another answer is written meanwhile; its texts come between the pieces of the prompt, on the engine's own thread.
        // On a busy machine that answer may be over before the prompt has begun; then both begin again.
        var tokensAtCancel: Int?
        for attempt in 0..<50 where tokensAtCancel == nil {
            // Another text each time, so that nothing of it is in the cache already.
            let text = "\(attempt). " + String(repeating: "The engine light is on. ", count: 400)
            prompt = Array(tokenizer.encode(text, addSpecial: true, parseSpecial: false).prefix(1_800))
            #expect(prompt.count == 1_800)
            context = try await engine.makeContext()
            let watched = Mutex(Watched())
            let speaking = Task { [context, prompt] in
                try await engine.generate(request(prompt.prefix(8), limit: 1_900), in: other) { _ in
                    watched.withLock { state in
                        state.hasOtherBegun = true
                        guard state.tokensAtCancel == nil, let task = state.task, context.ledger.count > 100 else {
                            return
                        }
                        state.tokensAtCancel = context.ledger.count
                        task.cancel()
                    }
                }
            }
            while !watched.withLock({ $0.hasOtherBegun }) { await Task.yield() }
            watched.withLock { state in
                state.task = Task { [context, prompt] in
                    try await engine.generate(request(prompt, limit: 1), in: context) { _ in }
                }
            }
            let task = try #require(watched.withLock { $0.task })
            let result = await task.result
            speaking.cancel()
            _ = await speaking.result
            tokensAtCancel = watched.withLock { $0.tokensAtCancel }
            if tokensAtCancel != nil { #expect(throws: CancellationError.self) { try result.get() } }
        }
        let atCancel = try #require(tokensAtCancel)
        #expect(context.ledger.count == atCancel && atCancel < prompt.count)

        // The answer to the prompt, from what is left and from nothing.
        var answers: [String] = []
        var cached: [Int] = []
        // Another engine shares nothing.
        let fresh = try makeEngine()
        for (engine, context) in [(engine, context), (fresh, try await fresh.makeContext())] {
            let record = Mutex((text: "", cached: 0))
            try await engine.generate(request(prompt, limit: 40), in: context) { event in
                switch event {
                case .text(let text): record.withLock { $0.text += text }
                case .mark: break
                case .finished(_, let statistics): record.withLock { $0.cached = statistics.cachedTokenCount }
                }
            }
            answers.append(record.withLock { $0.text })
            cached.append(record.withLock { $0.cached })
        }
        #expect(answers[0] == answers[1] && !answers[0].isEmpty)
        #expect(cached == [atCancel, 0])
    }
}

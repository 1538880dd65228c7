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

@Suite("Drafts from the context") struct PromptLookupTests {
    private struct Answer: Sendable {
        var text = ""
        var reason: StopReason?
        var statistics = GenerationStatistics()
    }

    private func engine(threads: Int = 2) throws -> Engine {
        let model = try Model(GGUFFile(path: fixtures.appendingPathComponent("edge-car-1m.gguf").path))
        return try Engine(
            model: model, tokenizer: model.makeTokenizer(), contextSize: 400, threadCount: threads, precision: .f16)
    }

    private func answer(
        _ engine: Engine, _ prompt: String, _ sampling: SamplingParameters = .greedy, limit: Int = 120,
        speculates: Bool, constraint: GenerationConstraint? = nil, stops: [String] = [],
        in context: GenerationContext? = nil, script: [Int32] = []
    ) async throws -> Answer {
        var request = GenerationRequest(
            prompt: engine.tokenizer.encode(prompt, addSpecial: true, parseSpecial: false), sampling: sampling,
            maximumTokens: limit, stopSequences: stops, ignoresEnd: true, constraint: constraint)
        request.speculates = speculates
        request.script = script
        let record = Mutex(Answer())
        let used = if let context { context } else { try await engine.makeContext() }
        try await engine.generate(request, in: used) { event in
            record.withLock { answer in
                switch event {
                case .text(let text): answer.text += text
                case .mark: break
                case .finished(let reason, let statistics): (answer.reason, answer.statistics) = (reason, statistics)
                }
            }
        }
        return record.withLock { $0 }
    }

    private static let prompts = [
        "The engine light is", "Check the oil. Check the oil. Check the",
        "The brake fluid is low. The brake fluid is low. The brake fluid is low. The brake",
    ]

    @Test("Greedy or drawn, with penalties, limits and stops, the answer is the same with drafts and without")
    func sameAnswers() async throws {
        let engine = try engine()
        var (drafted, accepted) = (0, 0)
        var samplings = [SamplingParameters.greedy]
        for seed in 1...4 as ClosedRange<UInt64> {
            var sampling = SamplingParameters()
            sampling.seed = seed
            sampling.temperature = seed < 3 ? 0.4 : 1
            if seed == 2 { sampling.repetitionPenalty = 1.1 }
            if seed == 4 { sampling.mirostat = SamplingParameters.Mirostat(tau: 3, eta: 0.1) }
            samplings.append(sampling)
        }
        for prompt in Self.prompts {
            for sampling in samplings {
                for (limit, stops) in [(120, []), (17, []), (120, ["oil"])] as [(Int, [String])] {
                    let plain = try await answer(
                        engine, prompt, sampling, limit: limit, speculates: false, stops: stops)
                    let other = try await answer(
                        engine, prompt, sampling, limit: limit, speculates: true, stops: stops)
                    #expect(plain.text == other.text && plain.reason == other.reason)
                    #expect(plain.statistics.generatedTokenCount == other.statistics.generatedTokenCount)
                    #expect(plain.statistics.draftedTokenCount == 0)
                    #expect(other.statistics.acceptedTokenCount <= other.statistics.draftedTokenCount)
                    drafted += other.statistics.draftedTokenCount
                    accepted += other.statistics.acceptedTokenCount
                }
            }
        }
        #expect(drafted > 0 && accepted > 0)
        print("drafts: \(accepted) of \(drafted) tokens were right")
    }

    @Test("An answer that is given is written as it is, with drafts and without, and ends with it")
    func script() async throws {
        let engine = try engine()
        let text = " low. The brake fluid is low. The brake fluid is low. Tyres"
        let script = engine.tokenizer.encode(text, addSpecial: false, parseSpecial: false)
        for speculates in [false, true] {
            let answer = try await answer(engine, Self.prompts[2], speculates: speculates, script: script)
            #expect(answer.text == text && answer.statistics.generatedTokenCount == script.count)
            #expect(answer.reason == .maximumTokens && (answer.statistics.acceptedTokenCount > 0) == speculates)
        }
    }

    @Test("A cache that drafts went through gives what a fresh one gives")
    func cache() async throws {
        let engine = try engine()
        let used = try await engine.makeContext()
        var text = Self.prompts[1]
        for _ in 0..<4 {
            let warm = try await answer(engine, text, limit: 40, speculates: true, in: used)
            let fresh = try await answer(engine, text, limit: 40, speculates: false)
            #expect(warm.text == fresh.text)
            text += warm.text + " Check the oil."
        }
    }

    @Test("Under a grammar the answer is the same, and it is cancelled like any other")
    func constrained() async throws {
        let engine = try engine()
        let constraint = GenerationConstraint(
            try JSONSchema.compile(
                #"{"type":"array","items":{"enum":["brake fluid","brake pads","engine oil"]},"minItems":12,"maxItems":14}"#,
                options: .guided))
        for seed in 0..<4 as Range<UInt64> {
            var sampling = SamplingParameters()
            sampling.seed = seed
            let plain = try await answer(
                engine, Self.prompts[0], sampling, limit: 300, speculates: false, constraint: constraint)
            let other = try await answer(
                engine, Self.prompts[0], sampling, limit: 300, speculates: true, constraint: constraint)
            #expect(plain.text == other.text && other.reason == .endOfTurn && plain.statistics.forcedTokenCount > 0)
            #expect(plain.statistics.forcedTokenCount == other.statistics.forcedTokenCount)
        }
    }

    @Test("Drafts that do not pay are given up for longer and longer, those that pay go on and grow")
    func policy() {
        let ledger: [Int32] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 1, 2]
        func draft(_ lookup: inout PromptLookup) -> [Int32] {
            var draft: [Int32] = []
            lookup.draft(after: 3, in: ledger, into: &draft)
            return draft
        }
        var lookup = PromptLookup()
        #expect(draft(&lookup).isEmpty, "nothing is known of the time of a step yet")
        lookup.notePlain(seconds: 1)
        #expect(draft(&lookup) == [4, 5, 6])
        for _ in 0..<5 { lookup.note(drafted: 3, accepted: 3, seconds: 2) }
        #expect(draft(&lookup) == [4, 5, 6, 7, 8, 9, 10])

        var tries: [Int] = []
        var lost = PromptLookup()
        lost.notePlain(seconds: 1)
        for step in 0..<2_000 where !draft(&lost).isEmpty {
            tries.append(step)
            lost.note(drafted: 3, accepted: 0, seconds: 4)
        }
        // Two tries lose more than four steps' time; then 32 steps of rest, then 64, and so on.
        #expect(tries.count < 20 && tries.count > 4, "\(tries)")

        var empty: [Int32] = []
        var short = PromptLookup()
        short.notePlain(seconds: 1)
        for ledger in [[], [3], [1, 2], [1, 2, 3], [2, 3, 1, 2]] as [[Int32]] {
            short.draft(after: 3, in: ledger, into: &empty)
            #expect(empty.isEmpty)
        }
    }
}

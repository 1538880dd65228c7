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

    private static func draft(_ lookup: PromptLookup) -> [Int32] {
        var draft: [Int32] = []
        lookup.draft(after: 3, in: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 1, 2], into: &draft)
        return draft
    }

    @Test("Drafts that pay go on and grow")
    func growing() {
        var lookup = PromptLookup()
        #expect(Self.draft(lookup).isEmpty, "nothing is known of the time of a step yet")
        lookup.notePlain(seconds: 1)
        // What a token costs is not known, so that it may be a step.
        #expect(Self.draft(lookup) == [4])
        lookup.note(drafted: 1, accepted: 1, seconds: 1.25)
        #expect(Self.draft(lookup) == [4, 5, 6, 7, 8])
        for _ in 0..<5 { lookup.note(drafted: 5, accepted: 5, seconds: 2) }
        #expect(Self.draft(lookup) == [4, 5, 6, 7, 8, 9, 10])
        // Half right pays where a token is cheap, and what does not pay ends.
        var steps = 30
        for _ in 0..<500 {
            let count = Self.draft(lookup).count
            #expect(count > 0)
            lookup.note(drafted: count, accepted: count / 2, seconds: 1 + 0.2 * Double(count))
            steps += 1 + count / 2
        }
        var lost = 0.0
        for _ in 0..<500 {
            let count = Self.draft(lookup).count
            steps += 1
            if count > 0 {
                lookup.note(drafted: count, accepted: 0, seconds: 1 + 0.2 * Double(count))
                lost += 0.2 * Double(count)
            } else {
                lookup.notePlain(seconds: 1)
            }
        }
        // No more than what was saved is remembered for, and what an answer may lose.
        #expect(lost > 2 && lost < 9.1 + 0.01 * Double(steps), "\(lost) of \(steps)")

    }

    @Test(
        "Where no draft helps, an answer of any length takes a step and a hundredth longer at most, and help is still found",
        arguments: [0.02, 0.1, 0.25, 0.5, 1], [false, true])
    func bounded(cost: Double, isNoisy: Bool) {
        var lookup = PromptLookup()
        var random = SystemRandomNumberGenerator()
        var (seconds, steps, tries) = (0.0, 0, 0)
        while steps < 5_000 {
            let count = Self.draft(lookup).count
            var time = 1 + cost * Double(count)
            // As if something else had run meanwhile.
            if isNoisy, count > 0, Int.random(in: 0..<4, using: &random) == 0 { time += 30 }
            if count == 0 {
                lookup.notePlain(seconds: 1)
                seconds += 1
            } else {
                lookup.note(drafted: count, accepted: 0, seconds: time)
                seconds += 1 + cost * Double(count)
                tries += 1
            }
            steps += 1
            #expect(seconds <= Double(steps) * 1.01 + 1.001, "\(steps) steps took \(seconds)")
        }
        #expect(tries > 8)
        // From the first draft that is right on, they are long again.
        while Self.draft(lookup).isEmpty { lookup.notePlain(seconds: 1) }
        for _ in 0..<6 where !Self.draft(lookup).isEmpty {
            let count = Self.draft(lookup).count
            lookup.note(drafted: count, accepted: count, seconds: 1 + cost * Double(count))
        }
        #expect(isNoisy || cost == 1 || Self.draft(lookup).count > 3)
    }

    @Test("Figures that other work disturbs do not switch off drafts that pay")
    func disturbed() {
        var lookup = PromptLookup()
        for step in 0..<30 { lookup.notePlain(seconds: step % 3 == 0 ? 9 : 1) }
        for step in 0..<60 {
            let count = Self.draft(lookup).count
            #expect(count > 0)
            lookup.note(drafted: count, accepted: count, seconds: step % 3 == 1 ? 40 : 1 + 0.2 * Double(count))
        }
        #expect(Self.draft(lookup).count == 7)

        var median = RecentMedian(of: 3)
        #expect(median.value == nil)
        var seen: [Double?] = []
        for figure in [5, 1, 9, 9, 9, 2, 2, 7] as [Double] {
            median.add(figure)
            seen.append(median.value)
        }
        #expect(seen == [5, 1, 5, 9, 9, 9, 2, 2])
    }

    @Test("Without three tokens that stood there before there is no draft")
    func short() {
        var empty: [Int32] = []
        var short = PromptLookup()
        short.notePlain(seconds: 1)
        for ledger in [[], [3], [1, 2], [1, 2, 3], [2, 3, 1, 2]] as [[Int32]] {
            short.draft(after: 3, in: ledger, into: &empty)
            #expect(empty.isEmpty)
        }
    }
}

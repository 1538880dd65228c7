import EdgeTestSupport
import Foundation
import Synchronization
import Testing

@testable import EdgeLLM

@Suite("Measurements") struct MeasurementTests {
    private let url = fixtures.appendingPathComponent("edge-car-1m.gguf")
    private static let text = String(
        repeating: "The engine light is on. Check the oil and the brake fluid. ", count: 40)

    @Test("Perplexity is the same for any number of threads, counts its pieces, and reports on the way")
    func perplexity() async throws {
        var results: [Perplexity] = []
        for threads in [1, 2] {
            let model = try await GGUFLanguageModel(contentsOf: url, options: .init(threadCount: threads))
            let seen = Mutex<[Int]>([])
            let result = try await model.perplexity(of: Self.text, pieceLength: 64, maximumPieces: 3) { now, total in
                #expect(total == 3 && now.pieceLength == 64)
                seen.withLock { $0.append(now.pieceCount) }
            }
            #expect(seen.withLock { $0 } == [1, 2, 3] && result.pieceCount == 3)
            // The second half of each piece, whose last token would be predicted into the next.
            #expect(result.scoredTokenCount == 3 * 31)
            results.append(result)
        }
        #expect(results[0] == results[1])
        #expect(results[0].value > 1 && results[0].value.isFinite && results[0].standardError > 0)
        #expect(abs(exp(results[0].meanNegativeLogLikelihood) - results[0].value) < 1e-9 * results[0].value)
    }

    @Test("A text that fills no piece, and lengths that make no sense, are refused; a cancelled task ends")
    func refusals() async throws {
        let model = try await GGUFLanguageModel(contentsOf: url)
        await #expect(throws: LanguageModelError.self) { try await model.perplexity(of: "Check the oil.") }
        for (length, pieces) in [(0, nil), (7, nil), (1 << 30, nil), (64, 0), (64, -1)] as [(Int, Int?)] {
            await #expect(throws: LanguageModelError.self) {
                try await model.perplexity(of: Self.text, pieceLength: length, maximumPieces: pieces)
            }
        }
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await model.perplexity(of: Self.text, pieceLength: 64)
        }
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test("Speed is measured within the context, and refused beyond it")
    func speed() throws {
        let model = try MeasuredModel(contentsOf: url)
        let speed = try SpeedMeasurement(
            of: model, options: .init(contextSize: 64, threadCount: 2, cachePrecision: .f32), batchSize: 16)
        #expect(speed.threadCount == 2 && speed.contextSize == 64)
        for (test, depth) in [(.prompt(40), 0), (.prompt(1), 63), (.generation(4), 20), (.generation(64), 0)]
            as [(SpeedMeasurement.Test, Int)]
        {
            #expect(try speed.seconds(for: test, depth: depth) > 0)
            #expect(speed.workPerToken(of: test, depth: depth) > 0)
        }
        #expect(SpeedMeasurement.Test.prompt(40).name == "pp40" && SpeedMeasurement.Test.generation(4).tokenCount == 4)
        // Deeper contexts read more.
        #expect(
            speed.workPerToken(of: .generation(4), depth: 32) > speed.workPerToken(of: .generation(4), depth: 0))
        for (test, depth) in [
            (.prompt(65), 0), (.prompt(2), 63), (.generation(0), 0), (.prompt(-1), 0), (.prompt(1), -1),
            (.prompt(.max), .max),
        ]
            as [(SpeedMeasurement.Test, Int)]
        {
            #expect(throws: LanguageModelError.self) { try speed.seconds(for: test, depth: depth) }
        }
        for options in [GGUFLanguageModel.LoadOptions(contextSize: 0), .init(threadCount: 0), .init(threadCount: 257)] {
            #expect(throws: ModelLoadingError.self) { try SpeedMeasurement(of: model, options: options) }
        }
        #expect(throws: ModelLoadingError.self) { try MachineCeilings(threadCount: 0) }
        #expect(InstructionSet.available.contains(.current))
        #expect(ProcessMemory.peakByteCount ?? 0 > 0)
    }

    @Test("A synthetic model gets another's vocabulary and can be given texts")
    func synthetic() async throws {
        let synthetic = try #require(SyntheticModel("smollm2-135m/10:Q8_0"))
        #expect(synthetic.description == "smollm2-135m/10:Q8_0" && synthetic.parameterCount > 1_000_000)
        #expect(SyntheticModel("smollm2-135m") == nil && SyntheticModel("gpt-9:Q4_0") == nil)
        #expect(SyntheticModel.shapes.contains("llama-3.2-1b") && SyntheticModel.quantizations.contains("Q4_K_M"))
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("edge-synthetic-\(UUID()).gguf")
        defer { try? FileManager.default.removeItem(at: file) }
        try synthetic.write(to: file)
        await #expect(throws: ModelLoadingError.self) { try await GGUFLanguageModel(contentsOf: file) }
        #expect(try SpeedMeasurement(of: MeasuredModel(contentsOf: file)).seconds(for: .prompt(8)) > 0)

        try synthetic.write(to: file, vocabulary: url)
        let model = try await GGUFLanguageModel(contentsOf: file)
        let original = try await GGUFTokenizer(contentsOf: url)
        #expect(model.tokenizer.encode(Self.text) == original.encode(Self.text))
        var options = GenerationOptions(maximumResponseTokens: 4)
        options.local.ignoresEnd = true
        #expect(try await model.completion(of: "Check", options: options).usage.output.totalTokenCount == 4)
        #expect(throws: ModelLoadingError.self) {
            try synthetic.write(to: URL(fileURLWithPath: "/nowhere/at/all.gguf"))
        }
    }
}

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

@Suite("Contexts with adapters") struct AdapterTests {
    private let model: Model
    private let engine: Engine
    private let adapters: [AppliedAdapter]

    init() throws {
        let model = try Model(GGUFFile(path: fixtures.appendingPathComponent("edge-car-1m.gguf").path))
        self.model = model
        engine = try Engine(
            model: model, tokenizer: model.makeTokenizer(), contextSize: 128, threadCount: 2, precision: .f16)
        adapters = try ["lora-a", "lora-b"].map { name in
            let path = fixtures.appendingPathComponent("golden/\(name).gguf").path
            return AppliedAdapter(try LoRAAdapter(GGUFFile(path: path), for: model), scale: 2)
        }
    }

    private final class Record: Sendable {
        let state = Mutex<(text: String, cached: Int)>(("", 0))
    }

    private func answer(_ context: GenerationContext, _ count: Int = 24) async throws -> (text: String, cached: Int) {
        let prompt = engine.tokenizer.encode("The engine light is", addSpecial: true, parseSpecial: false)
        let record = Record()
        try await engine.generate(
            GenerationRequest(prompt: prompt, sampling: .greedy, maximumTokens: count, ignoresEnd: true), in: context
        ) { event in
            record.state.withLock { state in
                switch event {
                case .text(let text): state.text += text
                case .mark: break
                case .finished(_, let statistics): state.cached = statistics.cachedTokenCount
                }
            }
        }
        return record.state.withLock { $0 }
    }

    @Test("Each context has its own, and changing them empties the cache")
    func contexts() async throws {
        let plain = try await engine.makeContext()
        let changed = try await engine.makeContext(adapters: [adapters[0]])
        let base = try await answer(plain)
        let other = try await answer(changed)
        #expect(base.text != other.text && base.cached == 0 && other.cached == 0)
        // Asked again, all but the last token of the prompt is there.
        let again = try await answer(changed)
        #expect(again.text == other.text && again.cached > 2)
        #expect(try await answer(plain).text == base.text)

        // The same adapters leave the cache alone, others do not.
        try await engine.apply([adapters[0]], to: changed)
        #expect(try await answer(changed).cached > 2)
        try await engine.apply([], to: changed)
        let without = try await answer(changed)
        // What contexts without adapters have computed is there, and nothing else.
        #expect(without.text == base.text && without.cached > 2)
        try await engine.apply(adapters, to: changed)
        let both = try await answer(changed)
        #expect(both.cached == 0 && both.text != base.text && both.text != other.text)
        #expect(try await answer(engine.makeContext(adapters: adapters)).text == both.text)
        try await engine.apply(adapters.map { AppliedAdapter($0.adapter, scale: 0) }, to: changed)
        #expect(try await answer(changed).text == base.text)
    }

    @Test("Answers with and without run side by side, each with its own bits")
    func together() async throws {
        let alone = try await (
            answer(engine.makeContext(), 40).text, answer(engine.makeContext(adapters: adapters), 40).text
        )
        let contexts = (try await engine.makeContext(), try await engine.makeContext(adapters: adapters))
        async let first = answer(contexts.0, 40)
        async let second = answer(contexts.1, 40)
        #expect(try await first.text == alone.0)
        #expect(try await second.text == alone.1)
    }

    @Test("An adapter of another model is refused, and the context stays as it was")
    func refusal() async throws {
        let twin = try Model(model.file)
        let path = fixtures.appendingPathComponent("golden/lora-b.gguf").path
        let foreign = AppliedAdapter(try LoRAAdapter(GGUFFile(path: path), for: twin))
        let context = try await engine.makeContext(adapters: [adapters[0]])
        let before = try await answer(context)
        await #expect(throws: ModelError.self) { try await engine.apply([foreign], to: context) }
        let after = try await answer(context)
        #expect(after.text == before.text && after.cached > 2)
    }

    @Test("Perplexity sees them, too")
    func perplexity() throws {
        let text = Array("The engine light is on and the car shakes. Stop and let the engine cool down.".utf8)
        let ids = engine.tokenizer.encode(bytes: text + text + text, addSpecial: true, parseSpecial: false)
        func value(_ adapters: [AppliedAdapter]) throws -> Double {
            let measurement = try Perplexity(
                model: model, tokens: ids, beginning: nil, contextSize: 16, threadCount: 1, precision: .f32,
                adapters: adapters)
            while try measurement.next() {}
            return measurement.value
        }
        let (base, silent, loud) = try (value([]), value([.init(adapters[0].adapter, scale: 0)]), value(adapters))
        #expect(base == silent && loud != base)
    }
}

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

@Suite("Passages that were computed elsewhere") struct PassageReuseTests {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("edge-passages-\(UUID())")
    private let bundled = fixtures.appendingPathComponent("edge-car-1m.gguf")

    private func engine(
        _ url: URL? = nil, threads: Int = 2, precision: CachePrecision = .f16, contextSize: Int = 512
    ) throws -> Engine {
        let model = try Model(GGUFFile(path: (url ?? bundled).path))
        return try Engine(
            model: model, tokenizer: model.makeTokenizer(), contextSize: contextSize, threadCount: threads,
            precision: precision,
            prefixes: SavedPrefixes(
                folder: folder.path, byteLimit: 1 << 30, minimumTokenCount: 32, savesPrompts: false))
    }

    private func remove() { try? FileManager.default.removeItem(at: folder) }

    /// Tokens that are drawn from all of a vocabulary but its first ones, which are marks.
    private func tokens(_ count: Int, _ vocabularySize: Int, seed: UInt64) -> [Int32] {
        var random = SplitMix(seed: seed)
        return (0..<count).map { _ in Int32.random(in: 10..<Int32(vocabularySize), using: &random) }
    }

    /// Two passages, each computed after a beginning of its own, and a prompt that has both after another one.
    private struct Texts {
        let passages: [[Int32]]
        let sources: [[Int32]]
        let prompt: [Int32]
        let spans: [Range<Int>]
    }

    private func texts(_ engine: Engine) -> Texts {
        let size = engine.model.vocabularySize
        let passages = [tokens(90, size, seed: 1), tokens(75, size, seed: 2)]
        let sources = passages.enumerated().map { tokens(20 + 13 * $0, size, seed: UInt64(10 + $0)) + $1 }
        let start = tokens(47, size, seed: 3)
        let middle = tokens(9, size, seed: 4)
        let prompt = start + passages[0] + middle + passages[1] + tokens(12, size, seed: 5)
        return Texts(
            passages: passages, sources: sources, prompt: prompt,
            spans: [47..<137, 146..<221])
    }

    private func save(_ texts: Texts, _ engine: Engine) async throws {
        for (source, passage) in zip(texts.sources, texts.passages) {
            try await engine.savePassage(source.count - passage.count..<source.count, of: source)
        }
    }

    private struct Answer: Sendable {
        var text = ""
        var statistics = GenerationStatistics()
    }

    private func answer(
        _ prompt: [Int32], _ engine: Engine, in context: GenerationContext, reuse: PassageReuse? = nil
    ) async throws -> Answer {
        let record = Mutex(Answer())
        var request = GenerationRequest(prompt: prompt, sampling: .greedy, maximumTokens: 12, ignoresEnd: true)
        request.reuse = reuse
        try await engine.generate(request, in: context) { event in
            record.withLock { answer in
                switch event {
                case .text(let text): answer.text += text
                case .mark: break
                case .finished(_, let statistics): answer.statistics = statistics
                }
            }
        }
        return record.withLock { $0 }
    }

    /// The passages are computed apart and moved to a prompt in one context, which is computed as a whole in another.
    private func movedAndExact(_ engine: Engine) async throws -> (
        texts: Texts, statistics: GenerationStatistics, moved: GenerationContext, exact: GenerationContext
    ) {
        let texts = texts(engine)
        try await save(texts, engine)
        let (exact, moved) = (try await engine.makeContext(), try await engine.makeContext())
        // First, as what another context holds of the whole prompt is shared.
        let result = try await answer(
            texts.prompt, engine, in: moved, reuse: PassageReuse(spans: texts.spans, share: 0))
        _ = try await answer(texts.prompt, engine, in: exact)
        return (texts, result.statistics, moved, exact)
    }

    /// What a context holds of a layer's positions: of each its keys and values of all heads.
    private func held(_ context: GenerationContext, layer: Int, _ positions: Range<Int>, _ part: KeyValueLayer.Part)
        -> [[Float]]
    {
        let layer = context.cache.layers[layer]
        let length = KeyValueLayer.blockLength
        return positions.map { position in
            (0..<layer.kvHeadCount).flatMap { head -> [Float] in
                guard let block = layer.copy(part, head: head, block: position / length) else { return [] }
                let place = position % length
                return (0..<layer.headSize).map { component in
                    Float(
                        bitPattern: block[
                            part == .keys ? component * length + place : place * layer.headSize + component])
                }
            }
        }
    }

    private static let models = [
        "llama-mha", "qwen2", "llama-rope-linear", "llama-rope-yarn", "llama3-ropefreqs", "phi3-longrope-short",
        "phi3-longrope-long", "stablelm", "qwen3moe", "granite", "olmo2",
    ]

    @Test(
        "Keys of the first layer, which know of no other tokens, are turned to what they are elsewhere; values stay as they are",
        .enabled(if: SharedData.isPresent, Comment(rawValue: SharedData.reason)), arguments: models,
        [CachePrecision.f32, .f16])
    func rotation(name: String, precision: CachePrecision) async throws {
        defer { remove() }
        let engine = try engine(
            SharedData.url("golden/models/\(name).gguf"), precision: precision, contextSize: 288)
        let (texts, statistics, moved, exact) = try await movedAndExact(engine)
        let outcome = try #require(statistics.reuse)
        try #require(outcome.obstacle == nil && outcome.movedPassageCount == 2, "\(outcome)")
        #expect(outcome.reusedTokenCount == 165 && outcome.recomputedTokenCount == 0)
        for span in texts.spans {
            #expect(held(moved, layer: 0, span, .values) == held(exact, layer: 0, span, .values))
            let keys = (held(moved, layer: 0, span, .keys), held(exact, layer: 0, span, .keys))
            let largest = keys.1.joined().reduce(0) { max($0, abs($1)) }
            let difference = zip(keys.0.joined(), keys.1.joined()).reduce(0) { max($0, abs($1.0 - $1.1)) }
            // f32 rounds angles and products, f16 each key twice.
            #expect(
                largest > 0 && difference <= largest * (precision == .f32 ? 2e-5 : 2e-3), "\(difference) of \(largest)")
        }
    }

    @Test("Coded keys and values are turned as far as their codes allow", arguments: [CachePrecision.q8_0, .q4_0])
    func codedRotation(precision: CachePrecision) async throws {
        defer { remove() }
        let engine = try engine(precision: precision)
        let (texts, statistics, moved, exact) = try await movedAndExact(engine)
        try #require(statistics.reuse?.movedPassageCount == 2)
        // A code is off by half a step, of 127 and of 8 to the largest; a key is coded twice, its turn adds the errors of a pair, and a
        // vector's largest may change.
        let step: Float = precision == .q8_0 ? 1 / 127 : 1 / 8
        for span in texts.spans {
            for part in [KeyValueLayer.Part.keys, .values] {
                let (found, expected) = (held(moved, layer: 0, span, part), held(exact, layer: 0, span, part))
                let largest = expected.joined().reduce(0) { max($0, abs($1)) }
                let difference = zip(found.joined(), expected.joined()).reduce(0) { max($0, abs($1.0 - $1.1)) }
                let bound = part == .keys ? 2.5 * step * largest : step * largest
                #expect(largest > 0 && difference <= bound, "\(part): \(difference) of \(largest)")
            }
        }
    }

    @Test(
        "Models whose keys cannot be turned compute the whole prompt, and say why",
        .enabled(if: SharedData.isPresent, Comment(rawValue: SharedData.reason)),
        arguments: ["smollm3", "gemma2", "gemma3-default-pattern", "olmo3-swa-yarn"])
    func refused(name: String) async throws {
        defer { remove() }
        let engine = try engine(SharedData.url("golden/models/\(name).gguf"), contextSize: 288)
        let texts = texts(engine)
        await #expect(throws: SavedContextError.self) { try await save(texts, engine) }
        let cold = try await answer(texts.prompt, engine, in: engine.makeContext())
        engine.releaseUnusedCache()
        let result = try await answer(
            texts.prompt, engine, in: engine.makeContext(), reuse: PassageReuse(spans: texts.spans, share: 0))
        #expect(result.text == cold.text && result.statistics.reuse?.obstacle != nil)
    }

    @Test(
        "Where all is computed anew the bits are those of the whole prompt",
        arguments: [PassageReuse.Selection.first, .farthest])
    func whole(selection: PassageReuse.Selection) async throws {
        defer { remove() }
        let engine = try engine()
        let texts = texts(engine)
        try await save(texts, engine)
        let (exact, moved) = (try await engine.makeContext(), try await engine.makeContext())
        let cold = try await answer(texts.prompt, engine, in: exact)
        let result = try await answer(
            texts.prompt, engine, in: moved,
            reuse: PassageReuse(spans: texts.spans, share: 1, selection: selection, interval: 1))
        #expect(result.text == cold.text)
        // Nothing is left to move.
        #expect(result.statistics.reuse?.reusedTokenCount == 0 && result.statistics.reuse?.passageCount == 2)
    }

    @Test(
        "The same bits for any number of threads, and another share gives others",
        arguments: [PassageReuse.Selection.first, .farthest])
    func threads(selection: PassageReuse.Selection) async throws {
        defer { remove() }
        var found: [[[Float]]] = []
        for (threads, share) in [(1, 0.2), (2, 0.2), (2, 0.5)] {
            let engine = try engine(threads: threads)
            let texts = texts(engine)
            try await save(texts, engine)
            let context = try await engine.makeContext()
            let result = try await answer(
                texts.prompt, engine, in: context,
                reuse: PassageReuse(spans: texts.spans, share: share, selection: selection))
            let outcome = try #require(result.statistics.reuse)
            #expect(outcome.recomputedTokenCount == (share == 0.2 ? 33 : 83), "\(outcome)")
            #expect(outcome.reusedTokenCount + outcome.recomputedTokenCount == 165)
            let last = engine.model.hyperparameters.blockCount - 1
            found.append(held(context, layer: last, 0..<texts.prompt.count, .keys))
        }
        #expect(found[0] == found[1] && found[0] != found[2])
    }

    @Test("What comes out is measured; beyond the limit the answer is that of the whole prompt, to the bit")
    func limit() async throws {
        defer { remove() }
        let engine = try engine()
        let texts = texts(engine)
        try await save(texts, engine)
        let cold = try await answer(texts.prompt, engine, in: engine.makeContext())
        engine.releaseUnusedCache()
        // What was measured is held, and shared, until it is released.
        func measure(_ reuse: PassageReuse) async throws -> PassageReuse.Outcome {
            defer { engine.releaseUnusedCache() }
            let result = try await answer(texts.prompt, engine, in: engine.makeContext(), reuse: reuse)
            let outcome = try #require(result.statistics.reuse)
            #expect(outcome.movedPassageCount == 2 && (!outcome.isRejected || result.text == cold.text))
            return outcome
        }
        var reuse = PassageReuse(spans: texts.spans, share: 0, interval: 3)
        var outcomes: [PassageReuse.Outcome] = []
        for _ in 0..<4 { outcomes.append(try await measure(reuse)) }
        // The first, and then one of three.
        let divergence = try #require(outcomes[0].divergence)
        #expect(divergence > 0 && divergence.isFinite && outcomes.allSatisfy { !$0.isRejected })
        #expect(outcomes.map(\.divergence) == [divergence, nil, nil, divergence])

        reuse.limit = divergence / 2
        reuse.interval = 1
        #expect(try await measure(reuse).isRejected)
        // From now on each is measured until one is within the limit.
        reuse.interval = 1000
        #expect(try await measure(reuse).isRejected)
        reuse.limit = .infinity
        #expect(try await measure(reuse).divergence == divergence)
        #expect(try await measure(reuse).divergence == nil)

        reuse.limit = divergence / 2
        reuse.interval = 1
        let (rejected, exact) = (try await engine.makeContext(), try await engine.makeContext())
        _ = try await answer(texts.prompt, engine, in: rejected, reuse: reuse)
        engine.releaseUnusedCache()
        _ = try await answer(texts.prompt, engine, in: exact)
        let last = engine.model.hyperparameters.blockCount - 1
        let all = 0..<texts.prompt.count
        #expect(held(rejected, layer: last, all, .values) == held(exact, layer: last, all, .values))
        #expect(held(rejected, layer: last, all, .keys) == held(exact, layer: last, all, .keys))
    }

    @Test("A context with moved passages gives nothing of them to prompts that did not ask for it")
    func apart() async throws {
        defer { remove() }
        let engine = try engine()
        let texts = texts(engine)
        try await save(texts, engine)
        let cold = try await answer(texts.prompt, engine, in: engine.makeContext())
        engine.releaseUnusedCache()
        let context = try await engine.makeContext()
        let moved = try await answer(
            texts.prompt, engine, in: context, reuse: PassageReuse(spans: texts.spans, share: 0))
        #expect(moved.statistics.reuse?.movedPassageCount == 2)
        // Another context, and the same one.
        let other = try await answer(texts.prompt, engine, in: engine.makeContext())
        #expect(other.text == cold.text && other.statistics.cachedTokenCount <= 47)
        #expect(try await answer(texts.prompt, engine, in: context).text == cold.text)
    }

    @Test("A damaged passage is computed, and its file goes")
    func damaged() async throws {
        defer { remove() }
        let engine = try engine()
        let texts = texts(engine)
        let cold = try await answer(texts.prompt, engine, in: engine.makeContext())
        try await save(texts, engine)
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            .filter { $0.pathExtension == "passage" }
        try #require(files.count == 2)
        for file in files {
            var bytes = try Data(contentsOf: file)
            bytes[bytes.count / 2] ^= 4
            try bytes.write(to: file)
        }
        engine.releaseUnusedCache()
        let result = try await answer(
            texts.prompt, engine, in: engine.makeContext(), reuse: PassageReuse(spans: texts.spans, share: 0))
        #expect(result.text == cold.text && result.statistics.reuse?.movedPassageCount == 0)
        #expect(files.allSatisfy { !FileManager.default.fileExists(atPath: $0.path) })
    }

    @Test("Spans that lie outside of the prompt or across each other are no reason to fail")
    func strangeSpans() async throws {
        defer { remove() }
        let engine = try engine()
        let texts = texts(engine)
        try await save(texts, engine)
        let cold = try await answer(texts.prompt, engine, in: engine.makeContext())
        engine.releaseUnusedCache()
        for spans in [[-5..<40, 200..<900], [100..<100], [146..<221, 47..<137], [47..<137, 60..<150]] {
            let result = try await answer(
                texts.prompt, engine, in: engine.makeContext(),
                reuse: PassageReuse(spans: spans, share: 0.5, limit: 0, interval: 1))
            #expect(result.text == cold.text, "\(spans)")
        }
    }
}

import EdgeGGUF
import EdgeKernels
import EdgeModel
import EdgePlatform
import EdgeTestSupport
import EdgeTokenizer
import Foundation
import Testing

@testable import EdgeEngine

/// A small trained model, and what two other engines made of it: `run.c` of llama2.c, and llama.cpp.
@Suite("stories260K", .enabled(if: SharedData.isPresent, Comment(rawValue: SharedData.reason)))
struct StoriesTests {
    struct Golden: Decodable {
        struct Run: Decodable {
            let prompt: String
            let tokens: [Int32]
        }
        let runs: [Run]
    }

    static func model(_ type: String) throws -> Model {
        try Model(GGUFFile(path: SharedData.url("tinyllamas/stories260K-\(type).gguf").path))
    }

    @Test("Greedy ids are those of run.c for every prompt")
    func greedy() throws {
        let model = try Self.model("f32")
        let tokenizer = try model.makeTokenizer()
        let data = try Data(contentsOf: SharedData.url("tinyllamas/golden/greedy.json"))
        let runs = try JSONDecoder().decode(Golden.self, from: data).runs
        #expect(runs.count > 1)
        let pass = try ForwardPass(model, team: ThreadTeam(threadCount: 2), batchCapacity: 64)
        for run in runs {
            let prompt = tokenizer.encode(run.prompt, addSpecial: true, parseSpecial: false)
            try #require(run.tokens.starts(with: prompt), "\(run.prompt)")
            let cache = try model.makeCache(capacity: run.tokens.count, precision: .f32)
            var ids = prompt
            var batch = prompt[...]
            while ids.count < run.tokens.count {
                pass.run(batch, cache: cache, logits: batch.count - 1..<batch.count)
                let logits = pass.logits.copy(row: 0)
                ids.append(Int32(logits.indices.max { logits[$0] < logits[$1] } ?? 0))
                batch = ids.suffix(1)
            }
            #expect(ids == run.tokens, "\(run.prompt)")
        }
    }

    @Test("All logits of a story are those of run.c")
    func logits() throws {
        let model = try Self.model("f32")
        let data = try Data(contentsOf: SharedData.url("tinyllamas/golden/greedy.json"))
        let runs = try JSONDecoder().decode(Golden.self, from: data).runs
        let run = try #require(runs.first { $0.prompt == "Once upon a time" })
        let recorded = try SharedData.floats("tinyllamas/golden/once-upon-a-time.logits.f32")
        let steps = recorded.count / 512
        #expect(steps == 256)
        try #require(run.tokens.count >= steps)
        let pass = try ForwardPass(
            model, team: ThreadTeam(threadCount: 2), batchCapacity: steps, logitsCapacity: steps)
        let cache = try model.makeCache(capacity: steps, precision: .f32)
        pass.run(run.tokens.prefix(steps), cache: cache, logits: 0..<steps)
        #expect(nmse((0..<steps).flatMap { pass.logits.copy(row: $0) }, recorded) <= 1e-9)
    }

    /// What `llama-perplexity -c 256` printed.
    static let perplexities: [(type: String, stories: Double, wiki: Double, tolerance: Double)] = [
        ("f32", 6.8984, 160.3115, 0.001), ("f16", 6.8980, 160.3460, 0.001), ("q8_0", 6.9206, 160.3233, 0.01),
        ("q4_0", 7.8773, 171.7202, 0.01),
    ]

    static func perplexity(_ type: String, of text: [UInt8]) throws -> Double {
        let model = try model(type)
        let tokenizer = try model.makeTokenizer()
        let measurement = try Perplexity(
            model: model, tokens: tokenizer.encode(bytes: text, addSpecial: true, parseSpecial: false),
            beginning: tokenizer.addsBos ? tokenizer.bosId : nil, contextSize: 256, threadCount: 2, precision: .f32)
        while try measurement.next() {}
        return measurement.value
    }

    @Test("The perplexity of stories is llama.cpp's", arguments: perplexities.indices)
    func stories(_ index: Int) throws {
        let (type, recorded, _, tolerance) = Self.perplexities[index]
        let text = try Data(contentsOf: SharedData.url("perplexity/tinystories_sample.txt"))
        let value = try Self.perplexity(type, of: Array(text))
        #expect(abs(value / recorded - 1) <= tolerance, "\(type): \(value)")
    }

    @Test("The perplexity of an encyclopedia is llama.cpp's", arguments: perplexities.indices)
    func encyclopedia(_ index: Int) throws {
        let (type, _, recorded, tolerance) = Self.perplexities[index]
        let text = try Data(contentsOf: SharedData.url("perplexity/wikitext-2-raw/wiki.test.raw")).prefix(100_000)
        let value = try Self.perplexity(type, of: Array(text))
        #expect(abs(value / recorded - 1) <= tolerance, "\(type): \(value)")
    }
}

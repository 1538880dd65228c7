import EdgeLLM
import EdgeTestSupport
import Foundation
import Testing

@Suite("Embeddings") struct EmbeddingTests {
    /// A small encoder in a file that goes when the test ends.
    private final class File {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("edge-bert-\(UUID()).gguf")
        init(_ encoder: SmallEncoder = SmallEncoder()) throws { try Data(encoder.encoded()).write(to: url) }
        deinit { try? FileManager.default.removeItem(at: url) }
    }

    @Test(
        "A vector is the same alone, in company and for any threads, has length 1, and its identifier names the model")
    func company() async throws {
        let file = try File()
        let texts = ["brake fluid is low", "oil", "brakes", "", "unknown words"]
        let model = try await GGUFEmbeddingModel(contentsOf: file.url, options: .init(threadCount: 1))
        #expect(model.dimensionCount == 8 && model.maximumInputTokens == 16 && model.pooling == .mean)
        #expect(model.identifier.contains("bert") && model.identifier.contains("mean"))
        let together = try await model.embed(texts)
        let others = try await GGUFEmbeddingModel(contentsOf: file.url, options: .init(threadCount: 3))
        let many = try await others.embed(Array(repeating: texts, count: 20).flatMap { $0 })
        for (index, text) in texts.enumerated() {
            #expect(try await model.embed([text], as: .query) == [together[index]])
            #expect(many[5 * 13 + index] == together[index])
            #expect(abs(together[index].cosineSimilarity(to: together[index]) - 1) < 1e-6)
            #expect(abs(together[index].values.reduce(0) { $0 + $1 * $1 } - 1) < 1e-5)
        }
        #expect(together[0] != together[1])
        #expect(try await model.embed([]).isEmpty)
    }

    @Test("With the system's BLAS a vector is the same but for rounding; without one the option is refused")
    func systemBLAS() async throws {
        let file = try File()
        let texts = Array(repeating: ["brake fluid is low", "oil", "brakes"], count: 20).flatMap(\.self)
        let own = try await GGUFEmbeddingModel(contentsOf: file.url).embed(texts)
        do {
            let model = try await GGUFEmbeddingModel(contentsOf: file.url, options: .init(usesBLAS: true))
            for (vector, expected) in zip(try await model.embed(texts), own) {
                #expect(vector.cosineSimilarity(to: expected) > 0.99999)
            }
        } catch let error as ModelLoadingError {
            #expect(error.code == .blasUnavailable)
        }
    }

    @Test("Options: raw length, pooling, prefixes")
    func options() async throws {
        let file = try File()
        let texts = ["brake fluid is low"]
        let plain = try await GGUFEmbeddingModel(contentsOf: file.url).embed(texts)[0]
        let raw = try await GGUFEmbeddingModel(contentsOf: file.url, options: .init(normalizes: false)).embed(texts)[0]
        #expect(raw != plain && abs(raw.cosineSimilarity(to: plain) - 1) < 1e-6)
        #expect(zip(Embedding(normalizing: raw.values).values, plain.values).allSatisfy { abs($0 - $1) < 1e-6 })
        let first = try await GGUFEmbeddingModel(contentsOf: file.url, options: .init(pooling: .first))
        #expect(first.pooling == .first)
        #expect(try await first.embed(texts)[0] != plain)
        let prefixed = try await GGUFEmbeddingModel(
            contentsOf: file.url, options: .init(queryPrefix: "brake ", passagePrefix: "oil "))
        let query = try await prefixed.embed(["fluid is low"], as: .query)[0]
        #expect(query == plain)
        #expect(try await prefixed.embed(["fluid is low"], as: .passage)[0] != plain)
        var none = SmallEncoder()
        none.pooling = 0
        let unpooled = try File(none)
        await #expect {
            _ = try await GGUFEmbeddingModel(contentsOf: unpooled.url)
        } throws: {
            ($0 as? ModelLoadingError)?.code == .invalidOptions
        }
        #expect(
            try await GGUFEmbeddingModel(contentsOf: unpooled.url, options: .init(pooling: .mean)).embed(texts)[0]
                == plain)
        for bad in [
            GGUFEmbeddingModel.LoadOptions(threadCount: 0), .init(maximumInputTokens: 0), .init(maximumInputTokens: 17),
        ] {
            await #expect(throws: ModelLoadingError.self) {
                _ = try await GGUFEmbeddingModel(contentsOf: file.url, options: bad)
            }
        }
    }

    @Test("A text that is too long is refused by its place, or cut when that is asked for")
    func tooLong() async throws {
        let file = try File()
        let long = Array(repeating: "brake", count: 40).joined(separator: " ")
        let model = try await GGUFEmbeddingModel(contentsOf: file.url)
        await #expect(throws: EmbeddingError.textTooLong(index: 1, tokenCount: 42, limit: 16)) {
            try await model.embed(["oil", long])
        }
        let cutting = try await GGUFEmbeddingModel(contentsOf: file.url, options: .init(truncatesLongTexts: true))
        let fitting = Array(repeating: "brake", count: 14).joined(separator: " ")
        #expect(try await cutting.embed([long]) == model.embed([fitting]))
        #expect(model.tokenCount(for: fitting) == 16)
    }

    @Test("A cancelled task stops")
    func cancellation() async throws {
        let file = try File()
        let model = try await GGUFEmbeddingModel(contentsOf: file.url)
        let task = Task {
            while !Task.isCancelled { await Task.yield() }
            return try await model.embed(["oil"])
        }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test("Vectors compare by angle")
    func cosine() {
        let a = Embedding([3, 0])
        #expect(a.cosineSimilarity(to: Embedding([2, 2])) == Float(0.5.squareRoot()))
        #expect(a.cosineSimilarity(to: Embedding([0, 0])) == 0)
        #expect(
            Embedding(normalizing: [3, 4]).values == [0.6, 0.8] && Embedding(normalizing: [0, 0]).values == [0, 0])
        #expect(a.cosineSimilarity(to: Embedding([-1, 0])) == -1 && a.dimensionCount == 2)
    }

    @Test(
        "MiniLM's vectors of texts are those of the reference",
        .enabled(if: SharedData.isPresent, Comment(rawValue: SharedData.reason)))
    func miniLM() async throws {
        struct Golden: Decodable {
            struct Item: Decodable {
                let text: String
                let ids: [Int]
                let embedding: [Float]
            }
            let items: [Item]
        }
        let golden = try JSONDecoder().decode(
            Golden.self, from: Data(contentsOf: SharedData.url("embedding/golden.json")))
        let model = try await GGUFEmbeddingModel(
            contentsOf: SharedData.url("embedding/all-MiniLM-L6-v2-q8_0.gguf"))
        let vectors = try await model.embed(golden.items.map(\.text))
        for (vector, item) in zip(vectors, golden.items) {
            #expect(model.tokenCount(for: item.text) == item.ids.count)
            #expect(vector.cosineSimilarity(to: Embedding(item.embedding)) >= 0.999, "\(item.text)")
        }
    }
}

import EdgeGGUF
import EdgeKernels
import EdgeModel
import EdgePlatform
import EdgeTestSupport
import Foundation
import Testing

private func cosine(_ a: [Float], _ b: [Float]) -> Double {
    var (ab, aa, bb) = (0.0, 0.0, 0.0)
    for (x, y) in zip(a, b) {
        ab += Double(x) * Double(y)
        aa += Double(x) * Double(x)
        bb += Double(y) * Double(y)
    }
    return ab / (aa * bb).squareRoot()
}

@Suite("Encoders", .enabled(if: SharedData.isPresent, Comment(rawValue: SharedData.reason)))
struct EncoderTests {
    private func encoder(
        _ golden: GoldenModel, _ pooling: Pooling?, threads: Int = 1, path: ComputePath = .exact, capacity: Int = 256
    ) throws -> Encoder {
        let model = try Model(GGUFFile(path: SharedData.url("golden/" + golden.file).path))
        return try Encoder(
            model, team: ThreadTeam(threadCount: threads), tokenCapacity: capacity, pooling: pooling, path: path)
    }

    @Test(
        "Vectors are within the recorded tolerance", arguments: GoldenModel.encoders,
        [(Pooling.none, "none"), (.mean, "mean"), (.first, "cls")])
    func vectorsAgree(golden: GoldenModel, pooling: (Pooling, String)) throws {
        let limits = golden.recommended_nmse
        for path in ComputePath.allCases {
            let mine = try #require(
                try encoder(golden, pooling.0, path: path).embed([golden.prompt_ids], normalized: false).first)
            let recorded = try SharedData.floats("golden/logits/\(golden.name).\(pooling.1).f32")
            #expect(mine.count == recorded.count)
            #expect(nmse(mine, recorded) <= limits["golden_f32_math"] ?? 0)
            // A float64 forward pass, where there is one.
            let exact = "golden/logits/\(golden.name).\(pooling.1).exact.f32"
            if golden.name == "bert" || (try? SharedData.floats(exact)) != nil {
                #expect(nmse(mine, try SharedData.floats(exact)) <= limits["exact_f32_math"] ?? 0)
            }
        }
    }

    @Test("A text's vector has the same bits alone, in company, and on any number of threads")
    func company() throws {
        // A decoder with windows and one with experts, too: texts must not see each other.
        let others = GoldenModel.all.filter { ["gemma2", "qwen3moe", "llama-base256-Q4_K_M"].contains($0.name) }
        #expect(others.count == 3)
        for golden in GoldenModel.encoders + others {
            let ids = golden.prompt_ids
            let texts = [1, 40, 3, 17, 32, 33, 2, 1, 39].map { Array(ids.prefix($0)) } + [ids + ids]
            for pooling in [Pooling.mean, .last] {
                let alone = try encoder(golden, pooling, path: .int8)
                let each = try texts.map { try #require(alone.embed([$0]).first) }
                for (threads, capacity) in [(1, 256), (3, 256), (2, 80)] {
                    let together = try encoder(golden, pooling, threads: threads, path: .int8, capacity: capacity)
                    #expect(try together.embed(texts) == each, "\(golden.name), \(threads) threads")
                }
                for vector in each { #expect(abs(cosine(vector, vector) - 1) < 1e-6) }
            }
        }
    }

    @Test("The last token's vector of a decoder is what its logits come from")
    func decoder() throws {
        let golden = try #require(GoldenModel.all.first { $0.name == "qwen3-hd24" })
        let vector = try #require(
            try encoder(golden, nil).embed([golden.prompt_ids], normalized: false).first)
        let recorded = try SharedData.floats("golden/logits/\(golden.name).kvf32.f32")
        let model = try Model(GGUFFile(path: SharedData.url("golden/" + golden.file).path))
        let rows = try Rows(rowCount: 1, columnCount: vector.count)
        var logits: [Float] = []
        // The output is the embedding.
        for token in 0..<model.vocabularySize {
            model.weights.tokenEmbedding.decode(row: token, into: rows, at: 0)
            logits.append(zip(rows.copy(row: 0), vector).reduce(0) { $0 + $1.0 * $1.1 })
        }
        let row = golden.prompt_ids.count - 1
        #expect(nmse(logits, Array(recorded[row * logits.count..<(row + 1) * logits.count])) < 1e-10)
    }

    @Test("MiniLM's vectors are as close to the reference as its quantization allows")
    func miniLM() throws {
        struct Golden: Decodable {
            struct Item: Decodable {
                let ids: [Int32]
                let embedding: [Float]
            }
            let items: [Item]
        }
        let golden = try JSONDecoder().decode(
            Golden.self, from: Data(contentsOf: SharedData.url("embedding/golden.json")))
        let model = try Model(GGUFFile(path: SharedData.url("embedding/all-MiniLM-L6-v2-q8_0.gguf").path))
        for path in ComputePath.allCases {
            let encoder = try Encoder(model, team: ThreadTeam(threadCount: 2), path: path)
            #expect(encoder.pooling == .mean)
            let vectors = try encoder.embed(golden.items.map(\.ids))
            for (vector, item) in zip(vectors, golden.items) { #expect(cosine(vector, item.embedding) >= 0.999) }
        }
    }

    @Test("Texts that cannot be run are refused by index, and an encoder does not generate")
    func refusals() throws {
        let golden = try #require(GoldenModel.encoders.first { $0.name == "bert" })
        let encoder = try encoder(golden, nil, capacity: 1000)
        #expect(encoder.tokenCapacity == 256)
        #expect(throws: EncoderError.self) { try encoder.embed([[5], []]) }
        #expect(throws: EncoderError.self) { try encoder.embed([[5], [512]]) }
        do {
            _ = try encoder.embed([[1], Array(repeating: 5, count: 257)])
            Issue.record("a text of more positions than there are was accepted")
        } catch {
            #expect(error.text == 1 && error.code == .textTooLong(tokens: 257, limit: 256))
        }
        do {
            _ = try ForwardPass(encoder.model, team: ThreadTeam(threadCount: 1), batchCapacity: 1)
            Issue.record("an encoder was to generate")
        } catch let error as ModelError {
            #expect(error.code == .unsupportedArchitecture)
        }
    }
}

import EdgeGGUF
import EdgeKernels
import EdgeModel
import EdgePlatform
import EdgeQuant
import EdgeTestSupport
import EdgeTokenizer
import Foundation
import Testing

@Suite("Rerankers") struct RerankerTests {
    private static let url = fixtures.appendingPathComponent("rerank-tiny.gguf")

    private struct Golden: Decodable {
        let pairs: [[Int32]]
        let scores: [Float]
    }

    private func golden() throws -> Golden {
        let url = fixtures.appendingPathComponent("golden/rerank.json")
        return try JSONDecoder().decode(Golden.self, from: Data(contentsOf: url))
    }

    private func encoder(_ file: GGUFFile, _ pooling: Pooling? = nil, threads: Int = 2, path: ComputePath = .exact)
        throws
        -> Encoder
    {
        try Encoder(Model(file), team: ThreadTeam(threadCount: threads), pooling: pooling, path: path)
    }

    /// The fixture with some keys changed or tensors left out or replaced.
    private func changed(
        without names: Set<String> = [], _ edit: (inout GGUFWriter) throws -> Void = { _ in }
    ) throws -> GGUFFile {
        let file = try GGUFFile(path: Self.url.path)
        var writer = GGUFWriter()
        for entry in file.metadata.entries { writer.set(entry.key, entry.value) }
        for tensor in file.tensors where !names.contains(tensor.name) { try writer.add(tensor) }
        try edit(&writer)
        return try GGUFFile(bytes: ByteView(writer.encoded()), path: "changed")
    }

    @Test("Scores are llama.cpp's, alone and in company, on every path and any number of threads")
    func scores() throws {
        let golden = try golden()
        let file = try GGUFFile(path: Self.url.path)
        for path in ComputePath.allCases {
            let one = try encoder(file, threads: 1, path: path)
            #expect(one.pooling == .rank && one.width == 1)
            let mine = try one.embed(golden.pairs, normalized: false)
            #expect(mine.allSatisfy { $0.count == 1 })
            // llama.cpp's GELU is a table of halves.
            #expect(nmse(mine.map { $0[0] }, golden.scores) < 1e-6)
            #expect(try golden.pairs.map { try one.embed([$0], normalized: false)[0] } == mine)
            #expect(try encoder(file, threads: 3, path: path).embed(golden.pairs, normalized: false) == mine)
        }
    }

    @Test("A score is the head's function of the first token's vector")
    func head() throws {
        let golden = try golden()
        let file = try GGUFFile(path: Self.url.path)
        func values(_ name: String) throws -> [Double] {
            let tensor = try #require(file.tensor(named: name))
            return try tensor.type.decode(tensor.bytes.copied()).map { Double($0) }
        }
        func apply(_ name: String, _ x: [Double]) throws -> [Double] {
            let (w, b) = (try values(name + ".weight"), try values(name + ".bias"))
            return b.indices.map { row in x.indices.reduce(b[row]) { $0 + w[row * x.count + $1] * x[$1] } }
        }
        let vectors = try encoder(file, .first).embed(golden.pairs, normalized: false)
        let both = try encoder(file).embed(golden.pairs, normalized: false)
        let last = try encoder(changed(without: ["cls.weight", "cls.bias"])).embed(golden.pairs, normalized: false)
        // Of the dense layer alone as many labels as it has rows.
        let names = (0..<32).map { "label \($0)" }
        let dense = try encoder(
            changed(without: ["cls.output.weight", "cls.output.bias"]) {
                $0.set("bert.classifier.output_labels", .array(GGUFArray(names)))
            }
        ).embed(golden.pairs, normalized: false)
        for (index, vector) in vectors.enumerated() {
            let x = vector.map { Double($0) }
            let hidden = try apply("cls", x).map { tanh($0) }
            #expect(abs(Double(both[index][0]) - (try apply("cls.output", hidden)[0])) < 1e-5)
            #expect(abs(Double(last[index][0]) - (try apply("cls.output", x)[0])) < 1e-5)
            #expect(nmse(dense[index], hidden.map { Float($0) }) < 1e-10)
        }
    }

    @Test("Texts become pairs with the vocabulary's separators")
    func texts() throws {
        let golden = try golden()
        let model = try Model(GGUFFile(path: Self.url.path))
        let reranker = try Reranker(
            model, tokenizer: model.makeTokenizer(), team: ThreadTeam(threadCount: 2), path: .exact)
        let scores = try reranker.score(
            query: "engine light stop",
            documents: ["a is red"])
        let tokenizer = try model.makeTokenizer()
        let ids = { (text: String) in tokenizer.encode(text, addSpecial: false, parseSpecial: false) }
        let pair = [2] + ids("engine light stop") + [3] + ids("a is red") + [3]
        #expect(try encoder(model.file).embed([pair], normalized: false)[0] == scores)
        #expect(pair.count == 9)
        // Control tokens in a text are text.
        #expect(!ids("[SEP] [CLS]").contains(3) && !ids("[SEP] [CLS]").contains(2))
        #expect(try reranker.score(query: "engine", documents: []).isEmpty)
        #expect(golden.pairs.allSatisfy { $0.first == 2 && $0.last == 3 })
        do {
            _ = try reranker.score(query: "engine", documents: ["light", String(repeating: "light ", count: 70)])
            Issue.record("a pair of more positions than there are was accepted")
        } catch {
            #expect(error.text == 1 && error.code == .textTooLong(tokens: 74, limit: 64))
        }
    }

    @Test("A file that asks for scores without saying how is refused by name")
    func refusals() throws {
        for (file, code, name) in [
            (try changed(without: ["cls.weight", "cls.output.weight"]), .missingTensor, "cls.weight"),
            (
                try changed { $0.set("bert.classifier.output_labels", .array(GGUFArray(["a", "b"]))) },
                .tensorShapeMismatch, "cls.output.weight"
            ),
            (
                try changed { $0.set("bert.classifier.output_labels", .array(GGUFArray([String]()))) },
                .invalidMetadata, "bert.classifier.output_labels"
            ),
            (
                try changed { $0.set("bert.classifier.output_labels", .uint32(1)) }, .invalidMetadata,
                "bert.classifier.output_labels"
            ),
            (
                try changed { writer in
                    writer.set("bert.classifier.output_labels", .array(GGUFArray((0..<33).map { "\($0)" })))
                }, .invalidMetadata, "bert.classifier.output_labels"
            ),
            (try changed { $0.set("bert.pooling_type", .uint32(5)) }, .invalidMetadata, "bert.pooling_type"),
        ] as [(GGUFFile, ModelError.Code, String)] {
            do {
                _ = try Model(file)
                Issue.record("\(name): was accepted")
            } catch {
                #expect(error.code == code && (error.key ?? error.tensor) == name, "\(error)")
            }
        }
        // A model without the head embeds, but gives no scores; a decoder cannot ask for them.
        let plain = try changed { $0.set("bert.pooling_type", .uint32(1)) }
        #expect(try encoder(plain).width == 32)
        #expect(throws: ModelError.self) { try encoder(plain, .rank) }
        var writer = try GGUFWriter(
            copying: GGUFFile(path: fixtures.appendingPathComponent("one-layer.gguf").path), layout: .current)
        writer.set("llama.pooling_type", .uint32(4))
        do {
            _ = try Model(GGUFFile(bytes: ByteView(writer.encoded()), path: "decoder"))
            Issue.record("was accepted")
        } catch let error as ModelError {
            #expect(error.code == .unsupportedArchitecture && error.message.contains("bert"))
        }
    }
}

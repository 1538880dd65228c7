import EdgeGGUF
import EdgeModel
import EdgePlatform
import EdgeTestSupport
import EdgeTokenizer
import Foundation
import Testing

@testable import EdgeConvert

/// A small tokenizer and the ids that its own library gives; `Fixtures/convert/make_tokenizers.py` makes them.
struct SavedTokenizer: Sendable, CustomTestStringConvertible {
    let name: String
    var folder: URL { Self.root.appendingPathComponent(name) }
    var testDescription: String { name }

    private static let root = fixtures.appendingPathComponent("convert/tokenizers", isDirectory: true)

    static let all: [SavedTokenizer] =
        ((try? FileManager.default.contentsOfDirectory(atPath: root.path)) ?? []).sorted().map(SavedTokenizer.init)

    struct Case: Decodable {
        let text: String
        let ids: [Int32]
    }

    func cases() throws -> [Case] {
        try JSONDecoder().decode([Case].self, from: Data(contentsOf: folder.appendingPathComponent("golden.json")))
    }

    func read(preTokenizer: String? = nil) throws(ConversionError) -> ConvertedTokenizer {
        try read(folder: folder.path, preTokenizer: preTokenizer)
    }
}

private func read(folder: String, preTokenizer: String? = nil) throws(ConversionError) -> ConvertedTokenizer {
    let files = ModelFiles(folder: folder)
    guard let config = try files.json("config.json") else {
        throw ConversionError(.unreadable, "there is no config.json", path: folder)
    }
    let size = try config.int("vocab_size", in: 1...1 << 24)
    return try TokenizerReader(files, config, vocabularySize: size, preTokenizer: preTokenizer).read()
}

extension SavedTokenizer {
    fileprivate func read(folder: String, preTokenizer: String?) throws(ConversionError) -> ConvertedTokenizer {
        try EdgeConvertTests.read(folder: folder, preTokenizer: preTokenizer)
    }
}

@Suite("Converted tokenizers") struct ConvertedTokenizerTests {
    @Test("Ids are those of the tokenizer's own library, also behind GGUF", arguments: SavedTokenizer.all)
    func ids(saved: SavedTokenizer) throws {
        let converted = try saved.read()
        var writer = GGUFWriter()
        for (key, value) in converted.metadata { writer.set(key, value) }
        let file = try GGUFFile(bytes: ByteView(writer.encoded()), path: saved.name)
        for tokenizer in [try Tokenizer(converted.vocabulary), try Tokenizer(file)] {
            for item in try saved.cases() {
                let ids = tokenizer.encode(item.text, addSpecial: true, parseSpecial: true)
                #expect(ids == item.ids, "\(item.text.debugDescription)")
            }
        }
    }

    @Test("There is a tokenizer of every kind, and each pre-tokenizer has the name of its folder")
    func kinds() throws {
        let names = ["llama-bpe", "dbrx", "qwen2", "gpt-4o", "tekken", "gpt-2", "smollm"]
        for name in names { #expect(try SavedTokenizer(name: name).read().vocabulary.pre == name) }
        let models = try Set(SavedTokenizer.all.map { try $0.read().vocabulary.model })
        #expect(models == ["gpt2", "llama", "bert", "t5"])
    }

    @Test("Special tokens, types and templates come from the files beside the tokenizer")
    func special() throws {
        let llama = try SavedTokenizer(name: "llama-bpe").read()
        let vocabulary = llama.vocabulary
        let start = try #require(
            (0..<vocabulary.tokens.count).first { vocabulary.tokens[$0].elementsEqual("<|start|>".utf8) })
        let types = try #require(vocabulary.types)
        #expect(vocabulary.bosId == start && vocabulary.eosId == start + 1)
        #expect(vocabulary.addBos == true && vocabulary.addEos == false)
        #expect(types[start] == 3 && types[start + 2] == 4 && types[start + 3] == 5)
        #expect(vocabulary.tokens.count == start + 3 + 8)
        #expect(llama.templates.map(\.name) == [nil, "tool_use"])
        let keys = llama.metadata.map(\.key)
        #expect(keys.contains("tokenizer.chat_template") && keys.contains("tokenizer.chat_template.tool_use"))
        let words = try SavedTokenizer(name: "word-piece").read().vocabulary
        #expect([words.padId, words.unkId, words.bosId, words.sepId, words.maskId] == [0, 1, 2, 3, 4])
        #expect(
            try SavedTokenizer(name: "word-piece-lines").read().metadata.map(\.value)
                == SavedTokenizer(name: "word-piece").read().metadata.map(\.value))
    }

    /// A copy of a saved tokenizer, whose `tokenizer.json` is changed.
    private func changed(_ name: String, _ change: (inout [String: Any]) throws -> Void) throws -> TemporaryFolder {
        let place = try TemporaryFolder()
        let folder = SavedTokenizer(name: name).folder
        for file in ["config.json", "tokenizer_config.json"] {
            try FileManager.default.copyItem(
                at: folder.appendingPathComponent(file), to: place.url.appendingPathComponent(file))
        }
        let data = try Data(contentsOf: folder.appendingPathComponent("tokenizer.json"))
        var json = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        try change(&json)
        try JSONSerialization.data(withJSONObject: json).write(to: place.url.appendingPathComponent("tokenizer.json"))
        return place
    }

    private func code(_ name: String, _ change: (inout [String: Any]) throws -> Void) throws -> ConversionError.Code? {
        let place = try changed(name, change)
        do throws(ConversionError) {
            _ = try read(folder: place.path)
            return nil
        } catch { return error.code }
    }

    @Test("A way to cut words that has no name is refused, and taken under a name that is given")
    func unknownPreTokenizer() throws {
        let change: (inout [String: Any]) -> Void = { json in
            json["pre_tokenizer"] = [
                "type": "Split", "pattern": ["Regex": "\\w+"], "behavior": "Isolated", "invert": false,
            ]
            json["decoder"] = ["type": "ByteLevel"]
        }
        #expect(try code("dbrx", change) == .unsupportedTokenizer)
        let place = try changed("dbrx", change)
        #expect(try read(folder: place.path, preTokenizer: "default").vocabulary.pre == "default")
        let error = #expect(throws: ConversionError.self) { try read(folder: place.path, preTokenizer: "nonsense") }
        #expect(error?.code == .unsupportedTokenizer)
        #expect(
            try code("gpt-2") { $0["pre_tokenizer"] = ["type": "ByteLevel", "add_prefix_space": true] }
                == .unsupportedTokenizer)
        #expect(try code("gpt-2") { $0["normalizer"] = ["type": "Lowercase"] } == .unsupportedTokenizer)
    }

    @Test("An added token without a row in the embedding is left out, and said to be")
    func beyond() throws {
        let place = try changed("gpt-2") { json in
            json["added_tokens"] = [["id": 1 << 20, "content": "<image>", "special": true]]
        }
        let made = try read(folder: place.path)
        #expect(made.notes.count == 1 && made.notes[0].contains("<image>"))
        #expect(try SavedTokenizer(name: "gpt-2").read().notes.isEmpty)
    }

    @Test("Tokenizers that contradict themselves are errors of their kind")
    func damage() throws {
        func model(_ json: inout [String: Any], _ change: (inout [String: Any]) -> Void) throws {
            var model = try #require(json["model"] as? [String: Any])
            change(&model)
            json["model"] = model
        }
        #expect(try code("gpt-2") { $0["model"] = nil } == .missingMetadata)
        #expect(try code("gpt-2") { try model(&$0) { $0["vocab"] = nil } } == .missingMetadata)
        #expect(try code("gpt-2") { try model(&$0) { $0["vocab"] = ["a": 0, "b": 0] } } == .invalidVocabulary)
        #expect(try code("gpt-2") { try model(&$0) { $0["vocab"] = ["a": 1 << 30] } } == .invalidVocabulary)
        #expect(try code("gpt-2") { try model(&$0) { $0["vocab"] = ["a": -1] } } == .invalidVocabulary)
        #expect(try code("gpt-2") { try model(&$0) { $0["vocab"] = ["a": "b"] } } == .invalidMetadata)
        #expect(try code("gpt-2") { try model(&$0) { $0["merges"] = ["a"] } } == .invalidMetadata)
        #expect(try code("gpt-2") { try model(&$0) { $0["merges"] = [["a", "b", "c"]] } } == .invalidMetadata)
        #expect(try code("gpt-2") { try model(&$0) { $0["merges"] = nil } } == .missingMetadata)
        #expect(try code("gpt-2") { try model(&$0) { $0["type"] = "WordLevel" } } == .unsupportedTokenizer)
        #expect(try code("gpt-2") { $0["added_tokens"] = [["id": -1, "content": "x"]] } == .invalidMetadata)
        #expect(try code("gpt-2") { $0["added_tokens"] = [["id": 1]] } == .missingMetadata)
        #expect(try code("unigram") { try model(&$0) { $0["vocab"] = [["a"]] } } == .invalidMetadata)
        #expect(
            try code("unigram") { $0["normalizer"] = ["type": "Precompiled", "precompiled_charsmap": "?"] }
                == .invalidMetadata)
        #expect(
            try code("unigram") { $0["normalizer"] = ["type": "Precompiled", "precompiled_charsmap": "AAAA"] }
                == .invalidVocabulary)
        #expect(try code("word-piece") { $0["normalizer"] = ["type": "NFC"] } == .unsupportedTokenizer)
        #expect(
            try code("word-piece") { try model(&$0) { $0["continuing_subword_prefix"] = "@" } } == .unsupportedTokenizer
        )
        // Merges that no scores can say: one missing, and one out of its place.
        #expect(
            try code("sentence-piece-merges") { json in
                try model(&json) { $0["merges"] = ($0["merges"] as? [Any])?.dropFirst().map { $0 } }
            } == .unsupportedTokenizer)
        #expect(try code("sentence-piece-merges") { _ in } == nil)
    }

    @Test("Damaged tokenizers give an error or a sound vocabulary, whatever was changed")
    func fuzzJSON() throws {
        var random = SplitMix(seed: 9)
        var errors = 0
        for name in ["llama-bpe", "unigram", "word-piece", "sentence-piece-merges"] {
            let place = try changed(name) { _ in }
            let sound = [UInt8](try Data(contentsOf: place.url.appendingPathComponent("tokenizer.json")))
            for _ in 0..<100 {
                var bytes = sound
                for _ in 0...Int(random.next() % 3) {
                    let index = Int(random.next() % UInt64(bytes.count))
                    switch random.next() % 3 {
                    case 0: bytes[index] = UInt8(ascii: "0") + UInt8(random.next() % 10)
                    case 1: bytes.remove(at: index)
                    default: bytes[index] = UInt8(random.next() % 128)
                    }
                }
                try place.write("tokenizer.json", bytes)
                do throws(ConversionError) {
                    let made = try read(folder: place.path)
                    #expect(made.vocabulary.tokens.count == made.vocabulary.types?.count)
                } catch { errors += 1 }
            }
        }
        #expect(errors > 50)
    }

    @Test("Damaged SentencePiece files give an error or a sound tokenizer, whatever was changed")
    func fuzz() throws {
        let folder = SavedTokenizer(name: "sentence-piece").folder
        let sound = [UInt8](try Data(contentsOf: folder.appendingPathComponent("tokenizer.model")))
        var random = SplitMix(seed: 5)
        var errors = 0
        for _ in 0..<3_000 {
            var bytes = sound
            for _ in 0...Int(random.next() % 4) {
                let place = Int(random.next() % UInt64(bytes.count))
                switch random.next() % 3 {
                case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
                case 1: bytes.remove(at: place)
                default: bytes.removeLast(Int(random.next() % 64))
                }
            }
            do throws(ConversionError) {
                let file = try SentencePieceFile(ByteView(bytes), path: "tokenizer.model")
                #expect(file.pieces.count <= bytes.count / 2)
            } catch { errors += 1 }
        }
        #expect(errors > 1_000)
        #expect(throws: ConversionError.self) { try SentencePieceFile(ByteView([UInt8]()), path: "") }
    }

    @Test(
        "Base64 is read, and what is none is refused",
        arguments: [
            ("", []), ("Zg==", [102]), ("Zm8=", [102, 111]), ("Zm9v", [102, 111, 111]), ("+/+/", [0xFB, 0xFF, 0xBF]),
            ("Zg=", nil), ("Zg", nil), ("Z===", nil), ("====", nil), ("Zg==Zg==", nil), ("Z g=", nil),
        ] as [(String, [UInt8]?)])
    func base64(text: String, bytes: [UInt8]?) { #expect(UnigramSteps.decodeBase64(text) == bytes) }
}

@Suite("The bundled embedder", .enabled(if: SharedData.isPresent, Comment(rawValue: SharedData.reason)))
struct EmbedderTokenizerTests {
    @Test("The vocabulary of all-MiniLM-L6-v2 is that of the file that others made")
    func vocabulary() throws {
        let mine = try read(folder: SharedData.url("embedding/all-MiniLM-L6-v2").path)
        let file = try GGUFFile(path: SharedData.url("embedding/all-MiniLM-L6-v2-q8_0.gguf").path)
        let made = Dictionary(uniqueKeysWithValues: mine.metadata.map { ($0.key, $0.value) })
        for entry in file.metadata.entries where entry.key.hasPrefix("tokenizer.") {
            #expect(made[entry.key] == entry.value, "\(entry.key)")
        }
    }
}

/// The file that `make embedder` made, where `EDGE_EMBEDDER` names it.
private let embedder = ProcessInfo.processInfo.environment["EDGE_EMBEDDER"]

@Suite(
    "The fetched embedder",
    .enabled(
        if: embedder != nil && SharedData.isPresent, "needs EDGE_EMBEDDER, the file of make embedder, and shared data"))
struct EmbedderGoldenTests {
    private struct Golden: Decodable {
        struct Item: Decodable {
            let text: String
            let ids: [Int32]
            let embedding: [Float]
        }
        let items: [Item]
    }

    @Test("Its ids are the recorded ones, and its vectors have a cosine of 0.9999 or more to them")
    func vectors() throws {
        let file = try GGUFFile(path: try #require(embedder))
        let golden = try JSONDecoder().decode(
            Golden.self, from: Data(contentsOf: SharedData.url("embedding/golden.json")))
        #expect(golden.items.count == 23)
        let tokenizer = try Tokenizer(file)
        let encoder = try Encoder(Model(file), team: ThreadTeam(threadCount: 2))
        for item in golden.items {
            let ids = tokenizer.encode(item.text, addSpecial: true, parseSpecial: false)
            #expect(ids == item.ids, "\(item.text)")
            let vector = try #require(encoder.embed([ids]).first)
            let length = item.embedding.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
            let cosine = zip(vector, item.embedding).reduce(0) { $0 + Double($1.0) * Double($1.1) } / length
            #expect(cosine >= 0.9999, "\(item.text): \(cosine)")
        }
    }
}

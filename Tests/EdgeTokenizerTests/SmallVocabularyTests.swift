import EdgeTestSupport
import Foundation
import Testing

@testable import EdgeTokenizer

/// Vocabularies made by `Fixtures/small_tokenizers.py`, with the ids that the reference implementations give.
@Suite("Small vocabularies")
struct SmallVocabularyTests {
    struct Family: Decodable {
        var model: String
        var tokens: [String]
        var scores: [Float]?
        var types: [Int32]
        var unknown: Int?
        var charsmap: Data?
        var addSpacePrefix: Bool?
        var removeExtraWhitespaces: Bool?
        var lowercase: Bool?
        var stripAccents: Bool?
        var cases: [Case]
        struct Case: Decodable {
            var text: String
            var ids: [Int32]
        }
    }

    static func families() throws -> [String: Family] {
        let data = try Data(contentsOf: fixtures.appendingPathComponent("small_tokenizers.json"))
        return try JSONDecoder().decode([String: Family].self, from: data)
    }

    static func tokenizer(_ family: Family) throws -> Tokenizer {
        var vocabulary = Vocabulary(model: family.model, tokens: PackedStrings(family.tokens))
        vocabulary.scores = family.scores
        vocabulary.types = family.types
        vocabulary.unkId = family.unknown
        vocabulary.precompiledCharsmap = family.charsmap.map { Array($0) }
        vocabulary.addSpacePrefix = family.addSpacePrefix
        vocabulary.removeExtraWhitespaces = family.removeExtraWhitespaces
        vocabulary.lowercase = family.lowercase
        vocabulary.stripAccents = family.stripAccents
        return try Tokenizer(vocabulary)
    }

    @Test(
        "Every text gives exactly the ids of the reference",
        arguments: [
            "unigram", "unigram without prefix", "unigram with all spaces", "wordpiece", "wordpiece cased",
            "wordpiece with accents", "rwkv",
        ])
    func ids(_ name: String) throws {
        let family = try #require(Self.families()[name])
        let tokenizer = try Self.tokenizer(family)
        try #require(family.cases.count > 30)
        for one in family.cases {
            let ids = tokenizer.encode(one.text, addSpecial: false, parseSpecial: false)
            #expect(ids == one.ids, "\(one.text.debugDescription)")
        }
    }

    @Test("RWKV gives back any bytes")
    func rwkv() throws {
        let tokenizer = try Self.tokenizer(#require(Self.families()["rwkv"]))
        for seed in UInt64(0)..<100 {
            var random = RandomText(seed: seed)
            let bytes = random.bytes(30) + Array(random.next(pieces: 10).utf8)
            let ids = tokenizer.encode(bytes: bytes, addSpecial: false, parseSpecial: false)
            #expect(ids.flatMap { tokenizer.bytes(of: $0) } == bytes, "seed \(seed)")
        }
    }

    @Test("Unigram ends with EOS where the caller asks for special tokens, RWKV adds nothing")
    func around() throws {
        let families = try Self.families()
        let unigram = try Self.tokenizer(#require(families["unigram"]))
        let plain = unigram.encode("the car", addSpecial: false, parseSpecial: false)
        #expect(unigram.encode("the car", addSpecial: true, parseSpecial: false) == plain + [1])
        #expect(unigram.decode(plain) == "the car")
        let rwkv = try Self.tokenizer(#require(families["rwkv"]))
        #expect(rwkv.encode("", addSpecial: true, parseSpecial: true).isEmpty)
    }

    /// gpt-oss shows its channel tokens to the reader; a user still must not be able to type them.
    @Test("Tokens that a model shows stay out of reach of plain text")
    func shown() throws {
        var vocabulary = MalformedVocabularyTests.small("gpt2")
        vocabulary.tokens = PackedStrings(
            ["<|start|>", "<|message|>", "<|end|>", "<|return|>", "<|call|>", "<|channel|>", "a", "<", "|", ">"])
        vocabulary.types = [3, 3, 3, 3, 3, 3, 1, 1, 1, 1]
        vocabulary.scores = nil
        let tokenizer = try Tokenizer(vocabulary)
        let text = "<|start|>a<|channel|>a<|message|>a<|end|>"
        #expect(tokenizer.encode(text, addSpecial: false, parseSpecial: true) == [0, 6, 5, 6, 1, 6, 2])
        #expect(tokenizer.encode(text, addSpecial: false, parseSpecial: false).allSatisfy { $0 >= 6 })
        #expect(tokenizer.decode([0, 6, 5, 3]) == "<|start|>a<|channel|>")
        #expect(tokenizer.isEndOfGeneration(3) && !tokenizer.isEndOfGeneration(2))
    }
}

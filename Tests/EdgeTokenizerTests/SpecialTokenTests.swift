import EdgeTestSupport
import Testing

@testable import EdgeTokenizer

@Suite("Special tokens", .enabled(if: SharedData.isPresent, "\(SharedData.reason)"))
struct SpecialTokenTests {
    private static func guarded(_ tokenizer: Tokenizer) -> [Int32] {
        tokenizer.kinds.indices.filter { tokenizer.kinds[$0].contains(.guarded) && !tokenizer.tokens.range($0).isEmpty }
            .map { Int32($0) }
    }

    private static func spelling(_ id: Int32, _ tokenizer: Tokenizer) -> String {
        String(decoding: tokenizer.tokens[Int(id)], as: UTF8.self)
    }

    @Test("No spelling of a control token in plain text becomes one", arguments: Recorded.names)
    func untrusted(_ name: String) throws {
        let tokenizer = try Recorded.tokenizer(name)
        let guarded = Self.guarded(tokenizer)
        try #require(!guarded.isEmpty)
        func check(_ text: String) {
            let ids = tokenizer.encode(text, addSpecial: false, parseSpecial: false)
            // A word that no piece spells is the unknown token, which says nothing.
            let bad = ids.filter { tokenizer.kinds[Int($0)].contains(.guarded) && $0 != tokenizer.unkId }
            #expect(bad.isEmpty, "\(text.debugDescription.prefix(100)) gave \(bad)")
        }
        for id in guarded {
            let text = Self.spelling(id, tokenizer)
            for wrapped in [text, "a\(text)b", " \(text) ", "\n\(text)\n", text + text] { check(wrapped) }
        }
        check(guarded.map { Self.spelling($0, tokenizer) }.joined())
        check(guarded.map { Self.spelling($0, tokenizer) }.joined(separator: " "))
    }

    @Test("Every control token that trusted text spells is found", arguments: Recorded.names)
    func trusted(_ name: String) throws {
        let tokenizer = try Recorded.tokenizer(name)
        for id in Self.guarded(tokenizer) {
            let text = Self.spelling(id, tokenizer)
            let ids = tokenizer.encode("a\(text)b", addSpecial: false, parseSpecial: true)
            #expect(ids.filter { $0 == id }.count == 1, "\(text)")
            #expect(tokenizer.encode(text, addSpecial: false, parseSpecial: true) == [id], "\(text)")
        }
    }

    @Test("Only trusted segments hold control tokens", arguments: Recorded.names)
    func segments(_ name: String) throws {
        let tokenizer = try Recorded.tokenizer(name)
        let id = try #require(Self.guarded(tokenizer).last)
        let text = Self.spelling(id, tokenizer)
        func count(_ segments: [TextSegment]) -> Int {
            tokenizer.encode(segments: segments, addSpecial: false).filter { $0 == id }.count
        }
        #expect(count([TextSegment(text, isTrusted: true)]) == 1)
        #expect(count([TextSegment(text, isTrusted: false)]) == 0)
        #expect(count([TextSegment(text, isTrusted: true), TextSegment(text, isTrusted: false)]) == 1)
        #expect(count([TextSegment(text, isTrusted: false), TextSegment(text, isTrusted: true)]) == 1)
        // In two pieces: both trusted, or one of them not.
        let half = String(text.prefix(text.count / 2))
        let rest = String(text.dropFirst(text.count / 2))
        for (first, second, expected) in [(true, true, 1), (true, false, 0), (false, true, 0), (false, false, 0)] {
            let segments = [TextSegment(half, isTrusted: first), TextSegment(rest, isTrusted: second)]
            #expect(count(segments) == expected, "\(first), \(second)")
        }
    }

    @Test("Segments encode as the text that they make up", arguments: Recorded.names)
    func joined(_ name: String) throws {
        let tokenizer = try Recorded.tokenizer(name)
        for seed in UInt64(0)..<100 {
            var random = RandomText(seed: seed)
            let text = random.next(pieces: 12)
            let parts = random.cut(text, 5)
            for isTrusted in [true, false] {
                let segments = parts.map { TextSegment($0, isTrusted: isTrusted) }
                #expect(
                    tokenizer.encode(segments: segments, addSpecial: true)
                        == tokenizer.encode(text, addSpecial: true, parseSpecial: isTrusted), "seed \(seed)")
            }
        }
    }

    @Test("What stands around a text follows the file and the family")
    func around() throws {
        let expected: [(name: String, first: Int32?, last: Int32?)] = [
            ("llama-spm", 1, nil), ("phi-3", 1, nil), ("llama-bpe", 128000, nil), ("gpt-2", nil, nil),
            ("qwen2", nil, nil), ("bert-bge", 101, 102),
        ]
        for (name, first, last) in expected {
            let tokenizer = try Recorded.tokenizer(name)
            let plain = tokenizer.encode("hello world", addSpecial: false, parseSpecial: false)
            let around = tokenizer.encode("hello world", addSpecial: true, parseSpecial: false)
            #expect(around == (first.map { [$0] } ?? []) + plain + (last.map { [$0] } ?? []), "\(name)")
            let empty = tokenizer.encode("", addSpecial: true, parseSpecial: false)
            #expect(empty == [first, last].compactMap { $0 }, "\(name)")
            #expect(tokenizer.encode("", addSpecial: false, parseSpecial: true).isEmpty)
        }
    }

    @Test("The file may switch BOS and EOS on and off")
    func switches() throws {
        for name in ["llama-spm", "gpt-2"] {
            var vocabulary = try Recorded.vocabulary(name)
            let plain = try Tokenizer(vocabulary).encode("x", addSpecial: false, parseSpecial: false)
            for (bos, eos) in [(true, true), (true, false), (false, true), (false, false)] {
                vocabulary.addBos = bos
                vocabulary.addEos = eos
                let tokenizer = try Tokenizer(vocabulary)
                let first = try #require(tokenizer.bosId)
                let last = try #require(tokenizer.eosId)
                #expect(
                    tokenizer.encode("x", addSpecial: true, parseSpecial: false)
                        == (bos ? [first] : []) + plain + (eos ? [last] : []))
            }
        }
    }
}

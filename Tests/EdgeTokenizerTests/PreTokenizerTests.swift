import Testing

@testable import EdgeTokenizer

@Suite("Pre-tokenizers")
struct PreTokenizerTests {
    /// The words that a pre-tokenizer cuts a text into.
    private static func words(_ text: String, _ name: String) throws -> [String] {
        let pre = try #require(PreTokenizer.named(name))
        let bytes = Array(text.utf8)
        var scalars = ScalarText()
        scalars.read(bytes, 0..<bytes.count, CharacterTable.stages)
        var ends: [Int] = []
        var scratch: [Int] = []
        pre.split(scalars, &ends, &scratch)
        var start = 0
        return ends.map { end in
            defer { start = end }
            return String(decoding: bytes[scalars.offsets[start]..<scalars.offsets[end]], as: UTF8.self)
        }
    }

    @Test(
        "Words are cut as the named pattern says",
        arguments: [
            ("gpt-2", "I'll go  home 123456", ["I", "'ll", " go", " ", " home", " 123456"]),
            ("gpt-2", "I'LL\n\n!", ["I", "'", "LL", "\n", "\n", "!"]),
            ("llama-bpe", "I'LL go\r\n\n x1234 ...\n", ["I", "'LL", " go", "\r\n\n", " x", "123", "4", " ...\n"]),
            ("qwen2", "x12", ["x", "1", "2"]),
            ("qwen35", "a\u{301}b 1", ["a\u{301}b", " ", "1"]),
            ("starcoder", "a 12", ["a", " ", "1", "2"]),
            ("smollm", "a 12", ["a", " ", "1", "2"]),
            ("falcon", "a 1234", ["a", " ", "123", "4"]),
            ("tekken", "helloWorld ABCdef", ["hello", "World", " ABCdef"]),
            ("gpt-4o", "it's HTTPServer", ["it's", " HTTPServer"]),
            ("deepseek-v3", "(abc 日本x", ["(abc", " ", "日本", "x"]),
            ("afmoe", "1234567", ["1", "234", "567"]),
            ("superbpe", "12345", ["12", "345"]),
            ("bloom", "Hi there, you", ["Hi", " there", ",", " you"]),
            ("kimi-k2", "中文abc's", ["中文", "abc's"]),
            ("exaone-moe", "a b c1", ["a b c", "1"]),
            ("jais-2", "a       b", ["a", "    ", "  ", " b"]),
            ("laguna", "a\n\nb", ["a", "\n\n", "b"]),
            ("whitespace", "a  b\u{A0}c", ["a", "  ", "b", "\u{A0}", "c"]),
        ])
    func cut(name: String, text: String, expected: [String]) throws {
        #expect(try Self.words(text, name) == expected)
    }

    @Test("Every name is known, an unknown one is not, and none means the default")
    func names() {
        #expect(Set(PreTokenizer.names).count == PreTokenizer.names.count)
        for name in PreTokenizer.names { #expect(PreTokenizer.named(name) != nil, "\(name)") }
        #expect(PreTokenizer.named("no such pre-tokenizer") == nil)
        #expect(PreTokenizer.named(nil) != nil && PreTokenizer.named("") != nil)
    }

    @Test("Words make up the text")
    func whole() throws {
        for seed in UInt64(0)..<100 {
            var random = RandomText(seed: seed)
            let text = random.next(pieces: 15)
            for name in PreTokenizer.names {
                let words = try Self.words(text, name)
                #expect(words.joined() == text && !words.contains(""), "\(name), seed \(seed)")
            }
        }
    }
}

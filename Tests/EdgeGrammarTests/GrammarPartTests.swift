import EdgeGrammar
import Foundation
import Testing

@Suite("Grammars of parts") struct GrammarPartTests {
    private func call(_ name: String, _ schema: String) throws -> GrammarPart {
        .sequence([
            .text("{\"name\": \"\(name)\", \"arguments\": "), .grammar(try JSONSchema.compile(schema)), .text("}"),
        ])
    }

    @Test("Text and schemas stand where they were put, and nothing else does")
    func calls() throws {
        let one = try call("a", #"{"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}"#)
        let other = try call(
            "b", ##"{"$ref": "#/$defs/t", "$defs": {"t": {"type": "array", "items": {"$ref": "#/$defs/t"}}}}"##)
        let grammar = try Grammar(
            .sequence([
                .optional(.text("\n")), .text("["), .repeated(.choice([one, other]), between: .text(", "), maximum: 3),
                .text("]"),
            ]))
        let a = #"{"name": "a", "arguments": {"x": 12}}"#
        let b = #"{"name": "b", "arguments": [[], [[]]]}"#
        for text in ["[\(a)]", "\n[\(b)]", "[\(a), \(b), \(b)]", "[\(a), \(a)]"] {
            #expect(accepts(grammar, text.utf8), "\(text)")
        }
        for text in [
            "", "[]", "[\(a), \(a), \(a), \(a)]", "[\(a), ]", "[\(a)\(b)]", "\n\n[\(a)]", "[\(a)] ",
            "[\(a.replacing("\"a\"", with: "\"b\""))]",
            "[\(b.replacing("[]", with: "1"))]", a,
        ] {
            #expect(!accepts(grammar, text.utf8), "\(text)")
        }
    }

    @Test("Text runs up to the first occurrence of its end, and no further")
    func until() throws {
        let grammar = try Grammar(.sequence([.text("<"), .textUntil("aab", maximum: nil), .text(">")]))
        for text in ["", "a", "aa", "aaa", "ab", "abaa", "é日aa🙂", "\n<>"] {
            #expect(accepts(grammar, "<\(text)aab>".utf8), "\(text)")
            #expect(!accepts(grammar, "<\(text)aab".utf8) && !accepts(grammar, "<\(text)aabaab>".utf8), "\(text)")
        }
        #expect(!accepts(grammar, [0x3C, 0xFF] + Array("aab>".utf8)))
        #expect(throws: GrammarError.self) { try Grammar(.textUntil("é", maximum: nil)) }
        #expect(throws: GrammarError.self) { try Grammar(.textUntil("", maximum: nil)) }
    }

    @Test("Counted text has so many characters at most before its end")
    func counted() throws {
        for maximum in 0...5 {
            let grammar = try Grammar(.textUntil("\n</a", maximum: maximum))
            for text in ["", "a", "\n", "\n<\n", "日é", "\n</\n", "aaaa", "\n\n\n\n\n", "日本語日本", "aaaaaa", "\n</b<\n"] {
                let fits = text.unicodeScalars.count <= maximum
                #expect(accepts(grammar, "\(text)\n</a".utf8) == fits, "\(maximum) \(text.debugDescription)")
            }
        }
        // What is too long is noticed at once: no way is left open that has no end.
        var matcher = Matcher(try Grammar(.textUntil("</a", maximum: 3)), tree: byteTree)
        let steps = ["abc", "d", "</a"].map { matcher.accept(bytes: Array($0.utf8)) }
        #expect(steps == [true, false, true])
        let mustEnd = matcher.mustEnd
        #expect(mustEnd)
    }

    @Test("A mark is only matched by its token, and no text by a mark")
    func marks() throws {
        let words = [Array("ab".utf8), VocabularyTree.spelling(ofMark: 1), Array("<m>".utf8), []]
        var ends: [Int] = []
        for word in words { ends.append((ends.last ?? 0) + word.count) }
        let tree = VocabularyTree(
            bytes: words.flatMap { $0 }, ends: ends, isText: [true, true, true, false], endTokens: [3])
        func allowed(_ matcher: inout Matcher) throws -> [Int32] {
            var bits = [UInt64](repeating: 0, count: tree.wordCount)
            _ = try matcher.mask(into: &bits)
            return tokens(in: bits, count: words.count)
        }
        var marked = Matcher(try Grammar(.sequence([.mark(1), .text("ab")])), tree: tree)
        #expect(try allowed(&marked) == [1])
        let accepted = marked.accept(1)
        #expect(accepted)
        #expect(try allowed(&marked) == [0])
        var free = Matcher(try Grammar(.textUntil("b", maximum: nil)), tree: tree)
        #expect(try allowed(&free) == [0, 2])
    }

    @Test("What is too large, too deep or impossible is an error")
    func limits() throws {
        var deep = GrammarPart.text("a")
        for _ in 0..<1_000 { deep = .optional(deep) }
        #expect(throws: GrammarError.self) { try Grammar(deep) }
        #expect(throws: GrammarError.self) { try Grammar(.choice([])) }
        #expect(throws: GrammarError.self) { try Grammar(.text(String(repeating: "a", count: 400_000))) }
        #expect(accepts(try Grammar(.sequence([])), "".utf8))
        #expect(accepts(try Grammar(.text("")), "".utf8))
        #expect(accepts(try Grammar(.repeated(.optional(.text("a")), between: .text(","), maximum: 4)), ",a,,a".utf8))
    }
}

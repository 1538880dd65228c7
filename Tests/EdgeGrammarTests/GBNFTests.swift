import EdgeGrammar
import EdgeTestSupport
import Foundation
import Testing

@Suite struct GBNFTests {
    /// The tokens of the recorded texts that have some, which the record left out: those of llama.cpp's test, in which each character
    /// is a token as well.
    private static let tokens: [String: (pass: [[Piece]], fail: [[Piece]])] = [
        "simple grammar with tokens": (
            [
                [10, "hello world", 11], [10, "text with ", 12, " other tokens ", 13, " mixed in", 11], [10, 11],
                [10, 12, 13, 14, 15, 11], [10, "a", 11],
            ],
            [[10, "missing end token"], [10], ["missing start token", 11], [10, 11, 11], [11, "wrong order", 10]]
        ),
        "complex grammar with tokens": (
            [
                [10, "I am thinking", 11, 20, "hello world!", 21, 12, "search", 13, "query=test", 14],
                [10, "reasoning 1", 11, 10, "reasoning 2", 11, 20, 21, 12, "tool", 13, 14],
                [10, 11, 20, "content", 21],
                [
                    10, "think", 12, " nested", 11, 20, 10, "more content", 21, 12, "fn", 13, "x=1,y=2", 14, 12, "fn2",
                    13, 14,
                ],
                [
                    10, "reasoning", 11, 10, "more", 11, 10, "even more", 11, 20, "text", 21, 12, "a", 13, "b", 14, 12,
                    "c",
                    13, "d", 14,
                ],
            ],
            [
                [20, "content only", 21], [10, "no closing reasoning"], [10, 11, 20, "no closing content"],
                [10, 11, 20, 21, 12, "incomplete tool"], [10, 11, 11, 20, 21],
            ]
        ),
    ]

    enum Piece: ExpressibleByIntegerLiteral, ExpressibleByStringLiteral {
        case token(Int32)
        case text(String)
        init(integerLiteral value: Int32) { self = .token(value) }
        init(stringLiteral value: String) { self = .text(value) }

        /// Tokens of `tree(naming:)`.
        var tokens: [Int32] {
            switch self {
            case .token(let id): [id]
            case .text(let text): text.utf8.map { Int32($0) + 256 }
            }
        }
        var text: String { if case .text(let text) = self { text } else { "" } }
    }

    /// 255 tokens that are no text, one that ends, and the 256 bytes.
    private func tree(naming named: NamedTokens) -> VocabularyTree {
        VocabularyTree(
            bytes: (0...255).map { UInt8($0) }, ends: [Int](repeating: 0, count: 256) + (1...256),
            isText: (0..<512).map { $0 >= 256 && $0 < 511 }, endTokens: [255], named: named)
    }

    /// Whether a grammar takes tokens one by one, each of which its mask has to say before.
    private func takes(_ grammar: Grammar, _ tokens: [Int32]) throws -> Bool {
        var matcher = Matcher(grammar, tree: tree(naming: grammar.named))
        var bits = [UInt64](repeating: 0, count: 8)
        for token in tokens {
            let any = try matcher.mask(into: &bits)
            let isOffered = bits[Int(token) >> 6] >> UInt64(token & 63) & 1 != 0
            let isTaken = matcher.accept(token)
            #expect(isOffered == isTaken && (any || !isTaken), "\(token)")
            if !isTaken { return false }
        }
        return matcher.accept(255)
    }

    @Test(.enabled(if: SharedData.isPresent, Comment(rawValue: SharedData.reason)))
    func recordedIntegration() throws {
        let data = try Data(contentsOf: SharedData.url("llama.cpp/vectors/grammar_integration.json"))
        guard case .array(let cases) = try PlainJSON([UInt8](data)) else { return }
        var (checked, ofTokens) = (0, 0)
        func string(_ value: PlainJSON?) -> String {
            if case .string(let scalars)? = value { String(String.UnicodeScalarView(scalars)) } else { "" }
        }
        func list(_ value: PlainJSON?) -> [PlainJSON] { if case .array(let items)? = value { items } else { [] } }
        for one in cases {
            let name = string(one["name"])
            let grammar: Grammar
            if string(one["kind"]) == "schema" {
                var options = SchemaOptions.generating
                options.ignoredKeywords = ["uniqueItems"]
                grammar = try JSONSchema.compile(string(one["schema"]), options: options)
            } else {
                grammar = try GBNF.compile(string(one["grammar"]))
            }
            if let known = Self.tokens[name] {
                for (recorded, pieces, isTaken) in [("pass", known.pass, true), ("fail", known.fail, false)] {
                    let texts = list(one[recorded]).map { string($0) }
                    #expect(pieces.map { $0.map(\.text).joined() } == texts, "\(name)")
                    for text in pieces {
                        #expect(try takes(grammar, text.flatMap(\.tokens)) == isTaken, "\(name): \(text)")
                    }
                }
                ofTokens += 1
                continue
            }
            for text in list(one["pass"]) { #expect(accepts(grammar, string(text).utf8), "\(name): \(string(text))") }
            for text in list(one["fail"]) { #expect(!accepts(grammar, string(text).utf8), "\(name): \(string(text))") }
            checked += 1
        }
        #expect(checked == 45 && ofTokens == 2)
    }

    @Test("A token is itself, or text, or both, and never a part of either")
    func tokens() throws {
        let both = try GBNF.compile("root ::= <[321]> \"B\" | \"AC\" | !<[321]> \"D\"")
        for (tokens, isTaken) in [
            ([321, 322], true), ([321, 323], true), ([321, 324], false), ([322, 324], true), ([7, 324], true),
            ([255, 324], false), ([511, 324], true), ([321], false), ([7, 322], false),
        ] as [([Int32], Bool)] {
            #expect(try takes(both, tokens) == isTaken, "\(tokens)")
        }
        // A token of a grammar that names none stands for its text alone.
        let text = try GBNF.compile("root ::= .+")
        #expect(try takes(text, [321, 322]) && !takes(text, [7]))
        // Every id is told apart from its neighbours in each of its bytes.
        for id in [0, 255, 256, 65_535, 65_536, 16_777_215, 16_777_216, .max] as [Int32] {
            let grammar = try GBNF.compile("root ::= !<[\(id)]> <[\(id)]>")
            let spelling = VocabularyTree.spelling(ofMark: id)
            #expect(!accepts(grammar, spelling + spelling))
            for bit in 0..<31 {
                let other = VocabularyTree.spelling(ofMark: id ^ 1 << Int32(bit))
                #expect(accepts(grammar, other + spelling) && !accepts(grammar, other + other))
            }
            #expect(!accepts(grammar, spelling.dropLast() + spelling))
        }
        // Within a grammar of parts its tokens are still named.
        let part = try Grammar(.sequence([.text("<"), .grammar(try GBNF.compile("root ::= <[7]>*")), .text(">")]))
        #expect(part.named == NamedTokens([7]))
        #expect(try takes(part, [316, 7, 7, 318]) && !takes(part, [316, 8, 318]))
    }

    @Test("Tokens that must come are forced, and text before them is whole")
    func forcedTokens() throws {
        let grammar = try GBNF.compile("root ::= <[7]> \"ab\" <[8]> \"c\" !<[9]> \"d\" [xy] <[7]>")
        var matcher = Matcher(grammar, tree: tree(naming: grammar.named))
        var forced = matcher.forcedTokens { $0.map { Int32($0) + 256 } }
        #expect(forced == [7, 353, 354, 8, 355])
        for token in forced + [3] { expectTrue(matcher.accept(token)) }
        forced = matcher.forcedTokens { $0.map { Int32($0) + 256 } }
        #expect(forced == [356])
        for token in forced + [376] { expectTrue(matcher.accept(token)) }
        #expect(matcher.forcedTokens { _ in [] } == [7])
        // Where the text before a token is not cut as it stands, nothing is forced beyond it.
        var other = Matcher(grammar, tree: tree(naming: grammar.named))
        #expect(other.forcedTokens { _ in [400] } == [7])
        expectTrue(other.accept(7) && !other.accept(8))
    }

    @Test("Tokens are found by their text, and what is none says where")
    func names() throws {
        let vocabulary = GBNF.Vocabulary(tokenCount: 512, endTokens: [255]) {
            ["<think>": 7, "</think>": 8, "<a b>": 9, "<end>": 255][$0]
        }
        func compile(_ text: String) throws(GrammarError) -> Grammar {
            try GBNF.compile(text, vocabulary: vocabulary)
        }
        let grammar = try compile("root ::= <think> (!</think>)* </think> <a b>? .*")
        #expect(try takes(grammar, [7, 9, 321, 8, 9, 321]) && takes(grammar, [7, 8]))
        #expect(try !takes(grammar, [7, 8, 8]) && !takes(grammar, [8]) && !takes(grammar, [7, 8, 9, 9]))
        for (text, kind, column) in [
            ("root ::= <no>", GrammarError.Kind.malformedGrammar, 10), ("root ::= \"a\" !<no>", .malformedGrammar, 15),
            ("root ::= <[512]>", .malformedGrammar, 10), ("root ::= <[-1]>", .malformedGrammar, 10),
            ("root ::= <[4294967306]>", .malformedGrammar, 10), ("root ::= <[]>", .malformedGrammar, 10),
            ("root ::= <[7>", .malformedGrammar, 10), ("root ::= <end>", .unsupported, 10),
            ("root ::= !<[255]>", .unsupported, 11), ("root ::= <think", .malformedGrammar, 16),
            ("root ::= <thi\nnk>", .malformedGrammar, 14), ("root ::= !\"a\"", .malformedGrammar, 10),
        ] {
            do throws(GrammarError) {
                _ = try compile(text)
                Issue.record("\(text) compiled")
            } catch {
                #expect(error.kind == kind && error.line == 1 && error.column == column, "\(text): \(error)")
            }
        }
    }

    @Test(.enabled(if: SharedData.isPresent, Comment(rawValue: SharedData.reason)))
    func grammarsOfLlamaCppCompile() throws {
        let folder = try SharedData.url("llama.cpp/grammars")
        let texts = [
            "arithmetic": "1+2=3\n", "c": "int f(){x = 1;}", "chess": "1. e4 e5\n2. Nf3 Nc6\n",
            "english": "Hello, world",
            "japanese": "こんにちは", "json": "{\"a\":[1, true]}", "json_arr": "[\n1,\n{}]", "list": "- a\n- b\n",
        ]
        for (name, text) in texts {
            let grammar = try GBNF.compile(
                String(contentsOf: folder.appendingPathComponent(name + ".gbnf"), encoding: .utf8))
            #expect(accepts(grammar, text.utf8), "\(name)")
            #expect(!accepts(grammar, (text + "\u{1}").utf8), "\(name)")
        }
    }

    @Test func errorsSayWhere() {
        for (text, kind, place) in [
            ("", GrammarError.Kind.malformedGrammar, [1, 1]),
            ("root ::= a", .malformedGrammar, [1, 10]),
            ("root ::= \"a", .malformedGrammar, [1, 12]),
            ("root ::= \"a\"\nx ::= (\"b\"", .malformedGrammar, [2, 11]),
            ("root ::= [b-a]", .malformedGrammar, [1, 14]),
            ("root ::= \"a\"{3,2}", .malformedGrammar, [1, 18]),
            ("root ::= \"a\"\nroot ::= \"b\"", .malformedGrammar, [2, 1]),
            ("root ::= \"\\q\"", .malformedGrammar, [1, 13]),
            ("root ::= <a>", .unsupported, [1, 10]),
            ("root ::= \"a\"{1000000}", .tooLarge, [1, 22]),
        ] {
            do throws(GrammarError) {
                _ = try GBNF.compile(text)
                Issue.record("\(text) compiled")
            } catch {
                #expect(error.kind == kind, "\(text): \(error)")
                #expect([error.line, error.column] == place.map { $0 }, "\(text): \(error)")
            }
        }
        for (text, kind) in [
            ("root ::= root \"a\" | \"b\"", GrammarError.Kind.leftRecursion),
            ("root ::= e x\ne ::= \"a\"* | e\nx ::= \"b\"", .leftRecursion),
            ("root ::= a\na ::= \"x\" a", .unsatisfiable),
            ("root ::= (" + String(repeating: "(", count: 100_000), .tooLarge),
            ("root ::= (((((\"a\"{9999}){9999}){9999}){9999}){9999})", .tooLarge),
        ] {
            #expect(throws: GrammarError.self) { try GBNF.compile(text) }
            do throws(GrammarError) { _ = try GBNF.compile(text) } catch { #expect(error.kind == kind, "\(error)") }
        }
    }

    @Test func ambiguityIsBounded() throws {
        var limits = GrammarLimits()
        limits.parses = 100
        let grammar = try GBNF.compile("root ::= s\ns ::= \"a\" s s | \"a\" s | \"a\"", limits: limits)
        var matcher = Matcher(grammar, tree: byteTree)
        for _ in 0..<200 { if !matcher.accept(bytes: [UInt8(ascii: "a")]) { break } }
        var bits = [UInt64](repeating: 0, count: 4)
        #expect(throws: MatcherError.tooAmbiguous) { try matcher.mask(into: &bits) }
    }

    @Test func depthIsBoundedWithoutDeadEnds() throws {
        var limits = GrammarLimits()
        limits.stackDepth = 10
        let grammar = try GBNF.compile("root ::= \"[\" (root | \"x\") \"]\"", limits: limits)
        var matcher = Matcher(grammar, tree: byteTree)
        var depth = 0
        while matcher.accept(bytes: [UInt8(ascii: "[")]) { depth += 1 }
        #expect(depth >= 9 && depth <= 11)
        let rest = "x" + String(repeating: "]", count: depth)
        expectTrue(matcher.accept(bytes: Array(rest.utf8)) && matcher.canEnd)
    }

    @Test func randomTextsNeverCrash() throws {
        var random = Random(state: 7)
        let pieces = [
            "root", "a", "b", " ::= ", "\n", "\"x\"", "[a-z]", "[^é]", "(", ")", "|", "*", "+", "?", "{2}", "{,3}",
            "{1,}", " ", "#",
            "\\", "\"", "[", "]", ".", "é", "\u{0}", "<[97]>", "!<[98]>", "<", "root ::= ",
        ]
        var limits = GrammarLimits()
        limits.states = 3_000
        var compiled = 0
        for _ in 0..<1_500 {
            let count = Int.random(in: 1...20, using: &random)
            let text = "root ::= " + (0..<count).map { _ in pieces.randomElement(using: &random) ?? "" }.joined()
            guard let grammar = try? GBNF.compile(text, limits: limits) else { continue }
            compiled += 1
            var matcher = Matcher(grammar, tree: tree(naming: grammar.named))
            var bits = [UInt64](repeating: 0, count: 8)
            for _ in 0..<10 {
                guard let any = try? matcher.mask(into: &bits), any else { break }
                guard let token = EdgeGrammarTests.tokens(in: bits, count: 512).randomElement(using: &random) else {
                    break
                }
                expectTrue(matcher.accept(token))
            }
        }
        #expect(compiled > 100)
    }
}

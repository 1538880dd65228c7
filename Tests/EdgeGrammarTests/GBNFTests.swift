import EdgeGrammar
import EdgeTestSupport
import Foundation
import Testing

@Suite struct GBNFTests {
    /// Two recorded grammars match whole tokens, and the record lost which tokens their texts were.
    @Test(.enabled(if: SharedData.isPresent, Comment(rawValue: SharedData.reason)))
    func recordedIntegration() throws {
        let data = try Data(contentsOf: SharedData.url("llama.cpp/vectors/grammar_integration.json"))
        guard case .array(let cases) = try PlainJSON([UInt8](data)) else { return }
        var (checked, skipped) = (0, 0)
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
            } else if string(one["grammar"]).contains("<[") {
                #expect(throws: GrammarError.self) { try GBNF.compile(string(one["grammar"])) }
                skipped += 1
                continue
            } else {
                grammar = try GBNF.compile(string(one["grammar"]))
            }
            for text in list(one["pass"]) { #expect(accepts(grammar, string(text).utf8), "\(name): \(string(text))") }
            for text in list(one["fail"]) { #expect(!accepts(grammar, string(text).utf8), "\(name): \(string(text))") }
            checked += 1
        }
        #expect(checked == 45 && skipped == 2)
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
            ("root ::= <[10]>", .unsupported, [1, 10]),
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
            "\\", "\"", "[", "]", ".", "é", "\u{0}", "<[1]>", "root ::= ",
        ]
        var limits = GrammarLimits()
        limits.states = 3_000
        var compiled = 0
        for _ in 0..<1_500 {
            let count = Int.random(in: 1...20, using: &random)
            let text = "root ::= " + (0..<count).map { _ in pieces.randomElement(using: &random) ?? "" }.joined()
            guard let grammar = try? GBNF.compile(text, limits: limits) else { continue }
            compiled += 1
            var matcher = Matcher(grammar, tree: byteTree)
            var bits = [UInt64](repeating: 0, count: 4)
            for _ in 0..<10 {
                guard let any = try? matcher.mask(into: &bits), any else { break }
                guard let token = tokens(in: bits, count: 256).randomElement(using: &random) else { break }
                expectTrue(matcher.accept(token))
            }
        }
        #expect(compiled > 100)
    }
}

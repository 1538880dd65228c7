import EdgeGrammar
import EdgeTestSupport
import Foundation
import Testing

/// A generator of test inputs that repeats (SplitMix64).
struct Random: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }
}

/// All bytes, pieces of JSON and of words in several scripts, some twice, a control token and an end.
func smallTree(_ random: inout Random, extra: Int = 300) -> VocabularyTree {
    var tokens = (0...255).map { [UInt8($0)] }
    let seeds = [
        "{\"", "\":", "\": ", "\",\"", "\", \"", "\"}", "}}", "]}", "[[", "],[", "true", "false", "null", "0.", "123",
        "-1",
        "name", "value", "foo", "bar", "\\n", "\\u00", "\\\"", "  ", ", ", ": ", "é", "中文", "🙂", "ab", "abc", "2024-",
        "-01",
    ].map { Array($0.utf8) }
    tokens += seeds
    while tokens.count < 256 + extra {
        // Joined seeds, cut anywhere: some end within a character.
        let joined = (0..<Int.random(in: 1...3, using: &random)).flatMap { _ in
            seeds.randomElement(using: &random) ?? []
        }
        tokens.append(Array(joined.prefix(Int.random(in: 1...max(1, joined.count), using: &random))))
    }
    tokens += [Array("<control>".utf8), Array("</s>".utf8)]
    var isText = [Bool](repeating: true, count: tokens.count)
    isText[tokens.count - 2] = false
    isText[tokens.count - 1] = false
    var ends: [Int] = []
    for token in tokens { ends.append((ends.last ?? 0) + token.count) }
    return VocabularyTree(
        bytes: tokens.flatMap { $0 }, ends: ends, isText: isText, endTokens: [Int32(tokens.count - 1)])
}

func tokens(in bits: [UInt64], count: Int) -> [Int32] {
    (0..<Int32(count)).filter { bits[Int($0) >> 6] >> UInt64($0 & 63) & 1 != 0 }
}

@Suite struct GenerationTests {
    static let schemas = [
        ##"{}"##,
        ##"{"type":"string"}"##,
        ##"{"type":"string","minLength":2,"maxLength":7}"##,
        ##"{"type":"string","pattern":"^[a-z]{2,5}-[0-9]+$"}"##,
        ##"{"type":"string","pattern":"fo+|é","maxLength":12}"##,
        ##"{"type":"string","format":"date"}"##,
        ##"{"type":"string","format":"uuid"}"##,
        ##"{"type":"string","not":{"enum":["foo","ab"]},"minLength":1}"##,
        ##"{"type":"integer","minimum":-17,"exclusiveMaximum":1234,"multipleOf":3}"##,
        ##"{"type":"number","minimum":-0.75,"maximum":12.5}"##,
        ##"{"type":["integer","null","boolean"]}"##,
        ##"{"enum":["a","\u0000\"\\\n é",3,-2.5,null,[1,{"x":true}],{"b":[],"a":"c"}]}"##,
        ##"{"type":"array","items":{"type":"integer"},"minItems":2,"maxItems":5}"##,
        ##"{"type":"array","prefixItems":[{"type":"string"},{"type":"number"}],"items":false,"minItems":1}"##,
        ##"{"type":"array","items":{"type":"integer"},"contains":{"minimum":100},"minContains":2,"maxContains":3}"##,
        ##"{"type":"object","properties":{"name":{"type":"string"},"value":{"type":"integer"},"foo":{"enum":["bar"]}},"required":["value"]}"##,
        ##"{"type":"object","properties":{"name":{"type":"string"}},"additionalProperties":{"type":"boolean"},"minProperties":2}"##,
        ##"{"type":"object","additionalProperties":{"type":"integer"},"maxProperties":3,"propertyNames":{"pattern":"^[a-c]+$"}}"##,
        ##"{"type":"object","patternProperties":{"^f":{"type":"string"},"o$":{"minLength":3}},"additionalProperties":false}"##,
        ##"{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"integer"},"c":true},"dependentRequired":{"a":["b"]},"required":["c"]}"##,
        ##"{"anyOf":[{"type":"object","properties":{"kind":{"const":"x"},"n":{"type":"integer"}},"required":["kind","n"]},{"type":"object","properties":{"kind":{"const":"y"},"s":{"type":"string"}},"required":["kind"]}]}"##,
        ##"{"oneOf":[{"type":"integer"},{"type":"number","minimum":2},{"type":"string","maxLength":3}]}"##,
        ##"{"allOf":[{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]},{"properties":{"b":{"maxLength":2},"a":{"minimum":7}},"required":["b"]}]}"##,
        ##"{"type":"object","properties":{"v":{"type":"integer"},"next":{"anyOf":[{"$ref":"#"},{"type":"null"}]}},"required":["v","next"]}"##,
        ##"{"type":"object","properties":{"n":{"type":"integer"}},"if":{"properties":{"n":{"minimum":10}}},"then":{"properties":{"n":{"multipleOf":2}}},"else":{"properties":{"n":{"maximum":5}}}}"##,
        ##"{"$defs":{"t":{"type":"array","items":{"$ref":"#/$defs/t"}}},"$ref":"#/$defs/t"}"##,
        ##"{"not":{"type":["object","array","string"]}}"##,
        ##"{"type":"array","not":{"items":{"type":"integer"}},"maxItems":4}"##,
        ##"{"type":"object","not":{"required":["a"]},"minProperties":1}"##,
        ##"{"type":"object","properties":{"a":true},"not":{"additionalProperties":{"type":"integer"}},"additionalProperties":true}"##,
    ]

    /// Walks at random through masks until an end, and leans towards what closes.
    private func sample(_ grammar: Grammar, _ tree: VocabularyTree, _ random: inout Random) throws -> [UInt8]? {
        var matcher = Matcher(grammar, tree: tree)
        var bits = [UInt64](repeating: 0, count: tree.wordCount)
        var text: [UInt8] = []
        for step in 0..<600 {
            guard try matcher.mask(into: &bits) else {
                Issue.record("no token after \(String(decoding: text, as: UTF8.self))")
                return nil
            }
            let allowed = tokens(in: bits, count: tree.tokenCount)
            if matcher.canEnd {
                #expect(allowed.contains(tree.endTokens[0]))
                if allowed.count == 1 || Int.random(in: 0..<4, using: &random) == 0 || step > 60 { return text }
            } else {
                #expect(!allowed.contains(tree.endTokens[0]))
            }
            let closing = allowed.filter { token in
                let bytes = tree.bytes(of: token)
                return bytes.count == 1 && "\"}]".utf8.contains(bytes[bytes.startIndex])
            }
            let others = allowed.filter { !tree.endTokens.contains($0) }
            let prefersEnd = Int.random(in: 0..<10, using: &random) < (step > 40 ? 8 : 2)
            let token =
                (prefersEnd ? closing.randomElement(using: &random) : nil) ?? others.randomElement(using: &random)
            guard let token else { return text }
            expectTrue(matcher.accept(token))
            text += tree.bytes(of: token)
        }
        return nil
    }

    @Test(arguments: schemas.indices)
    func everyOutputValidates(index: Int) throws {
        let schema = Self.schemas[index]
        let validator = PlainValidator(root: try PlainJSON(Array(schema.utf8)))
        let grammar = try JSONSchema.compile(schema)
        var random = Random(state: UInt64(index))
        let tree = smallTree(&random)
        var ended = 0
        for _ in 0..<120 {
            guard let text = try sample(grammar, tree, &random) else { continue }
            ended += 1
            let shown = String(decoding: text, as: UTF8.self)
            guard let value = try? PlainJSON(text) else {
                Issue.record("not JSON: \(shown) of \(schema)")
                continue
            }
            if !validator.accepts(value) { Issue.record("\(shown) does not satisfy \(schema)") }
        }
        #expect(ended >= 50, "\(ended) of 120 ended")
    }

    @Test(arguments: schemas.indices)
    func masksEqualTryingEachToken(index: Int) throws {
        var random = Random(state: 1_000 + UInt64(index))
        let tree = smallTree(&random)
        for options in [SchemaOptions.generating, .validating] {
            guard let grammar = try? JSONSchema.compile(Self.schemas[index], options: options) else { continue }
            var matcher = Matcher(grammar, tree: tree)
            var bits = [UInt64](repeating: 0, count: tree.wordCount)
            for _ in 0..<40 {
                _ = try matcher.mask(into: &bits)
                let allowed = tokens(in: bits, count: tree.tokenCount)
                var tried: [Int32] = []
                for token in 0..<Int32(tree.tokenCount) {
                    // A fresh matcher on the byte tree would be slower; a copy steps byte by byte all the same.
                    var copy = matcher
                    if copy.accept(token) { tried.append(token) }
                }
                #expect(allowed == tried)
                guard let token = allowed.filter({ !tree.endTokens.contains($0) }).randomElement(using: &random) else {
                    break
                }
                expectTrue(matcher.accept(token))
            }
        }
    }

    @Test func rollbackReturnsToTheSameMask() throws {
        var random = Random(state: 5)
        let tree = smallTree(&random)
        let grammar = try JSONSchema.compile(Self.schemas[15])
        var matcher = Matcher(grammar, tree: tree)
        var bits = [UInt64](repeating: 0, count: tree.wordCount)
        var masks: [[UInt64]] = []
        for _ in 0..<30 {
            guard try matcher.mask(into: &bits) else { break }
            masks.append(bits)
            let allowed = tokens(in: bits, count: tree.tokenCount).filter { !tree.endTokens.contains($0) }
            guard let token = allowed.randomElement(using: &random) else { break }
            _ = matcher.accept(token)
        }
        for (back, mask) in masks.reversed().enumerated() {
            if back > 0 || masks.count == 30 { try matcher.rollback(1) }
            _ = try matcher.mask(into: &bits)
            #expect(bits == mask)
        }
        #expect(throws: MatcherError.self) { try matcher.rollback(10_000) }
    }

    @Test func forcedTextIsWhatTheGrammarLeavesNoChoiceOf() throws {
        var random = Random(state: 6)
        let tree = smallTree(&random)
        var options = SchemaOptions.generating
        options.whitespace = .none
        let schema =
            #"{"type":"object","properties":{"name":{"const":"abc"},"value":{"type":"integer"}},"required":["name","value"]}"#
        var matcher = Matcher(try JSONSchema.compile(schema, options: options), tree: tree)
        #expect(String(decoding: matcher.forcedBytes(), as: UTF8.self) == #"{"name":"abc","value":"#)
        // Byte by byte: the last colon could grow into no token that the grammar allows, `":` into `": ` neither.
        let tokens = matcher.forcedTokens { $0.map { Int32($0) } }
        #expect(tokens.map { UInt8($0) } == Array(#"{"name":"abc","value":"#.utf8))
        for token in tokens { expectTrue(matcher.accept(token)) }
        #expect(matcher.forcedBytes().isEmpty)
        expectTrue(matcher.accept(Int32(UInt8(ascii: "7"))))
        #expect(matcher.forcedBytes().isEmpty)
        expectTrue(matcher.accept(Int32(UInt8(ascii: "}"))))
        #expect(matcher.mustEnd)
    }

    @Test func controlTokensNeverMatchText() throws {
        let text = Array("<eot>".utf8)
        let tree = VocabularyTree(bytes: text + text, ends: [5, 10], isText: [true, false], endTokens: [])
        var matcher = Matcher(try GBNF.compile("root ::= \"<eot>\""), tree: tree)
        var bits: [UInt64] = [0]
        expectTrue(try matcher.mask(into: &bits))
        #expect(bits == [1])
        let refused = matcher.accept(1)
        #expect(!refused)
        expectTrue(matcher.accept(0))
    }
}

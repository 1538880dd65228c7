import EdgeTestSupport
import Foundation
import Testing

@testable import EdgeLLM

@Suite("Generated content") struct GeneratedContentTests {
    private struct Random: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ state >> 31
        }
    }

    private static func random(_ random: inout Random, depth: Int = 0) -> GeneratedContent {
        switch Int.random(in: 0..<(depth > 4 ? 4 : 6), using: &random) {
        case 0: return GeneratedContent(kind: .null)
        case 1: return Bool.random(using: &random).generatedContent
        case 2:
            let digits = Int.random(in: -1_000_000_000_000...1_000_000_000_000, using: &random)
            return Bool.random(using: &random) ? digits.generatedContent : (Double(digits) / 1_024).generatedContent
        case 3:
            let pieces = ["a", "\"", "\\", "é", "🙂", "\n", "\u{1}", " ", "\u{2028}", "{", ":", "0"]
            let count = Int.random(in: 0..<8, using: &random)
            return (0..<count).map { _ in pieces[Int.random(in: 0..<pieces.count, using: &random)] }.joined()
                .generatedContent
        case 4:
            return GeneratedContent(
                elements: (0..<Int.random(in: 0..<4, using: &random)).map { _ in
                    self.random(&random, depth: depth + 1) as any ConvertibleToGeneratedContent
                })
        default:
            return GeneratedContent(
                properties: (0..<Int.random(in: 0..<4, using: &random)).map { index in
                    ("k\(index)\"é", self.random(&random, depth: depth + 1) as any ConvertibleToGeneratedContent)
                }, uniquingKeysWith: { $1 })
        }
    }

    @Test("What is written is read again, and is JSON to others")
    func roundTrip() throws {
        var random = Random(state: 1)
        for _ in 0..<2_000 {
            let content = Self.random(&random)
            let again = try GeneratedContent(json: content.jsonString)
            #expect(again == content && again.isComplete && again.jsonString == content.jsonString)
            #expect(throws: Never.self) {
                try JSONSerialization.jsonObject(with: Data(content.jsonString.utf8), options: .fragmentsAllowed)
            }
        }
    }

    @Test("Every beginning of a text is a value or nothing, never more than was said, and grows to the whole")
    func beginnings() throws {
        var random = Random(state: 2)
        for _ in 0..<300 {
            let whole = Self.random(&random)
            let text = whole.jsonString
            var longest = 0
            for count in 0..<text.unicodeScalars.count {
                let beginning = String(String.UnicodeScalarView(text.unicodeScalars.prefix(count)))
                guard let part = PartialContent.content(of: beginning) else {
                    #expect(longest == 0, "a value was there and is gone: \(beginning)")
                    continue
                }
                #expect(!part.isComplete && Self.begins(part, whole), "\(beginning) gave \(part)")
                longest = count
            }
            // Read in pieces, it is the same at each of them, with the same names.
            let id = GenerationID()
            var reader = PartialContent(id: id)
            var rest = Array(text.unicodeScalars)[...]
            var read = ""
            while !rest.isEmpty {
                let piece = String(String.UnicodeScalarView(rest.prefix(Int.random(in: 1...9, using: &random))))
                rest = rest.dropFirst(piece.unicodeScalars.count)
                reader.append(piece)
                read += piece
                let known = PartialContent.content(of: read)?.identified(by: id)
                #expect(reader.content.map { "\($0)" } == known.map { "\($0)" } && reader.content?.id == known?.id)
                #expect(Self.identities(reader.content) == Self.identities(known), "\(read)")
            }
            if case .number = whole.kind { continue }
            #expect(reader.content == whole && reader.content?.isComplete == true)
        }
    }

    /// The names of a value and its parts, and which of them are whole.
    private static func identities(_ content: GeneratedContent?) -> [String] {
        guard let content else { return [] }
        let own = ["\(content.id.debugDescription) \(content.isComplete)"]
        switch content.kind {
        case .array(let parts): return own + parts.flatMap { identities($0) }
        case .structure(let parts, let keys): return own + keys.flatMap { identities(parts[$0]) }
        default: return own
        }
    }

    /// Whether a value is a beginning of another.
    static func begins(_ part: GeneratedContent, _ whole: GeneratedContent) -> Bool {
        switch (part.kind, whole.kind) {
        case (.string(let part), .string(let whole)): Array(whole.unicodeScalars).starts(with: part.unicodeScalars)
        case (.array(let part), .array(let whole)):
            part.count <= whole.count && zip(part, whole).allSatisfy { begins($0, $1) }
        case (.structure(let part, let keys), .structure(let whole, let all)):
            all.starts(with: keys) && keys.allSatisfy { key in begins(part[key]!, whole[key]!) }
        default: part == whole
        }
    }

    @Test("A text that breaks off is read as far as it goes")
    func incomplete() throws {
        let content = try GeneratedContent(json: #"{"title": "A story of", "pages": 12, "parts": [{"n": 1}, {"n": 2"#)
        #expect(!content.isComplete)
        #expect(try content.value(String.self, forProperty: "title") == "A story of")
        #expect(try content.value(Int.self, forProperty: "pages") == 12)
        let parts = try content.value([GeneratedContent].self, forProperty: "parts")
        #expect(parts.map(\.isComplete) == [true, false] && parts.map(\.jsonString) == [#"{"n": 1}"#, "{}"])
        for text in [
            "", "  ", "-", "x", "{a", "[1 2", "[}", "{\"a\" 1", "[1,,", "nul!", "]", "1 2", "{,", "[tru1", "\"\\q",
        ] {
            #expect(throws: GeneratedContentError.self, "\(text)") { try GeneratedContent(json: text) }
        }
    }

    @Test("Depth and length are bounded, and hostile text gives typed errors")
    func hostile() throws {
        for text in [
            String(repeating: "[", count: 100_000), String(repeating: "{\"a\":", count: 100_000),
            String(repeating: " ", count: 5 << 20), "1e99999999999999999999", "1e1001", "{\"a\":1,\"a\":2}",
            "{\"\u{e9}\":1,\"e\u{301}\":2}", "[\"\\ud800\"]", "\"\u{1}\"",
        ] {
            #expect(throws: GeneratedContentError.self) { try GeneratedContent(json: text) }
        }
        var random = Random(state: 3)
        let pieces = [
            "{", "}", "[", "]", "\"", ":", ",", "\\", "u", "d83d", "tru", "null", "1", "-", "e", ".", " ", "é", "a",
        ]
        for _ in 0..<5_000 {
            let text = (0..<Int.random(in: 0..<20, using: &random)).map { _ in
                pieces[Int.random(in: 0..<pieces.count, using: &random)]
            }.joined()
            do {
                _ = try GeneratedContent(json: text)
            } catch { #expect(error is GeneratedContentError, "\(text): \(error)") }
        }
    }

    @Test("Numbers keep all their digits, and what does not fit says so")
    func numbers() throws {
        #expect(try Int(GeneratedContent(json: "9223372036854775807")) == .max)
        #expect(try Int(GeneratedContent(json: "-9223372036854775808")) == .min)
        #expect(try Int(GeneratedContent(json: "2.50e1")) == 25)
        #expect(
            try Decimal(GeneratedContent(json: "0.1234567890123456789012345678901"))
                == Decimal(string: "0.1234567890123456789012345678901"))
        #expect(try Double(GeneratedContent(json: "5e-324")) == .leastNonzeroMagnitude)
        #expect(try GeneratedContent(json: "1.0") == GeneratedContent(json: "10e-1"))
        #expect(try GeneratedContent(json: "[1e300, -1.5e-300]").jsonString == "[1e300, -1.5e-300]")
        for value in [0.1, -0.0, 1e22, .greatestFiniteMagnitude, .leastNonzeroMagnitude, .pi] {
            #expect(try Double(GeneratedContent(json: value.generatedContent.jsonString)) == value)
        }
        #expect(Double.nan.generatedContent.kind == .null && (-Float.infinity).generatedContent.kind == .null)
        for (text, read) in [
            ("9223372036854775808", { _ = try Int($0) }), ("1.5", { _ = try Int($0) }),
            ("1e400", { _ = try Double($0) }),
            ("1e39", { _ = try Float($0) }), ("1.00000000000000000000000000000000000000001", { _ = try Decimal($0) }),
        ] as [(String, (GeneratedContent) throws -> Void)] {
            let content = try GeneratedContent(json: text)
            #expect { try read(content) } throws: { ($0 as? GeneratedContentError)?.code == .numberOutOfRange }
        }
    }

    @Test("Errors say which property")
    func errors() throws {
        let content = try GeneratedContent(json: #"{"a": {"b": [1, "x"]}, "n": null}"#)
        #expect(try content.value(Int?.self, forProperty: "missing") == nil)
        #expect(try content.value(Int?.self, forProperty: "n") == nil)
        #expect(throws: GeneratedContentError(.missingProperty, "there is no property \"c\"", property: "c")) {
            try content.value(Int.self, forProperty: "c")
        }
        struct Inner: ConvertibleFromGeneratedContent {
            init(_ content: GeneratedContent) throws { _ = try content.value([Int].self, forProperty: "b") }
        }
        #expect { try content.value(Inner.self, forProperty: "a") } throws: {
            ($0 as? GeneratedContentError)?.property == "a.b.1"
        }
        #expect(throws: GeneratedContentError.self) { try "x".generatedContent.value(Int.self, forProperty: "a") }
    }

    @Test("Names of parts are the same in all stages")
    func ids() throws {
        let id = GenerationID()
        let one = try GeneratedContent(json: #"{"a": [{"b": 1}, "#).identified(by: id)
        let two = try GeneratedContent(json: #"{"a": [{"b": 1}, {"b": 2"#).identified(by: id)
        let (first, second) = (
            try one.value([GeneratedContent].self, forProperty: "a"),
            try two.value([GeneratedContent].self, forProperty: "a")
        )
        #expect(one.id == id && first[0].id == second[0].id && second[0].id != second[1].id && first[0].id != nil)
    }
}

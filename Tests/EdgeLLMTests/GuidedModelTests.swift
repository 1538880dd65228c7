import EdgeEngine
import EdgeQuant
import EdgeTestSupport
import EdgeTokenizer
import Foundation
import Synchronization
import Testing

@testable import EdgeLLM

/// Guided output on models: one of random weights, which wants nothing of what a schema wants, and the bundled one.
@Suite("Guided output of a model") struct GuidedModelTests {
    private static let template =
        "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
        + "{% if add_generation_prompt %}assistant: {% endif %}"

    /// A Llama of random weights, with a token for each byte.
    private func randomModel(threads: Int = 1) throws -> GGUFLanguageModel {
        var small = SmallModel(type: .f32)
        small.chatTemplate = Self.template
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("edge-guided-\(UUID().uuidString).gguf")
        try Data(small.encoded()).write(to: url)
        defer { try? FileManager.default.removeItem(at: url) }
        return try GGUFLanguageModel(path: url.path, options: .init(contextSize: 6_000, threadCount: threads))
    }

    private func bundledModel(threads: Int = 2) async throws -> GGUFLanguageModel {
        try await GGUFLanguageModel(
            contentsOf: bundled,
            options: .init(contextSize: 512, threadCount: threads, chatTemplate: Self.template))
    }

    private func options(_ seed: UInt64, limit: Int? = nil) -> GenerationOptions {
        GenerationOptions(
            samplingMode: .random(probabilityThreshold: 1, seed: seed), temperature: 1, maximumResponseTokens: limit)
    }

    private struct Random: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ state >> 31
        }
    }

    /// A schema at random, as text.
    private static func schema(_ random: inout Random, depth: Int = 0) -> String {
        func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
        switch number(0...(depth > 2 ? 6 : 9)) {
        case 0: return #"{"type": "boolean"}"#
        case 1:
            let low = number(-50...50)
            return #"{"type": "integer", "minimum": \#(low), "maximum": \#(low + number(0...1_000))}"#
        case 2: return #"{"type": "number", "minimum": -1.5, "maximum": \#(number(0...99)).25}"#
        case 3: return #"{"type": "string", "maxLength": \#(number(0...20))}"#
        case 4: return #"{"enum": ["red", "green \"quoted\"", \#(number(0...9)), null]}"#
        case 5: return #"{"type": "string", "pattern": "^[a-c]{1,\#(number(1...6))}(-[0-9]{2})?$"}"#
        case 6: return #"{"const": {"kind": "fixed", "list": [1, 2.5, "é"]}}"#
        case 7:
            let least = number(0...2)
            return
                #"{"type": "array", "items": \#(schema(&random, depth: depth + 1)), "minItems": \#(least), "maxItems": \#(least + number(0...3))}"#
        case 8:
            return #"{"anyOf": [\#(schema(&random, depth: depth + 1)), \#(schema(&random, depth: depth + 1))]}"#
        default:
            let names = (0..<number(1...4)).map { "property \($0)" }
            let properties = names.map { "\"\($0)\": \(schema(&random, depth: depth + 1))" }
            let required = names.filter { _ in Bool.random(using: &random) }.map { "\"\($0)\"" }
            return
                #"{"type": "object", "properties": {\#(properties.joined(separator: ", "))}, "required": [\#(required.joined(separator: ", "))], "additionalProperties": false}"#
        }
    }

    /// 20,000 in `make soak`.
    private static let outputs = ProcessInfo.processInfo.environment["EDGE_GUIDED_OUTPUTS"].flatMap { Int($0) } ?? 1_000

    @Test("With random weights and random schemas, every output decodes and validates")
    func everyOutput() async throws {
        let model = try randomModel()
        var random = Random(state: 11)
        var (made, forced, tokens) = (0, 0, 0)
        while made < Self.outputs {
            let text = Self.schema(&random)
            let schema = try GenerationSchema(jsonSchema: text)
            let validator = PlainValidator(root: try PlainJSON(Array(text.utf8)))
            for _ in 0..<5 {
                let session = LanguageModelSession(model: model)
                let answer = try await session.respond(
                    to: "x", schema: schema, includeSchemaInPrompt: false, options: options(UInt64(made)))
                #expect(answer.finishReason == .endOfTurn)
                let written = answer.transcriptEntries.map(\.text).joined()
                #expect(answer.rawContent == (try GeneratedContent(json: written)))
                if !validator.accepts(try PlainJSON(Array(written.utf8))) {
                    Issue.record("\(written) does not satisfy \(text)")
                }
                made += 1
                tokens += answer.usage.output.totalTokenCount
                forced += answer.usage.output.forcedTokenCount
            }
        }
        #expect(forced > 0)
        print("guided output: \(made) of \(made) outputs, \(tokens) tokens, \(forced) of them forced")
    }

    private struct Guided: Generable {
        static var generationSchema: GenerationSchema {
            GenerationSchema(
                type: Self.self,
                properties: [
                    .init(name: "constant", type: String.self, guides: [.constant("as is")]),
                    .init(name: "anyOf", type: String.self, guides: [.anyOf(["one", "two", "three"])]),
                    .init(name: "pattern", type: String.self, guides: [.pattern(#/[a-f]{3}-\d{2}/#)]),
                    .init(name: "minimum", type: Int.self, guides: [.minimum(1_000)]),
                    .init(name: "maximum", type: Int.self, guides: [.maximum(-7)]),
                    .init(name: "range", type: Double.self, guides: [.range(0.25...0.5)]),
                    .init(name: "float", type: Float.self, guides: [.minimum(-1), .maximum(1)]),
                    .init(name: "decimal", type: Decimal.self, guides: [.range(3...4)]),
                    .init(name: "minimumCount", type: [Bool].self, guides: [.minimumCount(2), .maximumCount(9)]),
                    .init(name: "maximumCount", type: [Int].self, guides: [.maximumCount(1)]),
                    .init(name: "count", type: [Bool].self, guides: [.count(3)]),
                    .init(name: "counts", type: [Bool].self, guides: [.count(1...2)]),
                    .init(
                        name: "element", type: [Int].self,
                        guides: [.count(2), .element(.range(5...6)), .element(.maximum(5))]),
                    .init(name: "optional", type: Int?.self, guides: [.range(1...2)]),
                    .init(name: "pace", type: Itinerary.Pace.self),
                    .init(name: "null", type: [Bool?].self, guides: [.count(4)]),
                ])
        }
        init(_ content: GeneratedContent) throws {
            func value<Value: ConvertibleFromGeneratedContent>(_ name: String, _ type: Value.Type = Value.self) throws
                -> Value
            {
                try content.value(forProperty: name)
            }
            #expect(try value("constant") == "as is")
            #expect(try ["one", "two", "three"].contains(value("anyOf")))
            #expect(try value("pattern", String.self).wholeMatch(of: #/[a-f]{3}-[0-9]{2}/#) != nil)
            #expect(try value("minimum", Int.self) >= 1_000 && value("maximum", Int.self) <= -7)
            #expect(try (0.25...0.5).contains(value("range", Double.self)))
            #expect(try (-1...1).contains(value("float", Float.self)))
            #expect(try (3...4).contains(value("decimal", Decimal.self)))
            #expect(try (2...9).contains(value("minimumCount", [Bool].self).count))
            #expect(try value("maximumCount", [Int].self).count <= 1)
            #expect(try value("count", [Bool].self).count == 3)
            #expect(try (1...2).contains(value("counts", [Bool].self).count))
            #expect(try value("element") == [5, 5])
            if let optional = try content.value(Int?.self, forProperty: "optional") {
                #expect((1...2).contains(optional))
            }
            _ = try value("pace", Itinerary.Pace.self)
            #expect(try value("null", [Bool?].self).count == 4)
            guard case .structure(_, let keys) = content.kind else { return }
            #expect(keys.filter { $0 != "optional" } == Self.names.filter { $0 != "optional" })
        }
        static let names = [
            "constant", "anyOf", "pattern", "minimum", "maximum", "range", "float", "decimal", "minimumCount",
            "maximumCount", "count", "counts", "element", "optional", "pace", "null",
        ]
        var generatedContent: GeneratedContent { GeneratedContent(kind: .null) }
    }

    @Test("Every guide holds, whatever the weights want, and properties come in order")
    func guides() async throws {
        let model = try randomModel()
        for seed in 0..<8 as Range<UInt64> {
            try await LanguageModelSession(model: model).respond(
                to: "x", generating: Guided.self, includeSchemaInPrompt: false, options: options(seed))
        }
    }

    @Test("What cannot be enforced fails before the first token, and takes the turn back")
    func unenforceable() async throws {
        let session = LanguageModelSession(model: try await bundledModel())
        for text in [
            #"{"type": "array", "uniqueItems": true}"#, #"{"type": "string", "pattern": "a(?=b)"}"#,
            #"{"type": "integer", "minimum": 3, "maximum": 2}"#, #"{"type": "nonsense"}"#, "7", "false",
        ] {
            let schema = try GenerationSchema(jsonSchema: text)
            await #expect("\(text)") {
                try await session.respond(to: "x", schema: schema)
            } throws: { error in
                guard case LanguageModelError.unsupportedGenerationGuide = error else { return false }
                return true
            }
            #expect(session.transcript.isEmpty && session.usage.output.totalTokenCount == 0)
        }
    }

    @Test("A budget that ends within a value is an error, one that ends with it is none")
    func budget() async throws {
        let model = try await bundledModel()
        let fixed = try GenerationSchema(jsonSchema: #"{"const": {"answer": ["no", true, null]}}"#)
        let whole = try await LanguageModelSession(model: model).respond(to: "x", schema: fixed)
        let count = whole.usage.output.totalTokenCount
        #expect(whole.rawContent.jsonString == #"{"answer": ["no", true, null]}"# && whole.finishReason == .endOfTurn)
        for limit in 1...count + 1 {
            let session = LanguageModelSession(model: model)
            do {
                let answer = try await session.respond(to: "x", schema: fixed, options: options(1, limit: limit))
                #expect(limit >= count && answer.usage.output.totalTokenCount == count)
            } catch LanguageModelError.incompleteContent(let content) {
                #expect(limit < count && content.finishReason == .maximumTokens)
                #expect(#"{"answer": ["no", true, null]}"#.hasPrefix(content.text))
                #expect(session.transcript.isEmpty)
            }
        }
    }

    @Test("The same seed gives the same value for any number of threads, with a cache and without, streamed or not")
    func bits() async throws {
        var values: [String] = []
        for threads in [1, 2, 3] {
            let model = try await bundledModel(threads: threads)
            let session = LanguageModelSession(model: model)
            for attempt in 0..<2 {
                let answer = try await session.respond(
                    to: "The brakes?", generating: Itinerary.Stop.self, options: options(5))
                if attempt == 1 { #expect(answer.usage.input.cachedTokenCount > 0) }
                values.append(answer.rawContent.jsonString)
                session.transcript = Transcript(entries: [])
            }
            var last = ""
            for try await snapshot in session.streamResponse(
                to: "The brakes?", generating: Itinerary.Stop.self, options: options(5))
            { last = snapshot.rawContent.jsonString }
            values.append(last)
        }
        #expect(Set(values).count == 1, "\(values)")
    }

    @Test("Two answers side by side each follow their own schema")
    func together() async throws {
        let model = try await bundledModel()
        async let numbers = LanguageModelSession(model: model).respond(
            to: "x",
            schema: GenerationSchema(
                jsonSchema:
                    #"{"type": "array", "items": {"type": "integer", "maximum": 99}, "minItems": 6, "maxItems": 6}"#),
            options: options(1))
        async let texts = LanguageModelSession(model: model).respond(
            to: "x",
            schema: GenerationSchema(
                jsonSchema: #"{"type": "array", "items": {"enum": ["left", "right"]}, "minItems": 6, "maxItems": 6}"#),
            options: options(2))
        #expect(try await numbers.content.value([Int].self).count == 6)
        #expect(try await Set(texts.content.value([String].self)).isSubset(of: ["left", "right"]))
    }

    @Test("Sampling sees the allowed tokens alone: greedy takes the likeliest of them")
    func greedy() async throws {
        let model = try await bundledModel()
        let one = try await LanguageModelSession(model: model).respond(
            to: "x", generating: Itinerary.Pace.self, options: GenerationOptions(samplingMode: .greedy))
        let two = try await LanguageModelSession(model: model).respond(
            to: "x", generating: Itinerary.Pace.self, options: GenerationOptions(samplingMode: .random(top: 1, seed: 3))
        )
        #expect(one.content == two.content)
    }
}

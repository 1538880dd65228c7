#if Macros
    import EdgeLLM
    import EdgeTestSupport
    import Foundation
    import Testing

    @Suite("Types made by the macros") struct MadeTypeTests {
        private func model() async throws -> GGUFLanguageModel {
            let template =
                "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
                + "{% if add_generation_prompt %}assistant: {% endif %}"
            return try await GGUFLanguageModel(
                contentsOf: fixtures.appendingPathComponent("edge-car-1m.gguf"),
                options: .init(contextSize: 1024, threadCount: 2, chatTemplate: template))
        }

        private func options(_ seed: UInt64) -> GenerationOptions {
            GenerationOptions(samplingMode: .random(probabilityThreshold: 1, seed: seed), temperature: 1)
        }

        @Test("The schema is that of the type written by hand")
        func schema() throws {
            #expect(try Made.Visit.generationSchema.jsonSchema() == Written.Visit.generationSchema.jsonSchema())
        }

        @Test("The bundled model generates the same values as of the type written by hand, streamed or not")
        func generated() async throws {
            let model = try await model()
            for seed in 1...5 as ClosedRange<UInt64> {
                let made = try await LanguageModelSession(model: model).respond(
                    to: "The brakes?", generating: Made.Visit.self, options: options(seed))
                let written = try await LanguageModelSession(model: model).respond(
                    to: "The brakes?", generating: Written.Visit.self, options: options(seed))
                #expect(made.rawContent.jsonString == written.rawContent.jsonString)
                #expect(made.content.generatedContent.jsonString == written.content.generatedContent.jsonString)
                #expect(made.content.generatedContent == made.rawContent)
                #expect(made.content.finding == written.content.finding && made.content.hours == written.content.hours)
                #expect(made.content.parts.map(\.name) == written.content.parts.map(\.name))
                #expect(try Made.Visit(made.content.generatedContent) == made.content)

                var stages: [Made.Visit.PartiallyGenerated] = []
                let stream = LanguageModelSession(model: model).streamResponse(
                    to: "The brakes?", generating: Made.Visit.self, options: options(seed))
                for try await snapshot in stream { stages.append(snapshot.content) }
                #expect(Set(stages.map(\.id)).count == 1)
                let last = try #require(stages.last)
                #expect(last.finding == made.content.finding && last.urgency == made.content.urgency)
                #expect(last.parts?.map(\.name) == made.content.parts.map(\.name))
                #expect(last.first == made.content.first && last.class == made.content.class)
            }
        }

        @Test("A stage holds what is known, and names for its parts that stay")
        func partial() throws {
            let whole =
                #"{"finding": "leak", "urgency": "default", "parts": [{"name": "pump", "count": 2}], "checks": [0, 1], "first": true, "second": false}"#
            var counts = (parts: 0, urgency: 0)
            for length in 1...whole.utf8.count {
                let text = String(whole.prefix(length))
                guard let content = try? GeneratedContent(json: text) else { continue }
                let stage = try Made.Visit.PartiallyGenerated(content)
                #expect(stage.finding.map { "leak".hasPrefix($0) } ?? true)
                #expect(stage.urgency == nil || stage.urgency == .default)
                #expect(stage.hours == nil && stage.class == nil)
                // What has shown up stays.
                #expect(stage.urgency != nil || counts.urgency == 0)
                #expect((stage.parts?.count ?? 0) >= counts.parts)
                counts = (stage.parts?.count ?? 0, stage.urgency == nil ? 0 : 1)
            }
            #expect(counts.parts == 1 && counts.urgency == 1)
            #expect(throws: GeneratedContentError.self) {
                try Made.Visit.PartiallyGenerated(GeneratedContent(json: "[1]"))
            }
            #expect(throws: GeneratedContentError.self) {
                try Made.Visit.PartiallyGenerated(GeneratedContent(json: #"{"first": 3}"#))
            }
            #expect(throws: GeneratedContentError.self) { try Made.Visit(GeneratedContent(json: #"{"finding": "a"}"#)) }
        }

        @Test("Elements that are no value yet wait")
        func unfinishedElements() throws {
            let stage = try Made.Page<Made.Visit.Urgency>.PartiallyGenerated(
                GeneratedContent(json: #"{"items": ["soon", "non"#))
            #expect(stage.items == [.soon])
            #expect(throws: GeneratedContentError.self) {
                try Made.Page<Made.Visit.Urgency>.PartiallyGenerated(
                    GeneratedContent(json: #"{"items": ["never"]"#))
            }
        }

        @Test("Enumerations of texts have their raw values or their names")
        func texts() throws {
            #expect(try Made.Colour.generationSchema.jsonSchema().contains(#"["rouge", "blue"]"#))
            #expect(Made.Colour.red.generatedContent.jsonString == #""rouge""#)
            #expect(try Made.Colour("rouge".generatedContent) == .red)
            #expect(throws: GeneratedContentError.self) { try Made.Colour("red".generatedContent) }
            #expect(Made.Visit.Urgency.default.generatedContent.jsonString == #""default""#)
        }

        @Test("Enumerations with payloads are written as Codable writes them")
        func payloads() async throws {
            enum Plain: Codable {
                case stay
                case walk(hours: Int, note: String?)
                indirect case both(Plain, last: Plain)
            }
            for (way, plain): (Made.Way, Plain) in [
                (.stay, .stay), (.walk(hours: 2, note: "uphill"), .walk(hours: 2, note: "uphill")),
                (.walk(hours: 2, note: nil), .walk(hours: 2, note: nil)),
                (.both(.stay, last: .walk(hours: 1, note: nil)), .both(.stay, last: .walk(hours: 1, note: nil))),
            ] {
                let text = String(decoding: try JSONEncoder().encode(plain), as: UTF8.self)
                #expect(try way.generatedContent == GeneratedContent(json: text))
                #expect(try Made.Way(GeneratedContent(json: text)) == way)
            }
            #expect(throws: GeneratedContentError.self) { try Made.Way(GeneratedContent(json: #"{"fly": {}}"#)) }
            #expect(throws: GeneratedContentError.self) { try Made.Way(GeneratedContent(json: "{}")) }
            #expect(throws: GeneratedContentError.self) { try Made.Way(GeneratedContent(json: #"{"walk": {}}"#)) }

            var met: Set<String> = []
            let model = try await model()
            for seed in 1...8 as ClosedRange<UInt64> {
                let answer = try await LanguageModelSession(model: model).respond(
                    to: "Where to?", generating: Made.Moves.self, options: options(seed))
                for move in answer.content.moves { met.insert(try move.generatedContent.caseAndPayload().name) }
                #expect(answer.content.generatedContent == answer.rawContent)
            }
            #expect(met == ["wait", "turn"])
        }

        @Test("A property for the name that the session gives is not generated")
        func identity() async throws {
            #expect(try !Made.Row.generationSchema.jsonSchema().contains("id"))
            let answer = try await LanguageModelSession(model: try await model()).respond(
                to: "x", generating: Made.Row.self, options: options(1))
            #expect(answer.content.id == answer.rawContent.id)
            #expect(answer.content.generatedContent.id == answer.content.id)
            // A property of another type keeps the name.
            let stage = try Made.Numbered.PartiallyGenerated(GeneratedContent(json: #"{"id": 7}"#))
            #expect(stage.id == 7)
        }

        @Test("Types without properties, with parameters and within themselves")
        func others() throws {
            #expect(Made.Nothing().generatedContent.jsonString == "{}")
            _ = try Made.Nothing(GeneratedContent(json: "{}"))
            let page = Made.Page(items: ["a", "b"])
            #expect(page.generatedContent.jsonString == #"{"items": ["a", "b"]}"#)
            let chain = Made.Chain(label: "a", rest: [Made.Chain(label: "b", rest: [])])
            #expect(try Made.Chain(chain.generatedContent).rest.first?.label == "b")
            #expect(try Made.Chain.generationSchema.jsonSchema().contains("$defs"))
            #expect(Made.Open(shown: "a").generatedContent.jsonString == #"{"shown": "a"}"#)
        }

        @Test("A tool takes arguments by the macro")
        func tool() async throws {
            struct Order: Tool {
                let description = "Orders a part"
                @concurrent func call(arguments: Made.Visit.Part) async throws -> String { arguments.name }
            }
            #expect(Order().parameters == Made.Visit.Part.generationSchema)
        }
    }
#endif

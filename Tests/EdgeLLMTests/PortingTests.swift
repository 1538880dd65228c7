import EdgeLLM
import Foundation
import Testing

/// Code in the idiom of FoundationModels, without its macros: it must compile with nothing but the import changed.
struct Itinerary: Generable, Equatable {
    enum Pace: String, CaseIterable, Generable { case slow, brisk }

    struct Stop: Generable, Equatable {
        var place: String
        var hours: Int

        static var generationSchema: GenerationSchema {
            GenerationSchema(
                type: Self.self,
                properties: [
                    GenerationSchema.Property(name: "place", description: "A town", type: String.self),
                    GenerationSchema.Property(name: "hours", type: Int.self, guides: [.range(1...12)]),
                ])
        }
        init(_ content: GeneratedContent) throws {
            place = try content.value(String.self, forProperty: "place")
            hours = try content.value(forProperty: "hours")
        }
        var generatedContent: GeneratedContent {
            GeneratedContent(properties: ["place": place, "hours": hours])
        }
    }

    var title: String
    var pace: Pace
    var stops: [Stop]
    var note: String?

    static var generationSchema: GenerationSchema {
        GenerationSchema(
            type: Self.self, description: "A day out",
            properties: [
                GenerationSchema.Property(name: "title", type: String.self),
                GenerationSchema.Property(name: "pace", type: Pace.self),
                GenerationSchema.Property(
                    name: "stops", type: [Stop].self, guides: [.minimumCount(1), .maximumCount(3)]),
                GenerationSchema.Property(name: "note", type: String?.self),
            ])
    }

    struct PartiallyGenerated: ConvertibleFromGeneratedContent, Sendable {
        var id: GenerationID
        var title: String?
        var pace: Pace?
        var stops: [Stop.PartiallyGenerated]?
        var note: String?

        init(_ content: GeneratedContent) throws {
            id = content.id ?? GenerationID()
            title = try content.value(forProperty: "title")
            pace = try? content.value(forProperty: "pace")
            stops = try? content.value(forProperty: "stops")
            note = try content.value(forProperty: "note")
        }
    }

    init(_ content: GeneratedContent) throws {
        title = try content.value(forProperty: "title")
        pace = try content.value(forProperty: "pace")
        stops = try content.value(forProperty: "stops")
        note = try content.value(forProperty: "note")
    }

    var generatedContent: GeneratedContent {
        var properties: [(String, any ConvertibleToGeneratedContent)] = [
            ("title", title), ("pace", pace), ("stops", stops),
        ]
        if let note { properties.append(("note", note)) }
        return GeneratedContent(properties: properties, uniquingKeysWith: { $1 })
    }
}

@Suite("Porting") struct PortingTests {
    private let text =
        #"{"title": "Along the river", "pace": "slow", "stops": [{"place": "Ulm", "hours": 2}, {"place": "Passau", "hours": 3}]}"#

    private func session() -> LanguageModelSession {
        LanguageModelSession(
            model: ScriptedModel(text.map { String($0) }), transcript: Transcript(entries: []))
    }

    @Test("A type is generated")
    func typed() async throws {
        let response = try await session().respond(to: "Plan a day", generating: Itinerary.self)
        #expect(response.content.stops.map(\.place) == ["Ulm", "Passau"])
        #expect(response.content.pace == .slow && response.content.note == nil)
        let inferred: LanguageModelSession.Response<Itinerary> = try await session().respond(to: "Plan a day")
        #expect(inferred.content == response.content && inferred.rawContent == response.content.generatedContent)
        let built = try await session().respond(
            generating: Itinerary.self, options: GenerationOptions(temperature: 0.5)
        ) {
            "Plan a day"
            if response.content.stops.isEmpty { "in the south" }
        }
        #expect(built.content == response.content)
    }

    @Test("A type is streamed")
    func streamed() async throws {
        var titles: [String] = []
        let stream = session().streamResponse(to: "Plan a day", generating: Itinerary.self)
        for try await partial in stream {
            if let title = partial.content.title, title != titles.last { titles.append(title) }
        }
        #expect(titles.last == "Along the river")
        let collected = try await session().streamResponse(to: "Plan", generating: Itinerary.self).collect()
        #expect(collected.content.title == "Along the river")
    }

    @Test("A schema is put together at run time")
    func dynamic() async throws {
        let stop = DynamicGenerationSchema(
            name: "Stop",
            properties: [
                .init(name: "place", schema: DynamicGenerationSchema(type: String.self)),
                .init(name: "hours", schema: DynamicGenerationSchema(type: Int.self, guides: [.minimum(1)])),
            ])
        let root = DynamicGenerationSchema(
            name: "Day",
            properties: [
                .init(name: "title", schema: DynamicGenerationSchema(type: String.self)),
                .init(name: "pace", schema: DynamicGenerationSchema(name: "Pace", anyOf: ["slow", "brisk"])),
                .init(
                    name: "stops",
                    schema: DynamicGenerationSchema(
                        arrayOf: DynamicGenerationSchema(referenceTo: "Stop"), minimumElements: 1, maximumElements: 3)),
            ])
        let schema = try GenerationSchema(root: root, dependencies: [stop])
        let response = try await session().respond(to: "Plan a day", schema: schema, includeSchemaInPrompt: false)
        let stops = try response.content.value([GeneratedContent].self, forProperty: "stops")
        #expect(try stops[1].value(String.self, forProperty: "place") == "Passau")
        for try await partial in session().streamResponse(to: "Plan a day", schema: schema) {
            _ = try partial.content.value(String?.self, forProperty: "title")
        }
    }
}

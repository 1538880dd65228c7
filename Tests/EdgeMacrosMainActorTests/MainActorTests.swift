#if Macros
    import EdgeLLM
    import Testing

    /// All of this is the main actor's, as in a new app, but for what the macro writes.
    @Generable struct Note: Equatable {
        @Generable enum Mood { case calm, cross }
        @Generable enum Step: Equatable { case wait, go(metres: Int) }

        var id: GenerationID
        @Guide(description: "A few words") var text: String
        var mood: Mood
        @Guide(.count(1...2)) var steps: [Step]
        var weight: Double?
    }

    @Suite("Macros where declarations are the main actor's") struct MainActorTests {
        @concurrent nonisolated private static func elsewhere<Content: Generable>(
            _ type: Content.Type, _ text: String
        ) async throws -> String {
            _ = try Content.PartiallyGenerated(GeneratedContent(json: text))
            return try Content(GeneratedContent(json: text)).generatedContent.jsonString
        }

        @Test("A type can be made anywhere")
        func anywhere() async throws {
            let text = #"{"text": "a", "mood": "cross", "steps": [{"wait": {}}, {"go": {"metres": 3}}]}"#
            #expect(try await Self.elsewhere(Note.self, text) == text)
            #expect(try Note(GeneratedContent(json: text)).steps == [.wait, .go(metres: 3)])
        }
    }
#endif

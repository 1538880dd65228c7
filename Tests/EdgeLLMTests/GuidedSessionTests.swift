import EdgeEngine
import EdgeLLM
import EdgeTemplate
import Foundation
import Synchronization
import Testing

/// The contract of guided output, on a scripted model.
@Suite("Guided output of a session") struct GuidedSessionTests {
    private func session(_ executor: ScriptedModel) -> LanguageModelSession {
        LanguageModelSession(model: executor, transcript: Transcript(entries: []))
    }

    private static func pieces(_ text: String) -> [String] { text.map { String($0) } }

    @Test("The schema reaches the model, and the prompt only where it is asked for")
    func schema() async throws {
        let executor = ScriptedModel(["[1, ", "2]"])
        let session = session(executor)
        let answer = try await session.respond(to: "x", generating: [Int].self)
        #expect(answer.content == [1, 2] && answer.rawContent.jsonString == "[1, 2]")
        try await session.respond(to: "y", generating: [Int].self, includeSchemaInPrompt: false)
        try await session.respond(to: "z")
        let (schemas, prompts) = executor.state.withLock { ($0.schemas, $0.prompts) }
        #expect(schemas == [[Int].generationSchema, [Int].generationSchema, nil])
        let shown = prompts[2].compactMap { entry in
            if case .prompt(let prompt) = entry { return prompt.responseFormat != nil }
            return nil
        }
        #expect(shown == [true, false, false])
        // A conversation with a form in it is the same after it was kept in a file.
        let kept = try JSONEncoder().encode(session.transcript)
        #expect(try JSONDecoder().decode(Transcript.self, from: kept) == session.transcript)
    }

    @Test("Snapshots grow, hold only what is certain, and keep their names")
    func snapshots() async throws {
        let text = #"[{"place": "Ulm", "hours": 12}, {"place": "Passau", "hours": 3}]"#
        let executor = ScriptedModel(Self.pieces(text), delay: .milliseconds(1))
        var last: [Itinerary.Stop.PartiallyGenerated]? = nil
        var raws: [GeneratedContent] = []
        for try await snapshot in session(executor).streamResponse(
            to: "x", schema: [Itinerary.Stop].generationSchema)
        {
            let parts = try snapshot.rawContent.value([GeneratedContent].self)
            for part in parts where part.isComplete { _ = try Itinerary.Stop(part) }
            // 1 is not known to be 12 before the comma.
            let hours = parts.compactMap { try? $0.value(Int.self, forProperty: "hours") }
            #expect([[], [12], [12, 3]].contains(hours))
            if let before = raws.last { #expect(snapshot.rawContent.id == before.id) }
            raws.append(snapshot.rawContent)
        }
        #expect(raws.last?.isComplete == true && raws.last?.jsonString == text)
        // A type without a partial one of its own shows up where it is whole.
        for try await snapshot in session(ScriptedModel(Self.pieces(text))).streamResponse(
            to: "x", generating: [Itinerary.Stop].self)
        { last = snapshot.content }
        #expect(last?.map(\.place) == ["Ulm", "Passau"])
    }

    @Test("A text's snapshots have it as content and raw content")
    func text() async throws {
        let answer = try await session(ScriptedModel(["a", "b"])).respond(to: "x")
        #expect(answer.rawContent == "ab".generatedContent && answer.rawContent.isComplete)
        for try await snapshot in session(ScriptedModel(["a", "b"])).streamResponse(to: "x") {
            #expect(snapshot.rawContent == snapshot.content.generatedContent && !snapshot.rawContent.isComplete)
        }
    }

    @Test("What does not decode is an error that takes the turn back, in every form")
    func undecodable() async throws {
        struct Picky: Generable {
            struct Refusal: Error {}
            static var generationSchema: GenerationSchema { Int.generationSchema }
            init(_ content: GeneratedContent) throws { throw Refusal() }
            var generatedContent: GeneratedContent { 1.generatedContent }
        }
        let refused = session(ScriptedModel(["1"]))
        await #expect(throws: Picky.Refusal.self) { try await refused.respond(to: "x", generating: Picky.self) }
        #expect(refused.transcript.isEmpty && !refused.isResponding)
        for text in ["[1, 2", "", "{}", "[true]", "[1] x"] {
            let session = session(ScriptedModel([text]))
            await #expect(throws: GeneratedContentError.self, "\(text)") {
                try await session.respond(to: "x", generating: [Int].self)
            }
            await #expect(throws: GeneratedContentError.self, "\(text)") {
                for try await _ in session.streamResponse(to: "x", generating: [Int].self) {}
            }
            #expect(session.transcript.isEmpty)
        }
        let kept = session(ScriptedModel(["[1, 2"]))
        kept.transcriptErrorHandlingPolicy = .preserveTranscript
        await #expect(throws: GeneratedContentError.self) { try await kept.respond(to: "x", generating: [Int].self) }
        #expect(kept.transcript.map(\.text) == ["x", "[1, 2"])
    }

    @Test("An answer that was cut is no value, even where it could be read as one")
    func cut() async throws {
        for reason in [StopReason.maximumTokens, .stopSequence] {
            let session = session(ScriptedModel(["12"], reason: reason))
            await #expect {
                try await session.respond(to: "x", generating: Int.self)
            } throws: { error in
                guard case LanguageModelError.incompleteContent(let content) = error else { return false }
                return content.text == "12" && content.finishReason.rawValue == reason.rawValue
            }
            #expect(try await session.respond(to: "x").finishReason.rawValue == reason.rawValue)
        }
    }

    @Test("Cancelling, and a second request, are as for texts")
    func leaving() async throws {
        let executor = ScriptedModel(Array(repeating: " ", count: 1_000_000), delay: .milliseconds(1))
        let session = session(executor)
        let task = Task { try await session.respond(to: "x", generating: Int.self) }
        #expect(try await eventually { executor.state.withLock { $0.yielded > 2 } })
        await #expect(throws: LanguageModelSession.Error.concurrentRequests) {
            try await session.respond(to: "y", generating: Bool.self)
        }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(!session.isResponding && session.transcript.isEmpty)
    }

    @Test("No thought is looked for in what a schema constrains")
    func reasoning() async throws {
        let marks = ReasoningMarks(begin: "<think>", end: "</think>", promptBegins: true)
        let answer = try await session(ScriptedModel(["4", "2"], marks: marks)).respond(
            to: "x", generating: Int.self)
        #expect(answer.content == 42)
    }
}
